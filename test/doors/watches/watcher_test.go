//go:build doors

package watches

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"paddock/client"
)

// Chances, one in so many.
const (
	stallOdds = 150 // that a reader stalls at a message
	awayOdds  = 8   // that it stays away for a while after a cut
)

const (
	awayTime   = 6 * time.Second
	stallTime  = 8 * time.Second
	stallBytes = 8 << 20 // after which a reader that stalled must have been cut
)

// test is what watchers share.
type test struct {
	*record
	grpc, http []*proxy // of each server
	calm       atomic.Bool
	settled    int // znodes made so that all are told

	streams, stalls, slow, gone, goneStatus, old, refused atomic.Int64
}

// watcher is who is told of one scope. It belongs to one goroutine, but for at.
type watcher struct {
	*test
	told
	at atomic.Uint64 // told all up to here
}

// newWatcher is who is told after a zxid; it is a stranger if its name says so.
func newWatcher(t *test, name string, s scope, from uint64) *watcher {
	w := &watcher{test: t, told: told{name: name, stranger: strings.HasPrefix(name, "stranger"), scope: s, stretches: []stretch{{after: from, upTo: from}}}}
	w.at.Store(from)
	return w
}

// take takes changes of whole transactions, and all there is up to a zxid.
func (w *watcher) take(list []change, upTo uint64) {
	s := &w.stretches[len(w.stretches)-1]
	s.told = append(s.told, list...)
	s.upTo = max(s.upTo, upTo)
	w.at.Store(s.upTo)
	if slices.ContainsFunc(list, func(c change) bool { return c.kind != client.Created && c.previous == 0 && c.oldList == 0 }) {
		w.old.Add(1)
	}
}

// relist begins again with a list, since history is gone.
func (w *watcher) relist(ctx context.Context, zxid uint64) {
	w.gone.Add(1)
	list, at := w.list(ctx, w.path, zxid)
	if list == nil {
		return
	}
	w.stretches = append(w.stretches, stretch{list: list, after: at, upTo: at})
	w.at.Store(at)
}

// perhapsStall stops reading now and then, until enough has been written that a server must have had enough of it.
func (t *test) perhapsStall(ctx context.Context) {
	if t.calm.Load() || rand.N(stallOdds) != 0 || t.stalled.Load() > 0 {
		return
	}
	t.stalls.Add(1)
	t.stalled.Add(1)
	defer t.stalled.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, stallTime)
	defer cancel()
	for from := t.written.Load(); t.written.Load() < from+stallBytes && ctx.Err() == nil && !t.calm.Load(); {
		wait(ctx, 20*time.Millisecond)
	}
}

// perhapsAway stays away now and then.
func (t *test) perhapsAway(ctx context.Context) {
	if !t.calm.Load() && rand.N(awayOdds) == 0 {
		wait(ctx, rand.N(awayTime))
		return
	}
	wait(ctx, rand.N(20*time.Millisecond))
}
