package wal

import (
	"errors"
	"fmt"
	"io/fs"

	"paddock/storage/vfs"
)

// Why zeros are written ahead: on the disks we measured, writing a record over blocks that were written before and
// syncing takes half as long as growing the file, and merely reserved blocks are slower than growing. What is saved is some
// time of each sync, what is paid grows with the bytes: where syncs cover many records none are written.

var zeros [prepareStepBytes]byte

// Prepare does one step of work ahead: it writes and syncs a stretch of zeros behind the current records, or prepares
// the next file. It returns false when there is nothing to do for now. It may run beside the owner's calls, but only once
// at a time; the owner waits for it only where records overtake zeros that are just being written.
//
// Failing to write zeros (a full disk) is no failure of the log: the error is returned once, and records are appended
// without. Failing to sync is, since the same sync may have covered records.
func (w *Writer) Prepare() (more bool, err error) {
	if w.opts.PrepareBytes < 0 {
		return false, nil
	}
	w.mu.Lock()
	if w.err != nil || w.closed {
		w.mu.Unlock()
		return false, nil
	}
	c := w.cur
	if c != nil && !c.noRoom && !w.bulk && c.zeroed-c.pos < c.window {
		c.filling, c.fillAt = true, c.zeroed
		n := min(int64(len(zeros)), c.window)
		c.zeroed += n
		w.mu.Unlock()
		return w.fill(c, n)
	}
	needSpare := w.spare == nil && (c == nil || !c.noRoom)
	w.mu.Unlock()
	if !needSpare {
		return false, nil
	}
	return w.prepareSpare()
}

// fill writes n zeros where Prepare claimed them.
func (w *Writer) fill(c *current, n int64) (bool, error) {
	var err error
	if c.zf == nil { // only this goroutine sets it, and nobody closes it while filling
		c.zf, err = w.opts.FS.OpenReadWrite(c.name)
	}
	zf := c.zf
	if err == nil {
		_, err = zf.WriteAt(zeros[:n], c.fillAt)
	}
	w.mu.Lock()
	c.filling = false
	c.window = min(c.window+n, prepareGrowth*w.opts.PrepareBytes)
	if err != nil {
		c.noRoom = true
	}
	gone := w.cur != c
	w.idle.Broadcast()
	w.mu.Unlock()
	if err != nil {
		return false, fmt.Errorf("write zeros ahead in log: %w", err)
	}
	if gone || w.opts.NoSync {
		return true, nil
	}
	if err := zf.SyncData(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return false, w.fail(fmt.Errorf("sync log: %w", err))
	}
	return true, nil
}

// prepareSpare makes a file with a header and zeros under a name that no server reads.
func (w *Writer) prepareSpare() (bool, error) {
	f, err := w.opts.FS.Create(join(w.opts.Dir, spareName))
	if err != nil {
		return false, fmt.Errorf("prepare next log: %w", err)
	}
	size := min(w.opts.PrepareBytes, int64(len(zeros)))
	if _, err = f.WriteAt(fileHeader[:], 0); err == nil {
		_, err = f.WriteAt(zeros[:size], HeaderBytes)
	}
	if err == nil && !w.opts.NoSync {
		err = f.Sync()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && !w.closed {
		w.spare = &current{f: f, pos: HeaderBytes, zeroed: HeaderBytes + size, window: w.opts.PrepareBytes}
		return true, nil
	}
	_ = f.Close() // nothing of value is in it
	_ = w.opts.FS.Remove(join(w.opts.Dir, spareName))
	if err == nil {
		return false, nil
	}
	if w.cur != nil {
		w.cur.noRoom = true
	}
	return false, fmt.Errorf("prepare next log: %w", err)
}

// KeepPrepared calls Prepare whenever there is something to do, and report with every error, until the writer is closed.
// The driver runs it on a goroutine of its own and waits for that after Close.
func (w *Writer) KeepPrepared(report func(error)) {
	for range w.wake {
		for {
			more, err := w.Prepare()
			if err != nil {
				report(err)
			}
			if !more || err != nil {
				break
			}
		}
	}
}

// poke wakes KeepPrepared. It is called with the lock held, or before anyone else knows the writer.
func (w *Writer) poke() {
	if w.closed {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// removeSpare deletes what a crash left of a prepared file.
func removeSpare(fsys vfs.FS, dir string) error {
	err := fsys.Remove(join(dir, spareName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove prepared log: %w", err)
	}
	return nil
}
