package replica_test

import (
	"fmt"
	"testing"

	"paddock/consensus"
	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/replica"
)

// newQuartet is a trio with an observer, server 4, that learns from a follower.
func newQuartet(t *testing.T) (tr *trio, leader, master, observer *node) {
	t.Helper()
	tr = serversOf(t, false, trioText+"server.4=d:1:2:observer\n")
	leader, _ = tr.roles()
	observer = tr.nodes[4]
	master = tr.nodes[observer.r.Consensus().Master()]
	if observer.r.Consensus().Role() != consensus.Observing || master.r.Consensus().Role() != consensus.Following {
		t.Fatalf("server 4 is %v and learns from a server that is %v", observer.r.Consensus().Role(), master.r.Consensus().Role())
	}
	return tr, leader, master, observer
}

// equal checks that all servers have the same.
func (tr *trio) equal() {
	tr.t.Helper()
	first := tr.nodes[1].r.Tree()
	for _, n := range tr.nodes[1:] {
		if t := n.r.Tree(); t.Digest() != first.Digest() || t.Zxid() != first.Zxid() {
			tr.t.Errorf("server %d is at %v, server 1 at %v", n.id, n.r, tr.nodes[1].r)
		}
	}
}

func TestAnObserversClientIsServedThroughAMaster(t *testing.T) {
	tr, _, _, o := newQuartet(t)
	c := o.connect(0, nil)
	o.send(c, creates(1, "/a", zk.Ephemeral))
	tr.waiting = append(tr.waiting, func() {
		for _, req := range []zk.Request{{Xid: 2, Op: zk.OpExists, Path: "/a"}, creates(3, "/a", zk.Persistent), {Xid: 4, Op: zk.OpSync, Path: "/"},
			{Xid: 5, Op: zk.OpDelete, Path: "/a", Version: 7}, {Xid: 6, Op: zk.OpSync, Path: "/"}} {
			o.give(replica.Event{Kind: replica.Request, Client: c, Request: &req})
		}
	})
	tr.settle()
	o.expect(c, "connected 8000", "1 OK", "2 OK", "3 NodeExists", "4 OK", "5 BadVersion", "6 OK")
	tr.equal()
}

// Syncs of the master's own clients and of the observer's are answered in the order in which the master has asked.
func TestSyncsOfAMasterAndOfItsObserverDoNotMixUp(t *testing.T) {
	tr, _, m, o := newQuartet(t)
	atMaster, atObserver := m.connect(0, nil), o.connect(0, nil)
	tr.waiting = append(tr.waiting, func() {
		for xid := int32(1); xid <= 3; xid++ {
			m.give(replica.Event{Kind: replica.Request, Client: atMaster, Request: &zk.Request{Xid: xid, Op: zk.OpSync, Path: "/"}})
			o.give(replica.Event{Kind: replica.Request, Client: atObserver, Request: &zk.Request{Xid: xid, Op: zk.OpSync, Path: "/"}})
		}
	})
	tr.settle()
	m.expect(atMaster, "connected 8000", "1 OK", "2 OK", "3 OK")
	o.expect(atObserver, "connected 8000", "1 OK", "2 OK", "3 OK")
}

func TestTheLeaderHearsOfAnObserversSessionsThroughItsMaster(t *testing.T) {
	_, l, _, o := newQuartet(t)
	onlyTheSilentExpire(t, o, l)
}

