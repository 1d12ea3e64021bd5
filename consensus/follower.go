package consensus

import (
	"fmt"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// follow takes a message from the leader once synchronisation has begun: history and live traffic look the same.
func (c *Core) follow(m *Message, out *Actions) {
	f := c.learning
	switch m.Kind {
	case MsgProposal:
		if f.observer && f.phase == learned {
			return // ZooKeeper compatibility: observers ignore proposals once they serve
		}
		c.append(Entry{m.Zxid, m.Payload}, out)
	case MsgCommit:
		if f.observer && f.phase == learned {
			return
		}
		if was := c.committed; c.commit(m.Zxid, out) {
			c.informObservers(was, nil, out)
		}
	case MsgCommitAndActivate:
		cfg := c.proposedAt(m.Zxid)
		was := c.committed
		if !c.commit(m.Zxid, out) {
			return
		}
		if c.informObservers(was, m, out); cfg != nil {
			c.activated(cfg, m.Server, out)
		}
	case MsgInform:
		c.informed(m, out)
	case MsgInformAndActivate:
		if c.informed(m, out) {
			if cfg := c.configIn(Entry{m.Zxid, m.Payload}); cfg != nil {
				c.activated(cfg, m.Server, out)
			}
		}
	case MsgNewLeader:
		c.newLeader(m, out)
	case MsgUpToDate:
		if f.phase != stored {
			c.lose("UPTODATE out of place", out)
			return
		}
		c.serve(out)
	case MsgPing:
		// The replica answers, since it knows which sessions are alive. A ping that comes before UPTODATE needs no answer.
		if f.phase == learned {
			out.Do = append(out.Do, Action{Kind: Deliver, Link: f.link, Server: f.leader, Message: m})
		}
	case MsgSync, MsgRevalidate:
		if f.phase == learned {
			out.Do = append(out.Do, Action{Kind: Deliver, Link: f.link, Server: f.leader, Message: m})
		}
	default:
		c.lose(fmt.Sprintf("the leader sent %v", m.Kind), out)
	}
}

// append logs a txn of the leader. It is false if the txn leaves a gap, and then the leader is left.
//
// INVARIANT(history-contiguous): what a learner logs follows what it has.
func (c *Core) append(e Entry, out *Actions) bool {
	f := c.learning
	if e.Zxid <= c.logged && e.Zxid <= f.snapped {
		return true // it is in the snapshot
	}
	if !follows(e.Zxid, c.logged) || e.Zxid.Epoch() > f.epoch {
		c.lose(fmt.Sprintf("proposal %v after %v", e.Zxid, c.logged), out)
		return false
	}
	c.appendLog(e, out)
	if c.cfg.bug == bugAcksBeforeDurable && f.phase == learned {
		c.durable = c.logged
		c.ackDurable(out)
	}
	if cfg := c.configIn(e); cfg != nil {
		c.see(cfg, out)
	}
	return true
}

// commit notes that the leader has committed a txn: the oldest that is not. It is false if it is not that one; the
// leader is left then, since something in between was missed.
func (c *Core) commit(z zk.Zxid, out *Actions) bool {
	switch {
	case z <= c.committed:
		return false // it came with the snapshot, or as part of the history that was in the log
	case !c.isNext(z) && (!c.learning.cumulative || !c.isLogged(z)):
		c.lose(fmt.Sprintf("commit of %v after %v", z, c.committed), out)
		return false
	}
	c.commitTo(z, out)
	return true
}

// isNext tells whether z is the oldest txn of the log that is not committed.
func (c *Core) isNext(z zk.Zxid) bool {
	if c.committed.Epoch() == c.logged.Epoch() {
		return z == c.committed+1 && z <= c.logged
	}
	rest := c.history.since(c.committed)
	return len(rest) > 0 && rest[0].Zxid == z
}

// isLogged tells whether z is in the log and not committed.
func (c *Core) isLogged(z zk.Zxid) bool {
	_, ok := c.history.find(z)
	return ok && z > c.committed
}

// informed takes a txn that is committed already, as an observer. It is false if nothing was new in it.
func (c *Core) informed(m *Message, out *Actions) bool {
	if !c.learning.observer {
		c.lose("INFORM is not for a follower", out)
		return false
	}
	return c.append(Entry{m.Zxid, m.Payload}, out) && c.commit(m.Zxid, out)
}

// proposedAt is the configuration that the txn z, which is in the log, sets; nil if it sets none.
func (c *Core) proposedAt(z zk.Zxid) *quorum.Config {
	if e, ok := c.history.find(z); ok {
		return c.configIn(e)
	}
	return nil
}

// newLeader has all history made durable, then the epoch.
func (c *Core) newLeader(m *Message, out *Actions) {
	f := c.learning
	if f.phase != catching || m.Zxid.Epoch() != f.epoch {
		c.lose("NEWLEADER out of place", out)
		return
	}
	if m.Config != "" && c.cfg.Reconfig {
		if cfg, err := quorum.ParseConfig(m.Config); err == nil {
			f.config = cfg
			c.see(cfg, out)
		}
	}
	f.phase = storing
	if !c.disk.held {
		c.setCurrent(f.epoch, out)
	}
	if c.cfg.bug == bugJoinsBeforeDurable {
		c.ackNewLeader(out)
	}
}
