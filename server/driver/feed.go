package driver

import (
	"encoding/binary"
	"math"
	"sort"
	"sync"
	"time"
	"unsafe"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// What of the history is kept in memory unless Options say otherwise, and the pieces it is kept in.
const (
	feedBytesDefault = 64 << 20
	feedTimeDefault  = time.Hour
	feedChunkMin     = 4 << 10
	feedChunkMax     = 256 << 10
	feedTrimEvery    = time.Second // so often it is looked whether the oldest is too old
	sparesMax        = 4           // chunks that are kept for the next, at the most
	spareShare       = 4           // and one for so many in use
)

// feed is the newest part of what was applied, kept for those who follow the changes. The owner adds to a chunk of its own and
// publishes it once per round; what is published never changes, so that readers hold the lock only to find their place.
type feed struct {
	bytesMax int64
	keep     int64 // nanoseconds
	chunkMax int

	// Of the owner.
	open    feedChunk // the last of chunks, with what is not published yet
	begun   bool      // oldest and applied are known
	dirty   bool
	oldest  zk.Zxid
	applied zk.Zxid
	tenure  uint64
	clock   int64 // when published last, nanoseconds since the start
	trimmed int64 // when it was last looked for what is too old

	mu      sync.Mutex // guards the fields below
	chunks  []feedChunk
	bytes   int64       // of all chunks but the last
	spares  []feedChunk // dropped and lent to nobody: memory for the next
	state   request.FeedState
	known   bool          // state.Oldest and Last are
	settled zk.Zxid       // where the tree was when the server served last: what it has applied since may yet be truncated
	changed chan struct{} // closed when state changes; nil if nobody waits
}

// feedTxn is where the changes of a txn are in a chunk.
type feedTxn struct {
	zxid        zk.Zxid
	at, changes uint32
}

// feedChunk is a run of txns. Changes lie in buf one behind the other, without pointers:
//
//	session of the txn: 8 bytes; then for each of its changes
//	kind, flags: 1 byte each; indices of ACL and of ParentACL, or of PreviousACL where the list is another, in acls: 4 bytes each;
//	lengths of path, data and previous data: 4 bytes each; then these.
type feedChunk struct {
	buf    []byte
	txns   []feedTxn
	acls   [][]zk.ACL
	newest int64 // when its last txn was published, nanoseconds since the start
	lent   bool  // to a reader, who may keep what is in it
}

// The flags of a change.
const (
	feedData     = 1 << iota // data is not null
	feedPrevious             // previous data is not null
	feedKnown                // previous data is known
)

const feedChangeHead = 2 + 5*4

func newFeed(bytesMax int64, keep time.Duration) *feed {
	if bytesMax <= 0 {
		bytesMax = feedBytesDefault
	}
	if keep <= 0 {
		keep = feedTimeDefault
	}
	return &feed{bytesMax: bytesMax, keep: int64(keep), chunkMax: int(min(max(bytesMax/8, feedChunkMin), feedChunkMax)), chunks: make([]feedChunk, 1)}
}

func (c *feedChunk) bytes() int64 { return int64(cap(c.buf) + 16*cap(c.txns) + 24*cap(c.acls)) }

// last is the newest txn of the chunk; a chunk without any is the newest of all.
func (c *feedChunk) last() zk.Zxid {
	if len(c.txns) == 0 {
		return math.MaxInt64
	}
	return c.txns[len(c.txns)-1].zxid
}

// interrupt forgets everything: what comes next does not follow what came before.
func (f *feed) interrupt() {
	f.open, f.begun, f.dirty = feedChunk{}, false, true
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chunks, f.bytes, f.known = make([]feedChunk, 1), 0, false
}

// begin knows that the tree is at z, and nothing of how it got there.
func (f *feed) begin(z zk.Zxid) { f.begun, f.oldest, f.applied = true, z, z }

var feedKinds = [...]zk.EventType{tree.Created: zk.NodeCreated, tree.Deleted: zk.NodeDeleted, tree.DataChanged: zk.NodeDataChanged, tree.ACLChanged: zk.NodeACLChanged}

// add takes a txn that was applied.
func (f *feed) add(a *replica.Applied) {
	f.dirty = true
	if a.Partial {
		f.interrupt()
		f.begin(a.Zxid)
		return
	}
	if !f.begun {
		f.begin(a.After)
	}
	f.applied = a.Zxid
	if len(a.Changes) == 0 {
		return
	}
	c := &f.open
	if len(c.buf) >= f.chunkMax {
		f.seal()
	}
	c.txns = append(c.txns, feedTxn{zxid: a.Zxid, at: uint32(len(c.buf)), changes: uint32(len(a.Changes))})
	c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(a.Session))
	for i := range a.Changes {
		c.add(&a.Changes[i])
	}
}

