//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"paddock/internal/bench"
	"paddock/internal/freeport"
)

// ensembleSize is how many servers an ensemble has here.
const ensembleSize = 3

// ensembleLoads are the loads of three servers. Clients are spread over all of them.
func ensembleLoads(s settings) []load {
	list := []load{
		{goal: "three servers: set 64 × 32", wanted: 6, opt: bench.Options{Workload: bench.Set, Connections: 64, Outstanding: 32}},
		{goal: "three servers: set 64 × 32, a second", wanted: 4, rate: true, opt: bench.Options{Workload: bench.Set, Connections: 64, Outstanding: 32}},
		{goal: "three servers: get 64 × 32", wanted: 10, opt: bench.Options{Workload: bench.Get, Connections: 64, Outstanding: 32}},
		{goal: "three servers: 90 % get, 10 % set 64 × 32", wanted: 6, opt: bench.Options{Workload: bench.Mixed, Connections: 64, Outstanding: 32}},
		{goal: "three servers: set 1 × 1", wanted: .6, p50: true, opt: bench.Options{Workload: bench.Set, Connections: 1, Outstanding: 1}},
	}
	for i := range list {
		list[i].opt.Duration, list[i].opt.Warmup = s.duration, s.warmup
	}
	return list
}

// measureEnsembles runs the loads on an ensemble of each side. Both run all the time, since servers that are stopped lose their
// leader; one that has nothing to do takes about a hundredth of a processor.
func measureEnsembles(t *testing.T, s settings, rep *report) {
	var sides [2][]*server
	for i, k := range s.sides {
		sides[i] = startEnsemble(t, k, fmt.Sprintf("%s/ensemble%d", s.dir, i))
	}
	list := ensembleLoads(s)
	rows := make([]*row, len(list))
	for i, l := range list {
		rows[i] = rep.row(row{goal: l.goal, unit: "per CPU s", wanted: l.wanted})
		switch {
		case l.p50:
			rows[i].unit, rows[i].less = "p50 µs", true
		case l.rate:
			rows[i].unit = "per s"
		}
	}
	if s.heat >= 0 {
		for _, side := range sides {
			for _, l := range list {
				l.opt.Duration, l.opt.Warmup = s.heat, -1
				runEnsemble(t, side, l)
			}
		}
	}
	for round := range s.rounds {
		for i, l := range list {
			var got [2]float64
			for j := range sides {
				side := (round + j) % 2
				res, others := runEnsemble(t, sides[side], l)
				rep.others = append(rep.others, others)
				got[side] = l.figure(res)
			}
			rows[i].add(got[0], got[1])
			t.Logf("round %d of %d: %s: %v %s, %v %s", round+1, s.rounds, l.goal, s.sides[0], figure(got[0]), s.sides[1], figure(got[1]))
		}
	}
}

// startEnsemble starts three servers that are members of one ensemble.
func startEnsemble(t *testing.T, k kind, dir string) (list []*server) {
	t.Helper()
	lines := []string{"initLimit=10", "syncLimit=5"}
	for i := range ensembleSize {
		s := newServer(t, k, filepath.Join(dir, fmt.Sprint(i+1)), 0)
		if err := os.WriteFile(filepath.Join(s.data(), "myid"), fmt.Appendln(nil, i+1), 0o644); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, freeport.Take(t), freeport.Take(t)))
		list = append(list, s)
	}
	for _, s := range list {
		s.member = lines
		if err := s.launch(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range list {
		if err := s.await(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// runEnsemble runs one load on an ensemble.
func runEnsemble(t *testing.T, servers []*server, l load) (res *bench.Result, others float64) {
	t.Helper()
	l.opt.Servers, l.opt.PIDs = nil, nil
	for _, s := range servers {
		l.opt.Servers, l.opt.PIDs = append(l.opt.Servers, s.addr), append(l.opt.PIDs, s.pid())
	}
	before := readMachine(t, servers...)
	res, err := bench.Run(t.Context(), l.opt)
	if err != nil {
		t.Fatalf("%s on %v: %v; its log ends:\n%s", l.goal, servers[0].kind, err, servers[0].logTail())
	}
	return res, readMachine(t, servers...).others(before)
}
