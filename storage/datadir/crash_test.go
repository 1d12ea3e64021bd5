package datadir

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// life is a server's run over a crashable disk: it writes, syncs, rolls, takes snapshots, purges and moves epochs at
// random. Before every single operation a crash is tried out: the directory must open, hold everything that was synced,
// and be exactly the tree that its txns make.
type life struct {
	rng     *rand.Rand
	seed    uint64
	bug     bug
	forgets func(path string) bool // files and directories whose syncs do nothing
	m       *vfs.Mem
	digests []uint64 // by zxid
	durable zk.Zxid
	epoch   int64 // set durably
	setting int64 // being set
	crashes int
	err     error
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

// damageNewest spoils the newest two snapshots as long as another is left: the log must make up for them.
func damageNewest(d *Dir) error {
	list, err := d.snapshots()
	if err != nil {
		return err
	}
	for i := 0; i < min(2, len(list)-1); i++ {
		f, err := d.opts.FS.OpenReadWrite(d.snaps + "/" + list[i].name)
		if err != nil {
			return err
		}
		if _, err = f.WriteAt([]byte("spoilt"), 20); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) check(c *vfs.Mem) error {
	d, err := Open(Options{FS: c, Dir: "data", NoNewDatabase: true})
	if err != nil {
		return err
	}
	if l.crashes%4 == 0 {
		if err := damageNewest(d); err != nil {
			return err
		}
	}
	rec, err := d.Recover(RecoverOptions{})
	if err != nil {
		return err
	}
	if rec.Uninitialised {
		return errors.New("there is no database, and the marker that allows a new one is gone")
	}
	z := rec.Tree.Zxid()
	if z < l.durable || int(z) >= len(l.digests) {
		return fmt.Errorf("recovered up to %v, durable is %v of %d", z, l.durable, len(l.digests)-1)
	}
	if rec.Tree.Digest() != l.digests[z] || rec.DigestMismatch != 0 {
		return fmt.Errorf("another tree at %v", z)
	}
	epoch, ok, err := d.CurrentEpoch()
	if err != nil || ok != (epoch > 0) || epoch < l.epoch || epoch > l.setting {
		return fmt.Errorf("epoch %d (there: %v), between %d and %d expected: %w", epoch, ok, l.epoch, l.setting, err)
	}
	return d.Close()
}

// context is that of a snapshot, which no test here interrupts.
func (l *life) context() context.Context { return context.Background() }

func (l *life) must(err error) {
	if err != nil && l.err == nil {
		l.err = err
	}
}

func (l *life) run() {
	l.rng = rand.New(rand.NewPCG(l.seed, 3))
	l.m = vfs.NewMem()
	l.digests = []uint64{tree.New(0).Digest()}
	l.must(vfs.MkdirAll(l.m, "data"))
	l.must(vfs.WriteFileAtomic(l.m, "data/initialize", nil))
	l.m.SetHook(l.crash)
	var fsys vfs.FS = l.m
	if l.forgets != nil {
		fsys = forgetful{l.m, l.forgets}
	}
	d, err := Open(Options{FS: fsys, Dir: "data", NoNewDatabase: true, PrepareBytes: 2048, bug: l.bug})
	if err != nil {
		l.must(err)
		return
	}
	rec, err := d.Recover(RecoverOptions{})
	if err != nil {
		l.must(err)
		return
	}
	l.live(d, rec.Tree)
	l.must(d.Close())
	l.crash(l.m.Ops()+1, vfs.Op{})
}

func (l *life) live(d *Dir, t *tree.Tree) {
	w := d.Log(t.Zxid())
	for range 40 {
		switch l.rng.IntN(8) {
		case 0:
			l.sync(w)
			l.must(w.Roll())
			v := t.Freeze()
			_, err := d.WriteSnapshot(l.context(), v, snapshot.WriteOptions{Compression: []snapshot.Compression{"", "gz", "snappy"}[l.rng.IntN(3)]})
			l.must(err)
			t.Release(v)
		case 1:
			_, err := d.Purge(3, 0)
			l.must(err)
		case 2:
			l.setting++
			l.must(d.SetCurrentEpoch(l.setting))
			l.epoch = l.setting
		case 3:
			_, err := w.Prepare()
			l.must(err)
		default:
			l.write(w, t)
		}
	}
	l.must(w.Close())
	l.durable = w.Last()
}

func (l *life) write(w *wal.Writer, t *tree.Tree) {
	z := t.Zxid() + 1
	rec := txn.Record{Header: txn.Header{Session: 1, Cxid: int32(z), Zxid: z, TimeMS: 1000, Type: zk.OpCreate}}
	rec.Txn = txn.Txn{Type: zk.OpCreate, Path: "/n" + strconv.Itoa(int(z)), Data: make([]byte, l.rng.IntN(900)), ACL: zk.OpenACL, ParentCversion: int32(z)}
	for i := range rec.Txn.Data {
		rec.Txn.Data[i] = byte(l.rng.IntN(255)) + 1
	}
	t.Apply(&rec.Header, &rec.Txn, nil)
	rec.HasDigest, rec.Digest = true, txn.Digest{Version: txn.DigestVersion, Tree: t.Digest()}
	l.digests = append(l.digests, t.Digest())
	l.must(w.Append([][]byte{rec.Append(nil)}))
	if l.rng.IntN(3) > 0 {
		l.sync(w)
	}
}

func (l *life) sync(w *wal.Writer) {
	if err := w.Sync(); err != nil {
		l.must(err)
		return
	}
	l.durable = w.Last()
}

func runs(t *testing.T) uint64 {
	if testing.Short() {
		return 8
	}
	return 150
}

func TestNothingDurableIsLostInACrashAtAnyOperation(t *testing.T) {
	crashes := 0
	for seed := range runs(t) {
		l := &life{seed: seed}
		if l.run(); l.err != nil {
			t.Fatal(l.err)
		}
		crashes += l.crashes
	}
	t.Logf("%d crashes", crashes)
}

// forgetful leaves out some syncs, as a program would that forgot them.
type forgetful struct {
	vfs.FS
	forgets func(path string) bool
}

func (f forgetful) SyncDir(dir string) error {
	if f.forgets(dir) {
		return nil
	}
	return f.FS.SyncDir(dir)
}

func (f forgetful) Create(name string) (vfs.File, error) {
	file, err := f.FS.Create(name)
	if err == nil && f.forgets(name) {
		return unsynced{file}, nil
	}
	return file, err
}

type unsynced struct{ vfs.File }

func (unsynced) Sync() error     { return nil }
func (unsynced) SyncData() error { return nil }

func TestPlantedBugsAreFound(t *testing.T) {
	named := func(part string) func(string) bool {
		return func(path string) bool { return strings.Contains(path, part) }
	}
	for name, l := range map[string]life{
		"epochs are not synced": {bug: bugEpochNotSynced},
		"the marker of a new database is removed before it exists": {bug: bugInitializeEarly},
		"the log is purged up to the newest snapshot":              {bug: bugPurgeLogsByNewest},
		"a snapshot is renamed before it is synced":                {forgets: named("writing.")},
		"no directory is synced":                                   {forgets: func(path string) bool { return path == "data/version-2" }},
		"log files are not synced":                                 {forgets: named("log.")},
		"the prepared log file is not synced":                      {forgets: named("paddock.spare")},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(100) {
				l := l
				l.seed = seed
				if l.run(); l.err != nil {
					return
				}
			}
			t.Error("not found")
		})
	}
}

