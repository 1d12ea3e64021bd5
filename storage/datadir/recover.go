package datadir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

const (
	snapshotsTriedMax = 100 // as in ZooKeeper
	replayProgress    = 1 << 14
	recentDefault     = 500 // txns kept for learners, as in ZooKeeper
)

const remedyRestore = "restore the directory from a backup, or, in an ensemble, move version-2 away and let the server sync from the others"

// RecoverOptions say how to recover.
type RecoverOptions struct {
	Seed uint64 // for tree.New
	// Progress is called now and then with what is being read and how many znodes or records were; it may be nil.
	Progress func(stage string, done int)
	// RecentMax is how many of the last payloads to return; 0 stands for 500, negative for none.
	RecentMax int
}

// Recovered is the state of a directory.
type Recovered struct {
	Tree *tree.Tree // at the zxid of the last record
	// Uninitialised tells that the directory was empty and may not be begun anew: such a server must not vote.
	Uninitialised bool
	// NeedsSnapshot tells that there is no snapshot below the tree, so that one must be taken before serving.
	NeedsSnapshot bool
	Snapshot      snapshot.Info // that was loaded; zero if none was
	Bad           []BadSnapshot // newer ones that were passed over
	Log           wal.Recovered // what was replayed
	Recent        []Recent      // the last records of the log, oldest first
	// DigestMismatch is the first zxid after which the tree's digest differed from the logged one; 0 if all agreed.
	DigestMismatch zk.Zxid
	// FuzzyUntil, unless zero, tells that the snapshot may hold effects of txns up to here, but the log ends before.
	FuzzyUntil zk.Zxid
}

// Recent is a record of the log.
type Recent struct {
	Zxid    zk.Zxid
	Payload []byte
}

// Recover restores the newest state: the newest good snapshot and the log behind it. An empty directory becomes a new
// database. Errors that an operator must deal with are *wal.CorruptionError and *NoSnapshotError.
func (d *Dir) Recover(opts RecoverOptions) (*Recovered, error) {
	if opts.Progress == nil {
		opts.Progress = func(string, int) {}
	}
	if opts.RecentMax == 0 {
		opts.RecentMax = recentDefault
	}
	out := &Recovered{}
	if err := d.load(opts, out); err != nil {
		return nil, err
	}
	if out.Tree == nil {
		if err := d.begin(opts, out); err != nil {
			return nil, err
		}
	} else if err := d.opts.FS.SyncDir(d.snaps); err != nil {
		// The server that wrote the snapshot may have been killed before its name was durable, and what comes now builds on it.
		return nil, fmt.Errorf("sync snapshots: %w", err)
	}
	if err := d.replay(opts, out); err != nil {
		return nil, err
	}
	if err := d.covered(out); err != nil {
		return nil, err
	}
	return out, d.removeInitialize()
}

// candidate is a file named as a snapshot.
type candidate struct {
	name string
	zxid zk.Zxid
	comp snapshot.Compression
}

// snapshots lists the snapshot files, newest first.
func (d *Dir) snapshots() ([]candidate, error) {
	names, err := d.opts.FS.List(d.snaps)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var list []candidate
	for _, name := range names {
		if z, c, ok := snapshot.ParseName(name); ok {
			list = append(list, candidate{name, z, c})
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.zxid, a.zxid) })
	return list, nil
}

// load sets out.Tree from the newest snapshot that is whole, and out.Bad.
func (d *Dir) load(opts RecoverOptions, out *Recovered) error {
	list, err := d.snapshots()
	if err != nil {
		return err
	}
	tried := 0
	for _, c := range list {
		path := filepath.Join(d.snaps, c.name)
		problem, err := snapshot.Plausible(d.opts.FS, path, c.comp)
		if err != nil {
			return fmt.Errorf("look at snapshot: %w", err)
		}
		if problem != "" {
			out.Bad = append(out.Bad, BadSnapshot{File: path, Zxid: c.zxid, Unfinished: true, Reason: "never finished: " + problem})
			continue
		}
		if tried++; tried > snapshotsTriedMax {
			break
		}
		t, info, err := snapshot.Load(d.opts.FS, d.snaps, c.name, opts.Seed, func(n int) { opts.Progress("loading "+path, n) })
		if err == nil {
			out.Tree, out.Snapshot = t, info
			return nil
		}
		bad, ok := errors.AsType[*snapshot.CorruptError](err)
		if !ok {
			return fmt.Errorf("load snapshot: %w", err)
		}
		out.Bad = append(out.Bad, BadSnapshot{File: path, Zxid: c.zxid, Offset: bad.Offset, Reason: bad.Reason})
	}
	if tried > 0 {
		return &NoSnapshotError{Dir: d.snaps, Bad: out.Bad, Reason: "every snapshot is damaged", Remedy: remedyRestore}
	}
	return nil
}

