package admin

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/metrics"
)

func (w *Words) configurationCommand() object {
	c, ok := w.src.Conf()
	if !ok {
		return nil
	}
	return object{
		{"client_port", c.ClientPort}, {"data_dir", c.DataDir}, {"data_log_dir", c.DataLogDir}, {"tick_time", c.TickMS},
		{"max_client_cnxns", c.MaxClientCnxns}, {"min_session_timeout", c.MinSessionMS}, {"max_session_timeout", c.MaxSessionMS},
		{"server_id", c.ServerID}, {"client_port_listen_backlog", c.ListenBacklog},
	}
}

func (w *Words) dirsCommand() object {
	c, ok := w.src.Conf()
	if !ok {
		return nil
	}
	return object{{"datadir_size", c.DataDirBytes}, {"logdir_size", c.DataLogBytes}}
}

// brief is a connection as stats has it.
func brief(c *Connection) object {
	return object{
		{"remote_socket_address", c.Addr}, {"interest_ops", interest(c)}, {"outstanding_requests", c.Outstanding},
		{"packets_received", c.Received}, {"packets_sent", c.Sent},
	}
}

// connectionsBy are the client connections, in the clear and through TLS, as tell has them.
func (w *Words) connectionsBy(tell func(*Connection) object) []entry {
	plain, secure := []object{}, []object{}
	for _, c := range w.connections() {
		if c.Secure {
			secure = append(secure, tell(&c))
		} else {
			plain = append(plain, tell(&c))
		}
	}
	return []entry{{"connections", plain}, {"secure_connections", secure}}
}

func (w *Words) connectionsCommand() object {
	return w.connectionsBy(func(c *Connection) object {
		return append(brief(c),
			entry{"session_id", int64(c.Session)}, entry{"session_id_hex", c.Session.String()}, entry{"last_operation", c.LastOp},
			entry{"established", c.EstablishedMS}, entry{"session_timeout", c.TimeoutMS}, entry{"last_cxid", c.LastCxid},
			entry{"last_zxid", int64(c.LastZxid)}, entry{"last_response_time", c.LastReplyMS}, entry{"last_latency", c.LastLatencyMS},
			entry{"min_latency", c.MinLatencyMS}, entry{"avg_latency", c.MeanLatencyMS}, entry{"max_latency", c.MaxLatencyMS})
	})
}

func (w *Words) dumpCommand() object {
	s, ok := w.src.Sessions()
	if !ok {
		return nil
	}
	expiry, owned := object{}, object{}
	slices.SortFunc(s.Buckets, func(x, y Bucket) int { return x.Expires.Compare(y.Expires) })
	for _, b := range s.Buckets {
		ids := []int64{}
		for _, id := range b.Sessions {
			ids = append(ids, int64(id))
		}
		expiry = append(expiry, entry{strconv.FormatInt(b.Expires.UnixMilli(), 10), ids})
	}
	slices.SortFunc(s.Ephemerals, func(x, y Ephemerals) int { return cmp.Compare(x.Session, y.Session) })
	for _, e := range s.Ephemerals {
		slices.Sort(e.Paths)
		owned = append(owned, entry{strconv.FormatInt(int64(e.Session), 10), e.Paths})
	}
	return object{{"expiry_time_to_session_ids", expiry}, {"session_id_to_ephemeral_paths", owned}}
}

func (w *Words) environmentCommand() (out object) {
	for line := range strings.Lines(string(w.envi())) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			out = append(out, entry{key, value})
		}
	}
	return out
}

func (w *Words) hashCommand() object {
	digests, ok := w.src.TreeDigests()
	if !ok {
		return nil
	}
	list := []object{}
	for _, d := range digests {
		list = append(list, object{{"digest_version", 2}, {"digest", d.Digest}, {"zxid", int64(d.Zxid)}})
	}
	return object{{"digests", list}}
}

// fields takes figures as members of an object.
type fields struct{ object }

func (f *fields) add(key string, v any)      { f.object = append(f.object, entry{key, v}) }
func (f *fields) text(key, v string)         { f.add(key, v) }
func (f *fields) whole(key string, v int64)  { f.add(key, v) }
func (f *fields) real(key string, v float64) { f.add(key, v) }
func (f *fields) mean(key string, v float64) { f.add(key, v) }

