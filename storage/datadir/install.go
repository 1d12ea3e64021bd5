package datadir

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// installPrefix is of a snapshot that takes the place of all history behind its zxid. ZooKeeper does not look at the name.
const installPrefix = "installing."

// Install makes v, a leader's snapshot, the state: when it returns, the directory recovers to v and nothing behind v's zxid
// is left of the history from before, which may be another one. It returns the path of the snapshot. After a crash on the
// way the directory recovers to the state from before or to v. No log writer may be open; Log goes on behind v.
//
// What was before v's zxid stays, so that a member still has its acknowledged state if it crashes before it acknowledges v:
// see RecoverOptions.Member.
//
// If ctx ends early, nothing has changed. Leave the digest out (see snapshot.WriteOptions) if v may hold effects of txns
// behind its zxid, as a ZooKeeper leader's may.
func (d *Dir) Install(ctx context.Context, v *tree.View, opts snapshot.WriteOptions) (string, error) {
	d.replacing.Lock()
	defer d.replacing.Unlock()
	name := snapshot.Name(v.Zxid(), opts.Compression)
	as := installPrefix + name
	if d.opts.bug == bugInstallCutFirst {
		if err := wal.TruncateAfter(d.opts.FS, d.logs, v.Zxid()); err != nil {
			return "", err
		}
	}
	if d.opts.bug == bugInstallUncut {
		as = name
	}
	// From here on the new state holds: under this name the snapshot means that what lies behind it is void.
	if err := snapshot.WriteAs(ctx, d.opts.FS, d.snaps, as, v, opts); err != nil {
		return "", fmt.Errorf("install snapshot: %w", err)
	}
	if err := d.finishInstall(name); err != nil {
		return "", err
	}
	return filepath.Join(d.snaps, name), nil
}

// finishInstalls goes on where a crash interrupted Install.
func (d *Dir) finishInstalls() error {
	names, err := d.opts.FS.List(d.snaps)
	if err != nil {
		return &AccessError{Key: "dataDir", Dir: d.snaps, Err: err}
	}
	for _, installing := range names {
		name, ok := strings.CutPrefix(installing, installPrefix)
		if _, _, snap := snapshot.ParseName(name); !ok || !snap {
			continue
		}
		// Its name may not be durable yet, and now the history that it replaces is going to be removed.
		if err := d.opts.FS.SyncDir(d.snaps); err != nil {
			return &AccessError{Key: "dataDir", Dir: d.snaps, Err: err}
		}
		d.opts.Logger.Info().Str("snapshot", name).Msg("finishing the installation of a leader's snapshot")
		if err := d.finishInstall(name); err != nil {
			return err
		}
	}
	return nil
}

// finishInstall removes what lies behind the snapshot, and gives it its name. Done twice, or over a crash, it comes out the same.
func (d *Dir) finishInstall(name string) error {
	z, _, _ := snapshot.ParseName(name)
	list, err := d.snapshots()
	if err != nil {
		return err
	}
	var paths []string
	for _, c := range list {
		if c.zxid >= z && c.name != name && d.opts.bug != bugInstallKeepsSnapshots {
			paths = append(paths, filepath.Join(d.snaps, c.name))
		}
	}
	if err := d.removeSnapshots(paths); err != nil {
		return err
	}
	if err := wal.TruncateAfter(d.opts.FS, d.logs, z); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	path := filepath.Join(d.snaps, name)
	if d.opts.bug != bugInstallUncut {
		err = d.opts.FS.Rename(filepath.Join(d.snaps, installPrefix+name), path)
	}
	if err == nil {
		err = d.opts.FS.SyncDir(d.snaps)
	}
	if err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	return nil
}

// removeSnapshots deletes snapshots, newest first, durably.
func (d *Dir) removeSnapshots(paths []string) error {
	for _, path := range paths {
		if err := d.opts.FS.Remove(path); err != nil {
			return fmt.Errorf("remove snapshot: %w", err)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	if err := d.opts.FS.SyncDir(d.snaps); err != nil {
		return fmt.Errorf("remove snapshots: %w", err)
	}
	return nil
}
