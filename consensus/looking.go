package consensus

import (
	"slices"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// look begins an election with the history in hand: all that is logged counts, committed or not.
//
// What the log holds beyond what is committed may have been decided by a quorum this server was part of, so that a vote
// for less would let a server win whose history lacks it.
func (c *Core) look(out *Actions) { c.lookFor(nil, out) }

// lookFor is look, by a server that has handed leadership to heir unless that is nil.
func (c *Core) lookFor(heir *election.Vote, out *Actions) {
	c.role = Looking
	c.elects(election.Event{Kind: election.Start, Zxid: c.newest(), Epoch: c.currentEpoch, Heir: heir}, out)
}

// newest is how far the history goes that others are told of.
func (c *Core) newest() zk.Zxid {
	if c.cfg.bug == bugVotesForCommitted && c.logged > 0 {
		return c.committed
	}
	return c.logged
}

// lose gives up the role, with all its connections, and looks for a leader.
func (c *Core) lose(reason string, out *Actions) {
	c.leave(reason, out)
	c.look(out)
}

// leave gives up the role and its connections.
func (c *Core) leave(reason string, out *Actions) {
	c.forgetBehind()
	if r := c.leading; r != nil {
		c.leading = nil
		for _, l := range r.learners {
			out.Do = append(out.Do, Action{Kind: Drop, Link: l.link, Reason: reason})
			c.tellLeft(l, out)
		}
	}
	if f := c.learning; f != nil {
		c.learning = nil
		if f.link != 0 {
			out.Do = append(out.Do, Action{Kind: Drop, Link: f.link, Reason: reason})
		}
		if f.phase == learned {
			c.masterLosses++ // the next one may do better
		}
		for _, l := range f.observers {
			out.Do = append(out.Do, Action{Kind: Drop, Link: l.link, Reason: reason})
			c.tellLeft(l, out)
		}
	}
	out.Do = append(out.Do, Action{Kind: Lose, Reason: reason})
}

// elects gives an event to the election and carries out what follows.
func (c *Core) elects(ev election.Event, out *Actions) {
	ev.NowMS = c.nowMS
	c.elect.Reset()
	c.election.Step(ev, &c.elect)
	for i := 0; c.elect.AdoptConfig != "" && i < 2; i++ {
		if cfg, err := quorum.ParseConfig(c.elect.AdoptConfig); err == nil && c.takeConfig(cfg, out) {
			c.elect.AdoptConfig = ""
			c.election.Step(election.Event{Kind: election.SetConfig, NowMS: c.nowMS, Committed: c.ensemble, LastSeen: c.lastSeen}, &c.elect)
			continue
		}
		break
	}
	for i := range c.elect.Send {
		m := c.elect.Send[i]
		out.Do = append(out.Do, Action{Kind: Notify, Server: m.To, Notification: &m.Notification})
	}
	if c.elect.ConnectAll {
		out.Do = append(out.Do, Action{Kind: ConnectAll})
	}
	if d := c.elect.Decided; d != nil {
		c.enter(d.Role, d.Vote.Leader, out)
	}
}

// notified hands a notification to the election, with what it needs to know about the configuration in it.
func (c *Core) notified(from quorum.ServerID, n *election.Notification, out *Actions) {
	ev := election.Event{Kind: election.Notified, From: from, Notification: *n}
	if c.cfg.Reconfig && n.Config != "" && n.Config != c.configText {
		if cfg, err := quorum.ParseConfig(n.Config); err == nil {
			ev.ConfigVersion = cfg.Version
		}
	}
	if c.leading != nil && c.leading.phase != serving {
		c.wentAway(from, n)
	}
	c.elects(ev, out)
}

// enter takes up a role that was decided.
func (c *Core) enter(role Role, leader quorum.ServerID, out *Actions) {
	c.role = role
	if role == Leading {
		c.becomeLeader(out)
		return
	}
	c.becomeLearner(leader, out)
	c.waiting = slices.DeleteFunc(c.waiting, func(w waitingLink) bool {
		if c.servesObservers() && (w.hello == nil || w.hello.Kind == MsgObserverInfo) {
			return false
		}
		out.Do = append(out.Do, Action{Kind: Drop, Link: w.link, Reason: "this server does not lead"})
		return true
	})
}

// waitingLink is a connection from another server before this one has taken it up: until it says who it is, and while
// this server has no role.
type waitingLink struct {
	link    LinkID
	sinceMS int64
	hello   *Message // its FOLLOWERINFO or OBSERVERINFO, nil before it has come
}

// waitingMax bounds the connections that wait to be taken up; the newest are refused.
const waitingMax = 256

// linkUp takes note of a new connection.
func (c *Core) linkUp(ev Event, out *Actions) {
	if ev.Dialled {
		c.dialled(ev, out)
		return
	}
	if c.learning != nil && !c.servesObservers() {
		out.Do = append(out.Do, Action{Kind: Drop, Link: ev.Link, Reason: "this server does not lead"})
		return
	}
	if len(c.waiting) >= waitingMax {
		out.Do = append(out.Do, Action{Kind: Drop, Link: ev.Link, Reason: "too many connections wait"})
		return
	}
	c.waiting = append(c.waiting, waitingLink{link: ev.Link, sinceMS: c.nowMS})
}

// linkDown forgets a connection.
func (c *Core) linkDown(ev Event, out *Actions) {
	if i := c.waitingOn(ev.Link); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		return
	}
	if l := c.learnerOn(ev.Link); l != nil {
		c.forget(l, out)
		c.progress(out)
		return
	}
	if f := c.learning; f != nil {
		switch {
		case ev.Link != 0 && f.link == ev.Link && f.phase == introduced && (f.named || f.way.master) && f.tries < f.triesMax():
			// The server that a reconfiguration has named may not have heard of it yet; one that may be an observer
			// master need not be one now.
			f.link, f.phase = 0, dialling
			f.retryAt(c.nowMS + dialPauseMS)
		case ev.Link != 0 && f.link == ev.Link:
			f.link = 0
			c.lose("the connection to the leader ended", out)
		case f.phase == dialling && ev.Link == 0 && ev.Server == f.way.server:
			f.retryAt(c.nowMS + dialPauseMS)
		}
	}
}

