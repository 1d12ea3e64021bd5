package replica_test

import (
	"fmt"
	"testing"

	"paddock/internal/zk"
	"paddock/server/replica"
)

func writes(path, data string) zk.Request {
	return zk.Request{Op: zk.OpSetData, Path: path, Data: []byte(data), Version: -1}
}

func transact(guards []zk.Guard, then []zk.Request, otherwise ...zk.Request) zk.Request {
	return zk.Request{Op: zk.OpTransact, Guards: guards, Ops: then, Else: otherwise}
}

// told is what matters of the reply to a transact request.
func told(r *zk.Reply) string {
	s := fmt.Sprintf("%v branch %d", r.Err, r.Branch)
	for _, res := range r.Results {
		s += fmt.Sprintf(", %v %v %s v%d", res.Op, res.Err, res.Path, res.Stat.Version)
	}
	return s
}

// transactions in order, and what each must be told by a server that can do all of it, and by one whose leader knows multis only.
var transactions = []struct {
	name          string
	req           zk.Request
	want, byMulti string
}{
	{"without guards", transact(nil, []zk.Request{creates(0, "/a", zk.Persistent)}),
		"OK branch 1, create OK /a v0", "OK branch 1, create OK /a v0"},
	{"guards that hold", transact([]zk.Guard{{Kind: zk.GuardExists, Path: "/a"}, {Kind: zk.GuardVersion, Path: "/a"}}, []zk.Request{writes("/a", "1")}),
		"OK branch 1, setData OK /a v1", "OK branch 1, setData OK /a v1"},
	{"a version that does not", transact([]zk.Guard{{Kind: zk.GuardVersion, Path: "/a"}}, []zk.Request{writes("/a", "2")}),
		"OK branch 2", "OK branch 2"},
	{"a znode that is not there", transact([]zk.Guard{{Kind: zk.GuardVersion, Path: "/a", Version: 1}, {Kind: zk.GuardExists, Path: "/no"}}, []zk.Request{writes("/a", "2")}),
		"OK branch 2", "OK branch 2"},
	{"an operation that fails", transact([]zk.Guard{{Kind: zk.GuardExists, Path: "/a"}}, []zk.Request{writes("/a", "2"), writes("/no", "")}),
		"OK branch 1, error OK  v0, error NoNode  v0", "OK branch 1, error OK  v0, error NoNode  v0"},
	{"a guard that may not be read", transact([]zk.Guard{{Kind: zk.GuardExists, Path: "/own"}}, nil),
		"NoAuth branch 0", "NoAuth branch 0"},
	{"the other branch", transact([]zk.Guard{{Kind: zk.GuardAbsent, Path: "/a"}}, []zk.Request{writes("/a", "no")}, writes("/a", "yes")),
		"OK branch 2, setData OK /a v2", "Unimplemented branch 0"},
	{"data", transact([]zk.Guard{{Kind: zk.GuardData, Path: "/a", Data: []byte("yes")}}, []zk.Request{writes("/a", "3")}),
		"OK branch 1, setData OK /a v3", "Unimplemented branch 0"},
}

// TestTransactions on a leader, by way of a follower, and by way of one whose leader has to be asked for a multi.
func TestTransactions(t *testing.T) {
	for name, s := range map[string]struct{ plain, follower bool }{"at the leader": {}, "at a follower": {follower: true}, "of a leader of another make": {true, true}} {
		t.Run(name, func(t *testing.T) {
			tr := trioOf(t, s.plain)
			n, f := tr.roles()
			if s.follower {
				n = f
			}
			c := n.connect(0, nil)
			own := creates(1, "/own", zk.Persistent)
			own.ACL = []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "digest", ID: annDigest}}}
			n.send(c, own)
			for i, x := range transactions {
				x.req.Xid = int32(i + 2)
				n.send(c, x.req)
				want := x.want
				if s.plain {
					want = x.byMulti
				}
				rep := n.last[c]
				if got := told(&rep); got != want || rep.Xid != x.req.Xid {
					t.Errorf("%s: %d %s, want %s", x.name, rep.Xid, got, want)
				}
			}
			for _, other := range tr.nodes[1:] {
				if other.r.Tree().Digest() != n.r.Tree().Digest() {
					t.Errorf("server %d has another digest", other.id)
				}
			}
		})
	}
}

// TestTransactionsWaitTheirTurn: the answers come in the order of the requests, refused ones too, and see what came before.
func TestTransactionsWaitTheirTurn(t *testing.T) {
	for _, plain := range []bool{false, true} {
		tr := trioOf(t, plain)
		_, f := tr.roles()
		c := f.connect(0, nil)
		f.told[c] = nil
		tr.waiting = append(tr.waiting, func() {
			for i, req := range []zk.Request{creates(0, "/a", zk.Persistent), transact([]zk.Guard{{Kind: zk.GuardAbsent, Path: "/b"}}, []zk.Request{creates(0, "/b", zk.Persistent)}),
				transact([]zk.Guard{{Kind: zk.GuardVersion, Path: "/a"}}, []zk.Request{writes("/a", "")}), {Op: zk.OpExists, Path: "/a"}} {
				req.Xid = int32(i)
				f.give(replica.Event{Kind: replica.Request, Client: c, Request: &req})
			}
		})
		tr.settle()
		second := "1 OK"
		if plain {
			second = "1 Unimplemented"
		}
		f.expect(c, "0 OK", second, "2 OK", "3 OK")
		if rep := f.last[c]; rep.Stat.Version != 1 {
			t.Errorf("version %d is read after the transaction", rep.Stat.Version)
		}
	}
}

// TestATransactionIsAWriteLikeOthers: not for guests, and a local session becomes global for its ephemerals.
func TestATransactionIsAWriteLikeOthers(t *testing.T) {
	w := newWorld(t)
	g := w.guest()
	req := transact(nil, nil)
	req.Xid = 1
	w.send(g, req)
	w.expect(g, "1 UnknownSession")
	m := newMember(t, upgrading)
	c := m.connect()
	req = transact([]zk.Guard{{Kind: zk.GuardExists, Path: "/no"}}, nil, creates(0, "/e", zk.Ephemeral))
	rep := m.send(c, req)
	if _, global := m.r.Tree().Session(m.sessions[c].Session); told(&rep) != "OK branch 2, create OK /e v0" || !global {
		t.Errorf("%s, global %t", told(&rep), global)
	}
}
