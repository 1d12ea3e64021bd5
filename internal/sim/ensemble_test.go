package sim

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	alwaysFlag = flag.String("always", "", "settings that every ensemble has, between commas: groups, local, readonly, reads, transfers, reconfig, masters")
	plantFlag  = flag.Int("exhibit", 0, "plant this mistake in an ensemble, by its number")
)

func TestEnsembleSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		opt := EnsembleOptions{Seed: uint64(*seedFlag), Plant: Exhibit(*plantFlag), Always: *alwaysFlag}
		if testing.Verbose() {
			opt.Trace = os.Stdout
		}
		reportEnsemble(t, uint64(*seedFlag), RunEnsemble(opt))
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var (
		mu     sync.Mutex // guards what follows
		next   int
		counts = map[string]int{}
		wg     sync.WaitGroup
	)
	runs := *runsFlag
	if testing.Short() {
		runs = min(runs, 6)
	}
	seeds := failedBefore(t, "testdata/ensembles.txt")
	for seed := range uint64(runs) {
		seeds = append(seeds, *fromFlag+seed)
	}
	tasks := runtime.NumGoroutine()
	for range min(2, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(seeds) || t.Failed() {
					return
				}
				seed := seeds[i]
				out := RunEnsemble(EnsembleOptions{Seed: seed, Plant: Exhibit(*plantFlag), Always: *alwaysFlag})
				mu.Lock()
				for what, n := range out.Counts {
					counts[what] += n
				}
				reportEnsemble(t, seed, out)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	noTaskIsLeft(t, tasks)
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%8d %s\n", counts[what], what)
	}
	t.Logf("%d seeds:\n%s", len(seeds), b.String())
	if runs < ensembleSeedsForCoverage || *alwaysFlag != "" {
		return
	}
	for _, what := range mustHappen {
		if counts[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
}

// ensembleSeedsForCoverage is from how many seeds on everything must have happened that a run is made to see.
const ensembleSeedsForCoverage = 300

// mustHappen is what a long run must have seen.
var mustHappen = []string{
	"DIFF", "TRUNC", "SNAP", "log sent", "installed", "truncated", "truncated and reloaded",
	"halves", "bridge", "one-way", "one cut off", "paused", "disk failure", "ended by its disk", "crash while starting",
	"leading", "following", "observing", "session expired", "session moved", "closed: session_moved", "closed: client_zxid_ahead",
	"reconfigured", "transfer asked", "disk replaced", "linearizable read", "session upgraded", "local session expired",
	"read of a read-only server", "write refused by a read-only server", "sync of a leader", "sync of a learner",
	"crash at sync of log", "crash at write of log", "crash at write of epoch", "crash at sync of epoch", "crash at rename of epoch",
	"crash at syncdir of version-2", "crash at rename of unfinished snapshot",
}

func reportEnsemble(t *testing.T, seed uint64, out EnsembleOutcome) {
	if out.Err == nil {
		return
	}
	t.Errorf("seed %d: %v\n\nThe end of its trace:\n  %s\n\nReplay it with:\n  go test -count=1 ./internal/sim -run TestEnsembleSimulation -args -seed=%d -always=%s",
		seed, out.Err, strings.Join(out.Tail, "\n  "), seed, *alwaysFlag)
}

func TestAnEnsembleSeedAlwaysGivesTheSameTrace(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		a, b := RunEnsemble(EnsembleOptions{Seed: seed, Traced: true}), RunEnsemble(EnsembleOptions{Seed: seed, Traced: true})
		if a.Hash != b.Hash || a.Hash == 0 {
			t.Errorf("seed %d: traces %x and %x", seed, a.Hash, b.Hash)
		}
		if quiet := RunEnsemble(EnsembleOptions{Seed: seed}); quiet.Mark != a.Mark || quiet.Hash != 0 {
			t.Errorf("seed %d: it goes another way without a trace: %x and %x", seed, quiet.Mark, a.Mark)
		}
	}
}
