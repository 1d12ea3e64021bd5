package server

import (
	"net/netip"
	"sync"
	"time"

	"paddock/internal/metrics"
	"paddock/internal/zk"
	"paddock/server/grpcapi"
	"paddock/server/juteapi"
	"paddock/server/replica"
)

// serverMetrics are the figures of mntr that the wiring can tell. Their names are ZooKeeper's.
type serverMetrics struct {
	registry  *metrics.Registry
	read      *metrics.Timer // requests, from arrival to reply
	update    *metrics.Timer
	fsync     *metrics.Timer
	snapshot  *metrics.Timer
	recovered *metrics.Timer
	connects  *metrics.Counter
	rejected  *metrics.Counter
	throttled *metrics.Counter // calls over gRPC that were refused for want of room
	expired   *metrics.Counter
	mismatch  *metrics.Counter
	authFail  *metrics.Counter // not of the registry: mntr has it among the figures of the server
	ahead     *metrics.Counter
	refused   refused

	received, sent                   *metrics.Counter // bytes of requests and replies
	badHandshake, handshakesExceeded *metrics.Counter // of TLS

	// Of members of an ensemble.
	looking                              *metrics.Counter
	diffs, snaps                         *metrics.Counter // sent to learners
	proposed, decided, followed, applied *metrics.Counter
	elections                            *metrics.Timer // from looking to a leader
	unavailable                          *metrics.Timer // from looking to serving
	leaderless                           *metrics.Timer // the same, of leaders
	followerSync                         *metrics.Timer // from a leader to serving
	observerSync                         *metrics.Timer
	propagation                          *metrics.Timer                               // from proposal to tree, as rounds of the owner sample it
	fired                                [zk.NodeChildrenChanged + 1]*metrics.Summary // watches by what they tell
	quorumAck                            *metrics.Timer                               // the same, of leaders
	commitPropagation                    *metrics.Timer                               // the same, of learners
	counting                             sync.Mutex                                   // guards counted, and what is added to received and sent
	counted                              replica.Counts
}

func newMetrics() *serverMetrics {
	r := metrics.New()
	return &serverMetrics{
		registry: r,
		read:     r.Timer("readlatency"), update: r.Timer("updatelatency"), fsync: r.Timer("fsynctime"),
		snapshot: r.Timer("snapshottime"), recovered: r.Timer("dbinittime"),
		connects: r.Counter("connection_request_count"), rejected: r.Counter("connection_rejected"),
		throttled: r.Counter("throttled_ops"),
		expired:   r.Counter("stale_sessions_expired"),
		mismatch:  r.Counter("digest_mismatches_count"), authFail: new(metrics.Counter), ahead: r.Counter("client_zxid_ahead"),
		received: r.Counter("bytes_received_count"), sent: r.Counter("response_bytes"),
		badHandshake: r.Counter("unsuccessful_handshake"), handshakesExceeded: r.Counter("tls_handshake_exceeded"),
		looking: r.Counter("looking_count"), diffs: r.Counter("diff_count"), snaps: r.Counter("snap_count"),
		proposed: r.Counter("proposal_count"), decided: r.Counter("commit_count"),
		followed: r.Counter("learner_proposal_received_count"), applied: r.Counter("learner_commit_received_count"),
		elections: r.Timer("election_time"), unavailable: r.Timer("unavailable_time"), leaderless: r.Timer("leader_unavailable_time"),
		followerSync: r.Timer("follower_sync_time"), observerSync: r.Timer("observer_sync_time"),
		fired: [...]*metrics.Summary{
			zk.NodeCreated: r.Summary("node_created_watch_count"), zk.NodeDeleted: r.Summary("node_deleted_watch_count"),
			zk.NodeDataChanged: r.Summary("node_changed_watch_count"), zk.NodeChildrenChanged: r.Summary("node_children_watch_count"),
		},
		propagation: r.Timer("propagation_latency"), quorumAck: r.Timer("quorum_ack_latency"), commitPropagation: r.Timer("commit_propagation_latency"),
	}
}

// latency is called by the owner for every reply.
func (m *serverMetrics) latency(op zk.OpCode, took time.Duration) {
	if op.IsWrite() {
		m.update.Observe(took)
	} else {
		m.read.Observe(took)
	}
}

// propagated is called by the owner when txns were applied. took is by the clocks of two servers, and may be negative.
func (m *serverMetrics) propagated(mode grpcapi.Mode, took time.Duration) {
	m.propagation.Observe(took)
	switch mode {
	case grpcapi.ModeLeader:
		m.quorumAck.Observe(took)
	case grpcapi.ModeFollower, grpcapi.ModeObserver:
		m.commitPropagation.Observe(took)
	}
}

// catchUp counts what has been done since it was last called. Proposals are those of members of an ensemble, as in ZooKeeper.
func (m *serverMetrics) catchUp(c replica.Counts, member bool) {
	m.counting.Lock()
	defer m.counting.Unlock()
	for t, s := range m.fired {
		if s != nil {
			now, before := c.Fired[t], m.counted.Fired[t]
			s.ObserveMany(now.Changes-before.Changes, now.Watches-before.Watches)
		}
	}
	if member {
		m.proposed.Add(c.Proposed - m.counted.Proposed)
		m.decided.Add(c.Decided - m.counted.Decided)
		m.followed.Add(c.Followed - m.counted.Followed)
		m.applied.Add(c.Applied - m.counted.Applied)
	}
	m.counted = c
}

// transferred brings the counters of bytes to what the connections tell, which srst sets to zero as it does the counters.
func (m *serverMetrics) transferred(p juteapi.PacketStats) {
	m.counting.Lock()
	defer m.counting.Unlock()
	m.received.Add(p.ReceivedBytes - m.received.Value())
	m.sent.Add(p.ReplyBytes - m.sent.Value())
}

// count is called by the owner for every note.
func (m *serverMetrics) count(n replica.Note) {
	switch n.Kind {
	case replica.SessionExpired:
		m.expired.Inc()
	case replica.DigestMismatch:
		m.mismatch.Inc()
	case replica.AuthRefused:
		m.authFail.Inc()
	case replica.ClientAhead:
		m.ahead.Inc()
		m.refused.add(n.Text, refusedAhead, time.Now())
	case replica.ClientThrottled:
		m.rejected.Inc()
		m.refused.add(n.Text, refusedThrottled, time.Now())
	}
}

func (m *serverMetrics) hooks() juteapi.Hooks {
	return juteapi.Hooks{
		Connects: m.connects.Inc,
		Rejected: func(reason string, from netip.Addr) {
			m.rejected.Inc()
			m.refused.add(from.String(), reason, time.Now())
		},
	}
}