// linkAlive notes that a long transfer goes on.
func (c *Core) linkAlive(link LinkID) {
	if l := c.learnerOn(link); l != nil {
		l.heardMS = c.nowMS
	} else if f := c.learning; f != nil && f.link == link {
		f.heardMS = c.nowMS
	}
}

func (c *Core) waitingOn(link LinkID) int {
	return slices.IndexFunc(c.waiting, func(w waitingLink) bool { return w.link == link })
}

// received hands a message to the role it is for. What comes on a connection that was dropped is ignored.
func (c *Core) received(link LinkID, m *Message, out *Actions) {
	if f := c.learning; f != nil && f.link == link && link != 0 {
		f.heardMS = c.nowMS
		c.learn(m, out)
		return
	}
	if l := c.learnerOn(link); l != nil {
		if c.leading != nil {
			c.hear(l, m, out)
		} else {
			c.hearObserver(l, m, out)
		}
		return
	}
	i := c.waitingOn(link)
	if i < 0 {
		return
	}
	w := &c.waiting[i]
	if w.hello != nil || m.Kind != MsgFollowerInfo && m.Kind != MsgObserverInfo {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: "the first message is not FOLLOWERINFO"})
		return
	}
	w.hello = m.Clone()
	if c.leading != nil {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		c.greet(link, m, out)
	} else if f := c.learning; f != nil && (f.phase == learned || m.Kind != MsgObserverInfo) {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		c.greetObserver(link, m, out)
	}
}

// expireWaiting drops connections that have waited too long.
func (c *Core) expireWaiting(out *Actions) {
	c.waiting = slices.DeleteFunc(c.waiting, func(w waitingLink) bool {
		old := c.nowMS-w.sinceMS > c.cfg.initMS()
		if old {
			out.Do = append(out.Do, Action{Kind: Drop, Link: w.link, Reason: "nothing came of the connection"})
		}
		return old
	})
}
