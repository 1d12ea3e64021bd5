package grpcapi

import (
	"context"
	"strconv"

	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// outcome is what a write has come to.
type outcome struct {
	zxid      zk.Zxid
	results   []zk.Reply // one for each operation, if it was done
	otherwise bool       // the operations are those of the second list
	code      zk.Code    // OK, or why it was not done
	failed    int        // the operation that was refused; negative if it was none of them
	path      string     // of that operation
	many      bool       // there were several
}

// err is the refusal of a write that was not done.
func (o *outcome) err() error {
	switch {
	case o.code == zk.OK:
		return nil
	case o.many && o.failed >= 0:
		return refusalOf(o.code, o.path, o.zxid, map[string]string{"operation": strconv.Itoa(o.failed)})
	default:
		return refusal(o.code, o.path, o.zxid)
	}
}

// write does operations, all or none: once, if the options have an idempotency key. in is what the call asks, by which a retry is
// known again. An error is a gRPC status; that an operation is refused is told by the outcome.
func (a *asker) write(ctx context.Context, in proto.Message, opt *paddockv1.WriteOptions, ops ...zk.Request) (outcome, error) {
	if opt.GetIdempotencyKey() != 0 {
		return a.once(ctx, in, opt, ops)
	}
	if err := a.reach(ctx, opt.GetMinZxid()); err != nil {
		return outcome{}, err
	}
	if len(ops) != 1 {
		return a.multi(ctx, ops)
	}
	req := ops[0]
	if err := fits(&req, a.door.requestBytesMax()); err != nil {
		return outcome{}, err
	}
	rep, err := a.do(ctx, &req)
	if err != nil {
		return outcome{}, err
	}
	return outcome{zxid: rep.Zxid, results: []zk.Reply{rep}, code: rep.Err, path: req.Path}, nil
}

// multi does operations as one transaction.
func (a *asker) multi(ctx context.Context, ops []zk.Request) (outcome, error) {
	req := zk.Request{Op: zk.OpMulti, Ops: ops}
	if err := fits(&req, a.door.requestBytesMax()); err != nil {
		return outcome{}, err
	}
	rep, err := a.do(ctx, &req)
	if err != nil {
		return outcome{}, err
	}
	return multiOutcome(&rep, ops), nil
}

// multiOutcome is what the reply to a multi tells. ZooKeeper answers a refused one with an error for each operation: none for
// those before the one that was refused, and RuntimeInconsistency for those after it.
func multiOutcome(rep *zk.Reply, ops []zk.Request) outcome {
	out := outcome{zxid: rep.Zxid, results: rep.Results, code: rep.Err, failed: -1, many: true}
	for i := range rep.Results {
		if res := &rep.Results[i]; res.Op == zk.OpError && res.Err != zk.OK && res.Err != zk.RuntimeInconsistency {
			out.code, out.failed = res.Err, i
			if i < len(ops) {
				out.path = ops[i].Path
			}
			break
		}
	}
	return out
}

// requestBytesMax is how large a request may be.
func (d *door) requestBytesMax() int {
	if d.opt.RequestBytesMax > 0 {
		return d.opt.RequestBytesMax
	}
	return requestBytesDefault
}

// requestBytesDefault is jute.maxbuffer where nothing is configured.
const requestBytesDefault = 1<<20 - 1
