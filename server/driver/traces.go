package driver

import (
	"maps"
	"time"

	"paddock/internal/zk"
	"paddock/server/request"
)

// Bounds of what is traced at a time. What is beyond them is served like everything else, and its trace lacks the times.
const (
	tracedMax     = 1024 // requests
	tracedTxnsMax = 4096 // txns whose times are remembered for them
)

// traces are the requests that are being traced. The replica knows nothing of them and has no clock: they are found again by client and
// xid when it replies, and their txn by its zxid. While there are none this costs a comparison for each request, txn and event.
type traces struct {
	open map[traceKey]*zk.Trace
	txns []txnTimes // since the first of the open requests came, in the order of their zxids
	mark int64      // when the owner was last done with something
}

type traceKey struct {
	client request.ClientID
	xid    int32
}

// txnTimes are moments of a txn, as in zk.Trace.
type txnTimes struct {
	zxid                                zk.Zxid
	appended, durable, decided, applied int64
}

// none tells that nothing is traced.
func (t *traces) none() bool { return len(t.open) == 0 }

// begin notes that a request was taken that had come at a moment.
func (t *traces) begin(id request.ClientID, req *zk.Request, queued int64) {
	if len(t.open) >= tracedMax {
		return
	}
	if t.open == nil {
		t.open = map[traceKey]*zk.Trace{}
	}
	t.open[traceKey{id, req.Xid}] = req.Trace
	req.Trace.Queued, req.Trace.Taken = queued, time.Now().UnixNano()
	t.mark = req.Trace.Taken
}

// stepping notes that an event begins. What it decides is decided now.
func (t *traces) stepping() { t.mark = time.Now().UnixNano() }

// appended notes that a txn was put into the log.
func (t *traces) appended(z zk.Zxid) { t.add(txnTimes{zxid: z, appended: time.Now().UnixNano()}) }

// durable notes that the log became durable up to a txn.
func (t *traces) durable(z zk.Zxid, at int64) {
	for i := len(t.txns) - 1; i >= 0 && t.txns[i].durable == 0; i-- {
		if x := &t.txns[i]; x.zxid <= z {
			x.durable = at
		}
	}
}

// applied notes that a txn was applied, the first after the last mark.
func (t *traces) applied(z zk.Zxid) {
	x := t.txn(z)
	if x == nil {
		x = t.add(txnTimes{zxid: z})
	}
	x.decided, x.applied = t.mark, time.Now().UnixNano()
	t.mark = x.applied
}

// replied completes the trace of the request that is answered, if it has one.
func (t *traces) replied(id request.ClientID, r *zk.Reply) {
	key := traceKey{id, r.Xid}
	trace := t.open[key]
	if trace == nil {
		return
	}
	trace.Replied = time.Now().UnixNano()
	if x := t.txn(r.Zxid); x != nil && r.Op.IsWrite() { // a read tells the zxid of a txn that is none of its own
		trace.Appended, trace.Durable, trace.Decided, trace.Applied = x.appended, x.durable, x.decided, x.applied
	}
	delete(t.open, key)
	t.rest()
}

// forget drops the traces of a client.
func (t *traces) forget(id request.ClientID) {
	maps.DeleteFunc(t.open, func(k traceKey, _ *zk.Trace) bool { return k.client == id })
	t.rest()
}

// rest forgets the txns once nobody needs them.
func (t *traces) rest() {
	if t.none() {
		t.txns = t.txns[:0]
	}
}

// add puts a txn behind the others. One that is not newer than the last shows that the log was cut.
func (t *traces) add(x txnTimes) *txnTimes {
	switch n := len(t.txns); {
	case n > 0 && x.zxid <= t.txns[n-1].zxid:
		t.txns = t.txns[:0]
	case n >= tracedTxnsMax:
		t.txns = t.txns[:copy(t.txns, t.txns[n/2:])]
	}
	t.txns = append(t.txns, x)
	return &t.txns[len(t.txns)-1]
}

// txn finds a txn; nil if it is not known.
func (t *traces) txn(z zk.Zxid) *txnTimes {
	for i := len(t.txns) - 1; i >= 0 && t.txns[i].zxid >= z; i-- {
		if t.txns[i].zxid == z {
			return &t.txns[i]
		}
	}
	return nil
}
