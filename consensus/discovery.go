package consensus

import (
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

const (
	// epochMax is far below what a zxid can hold, and far above what elections can reach. It keeps a learner from using
	// the epochs up.
	epochMax = 1 << 30
	// learnersMax bounds the learners of a leader; further ones are refused.
	learnersMax = 1024
)

// greet takes up a learner that has said who it is.
func (c *Core) greet(link LinkID, m *Message, out *Actions) {
	r := c.leading
	l := &learner{
		link: link, server: m.Server, observer: m.Kind == MsgObserverInfo, heardMS: c.nowMS,
		cumulative: m.Protocol == protocolCumulative && !c.cfg.plain,
		deadlineMS: c.nowMS + c.cfg.initMS() + c.cfg.syncMS(),
	}
	accepted := m.Zxid.Epoch()
	switch {
	case m.ConfigVersion > c.ensemble.Version:
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: "the learner's configuration is ahead"})
		return
	case accepted < 0 || accepted > epochMax:
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: "the learner's epoch makes no sense"})
		return
	case len(r.learners) >= learnersMax:
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: "too many learners"})
		return
	case m.Server == c.self:
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: "the learner has this server's id"})
		return
	}
	for _, old := range r.learners {
		if old.server == l.server && l.server >= 0 {
			c.refuse(old, "the learner has connected again", out)
			break
		}
	}
	c.promisedMax = max(c.promisedMax, accepted)
	if r.epoch != 0 && accepted > r.epoch {
		out.Do = append(out.Do, Action{Kind: Drop, Link: link, Reason: "the learner has promised a later epoch"})
		if c.votes(l.server) {
			// It can never join this epoch. ZooKeeper leaves it out until the next election.
			c.lose("a voter has promised a later epoch", out)
		}
		return
	}
	r.learners = append(r.learners, l)
	r.away = slices.DeleteFunc(r.away, func(id quorum.ServerID) bool { return id == l.server })
	if r.phase >= collecting {
		c.inform(l, out)
		return
	}
	if c.votes(l.server) && !l.observer {
		r.heard.add(l.server)
	}
	c.discover(out)
}

// discover fixes the new epoch once a quorum has said which epochs it has promised: it is above all of them.
func (c *Core) discover(out *Actions) {
	r := c.leading
	if r.phase != discovering || !c.met(r.heard.has) {
		return
	}
	r.epoch = max(c.promisedMax, c.acceptedEpoch) + 1
	c.enterPhase(promising)
	c.setAccepted(r.epoch, out)
	for _, l := range r.learners {
		if c.cfg.bug == bugLeaderInfoBeforeDurable {
			c.inform(l, out)
		}
	}
}

// inform tells a learner the new epoch.
func (c *Core) inform(l *learner, out *Actions) {
	l.phase = informed
	out.Do = append(out.Do, Action{Kind: Send, Link: l.link,
		Message: &Message{Kind: MsgLeaderInfo, Zxid: zk.Zxid(c.leading.epoch << 32), Protocol: c.protocol(l.cumulative)}})
}

// leaderEpochDurable goes on when a promise of the leader is durable.
func (c *Core) leaderEpochDurable(kind EventKind, out *Actions) {
	r := c.leading
	switch {
	case kind == AcceptedEpochDurable && r.phase == promising:
		c.enterPhase(collecting)
		if c.logged >= 0 {
			r.promised.add(c.self)
		}
		for _, l := range r.learners {
			c.inform(l, out)
		}
		c.collect(out)
	case kind == CurrentEpochDurable && r.phase == beginning:
		c.announce(out)
	}
}

// ackEpoch takes a learner's promise.
//
// INVARIANT(leader-is-newest): a leader begins its epoch only when a quorum has promised it and none of that quorum has
// a newer history. Whoever promised the epoch before (to another leader, or on an earlier connection) does not count.
// INVARIANT(empty-never-counts): nor does a server whose empty history may be one that was lost.
func (c *Core) ackEpoch(l *learner, m *Message, out *Actions) {
	r := c.leading
	l.last, l.phase = m.Zxid, known
	if r.phase != collecting {
		if r.phase >= announcing {
			c.synchronise(l, out)
		}
		return
	}
	if m.Epoch != NoEpoch || c.cfg.bug == bugCountsOldPromise {
		newer := m.Epoch > c.currentEpoch || m.Epoch == c.currentEpoch && m.Zxid > c.logged
		if newer && c.cfg.bug != bugLeadsWithOlderHistory {
			if c.votes(l.server) && r.aheadMS == 0 {
				r.aheadMS = c.nowMS
			}
			c.refuse(l, "the learner is ahead of the leader", out)
			return
		}
		if c.votes(l.server) && !l.observer && (m.Zxid != NoZxid || c.cfg.bug == bugCountsEmpty) {
			r.promised.add(l.server)
		}
	}
	c.collect(out)
}

// collect begins the epoch once a quorum has promised it.
func (c *Core) collect(out *Actions) {
	r := c.leading
	if r.phase != collecting || !c.met(r.promised.has) {
		return
	}
	c.enterPhase(beginning)
	c.setCurrent(r.epoch, out)
}

// announce makes the whole log the initial history of the epoch, and synchronises whoever waits.
//
// The log is durable up to its end, since the current epoch came behind it on the disk.
func (c *Core) announce(out *Actions) {
	r := c.leading
	c.enterPhase(announcing)
	c.durable = c.logged
	if c.logged > c.committed {
		c.commitTo(c.logged, out)
	}
	if c.cfg.Reconfig && c.lastSeen == nil && c.ensemble.Version == 0 {
		c.lastSeen = c.ensemble.WithVersion(zk.Zxid(r.epoch << 32))
		c.tellElection(out)
	}
	r.joined.add(c.self)
	for _, l := range r.learners {
		if l.phase == known {
			c.synchronise(l, out)
		}
	}
	c.join(out)
}

// join establishes the leader once a quorum has joined the epoch.
func (c *Core) join(out *Actions) {
	r := c.leading
	if r.phase == announcing && (c.met(r.joined.has) || c.cfg.bug == bugServesBeforeQuorum) {
		c.establish(out)
	}
}

// alive quorum for a configuration that is only proposed.
func (c *Core) quorumAlive(cfg *quorum.Config) bool {
	return cfg.Met(func(id quorum.ServerID) bool {
		if id == c.self {
			return true
		}
		if s, ok := c.ensemble.Server(id); ok && s.Observer {
			return false // it has just become one, and is about to come back as such
		}
		l := c.learnerOf(id)
		return l != nil && l.phase == synced && c.nowMS <= l.deadlineMS
	})
}

// learnerOf is the follower with an id; nil if it is not connected.
func (c *Core) learnerOf(id quorum.ServerID) *learner {
	for _, l := range c.leading.learners {
		if l.server == id && !l.observer {
			return l
		}
	}
	return nil
}
