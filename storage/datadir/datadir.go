package datadir

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// The files of a data directory, below dataDir and dataLogDir.
const (
	versionDir     = "version-2"
	LockName       = "paddock.lock" // locked by the server that has the directory; beside version-2, where ZooKeeper does not look
	initializeName = "initialize"
	acceptedName   = "acceptedEpoch"
	currentName    = "currentEpoch"
	tmpSuffix      = ".tmp" // of a small file being written
	smallFileBytes = 4096   // no epoch file is larger
)

// Options say which directory to open and how.
type Options struct {
	FS     vfs.FS
	Logger zerolog.Logger
	Dir    string // dataDir: snapshots and epochs
	LogDir string // dataLogDir; "" stands for Dir
	// NoAutocreate makes missing directories an error (datadir.autocreate=false).
	NoAutocreate bool
	// NoNewDatabase leaves an empty directory uninitialised (db.autocreate=false), unless it has an initialize file.
	NoNewDatabase bool
	// TrustEmpty replays a log although there is no snapshot (snapshot.trust.empty=true).
	TrustEmpty bool
	// NoSync skips the log's fsyncs (forceSync=no).
	NoSync bool
	// PrepareBytes is for wal.Options.
	PrepareBytes int64
	// PID is written into the lock file.
	PID int

	bug bug // a mistake planted by a test
}

// bug is a mistake that the crash tests must find.
type bug uint8

const (
	bugNone bug = iota
	bugEpochNotSynced
	bugPurgeLogsByNewest
	bugInitializeEarly
	bugInstallUncut
	bugInstallCutFirst
	bugInstallKeepsSnapshots
	bugTruncateKeepsSnapshots
	bugSuffixKept
	bugPurgeUnacknowledged
)

// Dir is an open data directory.
type Dir struct {
	opts  Options
	snaps string // dataDir/version-2
	logs  string // dataLogDir/version-2
	locks []io.Closer

	mu        sync.Mutex // guards stretches
	stretches map[string]wal.Stretch

	// replacing guards the set of snapshot files: one that is still being written when history is truncated or replaced
	// would come back as the newest.
	replacing sync.Mutex

	member  bool // recovered as a member of an ensemble
	dropped bool // history that was never acknowledged, in this recovery
}

// Open creates what is missing, takes the lock and removes what an interrupted write left. Its errors are *InUseError,
// *MissingError, *AccessError, *SwappedError, *LegacyError, *NoFileError and
// *MovedLogError.
func Open(opts Options) (*Dir, error) {
	if opts.LogDir == "" {
		opts.LogDir = opts.Dir
	}
	opts.Dir, opts.LogDir = filepath.Clean(opts.Dir), filepath.Clean(opts.LogDir)
	d := &Dir{opts: opts, snaps: filepath.Join(opts.Dir, versionDir), logs: filepath.Join(opts.LogDir, versionDir)}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dir) open() error {
	pairs := []struct{ key, dir string }{{"dataDir", d.opts.Dir}, {"dataLogDir", d.opts.LogDir}}
	if d.opts.Dir == d.opts.LogDir {
		pairs = pairs[:1]
	}
	for _, p := range pairs {
		if err := d.create(p.key, p.dir); err != nil {
			return err
		}
		l, err := d.opts.FS.Lock(filepath.Join(p.dir, LockName), strconv.Itoa(d.opts.PID)+"\n")
		if held, ok := errors.AsType[*vfs.LockedError](err); ok {
			pid, _ := strconv.Atoi(strings.TrimSpace(held.Owner)) // 0 if the holder has not written it yet
			return &InUseError{Dir: p.dir, PID: pid}
		}
		if err != nil {
			return &AccessError{Key: p.key, Dir: p.dir, Err: err}
		}
		d.locks = append(d.locks, l)
	}
	if err := d.guard(); err != nil {
		return err
	}
	if err := d.checkFiles(); err != nil {
		return err
	}
	if err := d.checkLogDir(); err != nil {
		return err
	}
	if err := d.noteLogDir(); err != nil {
		return err
	}
	if err := d.removeLeftovers(); err != nil {
		return err
	}
	return d.finishInstalls()
}

func (d *Dir) create(key, dir string) error {
	version := filepath.Join(dir, versionDir)
	if d.opts.NoAutocreate {
		if _, err := d.opts.FS.Stat(version); errors.Is(err, fs.ErrNotExist) {
			return &MissingError{Key: key, Dir: version}
		}
	}
	if err := vfs.MkdirAll(d.opts.FS, version); err != nil {
		return &AccessError{Key: key, Dir: dir, Err: err}
	}
	// They may be there and not be durable: whoever made them may have been killed in between.
	err := d.opts.FS.SyncDir(dir)
	if err == nil {
		if err = d.opts.FS.SyncDir(filepath.Dir(dir)); errors.Is(err, fs.ErrPermission) {
			err = nil // somebody else's directory; then dir was not made by us either
		}
	}
	if err != nil {
		return &AccessError{Key: key, Dir: dir, Err: err}
	}
	return nil
}

