package consensus

import (
	"slices"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// configIn is the configuration that a txn would set; nil if it is no reconfiguration.
func (c *Core) configIn(e Entry) *quorum.Config {
	if !c.cfg.Reconfig || c.cfg.ConfigIn == nil {
		return nil
	}
	text := c.cfg.ConfigIn(e.Payload)
	if text == "" {
		return nil
	}
	cfg, err := quorum.ParseConfig(text)
	if err != nil {
		return nil
	}
	return cfg.WithVersion(e.Zxid)
}

// see notes a configuration that was proposed: from now on both count.
func (c *Core) see(cfg *quorum.Config, out *Actions) {
	if cfg.Version <= c.ensemble.Version {
		if c.lastSeen == nil {
			return
		}
		cfg = nil // the leader knows of none that is newer than the committed one
	}
	c.lastSeen = cfg
	c.tellElection(out)
	if cfg != nil {
		out.Do = append(out.Do, Action{Kind: SeenConfig, Config: cfg})
	}
}

// seeInTree notes the configuration that a tree holds which has replaced this server's.
func (c *Core) seeInTree(text string, out *Actions) {
	c.lastSeen = nil
	if cfg, err := quorum.ParseConfig(text); err == nil && c.cfg.Reconfig && cfg.Version > c.ensemble.Version {
		c.lastSeen = cfg
		out.Do = append(out.Do, Action{Kind: SeenConfig, Config: cfg})
	}
	c.tellElection(out)
}

// dropUnlogged forgets a proposed configuration whose txn is not in the log, or no longer. This server has not helped to
// decide it and will not, and a leader without the txn rests on a quorum that has not decided it either.
//
// ZooKeeper's servers keep it, and may make it the committed one without its txn.
func (c *Core) dropUnlogged() bool {
	if c.lastSeen == nil || c.lastSeen.Version.Counter() == 0 || c.lastSeen.Version <= c.logged {
		return false
	}
	c.lastSeen = nil
	return true
}

// takeConfig makes a configuration the committed one. It is false if that is not newer.
func (c *Core) takeConfig(cfg *quorum.Config, out *Actions) bool {
	if cfg.Version <= c.ensemble.Version {
		return false
	}
	c.ensemble, c.configText = cfg, cfg.String()
	if c.lastSeen != nil && c.lastSeen.Version <= cfg.Version {
		c.lastSeen = nil
	}
	out.Do = append(out.Do, Action{Kind: Configured, Config: cfg})
	return true
}

// tellElection tells the election which configurations are in force.
func (c *Core) tellElection(out *Actions) {
	c.elects(election.Event{Kind: election.SetConfig, Committed: c.ensemble, LastSeen: c.lastSeen}, out)
}

// CheckReconfig tells whether the leader may propose next: OK, ReconfigInProgress, or NewConfigNoQuorum if too few of
// its voters are connected and synchronised.
func (c *Core) CheckReconfig(next *quorum.Config) zk.Code {
	switch {
	case c.leading == nil || !c.leading.open():
		return zk.NewConfigNoQuorum
	case c.lastSeen != nil || c.leading.reconfigAt != 0:
		return zk.ReconfigInProgress
	case !c.quorumAlive(next):
		return zk.NewConfigNoQuorum
	default:
		return zk.OK
	}
}

// activate makes the configuration of a committed proposal the one in force, and tells everybody who leads in it.
func (c *Core) activate(e Entry, out *Actions) {
	r := c.leading
	designated := c.self
	before := c.ensemble
	old, _ := before.Server(c.self)
	next := c.lastSeen
	r.reconfigAt = 0
	c.flushCommits(out) // what came before is committed in the old configuration
	c.takeConfig(next, out)
	c.tellElection(out)
	if now, ok := next.Server(c.self); !ok || now.Observer || !sameQuorumAddresses(old, now) {
		designated = c.designate(e.Zxid)
	}
	for _, l := range r.learners {
		switch {
		case !l.takes():
			continue
		case l.observer:
			out.Do = append(out.Do, Action{Kind: Send, Link: l.link,
				Message: &Message{Kind: MsgInformAndActivate, Zxid: e.Zxid, Server: designated, Payload: e.Payload}})
		default:
			out.Do = append(out.Do, Action{Kind: Send, Link: l.link,
				Message: &Message{Kind: MsgCommitAndActivate, Zxid: e.Zxid, Server: designated}})
		}
	}
	c.answerSyncs(out)
	if designated != c.self {
		c.retire(designated, out)
		return
	}
	c.sendWithheld(before, e.Zxid, out)
}

// designate names who leads after a leader that has no place in the new configuration: the voter whose log reaches
// furthest, and that has at least z. It is this server if there is none.
func (c *Core) designate(z zk.Zxid) quorum.ServerID {
	best, reach := c.self, z-1
	for _, id := range c.ensemble.Voters() {
		if l := c.learnerOf(id); l != nil && l.phase == synced && l.acked > reach {
			best, reach = id, l.acked
		}
	}
	return best
}

// retire stops committing: another server will lead. The followers leave once they have read who it is.
func (c *Core) retire(designated quorum.ServerID, out *Actions) {
	c.leading.retiredMS = max(c.nowMS, 1)
}

// sameQuorumAddresses tells whether learners find a leader where they did.
func sameQuorumAddresses(a, b quorum.Server) bool {
	at := func(s quorum.Server) []string {
		var all []string
		for _, p := range s.Addresses {
			all = append(all, p.Quorum().String())
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(at(a), at(b))
}

// activated takes a configuration into force on a learner, after the txn that set it is committed. With a designated
// leader other than this one, or with another role for this server, it goes there directly, without an election. It
// is true if the server has left its leader.
func (c *Core) activated(cfg *quorum.Config, designated quorum.ServerID, out *Actions) bool {
	f := c.learning
	was, _ := c.ensemble.Server(f.leader)
	if !c.takeConfig(cfg, out) {
		return false
	}
	c.tellElection(out)
	leader := f.leader
	if designated >= 0 {
		leader = designated
	}
	role := Following
	if s, ok := cfg.Server(c.self); ok && s.Observer {
		role = Observing
	} else if leader == c.self && cfg.IsVoter(c.self) {
		role = Leading
	}
	now, ok := cfg.Server(leader)
	switch {
	case leader == c.self && role != Leading, designated < 0 && (!ok || now.Observer || !sameQuorumAddresses(was, now)):
		c.lose("the configuration has another leader", out)
	case leader != f.leader || role != c.role:
		c.leave("the configuration changes the leader or this server's role", out)
		vote := election.Vote{Leader: leader, Zxid: cfg.Version, Round: -1, Epoch: -1}
		c.elects(election.Event{Kind: election.Join, Role: role, Vote: vote}, out)
		if c.leading == nil && c.learning == nil {
			c.enter(role, leader, out)
		}
		if c.learning != nil {
			c.learning.named = true
		}
	default:
		return false
	}
	return true
}
