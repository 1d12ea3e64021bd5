package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// life is one run of a writer over a crashable disk: it appends, prepares, syncs and rolls at random, and at every
// single operation crashes are tried out: what was synced then must be there, in order, once, and nothing made up.
type life struct {
	rng     *rand.Rand
	seed    uint64
	m       *vfs.Mem
	bug     bug
	written []int   // payload sizes of zxids 1, 2, …
	durable zk.Zxid // last that Sync answered for
	err     error   // first failure found
	crashes int
}

func (l *life) crash(n int, op vfs.Op) {
	if l.err != nil {
		return
	}
	l.crashes++
	c := l.m.CrashClone(l.seed<<20 + uint64(n))
	if err := l.check(c); err != nil {
		l.err = fmt.Errorf("seed %d, crash before operation %d (%s): %w\n%s", l.seed, n, op, err, c.Dump())
	}
}

func (l *life) check(c *vfs.Mem) error {
	opts := ReadOptions{From: 1, bug: l.bug}
	got, _, err := recoverAll(c, opts)
	if err != nil {
		return err
	}
	last := zk.Zxid(len(got.zxids))
	if !slices.Equal(got.zxids, zxids(1, last)) || last < l.durable || int(last) > len(l.written) {
		return fmt.Errorf("found up to %v of %d, durable up to %v", last, len(l.written), l.durable)
	}
	if !slices.Equal(got.sizes, l.written[:last]) {
		return errors.New("records have other sizes")
	}
	return l.again(c, last)
}

// again goes on writing after the crash, crashes once more, and looks.
func (l *life) again(c *vfs.Mem, last zk.Zxid) error {
	w := NewWriter(Options{FS: c, Dir: dir, PrepareBytes: 2048}, last)
	if _, err := w.Prepare(); err != nil {
		return err
	}
	if err := w.Append([][]byte{payload(last+1, 30)}); err != nil {
		return err
	}
	if err := w.Sync(); err != nil {
		return err
	}
	got, rep, err := recoverAll(c.CrashClone(l.seed), ReadOptions{From: 1})
	if err != nil || rep.Last != last+1 || len(got.zxids) != int(last)+1 {
		return fmt.Errorf("after going on: last %v, want %v: %w", rep.Last, last+1, err)
	}
	return nil
}

func (l *life) run() {
	l.rng = rand.New(rand.NewPCG(l.seed, 7))
	l.m = vfs.NewMem()
	if l.err = vfs.MkdirAll(l.m, dir); l.err != nil {
		return
	}
	l.m.SetHook(l.crash)
	w := NewWriter(Options{FS: l.m, Dir: dir, PrepareBytes: []int64{-1, 1024, 8192}[l.rng.IntN(3)], bug: l.bug}, 0)
	for range 12 {
		var batch [][]byte
		for range 1 + l.rng.IntN(4) {
			size := l.rng.IntN(1500)
			if l.rng.IntN(2) == 0 {
				size = l.rng.IntN(60)
			}
			l.written = append(l.written, payloadBytesMin+size)
			batch = append(batch, payload(zk.Zxid(len(l.written)), size))
		}
		l.step(w.Append(batch))
		if l.rng.IntN(3) > 0 {
			_, err := w.Prepare()
			l.step(err)
		}
		if l.rng.IntN(4) > 0 {
			l.step(w.Sync())
			l.durable = w.Last()
		}
		if l.rng.IntN(5) == 0 {
			l.step(w.Roll())
			l.durable = w.Last()
		}
	}
	l.step(w.Close())
	l.durable = w.Last()
	l.crash(l.m.Ops()+1, vfs.Op{})
}

func (l *life) step(err error) {
	if l.err == nil && err != nil {
		l.err = err
	}
}

func crashRuns(t *testing.T) uint64 {
	if testing.Short() {
		return 40
	}
	return 400
}

func TestEverySyncedRecordSurvivesACrashAtEveryOperation(t *testing.T) {
	crashes := 0
	for seed := range crashRuns(t) {
		l := &life{seed: seed}
		if l.run(); l.err != nil {
			t.Fatal(l.err)
		}
		crashes += l.crashes
	}
	t.Logf("%d crashes", crashes)
}

func TestPlantedBugsAreFound(t *testing.T) {
	for name, b := range map[string]bug{
		"the directory is not synced":                         bugNoDirSync,
		"the data is not synced":                              bugNoDataSync,
		"a file is left un-synced when the next one is begun": bugRollWithoutSync,
		"an unfinished record is accepted":                    bugTornAccepted,
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(200) {
				l := &life{seed: seed, bug: b}
				if l.run(); l.err != nil {
					return
				}
			}
			t.Error("not found")
		})
	}
}

