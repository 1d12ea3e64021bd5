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
