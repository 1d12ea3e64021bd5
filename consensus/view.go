package consensus

import (
	"cmp"
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// What follows is for operators: it tells how things are and changes nothing.

// Stage is how far a server has come on its way from an election to serving.
type Stage uint8

// The stages.
const (
	StageElection        Stage = iota // looking for a leader
	StageDiscovery                    // leader and learners agree on an epoch
	StageSynchronization              // learners get the leader's history
	StageBroadcast                    // established
)

var stageNames = [...]string{"election", "discovery", "synchronization", "broadcast"}

// String is ZooKeeper's word for the stage.
func (s Stage) String() string { return stageNames[s] }

// Stage is how far this server has come.
func (c *Core) Stage() Stage {
	switch {
	case c.alone, c.leading != nil && c.leading.phase == serving, c.learning != nil && c.learning.phase == learned:
		return StageBroadcast
	case c.leading != nil && c.leading.phase >= announcing, c.learning != nil && c.learning.phase >= pledged:
		return StageSynchronization
	case c.leading != nil, c.learning != nil:
		return StageDiscovery
	default:
		return StageElection
	}
}

// Round is the number of the election, as far as this server knows; 0 for one on its own.
func (c *Core) Round() int64 {
	if c.election == nil {
		return 0
	}
	return c.election.Round()
}

// Learner is a connected learner as its leader sees it.
type Learner struct {
	Link     LinkID
	Server   quorum.ServerID
	Observer bool
	Synced   bool // it has been told that it is up to date
	// Acked is how far the log of a follower is known to be durable; of an observer, what it was sent.
	Acked zk.Zxid
}

// Learners are those connected to this server while it leads, and the observers of one that follows, by id.
func (c *Core) Learners() []Learner {
	learners := c.learners()
	list := make([]Learner, 0, len(learners))
	for _, l := range learners {
		out := Learner{Link: l.link, Server: l.server, Observer: l.observer, Synced: l.upToDate, Acked: max(l.acked, l.given)}
		switch {
		case l.observer && l.takes():
			out.Acked = max(l.sent, l.given)
		case !l.takes():
			out.Acked = max(l.last, 0)
		}
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b Learner) int { return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Link, b.Link)) })
	return list
}

// PendingSyncs is how many learners wait for the answer to a SYNC.
func (c *Core) PendingSyncs() int {
	if c.leading == nil {
		return 0
	}
	return len(c.leading.syncs)
}
