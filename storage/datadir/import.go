package datadir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// stagingName is where Import keeps its copy of what it reads. While it is there and version-2 holds no snapshot, no server begins a
// database in the directory. It is removed in the end, and by the next Import.
const stagingName = "importing"

// snapshotsImportMax is how many of the newest snapshots are copied: the second and third are for when the first is damaged.
const snapshotsImportMax = 3

// ImportOptions say what Import reads and what it makes of it.
type ImportOptions struct {
	FS      vfs.FS
	Logger  zerolog.Logger
	From    string // data directory that is read; nothing in it is changed
	FromLog string // its dataLogDir; "" stands for From
	To      string // data directory that is made; it must not hold data yet
	// Above is a zxid that some client may have seen, besides those in From.
	Above zk.Zxid
	// DropSessions closes all sessions, and so deletes all ephemeral znodes.
	DropSessions bool
	TrustEmpty   bool // see Options
	PID          int
	Seed         uint64
	Write        snapshot.WriteOptions
	// Progress is called now and then; nil for not at all.
	Progress func(stage string, done int)
}

// Imported tells what Import did.
type Imported struct {
	Recovered // of From

	Last     zk.Zxid // of From
	Zxid     zk.Zxid // of the new directory: above Last and Above
	Epoch    int64   // of Zxid, in the epoch files
	Path     string  // of the new snapshot
	Znodes   int     // in it, as the next two
	Sessions int
	Owned    int // ephemeral znodes
	// DroppedSessions and DroppedEphemerals were there and are not any more.
	DroppedSessions, DroppedEphemerals int
}

// NotEmptyError says that the directory to import into holds something.
type NotEmptyError struct {
	Dir, Name string
}

// Error names the directory and the remedy.
func (e *NotEmptyError) Error() string {
	return fmt.Sprintf("%s is not empty: it has %s; name a new directory, or move this one away", e.Dir, e.Name)
}

// EmptyError says that there is nothing to import.
type EmptyError struct {
	Dir, LogDir string
}

// Error names the directories.
func (e *EmptyError) Error() string {
	return fmt.Sprintf("%s has no snapshot and %s no log; name dataDir of the old server, and dataLogDir if it has one", e.Dir, e.LogDir)
}

// Import makes the data directory of a new ensemble from that of a server that has stopped. The znodes stay what they are, with
// their zxids; what changes from now on has zxids of a new epoch, above every one that From holds and above Above, so that a
// server takes no client for one from the future. If From is a member's, history that it never acknowledged is left out.
// Importing the same again gives the same files.
//
// Besides those of Open and Recover its errors are *NotEmptyError and *EmptyError. After an error To holds nothing that a server
// would start from.
func Import(ctx context.Context, opts ImportOptions) (*Imported, error) {
	if opts.FromLog == "" {
		opts.FromLog = opts.From
	}
	if opts.Progress == nil {
		opts.Progress = func(string, int) {}
	}
	release, err := holdSource(opts)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := vacant(opts.FS, opts.To); err != nil {
		return nil, err
	}
	to, err := Open(Options{FS: opts.FS, Logger: opts.Logger, Dir: opts.To, PID: opts.PID})
	if err != nil {
		return nil, err
	}
	defer to.Close() //nolint:errcheck // only its lock
	// Of an Import that was interrupted, and of none that goes on, as the lock is ours.
	if err := removeTree(opts.FS, to.staging()); err != nil {
		return nil, err
	}
	if err := vfs.MkdirAll(opts.FS, to.staging()); err != nil {
		return nil, &AccessError{Key: "dataDir", Dir: opts.To, Err: err}
	}
	out, err := importInto(ctx, to, opts)
	if err != nil {
		return nil, errors.Join(err, empty(opts.FS, to.staging()))
	}
	return out, removeTree(opts.FS, to.staging())
}

// staging is where an Import into this directory keeps its copy.
func (d *Dir) staging() string { return filepath.Join(d.opts.Dir, stagingName) }

// holdSource takes the lock of a directory that a server of ours has used. Others leave no lock.
func holdSource(opts ImportOptions) (release func(), err error) {
	var held []io.Closer
	release = func() {
		for _, l := range held {
			l.Close() //nolint:errcheck // the lock of a directory that is not changed
		}
	}
	for _, dir := range slices.Compact([]string{filepath.Clean(opts.From), filepath.Clean(opts.FromLog)}) {
		path := filepath.Join(dir, LockName)
		if _, err := opts.FS.Stat(path); err != nil {
			continue
		}
		l, err := opts.FS.Lock(path, fmt.Sprintln(opts.PID))
		if _, ok := errors.AsType[*vfs.LockedError](err); ok {
			release()
			return nil, &InUseError{Dir: dir}
		}
		if err == nil {
			held = append(held, l)
		} // else it cannot be written, so no server has it open for writing either
	}
	return release, nil
}

