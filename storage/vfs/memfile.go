package vfs

import (
	"io"
	"io/fs"
	"maps"
	"sync/atomic"
	"syscall"
)

// SectorSize is the unit in which Mem keeps or loses un-synced data, in bytes.
const SectorSize = 512

const (
	pageSize   = 4096
	allSectors = 0xff // mask of the 8 sectors of a page
)

type page [pageSize]byte

// content is what a file holds, now and on the disk. Pages are shared between the two, and with clones, until one is
// written: a page may be changed in place exactly if it is in dirty or lost. A nil page reads as zeros.
type content struct {
	size        int64
	pages       []*page
	durableSize int64
	durable     []*page
	dirty       map[int]uint8 // page number -> sectors written since the last sync
	lost        map[int]uint8 // page number -> sectors whose sync failed; no later sync saves them
}

func pagesFor(size int64) int { return int((size + pageSize - 1) / pageSize) }

func pageAt(pages []*page, i int) *page {
	if i < len(pages) {
		return pages[i]
	}
	return nil
}

// touch makes page i private and marks sectors of it as un-synced.
func (c *content) touch(i int, sectors uint8, zero bool) *page {
	if c.dirty == nil {
		c.dirty, c.lost = map[int]uint8{}, map[int]uint8{}
	}
	p := c.pages[i]
	private := c.dirty[i]|c.lost[i] != 0
	c.dirty[i] |= sectors
	c.lost[i] &^= sectors
	if c.lost[i] == 0 {
		delete(c.lost, i)
	}
	if p == nil && zero {
		return nil // writing zeros onto zeros
	}
	if p == nil || !private {
		fresh := new(page)
		if p != nil {
			*fresh = *p
		}
		p = fresh
		c.pages[i] = p
	}
	return p
}

func sectorMask(from, to int) uint8 { // byte range within a page, to > from
	var mask uint8
	for s := from / SectorSize; s <= (to-1)/SectorSize; s++ {
		mask |= 1 << s
	}
	return mask
}

func (c *content) grow(size int64) {
	if size <= c.size {
		return
	}
	old := len(c.pages)
	for len(c.pages) < pagesFor(size) {
		c.pages = append(c.pages, nil)
	}
	for i := old; i < len(c.pages); i++ {
		c.touch(i, allSectors, true) // what the disk holds there from before must not come back
	}
	c.size = size
}

func (c *content) writeAt(b []byte, off int64) {
	c.grow(off + int64(len(b)))
	for len(b) > 0 {
		i, from := int(off/pageSize), int(off%pageSize)
		n := min(len(b), pageSize-from)
		if p := c.touch(i, sectorMask(from, from+n), allZero(b[:n])); p != nil {
			copy(p[from:], b[:n])
		}
		b, off = b[n:], off+int64(n)
	}
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

func (c *content) readAt(b []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	var err error
	if int64(len(b)) > c.size-off {
		b, err = b[:c.size-off], io.EOF
	}
	n := len(b)
	for len(b) > 0 {
		i, from := int(off/pageSize), int(off%pageSize)
		k := min(len(b), pageSize-from)
		if p := c.pages[i]; p != nil {
			copy(b[:k], p[from:])
		} else {
			clear(b[:k])
		}
		b, off = b[k:], off+int64(k)
	}
	return n, err
}

func (c *content) truncate(size int64) {
	if size >= c.size {
		c.grow(size)
		return
	}
	keep := pagesFor(size)
	c.pages = c.pages[:keep:keep]
	drop := func(i int, _ uint8) bool { return i >= keep }
	maps.DeleteFunc(c.dirty, drop)
	maps.DeleteFunc(c.lost, drop)
	if from := int(size % pageSize); from != 0 {
		if p := c.touch(keep-1, sectorMask(from, pageSize), true); p != nil {
			clear(p[from:])
		}
	}
	c.size = size
}

// sync makes everything but the lost sectors durable.
func (c *content) sync() {
	pages := make([]*page, len(c.pages))
	copy(pages, c.durable)
	c.durable = pages
	for i, sectors := range c.dirty {
		if lost := c.lost[i]; lost != 0 {
			c.durable[i] = mix(c.pages[i], c.durable[i], sectors)
			continue
		}
		c.durable[i] = c.pages[i]
	}
	c.dirty = map[int]uint8{}
	c.durableSize = c.size
	if c.lost == nil {
		c.lost = map[int]uint8{}
	}
}

// failSync gives up all un-synced data, as Linux does when a writeback fails: it stays readable and counts as clean.
func (c *content) failSync() {
	for i, sectors := range c.dirty {
		c.lost[i] |= sectors
	}
	c.dirty = map[int]uint8{}
}

// mix returns a page with the given sectors of a and the others of b.
func mix(a, b *page, sectors uint8) *page {
	out := new(page)
	for s := range pageSize / SectorSize {
		src := b
		if sectors&(1<<s) != 0 {
			src = a
		}
		if src != nil {
			copy(out[s*SectorSize:(s+1)*SectorSize], src[s*SectorSize:])
		}
	}
	return out
}

type memFile struct {
	m      *Mem
	n      *node
	name   string
	write  bool
	closed atomic.Bool
}

func (f *memFile) check(op string, write bool) error {
	if f.closed.Load() {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	}
	if write && !f.write {
		return &fs.PathError{Op: op, Path: f.name, Err: syscall.EBADF}
	}
	return nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("read", false); err != nil {
		return 0, err
	}
	return f.n.content.readAt(b, off)
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.m.begin(Op{Kind: KindWrite, Path: f.name, Off: off, Len: len(b)})
	defer f.m.mu.Unlock()
	if err := f.check("write", true); err != nil {
		return 0, err
	}
	f.n.content.writeAt(b, off)
	return len(b), nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.begin(Op{Kind: KindTruncate, Path: f.name, Off: size})
	defer f.m.mu.Unlock()
	if err := f.check("truncate", true); err != nil {
		return err
	}
	f.n.content.truncate(size)
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("stat", false); err != nil {
		return 0, err
	}
	return f.n.content.size, nil
}

func (f *memFile) Sync() error {
	f.m.begin(Op{Kind: KindSync, Path: f.name})
	defer f.m.mu.Unlock()
	if err := f.check("sync", false); err != nil {
		return err
	}
	f.n.content.sync()
	return nil
}

func (f *memFile) SyncData() error { return f.Sync() }

// LoseUnsynced makes the un-synced data of the file lost, as a failed sync does. Faulty calls it.
func (f *memFile) LoseUnsynced() {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.n.content.failSync()
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	return nil
}
