package replica

import (
	"encoding/binary"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/prep"
	"paddock/server/session"
)

// ownClients is the owner of sessions that are attached to the leader itself; a learner owns by its link.
const ownClients session.Owner = 1

func ownerOf(link consensus.LinkID) session.Owner { return session.Owner(link) + ownClients }

// deliver takes a message that consensus has no use for.
func (r *Replica) deliver(a *consensus.Action, eff Effects) {
	switch {
	case !r.serving:
	case r.leads():
		r.fromLearner(a.Link, a.Message, eff)
	case a.Link != r.core.LeaderLink():
		r.fromObserver(a.Link, a.Message, eff)
	default:
		r.fromLeader(a.Message, eff)
	}
}

// fromLearner takes what a learner asks in the name of its clients.
func (r *Replica) fromLearner(link consensus.LinkID, m *consensus.Message, eff Effects) {
	switch m.Kind {
	case consensus.MsgRequest:
		r.asked(link, m, eff)
	case consensus.MsgPing:
		for _, t := range m.Touched {
			r.sessions.Touch(t.Session, t.TimeoutMS, r.nowMS)
		}
	case consensus.MsgRevalidate:
		valid := r.sessions.Touch(m.Session, m.TimeoutMS, r.nowMS)
		if r.holding() {
			r.hold(held{link: link, message: m.Clone()})
			return
		}
		if valid {
			r.sessions.SetOwner(m.Session, ownerOf(link))
		}
		answer := &consensus.Message{Kind: consensus.MsgRevalidate, Zxid: consensus.NoZxid, Session: m.Session, Answer: true, Valid: valid}
		eff.Peer(&consensus.Action{Kind: consensus.Send, Link: link, Message: answer})
	}
}

// asked judges and proposes a request that a learner sent on. The learner answers its client when the txn gets there.
func (r *Replica) asked(link consensus.LinkID, m *consensus.Message, eff Effects) {
	q := m.Request
	if q.Op == zk.OpSync {
		r.core.Step(consensus.Event{Kind: consensus.SyncAsked, NowMS: r.nowMS, Link: link}, &r.actions)
		r.act(eff)
		return
	}
	if r.holding() {
		r.hold(held{link: link, message: m.Clone()})
		return
	}
	owner := ownerOf(link)
	by := prep.Asker{Session: q.Session, IDs: q.AuthInfo, Cxid: q.Cxid, Zxid: r.core.NextZxid(), TimeMS: r.wallMS}
	if q.Op == zk.OpCreateSession && len(q.Body) < 4 {
		return
	}
	f := r.draft(0, 0, q.Op, 0)
	switch q.Op {
	case zk.OpCreateSession:
		timeout := int32(binary.BigEndian.Uint32(q.Body))
		r.sessions.Open(q.Session, timeout, r.nowMS)
		r.sessions.SetOwner(q.Session, owner)
		r.prep.OpenSession(timeout, by, &f.rec)
	case zk.OpCloseSession:
		r.sessions.SetClosing(q.Session)
		r.prep.CloseSession(by, &f.rec)
	default:
		by.State, by.Owning = r.remoteState(q.Session, owner)
		req := r.decodeBody(q)
		r.prep.Judge(req, by, &f.rec)
	}
	r.propose(f, eff)
}

// sessionState is what prep is told of the session of a request that came through owner. One that is not known has expired.
func (r *Replica) sessionState(s zk.SessionID, owner session.Owner) zk.Code {
	code := r.sessions.Check(s, owner)
	if code == zk.UnknownSession {
		return zk.SessionExpired
	}
	return code
}

// remoteState is what prep is told of a session of a learner's client, and of the ephemerals that it may own. A session that is
// not known may be local to the learner, where there are such; this server gave its own ids to no client of a learner.
func (r *Replica) remoteState(s zk.SessionID, owner session.Owner) (state, owning zk.Code) {
	state = r.sessionState(s, owner)
	if state == zk.SessionExpired && r.cfg.LocalSessions && !r.sessions.Known(s) && !r.ended.has(s) && uint8(s>>56) != uint8(r.cfg.ServerID) {
		return zk.OK, zk.SessionExpired
	}
	return state, zk.OK
}

// decodeBody makes a request of what was forwarded. It is valid until the next.
func (r *Replica) decodeBody(q *consensus.ForwardedRequest) *zk.Request {
	req := &r.forwarded
	*req = zk.Request{Xid: q.Cxid, Op: q.Op}
	r.dec.Reset(q.Body)
	req.Body(&r.dec)
	return req
}
