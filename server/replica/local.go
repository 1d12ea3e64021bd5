package replica

import (
	"maps"
	"slices"

	"paddock/consensus"
	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/request"
)

// Local sessions are known to the server alone that their client is connected to: nothing is logged or forwarded for them. They
// own no ephemerals; one that is to is made an ordinary, global session first, if that is allowed. They live through the loss of
// the server's role, which ZooKeeper's do not, except on an observer that had an observer master or gets one.

// ended are the sessions of the ensemble that ended a while ago, as far as a leader has to know: what a learner's client has asked in
// one of them before may still be on its way, and is not to be taken for a request of a local session.
//
// ZooKeeper takes it for one, and carries it out after the session's end.
type ended struct {
	known map[zk.SessionID]struct{}
	order queue.Queue[endedAt] // the oldest first
	forMS int64
}

type endedAt struct {
	session zk.SessionID
	ms      int64
}

// How long at least, and how many.
const (
	endedForMS = 120_000
	endedMax   = 1 << 17
)

// init sets how long sessions are remembered: longer than a learner is kept that lets nothing be heard.
func (e *ended) init(core *consensus.Config) {
	if e.forMS = endedForMS; core != nil {
		e.forMS = max(e.forMS, 2*core.SyncLimit*core.TickMS)
	}
}

// add notes that a session has ended, and forgets those that need not be known any more.
func (e *ended) add(s zk.SessionID, nowMS int64) {
	if e.known == nil {
		e.known = map[zk.SessionID]struct{}{}
	}
	for e.order.Len() > 0 && (nowMS-e.order.Front().ms > e.forMS || e.order.Len() >= endedMax) {
		delete(e.known, e.order.Front().session)
		e.order.Pop()
	}
	e.known[s] = struct{}{}
	e.order.Push(endedAt{s, nowMS})
}

// has tells whether a session is one of them.
func (e *ended) has(s zk.SessionID) bool {
	_, ok := e.known[s]
	return ok
}

// openLocal opens a local session for c.
func (r *Replica) openLocal(c *client, eff Effects) {
	c.local = true
	r.attached[c.session] = c
	r.local.Open(c.session, c.timeout, r.nowMS)
	r.localMS[c.session] = c.timeout
	eff.Note(Note{Kind: SessionOpened, Client: c.id, Session: c.session, TimeoutMS: c.timeout})
	r.connected(c, eff)
}

// renewLocal takes up a local session again. false: it is none of this server's.
func (r *Replica) renewLocal(c *client, eff Effects) bool {
	if !r.local.Touch(c.session, c.timeout, r.nowMS) {
		return false
	}
	c.local = true
	r.attached[c.session] = c
	r.localMS[c.session] = c.timeout
	eff.Note(Note{Kind: SessionRenewed, Client: c.id, Session: c.session, TimeoutMS: c.timeout})
	r.connected(c, eff)
	return true
}

// endLocal ends a local session and its connection.
func (r *Replica) endLocal(s zk.SessionID, why request.CloseReason, eff Effects) {
	r.forgetLocal(s)
	eff.Note(Note{Kind: SessionEnded, Session: s})
	if c := r.attached[s]; c != nil {
		r.close(c, why, eff)
	}
}

// expireLocals ends the local sessions that were not heard of in time.
func (r *Replica) expireLocals(eff Effects) {
	for _, s := range slices.Clone(r.local.Expired(r.nowMS)) {
		eff.Note(Note{Kind: SessionExpired, Session: s})
		r.endLocal(s, request.CloseSessionExpired, eff)
	}
}

// wantsEphemeral tells whether a request makes an ephemeral, alone or inside a multi.
func wantsEphemeral(req *zk.Request) bool {
	switch req.Op {
	case zk.OpCreate, zk.OpCreate2:
		return req.Mode.IsEphemeral()
	case zk.OpMulti, zk.OpTransact:
		one := func(op zk.Request) bool {
			return (op.Op == zk.OpCreate || op.Op == zk.OpCreate2) && op.Mode.IsEphemeral()
		}
		return slices.ContainsFunc(req.Ops, one) || slices.ContainsFunc(req.Else, one)
	default:
		return false
	}
}

// upgrade makes a client's local session a global one, ahead of a request that needs that.
func (r *Replica) upgrade(c *client, eff Effects) {
	c.local = false
	r.forgetLocal(c.session)
	if !r.leads() {
		r.askSession(c, eff)
		return
	}
	r.sessions.Open(c.session, c.timeout, r.nowMS)
	r.sessions.SetOwner(c.session, ownClients)
	f := r.draft(0, 0, zk.OpCreateSession, 0)
	r.prep.OpenSession(c.timeout, r.asker(c, c.ids, 0), &f.rec)
	r.propose(f, eff)
}

