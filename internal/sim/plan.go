package sim

import (
	"fmt"
	"math/rand/v2"
	"syscall"

	"paddock/storage/snapshot"
	"paddock/storage/vfs"
)

// ending is how a life of the server comes to its end, unless something happens to it before.
type ending uint8

const (
	endCrash ending = iota // the power goes
	endKill                // the process is killed; what it wrote stays, synced or not
	endStop                // it is stopped in good order
	endings
)

var endingNames = [endings]string{"crash", "kill", "stop"}

func (e ending) String() string { return endingNames[e] }

// life is one start of the server and what becomes of it.
type life struct {
	steps   int
	crashAt int  // the power goes at this change of the file system, counted from the start; 0 for never
	killed  bool // or only the process is killed then
	end     ending
	fault   *fault // what is wrong with the disk
}

// fault is an error of the disk at the nth operation of a kind in a life.
type fault struct {
	kind    vfs.Kind
	file    string // only on files of this kind, as kindOf names them; any if empty
	n       int
	err     error
	forever bool // and at every later one
}

// plan is what a seed chooses before anything happens.
type plan struct {
	lives        []life
	clients      int
	snapshotTxns int64
	logFileBytes int64 // a log rolls after so many; 0 for only with a snapshot
	prepareBytes int64
	logDir       string
	marker       bool // a new database must be allowed by a marker file
	compression  snapshot.Compression
	zeros        bool // most data is zeros, which looks like a log's unwritten end
	everyCrash   bool // a crash is tried out at every operation, not at some
	crashesMax   int  // tried out, at most
}

func makePlan(rng *rand.Rand) plan {
	p := plan{
		clients:      1 + rng.IntN(5),
		snapshotTxns: int64(6 + rng.IntN(60)),
		logFileBytes: []int64{0, 0, 900, 5000}[rng.IntN(4)],
		prepareBytes: []int64{-1, 600, 2048, 6000}[rng.IntN(4)],
		logDir:       []string{"data", "log"}[rng.IntN(2)],
		marker:       rng.IntN(4) == 0,
		zeros:        rng.IntN(4) == 0,
		everyCrash:   rng.IntN(40) == 0,
		crashesMax:   6 + rng.IntN(6),
	}
	switch rng.IntN(20) {
	case 0:
		p.compression = snapshot.Gzip
	case 1, 2:
		p.compression = snapshot.Snappy
	}
	lives := 1 + rng.IntN(4)
	if p.everyCrash {
		lives = min(lives, 2)
	}
	for range lives {
		p.lives = append(p.lives, makeLife(rng))
	}
	return p
}

// String is one line for traces.
func (f *fault) String() string {
	if f == nil {
		return "no fault"
	}
	s := fmt.Sprintf("%v at %v %d", f.err, f.kind, f.n)
	if f.file != "" {
		s += " of " + f.file
	}
	if f.forever {
		s += " and later"
	}
	return s
}

func makeLife(rng *rand.Rand) life {
	l := life{steps: 60 + rng.IntN(240), end: ending(rng.IntN(int(endings)))}
	switch rng.IntN(10) {
	case 0, 1: // soon: while it starts
		l.crashAt = 1 + rng.IntN(20)
	case 2, 3, 4:
		l.crashAt = 1 + rng.IntN(200)
	case 5, 6, 7:
		kinds := vfs.Kinds()
		l.fault = &fault{kind: kinds[rng.IntN(len(kinds))], n: 1 + rng.IntN(1+rng.IntN(30)), forever: rng.IntN(2) == 0,
			err: []error{syscall.EIO, syscall.ENOSPC}[rng.IntN(2)]}
		if rng.IntN(2) == 0 {
			l.fault.file = []string{"log", "spare log", "snapshot", "unfinished snapshot"}[rng.IntN(4)]
			l.fault.n = 1 + rng.IntN(4)
		}
	}
	l.killed = rng.IntN(3) == 0
	return l
}
