package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// FS is a file system. Errors satisfy errors.Is with fs.ErrNotExist, fs.ErrExist and the syscall numbers where these apply.
type FS interface {
	// Create opens name for reading and writing, empty: an existing file of that name is cut to nothing.
	Create(name string) (File, error)
	// Open opens an existing file for reading.
	Open(name string) (File, error)
	// OpenReadWrite opens an existing file for reading and writing, contents kept.
	OpenReadWrite(name string) (File, error)
	// Rename gives the file old the name new, atomically replacing a file that has it.
	Rename(old, new string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// List returns the names in a directory, sorted, without the directory's own path.
	List(dir string) ([]string, error)
	// Mkdir creates one directory; its parent must exist.
	Mkdir(dir string) error
	// Stat tells about a file or directory.
	Stat(name string) (Info, error)
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Lock takes the exclusive lock of the file name, creating it when missing, and writes owner into it. When another
	// process or holder has it the error is a *LockedError. Closing the result releases the lock; the file stays.
	Lock(name, owner string) (io.Closer, error)
	// Space tells how much room the file system holding dir has.
	Space(dir string) (Space, error)
}

// File is an open file. There is no current position: every access names its offset.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Truncate sets the size in bytes; growth reads as zeros.
	Truncate(size int64) error
	// Size is the current size in bytes.
	Size() (int64, error)
	// Sync makes contents and size durable (fsync).
	Sync() error
	// SyncData makes contents, and the size if it changed, durable (fdatasync).
	SyncData() error
}

// Info is what Stat tells.
type Info struct {
	Size    int64 // bytes
	Dir     bool
	Special bool // neither a file nor a directory: a pipe, a socket, a device
}

// Space is the room on a file system, in bytes.
type Space struct {
	Free  int64 // available to this process
	Total int64
}

// LockedError says that a lock file is held by somebody else.
type LockedError struct {
	Name  string // path of the lock file
	Owner string // what the holder wrote into it; may be empty
}

// Error names the file and its holder.
func (e *LockedError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("%s is locked", e.Name)
	}
	return fmt.Sprintf("%s is locked by %s", e.Name, e.Owner)
}

// ReadFile returns the contents of a file. At most limit bytes are read; a longer file is an error.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("read %s: %d bytes, expected at most %d", name, size, limit)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}

// WriteFileAtomic replaces the contents of name so that after a crash either the old or the new contents are there,
// and after a return without error the new ones: written as name.tmp, synced, renamed, directory synced.
func WriteFileAtomic(fsys FS, name string, data []byte) error {
	tmp := name + ".tmp"
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = fsys.Remove(tmp) // best effort: a leftover is removed at the next start
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// MkdirAll creates dir and its missing parents, and syncs the directory each one was created in.
func MkdirAll(fsys FS, dir string) error {
	info, err := fsys.Stat(dir)
	if err == nil {
		if !info.Dir {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errNotDir}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}
