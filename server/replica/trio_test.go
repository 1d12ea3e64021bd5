package replica_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
)

// trio is an ensemble of three servers, or a few more, whose network and disks are quick and never fail.
type trio struct {
	t       *testing.T
	plain   bool     // the servers do not know that they are of one make
	nodes   []*node  // by id, from 1
	waiting []func() // what happens next, in order
	links   consensus.LinkID
	ends    map[consensus.LinkID]*node // who is on this side of a link; the other end is link^1
	nowMS   int64
	cut     *node                 // nothing gets from it or to it
	deaf    *node                 // hears no answers to pings
	lost    consensus.MessageKind // gets nowhere
}

// node is one of them. It leaves what concerns clients to a world.
type node struct {
	*world
	trio *trio
	id   quorum.ServerID

	stuck     bool // its disk does not go back
	truncated int  // how often it was told to
	installed int  // how many snapshots it took
}

func newTrio(t *testing.T) *trio {
	t.Helper()
	return trioOf(t, false)
}

// trioOf makes servers that, if they are plain, do not know each other's make: each takes the others for ones of ZooKeeper.
func trioOf(t *testing.T, plain bool) *trio {
	t.Helper()
	return serversOf(t, plain, trioText)
}

const trioText = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\n"

// serversOf makes the servers of a configuration. Where there are observers, followers serve them.
func serversOf(t *testing.T, plain bool, text string, change ...func(*replica.Config)) *trio {
	t.Helper()
	ensemble, err := quorum.ParseConfig(text + "version=0")
	if err != nil {
		t.Fatal(err)
	}
	observed := len(ensemble.Voters()) < len(ensemble.Servers)
	tr := &trio{t: t, plain: plain, nodes: make([]*node, len(ensemble.Servers)+1), ends: map[consensus.LinkID]*node{}, links: 2}
	for id := quorum.ServerID(1); int(id) < len(tr.nodes); id++ {
		n := &node{world: newBareWorld(t), trio: tr, id: id}
		n.next = request.ClientID(id) * 1000
		cfg := worldConfig(t, append([]func(*replica.Config){func(c *replica.Config) {
			c.ServerID = id
			c.Core = &consensus.Config{Ensemble: ensemble, Distributed: true, TickMS: 1000, InitLimit: 10, SyncLimit: 5, ObserverMasters: observed}
		}}, change...)...)
		if n.r, err = replica.New(cfg, tree.New(uint64(id)), 0, wallStart); err != nil {
			t.Fatal(err)
		}
		tr.nodes[id] = n
	}
	for _, n := range tr.nodes[1:] {
		n.r.Start(n)
		for _, peer := range tr.nodes[1:] {
			if peer != n {
				n.soon(consensus.Event{Kind: consensus.PeerUp, Server: peer.id})
			}
		}
	}
	tr.settle()
	return tr
}

// settle lets everything happen that is due, and time pass so that the servers notice it.
func (tr *trio) settle() {
	for range 30 {
		for len(tr.waiting) > 0 {
			f := tr.waiting[0]
			tr.waiting = tr.waiting[1:]
			f()
		}
		tr.nowMS += 20
		for _, n := range tr.nodes[1:] {
			n.nowMS = tr.nowMS
			n.give(replica.Event{Kind: replica.Tick})
		}
	}
}

// soon tells the node something when its turn has come.
func (n *node) soon(ev consensus.Event) { n.soonWith(ev, nil) }

func (n *node) soonWith(ev consensus.Event, t *tree.Tree) {
	n.trio.waiting = append(n.trio.waiting, func() { n.give(replica.Event{Kind: replica.Consensus, Core: &ev, Tree: t}) })
}

func (n *node) give(ev replica.Event) {
	ev.NowMS, ev.WallMS = n.nowMS, wallStart+n.nowMS
	n.r.Step(&ev, n)
}

// send is a client's request.
func (n *node) send(c request.ClientID, req zk.Request) {
	n.trio.waiting = append(n.trio.waiting, func() { n.give(replica.Event{Kind: replica.Request, Client: c, Request: &req}) })
	n.trio.settle()
}

// connect asks for a session, a new one or one there is.
func (n *node) connect(s zk.SessionID, password []byte) request.ClientID {
	n.next++
	n.give(replica.Event{Kind: replica.Opened, Client: n.next, Origin: request.Origin{IP: "127.0.0.1"}})
	n.give(replica.Event{Kind: replica.Connect, Client: n.next, Connect: &zk.ConnectRequest{TimeoutMS: 8000, Session: s, Password: password}})
	n.trio.settle()
	return n.next
}

func (n *node) Append(z zk.Zxid, _ []byte) {
	n.trio.waiting = append(n.trio.waiting, func() { n.give(replica.Event{Kind: replica.Durable, Zxid: z}) })
}

