package server

import (
	"time"

	"paddock/internal/metrics"
	"paddock/internal/zk"
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
	opened    *metrics.Counter
	rejected  *metrics.Counter
	expired   *metrics.Counter
	mismatch  *metrics.Counter
	authFail  *metrics.Counter // not of the registry: mntr has it among the figures of the server
	ahead     *metrics.Counter
}

func newMetrics() *serverMetrics {
	r := metrics.New()
	return &serverMetrics{
		registry: r,
		read:     r.Timer("readlatency"), update: r.Timer("updatelatency"), fsync: r.Timer("fsynctime"),
		snapshot: r.Timer("snapshottime"), recovered: r.Timer("dbinittime"),
		opened: r.Counter("connection_request_count"), rejected: r.Counter("connection_rejected"),
		expired:  r.Counter("stale_sessions_expired"),
		mismatch: r.Counter("digest_mismatches_count"), authFail: new(metrics.Counter), ahead: r.Counter("client_zxid_ahead"),
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
	case replica.ClientThrottled:
		m.rejected.Inc()
	}
}

func (m *serverMetrics) hooks() juteapi.Hooks {
	return juteapi.Hooks{
		Opened:   m.opened.Inc,
		Rejected: func(string) { m.rejected.Inc() },
	}
}
