package sim

import "paddock/internal/zk"

// linearize notes what a request must show: a sync, and whatever is sent right behind it on the connection, all that was
// decided when the sync was sent, whoever led then and whoever is asked.
func (u *user) linearize(c *userCall) {
	switch n := len(u.sent); {
	case c.req.Op == zk.OpSync:
		c.atLeast = u.e.model.last()
	case n > 0 && u.sent[n-1].req.Op == zk.OpSync:
		c.atLeast = u.sent[n-1].atLeast
	}
}

// linearizable checks sync-is-confirmed: the answer is of a moment between the request and the answer. That it is what
// the history has at its zxid is checked with every reply, and so is that this zxid was decided.
func (p *process) linearizable(c *userCall, r *zk.Reply) {
	if c.atLeast == 0 {
		return
	}
	if r.Zxid < c.atLeast {
		p.e.fail("sync-is-confirmed: client %d, %v %s, is answered at %v by server %d, and %v was decided before the sync was sent", c.u.n, r.Op, c.req.Path, r.Zxid, p.m.id, c.atLeast)
		return
	}
	switch {
	case c.req.Op.IsRead():
		p.e.count("linearizable read")
	case c.req.Op == zk.OpSync && p.leading:
		p.e.count("sync of a leader")
	case c.req.Op == zk.OpSync:
		p.e.count("sync of a learner")
	}
}
