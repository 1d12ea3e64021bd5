package feed

import (
	"sync"
	"time"
	"unsafe"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

const (
	// BytesMin is the least a ring may hold: one that holds less would tell its readers of gaps all the time.
	BytesMin = 1 << 20

	blockBytes   = 64 << 10
	aclsPerBlock = 1 << 10
)

// Ring holds the newest changes in memory. Start, Add and Publish are called by the owner alone; After and Zxid by anyone.
type Ring struct {
	bytesMax int64
	age      time.Duration

	// What only the owner touches.
	open    *block // being written; nil before the first change
	fresh   []*block
	zxid    zk.Zxid // of the last txn added
	changed bool    // something was added that is to be read

	mu        sync.Mutex // guards the fields below, and the published part of each block
	blocks    []*block   // by zxid; the last may be open
	first     uint64     // number of blocks[0] since the beginning; all that were dropped come before
	bytes     int64      // of the blocks
	start     zk.Zxid    // everything after it is in the blocks
	published zk.Zxid    // everything up to it is
	news      chan struct{}
}

// block is a stretch of whole txns. Its bytes are written once, up to their capacity, and its lists are only ever added to.
type block struct {
	buf  []byte
	acls [][]zk.ACL
	last zk.Zxid // of the last change in it

	// What readers see; guarded by the ring's mu.
	shown     []byte
	shownACLs [][]zk.ACL
	shownLast zk.Zxid
	at        time.Time // of the last publication
}

// New returns a ring that knows nothing before z. It holds bytesMax of memory, BytesMin at least, and drops what is older than age; 0 for
// no limit.
func New(z zk.Zxid, bytesMax int64, age time.Duration) *Ring {
	return &Ring{bytesMax: max(bytesMax, BytesMin), age: age, zxid: z, start: z, published: z}
}

// Start forgets everything: the history goes on after z, which it may do with a gap.
func (r *Ring) Start(z zk.Zxid) {
	r.open, r.fresh, r.zxid, r.changed = nil, nil, z, false
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first += uint64(len(r.blocks))
	r.blocks, r.bytes, r.start, r.published = nil, 0, z, z
	r.wake()
}

// Add notes what a txn has changed, maybe nothing. It copies what it keeps, but for the access lists. Nobody sees it before Publish.
func (r *Ring) Add(h *txn.Header, changes []tree.Change) {
	r.zxid = h.Zxid
	if len(changes) == 0 {
		return
	}
	total := 0
	for i := range changes {
		total += size(&changes[i])
	}
	b := r.open
	if b == nil || len(b.buf)+total > cap(b.buf) || len(b.acls) > aclsPerBlock {
		b = &block{buf: make([]byte, 0, max(blockBytes, total))}
		r.open, r.fresh = b, append(r.fresh, b)
	}
	for i := range changes {
		c := &changes[i]
		n := len(b.buf)
		b.buf = b.buf[:n+size(c)]
		encode(b.buf[n:], h, c, b.place(c.ACL), b.place(c.ParentACL))
	}
	b.last = h.Zxid
	r.changed = true
}

// place is where the block's table has a list. Most are one of the last few.
func (b *block) place(list []zk.ACL) uint32 {
	const recent = 8
	for i := len(b.acls) - 1; i >= max(0, len(b.acls)-recent); i-- {
		if same := b.acls[i]; len(same) == len(list) && unsafe.SliceData(same) == unsafe.SliceData(list) {
			return uint32(i)
		}
	}
	b.acls = append(b.acls, list)
	return uint32(len(b.acls) - 1)
}

// Publish lets everybody read what was added, and drops what is too much or too old. The owner calls it when nothing that it has not
// told the ring can be known to anybody, and now and then.
func (r *Ring) Publish(now time.Time) {
	if r.zxid == r.published && !r.stale(now) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.fresh {
		r.bytes += int64(cap(b.buf))
	}
	touched := len(r.blocks) - 1 // what was open before may have grown
	r.blocks = append(r.blocks, r.fresh...)
	clear(r.fresh)
	r.fresh = r.fresh[:0]
	for _, b := range r.blocks[max(0, touched):] {
		if len(b.shown) != len(b.buf) {
			b.shown, b.shownACLs, b.shownLast, b.at = b.buf[:len(b.buf):len(b.buf)], b.acls, b.last, now
		}
	}
	r.published = r.zxid
	drop := 0
	for drop < len(r.blocks)-1 && (r.bytes > r.bytesMax || r.tooOld(r.blocks[drop], now)) {
		r.bytes -= int64(cap(r.blocks[drop].buf))
		r.start = r.blocks[drop].last
		r.blocks[drop] = nil
		drop++
	}
	r.blocks = r.blocks[drop:]
	r.first += uint64(drop)
	if r.changed {
		r.changed = false
		r.wake()
	}
}

// stale tells, to the owner, whether the oldest block is to be dropped.
func (r *Ring) stale(now time.Time) bool { return len(r.blocks) > 1 && r.tooOld(r.blocks[0], now) }

func (r *Ring) tooOld(b *block, now time.Time) bool { return r.age > 0 && now.Sub(b.at) > r.age }

func (r *Ring) wake() {
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

// Zxid is how far the ring is: everything up to it has been published.
func (r *Ring) Zxid() zk.Zxid {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.published
}

// Oldest is the zxid from which on the ring knows everything.
func (r *Ring) Oldest() zk.Zxid {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.start
}
