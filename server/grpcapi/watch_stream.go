package grpcapi

import (
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/queue"
	"paddock/internal/zk"
)

// watching is one watch of a stream.
type watching struct {
	stream *watchStream
	id     int64
	path   string
	kind   paddockv1.WatchKind
	detail watchDetail
	every  time.Duration // of progress marks; 0 for none

	// Guarded by hub.mu, except in a catch-up's own index.
	after zk.Zxid // it is told nothing up to there; while it catches up, where it began
	index *watchIndex
	slots [2]int

	live      bool       // guarded by hub.mu: the hub tells it, not a catch-up
	cancelled bool       // guarded by stream.mu: a catch-up tells it nothing more
	told      time.Time  // the sender's: when something was last told, if there are to be marks
	head      mem.Buffer // the sender's: how a message to it begins
}

// once tells whether the watch is over after one change.
func (w *watching) once() bool {
	return w.kind == paddockv1.WatchKind_WATCH_KIND_DATA_ONCE || w.kind == paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE
}

// ofLists tells whether the watch is told when an access list is set.
func (w *watching) ofLists() bool { return w.detail&detailACL != 0 && !w.once() }

// saying is what an item tells beside events.
type saying uint8

const (
	sayEvents saying = iota
	sayCreated
	sayProgress
	sayFired
	sayAsked
	sayGone
	sayAhead
	sayInvalid
)

// watchItem is something to be sent.
type watchItem struct {
	*watching       // nil for progress of all
	id        int64 // where there is no watching
	bundle    *bundle
	say       saying
	zxid      zk.Zxid
	text      string
}

// itemBytes is what an item takes in a queue, roughly.
const itemBytes = 96

// watchStream is one call of Watch.
type watchStream struct {
	hub    *hub
	door   *door
	grpc   grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]
	feed   Feed
	tenure uint64
	ids    []zk.ID // those the caller had when the stream began

	wake  chan struct{} // a token when there is something for the sender in the fields below
	taken chan struct{} // a token when the sender has taken found
	ended chan struct{} // closed with err

	mu       sync.Mutex // guards the fields below; after hub.mu
	watches  map[int64]*watching
	queue    queue.Queue[watchItem]
	bytes    int64       // of queue and of what is being sent
	sending  zk.Zxid     // of what is being sent; 0 if nothing is
	behind   []*watching // that are to catch up
	catching bool
	found    []watchItem // by a catch-up, which waits until it is taken
	remark   bool        // marks are due, or a watch has come that wants them
	over     bool
	err      error
}

// watchServer implements WatchService.
type watchServer struct {
	paddockv1.UnimplementedWatchServiceServer
	door *door
}

// Watch implements the service. Three goroutines share the work, since none of receiving, sending and reading history may keep the
// others: this one waits for the end, and ends what the others wait for by returning.
func (s *watchServer) Watch(call grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
	ctx := call.Context()
	a, err := s.door.asker(ctx)
	if err != nil {
		return err
	}
	w := &watchStream{
		hub: s.door.hub, door: s.door, grpc: call, ids: a.ids, wake: make(chan struct{}, 1), taken: make(chan struct{}, 1),
		ended: make(chan struct{}), watches: map[int64]*watching{},
	}
	if err := w.hub.enter(w); err != nil {
		return err
	}
	defer w.hub.leave(w)
	var sessionOver <-chan struct{}
	if a.session != nil {
		sessionOver = a.session.line.over
	}
	go w.receive() // ends with the call
	go w.send()    // ends with the call
	select {
	case <-w.ended:
	case <-ctx.Done():
		w.end(contextStatus(ctx))
	case <-sessionOver:
		w.end(closedBy(a.session.line.why))
	}
	return w.err
}

// end ends the stream; the first reason counts.
func (s *watchStream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(err)
}

func (s *watchStream) endLocked(err error) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	for s.queue.Len() > 0 {
		s.drop(s.queue.Front())
		s.queue.Pop()
	}
	close(s.ended)
	s.kick()
}

// kick wakes the sender, which looks at everything then: to wait for one thing is cheaper than to wait for several.
func (s *watchStream) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// drop gives back what an item takes.
func (s *watchStream) drop(i *watchItem) {
	n := int64(itemBytes)
	if i.bundle != nil {
		n += int64(i.bundle.bytes)
		if i.bundle.holders.Add(-1) == 0 {
			s.hub.queued.Add(-int64(i.bundle.bytes))
		}
	}
	s.bytes -= n
	s.hub.queued.Add(-itemBytes)
}

// push queues an item. A stream whose client reads too slowly for what waits is ended instead.
func (s *watchStream) push(i watchItem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if s.bytes > 0 && s.full(&i) {
		s.endLocked(s.slow())
		return
	}
	s.bytes += itemBytes
	all := int64(itemBytes)
	if b := i.bundle; b != nil {
		s.bytes += int64(b.bytes)
		if b.holders.Add(1) == 1 {
			all += int64(b.bytes)
		}
	}
	s.hub.queued.Add(all)
	s.queue.Push(i)
	s.kick()
}

// full tells whether an item is too much: for this stream, or for all together, of which this one takes more than its share.
func (s *watchStream) full(i *watchItem) bool {
	more := int64(itemBytes)
	if i.bundle != nil {
		more += int64(i.bundle.bytes)
	}
	if s.queue.Len() >= watchQueueItems || s.bytes+more > watchQueueBytes {
		return true
	}
	return s.hub.queued.Load() > watchQueuesBytes && s.bytes > watchQueuesBytes/watchStreamsMax
}

