package sim

import (
	"flag"
	"runtime"
	"strings"
	"sync"
	"testing"
)

var (
	seedFlag = flag.Int64("seed", -1, "play this seed only")
	runsFlag = flag.Int("runs", 30, "how many seeds to play")
)

func TestSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		report(t, uint64(*seedFlag), Run(Options{Seed: uint64(*seedFlag)}))
		return
	}
	var (
		mu                           sync.Mutex // guards what follows
		next                         uint64
		coverage                     Coverage
		lives, txns, faults, stopped int
		wg                           sync.WaitGroup
	)
	for range min(2, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				mu.Unlock()
				if seed >= uint64(*runsFlag) || t.Failed() {
					return
				}
				out := Run(Options{Seed: seed})
				mu.Lock()
				coverage.Merge(out.Coverage)
				lives += out.Lives
				txns += out.Txns
				faults += out.Faults
				stopped += out.Stopped
				report(t, seed, out)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds, %d starts, %d txns, %d failed operations, %d lives stopped, %d crashes:\n%v", *runsFlag, lives, txns, faults, stopped, coverage.Total(), coverage)
	if missing := coverage.Missing(); len(missing) > 0 && *runsFlag >= 1000 {
		t.Errorf("no crash was tried before: %s", strings.Join(missing, ", "))
	}
}

func report(t *testing.T, seed uint64, out Outcome) {
	if out.Err == nil {
		return
	}
	t.Errorf("seed %d: %v\n\nThe end of its trace:\n  %s\n\nReplay it with:\n  go test -count=1 ./internal/sim -run TestSimulation -args -seed=%d",
		seed, out.Err, strings.Join(out.Tail, "\n  "), seed)
}

// seedsMax is within how many seeds a planted mistake must be found.
const seedsMax = 300

func TestPlantedBugsAreFound(t *testing.T) {
	for _, b := range Bugs() {
		t.Run(b.String(), func(t *testing.T) {
			for seed := range uint64(seedsMax) {
				if out := Run(Options{Seed: seed, Bug: b}); out.Err != nil {
					first, _, _ := strings.Cut(out.Err.Error(), "\n")
					t.Logf("seed %d: %.200s", seed, first)
					return
				}
			}
			t.Errorf("not found within %d seeds", seedsMax)
		})
	}
}

func TestASeedAlwaysGivesTheSameTrace(t *testing.T) {
	for seed := range uint64(12) {
		a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed})
		if a.Hash != b.Hash || a.Txns != b.Txns {
			t.Errorf("seed %d: traces %x and %x, %d and %d txns", seed, a.Hash, b.Hash, a.Txns, b.Txns)
		}
		if other := Run(Options{Seed: seed + 1}); other.Hash == a.Hash {
			t.Errorf("seeds %d and %d give the same trace", seed, seed+1)
		}
	}
}
