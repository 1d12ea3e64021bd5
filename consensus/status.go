package consensus

import (
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// Peer is a learner as its leader sees it.
type Peer struct {
	Server   quorum.ServerID
	Link     LinkID
	Observer bool
	Serving  bool    // it was told that it is up to date
	Acked    zk.Zxid // how far its log is known to be durable
	HeardMS  int64   // when something last came from it
}

// Peers are the learners that are connected to this leader, in the order in which they came, or the observers of this
// follower; nil on other servers.
func (c *Core) Peers() []Peer {
	learners := c.learners()
	if learners == nil {
		return nil
	}
	peers := make([]Peer, 0, len(learners))
	for _, l := range learners {
		peers = append(peers, Peer{Server: l.server, Link: l.link, Observer: l.observer, Serving: l.upToDate, Acked: l.acked, HeardMS: l.heardMS})
	}
	return peers
}

// Phase says in a word what the server is doing in its role, for operators: ZooKeeper's zk_peer_state.
func (c *Core) Phase() string {
	switch {
	case c.alone:
		return "leading - broadcast"
	case c.leading != nil:
		switch {
		case c.leading.phase < announcing:
			return "leading - discovery"
		case c.leading.phase == announcing:
			return "leading - synchronization"
		}
		return "leading - broadcast"
	case c.learning != nil:
		switch f := c.learning; {
		case f.phase < pledged:
			return c.role.String() + " - discovery"
		case f.phase < learned:
			return c.role.String() + " - synchronization"
		}
		return c.role.String() + " - broadcast"
	default:
		return "looking - election"
	}
}