// seal begins another chunk.
func (f *feed) seal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open.newest = f.clock
	f.show()
	f.bytes += f.open.bytes()
	if n := len(f.spares); n > 0 {
		f.open, f.spares = f.spares[n-1], f.spares[:n-1]
	} else {
		f.open = feedChunk{buf: make([]byte, 0, f.chunkMax+f.chunkMax/8), txns: make([]feedTxn, 0, len(f.open.txns))}
	}
	f.chunks = append(f.chunks, feedChunk{})
}

// show lets readers see what was added. The caller holds the lock.
func (f *feed) show() {
	last := &f.chunks[len(f.chunks)-1]
	f.open.lent = last.lent
	*last = f.open
}

// keepSpare keeps the memory of a chunk that is dropped, if nobody else can have kept any of it, and not too much is kept. The caller holds the lock.
func (f *feed) keepSpare(c *feedChunk) {
	most := min(sparesMax, len(f.chunks)/spareShare)
	if len(f.spares) > most {
		clear(f.spares[most:])
		f.spares = f.spares[:most]
	}
	if c.lent || len(f.spares) == most {
		return
	}
	clear(c.acls)
	f.spares = append(f.spares, feedChunk{buf: c.buf[:0], txns: c.txns[:0], acls: c.acls[:0]})
}

// add encodes a change.
func (c *feedChunk) add(ch *tree.Change) {
	flags := byte(0)
	if ch.Data != nil {
		flags |= feedData
	}
	if ch.Previous != nil {
		flags |= feedPrevious
	}
	if ch.Kind != tree.Created {
		flags |= feedKnown
	}
	c.buf = append(c.buf, byte(ch.Kind), flags)
	other := ch.ParentACL
	if ch.Kind == tree.ACLChanged {
		other = ch.OldACL
	}
	for _, n := range [...]int{c.aclOf(ch.ACL), c.aclOf(other), len(ch.Path), len(ch.Data), len(ch.Previous)} {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(n))
	}
	c.buf = append(append(append(c.buf, ch.Path...), ch.Data...), ch.Previous...)
}

// aclLook is how many of the lists used last are looked at for the one that is to be used.
const aclLook = 8

// aclOf is the place of a list, plus one; 0 is for no list.
func (c *feedChunk) aclOf(list []zk.ACL) int {
	if len(list) == 0 {
		return 0
	}
	for i := len(c.acls) - 1; i >= max(0, len(c.acls)-aclLook); i-- {
		if have := c.acls[i]; len(have) == len(list) && &have[0] == &list[0] {
			return i + 1
		}
	}
	c.acls = append(c.acls, list)
	return len(c.acls)
}