// writeLocally takes a write of a local session as far as it is this server's own business. false: it is to be written.
func (r *Replica) writeLocally(c *client, req *zk.Request, at int64, eff Effects) bool {
	switch {
	case req.Op == zk.OpCloseSession:
		c.closing = true
		r.inTurn(c, req, zk.OK, at, eff)
		return true
	case req.Malformed || !wantsEphemeral(req):
		return false
	case r.cfg.UpgradeSessions && r.leads() && !r.core.CanPropose():
		return false // nothing is proposed any more, and the client will move on
	case r.cfg.UpgradeSessions:
		r.upgrade(c, eff)
		return false
	case req.Op == zk.OpMulti || req.Op == zk.OpTransact:
		return false // the operation fails, not the request
	default:
		r.inTurn(c, req, zk.EphemeralOnLocalSession, at, eff)
		return true
	}
}

// inTurn answers a request with code, which is OK for the end of a local session, once all before it are answered.
func (r *Replica) inTurn(c *client, req *zk.Request, code zk.Code, at int64, eff Effects) {
	if c.queue.Len() > 0 {
		c.queue.Push(pending{req: req, at: at, refuse: code})
		return
	}
	r.answerHere(c, req, code, at, eff)
}

// answerHere answers without a txn.
func (r *Replica) answerHere(c *client, req *zk.Request, code zk.Code, at int64, eff Effects) {
	r.reply = zk.Reply{Xid: req.Xid, Op: req.Op, Zxid: r.tree.Zxid(), Err: code}
	eff.Reply(c.id, at, &r.reply)
	if req.Op == zk.OpCloseSession && code == zk.OK {
		r.endLocal(c.session, request.CloseSessionClosed, eff)
	}
}

// beginReadOnly serves reads, and only those who ask for no more, while there has been no quorum for a while.
func (r *Replica) beginReadOnly(eff Effects) {
	if r.readOnly || r.serving || r.cfg.ReadOnlyAfterMS <= 0 || r.core.Role() != consensus.Looking || r.nowMS-r.lookingMS < r.cfg.ReadOnlyAfterMS {
		return
	}
	r.readOnly = true
	eff.Note(Note{Kind: ReadOnlyBegun})
}

// endReadOnly sends the clients away, since the server has found a leader: they are to come back to one that writes. Sessions
// that were opened meanwhile go on only where there are local sessions otherwise.
func (r *Replica) endReadOnly(eff Effects) {
	r.readOnly = false
	r.closeAll(request.CloseNotServing, eff)
	if !r.cfg.LocalSessions {
		r.eachLocal(r.forgetLocal)
	}
	eff.Note(Note{Kind: ReadOnlyEnded})
}

func (r *Replica) forgetLocal(s zk.SessionID) {
	r.local.Remove(s)
	delete(r.localMS, s)
}

// eachLocal calls f for every local session.
func (r *Replica) eachLocal(f func(zk.SessionID)) {
	for _, b := range r.local.Buckets() {
		for _, s := range b.Sessions {
			f(s)
		}
	}
}

// LocalSessions are the sessions that this server alone knows, with their timeouts in milliseconds.
func (r *Replica) LocalSessions() map[zk.SessionID]int32 { return maps.Clone(r.localMS) }

// LocalCount is how many local sessions there are.
func (r *Replica) LocalCount() int { return len(r.localMS) }

// keepLocals gives every local session its whole time again, since its client was sent away while this server had no role.
func (r *Replica) keepLocals() {
	r.eachLocal(func(s zk.SessionID) { r.local.Touch(s, r.localMS[s], r.nowMS) })
}

// closeAll ends every connection.
func (r *Replica) closeAll(why request.CloseReason, eff Effects) {
	for _, id := range slices.Sorted(maps.Keys(r.clients)) {
		r.close(r.clients[id], why, eff)
	}
}

// serves tells whether this server has anything for clients: it has a role, and does not keep out of their way while it leads.
func (r *Replica) serves() bool { return r.serving && !(r.cfg.LeaderApart && r.leads()) }

// Answers tells whether this server has anything for any client: it serves, or it is read-only.
func (r *Replica) Answers() bool { return r.serves() || r.readOnly }

// connectReadOnly is what a read-only server has for a client: a local session, new or of its own. What other sessions there are
// it cannot know; the client of one is sent on.
//
// ZooKeeper compatibility: ZooKeeper answers so only with local sessions switched on, and otherwise breaks the handshake off.
func (r *Replica) connectReadOnly(c *client, req *zk.ConnectRequest, eff Effects) {
	if req.Session == 0 {
		c.session = r.freshID()
		r.openLocal(c, eff)
		return
	}
	if before := r.attached[req.Session]; before != nil {
		r.close(before, request.CloseSessionReattached, eff)
	}
	c.session = req.Session
	password := req.Session.Password()
	if !slices.Equal(req.Password, password[:]) || !r.renewLocal(c, eff) {
		r.close(c, request.CloseNotServing, eff)
	}
}

// freshID is an id that no session has.
func (r *Replica) freshID() zk.SessionID {
	id := r.ids.Next()
	for r.sessions.Known(id) || r.local.Known(id) {
		id = r.ids.Next()
	}
	return id
}
