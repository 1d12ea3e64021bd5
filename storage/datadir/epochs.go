package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"paddock/internal/zk"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// Epochs are what a member of an ensemble has promised.
type Epochs struct {
	Accepted int64 // no leader of an earlier epoch is followed
	Current  int64 // of the last leader whose history was acknowledged
}

// EpochError says that the epoch files do not fit each other or the state.
type EpochError struct {
	File   string
	Reason string
}

// Error names the file, what is wrong and the remedy.
func (e *EpochError) Error() string {
	return fmt.Sprintf("%s: %s; was a backup restored partly? %s", e.File, e.Reason,
		"restore all of version-2, or move it away and let the server sync from the others")
}

// AcceptedEpoch and CurrentEpoch read the epoch files; ok is false if there is none, as on a standalone server.
func (d *Dir) AcceptedEpoch() (epoch int64, ok bool, err error) { return d.readEpoch(acceptedName) }

// CurrentEpoch is described at AcceptedEpoch.
func (d *Dir) CurrentEpoch() (epoch int64, ok bool, err error) { return d.readEpoch(currentName) }

// SetAcceptedEpoch and SetCurrentEpoch write the epoch files, durably. A lower epoch than the one that is there is refused.
func (d *Dir) SetAcceptedEpoch(epoch int64) error { return d.writeEpoch(acceptedName, epoch) }

// SetCurrentEpoch is described at SetAcceptedEpoch. All history that the epoch acknowledges must be durable before.
func (d *Dir) SetCurrentEpoch(epoch int64) error { return d.writeEpoch(currentName, epoch) }

