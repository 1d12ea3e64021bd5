package wal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// Truncate removes every record behind the one with zxid target, durably. If the log has no record with exactly that
// zxid nothing is changed and the error wraps ErrNotInLog: the caller needs a snapshot from its leader instead. No Writer
// may be open on dir. A crash on the way leaves a log that ends later, never one with a gap.
func Truncate(fsys vfs.FS, dir string, target zk.Zxid) error {
	rec, later, err := find(fsys, dir, target)
	if err != nil {
		return fmt.Errorf("truncate log to %v: %w", target, err)
	}
	for i := len(later) - 1; i >= 0; i-- { // newest first, each durably: no gap
		if err := removeFile(fsys, dir, later[i].Name); err != nil {
			return fmt.Errorf("truncate log to %v: %w", target, err)
		}
	}
	if err := removeSpare(fsys, dir); err != nil {
		return err
	}
	return cut(fsys, rec.File, rec.Offset+RecordBytes(len(rec.Payload)))
}

// TruncateAfter removes every record above z, whether or not there is one with z, durably. Like Truncate, it leaves no gap
// if a crash interrupts it.
func TruncateAfter(fsys vfs.FS, dir string, z zk.Zxid) error {
	err := Truncate(fsys, dir, z)
	if !errors.Is(err, ErrNotInLog) {
		return err
	}
	rec, later, err := seek(fsys, dir, z+1)
	if err != nil {
		return fmt.Errorf("truncate log after %v: %w", z, err)
	}
	for i := len(later) - 1; i >= 0; i-- {
		if err := removeFile(fsys, dir, later[i].Name); err != nil {
			return fmt.Errorf("truncate log after %v: %w", z, err)
		}
	}
	if err := removeSpare(fsys, dir); err != nil {
		return err
	}
	switch {
	case rec.File == "":
		return nil
	case rec.Offset > HeaderBytes:
		return cut(fsys, rec.File, rec.Offset)
	default:
		return removeFile(fsys, dir, filepath.Base(rec.File))
	}
}

// Contains returns nil if the log has a record with the zxid, and else an error that wraps ErrNotInLog or tells why the
// log cannot be read.
func Contains(fsys vfs.FS, dir string, z zk.Zxid) error {
	_, _, err := find(fsys, dir, z)
	return err
}

// find returns the record with the zxid and the files behind the one it is in. The record's payload is not valid.
func find(fsys vfs.FS, dir string, z zk.Zxid) (Record, []File, error) {
	rec, later, err := seek(fsys, dir, z)
	if err == nil && (rec.File == "" || rec.Zxid != z) {
		return Record{}, nil, ErrNotInLog
	}
	return rec, later, err
}

// seek returns the first record from z on and the files behind the one it is in. Without any the record is zero, and the
// files are those named z or later, which hold nothing.
func seek(fsys vfs.FS, dir string, z zk.Zxid) (Record, []File, error) {
	files, err := List(fsys, dir)
	if err != nil {
		return Record{}, nil, err
	}
	r, err := NewReader(fsys, dir, ReadOptions{From: z, AnyStart: true})
	if err != nil {
		return Record{}, nil, err
	}
	defer r.Close()
	rec, err := r.Next()
	if errors.Is(err, io.EOF) {
		return Record{}, slices.DeleteFunc(files, func(f File) bool { return f.Zxid < z }), nil
	}
	return rec, r.files, err
}

// Purge deletes the log files that are not needed to replay from keep, the zxid of the oldest snapshot that is kept:
// the file that may hold the record behind it stays, and all later ones. It returns the paths of what it deleted.
func Purge(fsys vfs.FS, dir string, keep zk.Zxid) ([]string, error) {
	files, err := List(fsys, dir)
	if err != nil {
		return nil, err
	}
	var removed []string
	needed := startAt(files, keep+1)
	for _, f := range files[:len(files)-len(needed)] { // oldest first, each durably: no gap
		if err := removeFile(fsys, dir, f.Name); err != nil {
			return removed, fmt.Errorf("purge log: %w", err)
		}
		removed = append(removed, join(dir, f.Name))
	}
	return removed, nil
}

func removeFile(fsys vfs.FS, dir, name string) error {
	if err := fsys.Remove(join(dir, name)); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// LastZxid is the zxid of the last record in dir. If the newest file holds none its name counts, as in ZooKeeper; without
// any file it is -1.
func LastZxid(fsys vfs.FS, dir string) (zk.Zxid, error) {
	files, err := List(fsys, dir)
	if err != nil || len(files) == 0 {
		return -1, err
	}
	newest := files[len(files)-1]
	r, err := OpenFile(fsys, join(dir, newest.Name), ReadOptions{})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	last := newest.Zxid
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return 0, err
		}
		last = rec.Zxid
	}
}
