//go:build doors

package watches

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

var duration = flag.Duration("duration", 2*time.Minute, "how long changes are made; 30s with -short unless it is given")

// settleTime is how long watchers may take to be told the last change.
const settleTime = 2 * time.Minute

// TestEveryChangeIsToldOnceAndInOrder has watchers of all kinds told of changes while their connections are cut, servers killed and readers
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
		if from = u.attempt(t.Context(), u.create(root)); from == 0 {
			t.Fatalf("cannot create %s", root)
		}
	}
	watchers, wait := u.watch(watching, from)
	u.disturb(t, servers, roots[1:])
	u.settle(t, watchers, roots)
	stop()
	wait()

	list, at := u.list(t.Context(), "/w", 0)
	all := []told{{name: "the end", scope: scope{"/w", true}, stretches: []stretch{{list: list, after: at, upTo: at}}}}
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
	if cuts == 0 || u.old.Load() == 0 || u.stalls.Load() == 0 {
		t.Error("nothing was disturbed: no connection cut, no reader stalled or nothing read from logs")
	}
	faults := judge(u.writes, all)
	for _, f := range faults[:min(len(faults), 20)] {
		t.Error(f)
	}
}

// watch starts watchers of all kinds. They end with ctx; wait waits for that.
func (u *test) watch(ctx context.Context, from uint64) (all []*watcher, wait func()) {
	var wg sync.WaitGroup
	add := func(name string, s scope) *watcher {
		all = append(all, newWatcher(u, name, s, from))
		return all[len(all)-1]
	}
	everything := scope{"/w", true}
	for i := range 2 {
		w := add(fmt.Sprint("stubs ", i), everything)
		wg.Go(func() { raw(ctx, w) })
		many := []*watcher{
			add(fmt.Sprint("stream with three, recursive ", i), everything), add(fmt.Sprint("stream with three, part ", i), scope{"/w/0", true}),
			add(fmt.Sprint("stream with three, node ", i), scope{"/w/1", false}),
		}
		wg.Go(func() { raw(ctx, many...) })
		l := add(fmt.Sprint("client ", i), everything)
		wg.Go(func() { library(ctx, l) })
		e := add(fmt.Sprint("events ", i), everything)
		wg.Go(func() { events(ctx, e) })
	}
	node := add("client, node", scope{"/w/2", false})
	wg.Go(func() { library(ctx, node) })
	part := add("events, node", scope{"/w/3", false})
	wg.Go(func() { events(ctx, part) })
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
		wg.Go(func() { u.write(ctx, root) })
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
		conn, err := net.DialTimeout("tcp", s.Jute, time.Second)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_, err = conn.Write([]byte("srvr"))
		answer, err2 := io.ReadAll(conn)
		_ = conn.Close()
		if errors.Join(err, err2) == nil && bytes.Contains(answer, []byte("Mode: leader")) {
			return s
		}
	}
	return another
}

// settle has everybody be told a last change, undisturbed.
func (u *test) settle(t *testing.T, watchers []*watcher, roots []string) {
	u.calm.Store(true)
	for _, p := range append(u.grpc, u.http...) {
		p.calm.Store(true)
	}
	ctx, cancel := context.WithTimeout(t.Context(), settleTime)
	defer cancel()
	last := map[string]uint64{}
	for _, root := range roots {
		last[root] = u.insist(ctx, func() *paddockv1.Operation { return u.set(root) })
	}
	for _, w := range watchers {
		for w.at.Load() < last[w.path] && ctx.Err() == nil {
			wait(ctx, 10*time.Millisecond)
		}
		if ctx.Err() != nil {
			t.Errorf("%s is told nothing after %#x; the last change is at %#x", w.name, w.at.Load(), last[w.path])
		}
	}
}
