package replica_test

import (
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

func TestAnExpiredSessionTakesItsEphemeralsAndOthersAreTold(t *testing.T) {
	w := newWorld(t)
	c, data, child, recursive := w.connect(), w.connect(), w.connect(), w.connect()
	w.create(c, "/p", zk.Persistent)
	w.create(c, "/p/b", zk.Ephemeral)
	w.create(c, "/p/a", zk.Ephemeral)
	w.create(c, "/p/stays", zk.Persistent)
	w.send(data, zk.Request{Xid: 1, Op: zk.OpGetData, Path: "/p/a", Watch: true})
	w.send(child, zk.Request{Xid: 1, Op: zk.OpGetChildren, Path: "/p", Watch: true})
	w.send(recursive, zk.Request{Xid: 1, Op: zk.OpAddWatch, Path: "/p", Arg: int32(zk.AddPersistentRecursive)})
	for _, other := range []request.ClientID{data, child, recursive} {
		w.told[other] = nil
	}
	w.told[c] = nil
	w.nowMS = 5000
	for _, other := range []request.ClientID{data, child, recursive} {
		w.send(other, zk.Request{Xid: zk.XidPing, Op: zk.OpPing})
		w.told[other] = nil
	}
	w.at(10_999)
	w.expect(c)
	w.at(11_000)
	w.expect(c, "closed: session_expired")
	w.expect(data, "NodeDeleted /p/a")
	w.expect(child, "NodeChildrenChanged /p")
	w.expect(recursive, "NodeDeleted /p/a", "NodeDeleted /p/b")
	if w.exists("/p/a") || w.exists("/p/b") || !w.exists("/p/stays") {
		t.Error("the wrong znodes are left")
	}
	if w.noted(replica.SessionExpired) != 1 || w.noted(replica.SessionEnded) != 1 || w.r.Sessions() != 3 {
		t.Errorf("%d expired, %d ended, %d sessions", w.noted(replica.SessionExpired), w.noted(replica.SessionEnded), w.r.Sessions())
	}
}

func TestAnExpiredSessionIsNotTakenUpAgainWhileItsEndIsBeingWritten(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.create(c, "/e", zk.Ephemeral)
	w.gone(c)
	w.lag = true
	w.at(11_000)
	d := w.again(c)
	w.expect(d, "connected 0", "closed: session_refused")
	w.sync()
	if w.exists("/e") {
		t.Error("the ephemeral is still there")
	}
	d = w.again(c)
	w.expect(d, "connected 0", "closed: session_refused")
}

func TestEveryRequestKeepsASessionAlive(t *testing.T) {
	for name, req := range map[string]zk.Request{
		"a ping":           {Xid: zk.XidPing, Op: zk.OpPing},
		"a read":           {Xid: 1, Op: zk.OpExists, Path: "/"},
		"a write":          {Xid: 1, Op: zk.OpSetData, Path: "/", Version: -1},
		"a write in vain":  {Xid: 1, Op: zk.OpDelete, Path: "/no", Version: -1},
		"an auth":          {Xid: 1, Op: zk.OpAuth, Path: "digest", Data: []byte("a:b")},
		"what is no good":  {Xid: 1, Op: zk.OpGetData, Malformed: true},
		"a sasl handshake": {Xid: 1, Op: zk.OpSASL, Data: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.connect()
			w.nowMS = 9000
			w.send(c, req)
			w.told[c] = nil
			w.at(19_000)
			w.expect(c)
			w.at(20_000)
			w.expect(c, "closed: session_expired")
		})
	}
}

func TestTimeoutsAreKeptWithinTheBounds(t *testing.T) {
	w := newWorld(t)
	for asked, want := range map[int32]string{0: "connected 2000", -5: "connected 2000", 2001: "connected 2001", 1 << 30: "connected 40000"} {
		w.expect(w.ask(zk.ConnectRequest{TimeoutMS: asked}), want)
	}
}

func TestAReattachedSessionMoves(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.create(c, "/e", zk.Ephemeral)
	w.send(c, zk.Request{Xid: 1, Op: zk.OpGetData, Path: "/e", Watch: true})
	w.told[c] = nil
	d := w.again(c)
	w.expect(c, "closed: session_reattached")
	w.expect(d, "connected 10000")
	if got := w.r.SessionOf(d); got != w.sessions[c].Session || w.r.SessionOf(c) != 0 {
		t.Errorf("the session is served on the wrong connection: %v, %v", got, w.r.SessionOf(c))
	}
	w.gone(c) // is late, and must not take the session from d
	w.send(c, zk.Request{Xid: 9, Op: zk.OpPing})
	w.send(other, zk.Request{Xid: 2, Op: zk.OpSetData, Path: "/e", Version: -1})
	w.expect(c)
	w.expect(d) // watches belong to the connection
	e := w.again(c)
	w.expect(d, "closed: session_reattached")
	w.told[e] = nil
	w.send(e, zk.Request{Xid: 3, Op: zk.OpCloseSession})
	w.expect(e, "3 OK", "closed: session_closed")
	if w.exists("/e") {
		t.Error("the ephemeral did not move with its session")
	}
}