func TestACrashDuringTruncateKeepsOneOfTheTwoStates(t *testing.T) {
	for seed := range runs(t) {
		m := copyOf(t, "modern")
		d := open(t, m)
		check := func(n int, op vfs.Op) {
			c := m.CrashClone(seed<<10 + uint64(n))
			rec, err := open(t, c).Recover(RecoverOptions{})
			if err != nil || rec.Tree.Zxid() < 0x80 || rec.DigestMismatch != 0 {
				t.Fatalf("seed %d, before operation %d (%s): %v", seed, n, op, err)
			}
		}
		m.SetHook(check)
		must(t, d.Truncate(0x80))
		check(0, vfs.Op{})
	}
}

// Whatever operation fails, once or for good: it is reported, and the directory recovers all that was synced as soon as
// the disk works again.
func TestEveryFailedOperationIsReportedAndSurvived(t *testing.T) {
	for _, kind := range vfs.Kinds() {
		for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
			for nth := 1; ; nth++ {
				m := vfs.NewMem()
				hit := false
				decide := vfs.FailNth(kind, nth, errno, nth%2 == 0)
				fsys := vfs.NewFaulty(m, func(op vfs.Op) *vfs.Fault {
					f := decide(op)
					hit = hit || f != nil
					return f
				})
				durable, err := session(fsys, "data")
				if !hit {
					if err != nil {
						t.Fatalf("without a fault: %v", err)
					}
					break
				}
				m.ReleaseLocks()
				d := open(t, m.CrashClone(uint64(nth)))
				rec, rerr := d.Recover(RecoverOptions{})
				if rerr != nil || rec.Tree.Zxid() < durable {
					t.Fatalf("%s %d fails with %v (reported: %v): durable %v, %v", kind, nth, errno, err, durable, rerr)
				}
				if err != nil && !errors.Is(err, errno) {
					t.Errorf("%s %d fails with %v, reported as %v", kind, nth, errno, err)
				}
			}
		}
	}
}

