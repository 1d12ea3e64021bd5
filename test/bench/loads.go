//go:build bench

package bench

import (
	"fmt"
	"testing"

	"paddock/internal/bench"
)

// load is one goal that a load shows.
type load struct {
	goal   string
	opt    bench.Options
	wanted float64
	p50    bool // the figure is the median latency, else operations per CPU second of the server
	rate   bool // the figure is operations per second
}

// loads are the loads of all goals. Create deletes what it made once there are createMax znodes: without a limit the
// faster server would soon have the larger tree, and snapshots of it to write.
func loads(s settings) []load {
	const createMax = 100_000
	list := []load{
		{goal: "get 16 × 16", wanted: 15, opt: bench.Options{Workload: bench.Get, Connections: 16, Outstanding: 16}},
		{goal: "get 64 × 32", wanted: 15, opt: bench.Options{Workload: bench.Get, Connections: 64, Outstanding: 32}},
		{goal: "set 64 × 32", wanted: 8, opt: bench.Options{Workload: bench.Set, Connections: 64, Outstanding: 32}},
		{goal: "create and delete 64 × 32", wanted: 8, opt: bench.Options{Workload: bench.Create, Connections: 64, Outstanding: 32, Keys: createMax}},
		{goal: "90 % get, 10 % set 64 × 32", wanted: 10, opt: bench.Options{Workload: bench.Mixed, Connections: 64, Outstanding: 32}},
		{goal: "get 256 × 1", wanted: 2, opt: bench.Options{Workload: bench.Get, Connections: 256, Outstanding: 1}},
		{goal: "set 256 × 1", wanted: 3, opt: bench.Options{Workload: bench.Set, Connections: 256, Outstanding: 1}},
		{goal: "sessions opened and closed, 16 at a time", wanted: 4, opt: bench.Options{Workload: bench.Session, Connections: 16}},
		{goal: "ephemerals, 16 sessions with 16 each", opt: bench.Options{Workload: bench.Ephemeral, Connections: 16, Outstanding: 16}},
		{goal: fmt.Sprintf("events to %d one-shot watches", s.watchers), wanted: 4,
			opt: bench.Options{Workload: bench.Watch, Watchers: s.watchers}},
		{goal: fmt.Sprintf("events to %d persistent watches", s.watchers), wanted: 4,
			opt: bench.Options{Workload: bench.Watch, Watchers: s.watchers, Persistent: true}},
		{goal: "get 1 × 1", wanted: .4, p50: true, opt: bench.Options{Workload: bench.Get, Connections: 1, Outstanding: 1}},
		{goal: "set 1 × 1", wanted: .6, p50: true, opt: bench.Options{Workload: bench.Set, Connections: 1, Outstanding: 1}},
	}
	for i := range list {
		list[i].opt.Duration, list[i].opt.Warmup = s.duration, s.warmup
	}
	return list
}

// measureLoads runs all loads on both sides, round after round.
func measureLoads(t *testing.T, s settings, rep *report) {
	var sides [2]*server
	for i, kind := range s.sides {
		sides[i] = newServer(t, kind, fmt.Sprintf("%s/loads%d", s.dir, i), 0)
		if _, err := sides[i].start(); err != nil {
			t.Fatal(err)
		}
		sides[i].pause()
	}
	list := loads(s)
	rows := make([]*row, len(list))
	for i, l := range list {
		rows[i] = rep.row(row{goal: l.goal, unit: "per CPU s", wanted: l.wanted})
		if l.p50 {
			rows[i].unit, rows[i].less = "p50 µs", true
		}
	}
	heat(t, s, sides, list)
	for round := range s.rounds {
		for i, l := range list {
			var got [2]float64
			for j := range sides {
				side := (round + j) % 2
				got[side] = measureLoad(t, s, rep, sides[side], l)
			}
			rows[i].add(got[0], got[1])
			t.Logf("round %d of %d: %s: %v %s, %v %s", round+1, s.rounds, l.goal, s.sides[0], figure(got[0]), s.sides[1], figure(got[1]))
		}
	}
}

// heat runs each load once on each side, and forgets it.
func heat(t *testing.T, s settings, sides [2]*server, list []load) {
	if s.heat < 0 {
		return
	}
	for _, side := range sides {
		for _, l := range list {
			l.opt.Duration, l.opt.Warmup = s.heat, -1
			runLoad(t, side, l)
		}
	}
}

// disturbedAbove is the share of the machine that other processes may take during a measurement.
const disturbedAbove = .05

// measureLoad runs one load on one side and returns its figure: that of the least disturbed try, and there is only one
// try if nothing disturbed it.
func measureLoad(t *testing.T, s settings, rep *report, side *server, l load) float64 {
	t.Helper()
	least, figure := 2., 0.
	for range s.tries {
		res, others := runLoad(t, side, l)
		t.Logf("%v, other processes took %.0f %% of the machine\n%s", side.kind, 100*others, res.Text())
		if others < least {
			least, figure = others, l.figure(res)
		}
		if others <= disturbedAbove {
			break
		}
	}
	rep.others = append(rep.others, least)
	return figure
}

// figure is what the table shows of a result.
func (l *load) figure(res *bench.Result) float64 {
	switch {
	case l.p50:
		return res.Latency.P50
	case l.rate:
		return float64(res.Operations) / res.Seconds
	}
	return float64(res.Operations) / max(res.ServerCPUSeconds, clockTick.Seconds())
}

// runLoad runs one load on one side, which is awake for as long, and tells which share of the machine went to others.
func runLoad(t *testing.T, s *server, l load) (res *bench.Result, others float64) {
	t.Helper()
	s.resume()
	defer s.pause()
	l.opt.Servers, l.opt.PIDs = []string{s.addr}, []int{s.pid()}
	before := readMachine(t, s)
	res, err := bench.Run(t.Context(), l.opt)
	if err != nil {
		t.Fatalf("%s on %v: %v; its log ends:\n%s", l.goal, s.kind, err, s.logTail())
	}
	return res, readMachine(t, s).others(before)
}
