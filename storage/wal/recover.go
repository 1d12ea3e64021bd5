package wal

import (
	"errors"
	"fmt"
	"io"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// Recovered is what Recover found.
type Recovered struct {
	Last     zk.Zxid  // of the last record; From-1 if there was none
	Records  int      // given to the function
	Bytes    int64    // their payloads
	Torn     []Torn   // unfinished ends; the last file's was cut off
	Removed  []string // paths of files that held nothing, not even a header
	Repeated int      // records left out because their zxid had come before
}

// Recover gives every record from opts.From on to f, in order, and then makes the log ready to be continued: an
// unfinished end is cut off and files without a header are removed, all of it durable when Recover returns. So are the
// records themselves: what a server wrote that was killed, or whose fsync failed, may not be on the disk, although it can
// be read. Nothing is changed if it returns an error: a *CorruptionError, an error of the file system, or f's own.
func Recover(fsys vfs.FS, dir string, opts ReadOptions, f func(Record) error) (Recovered, error) {
	opts.Until = 0
	r, err := NewReader(fsys, dir, opts)
	if err != nil {
		return Recovered{}, err
	}
	defer r.Close()
	var out Recovered
	var last tail
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = f(rec)
		}
		if err != nil {
			return Recovered{}, err
		}
		last = tail{rec.File, rec.Offset + RecordBytes(len(rec.Payload))}
		out.Records++
		out.Bytes += int64(len(rec.Payload))
	}
	out.Last, out.Torn, out.Repeated = r.Last(), r.Torn(), r.Repeated()
	if out.Removed, err = repair(fsys, dir, out.Torn); err == nil {
		err = settle(fsys, dir, last)
	}
	return out, err
}

// repair cuts unfinished ends, the newest file first: were an older one cut first, a crash in between would leave a
// newer file behind a gap. Ends that a later file goes on from are left as they are.
func repair(fsys vfs.FS, dir string, torn []Torn) (removed []string, err error) {
	if err := removeSpare(fsys, dir); err != nil {
		return nil, err
	}
	for i := len(torn) - 1; i >= 0; i-- {
		t := torn[i]
		if t.Followed {
			continue
		}
		if t.Offset >= HeaderBytes {
			if err := cut(fsys, t.File, t.Offset); err != nil {
				return nil, err
			}
			continue
		}
		if err := fsys.Remove(t.File); err != nil {
			return nil, fmt.Errorf("remove empty log: %w", err)
		}
		if err := fsys.SyncDir(dir); err != nil {
			return nil, fmt.Errorf("remove empty log: %w", err)
		}
		removed = append(removed, t.File)
	}
	return removed, nil
}

// tail is where the last record ends.
type tail struct {
	file string
	end  int64
}

// settle makes the newest file durable, and its name. The records that will go on from it in another file must not be left
// behind a gap if the power fails later. Older files were synced by Roll.
//
// What a Writer may not have synced is written once more before: after a failed fsync the kernel takes the pages for
// clean, and the next fsync succeeds without writing them. The bytes are the same, so nothing can be torn by this.
func settle(fsys vfs.FS, dir string, last tail) error {
	files, err := List(fsys, dir)
	if err != nil || len(files) == 0 {
		return err
	}
	name := join(dir, files[len(files)-1].Name)
	f, err := fsys.OpenReadWrite(name)
	if err == nil {
		if name == last.file {
			err = rewrite(f, last.end)
		}
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("sync recovered log: %w", err)
	}
	return nil
}

// rewrite writes the bytes before end again, as many as a Writer leaves un-synced.
func rewrite(f vfs.File, end int64) error {
	start := max(0, end-unsyncedBytesMax)
	b := make([]byte, end-start)
	if n, err := f.ReadAt(b, start); n < len(b) {
		return err
	}
	_, err := f.WriteAt(b, start)
	return err
}

// cut ends a file at size, durably.
func cut(fsys vfs.FS, path string, size int64) error {
	f, err := fsys.OpenReadWrite(path)
	if err != nil {
		return fmt.Errorf("cut log: %w", err)
	}
	if err = f.Truncate(size); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("cut log at %d: %w", size, err)
	}
	return nil
}
