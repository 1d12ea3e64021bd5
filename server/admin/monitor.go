package admin

import (
	"fmt"
	"strconv"

	"paddock/internal/metrics"
)

// mntr lists every figure: first the gauges of the server, then the metrics in the order of their registry. The keys
// that ZooKeeper has and this server has nothing to count for are there, at zero: a missing key breaks readers, a
// zero does not.
func (w *Words) mntr() []byte {
	s, ok := w.src.Server()
	if !ok {
		return nil
	}
	m := &monitor{}
	w.figures(&s, m)
	return m.b
}

// list takes figures one after the other, under ZooKeeper's names without prefix.
type list interface {
	text(key, v string)
	whole(key string, v int64)
	real(key string, v float64)
	mean(key string, v float64)
	peer(key string, id, v int64) // of another member
	refused(*Refused)             // counters of addresses, which mntr has no form for
	metric(*metrics.Metric)
}

// figures lists all there is to tell of a server.
func (w *Words) figures(s *Server, m list) {
	open, most := openFiles()
	m.text("version", w.version)
	m.text("server_state", s.Mode)
	if s.Member != nil {
		m.text("peer_state", s.Member.PeerState)
		if s.Member.IsObserver {
			m.whole("observer_master_id", s.Member.MasterID)
		}
	}
	m.whole("ephemerals_count", s.Ephemerals)
	m.whole("num_alive_connections", s.Connections)
	m.mean("avg_latency", s.MeanLatencyMS)
	m.whole("outstanding_requests", s.Outstanding)
	m.whole("znode_count", s.Znodes)
	m.whole("global_sessions", s.Sessions)
	m.whole("non_mtls_remote_conn_count", 0)
	m.whole("last_client_response_size", s.LastReplyBytes)
	m.whole("packets_sent", s.Sent)
	m.whole("packets_received", s.Received)
	m.whole("max_client_response_size", s.MaxReplyBytes)
	m.real("connection_drop_probability", s.DropProbability)
	m.whole("watch_count", s.Watches)
	m.whole("auth_failed_count", s.AuthFailed)
	m.whole("min_latency", s.MinLatencyMS)
	m.whole("max_file_descriptor_count", most)
	m.whole("approximate_data_size", s.DataBytes)
	m.whole("open_file_descriptor_count", open)
	m.whole("local_sessions", s.LocalSessions)
	m.whole("uptime", s.Uptime.Milliseconds())
	m.whole("max_latency", s.MaxLatencyMS)
	m.whole("outstanding_tls_handshake", s.Handshakes)
	m.whole("min_client_response_size", s.MinReplyBytes)
	m.whole("non_mtls_local_conn_count", 0)
	ensemble(s, m)
	for _, metric := range w.metrics.All() {
		m.metric(&metric)
	}
	if s.Leading != nil {
		handlers(s.Leading.Learners, m)
	}
	for i := range s.Refused {
		m.refused(&s.Refused[i])
	}
	if s.Member != nil {
		m.whole("election_listener_up", oneIf(s.Member.ElectionListening))
		for _, p := range s.Member.Peers {
			m.peer("peer_link_up", p.ID, oneIf(p.Up))
		}
	}
}

// oneIf is how a figure says yes.
func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// ensemble is what only members have, and what only a leader has.
func ensemble(s *Server, m list) {
	if s.Member != nil {
		m.whole("quorum_size", s.Member.Voters)
		if s.Member.IsMaster {
			m.whole("synced_observers", s.Member.SyncedObservers)
		}
	}
	l := s.Leading
	if l == nil {
		return
	}
	m.whole("learners", int64(len(l.Learners)))
	m.whole("synced_followers", l.SyncedFollowers)
	m.whole("synced_non_voting_followers", l.SyncedOthers)
	m.whole("synced_observers", l.SyncedObservers)
	m.whole("pending_syncs", l.PendingSyncs)
	m.whole("leader_uptime", l.Uptime.Milliseconds())
	m.whole("last_proposal_size", l.LastProposalBytes)
	m.whole("min_proposal_size", l.MinProposalBytes)
	m.whole("max_proposal_size", l.MaxProposalBytes)
}

// handlers are ZooKeeper's figures of the queue to each learner, which nothing here counts.
func handlers(learners []int64, m list) {
	for _, id := range learners {
		m.metric(&metrics.Metric{Name: ofPeer(id, "learner_handler_qp_size"), Summary: new(metrics.Summary)})
		m.metric(&metrics.Metric{Name: ofPeer(id, "learner_handler_qp_time_ms"), Quantiles: true, Summary: new(metrics.Summary)})
	}
}

// monitor is the text of mntr.
type monitor struct{ b []byte }

func (m *monitor) key(name string) {
	m.b = append(append(append(m.b, "zk_"...), name...), '\t')
}

func (m *monitor) text(key, v string) {
	m.key(key)
	m.b = append(append(m.b, v...), '\n')
}

func (m *monitor) whole(key string, v int64) {
	m.key(key)
	m.b = append(strconv.AppendInt(m.b, v, 10), '\n')
}

func (m *monitor) real(key string, v float64) {
	m.key(key)
	m.b = append(appendDouble(m.b, v), '\n')
}

func (m *monitor) mean(key string, v float64) {
	m.key(key)
	m.b = append(appendMean(m.b, v), '\n')
}

func (m *monitor) peer(key string, id, v int64) { m.whole(ofPeer(id, key), v) }

// ofPeer is the name of a figure of another server: with its id in front, as ZooKeeper has it.
func ofPeer(id int64, key string) string { return fmt.Sprintf("%d_%s", id, key) }

func (m *monitor) refused(*Refused) {}

func (m *monitor) metric(x *metrics.Metric) { eachFigure(x, m) }

// eachFigure tells a list the figures of a metric.
func eachFigure(x *metrics.Metric, m interface {
	whole(string, int64)
	mean(string, float64)
}) {
	if x.Counter != nil {
		m.whole(x.Name, x.Counter.Value())
	}
	if x.Gauge != nil {
		m.whole(x.Name, x.Gauge.Value())
	}
	f, ok := x.Figures()
	if !ok {
		return
	}
	m.mean("avg_"+x.Name, f.Avg)
	m.whole("min_"+x.Name, f.Min)
	m.whole("max_"+x.Name, f.Max)
	m.whole("cnt_"+x.Name, f.Count)
	m.whole("sum_"+x.Name, f.Sum)
	if x.Quantiles {
		m.whole("p50_"+x.Name, f.P50)
		m.whole("p95_"+x.Name, f.P95)
		m.whole("p99_"+x.Name, f.P99)
		m.whole("p999_"+x.Name, f.P999)
	}
}