// guard refuses directories that hold what belongs into the other one, and data from before ZooKeeper 3.0.
func (d *Dir) guard() error {
	if d.opts.Dir != d.opts.LogDir {
		for _, c := range []struct{ key, dir, prefix string }{{"dataDir", d.snaps, "log."}, {"dataLogDir", d.logs, "snapshot."}} {
			names, err := d.opts.FS.List(c.dir)
			if err != nil {
				return &AccessError{Key: c.key, Dir: c.dir, Err: err}
			}
			for _, name := range names {
				if strings.HasPrefix(name, c.prefix) {
					return &SwappedError{Key: c.key, File: filepath.Join(c.dir, name)}
				}
			}
		}
	}
	names, err := d.opts.FS.List(d.opts.Dir)
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: d.opts.Dir, Err: err}
	}
	inside, err := d.opts.FS.List(d.snaps)
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: d.snaps, Err: err}
	}
	if len(inside) > 0 {
		return nil
	}
	for _, name := range names {
		if _, _, ok := snapshot.ParseName(name); ok {
			return &LegacyError{File: filepath.Join(d.opts.Dir, name)}
		}
		if _, ok := wal.ParseName(name); ok {
			return &LegacyError{File: filepath.Join(d.opts.Dir, name)}
		}
	}
	return nil
}

// checkFiles refuses what has the name of a snapshot, a log or an epoch and is no file: reading it would fail later, or never end.
//
// ZooKeeper compatibility: passes over a snapshot that is none with a warning, and fails on a log that is none.
func (d *Dir) checkFiles() error {
	for _, c := range []struct{ key, dir string }{{"dataDir", d.snaps}, {"dataLogDir", d.logs}} {
		names, err := d.opts.FS.List(c.dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return &AccessError{Key: c.key, Dir: c.dir, Err: err}
		}
		for _, name := range names {
			_, _, isSnapshot := snapshot.ParseName(name)
			if _, isLog := wal.ParseName(name); !isSnapshot && !isLog && name != acceptedName && name != currentName || strings.HasSuffix(name, tmpSuffix) {
				continue
			}
			path := filepath.Join(c.dir, name)
			switch info, err := d.opts.FS.Stat(path); {
			case errors.Is(err, fs.ErrNotExist):
				return &NoFileError{Path: path, Is: "a link to nothing", Remedy: "put back what it led to, or remove the link if the data are whole without it"}
			case err != nil:
				return &AccessError{Key: c.key, Dir: c.dir, Err: err}
			case info.Dir:
				return &NoFileError{Path: path, Is: "a directory", Remedy: "no server has made it under this name: move it away"}
			case info.Special:
				return &NoFileError{Path: path, Is: "a pipe, a socket or a device", Remedy: "no server has made it under this name: move it away"}
			}
		}
	}
	return nil
}

// removeLeftovers deletes the temporary files of writes that a crash interrupted, ours and ZooKeeper's.
func (d *Dir) removeLeftovers() error {
	names, err := d.opts.FS.List(d.snaps)
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: d.snaps, Err: err}
	}
	removed := false
	for _, name := range names {
		temporary := strings.HasSuffix(name, tmpSuffix) && strings.HasPrefix(name, "snapshot.") // those of epochs are for Recover
		if !temporary && !snapshot.IsUnfinished(name) {
			continue
		}
		path := filepath.Join(d.snaps, name)
		if err := d.opts.FS.Remove(path); err != nil {
			return &AccessError{Key: "dataDir", Dir: d.snaps, Err: err}
		}
		d.opts.Logger.Info().Str("file", path).Msg("removed the leftover of an interrupted write")
		removed = true
	}
	if !removed {
		return nil
	}
	if err := d.opts.FS.SyncDir(d.snaps); err != nil {
		return &AccessError{Key: "dataDir", Dir: d.snaps, Err: err}
	}
	return nil
}

// Close gives up the locks. The log writer must be closed before.
func (d *Dir) Close() error {
	var errs []error
	for _, l := range d.locks {
		errs = append(errs, l.Close())
	}
	d.locks = nil
	return errors.Join(errs...)
}

// Log returns a writer that goes on behind last. Truncate must not be called while it is open.
func (d *Dir) Log(last zk.Zxid) *wal.Writer {
	return wal.NewWriter(wal.Options{FS: d.opts.FS, Dir: d.logs, NoSync: d.opts.NoSync, PrepareBytes: d.opts.PrepareBytes}, last)
}

// FindHistory tells what of the log follows z, up to until; see wal.Find. Any goroutine may call it.
func (d *Dir) FindHistory(z, until zk.Zxid, limitBytes int64) (span wal.Span, ok bool, err error) {
	return wal.Find(d.opts.FS, d.logs, z, until, limitBytes)
}

// OpenHistory reads what follows the record after, up to the record to, which must be durable; see wal.OpenRange. Any
// goroutine may call it.
func (d *Dir) OpenHistory(after, to zk.Zxid) (*wal.Range, error) {
	return wal.OpenRange(d.opts.FS, d.logs, after, to)
}

// HistoryBegins is the zxid that the log goes back to without a gap; ok is false if it has no record. Any goroutine may call it. It reads
// each file of the log once.
func (d *Dir) HistoryBegins() (z zk.Zxid, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stretches == nil {
		d.stretches = map[string]wal.Stretch{}
	}
	return wal.Begins(d.opts.FS, d.logs, d.stretches)
}

// NewestBefore is the zxid of the newest record of the log that is not newer than z, which must be durable; ok is false if there
// is none. Any goroutine may call it.
func (d *Dir) NewestBefore(z zk.Zxid) (newest zk.Zxid, ok bool, err error) {
	return wal.NewestBefore(d.opts.FS, d.logs, z)
}

// LogPath and SnapshotPath are the directories that hold the log and the snapshots.
func (d *Dir) LogPath() string { return d.logs }

// SnapshotPath is described at LogPath.
func (d *Dir) SnapshotPath() string { return d.snaps }
