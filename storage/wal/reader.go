package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// ReadOptions say what to read.
type ReadOptions struct {
	// From is the first zxid wanted. Above zero, it must be the next record's or the next record must begin a later
	// epoch; zero reads everything there is and checks the order only from the first record on.
	From zk.Zxid
	// AnyStart drops that check of the first record: the log alone, without the snapshot that it belongs to.
	AnyStart bool
	// Until, unless zero, is the last zxid wanted: nothing behind it is looked at, so that a log can be read while it
	// is written, up to what is durable.
	Until zk.Zxid
	// Max, unless zero, is the last zxid that may be there. A record above it is a *BeyondError.
	Max zk.Zxid

	loose bool // leave it to the caller to look for gaps, by Record.After
	bug   bug  // a mistake planted by a test
}

// Record is one record of a log.
type Record struct {
	Zxid zk.Zxid
	// After is the zxid that this record surely follows: within an epoch the number before; for the first of an epoch
	// the record before it in a file that Paddock wrote, or what the head of such a file tells. -1 if nothing tells.
	After   zk.Zxid
	Payload []byte // an encoded txn.Record; valid until the next call of Next
	File    string // path of the file it is in
	Offset  int64  // of the record in the file, in bytes
}

// Reader reads the records of a log in order, file after file. It belongs to one goroutine.
type Reader struct {
	fs   vfs.FS
	dir  string
	opts ReadOptions

	scan    scanner
	files   []File // still to be read, the open one not among them
	current File
	open    bool
	chained bool    // last is known: the next zxid must follow it
	last    zk.Zxid // of the last record returned, or From-1
	seen    zk.Zxid // of the last record met, returned or left out; unlinked before the first
	inFile  bool    // seen is in the open file
	began   bool    // a record was returned

	unfinished []pending // ends that may be a crash's, of files behind which no record was found yet
	torn       []Torn
	repeated   int
	err        error
}

var (
	errLimit     = errors.New("next record is behind Until")
	errEndsEarly = errors.New("the log ends before Until")
)

// pending is an unfinished end with all that is needed to judge it once it is known what follows.
type pending struct {
	file File
	at   int64
	end  *ending
}

// NewReader opens the log in dir. Finding no file is no error: Next then returns io.EOF.
func NewReader(fsys vfs.FS, dir string, opts ReadOptions) (*Reader, error) {
	files, err := List(fsys, dir)
	if err != nil {
		return nil, err
	}
	r := newReader(fsys, dir, opts)
	r.files = startAt(files, opts.From)
	return r, nil
}

// OpenFile opens one log file, whatever its name.
func OpenFile(fsys vfs.FS, path string, opts ReadOptions) (*Reader, error) {
	if _, err := fsys.Stat(path); err != nil {
		return nil, err
	}
	r := newReader(fsys, filepath.Dir(path), opts)
	r.files = []File{{Name: filepath.Base(path)}}
	return r, nil
}

func newReader(fsys vfs.FS, dir string, opts ReadOptions) *Reader {
	r := &Reader{fs: fsys, dir: dir, opts: opts, seen: unlinked}
	r.scan.bug = opts.bug
	if opts.From > 0 {
		r.last, r.chained = opts.From-1, !opts.AnyStart
	}
	return r
}

// Next returns the next record. At the end of the log it returns io.EOF; Torn then tells whether the end was clean. At
// the Until zxid it returns io.EOF too. Damage is a *CorruptionError. Every error but that EOF is final.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	if r.opts.Until != 0 && r.last >= r.opts.Until {
		return Record{}, io.EOF
	}
	rec, err := r.next()
	if errors.Is(err, errLimit) {
		return Record{}, io.EOF
	}
	if err != nil {
		r.err = err
		if cerr := r.scan.close(); cerr != nil && errors.Is(err, io.EOF) {
			r.err = cerr
		}
	}
	return rec, r.err
}

// Continue moves Until further, never back.
func (r *Reader) Continue(until zk.Zxid) {
	r.opts.Until = max(r.opts.Until, until)
	if r.scan.f != nil {
		if size, err := r.scan.f.Size(); err == nil {
			r.scan.size = size
		}
		r.scan.filled = 0 // what was read ahead may have been zeros then
	}
}

// Torn returns the unfinished ends met so far. After io.EOF the one behind the last record of the log, if there is one,
// is the last element.
func (r *Reader) Torn() []Torn { return r.torn }

// Repeated is the number of records left out because their zxid was not above the one before.
func (r *Reader) Repeated() int { return r.repeated }

// Last is the zxid of the last record returned; before the first one it is From-1, or 0.
func (r *Reader) Last() zk.Zxid { return r.last }

// Close releases the open file. The reader cannot be used any more.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = fs.ErrClosed
	}
	return r.scan.close()
}

