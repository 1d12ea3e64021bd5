//go:build bench

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paddock/internal/bench"
	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	// snapshotWriters is how many connections write, one request at a time each.
	snapshotWriters = 16
	// lookEvery is how often the directory is looked at for a snapshot being written.
	lookEvery = 5 * time.Millisecond
	// stillAfter is how long the file of a snapshot must have stayed as it is to count as complete. ZooKeeper writes
	// it under its final name; Paddock renames it in the end.
	stillAfter = 150 * time.Millisecond
)

// span is a time in which a snapshot was written, since the load began.
type span struct{ from, to time.Duration }

// sample is one write.
type sample struct{ at, took time.Duration }

// writeDuringSnapshots compares the latency of writes while snapshots of all znodes are written with that of other times.
func writeDuringSnapshots(t *testing.T, s settings, rep *report) {
	n := bench.Grouped(int64(s.znodes))
	name := fmt.Sprintf("set %d × 1", snapshotWriters)
	quiet := rep.row(row{goal: name + " beside " + n + " znodes, no snapshot", unit: "p99 µs", less: true})
	during := rep.row(row{goal: name + " during a snapshot of them", unit: "p99 µs", less: true})
	both := rep.row(row{goal: "the latter by the former", unit: "× quiet", wanted: 2, less: true, own: true})
	var q, d [2]float64
	for side, kind := range s.sides {
		srv := newServer(t, kind, fmt.Sprintf("%s/snapshot%d", s.dir, side), s.snapshot.txns)
		if _, err := srv.start(); err != nil {
			t.Fatal(err)
		}
		if err := bench.Fill(t.Context(), srv.addr, "/full", s.znodes, znodeBytes, nil); err != nil {
			t.Fatalf("fill %v: %v; its log ends:\n%s", kind, err, srv.logTail())
		}
		syscall.Sync() // what filling has left to be written is not the load's
		samples, spans := writeAndWatch(t, s, srv)
		srv.stop(syscall.SIGTERM)
		out, in := classify(samples, spans)
		if len(in) == 0 || len(out) == 0 {
			t.Fatalf("%v: %d writes during %d snapshots, %d at other times: nothing to compare", kind, len(in), len(spans), len(out))
		}
		q[side], d[side] = p99(out), p99(in)
		t.Logf("%v: %d snapshots %v; %d writes with p99 %.0f µs during them, %d with p99 %.0f µs at other times", kind, len(spans), spans,
			len(in), d[side], len(out), q[side])
	}
	quiet.add(q[0], q[1])
	during.add(d[0], d[1])
	both.add(d[0]/q[0], d[1]/q[1])
}

// writeAndWatch writes until enough snapshots have been made.
func writeAndWatch(t *testing.T, s settings, srv *server) ([]sample, []span) {
	ctx, cancel := context.WithTimeout(t.Context(), s.snapshot.most)
	defer cancel()
	began := time.Now()
	lists := make([][]sample, snapshotWriters)
	errs := make([]error, snapshotWriters)
	var writers sync.WaitGroup
	for i := range lists {
		writers.Go(func() { lists[i], errs[i] = write(ctx, srv.addr, i, began) }) // ends with ctx
	}
	spans := watchSnapshots(ctx, filepath.Join(srv.data(), "version-2"), began, s.snapshot.count)
	cancel()
	writers.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%v: %v; its log ends:\n%s", srv.kind, err, srv.logTail())
		}
	}
	return slices.Concat(lists...), spans
}

// write sets one znode again and again.
func write(ctx context.Context, addr string, i int, began time.Time) ([]sample, error) {
	c, err := client.Dial(ctx, addr, client.Options{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	req := zk.Request{Op: zk.OpSetData, Path: fmt.Sprintf("/full/p0/k%08d", i), Data: make([]byte, znodeBytes), Version: -1}
	var samples []sample
	for ctx.Err() == nil {
		req.Xid = 0
		sent := time.Now()
		r, err := c.Do(&req)
		if err == nil && r.Err != zk.OK {
			err = fmt.Errorf("set %s: %v", req.Path, r.Err)
		}
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{at: time.Since(began), took: time.Since(sent)})
	}
	return samples, nil
}

// watchSnapshots looks at the directory until count snapshots came and went and it was quiet for as long as the last one
// took, or ctx ends.
func watchSnapshots(ctx context.Context, dir string, began time.Time, count int) []span {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var spans []span
	last, changed, writing := "", time.Duration(0), false
	for {
		select {
		case <-ctx.Done():
			return spans
		case <-ticker.C:
		}
		now := time.Since(began)
		state := snapshotState(dir)
		if last == "" {
			last = state
		}
		if state != last {
			if !writing {
				writing = true
				spans = append(spans, span{from: now})
			}
			last, changed = state, now
		}
		if n := len(spans); writing {
			spans[n-1].to = changed
			writing = now-changed < stillAfter || strings.Contains(state, "writing.")
		} else if n >= count && now-changed > spans[n-1].to-spans[n-1].from {
			return spans
		}
	}
}

// snapshotState names all snapshots in the directory, finished or not, with their sizes.
func snapshotState(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "none"
	}
	var b strings.Builder
	b.WriteString("state")
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.Contains(e.Name(), "snapshot.") {
			fmt.Fprintf(&b, " %s %d", e.Name(), info.Size())
		}
	}
	return b.String()
}

// classify parts the writes that ended outside of all snapshots, by a margin, from those that ended within one.
func classify(samples []sample, spans []span) (out, in []time.Duration) {
	const margin = 100 * time.Millisecond
	for _, s := range samples {
		within, near := false, false
		for _, sp := range spans {
			within = within || s.at >= sp.from && s.at-s.took <= sp.to
			near = near || s.at >= sp.from-margin && s.at-s.took <= sp.to+margin
		}
		switch {
		case within:
			in = append(in, s.took)
		case !near:
			out = append(out, s.took)
		}
	}
	return out, in
}

// p99 is the 99th percentile in microseconds.
func p99(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)*99/100].Microseconds())
}
