package consensus

import (
	"fmt"

	"paddock/consensus/quorum"
	"paddock/internal/invariant"
	"paddock/internal/zk"
)

// Role is what a server is in its ensemble.
type Role uint8

// The roles. Looking is a server without a leader.
const (
	Looking Role = iota
	Leading
	Following
	Observing
)

// String is ZooKeeper's word for the role.
func (r Role) String() string {
	switch r {
	case Looking:
		return "looking"
	case Leading:
		return "leading"
	case Following:
		return "following"
	case Observing:
		return "observing"
	default:
		return fmt.Sprintf("role(%d)", uint8(r))
	}
}

// EventKind is what happened.
type EventKind uint8

// The events.
const (
	// Propose asks the leader to have Payload, which carries Zxid, decided. Zxid must be what NextZxid gave.
	Propose EventKind = iota + 1
	// Durable tells that this server's log is durable up to and including Zxid.
	Durable
)

// Event is one input.
type Event struct {
	Kind    EventKind
	Zxid    zk.Zxid
	Payload []byte // Propose: the encoded txn; kept until it is committed
}

// String is the text that traces and logs print.
func (e Event) String() string {
	switch e.Kind {
	case Propose:
		return fmt.Sprintf("propose %v (%d bytes)", e.Zxid, len(e.Payload))
	case Durable:
		return fmt.Sprintf("durable %v", e.Zxid)
	default:
		return fmt.Sprintf("event(%d)", e.Kind)
	}
}

// Entry is a txn for the log.
type Entry struct {
	Zxid    zk.Zxid
	Payload []byte
}

// Actions are the outputs of a step. The caller resets and reuses it.
type Actions struct {
	// Append lists txns for this server's log, in order. Once they are fsynced the caller reports Durable.
	Append []Entry
	// Commit is the zxid up to which everything is decided; 0 if nothing new is.
	Commit zk.Zxid
}

// Reset empties a for the next step and keeps its memory.
func (a *Actions) Reset() {
	clear(a.Append)
	*a = Actions{Append: a.Append[:0]}
}

// Config is what a Core starts from.
type Config struct {
	Self     quorum.ServerID
	Voters   quorum.Voters
	LastZxid zk.Zxid // the newest txn in this server's log or snapshot, all of it committed
}

// Core is the consensus of one server. Its zero value is of no use; see New.
type Core struct {
	self      quorum.ServerID
	voters    quorum.Voters
	role      Role
	proposed  zk.Zxid
	committed zk.Zxid
	durable   map[quorum.ServerID]zk.Zxid // how far each voter's log is durable
}

// New returns the core of a server whose ensemble is itself alone: it leads at once, in the epoch of its log.
func New(cfg Config) (*Core, error) {
	if ids := cfg.Voters.IDs(); len(ids) != 1 || ids[0] != cfg.Self {
		return nil, fmt.Errorf("an ensemble of %d voters is not supported yet", len(ids))
	}
	return &Core{
		self: cfg.Self, voters: cfg.Voters, role: Leading, proposed: cfg.LastZxid, committed: cfg.LastZxid,
		durable: map[quorum.ServerID]zk.Zxid{cfg.Self: cfg.LastZxid},
	}, nil
}

// Role is what the server is now.
func (c *Core) Role() Role { return c.role }

// NextZxid is the zxid that the next proposal must carry.
func (c *Core) NextZxid() zk.Zxid { return c.proposed + 1 }

// Proposed is the newest zxid that was proposed.
func (c *Core) Proposed() zk.Zxid { return c.proposed }

// Committed is the newest zxid that is decided.
func (c *Core) Committed() zk.Zxid { return c.committed }

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
	for _, v := range c.voters.IDs() {
		to := c.durable[v]
		if to > c.committed && c.voters.Met(func(id quorum.ServerID) bool { return c.durable[id] >= to }) {
			c.committed, out.Commit = to, to
		}
	}
}