// To the leader a session that moves between an observer and its master stays where it is: these two have to tell.
func TestASessionMovesBetweenAnObserverAndItsMaster(t *testing.T) {
	_, l, m, o := newQuartet(t)
	c := o.connect(0, nil)
	s := o.sessions[c]
	o.send(c, creates(1, "/a", zk.Ephemeral))
	d := m.connect(s.Session, s.Password[:])
	m.expect(d, "connected 8000")
	m.send(d, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/a", Version: -1})
	m.expect(d, "2 OK")
	o.send(c, zk.Request{Xid: 3, Op: zk.OpSetData, Path: "/a", Version: -1})
	if n := version(t, l, "/a"); n != 1 {
		t.Errorf("what was left of the old connection was carried out: version %d", n)
	}
	e := o.connect(s.Session, s.Password[:])
	o.expect(e, "connected 8000")
	o.send(e, zk.Request{Xid: 4, Op: zk.OpSetData, Path: "/a", Version: -1})
	o.expect(e, "4 OK")
	unknown := zk.SessionID(77)
	p := unknown.Password()
	o.expect(o.connect(unknown, p[:]), "connected 0", "closed: session_refused")
}

// TestALocalSessionEndsWithTheObserversMaster: what its server has passed on may come to the leader after what it asks on another way.
// Elsewhere it lives on.
func TestALocalSessionEndsWithTheObserversMaster(t *testing.T) {
	for _, through := range []bool{false, true} {
		tr := serversOf(t, false, trioText+"server.4=d:1:2:observer\n", localSessions)
		_, n := tr.roles()
		if through {
			n = tr.nodes[4]
		}
		c := n.connect(0, nil)
		s := n.sessions[c]
		n.expect(c, "connected 8000")
		for link, on := range tr.ends {
			if on == n && tr.ends[link^1] == tr.nodes[n.r.Consensus().Master()] {
				n.soon(consensus.Event{Kind: consensus.LinkDown, Link: link})
			}
		}
		tr.settle()
		n.expect(c, "closed: not_serving")
		again := n.connect(s.Session, s.Password[:])
		if through {
			n.expect(again, "connected 0", "closed: session_refused")
		} else {
			n.expect(again, "connected 8000")
		}
	}
}

// TestALocalSessionEndsWhenItsServerGetsAnObserverMaster: what it has asked the leader itself may come there after what the master
// passes on.
func TestALocalSessionEndsWhenItsServerGetsAnObserverMaster(t *testing.T) {
	tr := serversOf(t, false, trioText, localSessions, func(c *replica.Config) {
		c.Core.Reconfig, c.Core.ConfigIn, c.Core.ObserverMasters, c.Prep.Reconfig = true, configIn, true, true
	})
	l, n := tr.roles()
	c, admin := n.connect(0, nil), l.connect(0, nil)
	s := n.sessions[c]
	n.expect(c, "connected 8000")
	l.send(admin, zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte("super:test")})
	demoted := fmt.Sprintf("server.%d=%c:1:2:observer;3", n.id, 'a'+rune(n.id-1))
	l.send(admin, zk.Request{Xid: 1, Op: zk.OpReconfig, Members: &zk.Members{Joining: demoted, Leaving: jute.Null(), Whole: jute.Null(), Version: -1}})
	tr.settle()
	if master := n.r.Consensus().Master(); n.r.Consensus().Role() != consensus.Observing || master == l.id {
		t.Fatalf("server %d is %v and learns from %d; the leader is %d", n.id, n.r.Consensus().Role(), master, l.id)
	}
	n.expect(c, "closed: not_serving")
	n.expect(n.connect(s.Session, s.Password[:]), "connected 0", "closed: session_refused")
}

// version is that of a znode.
func version(t *testing.T, n *node, path string) int32 {
	t.Helper()
	ref, ok := n.r.Tree().Find(path)
	if !ok {
		t.Fatalf("server %d has no %s", n.id, path)
	}
	return n.r.Tree().Stat(ref).Version
}

// A member whose disk does not go back to what the leader has, since its only snapshot is newer, takes the leader's snapshot.
func TestAMemberThatCannotTruncateTakesASnapshot(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		t.Run(fmt.Sprintf("stuck=%t", stuck), func(t *testing.T) {
			tr := newTrio(t)
			old, _ := tr.roles()
			c := old.connect(0, nil)
			old.send(c, creates(1, "/kept", zk.Persistent))
			tr.cut, old.stuck = old, stuck
			old.send(c, creates(2, "/never-decided", zk.Persistent))
			for range 12 {
				tr.settle()
			}
			tr.cut = nil
			for range 40 { // what was sent meanwhile is lost, which takes as long to notice as joining may take
				tr.settle()
			}
			if old.r.Consensus().Role() != consensus.Following {
				t.Fatalf("the server that led is %v", old.r.Consensus().Role())
			}
			if old.exists("/never-decided") || !old.exists("/kept") {
				t.Errorf("it has what was never decided: %t; what was: %t", old.exists("/never-decided"), old.exists("/kept"))
			}
			if old.truncated == 0 || (old.installed > 0) != stuck {
				t.Errorf("told to truncate %d times, installed %d snapshots", old.truncated, old.installed)
			}
			tr.equal()
			again := old.connect(0, nil)
			old.send(again, creates(1, "/new", zk.Persistent))
			old.expect(again, "connected 8000", "1 OK")
			tr.equal()
		})
	}
}