func (n *node) Truncate(z zk.Zxid, reload bool) {
	n.truncated++
	switch {
	case n.stuck:
		n.soonWith(consensus.Event{Kind: consensus.Untruncated, Zxid: z}, tree.New(uint64(n.id)))
	case reload:
		panic("what was applied was decided")
	default:
		n.soon(consensus.Event{Kind: consensus.Truncated, Zxid: z})
	}
}

func (n *node) Install(v *tree.View) {
	n.installed++
	z := v.Zxid()
	n.trio.waiting = append(n.trio.waiting, func() {
		n.give(replica.Event{Kind: replica.Consensus, View: v, Core: &consensus.Event{Kind: consensus.Installed, Zxid: z}})
	})
}

func (n *node) SendSnap(link consensus.LinkID, v *tree.View) {
	var stream bytes.Buffer
	if err := snapshot.WriteStream(n.t.Context(), &stream, v); err != nil {
		n.t.Fatal(err)
	}
	z := v.Zxid()
	t, _, err := snapshot.ReadStream(&stream, z, snapshot.StreamOptions{})
	if err != nil {
		n.t.Fatal(err)
	}
	n.give(replica.Event{Kind: replica.SnapSent, View: v})
	if to := n.trio.ends[link^1]; to != nil {
		to.soonWith(consensus.Event{Kind: consensus.Received, Link: link ^ 1, Message: &consensus.Message{Kind: consensus.MsgSnap, Zxid: z}}, t)
	}
}

func (n *node) Peer(a *consensus.Action) {
	tr := n.trio
	switch a.Kind {
	case consensus.SetAcceptedEpoch:
		n.soon(consensus.Event{Kind: consensus.AcceptedEpochDurable, Epoch: a.Epoch})
	case consensus.SetCurrentEpoch:
		n.soon(consensus.Event{Kind: consensus.CurrentEpochDurable, Epoch: a.Epoch})
	case consensus.Notify:
		note := new(election.Notification)
		*note = *a.Notification
		tr.nodes[a.Server].soon(consensus.Event{Kind: consensus.Notified, Server: n.id, Notification: note})
	case consensus.Dial:
		tr.links += 2
		mine, theirs := tr.links, tr.links^1
		tr.ends[mine], tr.ends[theirs] = n, tr.nodes[a.Server]
		tr.nodes[a.Server].soon(consensus.Event{Kind: consensus.LinkUp, Link: theirs, Server: n.id})
		n.soon(consensus.Event{Kind: consensus.LinkUp, Link: mine, Server: a.Server, Dialled: true})
	case consensus.Send:
		if to := tr.ends[a.Link^1]; to != nil && tr.cut != n && tr.cut != to && a.Message.Kind != tr.lost && !tr.unheard(to, a.Message) {
			m := a.Message.Clone()
			if tr.plain && m.Protocol != 0 {
				m.Protocol = consensus.ProtocolVersion
			}
			to.soon(consensus.Event{Kind: consensus.Received, Link: a.Link ^ 1, Message: m})
		}
	case consensus.Drop:
		for _, end := range []consensus.LinkID{a.Link, a.Link ^ 1} {
			if on := tr.ends[end]; on != nil {
				on.soon(consensus.Event{Kind: consensus.LinkDown, Link: end})
				delete(tr.ends, end)
			}
		}
	}
}

// roles finds the leader and a follower.
func (tr *trio) roles() (leader, follower *node) {
	for _, n := range tr.nodes[1:] {
		i := slices.IndexFunc(n.notes, func(note replica.Note) bool { return note.Kind == replica.RoleTaken })
		switch {
		case i < 0:
			tr.t.Fatalf("server %d has no role", n.id)
		case n.notes[i].Role == consensus.Leading:
			leader = n
		case n.notes[i].Role == consensus.Following:
			follower = n
		}
	}
	return leader, follower
}

func creates(xid int32, path string, mode zk.CreateMode) zk.Request {
	return zk.Request{Xid: xid, Op: zk.OpCreate, Path: path, ACL: zk.OpenACL, Mode: mode, TTLMS: -1}
}

func TestAFollowersClientSeesItsWritesInOrder(t *testing.T) {
	tr := newTrio(t)
	_, f := tr.roles()
	c := f.connect(0, nil)
	f.expect(c, "connected 8000")
	f.trio.waiting = append(f.trio.waiting, func() {
		for _, req := range []zk.Request{creates(1, "/a", zk.Ephemeral), {Xid: 2, Op: zk.OpExists, Path: "/a"}, creates(3, "/a", zk.Persistent),
			{Xid: 4, Op: zk.OpSync, Path: "/"}, {Xid: 5, Op: zk.OpDelete, Path: "/a", Version: 7}, {Xid: 6, Op: zk.OpCreate, Malformed: true}} {
			f.give(replica.Event{Kind: replica.Request, Client: c, Request: &req})
		}
	})
	tr.settle()
	f.expect(c, "1 OK", "2 OK", "3 NodeExists", "4 OK", "5 BadVersion", "6 MarshallingError")
	for _, n := range tr.nodes[1:] {
		if d := tr.nodes[1].r.Tree().Digest(); n.r.Tree().Digest() != d {
			t.Errorf("server %d has another digest", n.id)
		}
	}
}

