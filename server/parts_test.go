package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/replica"
	"paddock/storage/datadir"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

func TestHeapPercent(t *testing.T) {
	for name, c := range map[string]struct {
		live uint64
		want int
	}{
		"nothing is live":                  {0, 1000},
		"a small heap may grow tenfold":    {3 << 20, 1000},
		"the slack is 40 MiB at least":     {10 << 20, 400},
		"as much again at 40 MiB":          {40 << 20, 100},
		"a quarter at 160 MiB":             {160 << 20, 25},
		"an eighth from 320 MiB, in steps": {320 << 20, 10},
		"an eighth of gigabytes":           {20 << 30, 10},
		"all there is":                     {1 << 56, 10},
	} {
		t.Run(name, func(t *testing.T) {
			if got := heapPercent(c.live); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
}

func TestTheHeapIsLeftAsItWas(t *testing.T) {
	t.Setenv("GOGC", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	keepHeap(ctx)
	if got := debug.SetGCPercent(heapDefault); got != heapDefault {
		t.Errorf("the target is %d", got)
	}
	t.Setenv("GOGC", "77")
	debug.SetGCPercent(77)
	defer debug.SetGCPercent(heapDefault)
	keepHeap(t.Context()) // returns at once
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("GOGC of the environment became %d", got)
	}
}

func TestSpaceWarning(t *testing.T) {
	const gib = 1 << 30
	plenty, low := vfs.Space{Free: 50 * gib, Total: 100 * gib}, vfs.Space{Free: 9 * gib, Total: 100 * gib}
	for name, c := range map[string]struct {
		logs, snapshots vfs.Space
		want            string
	}{
		"room on both disks":                {plenty, plenty, ""},
		"a tenth is enough":                 {vfs.Space{Free: 10 * gib, Total: 100 * gib}, plenty, ""},
		"the log's disk":                    {low, plenty, "the disk of the transaction log is 91% full, 9216 MiB are free; 3 snapshots and 4 logs take 5 MiB"},
		"the snapshots' disk":               {plenty, low, "the disk of the snapshots is 91% full"},
		"the log's disk comes first":        {low, low, "the disk of the transaction log"},
		"a disk that tells nothing is fine": {vfs.Space{}, vfs.Space{}, ""},
		"no space at all":                   {vfs.Space{Total: gib}, plenty, "100% full, 0 MiB are free"},
	} {
		t.Run(name, func(t *testing.T) {
			got := spaceWarning(&usage{Usage: datadir.Usage{LogSpace: c.logs, Space: c.snapshots, Snapshots: 3, Logs: 4, SnapshotBytes: 2 << 20, LogBytes: 3 << 20}})
			if !strings.Contains(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestPrepareBytes(t *testing.T) {
	for prealloc, want := range map[int64]int64{-1: -1, 0: -1, 1: 1, 64 << 10: 64 << 10, 64 << 20: 4 << 20} {
		if got := prepareBytes(prealloc); got != want {
			t.Errorf("%d: %d, want %d", prealloc, got, want)
		}
	}
}

// A defect of the owner ends the server as an error does, so that a service manager starts it again.
func TestAPanicOfTheOwnerIsAnError(t *testing.T) {
	l := &live{driver: driver.New(driver.Options{
		TickEvery: time.Second, Replica: withOrphan(t), Log: brokenLog{}, Observe: func(replica.Note) { panic("as told") },
	})}
	err := runOwner(t.Context(), l)
	if err == nil || !strings.Contains(err.Error(), "a defect in the server") || !strings.Contains(err.Error(), "parts_test.go") {
		t.Errorf("%v", err)
	}
	if code := config.ExitCode(err); code != config.ExitUnexpected {
		t.Errorf("exit code %d", code)
	}
}

// withOrphan is a replica with an ephemeral that has no session, so that the server has something to say and to write at once.
func withOrphan(t *testing.T) *replica.Replica {
	t.Helper()
	tr := tree.New(1)
	tr.Apply(&txn.Header{Session: 5, Zxid: 1}, &txn.Txn{Type: zk.OpCreate, Path: "/e", Ephemeral: true, ACL: zk.OpenACL, ParentCversion: 1}, nil)
	r, err := replica.New(replica.Config{ServerID: 1, TickMS: 1000, SnapshotTxns: 1000}, tr, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// brokenLog fails at its first sync.
type brokenLog struct{ err error }

func (brokenLog) Frame(dst, payload []byte) []byte     { return append(dst, payload...) }
func (brokenLog) Write([]byte, zk.Zxid, zk.Zxid) error { return nil }
func (b brokenLog) Sync() error                        { return b.err }
func (brokenLog) Roll() error                          { return nil }

func TestABrokenDiskIsAnErrorWithARemedy(t *testing.T) {
	r := withOrphan(t)
	broken := brokenLog{errors.New("input/output error")}
	l := &live{driver: driver.New(driver.Options{Replica: r, Log: broken, TickEvery: time.Second})}
	err := runOwner(t.Context(), l)
	if !errors.Is(err, broken.err) || !strings.Contains(err.Error(), "see to the disk") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

func TestTheFirstFailureEndsTheServer(t *testing.T) {
	s := &server{fatal: make(chan error, 1)}
	first := errors.New("first")
	s.fail(first)
	s.fail(errors.New("second")) // does not wait
	if err := <-s.fatal; err != first {
		t.Error(err)
	}
	if without(first, first) != nil || without(nil, first) != nil || without(first, nil) != first {
		t.Error("an error is told twice, or not at all")
	}
}

func TestStatusWhileStarting(t *testing.T) {
	dir := t.TempDir()
	cfg, _ := load(t, dir)
	s := &server{cfg: cfg, began: time.Now(), opt: Options{Version: "v", PID: 5}}
	s.setState(grpcapi.StateStarting)
	if st := s.status(); st.State != grpcapi.StateStarting || st.Refusal != "" || st.Mode != 0 || st.Serving() {
		t.Errorf("%+v", st)
	}
	text := "log: 12345"
	s.progress.Store(&text)
	if st := s.status(); st.Refusal != text || st.PID != 5 || st.DataDir != dir {
		t.Errorf("%+v", st)
	}
	s.setState(grpcapi.StateStopping)
	s.usage.Store(&usage{Usage: datadir.Usage{Snapshots: 2, NewestSnapshot: 9, LogSpace: vfs.Space{Free: 1, Total: 100}}})
	if st := s.status(); st.Refusal != "" || st.Storage.Snapshots != 2 || st.Storage.NewestSnapshot != 9 || len(st.Warnings) != 1 {
		t.Errorf("%+v", st)
	}
}

// Logs without a snapshot are those of ZooKeeper 3.4, which snapshot.trust.empty accepts: a snapshot is written first.
func TestAStopWhileTheFirstSnapshotIsWrittenIsNoError(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, dir, "snapshot.") {
		if err := os.Remove(filepath.Join(dir, "version-2", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(dir, os.DirFS("../storage/datadir/testdata/modern")); err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, dir, "snapshot.") {
		if err := os.Remove(filepath.Join(dir, "version-2", name)); err != nil {
			t.Fatal(err)
		}
	}
	cfg, _ := load(t, dir, "zookeeper.snapshot.trust.empty=true")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Options{Config: cfg, Logger: zerolog.Nop()}); err != nil {
		t.Error(err)
	}
	if len(files(t, dir, "snapshot.")) != 0 {
		t.Error("the snapshot was written all the same; nothing was tested")
	}
	start(t, dir, "zookeeper.snapshot.trust.empty=true")
	if len(files(t, dir, "snapshot.")) == 0 {
		t.Error("no snapshot was written before serving")
	}
}