// slow is the error of a stream that is not read, with where to go on. hub.mu and s.mu are held.
func (s *watchStream) slow() error {
	resume := s.hub.pos
	if s.sending != 0 {
		resume = s.sending - 1
	} else if s.queue.Len() > 0 {
		resume = s.queue.Front().zxidOf() - 1
	}
	for _, w := range s.watches {
		if !w.live {
			resume = min(resume, w.after)
		}
	}
	return fault(codes.ResourceExhausted, "SLOW_READER",
		"changes were not read fast enough: watch again from what was told last, or from zxid if that is later", about{zxid: max(resume, 1)})
}

// zxidOf is the first zxid that an item tells of.
func (i *watchItem) zxidOf() zk.Zxid {
	if i.bundle != nil {
		return i.bundle.zxid
	}
	return i.zxid
}

// receive takes what the client asks for, until it asks for no more.
func (s *watchStream) receive() {
	for {
		m, err := s.grpc.Recv()
		if errors.Is(err, io.EOF) {
			return // it may go on to listen
		}
		if err == nil {
			err = s.request(m)
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

func (s *watchStream) request(m *paddockv1.WatchRequest) error {
	switch r := m.GetRequest().(type) {
	case *paddockv1.WatchRequest_Create:
		return s.create(r.Create)
	case *paddockv1.WatchRequest_Cancel:
		s.cancel(r.Cancel.GetWatchId())
	case *paddockv1.WatchRequest_Progress:
		s.mark()
	default:
		return invalid("", "a request must ask for create, cancel or progress")
	}
	return nil
}

// problem is why a watch cannot be made; "" if it can.
func (s *watchStream) problem(in *paddockv1.CreateWatch) string {
	switch {
	case !zk.ValidPath(in.GetPath()):
		return "path: " + zk.PathProblem(in.GetPath())
	case sidesOf[in.GetKind()] == nil:
		return "kind: " + in.GetKind().String() + " is no kind of watch"
	case in.GetProgressMs() != 0 && in.GetProgressMs() < progressMinMS:
		return "progress_ms must be 0 or at least 100"
	case in.GetStartAfterZxid() > uint64(maxZxid):
		return "start_after_zxid is no zxid"
	case len(s.watches) >= watchesStreamMax:
		return "a stream may have 10000 watches at most: open another"
	case s.hub.watches >= watchesMax:
		return "this server has as many watches as it may have: ask another"
	}
	return ""
}

const (
	progressMinMS = 100
	maxZxid       = zk.Zxid(1<<63 - 1)
)

// create makes a watch. One that is to be told what has been goes to catch up first.
func (s *watchStream) create(in *paddockv1.CreateWatch) error {
	w := &watching{
		stream: s, id: in.GetWatchId(), path: in.GetPath(), kind: in.GetKind(), every: time.Duration(in.GetProgressMs()) * time.Millisecond,
		after: zk.Zxid(in.GetStartAfterZxid()), told: time.Now(),
	}
	if in.GetWithData() {
		w.detail |= detailData
	}
	if in.GetWithPrevious() {
		w.detail |= detailPrevious
	}
	if in.GetWithAcl() {
		w.detail |= detailACL
	}
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	if s.watches[w.id] != nil {
		s.mu.Unlock()
		return invalid(w.path, "watch_id %d is that of another watch of this stream", w.id)
	}
	problem := s.problem(in)
	begin := false
	if problem == "" && !s.over {
		s.watches[w.id] = w
		h.watches++
		if w.every > 0 {
			s.remark = true
		}
		if w.live = w.after == 0 && !in.GetFromStart(); !w.live {
			s.behind = append(s.behind, w)
			begin, s.catching = !s.catching, true
		}
	}
	s.mu.Unlock()
	s.kick() // for the marks
	switch {
	case problem != "":
		s.push(watchItem{id: w.id, say: sayInvalid, text: problem})
	case w.live:
		state, _ := s.feed.Now()
		w.after = max(state.Last, h.pos)
		s.push(watchItem{watching: w, say: sayCreated, zxid: w.after})
		h.index.add(w)
	case begin:
		h.wg.Go(s.catchUp) // ends when all watches have caught up, or with the call
	}
	return nil
}

// cancel ends a watch. One that is not there may just have ended by itself.
func (s *watchStream) cancel(id int64) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	w := s.watches[id]
	if w != nil {
		w.cancelled = true
	}
	s.mu.Unlock()
	if w == nil {
		return
	}
	z := w.after
	if w.live {
		z = max(z, h.pos)
		h.index.remove(w)
	}
	h.forget(w)
	s.push(watchItem{watching: w, say: sayAsked, zxid: z})
}

// mark queues a progress mark of all watches.
func (s *watchStream) mark() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	z := h.pos
	s.mu.Lock()
	for _, w := range s.watches {
		if !w.live {
			z = min(z, w.after)
		}
	}
	s.mu.Unlock()
	s.push(watchItem{say: sayProgress, zxid: z})
}

// remove takes a watch out of the stream; false if it is out already.
func (s *watchStream) remove(w *watching) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[w.id] != w {
		return false
	}
	delete(s.watches, w.id)
	return true
}

// has tells whether a watch is still among those of the stream.
func (s *watchStream) has(w *watching) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watches[w.id] == w
}

// takeAll takes all watches out.
func (s *watchStream) takeAll() (all []*watching) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watches {
		all = append(all, w)
	}
	clear(s.watches)
	return all
}
