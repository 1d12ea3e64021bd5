//go:build doors

package watches

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

var duration = flag.Duration("duration", 2*time.Minute, "how long changes are made; 30s with -short unless it is given")

// settleTime is how long watchers may take to be told the last change.
const settleTime = 2 * time.Minute

const (
	existAwaited = 6       // znodes that are watched before they are there
	calmNames    = 100_000 // the first name of a writer when all is calm
)

// TestEveryChangeIsToldOnceAndInOrder has watchers of all kinds told of changes, and of access lists that
// strangers have to heed, while their connections are cut, servers killed and readers
// stall, and judges what they were told.
func TestEveryChangeIsToldOnceAndInOrder(t *testing.T) {
	servers := rig.Ensemble(t, 3, "tickTime=500", "historyBytes=2097152", "snapCount=800", "txnLogSizeLimitInKb=1024", "preAllocSize=64", "autopurge.purgeInterval=1")
	u := &test{record: newRecord(t, servers)}
	for _, s := range servers {
		u.grpc = append(u.grpc, newProxy(t, s.GRPC))
		u.http = append(u.http, newProxy(t, s.HTTP))
	}
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	roots := []string{"/w"}
	for i := range writers {
		roots = append(roots, fmt.Sprint("/w/", i))
	}
	var from uint64
	for _, root := range roots {
		create := u.create(root)
		create.GetCreate().Acl = publicACL
		if from = u.attempt(t.Context(), create); from == 0 {
			t.Fatalf("cannot create %s", root)
		}
	}
	watchers, wait := u.watch(watching, from)
	u.disturb(t, servers, roots[1:])
	live := u.settle(t, watchers, roots)
	u.calmly(t, roots)
	u.settle(t, watchers, roots)
	stop()
	wait()

	list, at := u.list(t.Context(), "/w", 0)
	all := []told{{name: "the end", scope: scope{"/w", recursive}, stretches: []stretch{{list: list, after: at, upTo: at}}}}
	for _, w := range watchers {
		all = append(all, w.told)
	}
	changes := 0
	for _, w := range all {
		for _, s := range w.stretches {
			changes += len(s.told)
		}
	}
	cuts := int64(0)
	for _, p := range append(u.grpc, u.http...) {
		cuts += p.cuts.Load()
	}
	t.Logf("%d writes, %d changes told on %d streams; %d cut, %d readers stalled, %d slow, %d without history (%d by status), %d transactions from logs, %d refused",
		len(u.writes), changes, u.streams.Load(), cuts, u.stalls.Load(), u.slow.Load(), u.gone.Load(), u.goneStatus.Load(), u.old.Load(), u.refused.Load())
	faults, denied := judge(u.writes, all, live)
	t.Logf("%d changes were kept from strangers", denied)
	if denied == 0 {
		t.Error("nothing was kept from anybody")
	}
	if cuts == 0 || u.old.Load() == 0 || u.stalls.Load() == 0 {
		t.Error("nothing was disturbed: no connection cut, no reader stalled or nothing read from logs")
	}
	for _, f := range faults[:min(len(faults), 20)] {
		t.Error(f)
	}
}