// A log of several files, each record in its place, for the operations that remove things.
func manyFiles(t *testing.T, m *vfs.Mem) {
	t.Helper()
	w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 1024}, 0)
	for z := zk.Zxid(1); z <= 30; z++ {
		must(t, w.Append([][]byte{payload(z, 100)}))
		if z%6 == 0 {
			must(t, w.Roll())
		}
	}
	must(t, w.Close())
}

func TestACrashDuringTruncateLeavesNoGap(t *testing.T) {
	for seed := range crashRuns(t) {
		target := zk.Zxid(1 + seed%30)
		m := newFS(t)
		manyFiles(t, m)
		m.SetHook(func(n int, op vfs.Op) {
			got, rep, err := recoverAll(m.CrashClone(seed<<8+uint64(n)), ReadOptions{From: 1})
			if err != nil || rep.Last < target || !slices.Equal(got.zxids, zxids(1, rep.Last)) {
				t.Fatalf("seed %d, before operation %d (%s): up to %v, %v", seed, n, op, rep.Last, err)
			}
		})
		must(t, Truncate(m, dir, target))
		m.SetHook(nil)
		if _, rep, err := recoverAll(m.CrashClone(seed), ReadOptions{From: 1}); err != nil || rep.Last != target {
			t.Fatalf("truncated to %v: last %v, %v", target, rep.Last, err)
		}
	}
}

func TestACrashDuringPurgeKeepsTheRest(t *testing.T) {
	for seed := range crashRuns(t) {
		keep := zk.Zxid(seed % 31)
		m := newFS(t)
		manyFiles(t, m)
		m.SetHook(func(n int, op vfs.Op) {
			got, _, err := recoverAll(m.CrashClone(seed<<8+uint64(n)), ReadOptions{From: keep + 1})
			if err != nil || !slices.Equal(got.zxids, zxids(keep+1, 30)) {
				t.Fatalf("seed %d, before operation %d (%s): %v, %v", seed, n, op, got.zxids, err)
			}
		})
		_, err := Purge(m, dir, keep)
		must(t, err)
	}
}

// A prepared file has its old name until it is renamed. Prepare must not make the next one under that name meanwhile: it
// would empty the very file that records are about to go into, and write its zeros over them.
func TestAPreparedFileIsLeftAloneWhileItGetsItsName(t *testing.T) {
	m := newFS(t)
	w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 1024}, 0)
	_, err := w.Prepare()
	must(t, err)
	m.SetHook(func(_ int, op vfs.Op) {
		if op.Kind == vfs.KindRename {
			m.SetHook(nil)
			_, err := w.Prepare()
			must(t, err)
		}
	})
	must(t, w.Append([][]byte{payload(1, 100)}))
	must(t, w.Sync())
	must(t, w.Roll())
	must(t, w.Append([][]byte{payload(2, 100)}))
	must(t, w.Close())
	got, _, err := recoverAll(m, ReadOptions{From: 1})
	if err != nil || !slices.Equal(got.zxids, zxids(1, 2)) {
		t.Fatalf("found %v: %v", got.zxids, err)
	}
}

// A killed process leaves records that were written and not synced; whoever starts next shows them to clients and goes on
// from them in a new file. A power failure after that must not take them.
// So must what was written before an fsync failed: it can still be read, and the disk does not have it.
func TestRecordsOfAKilledServerAreMadeDurable(t *testing.T) {
	for seed := range uint64(128) {
		m := newFS(t)
		w := NewWriter(Options{FS: vfs.NewFaulty(m, vfs.FailNth(vfs.KindSync, 1, syscall.EIO, true)), Dir: dir, PrepareBytes: -1}, 0)
		must(t, w.Append([][]byte{payload(1, 100), payload(2, 900), payload(3, 2000)})) // and here it is killed
		if seed%2 == 0 {
			if err := w.Sync(); !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
		}
		got, _, err := recoverAll(m, ReadOptions{From: 1})
		if err != nil || len(got.zxids) != 3 {
			t.Fatalf("found %v: %v", got.zxids, err)
		}
		w = NewWriter(Options{FS: m, Dir: dir, PrepareBytes: -1}, 3)
		must(t, w.Append([][]byte{payload(4, 50)}))
		must(t, w.Sync())
		got, _, err = recoverAll(m.CrashClone(seed), ReadOptions{From: 1})
		if err != nil || !slices.Equal(got.zxids, zxids(1, 4)) {
			t.Fatalf("seed %d: found %v: %v", seed, got.zxids, err)
		}
	}
}
