package datadir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

const (
	snapshotsTriedMax = 100 // as in ZooKeeper
	replayProgress    = 1 << 14
	recentDefault     = 500 // txns kept for learners, as in ZooKeeper
	recentBytes       = 32 << 20
)

const remedyRestore = "restore the directory from a backup, or, in an ensemble, move version-2 away and let the server sync from the others"

// RecoverOptions say how to recover.
type RecoverOptions struct {
	Seed uint64 // for tree.New
	// Progress is called now and then with what is being read and how many znodes or records were; it may be nil.
	Progress func(stage string, done int)
	// RecentMax is how many of the last payloads to return; 0 stands for 500, negative for none. RecentBytes is how many
	// bytes of them at most; 0 stands for 32 MiB.
	RecentMax   int
	RecentBytes int64
	// Member makes the epoch files count, as for a member of an ensemble: history of an epoch that this server never
	// acknowledged is dropped, and files that are missing are made. A standalone server leaves them alone.
	Member bool
	// NoTree has TruncateAndRecover leave out the tree, if what is left is known.
	NoTree bool
}

// Recovered is the state of a directory.
type Recovered struct {
	Tree *tree.Tree // at the zxid of the last record
	// Uninitialised tells that the directory was empty and may not be begun anew: such a server must not vote. Its zxid
	// is -1, see LastZxid, though its empty tree is at 0.
	Uninitialised bool
	Epochs        Epochs // of a member
	// Untruncated is set by TruncateAndRecover if the directory could not be truncated.
	Untruncated error
	// NeedsSnapshot tells that there is no snapshot below the tree, so that one must be taken before serving.
	NeedsSnapshot bool
	Snapshot      snapshot.Info // that was loaded; zero if none was
	Bad           []BadSnapshot // newer ones that were passed over
	Log           wal.Recovered // what was replayed
	Recent        []Recent      // the last records of the log, oldest first, without a gap between them
	// DigestMismatch is the first zxid after which the tree's digest differed from the logged one; 0 if all agreed.
	DigestMismatch zk.Zxid
	// FuzzyUntil, unless zero, tells that the snapshot may hold effects of txns up to here, but the log ends before.
	FuzzyUntil zk.Zxid
}

// LastZxid is the zxid to take part in an ensemble with: the tree's, or -1 if the server is uninitialised.
func (r *Recovered) LastZxid() zk.Zxid {
	if r.Uninitialised {
		return -1
	}
	return r.Tree.Zxid()
}

// Recent is a record of the log.
type Recent struct {
	Zxid    zk.Zxid
	Payload []byte
}

// Recover restores the newest state: the newest good snapshot and the log behind it. An empty directory becomes a new
// database. Errors that an operator must deal with are *wal.CorruptionError, *NoSnapshotError, *UnfinishedImportError and, for a
// member, *EpochError.
func (d *Dir) Recover(opts RecoverOptions) (*Recovered, error) {
	if d.member = opts.Member; d.member {
		return d.recoverMember(opts)
	}
	return d.recover(opts, 0)
}

// recover restores the state. Unless limit is 0, finding anything above it is a *beyondError, and changes nothing.
func (d *Dir) recover(opts RecoverOptions, limit zk.Zxid) (*Recovered, error) {
	if opts.Progress == nil {
		opts.Progress = func(string, int) {}
	}
	if opts.RecentMax == 0 {
		opts.RecentMax = recentDefault
	}
	if opts.RecentBytes == 0 {
		opts.RecentBytes = recentBytes
	}
	out := &Recovered{}
	if err := d.load(opts, out, limit); err != nil {
		return nil, err
	}
	if out.Tree == nil {
		if err := d.begin(opts, out); err != nil {
			return nil, err
		}
	} else if err := d.opts.FS.SyncDir(d.snaps); err != nil {
		// The server that wrote the snapshot may have been killed before its name was durable, and what comes now builds on it.
		return nil, fmt.Errorf("sync snapshots: %w", err)
	} else if info, err := d.opts.FS.Stat(d.staging()); err == nil && info.Dir {
		d.opts.Logger.Warn().Str("dir", d.staging()).Msg("the import of this database has left its copy of the old one; remove it")
	}
	if err := d.replay(opts, out, limit); err != nil {
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

// load sets out.Tree from the newest snapshot that is whole, and out.Bad. Unless limit is 0, a snapshot that holds anything
// above it is a *beyondError.
func (d *Dir) load(opts RecoverOptions, out *Recovered, limit zk.Zxid) error {
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
		if limit != 0 && c.zxid > limit {
			return &beyondError{zxid: c.zxid, snapshot: path}
		}
		if tried++; tried > snapshotsTriedMax {
			break
		}
		t, info, err := snapshot.Load(d.opts.FS, d.snaps, c.name, opts.Seed, func(n int) { opts.Progress("loading "+path, n) })
		if err == nil {
			if limit != 0 && info.HasDigest && info.DigestZxid > limit {
				return &beyondError{zxid: info.DigestZxid, snapshot: path}
			}
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
	if _, err := d.opts.FS.Stat(d.staging()); err == nil {
		return &UnfinishedImportError{Dir: d.opts.Dir, Staging: d.staging()}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for an import: %w", err)
	}
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
	if err != nil && (d.opts.NoNewDatabase || d.dropped) {
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
