package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"paddock/consensus"
	"paddock/consensus/quorum"
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

	mu     sync.Mutex // guards what follows
	items  []item
	bytes  int64 // of items, and of what is being written
	ended  error // why; nil while it lives
	reason error // why it was dropped; nil if it was not
	timer  *time.Timer
	wake   chan struct{}
	closed chan struct{}
}

// item is what waits for its turn to be sent: one of the fields.
type item struct {
	message *consensus.Message
	view    *tree.View
	log     *logRange
	last    bool // nothing follows: close
}

// logRange is a part of the log: newer than after, not newer than to.
type logRange struct{ after, to zk.Zxid }

func (t *Transport) newLink(ctx context.Context, c net.Conn, server quorum.ServerID, dialled bool) *link {
	return &link{t: t, ctx: ctx, server: server, dialled: dialled, c: c, t0: time.Now(), wake: make(chan struct{}, 1), closed: make(chan struct{})}
}

// put adds to the queue; false if the link has ended.
func (l *link) put(it item, bytes int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended != nil || l.reason != nil:
		return false
	case l.bytes+int64(bytes) > l.t.opt.LinkQueueBytesMax:
		l.endLocked(errQueueFull)
		return false
	}
	l.items = append(l.items, it)
	l.bytes += int64(bytes)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// take is everything that waits.
func (l *link) take() []item {
	l.mu.Lock()
	defer l.mu.Unlock()
	items := l.items
	l.items = nil
	return items
}

// sent tells that n bytes of the queue have left.
func (l *link) sent(n int) {
	l.mu.Lock()
	l.bytes -= int64(n)
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
	select {
	case l.wake <- struct{}{}:
	default:
	}
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

func (s *links) put(id consensus.LinkID, it item, bytes int) bool {
	l := s.get(id)
	return l != nil && l.put(it, bytes)
}

func (s *links) drop(id consensus.LinkID, reason string) {
	if l := s.get(id); l != nil {
		l.drop(reason)
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
	l.end(l.read(r, first))
	writer.Wait()
	t.links.remove(l)
	l.mu.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	for _, it := range l.take() {
		if it.view != nil {
			t.opt.Handler.ViewRead(l.id, it.view)
		}
	}
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
		if err := decodeMessage(b, m); err != nil {
			return nil, err
		}
		if !isIntroduction(m) {
			return nil, fmt.Errorf("%v comes first", m.Kind)
		}
		return m, nil
	}
}