// publish ends a round of the owner: readers see what was added in it. The tree is at z, and the log is durable up to durable.
func (f *feed) publish(serves bool, z, durable zk.Zxid, now int64) {
	if serves && !f.begun {
		f.begin(z)
		f.dirty = true
	}
	switch {
	case !serves || z == f.applied:
	case z < f.applied:
		f.interrupt()
		f.begin(z)
	default:
		f.applied, f.dirty = z, true // a new epoch
	}
	f.clock = now
	due := now-f.trimmed >= int64(feedTrimEvery)
	if !f.dirty && serves == f.state.Serves && !due { // only the owner writes state
		return
	}
	f.dirty = false
	f.open.newest = now
	f.mu.Lock()
	f.show()
	f.trim(durable, now)
	was := f.state
	f.known = f.begun
	if serves {
		f.settled = f.applied
	}
	f.state = request.FeedState{Serves: serves, Tenure: f.tenure, Oldest: f.oldest, Last: f.applied}
	var wake chan struct{}
	if f.state != was {
		wake, f.changed = f.changed, nil
	}
	f.mu.Unlock()
	if wake != nil {
		close(wake)
	}
}

// trim drops the chunks that are too many or too old. What is not durable stays: it could not be found in the log.
func (f *feed) trim(durable zk.Zxid, now int64) {
	f.trimmed = now
	for len(f.chunks) > 1 {
		c := &f.chunks[0]
		tooMuch := f.bytes+f.open.bytes() > f.bytesMax
		if !tooMuch && now-c.newest <= f.keep || c.last() > durable {
			return
		}
		f.bytes -= c.bytes()
		f.oldest = c.last()
		f.keepSpare(c)
		*c = feedChunk{}
		f.chunks = f.chunks[1:]
	}
}

// now is the state, and what is closed when it changes.
func (f *feed) now() (request.FeedState, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.state, f.changed
}

// read is Feed.Read.
func (f *feed) read(after zk.Zxid, most int, fn func([]request.Change)) (upTo zk.Zxid, ok bool) {
	f.mu.Lock()
	if !f.known || after < f.state.Oldest {
		f.mu.Unlock()
		return after, false
	}
	i := sort.Search(len(f.chunks)-1, func(i int) bool { return f.chunks[i].last() > after })
	f.chunks[i].lent = true
	c := f.chunks[i]
	upTo = f.state.Last
	if i < len(f.chunks)-1 {
		upTo = c.last()
	}
	upTo = min(upTo, f.settled)
	f.mu.Unlock()
	place := func(z zk.Zxid) int { return sort.Search(len(c.txns), func(i int) bool { return c.txns[i].zxid > z }) }
	txns := c.txns[place(after):max(place(after), place(upTo))]
	if len(txns) > most {
		txns = txns[:most]
		upTo = txns[most-1].zxid
	}
	var list []request.Change
	for i := range txns {
		list = c.decode(list[:0], &txns[i])
		fn(list)
	}
	return max(upTo, after), true
}

// decode appends the changes of a txn.
func (c *feedChunk) decode(list []request.Change, t *feedTxn) []request.Change {
	p := c.buf[t.at:]
	session := zk.SessionID(binary.LittleEndian.Uint64(p))
	p = p[8:]
	for range t.changes {
		kind, flags := p[0], p[1]
		var n [5]int
		for i := range n {
			n[i] = int(binary.LittleEndian.Uint32(p[2+4*i:]))
		}
		p = p[feedChangeHead:]
		ch := request.Change{Kind: feedKinds[kind], Zxid: t.zxid, Session: session, ACL: c.acl(n[0]), ParentACL: c.acl(n[1]),
			Path: unsafe.String(unsafe.SliceData(p), n[2]), PreviousKnown: flags&feedKnown != 0}
		if ch.Kind == zk.NodeACLChanged {
			ch.PreviousACL, ch.ParentACL = ch.ParentACL, nil
		}
		p = p[n[2]:]
		if flags&feedData != 0 {
			ch.Data = p[:n[3]:n[3]]
		}
		p = p[n[3]:]
		if flags&feedPrevious != 0 {
			ch.Previous = p[:n[4]:n[4]]
		}
		p = p[n[4]:]
		list = append(list, ch)
	}
	return list
}

func (c *feedChunk) acl(i int) []zk.ACL {
	if i == 0 {
		return nil
	}
	return c.acls[i-1]
}
