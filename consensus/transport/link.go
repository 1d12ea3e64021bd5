package transport

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/nonblock"
	"paddock/internal/relay"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// Why a link ends that this server ends.
var (
	errQueueFull = errors.New("the other side takes too little: too many bytes wait for it")
	errTooMany   = errors.New("too many links")
	errStopped   = errors.New("this server stops")
)

// DropError is why a link ended that was dropped.
type DropError struct{ Reason string }

// Error is the reason.
func (e *DropError) Error() string { return "dropped: " + e.Reason }

// link is one connection on a quorum port. Its goroutine reads, another writes.
type link struct {
	t       *Transport
	ctx     context.Context // of Run, for the functions in Options only
	id      consensus.LinkID
	server  quorum.ServerID
	dialled bool
	c       net.Conn

	synced   atomic.Bool  // the learner is synchronised: the shorter deadlines count
	dropped  atomic.Bool  // what arrives is read and thrown away
	moved    atomic.Int64 // when bytes of a long transfer moved last, nanoseconds after t0
	told     atomic.Int64 // when LinkAlive was last called, likewise
	t0       time.Time
	transfer atomic.Bool // a tree is being received

	try *nonblock.Writer // of who has the link; nil if every write is to be the goroutine's

	mu     sync.Mutex // guards what follows
	items  []item
	bytes  int64    // of items, and of what is being written
	busy   bool     // somebody has the link, and looks at items again when he is done
	said   int64    // messages that were in items
	got    int64    // messages that have come
	asked  int64    // those of them that are requests
	spares [][]byte // memory for the next messages
	// batches is memory for messages to be received, for so many of them.
	batches    [][]consensus.Message
	batchesCap int
	ended      error // why; nil while it lives
	reason     error // why it was dropped; nil if it was not
	timer      *time.Timer
	wake       chan struct{}
	closed     chan struct{}
}

// item is what waits for its turn to be sent: one of the fields.
type item struct {
	messages []byte // as they are sent, one behind the other
	count    int64  // of messages
	synced   bool   // with them the learner is synchronised
	view     *tree.View
	log      *logRange
	last     bool // nothing follows: close
}

// logRange is a part of the log: newer than after, not newer than to.
type logRange struct{ after, to zk.Zxid }

func (t *Transport) newLink(ctx context.Context, c net.Conn, server quorum.ServerID, dialled bool) *link {
	return &link{t: t, ctx: ctx, server: server, dialled: dialled, c: c, try: nonblock.New(c), t0: time.Now(), wake: make(chan struct{}, 1), closed: make(chan struct{})}
}

// put adds to the queue and has it sent; false if the link has ended.
func (l *link) put(it item) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.room(packetBytesMin) {
		return false
	}
	l.items = append(l.items, it)
	l.bytes += packetBytesMin
	l.ring()
	return true
}

// enqueue adds messages to the queue, which flush has sent.
func (l *link) enqueue(it item) {
	if len(it.messages) == 0 || !l.room(len(it.messages)) {
		l.keep(it.messages)
		return
	}
	l.said += it.count
	l.bytes += int64(len(it.messages))
	if n := len(l.items); n > 0 && l.items[n-1].messages != nil && len(l.items[n-1].messages) < writeBytes {
		last := &l.items[n-1]
		last.messages = append(last.messages, it.messages...)
		last.count += it.count
		last.synced = last.synced || it.synced
		l.keep(it.messages)
		return
	}
	l.items = append(l.items, it)
}

// draft is what is to be sent on a link in this round.
type draft struct {
	id consensus.LinkID
	l  *link // nil if there is none
	it item
}

// add puts a message behind the others.
func (d *draft) add(m *consensus.Message) {
	it := &d.it
	it.messages = appendMessage(it.messages, m)
	it.count++
	switch {
	case m.Kind == consensus.MsgUpToDate && !d.l.dialled,
		m.Kind == consensus.MsgAck && m.Zxid.Counter() == 0 && d.l.dialled:
		it.synced = true
	}
	if len(it.messages) >= writeBytes {
		d.handOver()
	}
}

// handOver puts what there is into the link's queue.
func (d *draft) handOver() {
	if d.l == nil {
		return
	}
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	d.l.enqueue(d.it)
	d.it = item{messages: d.l.buffer()}
}

// LinkFigures are what a link is and has carried.
type LinkFigures struct {
	Addr                     string // of the other side, host:port
	Opened                   time.Time
	Waiting, WaitingBytes    int64 // messages in the queue, and what they take
	Received, Requests, Sent int64 // messages; Requests are of Received
}

