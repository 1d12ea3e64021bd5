package datadir

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// ErrNoSnapshotBelow is wrapped by Truncate when no snapshot would be left to start from.
var ErrNoSnapshotBelow = errors.New("no snapshot from before that zxid")

// Truncate makes the directory forget everything behind target: log records, and snapshots that hold any of it. The state
// must be recovered again afterwards. If no record and no snapshot has that zxid the error wraps wal.ErrNotInLog, and if no
// snapshot would be left from which the log leads to target ErrNoSnapshotBelow; nothing is changed then. No log writer may
// be open. A crash on the way leaves history that ends later, never one with a gap.
func (d *Dir) Truncate(target zk.Zxid) error {
	d.replacing.Lock()
	defer d.replacing.Unlock()
	list, err := d.snapshots()
	if err != nil {
		return err
	}
	var drop []string
	newest := zk.Zxid(-1) // of those that stay
	for _, c := range list {
		beyond, err := d.beyond(c, target)
		switch {
		case err != nil:
			return fmt.Errorf("truncate to %v: %w", target, err)
		case beyond:
			drop = append(drop, filepath.Join(d.snaps, c.name))
		default:
			newest = max(newest, c.zxid)
		}
	}
	if newest < 0 {
		return fmt.Errorf("truncate to %v: %w", target, ErrNoSnapshotBelow)
	}
	if err := d.leads(newest, target); err != nil {
		return fmt.Errorf("truncate to %v: %w", target, err)
	}
	// Snapshots go first: with the log cut, one of them would bring back what was cut off.
	if d.opts.bug != bugTruncateKeepsSnapshots {
		if err := d.removeSnapshots(drop); err != nil {
			return fmt.Errorf("truncate to %v: %w", target, err)
		}
	}
	return wal.TruncateAfter(d.opts.FS, d.logs, target)
}

// TruncateAndRecover truncates and returns the state as it is then (with NoTree only the epochs), for a member that was told to. If it cannot be truncated
// to target the directory is as before, Untruncated says why, and the state is empty and uninitialised: the server has
// nothing to stand for until it has taken a snapshot from the leader (see Install).
func (d *Dir) TruncateAndRecover(target zk.Zxid, opts RecoverOptions) (*Recovered, error) {
	err := d.Truncate(target)
	if errors.Is(err, wal.ErrNotInLog) || errors.Is(err, ErrNoSnapshotBelow) {
		epochs, eerr := d.epochFiles()
		return &Recovered{Tree: tree.New(opts.Seed), Uninitialised: true, Untruncated: err, Epochs: epochs.Epochs}, eerr
	}
	if err != nil {
		return nil, err
	}
	if opts.NoTree {
		epochs, err := d.epochFiles()
		return &Recovered{Epochs: epochs.Epochs}, err
	}
	rec, err := d.recover(opts, 0) // what is left may be of a later epoch than the current one: it is being acknowledged
	if err != nil {
		return nil, fmt.Errorf("recover after truncating to %v: %w", target, err)
	}
	if rec.Tree.Zxid() != target {
		return nil, fmt.Errorf("truncated to %v, but recovered to %v", target, rec.Tree.Zxid())
	}
	epochs, err := d.epochFiles()
	rec.Epochs = epochs.Epochs
	return rec, err
}

// leads tells whether a snapshot at from and the log behind it reach target.
func (d *Dir) leads(from, target zk.Zxid) error {
	if from == target {
		return nil
	}
	r, err := wal.NewReader(d.opts.FS, d.logs, wal.ReadOptions{From: from + 1})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		damaged, ok := errors.AsType[*wal.CorruptionError](err)
		switch {
		case ok:
			return fmt.Errorf("%w, with an unbroken log behind it: %w", ErrNoSnapshotBelow, damaged)
		case errors.Is(err, io.EOF) || err == nil && rec.Zxid > target:
			return wal.ErrNotInLog
		case err != nil:
			return err
		case rec.Zxid == target:
			return nil
		}
	}
}

// beyond tells whether a snapshot may hold something behind target. One that cannot be read may hold anything.
func (d *Dir) beyond(c candidate, target zk.Zxid) (bool, error) {
	if c.zxid > target {
		return true, nil
	}
	info, err := snapshot.Read(d.opts.FS, d.snaps, c.name, nowhere{}, nil)
	if bad, ok := errors.AsType[*snapshot.CorruptError](err); ok && bad.Cause == nil { // a disk that fails is another matter
		return true, nil
	}
	return info.HasDigest && info.DigestZxid > target || info.HasLastZxid && info.LastZxid > target, err
}

// nowhere is a sink that forgets.
type nowhere struct{}

func (nowhere) Session(zk.SessionID, int32) {}
func (nowhere) ACL(int64, []zk.ACL)         {}
func (nowhere) Znode(*snapshot.Znode) error { return nil }
