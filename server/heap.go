package server

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The garbage collector may let the heap grow by a share of what is live, and by so much at least: a server of a few
// megabytes would otherwise collect all the time, one of gigabytes would keep as much again in garbage. Live memory is
// mostly slabs without pointers, which cost the collector nothing.
const (
	heapSlackMin   = 40 << 20 // bytes
	heapSlackShare = 8        // of live bytes, one part in so many
	heapDefault    = 100      // Go's GOGC
)

// keepHeap sets the collector's target from what is live, after each collection until ctx ends. GOGC in the environment
// switches it off.
func keepHeap(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	collected := make(chan struct{}, 1)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	set := 0
	defer func() { debug.SetGCPercent(heapDefault) }()
	for {
		metrics.Read(live)
		if percent := heapPercent(live[0].Value.Uint64()); percent != set {
			set = percent
			debug.SetGCPercent(percent)
		}
		afterCollection(collected)
		select {
		case <-ctx.Done():
			return
		case <-collected:
		}
	}
}

// sentinel is garbage at once.
type sentinel struct{ _ [32]byte }

// afterCollection has c signalled once the next collection is over.
func afterCollection(c chan<- struct{}) {
	runtime.SetFinalizer(new(sentinel), func(*sentinel) {
		select {
		case c <- struct{}{}:
		default:
		}
	})
}

// heapPercent is GOGC for so many live bytes, in steps that make changes rare.
func heapPercent(live uint64) int {
	const step, most = 5, 1000
	live = max(live, 1<<20)
	slack := max(heapSlackMin, live/heapSlackShare)
	percent := min(slack*100/live, most)
	return int(max(percent/step*step, step))
}