func TestAReattachedSessionDoesNotSeeAnswersMeantForTheOldConnection(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.told[c] = nil
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 2, Op: zk.OpSync, Path: "/"})
	d := w.again(c)
	w.send(d, zk.Request{Xid: 1, Op: zk.OpSync, Path: "/"})
	w.expect(c, "closed: session_reattached")
	w.expect(d, "connected 10000")
	w.sync()
	w.expect(c)
	w.expect(d, "1 OK")
	if !w.exists("/a") {
		t.Error("the write of the old connection is lost")
	}
}

// ZooKeeper compatibility: the old connection goes before the password is looked at.
func TestAWrongPasswordIsRefusedAndTheSessionLivesOn(t *testing.T) {
	for name, password := range map[string][]byte{"wrong": make([]byte, 16), "none": nil, "short": {1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.connect()
			w.told[c] = nil
			d := w.ask(zk.ConnectRequest{TimeoutMS: 10_000, Session: w.sessions[c].Session, Password: password})
			w.expect(c, "closed: session_reattached")
			w.expect(d, "connected 0", "closed: session_refused")
			if r := w.sessions[d]; r.Session != 0 || r.Password != [16]byte{} {
				t.Errorf("the refusal says %+v", r)
			}
			if w.noted(replica.SessionRefused) != 1 {
				t.Error("nobody is told")
			}
			w.expect(w.again(c), "connected 10000")
		})
	}
}

func TestAnUnknownSessionIsRefused(t *testing.T) {
	w := newWorld(t)
	s := zk.SessionID(0x100000000012345)
	p := s.Password()
	w.expect(w.ask(zk.ConnectRequest{TimeoutMS: 10_000, Session: s, Password: p[:]}), "connected 0", "closed: session_refused")
}

func TestOnlyAClientThatIsAheadIsSentAway(t *testing.T) {
	w := newWorld(t)
	z := w.create(w.connect(), "/a", zk.Persistent).Zxid
	w.expect(w.ask(zk.ConnectRequest{TimeoutMS: 5000, LastZxidSeen: z}), "connected 5000") // which is a txn
	w.expect(w.ask(zk.ConnectRequest{TimeoutMS: 5000, LastZxidSeen: z + 2}), "closed: client_zxid_ahead")
	for _, n := range w.notes {
		if n.Kind == replica.ClientAhead && (n.Zxid != z+2 || n.Text != "127.0.0.1") {
			t.Errorf("%+v", n)
		}
	}
	if w.noted(replica.ClientAhead) != 1 {
		t.Errorf("%d notes", w.noted(replica.ClientAhead))
	}
}

func TestAConnectionWithoutASessionIsNotServed(t *testing.T) {
	w := newWorld(t)
	c := w.open()
	w.send(c, zk.Request{Xid: 1, Op: zk.OpPing})
	w.create(c, "/a", zk.Persistent)
	w.expect(c)
	if w.exists("/a") {
		t.Error("a write without a session was carried out")
	}
	d := w.connect()
	w.told[d] = nil
	w.step(replica.Event{Kind: replica.Connect, Client: d, Connect: &zk.ConnectRequest{TimeoutMS: 5000}})
	w.expect(d, "closed: malformed")
}

func TestAClientMayBeGoneBeforeItsSessionIsOpen(t *testing.T) {
	w := newWorld(t)
	w.lag = true
	c := w.ask(zk.ConnectRequest{TimeoutMS: 4000})
	w.gone(c)
	w.sync()
	w.expect(c)
	if w.r.Sessions() != 1 || w.r.Tree().SessionCount() != 1 {
		t.Errorf("%d sessions, %d in the tree", w.r.Sessions(), w.r.Tree().SessionCount())
	}
	w.lag = false
	w.at(5000)
	if w.r.Sessions() != 0 || w.r.Tree().SessionCount() != 0 {
		t.Errorf("the session nobody got does not expire: %d sessions, %d in the tree", w.r.Sessions(), w.r.Tree().SessionCount())
	}
}