func (f *fields) refused(*Refused) {}

func (f *fields) peer(key string, id, v int64) { f.add(ofPeer(id, key), v) }
func (f *fields) metric(m *metrics.Metric)     { eachFigure(m, f) }

func (w *Words) monitorCommand() object {
	f := &fields{}
	if s, ok := w.src.Server(); ok {
		w.figures(&s, f)
	}
	return append(object{}, f.object...)
}

// statistics are those of a server that both server_stats and stats have.
func (w *Words) statistics(s *Server) object {
	c, _ := w.src.Conf()
	sizes := object{{"last_buffer_size", s.LastReplyBytes}, {"min_buffer_size", s.MinReplyBytes}, {"max_buffer_size", s.MaxReplyBytes}}
	out := object{
		{"version", w.version}, {"read_only", w.src.State() == StateReadOnly},
		{"server_stats", object{
			{"packets_sent", s.Sent}, {"packets_received", s.Received}, {"fsync_threshold_exceed_count", 0}, {"client_response_stats", sizes},
			{"provider_null", false}, {"server_state", s.Mode}, {"outstanding_requests", s.Outstanding}, {"min_latency", s.MinLatencyMS},
			{"avg_latency", s.MeanLatencyMS}, {"max_latency", s.MaxLatencyMS}, {"data_dir_size", c.DataDirBytes}, {"log_dir_size", c.DataLogBytes},
			{"last_processed_zxid", int64(s.Zxid)}, {"num_alive_client_connections", s.Connections}, {"auth_failed_count", s.AuthFailed},
			{"non_mtlsremote_conn_count", 0}, {"non_mtlslocal_conn_count", 0}, {"uptime", s.Uptime.Milliseconds()},
		}},
		{"client_response", sizes},
	}
	if l := s.Leading; l != nil {
		out = append(out, entry{"proposal_stats", object{
			{"last_buffer_size", l.LastProposalBytes}, {"min_buffer_size", l.MinProposalBytes}, {"max_buffer_size", l.MaxProposalBytes}}})
	}
	return append(out, entry{"node_count", s.Znodes})
}

func (w *Words) serverCommand() object {
	s, ok := w.src.Server()
	if !ok {
		return nil
	}
	return w.statistics(&s)
}

func (w *Words) statsCommand() object {
	s, ok := w.src.Server()
	if !ok {
		return nil
	}
	return append(w.statistics(&s), w.connectionsBy(brief)...)
}

func (w *Words) watchSummaryCommand() object {
	c, ok := w.src.WatchCounts()
	if !ok {
		return nil
	}
	return object{{"num_connections", c.Connections}, {"num_paths", c.Paths}, {"num_total_watches", c.Watches}}
}

func (w *Words) watchesCommand() object {
	list, ok := w.src.Watches()
	if !ok {
		return nil
	}
	paths := bySession(list)
	by := object{}
	for _, id := range slices.Sorted(maps.Keys(paths)) {
		slices.Sort(paths[id])
		by = append(by, entry{strconv.FormatInt(int64(id), 10), paths[id]})
	}
	return object{{"session_id_to_watched_paths", by}}
}

func (w *Words) watchesByPathCommand() object {
	list, ok := w.src.Watches()
	if !ok {
		return nil
	}
	slices.SortFunc(list, func(x, y PathWatches) int { return cmp.Compare(x.Path, y.Path) })
	by := object{}
	for _, p := range list {
		ids := []int64{}
		slices.Sort(p.Sessions)
		for _, id := range p.Sessions {
			ids = append(ids, int64(id))
		}
		by = append(by, entry{p.Path, ids})
	}
	return object{{"path_to_session_ids", by}}
}

func (c *commands) initialConfiguration(*Words, *http.Request) (object, error) {
	if c.Configuration == "" {
		return object{{"initial_configuration", nil}}, nil
	}
	return object{{"initial_configuration", c.Configuration}}, nil
}

func (c *commands) lastSnapshot(*Words, *http.Request) (object, error) {
	if c.LastSnapshot != nil {
		if at, taken, ok := c.LastSnapshot(); ok {
			return object{{"zxid", strconv.FormatUint(uint64(at), 16)}, {"timestamp", taken.Unix()}}, nil
		}
	}
	return object{{"zxid", "-1"}, {"timestamp", -1}}, nil
}

