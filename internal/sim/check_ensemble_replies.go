package sim

import (
	"paddock/internal/zk"
	"paddock/server/request"
)

// Reply implements replica.Effects. It checks session-fifo, reply-after-apply and that reads never go back, as
// check_fifo.go does for one server: here also across the servers that a client has used.
func (p *process) Reply(id request.ClientID, _ int64, r *zk.Reply) {
	if p.plantReply(id, r) {
		p.reply(id, r)
	}
}

func (p *process) reply(id request.ClientID, r *zk.Reply) {
	p.noticeCommits()
	a, e := p.conns[id], p.e
	if a == nil {
		e.fail("server %d replies to connection %d, which does not exist: %+v", p.m.id, id, r)
		return
	}
	if len(a.sent) == 0 || a.sent[0].req.Xid != r.Xid || a.sent[0].req.Op != r.Op {
		e.fail("session-fifo: client %d gets a reply with xid %d to %v, and waits for %s", a.u.n, r.Xid, r.Op, a.u.waits())
		return
	}
	c := a.sent[0]
	a.sent = a.sent[1:]
	if a.readOnly {
		p.replyReadOnly(a, c, r)
	} else {
		p.watches.replied(a.u.n, id, r)
		e.history.replied(p, c, r)
	}
	if a.left || e.err != nil {
		return // nobody reads it
	}
	u := a.u
	if !e.trace.off {
		p.m.note("client %d: reply xid=%d %v %v zxid=%v %s", u.n, r.Xid, r.Op, r.Err, r.Zxid, r.Path)
	}
	u.sent = u.sent[1:]
	u.sinceMS = e.nowMS
	if r.Zxid < u.seen {
		e.fail("reads never go back: client %d has seen %v and is answered at %v by server %d", u.n, u.seen, r.Zxid, p.m.id)
		return
	}
	if a.readOnly && !e.decided(p.r.Tree()) {
		return // what it has seen may never have been
	}
	u.seen = r.Zxid
	if a.readOnly {
		return
	}
	p.linearizable(c, r)
	switch {
	case c.req.Op.IsWrite() || c.req.Op == zk.OpSync:
	case c.req.Op == zk.OpSetWatches2 && r.Err == zk.OK:
		p.watches.again(&u.caller, id, c.req.Watches, r.Zxid)
	default:
		e.read(&u.caller, &c.call, r)
		p.watches.set(id, c.req, r)
	}
}

// Event implements replica.Effects. It checks watch order and watch-before-reply.
func (p *process) Event(id request.ClientID, ev *zk.Event) {
	p.noticeCommits()
	if p.plantTold(id, ev) {
		p.tell(id, ev)
	}
}

func (p *process) tell(id request.ClientID, ev *zk.Event) {
	a := p.conns[id]
	if a == nil {
		p.e.fail("server %d has an event for connection %d, which does not exist", p.m.id, id)
		return
	}
	if a.readOnly && ev.Zxid != -1 {
		p.e.fail("read-only: connection %d is told of a change at %v", id, ev.Zxid)
		return
	}
	if ev.Zxid == -1 {
		if !a.left {
			a.u.caughtUp = append(a.u.caughtUp, *ev)
		}
		return
	}
	if a.left {
		return // what it watches is not known any more
	}
	if !p.e.trace.off {
		p.m.note("client %d: event %v %s zxid=%v", a.u.n, ev.Type, ev.Path, ev.Zxid)
	}
	a.u.seen = max(a.u.seen, ev.Zxid)
	p.watches.event(a.u.n, id, ev)
}
