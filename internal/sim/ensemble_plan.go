package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// ensemblePlan is what a seed chooses before anything happens.
type ensemblePlan struct {
	members      string // roles of the servers 1, 2, …: v voter, o observer, n not a member
	clients      int
	faultsMS     int64 // how long things go wrong
	everyMS      int64 // the mean time between two faults
	servingMS    int64 // of service without faults afterwards
	paceMS       int64 // the longest that a client waits until it does the next thing
	timeoutMS    int32 // the longest that a session asks for
	patient      bool  // every wait is as long as it may be
	dataBytes    []int // the sizes of larger data
	snapshotTxns int64
	logFileBytes int64
	prepareBytes int64
	historyTxns  int // what a leader keeps in memory for others
	historyBytes int
	recentTxns   int // what a server reads back into that memory when it starts
	findBytes    int64
	logDir       string
	marker       bool // a new database must be allowed by a marker file
	zeros        bool
	still        bool // the clocks do not jump
	crashes      bool
	disks        bool
	partitions   bool
	pauses       bool
	reconfig     bool
	reconfigIn   int // one request in so many is for another configuration
	rollover     uint32
	wipes        bool
	masters      bool // followers serve observers

	groups     string // lines of the configuration; "" for majorities of voters
	local      bool   // sessions are local to a server
	upgrade    bool   // until they are to own an ephemeral
	reads      bool   // clients write little, and ask for the newest often
	stalls     bool   // what followers ask their leader is often late, and then observers leave them
	transfers  bool   // when something has gone wrong, leadership is often handed over
	sweeping   bool   // a reconfiguration may change any number of roles at once, and the voters may lose their power over it
	readOnlyMS int64  // how long a member looks for a leader before it serves reads alone; 0 for never
}

// Settings of every member, in milliseconds and ticks.
const (
	memberTickMS  = 200
	initLimit     = 10
	syncLimit     = 5
	electionMinMS = 60
	electionMaxMS = 1000
)

func makeEnsemblePlan(rng *rand.Rand) ensemblePlan {
	p := ensemblePlan{
		members:      []string{"vvv", "vvv", "vvv", "vvvv", "vvvvv", "vvvo", "vvvvo", "vo"}[rng.IntN(8)],
		clients:      2 + rng.IntN(5),
		faultsMS:     3000 + rng.Int64N(8_000),
		everyMS:      []int64{150, 400, 1000}[rng.IntN(3)],
		snapshotTxns: int64(8 + rng.IntN(80)),
		logFileBytes: []int64{0, 0, 3000, 12_000}[rng.IntN(4)],
		prepareBytes: []int64{-1, -1, 2048, 6000}[rng.IntN(4)],
		historyTxns:  []int{1, 4, 12, 40, 400}[rng.IntN(5)],
		historyBytes: []int{2000, 1 << 20}[rng.IntN(2)],
		recentTxns:   []int{-1, 3, 20, 500}[rng.IntN(4)],
		findBytes:    []int64{1, 4000, 1 << 20}[rng.IntN(3)],
		logDir:       []string{"data", "log"}[rng.IntN(2)],
		zeros:        rng.IntN(4) == 0,
		still:        rng.IntN(3) == 0,
		crashes:      rng.IntN(6) > 0,
		disks:        rng.IntN(3) == 0,
		partitions:   rng.IntN(5) > 0,
		pauses:       rng.IntN(3) == 0,
	}
	p.servingMS = []int64{500, 1000, 3000}[rng.IntN(3)]
	p.paceMS = []int64{60, 120, 300}[rng.IntN(3)]
	p.timeoutMS = []int32{1500, 4500}[rng.IntN(2)]
	p.patient = rng.IntN(12) == 0
	for range 3 {
		p.dataBytes = append(p.dataBytes, 400+rng.IntN(700), 1000+rng.IntN(4000))
	}
	if rng.IntN(10) == 0 {
		p.faultsMS = 0
	}
	switch rng.IntN(8) {
	case 0, 1:
		p.reconfig, p.reconfigIn = true, 60
		p.members = []string{"vvvn", "vvvnn", "vvvvo", "vvon"}[rng.IntN(4)]
	case 2:
		p.rollover = 60
	case 3:
		p.marker, p.wipes = true, true
	}
	if rng.IntN(5) == 0 {
		p.masters = true
		if p.members = "vvvoo"; p.reconfig {
			p.members = "vvvon"
		}
	}
	return p
}

// config is a configuration with the given roles.
func (p *ensemblePlan) config(members string, version zk.Zxid) (*quorum.Config, error) {
	cfg, err := quorum.ParseConfig(configText(members) + p.groups)
	if err != nil {
		return nil, err
	}
	return cfg.WithVersion(version), nil
}

// configText is the text of a configuration with the given roles.
func configText(members string) string {
	var b strings.Builder
	for i, role := range members {
		switch role {
		case 'v':
			fmt.Fprintf(&b, "server.%d=h%d:1:2:participant;2181\n", i+1, i+1)
		case 'o':
			fmt.Fprintf(&b, "server.%d=h%d:1:2:observer;2181\n", i+1, i+1)
		}
	}
	return b.String()
}
