package consensus

import (
	"errors"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/invariant"
	"paddock/internal/zk"
)

// Role is what a server is in its ensemble, numbered as on the wire.
type Role = election.Role

// The roles. Looking is a server without a leader.
const (
	Looking   = election.Looking
	Following = election.Following
	Leading   = election.Leading
	Observing = election.Observing
)

// Config is what a Core starts from.
type Config struct {
	Self quorum.ServerID
	// Ensemble is the committed configuration. If this server is its only member and Distributed is false, it leads at
	// once in the epoch of its log, as ZooKeeper's standalone server does.
	Ensemble    *quorum.Config
	Distributed bool
	// LastSeen is the newest configuration that was proposed, nil if that is Ensemble.
	LastSeen *quorum.Config
	// Reconfig tells whether configurations may change. Without it those of others are not taken over.
	Reconfig bool
	// ConfigIn returns the text of the configuration that a txn would set, "" if it is no reconfiguration. It is called
	// for every proposal and must be quick to say no. nil stands for no reconfigurations.
	ConfigIn func(payload []byte) string

	// LastZxid is the newest txn of this server's log or snapshot, all of it durable and applied to the tree. -1 is an
	// empty history that may not count: a quorum never rests on it.
	LastZxid zk.Zxid
	// The durable epochs; see section 8 of ZooKeeper's quorum protocol in docs/architecture.md.
	AcceptedEpoch, CurrentEpoch int64
	// Recent are the newest txns of the log, without a hole, ending in LastZxid. Others are synchronised from them.
	Recent []Entry
	// HistoryTxns and HistoryBytes bound what is kept in memory for learners that come back; 0 stands for the defaults.
	HistoryTxns, HistoryBytes int

	// TickMS is ZooKeeper's tickTime; InitLimit and SyncLimit are in ticks. 0 stands for 2000, 10 and 5.
	TickMS               int64
	InitLimit, SyncLimit int64
	// RolloverAt is the counter at which a leader stops proposing and lets a new epoch begin; 0 stands for the default.
	RolloverAt uint32
	// ElectionIntervalMinMS and ElectionIntervalMaxMS are as in election.Config.
	ElectionIntervalMinMS, ElectionIntervalMaxMS int64
}

// Core is the consensus of one server. Its zero value is of no use; see New.
type Core struct {
	self      quorum.ServerID
	ensemble  *quorum.Config
	role      Role
	proposed  zk.Zxid
	committed zk.Zxid
	durable   map[quorum.ServerID]zk.Zxid // how far each voter's log is durable
}

// New returns the core of a server. The error says what in the configuration makes no sense.
func New(cfg Config) (*Core, error) {
	if cfg.Ensemble == nil {
		return nil, errors.New("a server needs the configuration of its ensemble")
	}
	if ids := cfg.Ensemble.Voters(); len(ids) != 1 || ids[0] != cfg.Self {
		return nil, errors.New("an ensemble of more than one voter is not supported yet")
	}
	return &Core{
		self: cfg.Self, ensemble: cfg.Ensemble, role: Leading, proposed: cfg.LastZxid, committed: cfg.LastZxid,
		durable: map[quorum.ServerID]zk.Zxid{cfg.Self: cfg.LastZxid},
	}, nil
}

// Role is what the server is now.
func (c *Core) Role() Role { return c.role }

// Serving tells whether the role is established: after Lead, Follow or Observe, until Lose.
func (c *Core) Serving() bool { return true }

// Epoch is the epoch in which the server leads or follows; while it looks, the last one it joined.
func (c *Core) Epoch() int64 { return c.proposed.Epoch() }

// Leader is the server that leads, as far as this one knows; NoServer while it looks.
func (c *Core) Leader() quorum.ServerID { return c.self }

// LeaderLink is the link to the leader of a server that follows or observes; 0 for others.
func (c *Core) LeaderLink() LinkID { return 0 }

// CanPropose tells whether Propose is allowed: this server leads, serves, is not handing leadership over and has
// zxids left in its epoch.
func (c *Core) CanPropose() bool { return true }

// NextZxid is the zxid that the next proposal must carry.
func (c *Core) NextZxid() zk.Zxid { return c.proposed + 1 }

// Proposed is the newest zxid that was proposed, or logged by a server that does not lead.
func (c *Core) Proposed() zk.Zxid { return c.proposed }

// Committed is the newest zxid that is decided.
func (c *Core) Committed() zk.Zxid { return c.committed }

// Ensemble is the committed configuration.
func (c *Core) Ensemble() *quorum.Config { return c.ensemble }

// LastSeen is the newest configuration that was proposed; the committed one if that is the newest.
func (c *Core) LastSeen() *quorum.Config { return c.ensemble }

// CheckReconfig tells whether the leader may propose next: OK, ReconfigInProgress, or NewConfigNoQuorum if too few of
// its voters are connected and synchronised.
func (c *Core) CheckReconfig(next *quorum.Config) zk.Code { return zk.OK }

// Step takes one event and adds what follows from it to out.
func (c *Core) Step(ev Event, out *Actions) {
	switch ev.Kind {
	case Propose:
		invariant.Check(ev.Zxid == c.proposed+1, "a proposal follows the one before it", int64(ev.Zxid), int64(c.proposed))
		c.proposed = ev.Zxid
		out.Append = append(out.Append, Entry{ev.Zxid, ev.Payload})
	case Durable:
		invariant.Check(ev.Zxid <= c.proposed, "only what was proposed can be durable", int64(ev.Zxid), int64(c.proposed))
		c.acked(c.self, ev.Zxid, out)
	}
}

// acked notes that a voter's log is durable up to z and commits what has a quorum now.
//
// INVARIANT(ack-after-durable): the leader counts itself only for what its own log has been reported durable for.
// INVARIANT(commit-in-order): commits only ever move forward.
func (c *Core) acked(id quorum.ServerID, z zk.Zxid, out *Actions) {
	if z <= c.durable[id] {
		return
	}
	c.durable[id] = z
	for _, v := range c.ensemble.Voters() {
		to := c.durable[v]
		if to > c.committed && c.ensemble.Met(func(id quorum.ServerID) bool { return c.durable[id] >= to }) {
			c.committed, out.Commit = to, to
		}
	}
}
