package datadir

import (
	"context"
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

// WriteSnapshot writes a view of the tree, durably, and returns the path of the file. See snapshot.Write. Truncate and Install
// wait for it, unless ctx ends; a view of the tree that they have replaced must not be written afterwards.
func (d *Dir) WriteSnapshot(ctx context.Context, v *tree.View, opts snapshot.WriteOptions) (string, error) {
	d.replacing.Lock()
	defer d.replacing.Unlock()
	name, err := snapshot.Write(ctx, d.opts.FS, d.snaps, v, opts)
	if err != nil {
		return "", err
	}
	return filepath.Join(d.snaps, name), nil
}

// Purge deletes all but the newest snapshots and the log that only older ones need, and returns the paths of what it
// deleted. Fewer than 3 snapshots are never kept; unfinished ones do not count. history is for how many bytes of log files, newest first, it
// keeps beyond those that a snapshot needs.
func (d *Dir) Purge(retain int, history int64) ([]string, error) {
	d.replacing.Lock()
	defer d.replacing.Unlock()
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
	if d.member && d.opts.bug != bugPurgeUnacknowledged {
		if oldest, err = d.acknowledged(list, oldest); err != nil {
			return nil, err
		}
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
	if oldest, err = d.spared(oldest, history); err != nil {
		return removed, err
	}
	logs, err := wal.Purge(d.opts.FS, d.logs, oldest)
	return append(removed, logs...), err
}

// spared lowers oldest so that so many bytes of log files stay beyond what oldest needs.
func (d *Dir) spared(oldest zk.Zxid, left int64) (zk.Zxid, error) {
	if left <= 0 {
		return oldest, nil
	}
	files, err := wal.List(d.opts.FS, d.logs)
	if err != nil {
		return oldest, fmt.Errorf("purge: %w", err)
	}
	for i := len(files) - 1; i >= 0; i-- {
		f := files[i]
		if i+1 < len(files) && files[i+1].Zxid <= oldest+1 { // the file is not needed
			if left -= d.size(filepath.Join(d.logs, f.Name)); left < 0 {
				break
			}
			oldest = min(oldest, f.Zxid-1)
		}
	}
	return oldest, nil
}

// acknowledged lowers oldest to the newest whole snapshot of the current epoch or before: a member falls back to it if it
// crashes before it acknowledges a later epoch.
func (d *Dir) acknowledged(list []candidate, oldest zk.Zxid) (zk.Zxid, error) {
	current, ok, err := d.CurrentEpoch()
	if err != nil || !ok {
		return oldest, err
	}
	for _, c := range list {
		if c.zxid.Epoch() > current {
			continue
		}
		problem, err := snapshot.Plausible(d.opts.FS, filepath.Join(d.snaps, c.name), c.comp)
		if err != nil {
			return 0, fmt.Errorf("purge: %w", err)
		}
		if problem == "" {
			return min(oldest, c.zxid), nil
		}
	}
	return oldest, nil
}

// Usage is what the directory takes.
type Usage struct {
	Snapshots      int
	SnapshotBytes  int64
	NewestSnapshot zk.Zxid // 0 if there is none
	NewestBytes    int64   // its size
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
	for i, c := range list {
		size := d.size(filepath.Join(d.snaps, c.name))
		if u.SnapshotBytes += size; i == 0 {
			u.NewestBytes = size
		}
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
