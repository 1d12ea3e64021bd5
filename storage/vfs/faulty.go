package vfs

import (
	"io"
	"io/fs"
	"sync"
)

// Fault is what happens to an operation in place of its normal course.
type Fault struct {
	Err error // returned, wrapped with operation and path
	// Short is how many bytes of a write reach the file before Err.
	Short int
}

// Faulty wraps an FS and lets a function fail any operation. A failed operation has no effect, except for a write's
// Short bytes and a sync, which loses the file's un-synced data if the wrapped FS is a [Mem].
type Faulty struct {
	fs     FS
	mu     sync.Mutex // guards decide's calls
	decide func(Op) *Fault
}

var _ FS = (*Faulty)(nil)

// NewFaulty returns fsys with faults. decide is called before each operation, one call at a time, and returns nil to let
// the operation pass.
func NewFaulty(fsys FS, decide func(Op) *Fault) *Faulty {
	return &Faulty{fs: fsys, decide: decide}
}

// FailNth returns a decision that fails the n-th operation (from 1) of a kind, and all later ones of the kind if forever.
// A write that fails is short by half.
func FailNth(kind Kind, n int, err error, forever bool) func(Op) *Fault {
	seen := 0
	return func(op Op) *Fault {
		if op.Kind != kind {
			return nil
		}
		seen++
		if seen == n || forever && seen > n {
			return &Fault{Err: err, Short: op.Len / 2}
		}
		return nil
	}
}

func (f *Faulty) fault(op Op) (*Fault, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ft := f.decide(op)
	if ft == nil {
		return nil, nil
	}
	return ft, &fs.PathError{Op: op.Kind.String(), Path: op.Path, Err: ft.Err}
}

func (f *Faulty) file(kind Kind, name string, open func(string) (File, error)) (File, error) {
	if _, err := f.fault(Op{Kind: kind, Path: name}); err != nil {
		return nil, err
	}
	inner, err := open(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f: f, inner: inner, name: name}, nil
}

// Create implements FS.
func (f *Faulty) Create(name string) (File, error) { return f.file(KindCreate, name, f.fs.Create) }

// Open implements FS.
func (f *Faulty) Open(name string) (File, error) { return f.file(KindOpen, name, f.fs.Open) }

// OpenReadWrite implements FS.
func (f *Faulty) OpenReadWrite(name string) (File, error) {
	return f.file(KindOpen, name, f.fs.OpenReadWrite)
}

// Rename implements FS.
func (f *Faulty) Rename(old, new string) error {
	if _, err := f.fault(Op{Kind: KindRename, Path: old, To: new}); err != nil {
		return err
	}
	return f.fs.Rename(old, new)
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	if _, err := f.fault(Op{Kind: KindRemove, Path: name}); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

// List implements FS.
func (f *Faulty) List(dir string) ([]string, error) {
	if _, err := f.fault(Op{Kind: KindList, Path: dir}); err != nil {
		return nil, err
	}
	return f.fs.List(dir)
}

// Mkdir implements FS.
func (f *Faulty) Mkdir(dir string) error {
	if _, err := f.fault(Op{Kind: KindMkdir, Path: dir}); err != nil {
		return err
	}
	return f.fs.Mkdir(dir)
}

// Stat implements FS.
func (f *Faulty) Stat(name string) (Info, error) {
	if _, err := f.fault(Op{Kind: KindStat, Path: name}); err != nil {
		return Info{}, err
	}
	return f.fs.Stat(name)
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(dir string) error {
	if _, err := f.fault(Op{Kind: KindSyncDir, Path: dir}); err != nil {
		return err
	}
	return f.fs.SyncDir(dir)
}

// Lock implements FS.
func (f *Faulty) Lock(name, owner string) (io.Closer, error) {
	if _, err := f.fault(Op{Kind: KindLock, Path: name}); err != nil {
		return nil, err
	}
	return f.fs.Lock(name, owner)
}

// Space implements FS.
func (f *Faulty) Space(dir string) (Space, error) {
	if _, err := f.fault(Op{Kind: KindStat, Path: dir}); err != nil {
		return Space{}, err
	}
	return f.fs.Space(dir)
}

type faultyFile struct {
	f     *Faulty
	inner File
	name  string
}

func (h *faultyFile) ReadAt(b []byte, off int64) (int, error) {
	if _, err := h.f.fault(Op{Kind: KindRead, Path: h.name, Off: off, Len: len(b)}); err != nil {
		return 0, err
	}
	return h.inner.ReadAt(b, off)
}

func (h *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	ft, err := h.f.fault(Op{Kind: KindWrite, Path: h.name, Off: off, Len: len(b)})
	if err != nil {
		n, werr := h.inner.WriteAt(b[:min(ft.Short, len(b))], off)
		if werr != nil {
			return n, werr
		}
		return n, err
	}
	return h.inner.WriteAt(b, off)
}

func (h *faultyFile) Truncate(size int64) error {
	if _, err := h.f.fault(Op{Kind: KindTruncate, Path: h.name, Off: size}); err != nil {
		return err
	}
	return h.inner.Truncate(size)
}

func (h *faultyFile) Size() (int64, error) {
	if _, err := h.f.fault(Op{Kind: KindStat, Path: h.name}); err != nil {
		return 0, err
	}
	return h.inner.Size()
}

func (h *faultyFile) Sync() error { return h.sync(h.inner.Sync) }

func (h *faultyFile) SyncData() error { return h.sync(h.inner.SyncData) }

func (h *faultyFile) sync(inner func() error) error {
	if _, err := h.f.fault(Op{Kind: KindSync, Path: h.name}); err != nil {
		if l, ok := h.inner.(interface{ LoseUnsynced() }); ok {
			l.LoseUnsynced()
		}
		return err
	}
	return inner()
}

func (h *faultyFile) Close() error { return h.inner.Close() }
