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
// records themselves: what a server wrote that was killed may still have been on its way to the disk. Nothing is changed
// if it returns an error: a *CorruptionError, an error of the file system, or f's own.
func Recover(fsys vfs.FS, dir string, opts ReadOptions, f func(Record) error) (Recovered, error) {
	opts.Until = 0
	r, err := NewReader(fsys, dir, opts)
	if err != nil {
		return Recovered{}, err
	}
	defer r.Close()
	var out Recovered
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
		out.Records++
		out.Bytes += int64(len(rec.Payload))
	}
	out.Last, out.Torn, out.Repeated = r.Last(), r.Torn(), r.Repeated()
	out.Removed, err = repair(fsys, dir, out.Torn)
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
	return removed, settle(fsys, dir)
}

// settle makes the newest file durable, and its name. The server that wrote it may have been killed before it could; the
// records that go on from it must not be left behind a gap if the power fails later. Older files were synced by Roll.
func settle(fsys vfs.FS, dir string) error {
	files, err := List(fsys, dir)
	if err != nil || len(files) == 0 {
		return err
	}
	f, err := fsys.OpenReadWrite(join(dir, files[len(files)-1].Name))
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("sync recovered log: %w", err)
	}
	return nil
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
