package replica_test

import (
	"testing"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

func localSessions(c *replica.Config) { c.LocalSessions = true }

func upgrading(c *replica.Config) { c.LocalSessions, c.UpgradeSessions = true, true }

// TestALocalSessionIsNowhereButHere: opened, taken up again and closed without a txn.
func TestALocalSessionIsNowhereButHere(t *testing.T) {
	m := newMember(t, localSessions)
	logged := len(m.appended)
	c := m.connect()
	m.expect(c, "connected 10000")
	d := m.again(c)
	m.expect(c, "closed: session_reattached")
	m.expect(d, "connected 10000")
	m.send(d, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/"})
	if _, known := m.r.Tree().Session(m.sessions[d].Session); known || len(m.appended) != logged {
		t.Errorf("%d txns", len(m.appended)-logged)
	}
	if local, global := m.r.LocalCount(), m.r.Sessions(); local != 1 || global != 0 {
		t.Errorf("counted as %d local sessions and %d global ones", local, global)
	}
	m.send(d, zk.Request{Xid: 2, Op: zk.OpCloseSession})
	m.expect(d, "1 OK", "2 OK", "closed: session_closed")
	if local := m.r.LocalCount(); local != 0 {
		t.Errorf("%d local sessions are left", local)
	}
	e := m.again(d)
	m.expect(e, "connected 0", "closed: session_refused")
}

// TestALocalSessionWrites: persistent znodes, but no ephemerals; alone or in a multi, whose other operations fall with them.
func TestALocalSessionWrites(t *testing.T) {
	m := newMember(t, localSessions)
	c := m.connect()
	for _, op := range []zk.OpCode{zk.OpCreate, zk.OpCreate2} {
		if rep := m.send(c, zk.Request{Xid: 1, Op: op, Path: "/e", Mode: zk.Ephemeral}); rep.Err != zk.EphemeralOnLocalSession {
			t.Errorf("%v: %v", op, rep.Err)
		}
	}
	if rep := m.create(c, "/p", zk.Persistent); rep.Err != zk.OK {
		t.Errorf("%v", rep.Err)
	}
	both := []zk.Request{{Op: zk.OpCreate, Path: "/q", ACL: zk.OpenACL, TTLMS: -1}, {Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1}}
	rep := m.send(c, zk.Request{Xid: 3, Op: zk.OpMulti, Ops: both})
	if rep.Err != zk.OK || len(rep.Results) != 2 || rep.Results[1].Err != zk.EphemeralOnLocalSession || m.exists("/q") {
		t.Errorf("%+v", rep)
	}
}

// TestALocalSessionBecomesGlobalWithItsFirstEphemeral, and then moves, expires and closes as any other.
func TestALocalSessionBecomesGlobalWithItsFirstEphemeral(t *testing.T) {
	for name, ask := range map[string]zk.Request{
		"a create": {Xid: 1, Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral},
		"a multi":  {Xid: 1, Op: zk.OpMulti, Ops: []zk.Request{{Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t, upgrading)
			c := m.connect()
			s := m.sessions[c].Session
			if rep := m.send(c, ask); rep.Err != zk.OK {
				t.Fatal(rep.Err)
			}
			if timeout, known := m.r.Tree().Session(s); !known || timeout != 10_000 || len(m.r.Tree().Ephemerals(s)) != 1 {
				t.Errorf("timeout %d, known %v", timeout, known)
			}
			d := m.again(c)
			m.told[d] = nil
			m.send(d, zk.Request{Xid: 2, Op: zk.OpCloseSession})
			m.expect(d, "2 OK", "closed: session_closed")
			if m.exists("/e") {
				t.Error("its ephemeral is still there")
			}
		})
	}
}

// TestWhoTakesUpANewGlobalSessionWaitsForTheLeadersWord: that the session was opened, which comes earlier, is not enough. The leader's
// word would move the session back once the client has gone on elsewhere, and what it had asked here be done after what it asks there.
func TestWhoTakesUpANewGlobalSessionWaitsForTheLeadersWord(t *testing.T) {
	for lost, says := range map[consensus.MessageKind][]string{0: {"connected 8000"}, consensus.MsgRevalidate: nil} {
		tr := serversOf(t, false, trioText, upgrading)
		_, n := tr.roles()
		c := n.connect(0, nil)
		s := n.sessions[c]
		tr.lost = lost
		n.give(replica.Event{Kind: replica.Request, Client: c, Request: &zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1}})
		again := n.connect(s.Session, s.Password[:])
		if _, known := n.r.Tree().Session(s.Session); !known {
			t.Fatal("the session is still a local one")
		}
		n.expect(again, says...)
	}
}

// TestALocalSessionExpires where it lives.
func TestALocalSessionExpires(t *testing.T) {
	m := newMember(t, localSessions)
	c := m.connect()
	m.told[c] = nil
	for now := int64(1000); now < 10_000; now += 1000 {
		m.at(now)
	}
	m.expect(c)
	m.at(13_000)
	m.expect(c, "closed: session_expired")
	if m.noted(replica.SessionExpired) != 1 {
		t.Error("nobody notes it")
	}
}

// TestTheEndOfALocalSessionIsAnsweredInItsTurn, behind the write that was asked for before.
func TestTheEndOfALocalSessionIsAnsweredInItsTurn(t *testing.T) {
	m := newMember(t, localSessions)
	c := m.connect()
	m.told[c] = nil
	m.lag = true
	m.send(c, zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/p"})
	m.send(c, zk.Request{Xid: 2, Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral})
	m.send(c, zk.Request{Xid: 3, Op: zk.OpCloseSession})
	m.send(c, zk.Request{Xid: 4, Op: zk.OpPing})
	m.expect(c)
	m.sync()
	m.expect(c, "1 OK", "2 EphemeralOnLocalSession", "3 OK", "closed: session_closed")
}

// lonely is a member of three that hears of nobody else.
func lonely(t *testing.T, change ...func(*replica.Config)) *member {
	t.Helper()
	ensemble, err := quorum.ParseConfig("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2")
	if err != nil {
		t.Fatal(err)
	}
	m := &member{world: newBareWorld(t)}
	cfg := worldConfig(t, append([]func(*replica.Config){func(c *replica.Config) {
		c.Core = &consensus.Config{Ensemble: ensemble, Distributed: true, TickMS: 1000, InitLimit: 10, SyncLimit: 5}
		c.ReadOnlyAfterMS = 2000
	}}, change...)...)
	if m.r, err = replica.New(cfg, tree.New(1), 0, wallStart); err != nil {
		t.Fatal(err)
	}
	m.peer = m.carryOut
	m.r.Start(m)
	m.at(1000)
	return m
}

// readOnly opens a session for a client that accepts stale reads.
func (m *member) readOnly() request.ClientID {
	return m.ask(zk.ConnectRequest{TimeoutMS: 10_000, ReadOnly: true})
}

// TestWithoutAQuorumReadsAreServed after a while, to those who ask for no more.
func TestWithoutAQuorumReadsAreServed(t *testing.T) {
	m := lonely(t)
	m.expect(m.readOnly(), "closed: not_serving")
	m.at(2000)
	if m.noted(replica.ReadOnlyBegun) != 1 {
		t.Fatal("it is not read-only")
	}
	m.expect(m.connect(), "closed: not_read_only_client")
	c := m.readOnly()
	if !m.sessions[c].ReadOnly {
		t.Error("the client is not told that it may not write")
	}
	m.told[c] = nil
	for i, req := range []zk.Request{
		{Op: zk.OpExists, Path: "/"}, {Op: zk.OpCreate, Path: "/p"}, {Op: zk.OpSync, Path: "/"}, {Op: zk.OpMulti}, {Op: zk.OpCheck, Path: "/"},
		{Op: zk.OpReconfig, Members: &zk.Members{}}, {Op: zk.OpPing}, {Op: zk.OpCloseSession},
	} {
		req.Xid = int32(i)
		m.send(c, req)
	}
	m.expect(c, "0 OK", "1 NotReadOnly", "2 NotReadOnly", "3 NotReadOnly", "4 NotReadOnly", "5 NotReadOnly", "-2 OK", "7 OK", "closed: session_closed")
}

// TestAReadOnlyServerRefusesNoSession: it cannot know whether one has expired, and sends its client on.
func TestAReadOnlyServerRefusesNoSession(t *testing.T) {
	m := lonely(t)
	m.at(2000)
	global := zk.SessionID(0x200000000000001)
	p := global.Password()
	m.expect(m.ask(zk.ConnectRequest{TimeoutMS: 10_000, Session: global, Password: p[:], ReadOnly: true}), "closed: not_serving")
	c := m.readOnly()
	s := m.sessions[c]
	d := m.ask(zk.ConnectRequest{TimeoutMS: 10_000, Session: s.Session, Password: s.Password[:], ReadOnly: true})
	m.expect(d, "connected 10000")
}

// TestReadOnlyEndsWithTheElection: another server leads, and the clients are to go where writes are.
func TestReadOnlyEndsWithTheElection(t *testing.T) {
	m := lonely(t)
	m.at(2000)
	c := m.readOnly()
	m.told[c] = nil
	m.decide(2)
	m.expect(c, "closed: not_serving")
	if m.noted(replica.ReadOnlyEnded) != 1 {
		t.Error("it is still read-only")
	}
}

// TestALeaderThatServesNobody is one where leaderServes=no.
func TestALeaderThatServesNobody(t *testing.T) {
	m := newMember(t, func(c *replica.Config) { c.LeaderApart = true })
	m.expect(m.connect(), "closed: not_serving")
}

// What was asked in a session before it moved, and comes when it has ended on another server, is not done: with local sessions, too,
// where a leader does not know every session.
func TestWhatWasAskedBeforeASessionEndedIsNotDoneAfter(t *testing.T) {
	tr := serversOf(t, false, trioText, upgrading)
	l, f := tr.roles()
	c := f.connect(0, nil)
	s := f.sessions[c]
	f.send(c, creates(1, "/p", zk.Persistent))
	f.send(c, creates(2, "/e", zk.Ephemeral)) // from here on the ensemble knows it
	f.expect(c, "connected 8000", "1 OK", "2 OK")
	d := l.connect(s.Session, s.Password[:])
	l.send(d, zk.Request{Xid: 4, Op: zk.OpCloseSession})
	l.expect(d, "connected 8000", "4 OK", "closed: session_closed")
	late := zk.Request{Xid: 3, Op: zk.OpSetData, Path: "/p", Version: -1}
	w := jute.Writer(nil)
	late.Jute(w)
	for link, on := range tr.ends {
		if on == l && tr.ends[link^1] == f {
			l.soon(consensus.Event{Kind: consensus.Received, Link: link, Message: &consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid,
				Request: &consensus.ForwardedRequest{Session: s.Session, Cxid: 3, Op: zk.OpSetData, Body: w.Bytes()[zk.HeaderBytes:]}}})
		}
	}
	logged := l.r.Tree().Zxid()
	tr.settle()
	if l.r.Tree().Zxid() == logged {
		t.Fatal("the request has not come")
	}
	if n := version(t, l, "/p"); n != 0 {
		t.Errorf("it was done: version %d", n)
	}
	other := f.connect(0, nil) // which is local, and known to nobody else
	f.send(other, zk.Request{Xid: 1, Op: zk.OpSetData, Path: "/p", Version: -1})
	f.expect(other, "connected 8000", "1 OK")
}
