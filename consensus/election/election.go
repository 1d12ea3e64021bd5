package election

import (
	"errors"

	"paddock/consensus/quorum"
)

// The defaults of Config, in milliseconds.
const (
	IntervalMinMS = 200    // ZooKeeper's fastleader.minNotificationInterval
	IntervalMaxMS = 60_000 // ZooKeeper's fastleader.maxNotificationInterval
)

// finalizeWaitMS is how long a server waits for a better vote once it has a quorum, in milliseconds.
const finalizeWaitMS = 200

// Config is what an Election starts from.
type Config struct {
	Self      quorum.ServerID
	Committed *quorum.Config // must not be nil; its observers do not vote, nor does a server that is not in it
	LastSeen  *quorum.Config // the newest proposed configuration; nil if there is none but Committed
	// Between these a server that looks repeats its vote, each time after twice the time; 0 stands for the defaults.
	IntervalMinMS, IntervalMaxMS int64

	bug bug // a mistake planted by a test
}

// Election is the leader election of one server. Make it with New.
type Election struct {
	cfg  Config
	role Role
}

// New returns an election that has not begun: see Start.
func New(cfg Config) (*Election, error) {
	if cfg.Committed == nil {
		return nil, errors.New("an election needs a configuration")
	}
	return &Election{cfg: cfg}, nil
}

// Role is what the server is now.
func (e *Election) Role() Role { return e.role }

// Vote is what the server tells others: while it looks, whom it proposes; then, the vote that was decided.
func (e *Election) Vote() Vote { return Vote{} }

// Round is the logical clock.
func (e *Election) Round() int64 { return 0 }

// Step takes one event and adds what follows from it to out.
func (e *Election) Step(ev Event, out *Actions) {}

// bug is a mistake that the simulation must find.
type bug uint8
