package replica_test

import (
	"testing"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

func TestASessionIsOpenOnceItsTxnIsDurable(t *testing.T) {
	w := newWorld(t)
	w.lag = true
	c := w.connect()
	w.expect(c)
	w.sync()
	w.expect(c, "connected 10000")
	if s := w.sessions[c]; s.Session == 0 || s.Password != s.Session.Password() {
		t.Errorf("%+v", s)
	}
}

func TestWritesAreAnsweredWhenDurableAndReadsBehindThem(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.expect(c, "connected 10000")
	w.expect(other, "connected 10000")
	w.lag = true
	w.create(c, "/a", zk.Persistent)
	w.send(c, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/a"})
	w.send(c, zk.Request{Xid: 3, Op: zk.OpSetData, Path: "/a", Version: 0})
	w.send(c, zk.Request{Xid: 4, Op: zk.OpGetData, Path: "/a"})
	w.send(other, zk.Request{Xid: 9, Op: zk.OpExists, Path: "/a"})
	w.expect(c)
	w.expect(other, "9 NoNode")
	w.sync()
	w.expect(c, "1 OK", "2 OK", "3 OK", "4 OK")
	if r := w.last[c]; r.Stat.Version != 1 {
		t.Errorf("the last read shows version %d", r.Stat.Version)
	}
}

func TestSyncWaitsForWritesOfOthers(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.lag = true
	w.create(other, "/a", zk.Persistent)
	w.told[c] = nil
	w.send(c, zk.Request{Xid: 5, Op: zk.OpSync, Path: "/"})
	w.send(c, zk.Request{Xid: 6, Op: zk.OpExists, Path: "/a"})
	w.expect(c)
	w.sync()
	w.expect(c, "5 OK", "6 OK")
}

func TestEventsComeBeforeTheReplyThatShowsTheChange(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	w.send(c, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/a", Watch: true})
	w.send(c, zk.Request{Xid: 2, Op: zk.OpGetChildren, Path: "/", Watch: true})
	w.told[c] = nil
	w.create(c, "/a", zk.Persistent)
	w.expect(c, "NodeCreated /a", "NodeChildrenChanged /", "1 OK")
	w.create(c, "/b", zk.Persistent)
	w.expect(c, "1 OK")
}

func TestEphemeralsEndWithTheirSession(t *testing.T) {
	w := newWorld(t)
	c, watcher := w.connect(), w.connect()
	w.create(c, "/e", zk.Ephemeral)
	w.send(watcher, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/e", Watch: true})
	w.told[watcher], w.told[c] = nil, nil
	w.lag = true
	w.create(c, "/late", zk.Ephemeral)
	w.send(c, zk.Request{Xid: 7, Op: zk.OpCloseSession})
	w.send(c, zk.Request{Xid: 8, Op: zk.OpPing})
	w.sync()
	w.expect(c, "1 OK", "7 OK", "closed: session_closed")
	w.expect(watcher, "NodeDeleted /e")
	w.lag = false
	if r := w.send(watcher, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/late"}); r.Err != zk.NoNode {
		t.Error("an ephemeral made just before the close is still there")
	}
}

// A server that stood still hears what clients have said meanwhile before it lets their sessions expire.
func TestSessionsAreHeardAfterAStandstill(t *testing.T) {
	w := newWorld(t)
	alive, silent := w.connect(), w.connect()
	w.told = map[request.ClientID][]string{}
	w.nowMS += 60_000 // and what they have said is waiting
	w.step(replica.Event{Kind: replica.Tick})
	w.expect(alive)
	w.expect(silent)
	w.send(alive, zk.Request{Xid: zk.XidPing, Op: zk.OpPing})
	w.at(w.nowMS + 900)
	w.expect(silent)
	w.at(w.nowMS + 200)
	w.expect(silent, "closed: session_expired")
	w.expect(alive, "-2 OK")
	for range 12 { // also where ticks are late, always
		w.nowMS += 1_500
		w.step(replica.Event{Kind: replica.Tick})
	}
	w.expect(alive, "closed: session_expired")
}

func TestASilentSessionExpires(t *testing.T) {
	w := newWorld(t)
	c, other := w.connect(), w.connect()
	w.create(c, "/e", zk.Ephemeral)
	w.told[c] = nil
	w.at(9_000)
	w.send(other, zk.Request{Xid: 1, Op: zk.OpPing})
	w.at(11_100)
	w.expect(c, "closed: session_expired")
	if r := w.send(other, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/e"}); r.Err != zk.NoNode {
		t.Error("its ephemeral is still there", r.Err)
	}
}

func TestASessionIsTakenUpAgain(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	s := w.sessions[c]
	again := func(password []byte) *zk.ConnectRequest {
		return &zk.ConnectRequest{TimeoutMS: 4000, Session: s.Session, Password: password}
	}
	w.told[c] = nil
	d := w.open()
	w.step(replica.Event{Kind: replica.Connect, Client: d, Connect: again(make([]byte, 16))})
	w.expect(c, "closed: session_reattached")
	w.expect(d, "connected 0", "closed: session_refused")
	e := w.open()
	w.step(replica.Event{Kind: replica.Connect, Client: e, Connect: again(s.Password[:])})
	w.expect(e, "connected 4000")
	if w.sessions[e].Session != s.Session {
		t.Error("another session")
	}
}

func TestAClientThatIsAheadIsSentAway(t *testing.T) {
	w := newWorld(t)
	c := w.open()
	w.step(replica.Event{Kind: replica.Connect, Client: c, Connect: &zk.ConnectRequest{LastZxidSeen: 1}})
	w.expect(c, "closed: client_zxid_ahead")
}

func TestUnknownOpcodesCostTheConnection(t *testing.T) {
	w := newWorld(t)
	for _, op := range []zk.OpCode{0, 10, 13, 55, zk.OpCreateSession, zk.OpDeleteContainer} {
		c := w.connect()
		w.told[c] = nil
		if r := w.send(c, zk.Request{Xid: 3, Op: op}); r.Zxid != -1 {
			t.Errorf("%v: zxid %v", op, r.Zxid)
		}
		w.expect(c, "3 Unimplemented", "closed: unknown_op")
	}
}

func TestFailedWritesUseUpAZxid(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	before := w.send(c, zk.Request{Xid: 1, Op: zk.OpPing}).Zxid
	for i := range 3 {
		if r := w.create(c, "/no/such", zk.Persistent); r.Err != zk.NoNode || r.Zxid != before+zk.Zxid(i)+1 {
			t.Fatalf("%v at %v", r.Err, r.Zxid)
		}
	}
}

func TestAMultiIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	c := w.connect()
	ops := []zk.Request{
		{Op: zk.OpCreate, Path: "/m", ACL: zk.OpenACL, TTLMS: -1},
		{Op: zk.OpCreate, Path: "/m/s-", ACL: zk.OpenACL, TTLMS: -1, Mode: zk.PersistentSequential},
		{Op: zk.OpSetData, Path: "/m", Version: 0},
		{Op: zk.OpCheck, Path: "/m", Version: 1},
	}
	bad := append(ops[:3:3], zk.Request{Op: zk.OpCheck, Path: "/m", Version: 9}, zk.Request{Op: zk.OpDelete, Path: "/m"})
	r := w.send(c, zk.Request{Xid: 1, Op: zk.OpMulti, Ops: bad})
	want := []zk.Code{0, 0, 0, zk.BadVersion, zk.RuntimeInconsistency}
	for i, res := range r.Results {
		if res.Op != zk.OpError || res.Err != want[i] {
			t.Errorf("result %d: %v %v", i, res.Op, res.Err)
		}
	}
	if r := w.send(c, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/m"}); r.Err != zk.NoNode {
		t.Fatal("something of a failed multi is there")
	}
	r = w.send(c, zk.Request{Xid: 3, Op: zk.OpMulti, Ops: ops})
	if len(r.Results) != 4 || r.Results[1].Path != "/m/s-0000000000" || r.Results[2].Stat.Version != 1 {
		t.Fatalf("%+v", r.Results)
	}
	for _, n := range w.notes {
		if n.Kind == replica.DigestMismatch {
			t.Errorf("digest mismatch at %v", n.Zxid)
		}
	}
}

func TestLogRollsAndSnapshotsAreTaken(t *testing.T) {
	w := newWorld(t, func(c *replica.Config) { c.SnapshotTxns = 10 })
	c := w.connect()
	for range 40 {
		w.create(c, "/s-", zk.PersistentSequential)
	}
	if w.rolls < 4 || len(w.views) != 1 {
		t.Fatalf("%d rolls, %d snapshots while the first is not done", w.rolls, len(w.views))
	}
	w.step(replica.Event{Kind: replica.SnapshotDone, View: w.views[0]})
	for range 20 {
		w.create(c, "/s-", zk.PersistentSequential)
	}
	if len(w.views) != 2 {
		t.Fatalf("%d snapshots", len(w.views))
	}
}
