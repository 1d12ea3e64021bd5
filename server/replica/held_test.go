package replica_test

import (
	"fmt"
	"slices"
	"testing"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// TestWhatIsAskedWhileLeadershipMovesIsDoneIfItDoesNot: new sessions and writes wait, in their order, and are taken up by the leader
// that goes on to lead.
func TestWhatIsAskedWhileLeadershipMovesIsDoneIfItDoesNot(t *testing.T) {
	m := leaderOfThree(t)
	a, b := m.connect(), m.connect()
	m.ack()
	m.lagging(a, 2)
	m.told[a], m.told[b] = nil, nil
	m.step(replica.Event{Kind: replica.Transfer, Server: 2})
	if !m.r.Consensus().Transferring() {
		t.Fatal("leadership does not move")
	}
	m.send(a, zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/a"})
	m.send(a, zk.Request{Xid: 2, Op: zk.OpExists, Path: "/a"})
	m.send(b, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/a"})
	c := m.connect()
	m.expect(a)
	m.expect(b, "1 NoNode")
	m.expect(c)

	m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.LinkDown, Link: link(2)}})
	m.greet(2) // the target is gone before it was sent anything, and comes back
	m.promise(2)
	if m.r.Consensus().Transferring() {
		t.Fatal("leadership still moves")
	}
	m.at(m.nowMS + 20)
	m.ack()
	m.expect(a, "1 OK", "2 OK")
	m.expect(c, "connected 10000")
}

// TestWhatWaitsKeepsItsSessionAlive from when it came, though it is taken up later, or never.
func TestWhatWaitsKeepsItsSessionAlive(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*replica.Config)
		ask    func(m *member, s *zk.ConnectResponse, c request.ClientID)
	}{
		{"a local session asks", localSessions, func(m *member, _ *zk.ConnectResponse, c request.ClientID) {
			m.send(c, zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/a"})
		}},
		{"a session asks and its client goes", func(*replica.Config) {}, func(m *member, _ *zk.ConnectResponse, c request.ClientID) {
			m.send(c, zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/a"})
			m.gone(c)
		}},
		{"a session is taken up and its client goes", func(*replica.Config) {}, func(m *member, s *zk.ConnectResponse, _ request.ClientID) {
			m.gone(m.ask(zk.ConnectRequest{TimeoutMS: 2000, Session: s.Session, Password: s.Password[:]}))
		}},
		{"a local session is taken up and its client goes", localSessions, func(m *member, s *zk.ConnectResponse, _ request.ClientID) {
			m.gone(m.ask(zk.ConnectRequest{TimeoutMS: 2000, Session: s.Session, Password: s.Password[:]}))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := leaderOfThree(t, row.change)
			c := m.ask(zk.ConnectRequest{TimeoutMS: 2000})
			m.ack()
			m.lagging(c, 2)
			s, start := m.sessions[c], m.nowMS
			m.step(replica.Event{Kind: replica.Transfer, Server: 2})
			m.nowMS = start + 1900
			row.ask(m, &s, c)
			m.at(start + 3200)
			m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.LinkDown, Link: link(2)}})
			m.at(start + 3500)
			if m.noted(replica.SessionExpired) != 0 {
				t.Error("it has expired 1.6 s after it was heard of, its timeout is 2 s")
			}
		})
	}
}

// lagging leaves a follower behind, so that leadership cannot move to it at once.
func (m *member) lagging(c request.ClientID, id quorum.ServerID) {
	m.create(c, "/lag", zk.Persistent)
	m.from(5-id, consensus.Message{Kind: consensus.MsgAck, Zxid: m.r.Consensus().Proposed()})
}

// targetReturns has server 2, to which leadership moves, go and come back, so that leadership stays.
func (m *member) targetReturns() {
	m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.LinkDown, Link: link(2)}})
	m.greet(2)
	m.promise(2)
	m.at(m.nowMS + 20)
	m.ack()
}

// TestWhatIsAskedWhileLeadershipMovesIsNotAnsweredIfItDoes: whoever asked is sent on.
func TestWhatIsAskedWhileLeadershipMovesIsNotAnsweredIfItDoes(t *testing.T) {
	m := leaderOfThree(t)
	a := m.connect()
	m.ack()
	m.told[a] = nil
	m.step(replica.Event{Kind: replica.Transfer, Server: 2})
	m.send(a, zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/a"})
	m.expect(a)
	m.from(2, consensus.Message{Kind: consensus.MsgAck, Zxid: m.r.Consensus().Proposed() + 1})
	m.at(m.nowMS + 20)
	m.expect(a, "closed: not_serving")
	if m.exists("/a") {
		t.Error("it was done all the same")
	}
}

// TestALearnersRequestWaitsToo while leadership moves, unless the learner goes meanwhile.
func TestALearnersRequestWaitsToo(t *testing.T) {
	m := leaderOfThree(t)
	a := m.connect()
	m.ack()
	m.lagging(a, 2)
	m.step(replica.Event{Kind: replica.Transfer, Server: 2})
	ask := &consensus.ForwardedRequest{Session: 0x300000000000001, Op: zk.OpCreateSession, Body: []byte{0, 0, 0x27, 0x10}}
	m.from(3, consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid, Request: ask})
	proposed := m.r.Consensus().Proposed()
	m.targetReturns()
	if _, known := m.r.Tree().Session(ask.Session); !known || m.r.Consensus().Proposed() != proposed+1 {
		t.Errorf("the session is known: %v", known)
	}
}