// session opens a directory, writes until something fails, and tells what was durable then.
func session(fsys vfs.FS, logDir string) (durable zk.Zxid, err error) {
	d, err := Open(Options{FS: fsys, Dir: "data", LogDir: logDir, PrepareBytes: 1024})
	if err != nil {
		return 0, err
	}
	defer d.Close()
	rec, err := d.Recover(RecoverOptions{})
	if err != nil {
		return 0, err
	}
	l := &life{rng: rand.New(rand.NewPCG(1, 1))}
	w := d.Log(rec.Tree.Zxid())
	defer w.Close()
	for range 6 {
		l.write(w, rec.Tree)
		l.sync(w)
		if l.err != nil {
			return l.durable, l.err
		}
		_, _ = w.Prepare() // optional work
	}
	if err := w.Roll(); err != nil {
		return l.durable, err
	}
	v := rec.Tree.Freeze()
	_, err = d.WriteSnapshot(l.context(), v, snapshot.WriteOptions{})
	rec.Tree.Release(v)
	if err == nil {
		_, err = d.Purge(3, 0)
	}
	if err == nil {
		_, err = d.Usage()
	}
	return l.durable, err
}

// A server that is killed leaves names and directories that nobody has synced. The next one builds on them, and what it
// acknowledges must survive a power failure.
func TestWhatAKilledServerLeftIsMadeDurable(t *testing.T) {
	killed := errors.New("killed")
	for nth := 1; ; nth++ {
		m := vfs.NewMem()
		ops := 0
		_, err := session(vfs.NewFaulty(m, func(op vfs.Op) *vfs.Fault {
			if op.Kind > vfs.KindLock {
				return nil
			}
			if ops++; ops >= nth {
				return &vfs.Fault{Err: killed}
			}
			return nil
		}), "log")
		if err == nil {
			return
		}
		m.ReleaseLocks()
		starts := func(n int, op vfs.Op) zk.Zxid {
			d, err := Open(Options{FS: m.CrashClone(uint64(n)), Dir: "data", LogDir: "log"})
			must(t, err)
			rec, err := d.Recover(RecoverOptions{})
			if err != nil {
				t.Fatalf("killed at operation %d, crash before operation %d (%s): %v", nth, n, op, err)
			}
			return rec.Tree.Zxid()
		}
		m.SetHook(func(n int, op vfs.Op) { starts(n, op) })
		durable, err := session(m, "log")
		if z := starts(0, vfs.Op{}); err != nil || z < durable {
			t.Fatalf("killed at operation %d: durable %v, found %v: %v", nth, durable, z, err)
		}
	}
}