// begin is for a directory without any usable snapshot.
func (d *Dir) begin(opts RecoverOptions, out *Recovered) error {
	logs, err := wal.List(d.opts.FS, d.logs)
	if err != nil {
		return err
	}
	out.Tree = tree.New(opts.Seed)
	if len(logs) > 0 {
		if d.opts.TrustEmpty {
			out.NeedsSnapshot = true
			return nil
		}
		return &NoSnapshotError{Dir: d.snaps, Bad: out.Bad, Reason: "no snapshot found, but there are log entries in " + d.logs,
			Remedy: "put the snapshots back, or " + remedyRestore + "; snapshot.trust.empty=true only when upgrading from 3.4"}
	}
	for _, bad := range out.Bad { // an unfinished snapshot.0 is that of a first start that was interrupted
		if bad.Zxid != 0 {
			return &NoSnapshotError{Dir: d.snaps, Bad: out.Bad, Reason: "no snapshot is whole, and there is no log", Remedy: remedyRestore}
		}
	}
	_, err = d.opts.FS.Stat(filepath.Join(d.opts.LogDir, initializeName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for %s: %w", initializeName, err)
	}
	if err != nil && d.opts.NoNewDatabase {
		out.Uninitialised = true
		return nil
	}
	if d.opts.bug == bugInitializeEarly {
		if err := d.removeInitialize(); err != nil {
			return err
		}
	}
	v := out.Tree.Freeze()
	defer out.Tree.Release(v)
	_, err = snapshot.Write(context.Background(), d.opts.FS, d.snaps, v, snapshot.WriteOptions{})
	return err
}

// replay applies the log to the tree.
func (d *Dir) replay(opts RecoverOptions, out *Recovered) error {
	var (
		rec    txn.Record
		stage  = "replaying " + d.logs
		digest = digestCheck{out: out}
		recent = ring{max: opts.RecentMax}
		n      int
	)
	digest.begin()
	ro := wal.ReadOptions{From: out.Tree.Zxid() + 1}
	var err error
	out.Log, err = wal.Recover(d.opts.FS, d.logs, ro, func(r wal.Record) error {
		if err := rec.Decode(r.Payload); err != nil {
			return &wal.CorruptionError{File: r.File, Offset: r.Offset, Reason: err.Error(), Remedy: remedyRestore}
		}
		out.Tree.Apply(&rec.Header, &rec.Txn, nil)
		digest.after(&rec)
		recent.add(r)
		if n++; n%replayProgress == 0 {
			opts.Progress(stage, n)
		}
		return nil
	})
	out.Recent = recent.ordered()
	if out.Tree.Zxid() < digest.fuzzy {
		out.FuzzyUntil = digest.fuzzy
	}
	return err
}

// ring keeps the last records. Payloads are copied into the memory of those that drop out.
type ring struct {
	max  int
	list []Recent
	next int // place of the oldest, once full
}

func (r *ring) add(rec wal.Record) {
	switch {
	case r.max < 0:
	case len(r.list) < r.max:
		r.list = append(r.list, Recent{rec.Zxid, slices.Clone(rec.Payload)})
	default:
		old := &r.list[r.next]
		old.Zxid, old.Payload = rec.Zxid, append(old.Payload[:0], rec.Payload...)
		r.next = (r.next + 1) % r.max
	}
}

// ordered returns the records, oldest first.
func (r *ring) ordered() []Recent { return slices.Concat(r.list[r.next:], r.list[:r.next]) }

// digestCheck compares the tree's digest with those in the log, once the tree is no longer ahead of it.
type digestCheck struct {
	out   *Recovered
	fuzzy zk.Zxid // the snapshot may hold effects of txns up to here
}

func (c *digestCheck) begin() {
	info := c.out.Snapshot
	if !info.HasDigest || info.DigestZxid < info.Zxid {
		return
	}
	c.fuzzy = info.DigestZxid
	if info.DigestZxid == info.Zxid && info.Digest != 0 {
		c.compare(info.Zxid, info.Digest)
	}
}

func (c *digestCheck) after(rec *txn.Record) {
	z := rec.Header.Zxid
	if z == c.fuzzy {
		c.compare(z, c.out.Snapshot.Digest)
	}
	if z >= c.fuzzy && rec.HasDigest && rec.Digest.Version == txn.DigestVersion {
		c.compare(z, rec.Digest.Tree)
	}
}

func (c *digestCheck) compare(z zk.Zxid, want uint64) {
	if c.out.DigestMismatch == 0 && c.out.Tree.Digest() != want {
		c.out.DigestMismatch = max(z, 1)
	}
}

// covered checks that passing over damaged snapshots lost nothing. A finished snapshot proves that everything up to its
// zxid was once acknowledged; the log must reach as far.
func (d *Dir) covered(out *Recovered) error {
	for _, bad := range out.Bad {
		if !bad.Unfinished && bad.Zxid > out.Tree.Zxid() {
			return &NoSnapshotError{Dir: d.snaps, Bad: out.Bad, Remedy: remedyRestore,
				Reason: fmt.Sprintf("the newest snapshot is damaged, and the older ones with the log reach only %v", out.Tree.Zxid())}
		}
	}
	return nil
}

// removeInitialize deletes the marker that allows a new database, once it has served.
func (d *Dir) removeInitialize() error {
	path := filepath.Join(d.opts.LogDir, initializeName)
	err := d.opts.FS.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.opts.FS.SyncDir(d.opts.LogDir)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}
