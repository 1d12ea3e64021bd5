package sim

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag = flag.Int64("seed", -1, "play this seed only")
	runsFlag = flag.Int("runs", 30, "how many seeds to play")
	fromFlag = flag.Uint64("from", 0, "the first of them")
)

func TestSimulation(t *testing.T) {
	if *seedFlag >= 0 {
		report(t, uint64(*seedFlag), Run(Options{Seed: uint64(*seedFlag)}))
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // the heap is tiny, and snapshots take large buffers for a moment
	seeds := failedBefore(t, "testdata/seeds.txt")
	for seed := range uint64(*runsFlag) {
		seeds = append(seeds, *fromFlag+seed)
	}
	var (
		mu                   sync.Mutex // guards what follows
		next                 int
		crashes, failures    Coverage
		lives, txns, stopped int
		wg                   sync.WaitGroup
	)
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
				out := Run(Options{Seed: seed})
				mu.Lock()
				crashes.Merge(out.Crashes)
				lives += out.Lives
				txns += out.Txns
				failures.Merge(out.Failures)
				stopped += out.Stopped
				report(t, seed, out)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	noTaskIsLeft(t, tasks)
	t.Logf("%d seeds, %d starts, %d txns, %d crashes before\n%v%d failures, %d lives stopped by them:\n%v",
		len(seeds), lives, txns, crashes.Total(), crashes, failures.Total(), stopped, failures)
	if *runsFlag < seedsForCoverage {
		return
	}
	if missing := crashes.MissingCrashes(); len(missing) > 0 {
		t.Errorf("no crash was tried before: %s", strings.Join(missing, ", "))
	}
	if missing := failures.MissingFailures(); len(missing) > 0 {
		t.Errorf("never failed: %s", strings.Join(missing, ", "))
	}
}

// noTaskIsLeft checks that every task of every server has ended with it: each is a coroutine, which holds its whole world. It looks for
// a while, since a goroutine that has said that it is done is counted until it has returned; a task that is left never ends.
func noTaskIsLeft(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Errorf("%d tasks outlive their worlds", runtime.NumGoroutine()-before)
			return
		}
		runtime.Gosched()
	}
}

// seedsForCoverage is from how many seeds on every kind of operation must have been interrupted and have failed.
const seedsForCoverage = 5000

// failedBefore are the seeds that have once found something.
func failedBefore(t *testing.T, file string) []uint64 {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var seeds []uint64
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		seed, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
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
