package grpcapi

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"

	"paddock/internal/zk"
	"paddock/server/request"
)

// Feed tells what the server has applied, in order, each change once; see driver.Feed, which it is.
type Feed interface {
	// Now is the present state, and a channel that is closed once that is another.
	Now() (request.FeedState, <-chan struct{})
	// Read calls f for each txn newer than after that memory holds, oldest first, most of them at most. upTo is where to go on. ok is
	// false if memory does not go back that far.
	Read(after zk.Zxid, most int, f func([]request.Change)) (upTo zk.Zxid, ok bool)
	// ReadLog does so for what memory no longer holds, for those changes that want asks for. The error is a
	// *request.HistoryGoneError, f's, or why the log cannot be read.
	ReadLog(ctx context.Context, after zk.Zxid, want func(zk.EventType, string) bool, f func([]request.Change) error) (upTo zk.Zxid, err error)
}

// Bounds of watches.
const (
	watchStreamsMax   = 20_000    // streams of Watch in all
	watchesMax        = 500_000   // watches in all
	watchesStreamMax  = 10_000    // watches of a stream
	watchQueueItems   = 16 << 10  // what waits to be sent on a stream, in messages
	watchQueueBytes   = 4 << 20   // and in bytes
	watchQueuesBytes  = 256 << 20 // in all streams; what many have in common counts once
	watchMessageBytes = 256 << 10 // of changes in a message, unless one alone is larger
	watchCatchUps     = 4         // streams that read history at the same time
	hubTxns           = 64        // that the hub takes at once
	joinTxns          = 256       // that a watch may be behind to join
)

// hub fans out what is applied to the watches of all streams. One goroutine reads the feed while there is any stream, and looks up in
// one index which watches a change is for.
type hub struct {
	feed   func() Feed  // nil while the server starts
	queued atomic.Int64 // bytes of bundles in queues, each counted once, and of what leads to them
	quit   chan struct{}
	wg     sync.WaitGroup // the goroutine, and the calls
	slots  chan struct{}  // of watchCatchUps

	mu      sync.Mutex // guards the fields below, and every watching's after and index; before that of a stream
	streams map[*watchStream]struct{}
	index   *watchIndex
	watches int     // of all streams
	pos     zk.Zxid // told up to here
	running bool
	stopped bool
	fans    fanner
}

// fanner finds the watches of an index that changes are for, and who may be told. It belongs to one goroutine.
type fanner struct {
	may  func(acl []zk.ACL, perm zk.Perms, ids []zk.ID) bool
	tell telling
	hits []watchHit
}

func newHub(o *Options) *hub {
	may := o.Allowed
	if may == nil {
		may = func([]zk.ACL, zk.Perms, []zk.ID) bool { return false }
	}
	return &hub{feed: o.Feed, fans: fanner{may: may}, quit: make(chan struct{}), slots: make(chan struct{}, watchCatchUps),
		streams: map[*watchStream]struct{}{}, index: newWatchIndex()}
}

// source is the feed, if the server serves.
func (h *hub) source() (Feed, request.FeedState, error) {
	if h.feed != nil {
		if f := h.feed(); f != nil {
			s, _ := f.Now()
			if s.Serves {
				return f, s, nil
			}
		}
	}
	return nil, request.FeedState{}, refusal(zk.ConnectionLoss, "", 0)
}

// enter adds a stream.
func (h *hub) enter(s *watchStream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	feed, state, err := h.source()
	switch {
	case h.stopped:
		return closedBy(request.CloseShutdown)
	case err != nil:
		return err
	case len(h.streams) >= watchStreamsMax:
		return fault(codes.ResourceExhausted, "TOO_MANY", "this server has as many watch streams as it may have: ask another", retrySoon)
	}
	s.feed, s.tenure = feed, state.Tenure
	h.streams[s] = struct{}{}
	h.wg.Add(1)
	if !h.running {
		h.running, h.pos = true, state.Last
		h.wg.Go(func() { h.run(feed) }) // ends when there is no stream any more
	}
	return nil
}

// leave takes a stream out, with its watches.
func (h *hub) leave(s *watchStream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range s.takeAll() {
		if w.live {
			h.index.remove(w)
		}
		h.watches--
	}
	delete(h.streams, s)
	h.wg.Done()
}

// stop ends all streams and waits for them.
func (h *hub) stop() {
	h.mu.Lock()
	if !h.stopped {
		h.stopped = true
		close(h.quit)
	}
	for s := range h.streams {
		s.end(closedBy(request.CloseShutdown))
	}
	h.mu.Unlock()
	h.wg.Wait()
}