func (r *Reader) next() (Record, error) {
	for {
		if !r.open {
			more, err := r.openNext()
			if err != nil {
				return Record{}, err
			}
			if !more {
				return Record{}, r.finish()
			}
			continue // the file may have ended at once
		}
		at := r.scan.pos
		payload, end, err := r.scan.next()
		if err != nil {
			return Record{}, err
		}
		if end != nil {
			r.endFile(at, end)
			continue
		}
		z := txn.PayloadZxid(payload)
		if r.opts.Until != 0 && z > r.opts.Until {
			r.scan.pos = at
			return Record{}, errLimit
		}
		rec := Record{Zxid: z, After: r.after(z), Payload: payload, File: r.scan.path, Offset: at}
		seen := r.seen
		r.seen, r.inFile = z, true
		if r.opts.Max != 0 && z > r.opts.Max {
			return Record{}, &BeyondError{First: z, Max: r.opts.Max, File: rec.File, Offset: at}
		}
		if z < r.opts.From {
			continue
		}
		if r.chained && z <= r.last {
			r.repeated++
			continue
		}
		if err := r.follow(rec, seen); err != nil {
			return Record{}, err
		}
		r.last, r.chained, r.began = z, true, true
		return rec, nil
	}
}

// after is the predecessor that a record surely has.
func (r *Reader) after(z zk.Zxid) zk.Zxid {
	switch {
	case z.Counter() > 1 || z == 1:
		return z - 1
	case r.scan.link == unlinked:
		return unlinked
	case r.inFile:
		return r.seen
	default:
		return r.scan.link
	}
}

// openNext opens the next file of the list; when the list is used up and more is wanted, it lists again.
func (r *Reader) openNext() (bool, error) {
	if len(r.files) == 0 && r.opts.Until != 0 {
		files, err := List(r.fs, r.dir)
		if err != nil {
			return false, err
		}
		for _, f := range files {
			if f.Zxid > r.current.Zxid {
				r.files = append(r.files, f)
			}
		}
	}
	if len(r.files) == 0 {
		return false, nil
	}
	r.current, r.files = r.files[0], r.files[1:]
	end, err := r.scan.open(r.fs, join(r.dir, r.current.Name))
	if err != nil {
		return false, err
	}
	if end != nil {
		r.endFile(0, end)
		return true, nil
	}
	r.open, r.inFile = true, false
	return true, nil
}

func (r *Reader) endFile(at int64, end *ending) {
	r.open = false
	r.unfinished = append(r.unfinished, pending{r.current, at, end})
}

// follow checks that rec can come after what was read. An unfinished end before it is harmless if rec has the very zxid
// that is missing there: the server that wrote it crashed, started again and went on in a new file.
// seen is the record before it, which may be one that was not asked for.
func (r *Reader) follow(rec Record, seen zk.Zxid) error {
	before := r.unfinished
	r.unfinished = nil
	if !r.chained || r.opts.loose {
		return nil
	}
	for _, p := range before {
		if !p.end.torn {
			continue
		}
		path := join(r.dir, p.file.Name)
		if rec.Zxid != r.last+1 && p.at > 0 {
			reason := fmt.Sprintf("unfinished record (%s) after zxid %v, but %s goes on with %v", p.end.reason, r.last, rec.File, rec.Zxid)
			return &CorruptionError{File: path, Offset: p.at, Reason: reason, Remedy: remedyDamaged}
		}
		r.torn = append(r.torn, Torn{File: path, Offset: p.at, Bytes: p.end.end - p.at, Reason: p.end.reason, Followed: true})
	}
	fits := rec.After == unlinked || rec.After == r.last
	if !r.began { // the start is a snapshot's zxid, not always that of a record
		fits = fits || rec.After < r.last && rec.After >= seen
	}
	if contiguous(r.last, rec.Zxid) && fits {
		return nil
	}
	remedy := remedyDamaged
	if len(before) > 0 || r.current.Zxid > r.last {
		remedy = remedyMissing
	}
	reason := holeReason(r.last, rec.Zxid)
	if contiguous(r.last, rec.Zxid) {
		reason = fmt.Sprintf("zxid %v follows %v, but was written behind %v", rec.Zxid, max(r.last, seen), rec.After)
	}
	return &CorruptionError{File: rec.File, Offset: rec.Offset, Reason: reason, Remedy: remedy}
}

// finish judges the ends behind the last record, and returns io.EOF if a crash can have left them.
func (r *Reader) finish() error {
	if r.opts.Until != 0 {
		return fmt.Errorf("%w: log in %s ends at zxid %v before %v", errEndsEarly, r.dir, r.last, r.opts.Until)
	}
	for _, p := range r.unfinished {
		if _, err := r.scan.open(r.fs, join(r.dir, p.file.Name)); err != nil {
			return err
		}
		r.scan.pos = p.at
		torn, err := r.scan.judge(p.end)
		if err != nil {
			return err
		}
		if torn != nil {
			r.torn = append(r.torn, *torn)
		}
	}
	r.unfinished = nil
	return io.EOF
}