// watch starts watchers of all kinds. They end with ctx; wait waits for that.
func (u *test) watch(ctx context.Context, from uint64) (all []*watcher, wait func()) {
	var wg sync.WaitGroup
	add := func(name string, s scope) *watcher {
		w := newWatcher(u, name, s, from)
		w.lists = len(all)%2 == 0
		all = append(all, w)
		return w
	}
	everything := scope{"/w", recursive}
	for i := range 2 {
		w := add(fmt.Sprint("stubs ", i), everything)
		wg.Go(func() { raw(ctx, w) })
		many := []*watcher{
			add(fmt.Sprint("stream with three, recursive ", i), everything), add(fmt.Sprint("stream with three, part ", i), scope{"/w/0", recursive}),
			add(fmt.Sprint("stream with three, node ", i), scope{"/w/1", node}),
		}
		wg.Go(func() { raw(ctx, many...) })
		l := add(fmt.Sprint("client ", i), everything)
		wg.Go(func() { library(ctx, l) })
		e := add(fmt.Sprint("events ", i), everything)
		wg.Go(func() { events(ctx, e) })
	}
	l := add("client, node", scope{"/w/2", node})
	wg.Go(func() { library(ctx, l) })
	part := add("events, node", scope{"/w/3", node})
	wg.Go(func() { events(ctx, part) })
	for _, who := range []string{"reader", "stranger"} {
		var many []*watcher
		for _, s := range []scope{everything, {"/w/0", dataOnce}, {"/w/0", childrenOnce}, {"/w/1", dataOnce}, {"/w/1", childrenOnce}, {"/w/2", node}} {
			many = append(many, add(fmt.Sprint(who, " of ", s), s))
		}
		for i := range existAwaited { // of names that are given later
			s := scope{fmt.Sprint("/w/", i%writers, "/", 10+20*i), dataOnce}
			many = append(many, add(fmt.Sprint(who, " of ", s), s))
		}
		wg.Go(func() { raw(ctx, many...) })
		for _, s := range []scope{everything, {"/w/1", node}, {"/w/2", dataOnce}, {"/w/3", childrenOnce}} {
			w := add(fmt.Sprint(who, " of events of ", s), s)
			wg.Go(func() { events(ctx, w) })
		}
	}
	return all, wg.Wait
}

// disturb writes and kills servers for the time of the test, and leaves all of them running.
func (u *test) disturb(t *testing.T, servers []*rig.Server, roots []string) {
	d := *duration
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "duration" })
	if testing.Short() && !given {
		d = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, root := range roots {
		wg.Go(func() { u.write(ctx, root, 0) })
	}
	for {
		wait(ctx, 2*time.Second+rand.N(4*time.Second))
		if ctx.Err() != nil {
			return
		}
		s := servers[rand.N(len(servers))]
		if rand.N(2) == 0 {
			s = leader(servers, s)
		}
		s.Kill()
		wait(ctx, rand.N(3*time.Second))
		s.Run(t)
		s.Ready(t)
	}
}

// leader is the server that leads; another if none says so.
func leader(servers []*rig.Server, another *rig.Server) *rig.Server {
	for _, s := range servers {
		if s.Leads() == nil {
			return s
		}
	}
	return another
}

// calmly makes changes undisturbed, which all are told from memory.
func (u *test) calmly(t *testing.T, roots []string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, root := range roots[1:] {
		wg.Go(func() { u.write(ctx, root, calmNames) })
	}
	wg.Wait()
}

// settle has everybody be told a last change, undisturbed, and returns its zxid. The znodes that are watched are public then, so that
// all are told; those that are not watched do not change.
func (u *test) settle(t *testing.T, watchers []*watcher, roots []string) (newest uint64) {
	u.calm.Store(true)
	for _, p := range append(u.grpc, u.http...) {
		p.calm.Store(true)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settleTime)
	defer cancel()
	last := map[string]uint64{}
	for _, root := range roots {
		u.insist(ctx, func() []*paddockv1.Operation { return []*paddockv1.Operation{u.setAccess(root, publicACL)} })
		last[root] = u.insist(ctx, func() []*paddockv1.Operation {
			u.settled++
			return []*paddockv1.Operation{u.set(root), u.create(fmt.Sprint(root, "/settled", u.settled))}
		})
		newest = max(newest, last[root])
	}
	for _, w := range watchers {
		for w.at.Load() < last[w.path] && ctx.Err() == nil {
			wait(ctx, 10*time.Millisecond)
		}
		if ctx.Err() != nil {
			t.Errorf("%s is told nothing after %#x; the last change is at %#x", w.name, w.at.Load(), last[w.path])
		}
	}
	return newest
}
