package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that remembers what has been synced. Relative and absolute paths are the same: both
// start at its root, which always exists.
type Mem struct {
	mu    sync.Mutex // guards everything below and all nodes
	root  *node
	locks map[string]string // path of a held lock file -> owner
	space Space
	ops   int
	hook  func(n int, op Op)
}

var _ FS = (*Mem)(nil)

// NewMem returns an empty file system that claims 1 GiB of free space.
func NewMem() *Mem {
	return &Mem{root: newDir(), locks: map[string]string{}, space: Space{Free: 1 << 30, Total: 2 << 30}}
}

// node is a file or directory. A directory holds its entries twice: as they are, and as last synced, with the
// operations in between.
type node struct {
	dir     bool
	entries map[string]*node
	durable map[string]*node
	pending []dirOp
	content content // of a file
}

// dirOp is one change of a directory that is not durable yet. It survives a crash as a whole or not at all.
type dirOp struct {
	unlink string // name that went away, "" for none
	link   string // name that came, "" for none
	node   *node
}

func newDir() *node {
	return &node{dir: true, entries: map[string]*node{}, durable: map[string]*node{}}
}

// SetHook makes f run before every mutating operation with its number, counted from 1, and without any lock held, so
// that it may take a CrashClone. A nil f removes the hook.
func (m *Mem) SetHook(f func(n int, op Op)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = f
}

// Ops is the number of mutating operations so far.
func (m *Mem) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// SetSpace sets what Space answers.
func (m *Mem) SetSpace(s Space) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.space = s
}

// ReleaseLocks drops every lock, as the end of a process does. Contents stay, synced or not: a killed process loses
// nothing that it wrote.
func (m *Mem) ReleaseLocks() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locks = map[string]string{}
}

// begin counts a mutating operation and runs the hook; then it takes the lock, which the caller releases.
func (m *Mem) begin(op Op) {
	m.mu.Lock()
	m.ops++
	n, hook := m.ops, m.hook
	if hook != nil {
		m.mu.Unlock()
		hook(n, op)
		m.mu.Lock()
	}
}

func clean(name string) string {
	return strings.TrimPrefix(filepath.Clean("/"+name), "/")
}

// find returns the node at name.
func (m *Mem) find(op, name string) (*node, error) {
	at := m.root
	path := clean(name)
	if path == "" {
		return at, nil
	}
	for _, part := range strings.Split(path, "/") {
		if !at.dir {
			return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		next, ok := at.entries[part]
		if !ok {
			return nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
		}
		at = next
	}
	return at, nil
}

// parent returns the directory that holds, or would hold, name, and the last part of name.
func (m *Mem) parent(op, name string) (*node, string, error) {
	path := clean(name)
	if path == "" {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.EINVAL}
	}
	dir, base := filepath.Split(path)
	d, err := m.find(op, dir)
	if err != nil {
		return nil, "", err
	}
	if !d.dir {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
	}
	return d, base, nil
}

func (d *node) apply(op dirOp) {
	applyTo(d.entries, op)
	d.pending = append(d.pending, op)
}

// applyTo changes a table of entries. An unlink only takes away the very node it took away when it was made, or any
// node when it was a plain removal, since a subset of operations may be applied.
func applyTo(entries map[string]*node, op dirOp) {
	if op.unlink != "" && (op.node == nil || entries[op.unlink] == op.node) {
		delete(entries, op.unlink)
	}
	if op.link != "" {
		entries[op.link] = op.node
	}
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.begin(Op{Kind: KindCreate, Path: name})
	defer m.mu.Unlock()
	d, base, err := m.parent("create", name)
	if err != nil {
		return nil, err
	}
	n := d.entries[base]
	switch {
	case n == nil:
		n = &node{}
		d.apply(dirOp{link: base, node: n})
	case n.dir:
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EISDIR}
	default:
		n.content.truncate(0)
	}
	return &memFile{m: m, n: n, name: name, write: true}, nil
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenReadWrite implements FS.
func (m *Mem) OpenReadWrite(name string) (File, error) { return m.open(name, true) }

