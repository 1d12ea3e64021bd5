package feed

import (
	"sort"

	"paddock/internal/zk"
)

// Reader goes through a ring from a zxid on, and then along with it. It belongs to one goroutine, holds nothing back, and need not be closed.
type Reader struct {
	ring *Ring
	zxid zk.Zxid // everything up to it has been told

	block uint64 // number of the block read last, and how far; 0, 0 before the first
	at    int
	known bool // block and at count
}

// Batch is some txns, one after the other and each of them whole.
type Batch struct {
	// UpTo is the zxid that the batch reaches: no change up to it is left to be told.
	UpTo zk.Zxid

	records []byte
	acls    [][]zk.ACL
	after   zk.Zxid // changes up to here are left out
}

// Changes yields the changes in order; those of one txn have the same zxid.
func (b *Batch) Changes(yield func(Change) bool) {
	for rest := b.records; len(rest) > 0; {
		var c Change
		if c, rest = decode(rest, b.acls); c.Zxid > b.after && !yield(c) {
			return
		}
	}
}

// Empty tells that there is no change in it; UpTo counts all the same.
func (b *Batch) Empty() bool {
	for range b.Changes {
		return false
	}
	return true
}

// After returns a reader of everything after z. That z is in the future does no harm: nothing is told until the ring is past it.
func (r *Ring) After(z zk.Zxid) *Reader { return &Reader{ring: r, zxid: z} }

// Zxid is how far the reader is: everything up to it has been told.
func (rd *Reader) Zxid() zk.Zxid { return rd.zxid }

// Next returns what comes next, without waiting: an empty batch if there is nothing new. A batch holds as much as lies together in memory, 64 KiB or
// a single larger txn. The error is a *GoneError; what was told before remains true, and the reader stays where it is.
func (rd *Reader) Next() (Batch, error) {
	r := rd.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if rd.zxid < r.start {
		return Batch{}, &GoneError{Oldest: r.start}
	}
	i, from := rd.place()
	if i < len(r.blocks) && from == len(r.blocks[i].shown) {
		i, from = i+1, 0
	}
	b := Batch{UpTo: max(rd.zxid, r.published), after: rd.zxid}
	if i < len(r.blocks) {
		at := r.blocks[i]
		b.records, b.acls = at.shown[from:], at.shownACLs
		if i < len(r.blocks)-1 {
			b.UpTo = max(rd.zxid, at.shownLast)
		}
		rd.block, rd.at, rd.known = r.first+uint64(i), len(at.shown), true
	}
	rd.zxid = b.UpTo
	return b, nil
}

// place is the block that the reader is in, and where in it. The caller holds the ring's mu.
func (rd *Reader) place() (i, from int) {
	r := rd.ring
	if rd.known && rd.block >= r.first && rd.block < r.first+uint64(len(r.blocks)) {
		return int(rd.block - r.first), rd.at
	}
	return sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].shownLast > rd.zxid }), 0
}

// Wait returns a channel that is closed as soon as Next has changes to tell, or an error, that it has not had yet. It may be closed for a
// change that the reader was told already.
func (rd *Reader) Wait() <-chan struct{} {
	r := rd.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.blocks)
	if rd.zxid < r.start || n > 0 && r.blocks[n-1].shownLast > rd.zxid {
		return closed
	}
	if r.news == nil {
		r.news = make(chan struct{})
	}
	return r.news
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