func TestAClientMayBeGoneBeforeItsReply(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.told[c], w.told[other] = nil, nil
	w.send(c, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/a", Watch: true})
	w.told[c] = nil
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 2, Op: zk.OpSync, Path: "/"})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpGetData, Path: "/a"})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpCloseSession})
	w.send(other, zk.Request{Xid: 9, Op: zk.OpSync, Path: "/"})
	w.gone(c)
	w.sync()
	w.expect(c)
	w.expect(other, "9 OK")
	if !w.exists("/a") || w.r.Sessions() != 1 {
		t.Errorf("/a: %v, %d sessions", w.exists("/a"), w.r.Sessions())
	}
	for _, ev := range []replica.EventKind{replica.Connect, replica.Request, replica.Disconnected} { // late, and without effect
		w.step(replica.Event{Kind: ev, Client: c, Connect: &zk.ConnectRequest{}, Request: &zk.Request{Op: zk.OpPing}})
	}
	w.expect(c)
}

func TestAnOperatorEndsASession(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.create(c, "/e", zk.Ephemeral)
	w.told[c] = nil
	w.lag = true
	end := replica.Event{Kind: replica.ExpireNow, Session: w.sessions[c].Session}
	w.step(end)
	w.step(end)
	w.step(replica.Event{Kind: replica.ExpireNow, Session: 12345})
	if n := len(w.appended) - w.durable; n != 1 {
		t.Errorf("%d txns for one session", n)
	}
	w.send(c, zk.Request{Xid: 2, Op: zk.OpPing}) // too late
	w.create(c, "/late", zk.Persistent)
	w.sync()
	w.expect(c, "closed: session_expired")
	if w.exists("/e") || w.exists("/late") || w.r.Sessions() != 0 {
		t.Error("the session is not over")
	}
}

func TestSessionsOfTheTreeAreAliveAfterAStart(t *testing.T) {
	tr := tree.New(1)
	s := zk.SessionID(0x100000000000009)
	tr.Apply(&txn.Header{Session: s, Zxid: 1}, &txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 6000}, nil)
	tr.Apply(&txn.Header{Session: s, Zxid: 2}, &txn.Txn{Type: zk.OpCreate, Path: "/e", Ephemeral: true, ACL: zk.OpenACL, ParentCversion: 1}, nil)
	w := worldOf(t, tr)
	if len(w.appended) != 0 || w.noted(replica.OrphansFound) != 0 {
		t.Errorf("the start wrote %d txns", len(w.appended))
	}
	w.at(6000)
	p := s.Password()
	c := w.ask(zk.ConnectRequest{TimeoutMS: 6000, Session: s, Password: p[:]})
	w.expect(c, "connected 6000")
	if buckets := w.r.Expiries(); len(buckets) != 1 || !slices.Equal(buckets[0].Sessions, []zk.SessionID{s}) {
		t.Errorf("%+v", buckets)
	}
	w.at(13_000)
	w.expect(c, "closed: session_expired")
	if w.exists("/e") {
		t.Error("the ephemeral is still there")
	}
}

func TestEphemeralsWithoutASessionAreDeletedAtTheStart(t *testing.T) {
	tr := tree.New(1)
	for z, path := range []string{"/a", "/b", "/c"} {
		tr.Apply(&txn.Header{Session: zk.SessionID(0x77 + z/2), Zxid: zk.Zxid(z + 1)},
			&txn.Txn{Type: zk.OpCreate, Path: path, Ephemeral: true, ACL: zk.OpenACL, ParentCversion: int32(z + 1)}, nil)
	}
	w := worldOf(t, tr)
	if len(w.appended) != 2 || w.noted(replica.OrphansFound) != 2 || w.notes[0].Count != 2 || w.notes[0].Session != 0x77 {
		t.Errorf("%d txns, notes %+v", len(w.appended), w.notes)
	}
	if w.exists("/a") || w.exists("/b") || w.exists("/c") || w.r.Sessions() != 0 || w.noted(replica.DigestMismatch) != 0 {
		t.Errorf("left over: %v", w.r.Tree().EphemeralsBySession())
	}
}

func TestAnOldClientGetsTheOldAnswer(t *testing.T) {
	w := newWorld(t)
	c := w.ask(zk.ConnectRequest{TimeoutMS: 5000, Old: true})
	if !w.sessions[c].Old {
		t.Error("an old client would not understand the answer")
	}
	d := w.ask(zk.ConnectRequest{TimeoutMS: 5000, Old: true, Session: 5})
	w.expect(d, "connected 0", "closed: session_refused")
	if !w.sessions[d].Old {
		t.Error("an old client would not understand the refusal")
	}
}
