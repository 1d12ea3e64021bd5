package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// Options configure a Writer.
type Options struct {
	FS  vfs.FS
	Dir string // existing directory
	// NoSync skips every sync, as forceSync=no does: a crash of the machine loses records that were acknowledged.
	NoSync bool
	// PrepareBytes is the size of the first stretch of zeros written ahead, in bytes; later ones grow to four times that.
	// 0 stands for 1 MiB; negative prepares nothing.
	PrepareBytes int64

	bug bug // a mistake planted by a test
}

// bug is a mistake that the crash tests must find.
type bug uint8

const (
	bugNone bug = iota
	bugNoDirSync
	bugNoDataSync
	bugRollWithoutSync
	bugTornAccepted
)

const (
	prepareBytesDefault = 1 << 20
	prepareGrowth       = 4         // how often the first stretch the later ones are, at most
	prepareStepBytes    = 256 << 10 // zeros written and synced at a time, so that a sync of records waits for little
	bulkBytes           = 64 << 10  // that a sync covers on average, from where on zeros cost more than they save
	batchesWeighed      = 8         // about as many are in that average
)

// Writer appends records to log files. It starts a new file with the first record after NewWriter and after each Roll;
// it never appends to a file of an earlier run. One goroutine owns it, see Prepare for the exception.
type Writer struct {
	opts Options

	// Owner's.
	last      zk.Zxid
	unsynced  int64 // bytes written since the last sync
	batch     int64 // bytes that a sync covers, a moving average
	dirDirty  bool  // the file's name is not durable
	rolledOff int64 // bytes in files rolled off

	mu     sync.Mutex // guards what follows
	idle   sync.Cond  // signalled when filling ends
	cur    *current   // nil when the next record opens a file
	spare  *current   // prepared for the next file, nil when there is none
	bulk   bool       // syncs cover much: no zeros are wanted
	err    error      // first failed write or sync
	closed bool
	wake   chan struct{} // Prepare has something to do
}

// current is the file being written.
type current struct {
	f       vfs.File // the owner's
	zf      vfs.File // Prepare's own, nil until needed: each handle is told of a failed sync, so neither hides it from the other
	name    string
	pos     int64 // end of the records, including those being written
	zeroed  int64 // end of the zeros, including those being written; at least pos
	window  int64 // zeros wanted ahead of pos
	filling bool  // Prepare is writing zeros from fillAt on
	fillAt  int64
	noRoom  bool // zeros could not be written: go on without
}

// NewWriter returns a writer for a directory that Recover has seen. last is the zxid of the last record in the log or
// the snapshot; the first record written must have a higher one. No file is opened yet.
func NewWriter(opts Options, last zk.Zxid) *Writer {
	if opts.PrepareBytes == 0 {
		opts.PrepareBytes = prepareBytesDefault
	}
	w := &Writer{opts: opts, last: last, wake: make(chan struct{}, 1)}
	w.idle.L = &w.mu
	w.poke()
	return w
}

// Frame appends payload to dst as the log stores it; see AppendRecord.
func (w *Writer) Frame(dst, payload []byte) []byte { return AppendRecord(dst, payload) }

// Append frames payloads and writes them, as Write does.
func (w *Writer) Append(payloads [][]byte) error {
	if len(payloads) == 0 {
		return nil
	}
	size := 0
	for _, p := range payloads {
		if len(p) < payloadBytesMin {
			return fmt.Errorf("append record: %d bytes are less than a transaction header", len(p))
		}
		size += int(RecordBytes(len(p)))
	}
	buf := make([]byte, 0, size)
	for _, p := range payloads {
		buf = AppendRecord(buf, p)
	}
	return w.Write(buf, txn.PayloadZxid(payloads[0]), txn.PayloadZxid(payloads[len(payloads)-1]))
}

// Write appends framed records (see AppendRecord) with the zxids from first to last. They are not durable before Sync.
// It does not keep buf. It blocks for the disk only if more than 4 MiB have gathered since the last Sync.
func (w *Writer) Write(buf []byte, first, last zk.Zxid) error {
	if err := w.Err(); err != nil {
		return err
	}
	if first <= w.last || last < first {
		return w.fail(fmt.Errorf("append zxids %v to %v after %v: out of order", first, last, w.last))
	}
	if err := w.openCurrent(first); err != nil {
		return w.fail(err)
	}
	for len(buf) > 0 {
		if w.unsynced >= unsyncedBytesMax {
			if err := w.Sync(); err != nil {
				return err
			}
		}
		n := min(int64(len(buf)), unsyncedBytesMax-w.unsynced)
		off := w.claim(n)
		if _, err := w.cur.f.WriteAt(buf[:n], off); err != nil {
			return w.fail(fmt.Errorf("append %v to %s at %d: %w", first, w.cur.name, off, cause(err)))
		}
		w.unsynced += n
		buf = buf[n:]
	}
	w.last = last
	return nil
}

// cause is what is wrong, without the name under which the file was opened: it may have been prepared under another.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// claim takes the next n bytes of the file for records. Zeros on their way to the same place must get there first.
func (w *Writer) claim(n int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.cur
	for c.filling && c.pos+n > c.fillAt {
		w.idle.Wait()
	}
	off := c.pos
	c.pos += n
	c.zeroed = max(c.zeroed, c.pos)
	if !w.bulk && c.zeroed-c.pos < c.window/2 {
		w.poke()
	}
	return off
}

