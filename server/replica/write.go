package replica

import (
	"slices"

	"paddock/internal/invariant"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/storage/tree"
)

// write judges and proposes a client's write. Its answer waits in the client's queue.
func (r *Replica) write(c *client, req *zk.Request, at int64, eff Effects) {
	if c.local && r.writeLocally(c, req, at, eff) {
		return
	}
	switch {
	case !r.leads():
		r.forward(c, req, at, eff)
		return
	case !r.core.CanPropose():
		c.queue.Push(pending{at: at, xid: req.Xid, op: req.Op, until: never}) // the leader's time is over; its clients move on
		return
	}
	f := r.draft(c.id, req.Xid, req.Op, at)
	if req.Op == zk.OpCloseSession {
		r.sessions.SetClosing(c.session)
		r.prep.CloseSession(r.asker(c, c.identities(req), req.Xid), &f.rec)
	} else {
		r.prep.Judge(req, r.asker(c, c.identities(req), req.Xid), &f.rec)
	}
	c.queue.Push(pending{at: at, xid: req.Xid, op: req.Op, until: f.rec.Header.Zxid})
	r.propose(f, eff)
}

// apply does a committed txn to the tree, fires the watches, and answers.
func (r *Replica) apply(f *inflight, eff Effects) {
	h := &f.rec.Header
	if r.serving && !r.leads() {
		r.claim(f)
	}
	r.outcome.Reset()
	r.applied = Applied{After: r.tree.Zxid(), Zxid: h.Zxid, Session: h.Session, TimeMS: h.TimeMS, Partial: h.Zxid <= r.fuzzy}
	r.tree.Apply(h, &f.rec.Txn, &r.outcome)
	invariant.Check(r.tree.Zxid() == h.Zxid, "commit-in-order", int64(r.tree.Zxid()), int64(h.Zxid))
	r.prep.Applied(h.Zxid)
	if f.rec.HasDigest && f.rec.Digest.Tree != r.tree.Digest() && h.Zxid > r.fuzzy {
		eff.Note(Note{Kind: DigestMismatch, Zxid: h.Zxid})
		r.differs = r.serving && !r.leads()
	}
	r.applied.Changes = r.outcome.Changes
	eff.Applied(&r.applied)
	for i := range r.outcome.Changes {
		r.fire(&r.outcome.Changes[i], eff)
	}
	switch h.Type {
	case zk.OpCreateSession:
		r.sessionOpened(f, eff)
	case zk.OpCloseSession:
		r.sessionClosed(f, eff)
	default:
		r.answerWrite(f, eff)
	}
}

// fire tells the watches of one change, before anyone is told that it has happened.
//
// INVARIANT(watch-before-reply): an event is told before any reply that shows the change.
func (r *Replica) fire(ch *tree.Change, eff Effects) {
	r.fired = r.watches.Fire(r.fired[:0], changeEvents[ch.Kind], ch.Path)
	if len(r.fired) == 0 {
		return
	}
	r.counts.fired(r.fired)
	for i := range r.fired {
		f := &r.fired[i]
		c := r.clients[f.Client]
		acl := ch.ACL
		if f.OfParent {
			acl = ch.ParentACL
		}
		if c == nil || !r.cfg.Auth.Check(acl, zk.PermRead, c.ids) {
			continue
		}
		eff.Event(c.id, &zk.Event{Zxid: ch.Zxid, Type: f.Type, Path: f.Path})
	}
}

func (r *Replica) sessionOpened(f *inflight, eff Effects) {
	s := f.rec.Header.Session
	c := r.client(f.client)
	if c == nil || c.session != s {
		return // the connection went away meanwhile; the session will expire
	}
	if !r.leads() {
		// Only from where it is attached: from elsewhere it might come when the session has another timeout already.
		r.learner.touched[s] = f.rec.Txn.TimeoutMS
	}
	eff.Note(Note{Kind: SessionOpened, Client: c.id, Session: s, TimeoutMS: c.timeout})
	r.connected(c, eff)
}

func (r *Replica) sessionClosed(f *inflight, eff Effects) {
	s := f.rec.Header.Session
	r.sessions.Remove(s)
	if r.cfg.LocalSessions && r.leads() {
		r.ended.add(s, r.nowMS)
	}
	delete(r.learner.through, s)
	eff.Note(Note{Kind: SessionEnded, Session: s})
	why := request.CloseSessionExpired
	if c := r.client(f.client); c != nil {
		r.answerWrite(f, eff)
		why = request.CloseSessionClosed
	}
	if c := r.attached[s]; c != nil {
		r.close(c, why, eff)
	}
}

// answerWrite replies to the client that asked, and lets go what waited behind the write.
func (r *Replica) answerWrite(f *inflight, eff Effects) {
	c := r.client(f.client)
	if c == nil {
		return
	}
	invariant.Check(c.queue.Len() > 0 && c.queue.Front().until == f.rec.Header.Zxid, "session-fifo", int64(f.rec.Header.Zxid))
	c.queue.Pop()
	r.buildReply(f)
	if r.reply.Err == zk.SessionMoved || slices.ContainsFunc(r.reply.Results, func(res zk.Reply) bool { return res.Err == zk.SessionMoved }) {
		// A matter of the connection, also where it is told for an operation of a multi: whoever stayed would be told the same for ever.
		r.close(c, request.CloseSessionMoved, eff)
		return
	}
	eff.Reply(c.id, f.at, &r.reply)
	r.drain(c, eff)
}

// buildReply makes the reply to a write from what applying it has brought.
func (r *Replica) buildReply(f *inflight) {
	r.reply = zk.Reply{Xid: f.xid, Op: f.op, Zxid: f.rec.Header.Zxid}
	rep := &r.reply
	if f.op == zk.OpMulti && f.rec.Header.Type == zk.OpMulti {
		rep.Results = results(r.outcome.Results)
		return
	}
	if f.op == zk.OpTransact && f.rec.Header.Type == zk.OpMulti {
		r.buildTransacted(f)
		return
	}
	if len(r.outcome.Results) > 0 {
		res := &r.outcome.Results[0]
		rep.Err, rep.Path, rep.Stat = res.Err, res.Path, res.Stat
	}
	if f.op == zk.OpReconfig {
		rep.Data = f.rec.Txn.Data
	}
}
