//go:build bench

package bench

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"paddock/internal/bench"
	"paddock/internal/client"
	"paddock/internal/zk"
)

// znodeBytes is the data of each of the znodes.
const znodeBytes = 100

// startEmpty measures starts on an empty directory.
func startEmpty(t *testing.T, s settings, rep *report) {
	r := rep.row(row{goal: "start, empty", unit: "ms", wanted: 50, less: true, own: true})
	for round := range s.rounds {
		var got [2]float64
		for side, kind := range s.sides {
			srv := newServer(t, kind, fmt.Sprintf("%s/empty%d.%d", s.dir, side, round), 0)
			d, err := srv.start()
			if err != nil {
				t.Fatal(err)
			}
			got[side] = float64(d.Microseconds()) / 1e3
			srv.stop(syscall.SIGTERM)
		}
		r.add(got[0], got[1])
	}
}

// startFull measures memory of a server that was filled, its starts, and writes while it makes snapshots.
func startFull(t *testing.T, s settings, rep *report) {
	n := bench.Grouped(int64(s.znodes))
	grown := rep.row(row{goal: "memory for " + n + " znodes created", unit: "B of RSS each", wanted: 300, less: true, own: true})
	loaded := rep.row(row{goal: "memory for " + n + " znodes after a start", unit: "B of RSS each", less: true})
	start := rep.row(row{goal: "start with " + n + " znodes", unit: "ms", wanted: 1000, less: true, own: true})
	var created, restarted [2]float64
	starts := [2][]float64{}
	for side, kind := range s.sides {
		srv := newServer(t, kind, fmt.Sprintf("%s/full%d", s.dir, side), 0)
		if _, err := srv.start(); err != nil {
			t.Fatal(err)
		}
		empty := resident(t, srv)
		if err := bench.Fill(t.Context(), srv.addr, "/full", s.znodes, znodeBytes, nil); err != nil {
			t.Fatalf("fill %v: %v; its log ends:\n%s", kind, err, srv.logTail())
		}
		created[side] = (resident(t, srv) - empty) / float64(s.znodes)
		for range s.rounds {
			srv.stop(syscall.SIGTERM)
			d, err := srv.start()
			if err != nil {
				t.Fatal(err)
			}
			starts[side] = append(starts[side], float64(d.Microseconds())/1e3)
		}
		restarted[side] = (resident(t, srv) - empty) / float64(s.znodes)
		checkFull(t, s, srv)
		srv.stop(syscall.SIGTERM)
		t.Logf("%v: empty %.0f MB; %.0f B per znode created, %.0f after a start; starts in ms %.0f", kind, empty/1e6, created[side],
			restarted[side], starts[side])
	}
	grown.add(created[0], created[1])
	loaded.add(restarted[0], restarted[1])
	for i := range starts[0] {
		start.add(starts[0][i], starts[1][i])
	}
}

// resident is the server's memory in bytes.
func resident(t *testing.T, s *server) float64 {
	t.Helper()
	n, err := s.residentBytes()
	if err != nil {
		t.Fatal(err)
	}
	return float64(n)
}

// checkFull reads the count of znodes and one of them.
func checkFull(t *testing.T, s settings, srv *server) {
	t.Helper()
	c, err := client.Dial(t.Context(), srv.addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Do(&zk.Request{Op: zk.OpGetAllChildrenNumber, Path: "/full"})
	if err != nil || r.Err != zk.OK || int(r.Number) < s.znodes {
		t.Fatalf("%v: %d descendants of /full, %d were created (%v)", srv.kind, r.Number, s.znodes, err)
	}
	r, err = c.Do(&zk.Request{Op: zk.OpGetChildren, Path: "/full"})
	if err != nil || !slices.Contains(r.Names, "p0") {
		t.Fatalf("%v: children of /full: %v (%v)", srv.kind, r, err)
	}
	r, err = c.Do(&zk.Request{Op: zk.OpGetData, Path: "/full/p0/k00000000"})
	if err != nil || len(r.Data) != znodeBytes {
		t.Fatalf("%v: first znode: %v (%v)", srv.kind, r, err)
	}
}
