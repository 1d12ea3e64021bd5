//go:build bench

package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// settings are what the environment asks for.
type settings struct {
	sides    [2]kind
	rounds   int
	duration time.Duration
	warmup   time.Duration // before each measurement
	heat     time.Duration // load of each kind before the first round, for Java to compile what is hot; negative for none
	tries    int           // most runs of one measurement, if other processes disturb it
	znodes   int
	watchers int
	snapshot snapshotSettings
	load     string // part of the names of those loads of doors that are run
	dir      string
	out      string
}

// snapshotSettings are those of the test of latency during snapshots.
type snapshotSettings struct {
	txns  int // between snapshots, as snapCount
	count int // snapshots to see
	most  time.Duration
}

// newSettings reads the environment.
func newSettings(t *testing.T) settings {
	t.Helper()
	s := settings{sides: [2]kind{side(t, "BENCH_A", "java"), side(t, "BENCH_B", os.Getenv("PADDOCK_BIN"))}, rounds: 5, tries: 1, duration: 4 * time.Second, warmup: time.Second, heat: 3 * time.Second,
		znodes: 1_000_000, watchers: 1000, snapshot: snapshotSettings{txns: 100_000, count: 4, most: 4 * time.Minute}}
	if testing.Short() {
		s.rounds, s.duration, s.warmup, s.heat = 1, 200*time.Millisecond, 50*time.Millisecond, -1
		s.znodes, s.watchers = 20_000, 100
		s.snapshot = snapshotSettings{txns: 2000, count: 2, most: time.Minute}
	}
	s.rounds = number(t, "BENCH_ROUNDS", s.rounds)
	s.tries = number(t, "BENCH_TRIES", s.tries)
	s.znodes = number(t, "BENCH_ZNODES", s.znodes)
	if text := os.Getenv("BENCH_DURATION"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			t.Fatalf("BENCH_DURATION is %q; write a duration such as 4s", text)
		}
		s.duration = d
	}
	s.load = os.Getenv("BENCH_LOAD")
	s.out = os.Getenv("BENCH_OUT")
	s.dir = directory(t)
	return s
}

// side is a server to measure: "java", or a Paddock binary.
func side(t *testing.T, name, def string) kind {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		value = def
	}
	if value == "java" {
		return java
	}
	if value == "" {
		t.Fatal("PADDOCK_BIN is not set: run `make bench`, or build Paddock and name the binary")
	}
	bin, err := filepath.Abs(value)
	if err == nil {
		_, err = os.Stat(bin)
	}
	if err != nil {
		t.Fatalf("%v: build it with `make build`, or name another one by PADDOCK_BIN, BENCH_A or BENCH_B", err)
	}
	return kind(bin)
}

// number is a positive number of the environment.
func number(t *testing.T, name string, def int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q; write a number from 1", name, text)
	}
	return n
}

// directory is where the servers keep their data, removed in the end.
func directory(t *testing.T) string {
	t.Helper()
	parent := os.Getenv("BENCH_DIR")
	if parent == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(parent, "bench")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Clean(dir)
}