// ZooKeeper tears the connection down in each of these cases.
func TestAnyWriteTellsThatASessionHasMoved(t *testing.T) {
	set := zk.Request{Xid: 3, Op: zk.OpSetData, Path: "/a", Version: -1}
	for name, req := range map[string]zk.Request{
		"a set":         set,
		"a multi":       {Xid: 3, Op: zk.OpMulti, Ops: []zk.Request{{Op: zk.OpCheck, Path: "/a", Version: -1}, set}},
		"a transaction": {Xid: 3, Op: zk.OpTransact, Guards: []zk.Guard{{Kind: zk.GuardExists, Path: "/a"}}, Ops: []zk.Request{set}},
	} {
		t.Run(name, func(t *testing.T) {
			l, f := newTrio(t).roles()
			c := f.connect(0, nil)
			s := f.sessions[c]
			f.send(c, creates(1, "/a", zk.Ephemeral))
			l.connect(s.Session, s.Password[:])
			f.send(c, req)
			f.expect(c, "connected 8000", "1 OK", "closed: session_moved")
		})
	}
}

func TestASessionMovesBetweenServers(t *testing.T) {
	tr := newTrio(t)
	l, f := tr.roles()
	c := f.connect(0, nil)
	s := f.sessions[c]
	f.send(c, creates(1, "/a", zk.Ephemeral))
	d := l.connect(s.Session, s.Password[:])
	l.expect(d, "connected 8000")
	l.send(d, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/a", Version: -1})
	l.expect(d, "2 OK")
	f.send(c, zk.Request{Xid: 3, Op: zk.OpSetData, Path: "/a", Version: -1})
	f.expect(c, "connected 8000", "1 OK", "closed: session_moved")
	e := f.connect(s.Session, s.Password[:])
	f.expect(e, "connected 8000")
	l.send(d, zk.Request{Xid: 4, Op: zk.OpExists, Path: "/a"})
	l.expect(d, "closed: session_moved")
	bad := f.connect(s.Session, []byte("wrong"))
	f.expect(bad, "connected 0", "closed: session_refused")
	unknown := zk.SessionID(77)
	p := unknown.Password()
	gone := f.connect(unknown, p[:])
	f.expect(gone, "connected 0", "closed: session_refused")
}

func TestTheLeaderHearsOfSessionsThroughItsFollowers(t *testing.T) {
	tr := newTrio(t)
	_, f := tr.roles()
	onlyTheSilentExpire(t, f, f)
}

// onlyTheSilentExpire has one session of a server heard of and another one not, and looks at seen for what is left of both.
func onlyTheSilentExpire(t *testing.T, n, seen *node) {
	t.Helper()
	alive, silent := n.connect(0, nil), n.connect(0, nil)
	n.send(silent, creates(1, "/silent", zk.Ephemeral))
	n.send(alive, creates(1, "/alive", zk.Ephemeral))
	for xid := int32(2); xid < 40; xid++ {
		n.send(alive, zk.Request{Xid: xid, Op: zk.OpPing})
	}
	if seen.exists("/silent") || !seen.exists("/alive") {
		t.Errorf("silent: %t, alive: %t", seen.exists("/silent"), seen.exists("/alive"))
	}
	n.expect(silent, "connected 8000", "1 OK", "closed: session_expired")
}

func TestAFollowerWhoseTreeDiffersTakesItsLeaders(t *testing.T) {
	tr := newTrio(t)
	l, f := tr.roles()
	c := l.connect(0, nil)
	l.send(c, creates(1, "/a", zk.Persistent))
	f.r.Tree().Apply(header(f.r.Tree().Zxid(), zk.OpSetData), body(zk.OpSetData, "/a", "not so"), new(tree.Outcome))
	l.send(c, creates(2, "/b", zk.Persistent))
	if f.noted(replica.DigestMismatch) == 0 || f.noted(replica.RoleLost) == 0 {
		t.Errorf("the follower has not noticed: %+v", f.notes)
	}
	tr.settle()
	l.send(c, creates(3, "/c", zk.Persistent))
	if f.r.Tree().Digest() != l.r.Tree().Digest() || f.r.Tree().Zxid() != l.r.Tree().Zxid() {
		t.Errorf("the follower is at %v, the leader at %v", f.r, l.r)
	}
	if got := fmt.Sprint(f.noted(replica.DigestMismatch)); got != "1" {
		t.Errorf("noticed %s times", got)
	}
}

func header(z zk.Zxid, op zk.OpCode) *txn.Header { return &txn.Header{Zxid: z, Type: op} }

func body(op zk.OpCode, path, data string) *txn.Txn {
	return &txn.Txn{Type: op, Path: path, Data: []byte(data), Version: 1}
}