func (m *Mem) open(name string, write bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.dir {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	}
	return &memFile{m: m, n: n, name: name, write: write}, nil
}

// Rename implements FS. Only files within one directory can be renamed.
func (m *Mem) Rename(old, new string) error {
	m.begin(Op{Kind: KindRename, Path: old, To: new})
	defer m.mu.Unlock()
	d, from, err := m.parent("rename", old)
	if err != nil {
		return err
	}
	d2, to, err := m.parent("rename", new)
	if err != nil {
		return err
	}
	n := d.entries[from]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: old, Err: syscall.ENOENT}
	}
	if d != d2 || n.dir {
		return &fs.PathError{Op: "rename", Path: old, Err: syscall.EXDEV}
	}
	d.apply(dirOp{unlink: from, link: to, node: n})
	return nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.begin(Op{Kind: KindRemove, Path: name})
	defer m.mu.Unlock()
	d, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := d.entries[base]
	if n == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
	}
	if n.dir && len(n.entries) > 0 {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	d.apply(dirOp{unlink: base})
	return nil
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.find("list", dir)
	if err != nil {
		return nil, err
	}
	if !d.dir {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: syscall.ENOTDIR}
	}
	return sortedNames(d.entries), nil
}

func sortedNames(entries map[string]*node) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Mkdir implements FS.
func (m *Mem) Mkdir(dir string) error {
	m.begin(Op{Kind: KindMkdir, Path: dir})
	defer m.mu.Unlock()
	d, base, err := m.parent("mkdir", dir)
	if err != nil {
		return err
	}
	if d.entries[base] != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.EEXIST}
	}
	d.apply(dirOp{link: base, node: newDir()})
	return nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find("stat", name)
	if err != nil {
		return Info{}, err
	}
	return Info{Size: n.content.size, Dir: n.dir}, nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	m.begin(Op{Kind: KindSyncDir, Path: dir})
	defer m.mu.Unlock()
	d, err := m.find("sync", dir)
	if err != nil {
		return err
	}
	if !d.dir {
		return &fs.PathError{Op: "sync", Path: dir, Err: syscall.ENOTDIR}
	}
	for _, op := range d.pending {
		applyTo(d.durable, op)
	}
	d.pending = nil
	return nil
}

// Lock implements FS. The lock belongs to the Mem, not to a process: see ReleaseLocks.
func (m *Mem) Lock(name, owner string) (io.Closer, error) {
	m.begin(Op{Kind: KindLock, Path: name})
	defer m.mu.Unlock()
	path := clean(name)
	if held, ok := m.locks[path]; ok {
		return nil, &LockedError{Name: name, Owner: held}
	}
	d, base, err := m.parent("lock", name)
	if err != nil {
		return nil, err
	}
	if d.entries[base] == nil {
		d.apply(dirOp{link: base, node: &node{}})
	}
	m.locks[path] = owner
	return memLock{m, path}, nil
}

// Space implements FS.
func (m *Mem) Space(dir string) (Space, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.find("statfs", dir); err != nil {
		return Space{}, err
	}
	return m.space, nil
}

type memLock struct {
	m    *Mem
	path string
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.path)
	return nil
}

// Dump lists every file with its size and how much of it is un-synced, for failure messages.
func (m *Mem) Dump() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	var walk func(d *node, path string)
	walk = func(d *node, path string) {
		for _, name := range sortedNames(d.entries) {
			n := d.entries[name]
			if n.dir {
				walk(n, path+name+"/")
				continue
			}
			mark := ""
			if d.durable[name] != n {
				mark = ", name not durable"
			}
			fmt.Fprintf(&b, "%s%s %d bytes, %d pages not durable%s\n", path, name, n.content.size, len(n.content.dirty), mark)
		}
	}
	walk(m.root, "")
	return b.String()
}
