//go:build bench

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"paddock/client"
	"paddock/internal/freeport"
)

// doorLoad is one goal of the doors for programs: gRPC and HTTP.
type doorLoad struct {
	goal   string
	wanted float64
	// run loads a server until ctx ends, and counts what was done.
	run func(ctx context.Context, s *server, d *dialect, count *atomic.Int64) error
}

// doorLoads are the loads of all goals.
func doorLoads(watchers int) []doorLoad {
	// A side without pipelines is asked by one call for each.
	get := func(piped bool) func(context.Context, *server, *dialect, *atomic.Int64) error {
		return func(ctx context.Context, s *server, d *dialect, count *atomic.Int64) error {
			sized := func(value []byte) error {
				if n := len(value); n != doorBytes {
					return fmt.Errorf("a value of %d bytes", n)
				}
				return nil
			}
			if piped && d.pipes {
				return pipeDoors(ctx, s.grpc, count, func(p *client.Pipeline, r *rand.Rand) *client.Pending {
					return p.Get(string(doorKey(r.IntN(doorKeys))))
				},
					func(z client.Znode) error { return sized(z.Data) })
			}
			return callDoors(ctx, s.grpc, d.getMethod, count, func(r *rand.Rand) []byte { return d.get(r.IntN(doorKeys)) },
				func(answer []byte) error { return sized(d.value(answer)) })
		}
	}
	set := func(piped bool) func(context.Context, *server, *dialect, *atomic.Int64) error {
		return func(ctx context.Context, s *server, d *dialect, count *atomic.Int64) error {
			value := make([]byte, doorBytes)
			if piped && d.pipes {
				return pipeDoors(ctx, s.grpc, count, func(p *client.Pipeline, r *rand.Rand) *client.Pending {
					return p.Set(string(doorKey(r.IntN(doorKeys))), value, client.AnyVersion)
				}, func(client.Znode) error { return nil })
			}
			return callDoors(ctx, s.grpc, d.setMethod, count, func(r *rand.Rand) []byte { return d.set(r.IntN(doorKeys), value) },
				func([]byte) error { return nil })
		}
	}
	tell := func(streams int) func(context.Context, *server, *dialect, *atomic.Int64) error {
		return func(ctx context.Context, s *server, d *dialect, count *atomic.Int64) error {
			return tellDoors(ctx, s.grpc, d, watchers, streams, count)
		}
	}
	rest := func(ctx context.Context, s *server, d *dialect, count *atomic.Int64) error {
		return fetchDoors(ctx, s.http, count, d.rest)
	}
	raw := func(ctx context.Context, s *server, d *dialect, count *atomic.Int64) error {
		if d.raw == nil {
			return rest(ctx, s, d, count)
		}
		return fetchDoors(ctx, s.http, count, d.raw)
	}
	return []doorLoad{
		{"gRPC: get", 3, get(false)},
		{"gRPC: set", 3, set(false)},
		{"gRPC: get, Paddock's by pipelines of its client", 3, get(true)},
		{"gRPC: set, Paddock's by pipelines of its client", 3, set(true)},
		{fmt.Sprintf("gRPC: events to %d watches on 10 streams", watchers), 2, tell(10)},
		{fmt.Sprintf("gRPC: events to %d watches on %d streams", watchers, watchers), 2, tell(watchers)},
		{"HTTP: get, as JSON", 3, rest},
		{"HTTP: get, Paddock's as it is", 3, raw},
	}
}

// measureDoors runs all loads on etcd and on Paddock, round after round.
func measureDoors(t *testing.T, s settings, rep *report) {
	if rep.sides[1] == java {
		t.Skip("ZooKeeper has no such doors")
	}
	var sides [2]*server
	for i, k := range rep.sides {
		sides[i] = newServer(t, k, fmt.Sprintf("%s/doors%d", s.dir, i), 0)
		sides[i].grpc, sides[i].http = fmt.Sprintf("127.0.0.1:%d", freeport.Take(t)), fmt.Sprintf("127.0.0.1:%d", freeport.Take(t))
		if _, err := sides[i].start(); err != nil {
			t.Fatal(err)
		}
		if err := fillDoor(t.Context(), sides[i]); err != nil {
			t.Fatalf("%v: %v; its log ends:\n%s", k, err, sides[i].logTail())
		}
		sides[i].pause()
	}
	list := slices.DeleteFunc(doorLoads(s.watchers), func(l doorLoad) bool { return !strings.Contains(l.goal, s.load) })
	rows := make([]*row, len(list))
	for i, l := range list {
		rows[i] = rep.row(row{goal: l.goal, unit: "per CPU s", wanted: l.wanted})
	}
	for round := range s.rounds {
		for i, l := range list {
			var got [2]float64
			for j := range sides {
				side := (round + j) % 2
				got[side] = measureDoor(t, s, rep, sides[side], l)
			}
			rows[i].add(got[0], got[1])
			t.Logf("round %d of %d: %s: %v %s, %v %s", round+1, s.rounds, l.goal, rep.sides[0], figure(got[0]), rep.sides[1], figure(got[1]))
		}
	}
}

// fillDoor makes all keys.
func fillDoor(ctx context.Context, s *server) error {
	conn, err := dialDoor(s.grpc)
	if err != nil {
		return err
	}
	defer conn.Close()
	d := dialectOf(s.kind)
	value := make([]byte, doorBytes)
	var next atomic.Int64
	errs := make(chan error, doorCallers)
	for range doorCallers {
		go func() { // ends with the keys
			for {
				key := int(next.Add(1)) - 1
				if key >= doorKeys {
					errs <- nil
					return
				}
				in, out := d.fill(key, value), []byte(nil)
				if err := conn.Invoke(ctx, d.fillMethod, &in, &out, grpc.WaitForReady(true)); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range doorCallers {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

// measureDoor runs one load on one side, which is awake for as long, and returns operations per CPU second of the server.
func measureDoor(t *testing.T, s settings, rep *report, srv *server, l doorLoad) float64 {
	t.Helper()
	srv.resume()
	defer srv.pause()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var count atomic.Int64
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, srv, dialectOf(srv.kind), &count) }() // ends with ctx
	fail := func(err error) {
		t.Helper()
		t.Fatalf("%s on %v: %v; its log ends:\n%s", l.goal, srv.kind, err, srv.logTail())
	}
	pass := func(d time.Duration) {
		t.Helper()
		select {
		case err := <-ended:
			fail(fmt.Errorf("it ended by itself: %w", err))
		case <-time.After(d):
		}
	}
	for count.Load() == 0 { // until connections and watches are there
		pass(10 * time.Millisecond)
	}
	pass(s.warmup)
	before, done, cpu, began := readMachine(t, srv), count.Load(), processTicks(t, srv.pid()), time.Now()
	pass(s.duration)
	n, spent, took := count.Load()-done, processTicks(t, srv.pid())-cpu, time.Since(began)
	others := readMachine(t, srv).others(before)
	cancel()
	if err := <-ended; err != nil {
		fail(err)
	}
	rep.others = append(rep.others, others)
	t.Logf("%v: %s: %.0f per second; other processes took %.0f %% of the machine", srv.kind, l.goal, float64(n)/took.Seconds(), 100*others)
	return float64(n) / (float64(max(spent, 1)) * clockTick.Seconds())
}
