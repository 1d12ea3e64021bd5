package sim

import (
	"fmt"
	"math/rand/v2"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// stage is what every simulated world has, of one server or of many: a seed's choices, a trace, time, the model of what
// is to be seen, and the first rule that was broken.
type stage struct {
	rng    *rand.Rand
	trace  trace
	err    error
	model  *model
	nowMS  int64    // never goes back
	recent []string // paths that were made
	zeros  bool     // most data is zeros, which looks like a log's unwritten end
	sizes  []int    // of larger data, middle and large in turn; nil for any
}

// fail notes the first thing that went wrong.
func (st *stage) fail(format string, args ...any) {
	if st.err == nil {
		st.err = fmt.Errorf(format, args...)
		st.trace.add("FAILED: %v", st.err)
	}
}

// serverWrite judges what the server does by itself: it deletes containers and TTL znodes.
func (st *stage) serverWrite(d *draft, rec *txn.Record) {
	path := rec.Txn.Path
	if rec.Header.Type == zk.OpError {
		d.commit()
		return
	}
	n := st.model.newest(path)
	if rec.Header.Type != zk.OpDeleteContainer || n == nil || n.children > 0 {
		st.fail("the server deletes %q by itself: %+v", path, n)
		return
	}
	if ttl, timed := n.stat.Owner.TTL(); n.stat.Owner != zk.ContainerOwner && !timed || timed && rec.Header.TimeMS-n.stat.MtimeMS < ttl {
		st.fail("the server deletes %q by itself at %d: %+v", path, rec.Header.TimeMS, n)
		return
	}
	d.judge(&zk.Request{Op: zk.OpDelete, Path: path, Version: -1})
}

// caller is the side of a connection that asks.
type caller struct {
	n       int // of the client
	session zk.SessionID
	seen    zk.Zxid
	xid     int32
	sent    []*call // in order

	away     zk.Zxid    // what it had seen when it connected
	caughtUp []zk.Event // what it was told to have missed
}

// call is a request that a client has sent and that is not answered yet.
type call struct {
	req     *zk.Request
	want    *zk.Reply // of a write, once it is proposed or decided
	atLeast zk.Zxid   // of a sync: what had been proposed or decided when it was sent
}

func (c *caller) waits() string {
	if len(c.sent) == 0 {
		return "nothing"
	}
	r := c.sent[0].req
	return r.Op.String() + " " + zk.Zxid(r.Xid).String()
}
