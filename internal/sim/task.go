package sim

import (
	"errors"
	"io"
	"iter"

	"paddock/storage/vfs"
)

// errDead is what every operation of a process returns once the power is gone. Nothing it does then has any effect.
var errDead = errors.New("the power is gone")

// task is work that a server does beside its owner: a coroutine that stops before every change of the file system.
type task struct {
	name string
	at   vfs.Op // the operation that is next, once it has begun
	next func() (vfs.Op, bool)
	stop func()

	yield func(vfs.Op) bool
	err   error // what the work returned
	ended bool
}

func newTask(name string, work func() error) *task {
	t := &task{name: name}
	t.next, t.stop = iter.Pull(func(yield func(vfs.Op) bool) {
		t.yield = yield
		t.err = work()
	})
	return t
}

// disk is the file system as one process sees it. It gives the schedule its say before every change, and is gone with the
// power.
type disk struct {
	vfs.FS
	running *task // that does the operations at the moment; nil for the owner, who is never interrupted
	dead    bool
}

// run lets a task go on to its next change, or to its end.
func (d *disk) run(t *task) {
	d.running = t
	op, more := t.next()
	d.running = nil
	t.at, t.ended = op, !more
}

// before waits for the turn of the running task.
func (d *disk) before(op vfs.Op) error {
	// The log holds its lock while it removes a file that it could not prepare, and the owner must be able to take it.
	if t := d.running; t != nil && !d.dead && !(t.name == taskPrepare && op.Kind == vfs.KindRemove) {
		t.yield(op)
	}
	return d.alive(nil)
}

// alive turns an outcome into errDead if the power has gone.
func (d *disk) alive(err error) error {
	if d.dead {
		return errDead
	}
	return err
}

func (d *disk) do(op vfs.Op, f func() error) error {
	if err := d.before(op); err != nil {
		return err
	}
	return d.alive(f())
}

func (d *disk) file(f vfs.File, name string, err error) (vfs.File, error) {
	if err = d.alive(err); err != nil {
		return nil, err
	}
	return &diskFile{File: f, d: d, name: name}, nil
}

func (d *disk) Create(name string) (vfs.File, error) {
	if err := d.before(vfs.Op{Kind: vfs.KindCreate, Path: name}); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name)
	return d.file(f, name, err)
}

func (d *disk) Open(name string) (vfs.File, error) {
	f, err := d.FS.Open(name)
	return d.file(f, name, err)
}

func (d *disk) OpenReadWrite(name string) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name)
	return d.file(f, name, err)
}

func (d *disk) Rename(old, new string) error {
	return d.do(vfs.Op{Kind: vfs.KindRename, Path: old, To: new}, func() error { return d.FS.Rename(old, new) })
}

func (d *disk) Remove(name string) error {
	return d.do(vfs.Op{Kind: vfs.KindRemove, Path: name}, func() error { return d.FS.Remove(name) })
}

func (d *disk) Mkdir(dir string) error {
	return d.do(vfs.Op{Kind: vfs.KindMkdir, Path: dir}, func() error { return d.FS.Mkdir(dir) })
}

func (d *disk) SyncDir(dir string) error {
	return d.do(vfs.Op{Kind: vfs.KindSyncDir, Path: dir}, func() error { return d.FS.SyncDir(dir) })
}

func (d *disk) List(dir string) ([]string, error) {
	names, err := d.FS.List(dir)
	return names, d.alive(err)
}

func (d *disk) Stat(name string) (vfs.Info, error) {
	info, err := d.FS.Stat(name)
	return info, d.alive(err)
}

func (d *disk) Lock(name, owner string) (io.Closer, error) {
	l, err := d.FS.Lock(name, owner)
	return l, d.alive(err)
}

type diskFile struct {
	vfs.File
	d    *disk
	name string
}

func (f *diskFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.d.before(vfs.Op{Kind: vfs.KindWrite, Path: f.name, Off: off, Len: len(b)}); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(b, off)
	return n, f.d.alive(err)
}

func (f *diskFile) Truncate(size int64) error {
	return f.d.do(vfs.Op{Kind: vfs.KindTruncate, Path: f.name, Off: size}, func() error { return f.File.Truncate(size) })
}

func (f *diskFile) Sync() error {
	return f.d.do(vfs.Op{Kind: vfs.KindSync, Path: f.name}, f.File.Sync)
}

func (f *diskFile) SyncData() error { return f.Sync() }

// kindOf names what a path is in a data directory, for counting.
func kindOf(path string) string {
	base := path
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			base = path[i+1:]
			break
		}
	}
	for _, k := range [...]struct{ prefix, kind string }{
		{"log.", "log"}, {"paddock.spare", "spare log"}, {"snapshot.", "snapshot"}, {"writing.", "unfinished snapshot"},
		{"paddock.lock", "lock"}, {"initialize", "initialize"}, {"version-2", "version-2"}, {"acceptedEpoch", "epoch"}, {"currentEpoch", "epoch"},
		{"installing.", "installed snapshot"},
	} {
		if len(base) >= len(k.prefix) && base[:len(k.prefix)] == k.prefix {
			return k.kind
		}
	}
	return "directory"
}
