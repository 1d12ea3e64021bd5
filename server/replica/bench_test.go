package replica_test

import (
	"fmt"
	"testing"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// deaf carries out nothing.
type deaf struct{ newest zk.Zxid }

func (d *deaf) Connected(request.ClientID, *zk.ConnectResponse) {}
func (d *deaf) Reply(request.ClientID, int64, *zk.Reply)        {}
func (d *deaf) Event(request.ClientID, *zk.Event)               {}
func (d *deaf) Close(request.ClientID, request.CloseReason)     {}
func (d *deaf) Append(z zk.Zxid, _ []byte)                      { d.newest = z }
func (d *deaf) Roll()                                           {}
func (d *deaf) Snapshot(*tree.View)                             {}
func (d *deaf) Peer(*consensus.Action)                          {}
func (d *deaf) SendSnap(consensus.LinkID, *tree.View)           {}
func (d *deaf) Truncate(zk.Zxid, bool)                          {}
func (d *deaf) Install(*tree.View)                              {}
func (d *deaf) Applied(*replica.Applied)                        {}
func (d *deaf) Note(replica.Note)                               {}

// BenchmarkSet is what a server on its own does for a set besides I/O: judging, encoding, applying, answering.
func BenchmarkSet(b *testing.B) {
	const keys, batch = 10_000, 2048 // in flight, as with 64 clients with 32 each
	a, err := auth.New(auth.Config{})
	if err != nil {
		b.Fatal(err)
	}
	r, err := replica.New(replica.Config{ServerID: 1, Auth: a, TickMS: 1000, MinSessionMS: 2000, MaxSessionMS: 40_000, SnapshotTxns: 1 << 40}, tree.New(1), 0, wallStart)
	if err != nil {
		b.Fatal(err)
	}
	d := &deaf{}
	step := func(ev replica.Event) {
		ev.WallMS = wallStart
		r.Step(&ev, d)
	}
	step(replica.Event{Kind: replica.Opened, Client: 1})
	step(replica.Event{Kind: replica.Connect, Client: 1, Connect: &zk.ConnectRequest{TimeoutMS: 10_000}})
	step(replica.Event{Kind: replica.Durable, Zxid: d.newest})
	sets := make([]zk.Request, keys)
	data := make([]byte, 100)
	step(replica.Event{Kind: replica.Request, Client: 1, Request: &zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/bench", TTLMS: -1, ACL: zk.OpenACL}})
	for i := range sets {
		path := fmt.Sprintf("/bench/%08d", i)
		sets[i] = zk.Request{Xid: 1, Op: zk.OpSetData, Path: path, Data: data, Version: -1}
		step(replica.Event{Kind: replica.Request, Client: 1, Request: &zk.Request{Xid: 1, Op: zk.OpCreate, Path: path, Data: data, TTLMS: -1, ACL: zk.OpenACL}})
	}
	step(replica.Event{Kind: replica.Durable, Zxid: d.newest})
	if n := r.Tree().Znodes(); n != keys+5 {
		b.Fatalf("%d znodes", n)
	}
	b.ReportAllocs()
	i, n := 0, 0
	var turn [tree.GuessMax]zk.Request
	for b.Loop() {
		if n%len(turn) == 0 {
			for k := range turn {
				i = (i + 7919) % keys
				turn[k] = sets[i]
			}
			r.Expect(turn[:])
		}
		step(replica.Event{Kind: replica.Request, Client: 1, Request: &turn[n%len(turn)]})
		if n++; n%batch == 0 {
			step(replica.Event{Kind: replica.Durable, Zxid: d.newest})
		}
	}
}
