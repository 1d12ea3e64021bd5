package replica_test

import (
	"slices"
	"testing"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/replica"
)

func sync(xid int32) zk.Request { return zk.Request{Xid: xid, Op: zk.OpSync, Path: "/"} }

func TestALeaderThatIsCutOffAnswersNoSync(t *testing.T) {
	tr := newTrio(t)
	l, _ := tr.roles()
	c := l.connect(0, nil)
	l.send(c, sync(1))
	l.expect(c, "connected 8000", "1 OK")
	tr.cut = l
	l.send(c, sync(2))
	l.send(c, zk.Request{Xid: 3, Op: zk.OpExists, Path: "/"})
	l.expect(c)
	for range 20 {
		tr.settle()
	}
	l.expect(c, "closed: not_serving")
}

func TestALeaderWithoutAQuorumAnswersNoSyncOfALearner(t *testing.T) {
	tr := newTrio(t)
	l, f := tr.roles()
	c := f.connect(0, nil)
	f.send(c, sync(1))
	f.expect(c, "connected 8000", "1 OK")
	// The learner's question gets through, and no answer to a ping does.
	tr.deaf = l
	f.send(c, sync(2))
	f.expect(c)
	tr.deaf = nil
	tr.settle()
	f.expect(c, "2 OK")
}

// Syncs and writes of one client, on a leader and on a follower: what is asked is answered in order, whether the quorum has
// confirmed a sync by its answers to pings or by acknowledging a later write.
func TestSyncsAndWritesAreAnsweredInOrder(t *testing.T) {
	tr := newTrio(t)
	l, f := tr.roles()
	for _, n := range []*node{l, f} {
		for _, deaf := range []*node{nil, l} {
			tr.deaf = deaf
			c := n.connect(0, nil)
			tr.waiting = append(tr.waiting, func() {
				for xid := int32(1); xid <= 9; xid += 3 {
					for _, req := range []zk.Request{sync(xid), {Xid: xid + 1, Op: zk.OpSetData, Path: "/", Version: -1}, {Xid: xid + 2, Op: zk.OpExists, Path: "/"}} {
						n.give(replica.Event{Kind: replica.Request, Client: c, Request: &req})
					}
				}
			})
			tr.settle()
			n.expect(c, "connected 8000", "1 OK", "2 OK", "3 OK", "4 OK", "5 OK", "6 OK", "7 OK", "8 OK", "9 OK")
		}
	}
}

func TestWhereASyncIsConfirmed(t *testing.T) {
	if w := newWorld(t); !w.r.SyncConfirms() {
		t.Error("not by a server on its own")
	}
	tr := newTrio(t)
	for _, n := range tr.nodes[1:] {
		if !n.r.SyncConfirms() {
			t.Errorf("not by server %d", n.id)
		}
	}
	l, _ := tr.roles()
	tr.cut = l
	for range 20 {
		tr.settle()
	}
	if i := slices.IndexFunc(l.notes, func(n replica.Note) bool { return n.Kind == replica.RoleLost }); i < 0 || l.r.SyncConfirms() {
		t.Error("by a server without a role")
	}
}

// unheard tells whether a message is one that the deaf server of a trio does not hear: an answer to a ping.
func (tr *trio) unheard(to *node, m *consensus.Message) bool {
	return to == tr.deaf && m.Kind == consensus.MsgPing
}
