package bench

import (
	"context"
	"sync"
	"time"
)

// group is the goroutines of a load, the stage they share, and the context that ends when one of them fails: its cause is
// the first failure. The goroutine that made it directs it.
type group struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	stage    *stage
	loops    sync.WaitGroup
	progress func(Progress)
}

func newGroup(ctx context.Context, progress func(Progress)) *group {
	g := &group{stage: &stage{base: time.Now()}, progress: progress}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g
}

// run starts a goroutine, which must end when the stage stops, and when the context ends.
func (g *group) run(f func() error) {
	g.loops.Go(func() {
		if err := f(); err != nil {
			g.cancel(err)
		}
	})
}

// during waits for a time, less if ctx ends or the group fails.
func (g *group) during(ctx context.Context, name string, d time.Duration) {
	if d <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	g.until(ctx.Done(), name, d)
}

// until waits for done or a failure, reports progress, and fails the group when replies stop coming.
func (g *group) until(done <-chan struct{}, name string, total time.Duration) {
	began, before := time.Now(), g.stage.live.Load()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last, idle := before, 0
	for {
		select {
		case <-done:
			return
		case <-g.ctx.Done():
			return
		case <-ticker.C:
		}
		live := g.stage.live.Load()
		if live != last {
			last, idle = live, 0
		} else if idle++; idle >= stallTicks {
			g.cancel(errStalled)
			return
		}
		if g.progress != nil {
			g.progress(Progress{Stage: name, Elapsed: time.Since(began), Total: total, Operations: live - before})
		}
	}
}

// ended is closed when all goroutines have ended.
func (g *group) ended() <-chan struct{} {
	done := make(chan struct{})
	go func() { // ends with the loops, which all its callers wait for
		g.loops.Wait()
		close(done)
	}()
	return done
}

// drain waits for the goroutines to end by themselves, makes them end if that takes too long, and returns why the group
// failed, if it did.
func (g *group) drain() error {
	t := time.AfterFunc(drainTimeout, func() { g.cancel(errUnanswered) })
	g.loops.Wait()
	t.Stop()
	return context.Cause(g.ctx)
}
