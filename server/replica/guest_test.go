package replica_test

import (
	"fmt"
	"slices"
	"testing"

	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/replica"
	"paddock/server/request"
)

// guest announces a connection that needs no session.
func (w *world) guest() request.ClientID {
	w.next++
	w.step(replica.Event{Kind: replica.Opened, Client: w.next, Origin: request.Origin{IP: "127.0.0.1", Guest: true}})
	return w.next
}

// TestAGuestReadsAndWatches: from the beginning and for as long as it likes, without a txn.
func TestAGuestReadsAndWatches(t *testing.T) {
	w, _, _ := furnished(t)
	g := w.guest()
	for xid, req := range []zk.Request{
		read(zk.OpGetData, "/a"), read(zk.OpGetData, "/own"), read(zk.OpGetChildren2, "/a"), {Op: zk.OpSync, Path: "/"},
		{Op: zk.OpPing}, {Op: zk.OpGetEphemerals, Path: "/"}, {Op: zk.OpExists, Path: "/a/x", Watch: true},
	} {
		req.Xid = int32(xid)
		w.send(g, req)
	}
	w.expect(g, "0 OK", "1 NoAuth", "2 OK", "3 OK", "-2 OK", "5 OK", "6 OK")
	w.at(1_000_000) // the sessions have expired by then
	c := w.connect()
	w.send(c, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/a/x", Version: -1})
	w.expect(g, "NodeChildrenChanged /a", "NodeDataChanged /a/x") // an ephemeral of one of them was below
	w.gone(g)
	w.send(g, read(zk.OpExists, "/"))
	w.expect(g)
}

// TestAGuestMayNotWrite: it is told so in its turn, and goes on.
func TestAGuestMayNotWrite(t *testing.T) {
	w := newWorld(t)
	c, g := w.connect(), w.guest()
	logged := len(w.appended)
	for _, req := range []zk.Request{
		{Xid: 1, Op: zk.OpCreate, Path: "/a"}, {Xid: 2, Op: zk.OpSetData, Path: "/"}, {Xid: 3, Op: zk.OpMulti}, {Xid: 4, Op: zk.OpCloseSession}, {Xid: 5, Op: zk.OpCreate, Malformed: true},
	} {
		w.send(g, req)
	}
	w.expect(g, "1 UnknownSession", "2 UnknownSession", "3 UnknownSession", "4 UnknownSession", "5 UnknownSession")
	if len(w.appended) != logged {
		t.Error("something was logged")
	}
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(g, zk.Request{Xid: 6, Op: zk.OpSync, Path: "/"})
	w.send(g, zk.Request{Xid: 7, Op: zk.OpDelete, Path: "/a", Version: -1})
	w.send(g, read(zk.OpExists, "/a"))
	w.expect(g)
	w.sync()
	w.expect(g, "6 OK", "7 UnknownSession", "0 OK")
	w.step(replica.Event{Kind: replica.Connect, Client: g, Connect: &zk.ConnectRequest{TimeoutMS: 10_000}})
	w.expect(g, "closed: malformed")
}

// TestAGuestIsServedAsOthersAre: not by a server that serves nobody, and only reads by one that is read-only.
func TestAGuestIsServedAsOthersAre(t *testing.T) {
	m := lonely(t, func(c *replica.Config) { c.ReadOnlyAfterMS = 2000 })
	m.expect(m.guest(), "closed: not_serving")
	m.at(m.nowMS + 3000)
	g := m.guest()
	m.send(g, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/"})
	m.send(g, zk.Request{Xid: 2, Op: zk.OpSync, Path: "/"})
	m.send(g, zk.Request{Xid: 3, Op: zk.OpCreate, Path: "/a"})
	m.expect(g, "1 OK", "2 NotReadOnly", "3 NotReadOnly")
	m.decide(3)
	m.expect(g, "closed: not_serving")
}

// TestAGuestDoesNotWaitForALeaderThatHandsOver: its writes are refused, whatever may be proposed, and its reads go on.
func TestAGuestDoesNotWaitForALeaderThatHandsOver(t *testing.T) {
	m := leaderOfThree(t)
	a, g := m.connect(), m.guest()
	m.ack()
	m.lagging(a, 2)
	m.step(replica.Event{Kind: replica.Transfer, Server: 2})
	m.send(g, zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/a"})
	m.send(g, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/"})
	m.expect(g, "1 UnknownSession", "2 OK")
}

// TestAGuestOfAFollowerSyncs: by way of the leader, as sessions do.
func TestAGuestOfAFollowerSyncs(t *testing.T) {
	tr := newTrio(t)
	l, f := tr.roles()
	c := l.connect(0, nil)
	f.next++
	g := f.next
	f.give(replica.Event{Kind: replica.Opened, Client: g, Origin: request.Origin{IP: "127.0.0.1", Guest: true}})
	f.trio.waiting = append(f.trio.waiting, func() {
		create, sync, look := creates(1, "/a", zk.Persistent), zk.Request{Xid: 1, Op: zk.OpSync, Path: "/"}, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/a"}
		l.give(replica.Event{Kind: replica.Request, Client: c, Request: &create})
		f.give(replica.Event{Kind: replica.Request, Client: g, Request: &sync})
		f.give(replica.Event{Kind: replica.Request, Client: g, Request: &look})
	})
	tr.settle()
	f.expect(g, "1 OK", "2 OK")
}

var ann = []zk.ID{{Scheme: "ip", ID: "10.0.0.1"}, {Scheme: auth.SchemeDigest, ID: annDigest}}

// TestARequestForAnotherIsJudgedByTheOthersIdentities, and the next one by the client's own again.
func TestARequestForAnotherIsJudgedByTheOthersIdentities(t *testing.T) {
	w, c, _ := furnished(t)
	w.send(c, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/own", Version: -1, IDs: ann})
	w.send(c, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/own", Version: -1})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpGetData, Path: "/own", IDs: ann})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpGetData, Path: "/own"})
	w.send(c, zk.Request{Xid: 5, Op: zk.OpCreate, Path: "/anns", IDs: ann, ACL: []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "auth"}}}})
	w.send(c, zk.Request{Xid: 6, Op: zk.OpGetData, Path: "/anns"})
	w.send(c, zk.Request{Xid: 7, Op: zk.OpGetData, Path: "/anns", IDs: ann})
	if rep := w.send(c, zk.Request{Xid: 8, Op: zk.OpWhoAmI, IDs: ann}); !slices.Contains(rep.IDs, zk.ID{Scheme: "ip", ID: "10.0.0.1"}) || slices.Contains(rep.IDs, zk.ID{Scheme: "ip", ID: "127.0.0.1"}) {
		t.Errorf("who am I: %v", rep.IDs)
	}
	w.expect(c, "1 OK", "2 NoAuth", "3 OK", "4 NoAuth", "5 OK", "6 NoAuth", "7 OK", "8 OK")
	d := w.connect()
	w.send(d, zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte("ann:secret")})
	w.told[d] = nil
	nobody := []zk.ID{}
	w.send(d, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/own", Version: -1, IDs: nobody})
	w.send(d, zk.Request{Xid: 2, Op: zk.OpGetData, Path: "/own", IDs: nobody})
	w.expect(d, "1 NoAuth", "2 NoAuth")
}

// TestARequestForAnotherThatWaitsKeepsItsIdentities: behind a write, and at another server.
func TestARequestForAnotherThatWaitsKeepsItsIdentities(t *testing.T) {
	tr := newTrio(t)
	_, f := tr.roles()
	c := f.connect(0, nil)
	f.told[c] = nil
	f.trio.waiting = append(f.trio.waiting, func() {
		secret := creates(1, "/own", zk.Persistent)
		secret.IDs, secret.ACL = ann, []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "auth"}}}
		for _, req := range []zk.Request{secret, {Xid: 2, Op: zk.OpGetData, Path: "/own", IDs: ann}, {Xid: 3, Op: zk.OpGetData, Path: "/own"},
			{Xid: 4, Op: zk.OpSetData, Path: "/own", Version: -1, IDs: ann}, {Xid: 5, Op: zk.OpSetData, Path: "/own", Version: -1}} {
			f.give(replica.Event{Kind: replica.Request, Client: c, Request: &req})
		}
	})
	tr.settle()
	f.expect(c, "1 OK", "2 OK", "3 NoAuth", "4 OK", "5 NoAuth")
}

// TestAnIdentityThatIsMissingDoesNotCloseWhoAsksForOthers: only that request is refused.
func TestAnIdentityThatIsMissingDoesNotCloseWhoAsksForOthers(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) { c.EnforceSchemes = []string{auth.SchemeDigest} })
	c := w.connect()
	w.told[c] = nil
	for xid, req := range []zk.Request{{Op: zk.OpExists, Path: "/"}, {Op: zk.OpCreate, Path: "/a"}} {
		req.Xid, req.IDs = int32(xid), ann[:1]
		w.send(c, req)
		req.Xid, req.IDs = int32(xid+10), ann
		w.send(c, req)
		w.expect(c, fmt.Sprintf("%d SessionClosedRequireSaslAuth", xid), fmt.Sprintf("%d OK", xid+10))
	}
	w.send(c, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/"})
	w.expect(c, "1 SessionClosedRequireSaslAuth", "closed: auth_required")
}