// vacant refuses a directory with anything but what an operator, or an Import that was interrupted, puts into one.
func vacant(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: dir, Err: err}
	}
	for _, name := range names {
		switch name {
		case "myid", initializeName, LockName, stagingName:
		case versionDir:
			inside, err := fsys.List(filepath.Join(dir, name))
			if err != nil {
				return &AccessError{Key: "dataDir", Dir: dir, Err: err}
			}
			for _, name := range inside {
				if name != acceptedName && name != currentName && !snapshot.IsUnfinished(name) && !strings.HasSuffix(name, tmpSuffix) {
					return &NotEmptyError{Dir: dir, Name: filepath.Join(versionDir, name)}
				}
			}
		default:
			return &NotEmptyError{Dir: dir, Name: name}
		}
	}
	return nil
}

// importInto reads a copy, since recovering cuts off what was never finished.
func importInto(ctx context.Context, to *Dir, opts ImportOptions) (*Imported, error) {
	staging := to.staging()
	member, err := stage(ctx, opts, staging)
	if err != nil {
		return nil, err
	}
	from, err := Open(Options{FS: opts.FS, Logger: opts.Logger, Dir: staging, TrustEmpty: opts.TrustEmpty, PID: opts.PID})
	if err != nil {
		return nil, err
	}
	defer from.Close() //nolint:errcheck // only its lock
	rec, err := from.Recover(RecoverOptions{Seed: opts.Seed, RecentMax: -1, Member: member, Progress: opts.Progress})
	if err != nil {
		return nil, fmt.Errorf("recover a copy of %s: %w", opts.From, err)
	}
	if rec.Uninitialised {
		return nil, &EmptyError{Dir: opts.From, LogDir: opts.FromLog}
	}
	out := &Imported{Recovered: *rec, Last: rec.Tree.Zxid()}
	if err := out.renumber(opts); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The snapshot comes last: without one there is nothing to start from.
	err = to.replaceEpochs(out.Epoch)
	if err == nil {
		v := rec.Tree.Freeze()
		write := opts.Write
		write.Progress = func(n int) { opts.Progress("writing "+to.snaps, n) }
		out.Path, err = to.WriteSnapshot(ctx, v, write)
		rec.Tree.Release(v)
	}
	return out, err
}

// renumber gives the tree its new zxid and closes the sessions if they are not wanted.
func (out *Imported) renumber(opts ImportOptions) error {
	t := out.Tree
	out.Epoch = max(out.Last.Epoch(), opts.Above.Epoch(), out.Epochs.Accepted) + 1
	if out.Epoch >= math.MaxInt32 {
		return fmt.Errorf("there is no epoch left above %v and %v", out.Last, opts.Above)
	}
	out.Zxid = zk.Zxid(out.Epoch << 32)
	if opts.DropSessions {
		owners := map[zk.SessionID]bool{}
		for _, s := range t.Sessions() {
			owners[s.ID] = true
		}
		for _, s := range t.EphemeralsBySession() { // some of them may have no session
			owners[s.ID] = true
		}
		out.DroppedSessions, out.DroppedEphemerals = t.SessionCount(), t.EphemeralCount()
		for _, id := range sortedSessions(owners) {
			out.Zxid++
			t.Apply(&txn.Header{Session: id, Zxid: out.Zxid, Type: zk.OpCloseSession}, &txn.Txn{Type: zk.OpCloseSession}, nil)
		}
	}
	t.SetConfig("", 0, 0) // of an ensemble that is no more; members write their own
	t.SetZxid(out.Zxid)
	out.Znodes, out.Sessions, out.Owned = t.Znodes(), t.SessionCount(), t.EphemeralCount()
	return nil
}