// weigh takes the bytes that a sync has covered into the average, and decides by it whether zeros are wanted ahead.
func (w *Writer) weigh(n int64) {
	w.batch += (n - w.batch) / batchesWeighed
	if bulk := w.batch >= bulkBytes; bulk != w.bulk {
		w.mu.Lock()
		w.bulk = bulk
		w.poke()
		w.mu.Unlock()
	}
}

// openCurrent makes sure that a file is open: the spare under its right name, or a new one.
func (w *Writer) openCurrent(first zk.Zxid) error {
	if w.cur != nil {
		return nil
	}
	w.mu.Lock()
	c := w.spare // stays until it has its name: Prepare would else make the next one under the old name, in this very file
	w.mu.Unlock()
	name, head := join(w.opts.Dir, FileName(first)), linked(w.last, first)
	if c != nil {
		err := w.opts.FS.Rename(join(w.opts.Dir, spareName), name)
		w.mu.Lock()
		w.spare = nil
		w.mu.Unlock()
		if err == nil {
			_, err = c.f.WriteAt(head[:], 0)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("open log: %w", err), c.close())
		}
	} else {
		f, err := w.opts.FS.Create(name)
		if err != nil {
			return fmt.Errorf("open log: %w", err)
		}
		if _, err := f.WriteAt(head[:], 0); err != nil {
			return errors.Join(fmt.Errorf("open log: %w", err), f.Close())
		}
		c = &current{f: f, pos: HeaderBytes, zeroed: HeaderBytes, window: w.opts.PrepareBytes}
	}
	c.name = name
	w.dirDirty = true
	w.mu.Lock()
	w.cur = c
	w.poke()
	w.mu.Unlock()
	return nil
}

// Sync makes everything written durable. It blocks until the disk says so.
func (w *Writer) Sync() error {
	if err := w.Err(); err != nil {
		return err
	}
	if w.cur == nil || w.unsynced == 0 && !w.dirDirty {
		return nil
	}
	if !w.opts.NoSync && w.opts.bug != bugNoDataSync {
		if err := w.cur.f.SyncData(); err != nil {
			return w.fail(fmt.Errorf("sync %s: %w", w.cur.name, cause(err)))
		}
	}
	w.weigh(w.unsynced)
	w.unsynced = 0
	if w.dirDirty {
		if !w.opts.NoSync && w.opts.bug != bugNoDirSync {
			if err := w.opts.FS.SyncDir(w.opts.Dir); err != nil {
				return w.fail(fmt.Errorf("sync log directory: %w", err))
			}
		}
		w.dirDirty = false
	}
	return w.Err() // Prepare may have met a failed sync of the same file
}

// Roll ends the current file, durably; the next record opens a new one. Without a current file it does nothing.
func (w *Writer) Roll() error {
	if w.cur == nil {
		return w.Err()
	}
	if w.opts.bug != bugRollWithoutSync {
		if err := w.Sync(); err != nil {
			return err
		}
	}
	w.mu.Lock()
	for w.cur.filling {
		w.idle.Wait()
	}
	c := w.cur
	w.cur = nil // Prepare leaves the file alone from here on
	w.mu.Unlock()
	w.rolledOff += c.pos
	w.unsynced, w.dirDirty = 0, false

	// The zeros that were not needed are given back. Should a crash undo that, they are just there again.
	if err := c.f.Truncate(c.pos); err != nil {
		return w.fail(errors.Join(fmt.Errorf("cut log: %w", err), c.close()))
	}
	if err := c.close(); err != nil {
		return w.fail(fmt.Errorf("close log: %w", err))
	}
	return nil
}

// close closes both handles. Nobody may be filling.
func (c *current) close() error {
	err := c.f.Close()
	if c.zf != nil {
		err = errors.Join(err, c.zf.Close())
	}
	return err
}

// Close ends the current file as Roll does, and KeepPrepared with it. It returns the first error of the writer's life.
func (w *Writer) Close() error {
	err := w.Roll()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return err
	}
	w.closed = true
	close(w.wake)
	if w.cur != nil { // Roll gave up early
		for w.cur.filling {
			w.idle.Wait()
		}
		err = errors.Join(err, w.cur.close())
		w.cur = nil
	}
	if w.spare != nil {
		err = errors.Join(err, w.spare.f.Close(), w.opts.FS.Remove(join(w.opts.Dir, spareName)))
		w.spare = nil
	}
	return err
}

// Last is the zxid of the last record written, durable or not.
func (w *Writer) Last() zk.Zxid { return w.last }

// Written is the number of bytes in all files of this writer, without zeros written ahead.
func (w *Writer) Written() int64 { return w.rolledOff + w.FileBytes() }

// FileBytes is the size of the current file without zeros written ahead, 0 if the next record opens one.
func (w *Writer) FileBytes() int64 {
	if w.cur == nil {
		return 0
	}
	return w.cur.pos
}

// Err returns the first failure, after which nothing is written any more; nil if there was none.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.closed {
		return errClosed
	}
	return w.err
}

var errClosed = errors.New("log is closed")

// fail remembers the first error and returns it.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	return w.err
}