// errAlone is ZooKeeper's error of a command that only members of ensembles have.
var errAlone = errors.New("server is not initialized")

// membership is the server's part, or why it has none.
func (c *commands) membership() (Membership, error) {
	if c.Membership == nil {
		return Membership{}, errAlone
	}
	m, ok := c.Membership()
	if !ok {
		return Membership{}, errAlone
	}
	return m, nil
}

// server is one of the servers.
func (m *Membership) server(id int64) (s MemberServer) {
	for _, s := range m.Servers {
		if s.ID == id {
			return s
		}
	}
	return s
}

func (c *commands) leader(*Words, *http.Request) (object, error) {
	m, err := c.membership()
	if err != nil {
		return nil, err
	}
	if !m.HasLeader {
		return object{{"is_leader", false}, {"leader_id", -1}, {"leader_ip", ""}}, nil
	}
	host := ""
	if at := m.server(m.Leader).Quorum; len(at) > 0 {
		host = at[0][:max(0, strings.LastIndexByte(at[0], ':'))]
	}
	return object{{"is_leader", m.Leader == m.ServerID}, {"leader_id", m.Leader}, {"leader_ip", host}}, nil
}

func (c *commands) observers(w *Words, _ *http.Request) (object, error) {
	s, ok := w.src.Server()
	if !ok {
		return nil, nil
	}
	synced, list := int64(0), []object{}
	var observers []Observer
	switch {
	case s.Leading != nil:
		synced, observers = s.Leading.SyncedObservers, s.Leading.Observers
	case s.Member != nil:
		synced, observers = s.Member.SyncedObservers, s.Member.Observers
	}
	for _, o := range observers {
		list = append(list, object{
			{"remote_socket_address", "/" + o.Addr}, {"sid", o.ID}, {"established", o.EstablishedMS},
			{"queued_packets", o.Queued}, {"queued_packets_size", o.QueuedBytes},
			{"packets_received", o.Received}, {"packets_sent", o.Sent}, {"requests", o.Requests}, {"last_zxid", int64(o.LastZxid)},
		})
	}
	return object{{"synced_observers", synced}, {"observers", list}}, nil
}

func (c *commands) setTraceMask(w *Words, r *http.Request) (object, error) {
	text := r.URL.Query().Get("traceMask")
	if text == "" {
		return nil, errors.New("setTraceMask requires long traceMask argument")
	}
	mask, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("setTraceMask requires long traceMask argument, got %s", text)
	}
	w.mask.Store(mask)
	return object{{"tracemask", mask}}, nil
}

func (c *commands) systemProperties(*Words, *http.Request) (object, error) {
	out := object{}
	if c.Settings != nil {
		all := c.Settings()
		for _, key := range slices.Sorted(maps.Keys(all)) {
			out = append(out, entry{key, all[key]})
		}
	}
	return out, nil
}

func (c *commands) votingView(*Words, *http.Request) (object, error) {
	m, err := c.membership()
	if err != nil {
		return object{{"current_config", object{}}}, nil
	}
	view := object{}
	for _, s := range m.Servers {
		if !s.Observer {
			view = append(view, entry{strconv.FormatInt(s.ID, 10), object{
				{"server_addresses", s.Quorum}, {"election_addresses", s.Election}, {"client_address", s.Client}, {"learner_type", "participant"}}})
		}
	}
	return object{{"current_config", view}}, nil
}

// addresses are the part of ZooKeeper's address objects that says something.
func addresses(list []string) object {
	one := ""
	if len(list) > 0 {
		one = list[0]
	}
	return object{{"all_addresses", list}, {"one", one}}
}

func (c *commands) zabState(*Words, *http.Request) (object, error) {
	m, err := c.membership()
	if err != nil {
		return nil, err
	}
	me := m.server(m.ServerID)
	return object{
		{"myid", m.ServerID}, {"is_leader", m.HasLeader && m.Leader == m.ServerID}, {"quorum_address", addresses(me.Quorum)},
		{"election_address", addresses(me.Election)}, {"client_address", me.Client}, {"voting", m.Voting}, {"last_zxid", m.Zxid.String()},
		{"zab_epoch", m.Zxid.Epoch()}, {"zab_counter", m.Zxid.Counter()}, {"zabstate", m.Stage},
	}, nil
}
