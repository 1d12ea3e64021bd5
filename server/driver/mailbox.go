package driver

import (
	"sync"
	"time"
	"unsafe"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// letterKind is what a letter says.
type letterKind uint8

const (
	opened letterKind = iota
	connect
	submit
	drained
	closed
	synced       // events, weight, err
	fromPeer     // event, or link and messages; weight
	snapshotDone // view, err
	inspect      // fn
)

// letter is one message to the owner.
type letter struct {
	kind     letterKind
	client   request.ClientID
	sink     request.Sink
	origin   request.Origin
	connect  *zk.ConnectRequest
	requests []zk.Request
	weight   int64
	at       int64         // of submit and synced: nanoseconds since the driver was made, monotonic
	took     time.Duration // of synced
	events   []replica.Event
	event    *replica.Event
	link     consensus.LinkID
	messages []consensus.Message
	view     *tree.View
	err      error
	fn       func()
}

// mailbox is where everybody leaves letters and the owner takes all of them at once. Letters of the server itself
// (control) are kept apart, so that they are read even while requests have to wait for the disk.
type mailbox struct {
	mu       sync.Mutex // guards the fields below
	requests []letter
	control  []letter
	weight   int64 // bytes of the requests that wait or are being stepped
	peers    int64 // bytes of what has come from other servers and waits
	room     sync.Cond
	stopped  bool

	wake chan struct{} // one token when there is something to take
}

// weightMax bounds the requests that wait for the owner, in bytes; who wants to add more waits.
const weightMax = 64 << 20

func newMailbox() *mailbox {
	b := &mailbox{wake: make(chan struct{}, 1)}
	b.room.L = &b.mu
	return b
}

// post leaves a letter, and wakes the owner. It may be called by the owner itself, and whatever is locked.
func (b *mailbox) post(l letter) {
	if b.put(l) {
		b.signal()
	}
}

// put leaves a letter, and tells whether the owner has to be woken. Requests, and what weighs something from other servers, wait
// here while there is too much of them; after stop everything is dropped.
func (b *mailbox) put(l letter) (first bool) {
	b.mu.Lock()
	for (l.kind == submit && b.weight > weightMax || l.kind == fromPeer && l.weight > 0 && b.peers > weightMax) && !b.stopped {
		b.room.Wait()
	}
	if b.stopped && l.kind != inspect {
		b.mu.Unlock()
		return false
	}
	// The first of either kind wakes the owner: it may have left requests behind, and take only control letters.
	if l.kind >= synced {
		first = len(b.control) == 0
		b.control = append(b.control, l)
		if l.kind == fromPeer {
			b.peers += l.weight
		}
	} else {
		first = len(b.requests) == 0
		b.weight += l.weight
		b.requests = append(b.requests, l)
	}
	b.mu.Unlock()
	return first
}

func (b *mailbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take swaps the letters for the given empty slices. Without withRequests those stay.
func (b *mailbox) take(requests, control []letter, withRequests bool) (r, c []letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, b.control = b.control, control
	if !withRequests {
		return requests, c
	}
	r, b.requests = b.requests, requests
	return r, c
}

// done gives back the weight of requests that have been stepped or dropped.
func (b *mailbox) done(weight int64) {
	if weight != 0 {
		b.lighten(&b.weight, weight)
	}
}

// peerDone gives back the weight of what another server has sent.
func (b *mailbox) peerDone(weight int64) { b.lighten(&b.peers, weight) }

// lighten takes weight off one of the figures, and lets those go on who waited for room under it.
func (b *mailbox) lighten(figure *int64, weight int64) {
	b.mu.Lock()
	full := *figure > weightMax
	*figure -= weight
	if full && *figure <= weightMax {
		b.room.Broadcast()
	}
	b.mu.Unlock()
}

// stop lets everybody go who waits for room.
func (b *mailbox) stop() {
	b.mu.Lock()
	b.stopped = true
	b.room.Broadcast()
	b.mu.Unlock()
}

// requestBytes is what a request weighs beyond its path and data, roughly.
const requestBytes = int64(unsafe.Sizeof(zk.Request{}))

// weigh is the memory that a batch holds, roughly: with what its transactions are made of.
func weigh(reqs []zk.Request) int64 {
	n := int64(0)
	for i := range reqs {
		r := &reqs[i]
		n += requestBytes + int64(len(r.Path)+len(r.Data)) + weigh(r.Ops) + weigh(r.Else)
		for g := range r.Guards {
			n += requestBytes + int64(len(r.Guards[g].Path)+len(r.Guards[g].Data))
		}
	}
	return n
}
