package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// Span is a stretch of the log that is known to have no gap.
type Span struct {
	After   zk.Zxid // the record before its first; what a learner has that needs the rest
	Last    zk.Zxid
	Records int
	Bytes   int64 // payloads
}

// Find returns what of the log follows z, up to until, the last zxid that is durable: Span.After is the newest zxid of
// the log at or below z, or the zxid that the log begins behind, and Span.Last is until. ok is false if the log does not reach back to z, or if nothing shows that it is
// without a gap from there; then a snapshot is needed.
//
// It may be called from any goroutine, also while the log is appended to or purged. It reads the stretch once, and no
// further than limitBytes of payloads unless that is 0: ok is false if there are more.
func Find(fsys vfs.FS, dir string, z, until zk.Zxid, limitBytes int64) (span Span, ok bool, err error) {
	files, err := List(fsys, dir)
	if err != nil || until <= 0 {
		return Span{}, false, err
	}
	later := slices.IndexFunc(files, func(f File) bool { return f.Zxid > z })
	if later < 0 {
		later = len(files)
	}
	for i := later - 1; i >= -1; i-- {
		from := files[max(i, 0):]
		if i < 0 { // the last resort: the file behind z may tell that it follows z
			from = files[later:]
		}
		span, ok, err := follow(fsys, dir, from, z, until, limitBytes)
		if ok || err != nil || span.After >= 0 { // else the file holds nothing up to z: the one before may
			return span, ok, err
		}
	}
	return Span{}, false, nil
}

// follow looks for z from the first of the files on, and checks what comes behind it. Span.After is negative if no record up
// to z was found.
func follow(fsys vfs.FS, dir string, files []File, z, until zk.Zxid, limitBytes int64) (Span, bool, error) {
	r := newReader(fsys, dir, ReadOptions{AnyStart: true, Until: until, loose: true})
	r.files = files
	defer r.Close()
	span := Span{After: unlinked, Last: unlinked}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return span, span.After >= 0 && span.Last == until, nil
		}
		if _, damaged := errors.AsType[*CorruptionError](err); damaged || errors.Is(err, errEndsEarly) || errors.Is(err, fs.ErrNotExist) {
			return span, false, nil // damage is for recovery to judge, and files go away by a purge: the log cannot serve
		}
		if err != nil {
			return span, false, err
		}
		switch {
		case rec.Zxid <= z:
			span.After, span.Last = rec.Zxid, rec.Zxid
		case rec.After < 0 || span.Records > 0 && rec.After != span.Last:
			return span, false, nil
		case span.Records == 0 && (rec.After > z || rec.After < span.After):
			return span, false, nil
		default:
			if span.Records == 0 {
				span.After = rec.After // which may be a snapshot's, newer than any record up to z
			}
			span.Last = rec.Zxid
			span.Records++
			span.Bytes += int64(len(rec.Payload))
		}
		if limitBytes > 0 && span.Bytes > limitBytes {
			return span, false, nil
		}
	}
}

// Begins is the zxid that the log goes back to without a gap: the one that its first record follows, or that of the first record itself if
// nothing tells what that follows. ok is false if there is no record. It may be called as Find may. It reads every file but the newest to its
// end, and remembers in known, which the caller keeps for the same directory, what it has found: those files do not change any more.
func Begins(fsys vfs.FS, dir string, known map[string]Stretch) (begin zk.Zxid, ok bool, err error) {
	files, err := List(fsys, dir)
	if err != nil {
		return 0, false, err
	}
	maps.DeleteFunc(known, func(name string, _ Stretch) bool {
		return !slices.ContainsFunc(files, func(f File) bool { return f.Name == name })
	})
	for i := len(files) - 1; i >= 0; i-- {
		name, newest := files[i].Name, i == len(files)-1
		s, read := known[name]
		if !read {
			if s, err = stretch(fsys, dir, files[i], newest); err != nil || s.Last < 0 && newest {
				continue // a file without records, or one that was purged this moment
			}
			if !newest {
				known[name] = s
			}
		}
		if ok && s.Last != begin {
			return begin, true, nil
		}
		if begin, ok = s.After, true; s.Broken {
			return begin, true, nil
		}
	}
	return begin, ok, nil
}

