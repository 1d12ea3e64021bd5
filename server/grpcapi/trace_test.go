package grpcapi

import (
	"testing"

	"paddock/internal/zk"
)

// allocations is the least that f was seen to allocate: what goes on beside it comes on top.
func allocations(f func()) float64 {
	least := testing.AllocsPerRun(500, f)
	for range 4 {
		least = min(least, testing.AllocsPerRun(500, f))
	}
	return least
}

func TestARequestThatNobodyTracesAllocatesNothingForIt(t *testing.T) {
	r := newRig(t)
	a := asker{door: r.server.door, conn: &connection{}, handler: r.driver, caller: &caller{}, ids: []zk.ID{}}
	defer a.conn.close()
	ask := func(through func(*zk.Request) (zk.Reply, error)) func() {
		return func() {
			if rep, err := through(&zk.Request{Op: zk.OpExists, Path: "/"}); err != nil || rep.Err != zk.OK {
				t.Fatal(rep.Err, err)
			}
		}
	}
	ctx := t.Context()
	plain := allocations(ask(func(req *zk.Request) (zk.Reply, error) { req.IDs = a.ids; return a.pass(ctx, req) }))
	looked := allocations(ask(func(req *zk.Request) (zk.Reply, error) { return a.do(ctx, req) }))
	if looked > plain {
		t.Errorf("%v allocations, without tracing %v", looked, plain)
	}
}