func sortedSessions(set map[zk.SessionID]bool) (list []zk.SessionID) {
	for id := range set {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// replaceEpochs writes both epoch files; an Import that was interrupted may have left others.
func (d *Dir) replaceEpochs(epoch int64) error {
	for _, name := range []string{acceptedName, currentName} {
		if err := d.opts.FS.Remove(filepath.Join(d.snaps, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replace epoch: %w", err)
		}
		if err := d.writeEpoch(name, epoch); err != nil {
			return err
		}
	}
	return nil
}

// stage copies what recovering needs, and tells whether it is from a member of an ensemble.
func stage(ctx context.Context, opts ImportOptions, staging string) (member bool, err error) {
	src := &Dir{opts: Options{FS: opts.FS, Dir: filepath.Clean(opts.From), LogDir: filepath.Clean(opts.FromLog)}, snaps: filepath.Join(opts.From, versionDir), logs: filepath.Join(opts.FromLog, versionDir)}
	if err := src.legacy(opts.From); err != nil {
		return false, err
	}
	if err := src.checkFiles(); err != nil {
		return false, err
	}
	if err := src.checkLogDir(); err != nil {
		return false, err
	}
	files, err := src.needed()
	if err != nil {
		return false, err
	}
	if len(files) == 0 {
		return false, &EmptyError{Dir: opts.From, LogDir: opts.FromLog}
	}
	for _, name := range []string{acceptedName, currentName, currentName + tmpSuffix} {
		path := filepath.Join(src.snaps, name)
		if _, err := opts.FS.Stat(path); err == nil {
			files = append(files, path)
			member = true
		}
	}
	into := filepath.Join(staging, versionDir)
	if err := vfs.MkdirAll(opts.FS, into); err != nil {
		return false, &AccessError{Key: "dataDir", Dir: opts.To, Err: err}
	}
	for i, path := range files {
		opts.Progress(fmt.Sprintf("copying %d files", len(files)), i)
		if err := copyFile(ctx, opts.FS, path, filepath.Join(into, filepath.Base(path))); err != nil {
			return false, err
		}
	}
	return member, nil
}

// legacy refuses what guard refuses, without opening the directory.
func (d *Dir) legacy(dir string) error {
	names, err := d.opts.FS.List(dir)
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: dir, Err: err}
	}
	if slices.Contains(names, versionDir) {
		return nil
	}
	for _, name := range names {
		if _, _, ok := snapshot.ParseName(name); ok {
			return &LegacyError{File: filepath.Join(dir, name)}
		}
	}
	return &EmptyError{Dir: d.snaps, LogDir: d.logs}
}

// needed are the paths of the newest snapshots and the log behind the oldest of them.
func (d *Dir) needed() (paths []string, err error) {
	list, err := d.snapshots()
	if err != nil {
		return nil, err
	}
	oldest, taken := zk.Zxid(0), 0
	for _, c := range list {
		path := filepath.Join(d.snaps, c.name)
		problem, err := snapshot.Plausible(d.opts.FS, path, c.comp)
		if err != nil {
			return nil, fmt.Errorf("look at snapshot: %w", err)
		}
		if problem == "" && taken < snapshotsImportMax {
			taken++
			oldest = c.zxid
		}
	}
	if oldest, err = d.acknowledged(list, oldest); err != nil {
		return nil, err
	}
	for _, c := range list {
		if taken == 0 || c.zxid >= oldest {
			paths = append(paths, filepath.Join(d.snaps, c.name))
		}
	}
	names, err := d.opts.FS.List(d.snaps)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, installPrefix) {
			paths = append(paths, filepath.Join(d.snaps, name))
		}
	}
	logs, err := wal.List(d.opts.FS, d.logs)
	if err != nil {
		return nil, err
	}
	first := 0
	for i, f := range logs {
		if f.Zxid <= oldest+1 {
			first = i
		}
	}
	for _, f := range logs[first:] {
		paths = append(paths, filepath.Join(d.logs, f.Name))
	}
	return paths, nil
}

const copyBytes = 1 << 20

// copyFile copies a file, which need not become durable.
func copyFile(ctx context.Context, fsys vfs.FS, from, to string) (err error) {
	in, err := fsys.Open(from)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := fsys.Create(to)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	buf := make([]byte, copyBytes)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.ReadAt(buf, at)
		if n > 0 {
			if _, err := out.WriteAt(buf[:n], at); err != nil {
				return fmt.Errorf("copy %s: %w", from, err)
			}
			at += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
	}
}

// removeTree deletes a directory of directories of files; it may be missing.
func removeTree(fsys vfs.FS, dir string) error {
	err := empty(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := fsys.Remove(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}

// empty removes all that is in a directory.
func empty(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if info, err := fsys.Stat(path); err == nil && info.Dir {
			if err := removeTree(fsys, path); err != nil {
				return err
			}
			continue
		}
		if err := fsys.Remove(path); err != nil {
			return fmt.Errorf("remove %s: %w", path, err)
		}
	}
	return nil
}
