package replica

import (
	"fmt"
	"testing"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/request"
	"paddock/server/watch"
	"paddock/storage/tree"
)

// quietEffects carries nothing out; it counts events.
type quietEffects struct{ events int }

func (*quietEffects) Connected(request.ClientID, *zk.ConnectResponse) {}
func (*quietEffects) Reply(request.ClientID, int64, *zk.Reply)        {}
func (q *quietEffects) Event(request.ClientID, *zk.Event)             { q.events++ }
func (*quietEffects) Close(request.ClientID, request.CloseReason)     {}
func (*quietEffects) Append(zk.Zxid, []byte)                          {}
func (*quietEffects) Roll()                                           {}
func (*quietEffects) Snapshot(*tree.View)                             {}
func (*quietEffects) Applied(*Applied)                                {}
func (*quietEffects) Note(Note)                                       {}
func (*quietEffects) Peer(*consensus.Action)                          {}
func (*quietEffects) SendSnap(consensus.LinkID, *tree.View)           {}
func (*quietEffects) Truncate(zk.Zxid, bool)                          {}
func (*quietEffects) Install(*tree.View)                              {}

// A client with very many watches does not hold up the others when it goes.
func TestWatchesOfAClientThatIsGoneAreDroppedInSteps(t *testing.T) {
	authority, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{ServerID: 1, Auth: authority, TickMS: 1000, MinSessionMS: 1000, MaxSessionMS: 10000, SnapshotTxns: 1000}, tree.New(1), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	eff := &quietEffects{}
	r.Step(&Event{Kind: Opened, Client: 7}, eff)
	r.Step(&Event{Kind: Connect, Client: 7, Connect: &zk.ConnectRequest{TimeoutMS: 5000}}, eff)
	r.Step(&Event{Kind: Durable, Zxid: 1}, eff)
	const n = 10 * dropsPerStep
	for i := range n {
		r.Step(&Event{Kind: Request, Client: 7, Request: &zk.Request{Op: zk.OpExists, Path: fmt.Sprint("/a", i), Watch: true}}, eff)
	}
	left := func() int { return r.watches.Counts(watch.Data).Watches }
	if left() != n {
		t.Fatalf("%d watches set", left())
	}
	r.Step(&Event{Kind: Disconnected, Client: 7}, eff)
	if got := left(); got != n-dropsPerStep {
		t.Errorf("one step left %d watches", got)
	}
	for range n/dropsPerStep - 1 {
		r.Step(&Event{Kind: Durable, Zxid: 1}, eff)
	}
	if left() != 0 || len(r.leaving) != 0 {
		t.Errorf("%d watches and %d clients left", left(), len(r.leaving))
	}
	if eff.events != 0 {
		t.Errorf("%d events", eff.events)
	}
}