// readEpoch takes ZooKeeper's -1, of a member that never had a database, for 0.
func (d *Dir) readEpoch(name string) (int64, bool, error) {
	path := filepath.Join(d.snaps, name)
	b, err := vfs.ReadFile(d.opts.FS, path, smallFileBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read epoch: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	epoch, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil || epoch < -1 || epoch > math.MaxInt32 {
		return 0, false, fmt.Errorf("%s contains %q, expected an epoch in decimal; restore the file from a backup", path, line)
	}
	return max(epoch, 0), true, nil
}

func (d *Dir) writeEpoch(name string, epoch int64) error {
	path := filepath.Join(d.snaps, name)
	before, _, err := d.readEpoch(name)
	if err == nil && epoch < before {
		err = fmt.Errorf("%s has %d, and epochs never go back", path, before)
	}
	if err != nil {
		return fmt.Errorf("write epoch %d: %w", epoch, err)
	}
	text := []byte(strconv.FormatInt(epoch, 10))
	if d.opts.bug == bugEpochNotSynced {
		var f vfs.File
		if f, err = d.opts.FS.Create(path); err == nil {
			_, err = f.WriteAt(text, 0)
		}
	} else {
		err = vfs.WriteFileAtomic(d.opts.FS, path, text)
	}
	if err != nil {
		return fmt.Errorf("write epoch %d: %w", epoch, err)
	}
	return nil
}

// beyondError says that the directory holds history above a limit.
type beyondError struct {
	zxid     zk.Zxid
	snapshot string // path of the snapshot that does; "" for the log
}

func (e *beyondError) Error() string {
	return fmt.Sprintf("history beyond the current epoch: %v", e.zxid)
}

// epochFiles are the epoch files as they are.
type epochFiles struct {
	Epochs
	hasAccepted, hasCurrent bool
}

// counterMax is the last counter of an epoch.
const counterMax = 1<<32 - 1

// recoverMember restores the state that this server may stand for in an ensemble: nothing of an epoch later than the current
// one, since it was never acknowledged. A leader's history becomes durable before the epoch does, so that a crash in between
// leaves some of it.
//
// INVARIANT(acknowledged-history-kept): what is dropped is of an epoch above the current one, so was never acknowledged.
func (d *Dir) recoverMember(opts RecoverOptions) (*Recovered, error) {
	if err := d.opts.FS.SyncDir(d.snaps); err != nil { // the epochs that are read now may be a killed server's last words
		return nil, fmt.Errorf("sync epochs: %w", err)
	}
	d.dropped = false
	for {
		e, err := d.epochFiles()
		if err != nil {
			return nil, err
		}
		limit := zk.Zxid(0)
		if e.hasCurrent && d.opts.bug != bugSuffixKept {
			limit = zk.Zxid(e.Current<<32 | counterMax)
		}
		out, err := d.recover(opts, limit)
		if beyond, ok := errors.AsType[*beyondError](err); ok {
			if err := d.resolve(e, beyond, limit); err != nil {
				return nil, err
			}
			continue // a later epoch is the current one now, or what it would have been needed for is gone
		}
		if err != nil {
			return nil, err
		}
		out.Epochs, err = d.completeEpochs(e, max(out.LastZxid(), 0))
		return out, err
	}
}

func (d *Dir) epochFiles() (e epochFiles, err error) {
	if e.Accepted, e.hasAccepted, err = d.AcceptedEpoch(); err == nil {
		e.Current, e.hasCurrent, err = d.CurrentEpoch()
	}
	return e, err
}

// resolve deals with history beyond limit, the end of the current epoch.
func (d *Dir) resolve(e epochFiles, beyond *beyondError, limit zk.Zxid) error {
	last, err := d.lastOnDisk()
	if err != nil {
		return err
	}
	last = max(last, beyond.zxid)
	tmp, written, err := d.readEpoch(currentName + tmpSuffix)
	if err == nil && written && tmp >= last.Epoch() && (!e.hasAccepted || tmp <= e.Accepted) {
		return d.adoptCurrent(tmp)
	}
	if !e.hasAccepted || e.Accepted < last.Epoch() {
		return &EpochError{File: filepath.Join(d.snaps, currentName),
			Reason: fmt.Sprintf("the current epoch, %d, is older than the last zxid, %v", e.Current, last)}
	}
	d.opts.Logger.Warn().Stringer("first", beyond.zxid).Stringer("last", last).Int64("current_epoch", e.Current).Int64("accepted_epoch", e.Accepted).
		Msg("dropping history of an epoch that this server never acknowledged")
	return d.drop(beyond, limit)
}

// lastOnDisk is the highest zxid in the directory.
func (d *Dir) lastOnDisk() (zk.Zxid, error) {
	last, err := wal.LastZxid(d.opts.FS, d.logs)
	if err != nil {
		return 0, err
	}
	list, err := d.snapshots()
	if err == nil && len(list) > 0 {
		last = max(last, list[0].zxid)
	}
	return last, err
}

// drop removes history above limit. The log goes first: a snapshot without its log still says of which epoch it is.
func (d *Dir) drop(beyond *beyondError, limit zk.Zxid) error {
	d.dropped = true
	if err := wal.TruncateAfter(d.opts.FS, d.logs, limit); err != nil {
		return err
	}
	list, err := d.snapshots()
	if err != nil {
		return err
	}
	var paths []string
	for _, c := range list {
		if path := filepath.Join(d.snaps, c.name); c.zxid > limit || path == beyond.snapshot {
			paths = append(paths, path)
		}
	}
	return d.removeSnapshots(paths)
}

// adoptCurrent finishes an interrupted write of the current epoch. ZooKeeper's may have been acknowledged: it does not sync the
// directory.
func (d *Dir) adoptCurrent(epoch int64) error {
	path := filepath.Join(d.snaps, currentName)
	d.opts.Logger.Info().Str("file", path+tmpSuffix).Int64("current_epoch", epoch).Msg("finishing an interrupted write of the current epoch")
	f, err := d.opts.FS.OpenReadWrite(path + tmpSuffix)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err == nil {
		err = d.opts.FS.Rename(path+tmpSuffix, path)
	}
	if err == nil {
		err = d.opts.FS.SyncDir(d.snaps)
	}
	if err != nil {
		return fmt.Errorf("adopt epoch %d: %w", epoch, err)
	}
	return nil
}

// completeEpochs makes the files that are missing, from the epoch of the last zxid, and compares them.
func (d *Dir) completeEpochs(e epochFiles, last zk.Zxid) (Epochs, error) {
	out := e.Epochs
	if !e.hasCurrent {
		out.Current = last.Epoch()
	}
	if !e.hasAccepted {
		out.Accepted = max(last.Epoch(), out.Current)
	}
	if out.Accepted < out.Current {
		return out, &EpochError{File: filepath.Join(d.snaps, acceptedName),
			Reason: fmt.Sprintf("the accepted epoch, %d, is less than the current epoch, %d", out.Accepted, out.Current)}
	}
	if !e.hasCurrent {
		if err := d.SetCurrentEpoch(out.Current); err != nil {
			return out, err
		}
	}
	if !e.hasAccepted {
		if err := d.SetAcceptedEpoch(out.Accepted); err != nil {
			return out, err
		}
	}
	for _, name := range []string{acceptedName, currentName} {
		err := d.opts.FS.Remove(filepath.Join(d.snaps, name+tmpSuffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return out, fmt.Errorf("remove the leftover of an interrupted write: %w", err)
		}
	}
	return out, nil
}
