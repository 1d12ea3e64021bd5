package consensus

import (
	"errors"
	"fmt"
	"sort"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
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

// The defaults of Config.
const (
	tickDefaultMS    = 2000
	initLimitDefault = 10
	syncLimitDefault = 5
	// rolloverDefault leaves room for what is proposed between the decision to begin a new epoch and its beginning.
	rolloverDefault = 0xfffffff0
)

// Config is what a Core starts from.
type Config struct {
	Self quorum.ServerID
	// Ensemble is the committed configuration. If this server is its only member and Distributed is false, it leads at
	// once in the epoch of its log, as ZooKeeper's standalone server does.
	Ensemble    *quorum.Config
	Distributed bool
	// LastSeen is the newest configuration that this server's history sets, committed or not: what the recovered tree has
	// in /zookeeper/config. nil if that is Ensemble. What a file says was once proposed is of no use: its txn may be gone.
	LastSeen *quorum.Config
	// Reconfig tells whether configurations may change. Without it those of others are not taken over.
	Reconfig bool
	// ConfigIn returns the text of the configuration that a txn would set, "" if it is no reconfiguration. It is called
	// for every proposal and must be quick to say no. nil stands for no reconfigurations.
	ConfigIn func(payload []byte) string

	// LastZxid is the newest txn of this server's log or snapshot, all of it durable and applied to the tree. -1 is an
	// empty history that may not count: a quorum never rests on it.
	LastZxid zk.Zxid
	// AcceptedEpoch and CurrentEpoch are the durable epochs: promised to a leader, and last joined.
	AcceptedEpoch, CurrentEpoch int64
	// Recent are the newest txns of the log, without a hole, ending in LastZxid. Others are synchronised from them.
	Recent []Entry
	// HistoryTxns and HistoryBytes bound what is kept in memory for learners that come back; 0 stands for the defaults.
	HistoryTxns, HistoryBytes int

	// SnapSyncsMax and DiffSyncsMax bound how many learners are synchronised at once by a snapshot, and by parts of the log.
	// Observers beyond it wait their turn; voters do not, since a quorum may wait for them. 0 stands for 10 and 100.
	SnapSyncsMax, DiffSyncsMax int

	// TickMS is ZooKeeper's tickTime; InitLimit and SyncLimit are in ticks. 0 stands for 2000, 10 and 5.
	TickMS               int64
	InitLimit, SyncLimit int64
	// RolloverAt is the counter at which a leader stops proposing and lets a new epoch begin; 0 stands for the default.
	RolloverAt uint32
	// ElectionIntervalMinMS and ElectionIntervalMaxMS are as in election.Config.
	ElectionIntervalMinMS, ElectionIntervalMaxMS int64

	// ObserverMasters has followers serve observers, and an observer connect to a follower: observerMasterPort.
	ObserverMasters bool

	bug      bug             // a mistake planted by a test
	electing election.Config // with one that concerns elections
	plain    bool            // talks as ZooKeeper does even to servers of this make, for a test
}

// setDefaults replaces what is 0.
func (cfg *Config) setDefaults() {
	def := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&cfg.TickMS, tickDefaultMS)
	def(&cfg.InitLimit, initLimitDefault)
	def(&cfg.SyncLimit, syncLimitDefault)
	if cfg.SnapSyncsMax <= 0 {
		cfg.SnapSyncsMax = snapSyncsDefault
	}
	if cfg.DiffSyncsMax <= 0 {
		cfg.DiffSyncsMax = diffSyncsDefault
	}
	if cfg.HistoryTxns <= 0 {
		cfg.HistoryTxns = historyTxnsDefault
	}
	if cfg.HistoryBytes <= 0 {
		cfg.HistoryBytes = historyBytesDefault
	}
	if cfg.RolloverAt == 0 {
		cfg.RolloverAt = rolloverDefault
	}
}

func (cfg *Config) initMS() int64 { return cfg.InitLimit * cfg.TickMS }
func (cfg *Config) syncMS() int64 { return cfg.SyncLimit * cfg.TickMS }

// Core is the consensus of one server. Its zero value is of no use; see New.
type Core struct {
	cfg        Config
	self       quorum.ServerID
	alone      bool // the whole ensemble: no peers, no election
	nowMS      int64
	ensemble   *quorum.Config // committed
	lastSeen   *quorum.Config // proposed and newer; nil if there is none
	configText string         // of ensemble
	role       Role

	// This server's log: how far it goes, is durable, and is decided. committed <= logged.
	logged, durable, committed zk.Zxid
	history                    history
	// The epochs as they are in the files, or will be once the disk has come to it.
	acceptedEpoch, currentEpoch int64
	disk                        disk
	distrusted                  bool  // the tree must be replaced by a snapshot
	promisedMax                 int64 // the largest epoch that any server was heard to have promised

	election *election.Election
	elect    election.Actions // what the election wants, while it is carried out
	waiting  []waitingLink    // connections that wait for this server to have a role
	leading  *leading         // the role of leader, else nil
	learning *learning        // the role of follower or observer, else nil
	messages []Message        // room for those to come
	// masterLosses counts the leaders and masters that were left, so that an observer tries another one each time.
	masterLosses int
}

