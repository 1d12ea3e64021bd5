package consensus

import (
	"fmt"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// An observer master is a follower that serves observers as the leader would, so that these cost the leader nothing. It
// passes on what they ask and what they hear of sessions; what is committed here it tells them.

// servesObservers tells whether this server takes observers, or will once it is synchronised.
func (c *Core) servesObservers() bool {
	return c.cfg.ObserverMasters && c.learning != nil && !c.learning.observer
}

// takeObservers takes up the observers that have waited for this follower to be synchronised.
func (c *Core) takeObservers(out *Actions) {
	if !c.servesObservers() {
		return
	}
	rest := c.waiting[:0]
	var ready []waitingLink
	for _, w := range c.waiting {
		if w.hello != nil {
			ready = append(ready, w)
		} else {
			rest = append(rest, w)
		}
	}
	c.waiting = rest
	for _, w := range ready {
		c.greetObserver(w.link, w.hello, out)
	}
}

// greetObserver takes up an observer that has said who it is. The epoch is established, so that nothing is waited for.
func (c *Core) greetObserver(link LinkID, m *Message, out *Actions) {
	f := c.learning
	reason := ""
	switch accepted := m.Zxid.Epoch(); {
	case m.Kind != MsgObserverInfo:
		reason = "this server does not lead"
	case m.ConfigVersion > c.ensemble.Version:
		reason = "the learner's configuration is ahead"
	case accepted < 0 || accepted > f.epoch:
		reason = "the learner has promised a later epoch"
	case len(f.observers) >= learnersMax:
		reason = "too many learners"
	case m.Server == c.self:
		reason = "the learner has this server's id"
	}
	if reason != "" {
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: reason})
		return
	}
	for _, old := range f.observers {
		if old.server == m.Server && m.Server >= 0 {
			c.refuse(old, "the learner has connected again", out)
			break
		}
	}
	l := &learner{link: link, server: m.Server, observer: true, phase: informed, heardMS: c.nowMS}
	f.observers = append(f.observers, l)
	// What the observer concludes from the version is true of whoever leads, not of who passes things on.
	version := c.protocol(m.Protocol == protocolCumulative && f.cumulative)
	out.Do = append(out.Do, Action{Kind: Send, Link: link, Message: &Message{Kind: MsgLeaderInfo, Zxid: zk.Zxid(f.epoch << 32), Protocol: version}})
}

// hearObserver takes a message from an observer that this follower serves.
func (c *Core) hearObserver(l *learner, m *Message, out *Actions) {
	l.heardMS = c.nowMS
	switch m.Kind {
	case MsgAckEpoch:
		if l.phase != informed {
			c.refuse(l, "ACKEPOCH out of place", out)
			return
		}
		l.last, l.phase = m.Zxid, known
		c.synchroniseObservers(out)
	case MsgAck:
		switch {
		case m.Zxid.Counter() != 0 || !l.takes():
			c.refuse(l, "ACK out of place", out)
		case l.phase == syncing:
			l.phase = synced
			c.bringUpToDate(l, out)
			c.admit(out)
		}
	case MsgPing, MsgRequest, MsgRevalidate:
		if l.upToDate {
			out.Do = append(out.Do, Action{Kind: Deliver, Link: l.link, Server: l.server, Message: m})
		}
	default:
		c.refuse(l, fmt.Sprintf("%v is not for an observer master", m.Kind), out)
	}
}

// synchroniseObservers brings those up to date that this server can: the others know more of this epoch than it does yet.
//
// What an observer has of the epoch is decided, whoever told it. The leader leads on while this follower does, so that
// it hears of that, too.
//
// INVARIANT(master-not-behind): an observer is not told to truncate what is decided.
//
// ZooKeeper's observer masters tell it to.
func (c *Core) synchroniseObservers(out *Actions) {
	for _, l := range c.learning.observers {
		ahead := l.last > c.committed && l.last.Epoch() == c.learning.epoch
		if l.phase == known && !ahead {
			c.synchronise(l, out)
		}
	}
}

// informObservers tells the observers of this follower what has been committed after z. activation is the message that took
// a configuration into force with the last of it; nil if none did.
func (c *Core) informObservers(z zk.Zxid, activation *Message, out *Actions) {
	if len(c.learning.observers) == 0 {
		return
	}
	for _, e := range c.history.since(z) {
		if e.Zxid > c.committed {
			break
		}
		m := &Message{Kind: MsgInform, Zxid: e.Zxid, Payload: e.Payload}
		if activation != nil && e.Zxid == activation.Zxid {
			m.Kind, m.Server = MsgInformAndActivate, activation.Server
		}
		for _, l := range c.learning.observers {
			if l.takes() {
				out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: m})
				l.sent = e.Zxid
			}
		}
	}
	c.synchroniseObservers(out)
}

// tickMaster watches the clock for a follower that serves observers.
func (c *Core) tickMaster(out *Actions) {
	f := c.learning
	for i := len(f.observers) - 1; i >= 0; i-- {
		c.checkLearner(f.observers[i], out)
	}
	if c.nowMS-f.pingedMS >= c.cfg.TickMS/2 {
		f.pingedMS = c.nowMS
		c.pingAll(f.observers, out)
	}
}

// way is where a learner tries to reach its leader, or an observer its master.
type way struct {
	server quorum.ServerID
	master bool // through the port for observers
}

// waysTo are what a learner tries, one after the other. With observer masters an observer tries the voters that do not lead
// first, beginning with another one on each server, and the leader last: one of ZooKeeper serves no observers on that
// port, and is asked on the quorum port in the end, which ZooKeeper's observers do not.
func (c *Core) waysTo(leader quorum.ServerID, observer bool) []way {
	direct := way{leader, false}
	if !observer || !c.cfg.ObserverMasters {
		return []way{direct}
	}
	var followers []quorum.ServerID
	for _, id := range c.ensemble.Voters() {
		if id != leader && id != c.self {
			followers = append(followers, id)
		}
	}
	var ways []way
	for i := range followers {
		ways = append(ways, way{followers[(i+int(c.self)+c.masterLosses)%len(followers)], true})
	}
	return append(ways, way{leader, true}, direct)
}

// Master is the server that this one learns from: its leader or, with observer masters, maybe another; NoServer if there is
// none. An observer knows of its leader what was said when it was elected; its master may know of a later one.
func (c *Core) Master() quorum.ServerID {
	if f := c.learning; f != nil && f.link != 0 {
		return f.way.server
	}
	return NoServer
}