// run reads the feed while there are streams.
func (h *hub) run(feed Feed) {
	for {
		state, changed := feed.Now()
		h.mu.Lock()
		if len(h.streams) == 0 || h.stopped {
			h.running = false
			h.mu.Unlock()
			return
		}
		before := h.pos
		for s := range h.streams {
			if !state.Serves || s.tenure != state.Tenure {
				s.end(refusal(zk.ConnectionLoss, "", 0)) // it may miss what others decide; the client goes on elsewhere, or here
			}
		}
		upTo, ok := feed.Read(h.pos, hubTxns, h.fan)
		if !ok {
			for s := range h.streams { // they go on from the log
				s.end(fault(codes.Unavailable, "BEHIND", "the server was too busy to tell changes: watch again from where you are", retryNow))
			}
			upTo = state.Last
		}
		h.pos = max(h.pos, upTo)
		h.mu.Unlock()
		if upTo > before {
			continue
		}
		select {
		case <-changed:
		case <-h.quit:
		}
	}
}

// fan tells the changes of one txn. h.mu is held.
func (h *hub) fan(changes []request.Change) { h.fans.fan(h.index, changes, h.push) }

func (h *hub) push(w *watching, b *bundle) {
	w.stream.push(watchItem{watching: w, bundle: b})
	if w.once() {
		h.index.remove(w)
		h.forget(w)
		w.stream.push(watchItem{watching: w, say: sayFired, zxid: b.zxid})
	}
}

// forget takes a watch from its stream. h.mu is held.
func (h *hub) forget(w *watching) {
	if w.stream.remove(w) {
		h.watches--
	}
}

// fan calls f once for each watch of an index that is told something of a txn.
func (n *fanner) fan(x *watchIndex, changes []request.Change, f func(*watching, *bundle)) {
	t := &n.tell
	t.begin(changes)
	for i := range changes {
		c := &changes[i]
		n.hits = x.match(n.hits[:0], c.Kind, c.Path)
		for j := range n.hits {
			w := n.hits[j].watching
			if c.Zxid <= w.after || w.once() && t.of[w] != nil || c.Kind == zk.NodeACLChanged && !w.ofLists() {
				continue
			}
			d, may := n.judge(&n.hits[j], c)
			switch {
			case !may:
			case len(changes) == 1:
				f(w, t.one(d))
			default:
				t.more(w, i, d)
			}
		}
		clear(n.hits)
	}
	t.take(f)
}

// judge tells whether a watch may be told of a change, and with what: the data of a child needs more than to know of it.
func (n *fanner) judge(hit *watchHit, c *request.Change) (d watchDetail, may bool) {
	ids, acl := hit.stream.ids, c.ACL
	if c.Kind == zk.NodeACLChanged {
		return n.judgeList(hit, c)
	}
	if hit.ofParent {
		acl = c.ParentACL
	}
	if !n.may(acl, zk.PermRead, ids) {
		return 0, false
	}
	if hit.detail != 0 && (!hit.ofParent || n.may(c.ACL, zk.PermRead, ids)) {
		d = hit.detail & (detailData | detailPrevious)
	}
	if hit.detail&detailACL == 0 || c.Guessed {
		return d, true
	}
	switch c.Kind {
	case zk.NodeCreated:
		d |= n.sees(c.ACL, ids)
	case zk.NodeDeleted:
		if hit.detail&detailPrevious != 0 {
			d |= n.sees(c.ACL, ids) << oldACL
		}
	}
	return d, true
}

// judgeList does so of a change of an access list. Who may see the list before or the one after may know that it is another.
func (n *fanner) judgeList(hit *watchHit, c *request.Change) (d watchDetail, may bool) {
	d = n.sees(c.ACL, hit.stream.ids)
	if c.PreviousKnown {
		d |= n.sees(c.PreviousACL, hit.stream.ids) << oldACL
	}
	may = d != 0
	if hit.detail&detailPrevious == 0 {
		d &= detailACL | detailHashes
	}
	return d, may
}

// sees tells what somebody sees of an access list: nothing, as getACL, unless he may read or administer the znode, and all only if the
// latter.
func (n *fanner) sees(acl []zk.ACL, ids []zk.ID) watchDetail {
	switch {
	case n.may(acl, zk.PermAdmin, ids):
		return detailACL | detailHashes
	case n.may(acl, zk.PermRead, ids):
		return detailACL
	}
	return 0
}

// join lets the watches of an index that has caught up to pos go on with the hub, and tells them what the hub has told meanwhile.
// false if that is too much.
func (h *hub) join(s *watchStream, x *watchIndex, group []*watching, pos zk.Zxid, fans *fanner) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	var rest []watchItem
	if pos < h.pos {
		upTo, ok := s.feed.Read(pos, joinTxns, func(changes []request.Change) {
			if changes[0].Zxid <= h.pos {
				fans.fan(x, changes, func(w *watching, b *bundle) { rest = append(rest, watchItem{watching: w, bundle: b}) })
			}
		})
		if !ok || upTo < h.pos {
			return false
		}
	}
	for _, w := range group {
		if w.index != x {
			continue // it is over
		}
		x.remove(w)
		if s.has(w) {
			w.after, w.live = max(w.after, pos, h.pos), true
			h.index.add(w)
		}
	}
	for _, i := range rest {
		if i.live && i.index == h.index { // else it was cancelled, or has fired by an item before this one
			h.push(i.watching, i.bundle)
		}
	}
	return true
}