// TestWhatComesAfterDoesNotOvertake what has waited while leadership was to move, whenever it comes.
func TestWhatComesAfterDoesNotOvertake(t *testing.T) {
	m := leaderOfThree(t)
	a := m.connect()
	m.ack()
	m.lagging(a, 2)
	m.step(replica.Event{Kind: replica.Transfer, Server: 2})
	before := m.r.Consensus().Proposed()
	open := func(s zk.SessionID) {
		ask := &consensus.ForwardedRequest{Session: s, Op: zk.OpCreateSession, Body: []byte{0, 0, 0x27, 0x10}}
		m.from(3, consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid, Request: ask})
	}
	open(0x300000000000001)
	m.step(replica.Event{Kind: replica.Consensus, Core: &consensus.Event{Kind: consensus.LinkDown, Link: link(2)}})
	open(0x300000000000002)
	m.at(m.nowMS + 20)
	m.greet(2)
	m.promise(2)
	m.ack()
	var order []zk.SessionID
	for _, rec := range m.proposedAfter(before) {
		order = append(order, rec.Header.Session)
	}
	if !slices.Equal(order, []zk.SessionID{0x300000000000001, 0x300000000000002}) {
		t.Errorf("done in the order %v", order)
	}
}

// TestWhatCameBeforeTheSessionIsDoneFirst, also if what came later had to wait for leadership to stay.
func TestWhatCameBeforeTheSessionIsDoneFirst(t *testing.T) {
	m := leaderOfThree(t)
	a := m.connect()
	m.ack()
	m.lagging(a, 2)
	c := m.connect() // its session is proposed
	m.send(c, zk.Request{Xid: 1, Op: zk.OpExists, Path: "/a"})
	m.step(replica.Event{Kind: replica.Transfer, Server: 2})
	if !m.r.Consensus().Transferring() {
		t.Fatal("leadership does not move")
	}
	m.send(c, zk.Request{Xid: 2, Op: zk.OpCreate, Path: "/b"})
	m.send(c, zk.Request{Xid: 3, Op: zk.OpExists, Path: "/b"})
	m.from(3, consensus.Message{Kind: consensus.MsgAck, Zxid: m.r.Consensus().Proposed()})
	m.expect(c, "connected 10000", "1 NoNode")
	m.targetReturns()
	m.expect(c, "2 OK", "3 OK")
}

// TestASessionIsTakenUpInItsTurn: who takes one up through a learner while leadership was to move comes after what was held before, and before what
// comes later, of the same learner and of this server's clients.
func TestASessionIsTakenUpInItsTurn(t *testing.T) {
	for _, row := range []struct {
		name string
		ask  func(m *member, a request.ClientID, s zk.SessionID)
		want []string
	}{
		{"a request of the learner is older", func(m *member, _ request.ClientID, s zk.SessionID) {
			m.sets(3, s, "old")
			m.takesUp(3, s)
			m.sets(3, s, "new")
		}, []string{"error SessionMoved", "setData new"}},
		{"a connection to the leader is older", func(m *member, a request.ClientID, s zk.SessionID) {
			m.again(a)
			m.takesUp(3, s)
			m.sets(3, s, "new")
		}, []string{"setData new"}},
		{"a connection to the leader is younger", func(m *member, a request.ClientID, s zk.SessionID) {
			m.takesUp(3, s)
			m.sets(3, s, "old")
			c := m.again(a)
			m.sets(3, s, "late")
			m.send(c, zk.Request{Xid: 8, Op: zk.OpSetData, Path: "/lag", Data: []byte("new"), Version: -1})
		}, []string{"setData old", "error SessionMoved", "setData new"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := leaderOfThree(t)
			a := m.connect()
			m.ack()
			m.lagging(a, 2)
			s := m.sessions[a].Session
			m.step(replica.Event{Kind: replica.Transfer, Server: 2})
			before := m.r.Consensus().Proposed()
			answered := 0
			m.peer = func(act *consensus.Action) {
				if act.Kind == consensus.Send && act.Message.Kind == consensus.MsgRevalidate && act.Message.Valid {
					answered++
				}
				m.carryOut(act)
			}
			row.ask(m, a, s)
			if answered != 0 {
				t.Error("a session is taken up while something is held")
			}
			m.targetReturns()
			if answered == 0 {
				t.Error("nobody is told that the session is alive")
			}
			var got []string
			for _, rec := range m.proposedAfter(before) {
				what := string(rec.Txn.Data)
				if rec.Header.Type == zk.OpError {
					what = rec.Txn.Err.String()
				}
				got = append(got, fmt.Sprintf("%v %s", rec.Header.Type, what))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("proposed %q, want %q", got, row.want)
			}
		})
	}
}

// sets has a learner send on that a session sets the data of /lag.
func (m *member) sets(id quorum.ServerID, s zk.SessionID, data string) {
	body := jute.Writer(nil)
	(&zk.Request{Op: zk.OpSetData, Path: "/lag", Data: []byte(data), Version: -1}).Body(body)
	ask := &consensus.ForwardedRequest{Session: s, Cxid: 7, Op: zk.OpSetData, Body: body.Bytes()}
	m.from(id, consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid, Request: ask})
}

// takesUp has a learner ask whether a session of one of its clients is alive.
func (m *member) takesUp(id quorum.ServerID, s zk.SessionID) {
	m.from(id, consensus.Message{Kind: consensus.MsgRevalidate, Zxid: consensus.NoZxid, Session: s, TimeoutMS: 10_000})
}

// proposedAfter is what has been proposed after z, and is committed.
func (m *member) proposedAfter(z zk.Zxid) (list []txn.Record) {
	entries, _ := m.r.Since(z)
	for _, e := range entries {
		var rec txn.Record
		if err := rec.Decode(e.Payload); err != nil {
			m.t.Fatal(err)
		}
		list = append(list, rec)
	}
	return list
}
