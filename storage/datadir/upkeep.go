package datadir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// retainMin is the least number of snapshots that Purge keeps, as in ZooKeeper.
const retainMin = 3

// ErrNoSnapshotBelow is wrapped by Truncate when no snapshot would be left to start from.
var ErrNoSnapshotBelow = errors.New("no snapshot from before that zxid")

// WriteSnapshot writes a view of the tree, durably, and returns the path of the file. See snapshot.Write.
func (d *Dir) WriteSnapshot(ctx context.Context, v *tree.View, opts snapshot.WriteOptions) (string, error) {
	name, err := snapshot.Write(ctx, d.opts.FS, d.snaps, v, opts)
	if err != nil {
		return "", err
	}
	return filepath.Join(d.snaps, name), nil
}

// Purge deletes all but the newest snapshots and the log that only older ones need, and returns the paths of what it
// deleted. Fewer than 3 snapshots are never kept; unfinished ones do not count.
func (d *Dir) Purge(retain int) ([]string, error) {
	list, err := d.snapshots()
	if err != nil {
		return nil, err
	}
	retain = max(retain, retainMin)
	kept, oldest := 0, zk.Zxid(0)
	newest := zk.Zxid(-1)
	for _, c := range list {
		problem, err := snapshot.Plausible(d.opts.FS, filepath.Join(d.snaps, c.name), c.comp)
		if err != nil {
			return nil, fmt.Errorf("purge: %w", err)
		}
		if problem == "" && kept < retain {
			kept++
			oldest = c.zxid
			newest = max(newest, c.zxid)
		}
	}
	if kept == 0 {
		return nil, nil
	}
	// Snapshots go first: one without its log would be of no use.
	var removed []string
	for _, c := range list {
		if c.zxid >= oldest {
			continue
		}
		path := filepath.Join(d.snaps, c.name)
		if err := d.opts.FS.Remove(path); err != nil {
			return removed, fmt.Errorf("purge snapshot: %w", err)
		}
		removed = append(removed, path)
	}
	if len(removed) > 0 {
		if err := d.opts.FS.SyncDir(d.snaps); err != nil {
			return removed, fmt.Errorf("purge snapshots: %w", err)
		}
	}
	if d.opts.bug == bugPurgeLogsByNewest {
		oldest = newest
	}
	logs, err := wal.Purge(d.opts.FS, d.logs, oldest)
	return append(removed, logs...), err
}

// Truncate makes the directory forget everything behind target: log records, and snapshots that hold any of it. The state
// must be recovered again afterwards. If the log has no such record the error wraps wal.ErrNotInLog, and if no snapshot
// would be left ErrNoSnapshotBelow; nothing is changed then.
func (d *Dir) Truncate(target zk.Zxid) error {
	list, err := d.snapshots()
	if err != nil {
		return err
	}
	var drop []string
	left := 0
	for _, c := range list {
		path := filepath.Join(d.snaps, c.name)
		beyond, err := d.beyond(c, target)
		switch {
		case err != nil:
			return fmt.Errorf("truncate to %v: %w", target, err)
		case beyond:
			drop = append(drop, path)
		default:
			left++
		}
	}
	if left == 0 {
		return fmt.Errorf("truncate to %v: %w", target, ErrNoSnapshotBelow)
	}
	if err := wal.Contains(d.opts.FS, d.logs, target); err != nil {
		return fmt.Errorf("truncate to %v: %w", target, err)
	}
	// Snapshots go first: with the log cut, one of them would bring back what was cut off.
	for _, path := range drop {
		if err := d.opts.FS.Remove(path); err != nil {
			return fmt.Errorf("truncate to %v: %w", target, err)
		}
	}
	if len(drop) > 0 {
		if err := d.opts.FS.SyncDir(d.snaps); err != nil {
			return fmt.Errorf("truncate to %v: %w", target, err)
		}
	}
	return wal.Truncate(d.opts.FS, d.logs, target)
}

// beyond tells whether a snapshot may hold something behind target. One that cannot be read may hold anything.
func (d *Dir) beyond(c candidate, target zk.Zxid) (bool, error) {
	if c.zxid > target {
		return true, nil
	}
	info, err := snapshot.Read(d.opts.FS, d.snaps, c.name, nowhere{}, nil)
	if errors.Is(err, snapshot.ErrCorrupt) {
		return true, nil
	}
	return info.HasDigest && info.DigestZxid > target || info.HasLastZxid && info.LastZxid > target, err
}

// nowhere is a sink that forgets.
type nowhere struct{}

func (nowhere) Session(zk.SessionID, int32) {}
func (nowhere) ACL(int64, []zk.ACL)         {}
func (nowhere) Znode(*snapshot.Znode) error { return nil }

// Usage is what the directory takes.
type Usage struct {
	Snapshots      int
	SnapshotBytes  int64
	NewestSnapshot zk.Zxid // 0 if there is none
	Logs           int
	LogBytes       int64     // with space prepared for records to come
	Space          vfs.Space // of the file system with the snapshots
	LogSpace       vfs.Space // of the one with the log
}

// Usage measures the directory.
func (d *Dir) Usage() (Usage, error) {
	var u Usage
	list, err := d.snapshots()
	if err != nil {
		return u, err
	}
	logs, err := wal.List(d.opts.FS, d.logs)
	if err != nil {
		return u, err
	}
	u.Snapshots, u.Logs = len(list), len(logs)
	if len(list) > 0 {
		u.NewestSnapshot = list[0].zxid
	}
	for _, c := range list {
		u.SnapshotBytes += d.size(filepath.Join(d.snaps, c.name))
	}
	for _, f := range logs {
		u.LogBytes += d.size(filepath.Join(d.logs, f.Name))
	}
	if u.Space, err = d.opts.FS.Space(d.snaps); err != nil {
		return u, err
	}
	u.LogSpace, err = d.opts.FS.Space(d.logs)
	return u, err
}

// size is 0 for a file that a purge deleted in the meantime.
func (d *Dir) size(path string) int64 {
	info, err := d.opts.FS.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size
}