// Figures are those of a link; false if there is none.
func (t *Transport) Figures(id consensus.LinkID) (LinkFigures, bool) {
	l := t.links.get(id)
	if l == nil {
		return LinkFigures{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := LinkFigures{Addr: l.c.RemoteAddr().String(), Opened: l.t0, WaitingBytes: l.bytes, Received: l.got, Requests: l.asked, Sent: l.said}
	for i := range l.items {
		f.Waiting += l.items[i].count
	}
	f.Sent -= f.Waiting
	return f, true
}

// ResetFigures has all links count from here on.
func (t *Transport) ResetFigures() {
	t.links.mu.Lock()
	all := slices.Collect(maps.Values(t.links.byID))
	t.links.mu.Unlock()
	for _, l := range all {
		l.mu.Lock()
		l.said, l.got, l.asked = 0, 0, 0
		for i := range l.items {
			l.said += l.items[i].count
		}
		l.mu.Unlock()
	}
}

// count takes note of what has come.
func (l *link) count(batch []consensus.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got += int64(len(batch))
	for i := range batch {
		if batch[i].Kind == consensus.MsgRequest {
			l.asked++
		}
	}
}

// room tells whether the queue takes about n bytes more. A link that has too many ends.
func (l *link) room(n int) bool {
	switch {
	case l.ended != nil || l.reason != nil:
		return false
	case l.bytes+int64(n) > l.t.opt.LinkQueueBytesMax:
		l.endLocked(errQueueFull)
		return false
	}
	return true
}

// ring wakes the writing goroutine.
func (l *link) ring() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// flush sends what waits and then messages, if the socket takes it at once and it is little; otherwise the writing goroutine does.
func (l *link) flush(messages item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enqueue(messages)
	if l.busy || l.ended != nil || len(l.items) == 0 {
		return
	}
	it := l.items[0]
	b := it.messages
	if l.try == nil || len(l.items) > 1 || b == nil || len(b) > directBytesMax {
		l.ring()
		return
	}
	if it.synced {
		l.synced.Store(true)
	}
	l.items[0] = item{}
	l.items, l.busy = l.items[:0], true
	l.mu.Unlock()
	n := l.try.Write(b)
	l.mu.Lock()
	l.busy = false
	l.bytes -= int64(n)
	if n < len(b) {
		l.items = slices.Insert(l.items, 0, item{messages: b[n:]})
	} else {
		l.keep(b)
	}
	if len(l.items) > 0 {
		l.ring()
	}
}

// buffer is memory for messages. If there is little to send one buffer does for ever, and otherwise each will be filled.
func (l *link) buffer() []byte {
	switch n := len(l.spares); {
	case n > 0:
		b := l.spares[n-1]
		l.spares = l.spares[:n-1]
		return b
	case len(l.items) == 0:
		return make([]byte, 0, writeBytesMin)
	default:
		return make([]byte, 0, writeBytes+writeBytesMin)
	}
}

// keep keeps the memory of messages that were sent.
func (l *link) keep(b []byte) {
	if cap(b) >= writeBytesMin && cap(b) <= writeBytesKept && len(l.spares) < sparesMax {
		l.spares = append(l.spares, b[:0])
	}
}

// take is everything that waits. Whoever gets something has the link until he calls done.
func (l *link) take() []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy || len(l.items) == 0 {
		return nil
	}
	items := l.items
	l.items, l.busy = nil, true
	return items
}

// done gives the link back.
func (l *link) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	if len(l.items) > 0 {
		l.ring()
	}
}

// sent tells that n bytes of the queue have left, and gives back the memory of messages.
func (l *link) sent(n int, messages []byte) {
	l.mu.Lock()
	l.bytes -= int64(n)
	l.keep(messages)
	l.mu.Unlock()
}

// drop has the link end once the queue is empty, or a moment later.
func (l *link) drop(reason string) {
	l.dropped.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil || l.reason != nil {
		return
	}
	l.reason = &DropError{reason}
	l.items = append(l.items, item{last: true})
	l.timer = time.AfterFunc(l.t.opt.DropGrace, func() { l.end(l.reason) })
	l.ring()
}

// end closes the connection; the first reason counts.
func (l *link) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endLocked(err)
}

func (l *link) endLocked(err error) {
	if l.ended != nil {
		return
	}
	l.ended = err
	if l.reason != nil {
		l.ended = l.reason
	}
	close(l.closed)
	l.c.Close()
}

// why is the reason for the end.
func (l *link) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// limit is how long the other side may be silent, or take nothing.
func (l *link) limit() time.Duration {
	if l.synced.Load() {
		return l.t.opt.syncTime()
	}
	return l.t.opt.initTime()
}

// alivePause is how often LinkAlive is called while a transfer moves.
const alivePause = 500 * time.Millisecond

// move notes that bytes of a transfer have moved.
func (l *link) move() {
	now := int64(time.Since(l.t0))
	l.moved.Store(now)
	if told := l.told.Load(); now-told >= int64(alivePause) && l.told.CompareAndSwap(told, now) {
		l.t.opt.Handler.LinkAlive(l.id)
	}
}

// links are all of them by id.
type links struct {
	mu       sync.Mutex // guards what follows
	byID     map[consensus.LinkID]*link
	last     consensus.LinkID
	accepted int
	stopped  bool

	// Of the goroutine that sends, which so needs no lock for a message: what was sent since the last flush, and where in it the next message
	// probably belongs, since a message often goes to all of them in turn.
	drafts []draft
	next   int
}