// New returns the core of a server. The error says what in the configuration makes no sense.
func New(cfg Config) (*Core, error) {
	if cfg.Ensemble == nil {
		return nil, errors.New("a server needs the configuration of its ensemble")
	}
	if cfg.CurrentEpoch > cfg.AcceptedEpoch {
		return nil, fmt.Errorf("the current epoch %d is above the accepted epoch %d", cfg.CurrentEpoch, cfg.AcceptedEpoch)
	}
	cfg.setDefaults()
	c := &Core{
		cfg: cfg, self: cfg.Self, ensemble: cfg.Ensemble, role: Looking, logged: cfg.LastZxid, durable: cfg.LastZxid,
		committed: max(cfg.LastZxid, 0), acceptedEpoch: cfg.AcceptedEpoch, currentEpoch: cfg.CurrentEpoch,
	}
	if cfg.LastSeen != nil && cfg.Reconfig && cfg.LastSeen.Version > cfg.Ensemble.Version {
		c.lastSeen = cfg.LastSeen
	}
	c.dropUnlogged()
	if ids := cfg.Ensemble.Voters(); !cfg.Distributed && len(ids) == 1 && ids[0] == cfg.Self && len(cfg.Ensemble.Servers) == 1 {
		c.alone, c.role, c.logged = true, Leading, max(c.logged, 0)
		c.history.init(&cfg)
		return c, nil
	}
	if epoch := cfg.LastZxid.Epoch(); epoch > cfg.CurrentEpoch {
		return nil, fmt.Errorf("the log ends in epoch %d and the current epoch is %d", epoch, cfg.CurrentEpoch)
	}
	c.configText = c.ensemble.String()
	c.history.init(&cfg)
	e := cfg.electing
	e.Self, e.Committed, e.LastSeen = cfg.Self, c.ensemble, c.lastSeen
	e.IntervalMinMS, e.IntervalMaxMS = cfg.ElectionIntervalMinMS, cfg.ElectionIntervalMaxMS
	var err error
	c.election, err = election.New(e)
	return c, err
}

// Oldest is the zxid that memory goes back to: Since answers from there on.
func (c *Core) Oldest() zk.Zxid { return c.history.after }

// Since is what was committed after z, as far back as memory goes: false if it does not go that far. The slice is valid until
// the next step; what its entries refer to never changes.
func (c *Core) Since(z zk.Zxid) ([]Entry, bool) {
	if z < c.history.after {
		return nil, false
	}
	all := c.history.since(z)
	return all[:sort.Search(len(all), func(i int) bool { return all[i].Zxid > c.committed })], true
}

// Role is what the server is now.
func (c *Core) Role() Role { return c.role }

// Serving tells whether the role is established: after Lead, Follow or Observe, until Lose.
func (c *Core) Serving() bool {
	switch {
	case c.leading != nil:
		return c.leading.phase == serving
	case c.learning != nil:
		return c.learning.phase == learned
	default:
		return c.alone
	}
}

// Epoch is the epoch in which the server leads or follows; while it looks, the last one it joined.
func (c *Core) Epoch() int64 {
	if c.alone {
		return c.logged.Epoch()
	}
	return c.currentEpoch
}

// Leader is the server that leads, as far as this one knows; NoServer while it looks.
func (c *Core) Leader() quorum.ServerID {
	switch {
	case c.role == Leading:
		return c.self
	case c.learning != nil:
		return c.learning.leader
	default:
		return NoServer
	}
}

// LeaderLink is the link to the leader of a server that follows or observes and serves; 0 for others.
func (c *Core) LeaderLink() LinkID {
	if c.learning != nil && c.learning.phase == learned {
		return c.learning.link
	}
	return 0
}

// CanPropose tells whether Propose is allowed: this server leads, serves, is not handing leadership over and has
// zxids left in its epoch.
func (c *Core) CanPropose() bool {
	return c.alone || c.leading != nil && c.leading.open() && c.NextZxid().Counter() < c.cfg.RolloverAt
}

// NextZxid is the zxid that the next proposal must carry.
func (c *Core) NextZxid() zk.Zxid {
	if c.leading != nil && c.logged.Epoch() < c.leading.epoch {
		return zk.Zxid(c.leading.epoch<<32 + 1)
	}
	return c.logged + 1
}

// Proposed is the newest zxid that was proposed, or logged by a server that does not lead.
func (c *Core) Proposed() zk.Zxid { return c.logged }

// Committed is the newest zxid that is decided.
func (c *Core) Committed() zk.Zxid { return c.committed }

// Ensemble is the committed configuration.
func (c *Core) Ensemble() *quorum.Config { return c.ensemble }

// LastSeen is the newest configuration that was proposed; the committed one if that is the newest.
func (c *Core) LastSeen() *quorum.Config {
	if c.lastSeen != nil {
		return c.lastSeen
	}
	return c.ensemble
}

// met tells whether the servers for which has is true are a quorum of the committed configuration, and of the one that
// is about to follow it.
//
// INVARIANT(joint-quorum): while a configuration is proposed and not committed, nothing is decided without both.
func (c *Core) met(has func(quorum.ServerID) bool) bool {
	return quorum.AllMet(has, c.ensemble, c.lastSeen)
}

// votes tells whether a server's acknowledgements count in any configuration in force.
func (c *Core) votes(id quorum.ServerID) bool {
	return c.ensemble.IsVoter(id) || c.lastSeen.IsVoter(id)
}