// Stretch is what one file of a log tells of what it holds.
type Stretch struct {
	After  zk.Zxid // what goes up to Last without a gap begins behind it
	Last   zk.Zxid // negative if there is no record
	Broken bool    // After is not what the first record of the file is known to follow
}

// stretch reads a file, or only its first record: Last is that one's then.
func stretch(fsys vfs.FS, dir string, file File, first bool) (s Stretch, err error) {
	r := newReader(fsys, dir, ReadOptions{AnyStart: true, loose: true})
	r.files = []File{file}
	defer r.Close()
	s.Last = unlinked
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errEndsEarly):
			return s, nil
		case err != nil:
			return s, err
		case rec.After == unlinked:
			s.After, s.Broken = rec.Zxid, true
		case s.Last < 0 || rec.After != s.Last:
			s.Broken = s.Last >= 0
			s.After = rec.After
		}
		if s.Last = rec.Zxid; first {
			return s, nil
		}
	}
}

// NewestBefore is the zxid of the newest record not newer than z, which must be durable; ok is false if there is none. It may be
// called as Find may.
func NewestBefore(fsys vfs.FS, dir string, z zk.Zxid) (newest zk.Zxid, ok bool, err error) {
	files, err := List(fsys, dir)
	if err != nil {
		return 0, false, err
	}
	for len(files) > 0 && files[len(files)-1].Zxid > z {
		files = files[:len(files)-1]
	}
	for i := len(files) - 1; i >= 0; i-- {
		if newest, ok, err = lastIn(fsys, dir, files[i:], z); ok || err != nil {
			return newest, ok, err
		}
	}
	return 0, false, nil
}

func lastIn(fsys vfs.FS, dir string, files []File, z zk.Zxid) (last zk.Zxid, ok bool, err error) {
	r := newReader(fsys, dir, ReadOptions{AnyStart: true, Until: z, loose: true})
	r.files = files
	defer r.Close()
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errEndsEarly):
			return last, ok, nil
		case err != nil:
			return 0, false, err
		}
		last, ok = rec.Zxid, true
	}
}

// Range reads the records of a Span. It belongs to one goroutine, which need not be the one that writes the log.
type Range struct {
	r    *Reader
	last zk.Zxid
	to   zk.Zxid
}

// OpenRange reads what follows the record after, up to the record to, which must be durable.
func OpenRange(fsys vfs.FS, dir string, after, to zk.Zxid) (*Range, error) {
	r, err := NewReader(fsys, dir, ReadOptions{From: after + 1, AnyStart: true, Until: to, loose: true})
	if err != nil {
		return nil, err
	}
	return &Range{r: r, last: after, to: to}, nil
}

// Next returns the next record; its payload is valid until the next call. After the last one it returns io.EOF. Instead of
// a record that is not known to follow the one before it returns an error that wraps ErrGap. Every error is final.
func (r *Range) Next() (Record, error) {
	if r.last >= r.to {
		return Record{}, io.EOF
	}
	rec, err := r.r.Next()
	if errors.Is(err, io.EOF) || errors.Is(err, errEndsEarly) || errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("%w: it ends at %v, before %v", ErrGap, r.last, r.to)
	}
	if err != nil {
		return Record{}, err
	}
	// INVARIANT(history-without-gap): where the log does not tell what a record follows, a gap is assumed.
	if rec.After != r.last {
		return Record{}, fmt.Errorf("%w: %v at %s:%d is not known to follow %v", ErrGap, rec.Zxid, rec.File, rec.Offset, r.last)
	}
	r.last = rec.Zxid
	return rec, nil
}

// Close ends the reading.
func (r *Range) Close() error { return r.r.Close() }