// add gives l an id.
func (s *links) add(l *link) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return errStopped
	case !l.dialled && s.accepted >= l.t.opt.AcceptedLinksMax:
		return errTooMany
	case !l.dialled:
		s.accepted++
	}
	if s.byID == nil {
		s.byID = map[consensus.LinkID]*link{}
	}
	s.last++
	l.id = s.last
	s.byID[l.id] = l
	return nil
}

func (s *links) remove(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, l.id)
	if !l.dialled {
		s.accepted--
	}
}

func (s *links) get(id consensus.LinkID) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// put puts something else than messages at the end of the queue of a link.
func (s *links) put(id consensus.LinkID, it item) bool {
	d := s.draft(id)
	d.handOver()
	return d.l != nil && d.l.put(it)
}

// message puts a message behind what a link is to be sent with the next flush.
func (s *links) message(id consensus.LinkID, m *consensus.Message) {
	if d := s.draft(id); d.l != nil {
		d.add(m)
	}
}

// draft finds or begins that of a link. It is valid until the next.
func (s *links) draft(id consensus.LinkID) *draft {
	for range s.drafts {
		if s.next == len(s.drafts) {
			s.next = 0
		}
		if s.next++; s.drafts[s.next-1].id == id {
			return &s.drafts[s.next-1]
		}
	}
	s.drafts = append(s.drafts, draft{id: id, l: s.get(id)})
	s.next = len(s.drafts)
	d := &s.drafts[s.next-1]
	d.handOver() // nothing: for its memory
	return d
}

// flush flushes the links to which something was sent.
func (s *links) flush() {
	for i := range s.drafts {
		if d := &s.drafts[i]; d.l != nil {
			d.l.flush(d.it)
		}
	}
	clear(s.drafts)
	s.drafts, s.next = s.drafts[:0], 0
}

func (s *links) drop(id consensus.LinkID, reason string) {
	if d := s.draft(id); d.l != nil {
		d.handOver()
		d.l.drop(reason)
	}
}

// endAll ends every link, and those that come.
func (s *links) endAll() {
	s.mu.Lock()
	s.stopped = true
	all := make([]*link, 0, len(s.byID))
	for _, l := range s.byID {
		all = append(all, l)
	}
	s.mu.Unlock()
	for _, l := range all {
		l.end(errStopped)
	}
}

// serveLink is the life of a link: first is what its reader has received already, or nil.
func (t *Transport) serveLink(l *link, r *reader, first *consensus.Message) {
	defer t.open.close(l.c)
	if err := t.links.add(l); err != nil {
		t.log.Warn().Err(err).Stringer("addr", l.c.RemoteAddr()).Msg("link refused")
		if l.dialled {
			t.opt.Handler.DialFailed(l.server, err)
		}
		return
	}
	t.log.Debug().Uint64("link", uint64(l.id)).Int64("peer", int64(l.server)).Bool("dialled", l.dialled).Stringer("addr", l.c.RemoteAddr()).Msg("link")
	t.opt.Handler.LinkUp(l.id, l.server, l.dialled)
	var writer sync.WaitGroup
	writer.Go(l.write) // serveLink waits for it
	in := &incoming{l: l, r: r}
	if first != nil {
		in.batch = append(in.batch, *first)
	}
	relay.Run(in.read, func(err error) {
		l.end(err)
		writer.Wait()
		t.forget(l)
	})
}

// forget gives back what a link holds that has ended, and tells of its end.
func (t *Transport) forget(l *link) {
	t.links.remove(l)
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	left := l.items
	l.items = nil
	l.mu.Unlock()
	l.giveBack(left)
	t.opt.Handler.LinkDown(l.id, l.why())
}

// introduce waits for the first message of a connection that was accepted, and serves it. On the port for observers no other
// learner is taken.
func (t *Transport) introduce(ctx context.Context, door Door, c net.Conn, waiting *lobby) {
	l := t.newLink(ctx, c, consensus.NoServer, false)
	r := newReader(inbound{l})
	m, err := l.introduction(r)
	waiting.leave(c)
	if err == nil && door == ObserverDoor && m.Kind != consensus.MsgObserverInfo {
		err = fmt.Errorf("%v comes where only observers do", m.Kind)
	}
	if err != nil {
		t.log.Debug().Err(err).Str("door", string(door)).Stringer("addr", c.RemoteAddr()).Msg("connection without an introduction")
		t.open.close(c)
		return
	}
	l.server = m.Server
	t.serveLink(l, r, m)
}

// introductionBytesMax bounds the first message of a learner: fields that may come with a later version have room.
const introductionBytesMax = 1 << 10

// introduction reads the first message of a learner.
func (l *link) introduction(r *reader) (*consensus.Message, error) {
	for {
		b, ok, err := r.message(introductionBytesMax)
		if err != nil {
			return nil, err
		}
		if !ok {
			if err := r.fill(); err != nil {
				return nil, err
			}
			if time.Since(l.t0) > l.limit() {
				return nil, os.ErrDeadlineExceeded
			}
			continue
		}
		m := new(consensus.Message)
		if err := new(decoder).message(b, m); err != nil {
			return nil, err
		}
		if !isIntroduction(m) {
			return nil, fmt.Errorf("%v comes first", m.Kind)
		}
		return m, nil
	}
}
