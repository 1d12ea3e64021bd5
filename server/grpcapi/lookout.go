package grpcapi

import (
	"context"
	"sync"

	"paddock/internal/zk"
	"paddock/server/request"
)

// lookout sees changes of single znodes for calls that wait, by the watches of one guest of the server. That may see everything:
// whether the caller may is judged by what the caller reads itself.
type lookout struct {
	mu     sync.Mutex // guards the fields below
	line   *line
	spots  map[spot]*post // of line
	closed bool
}

// spot is what is looked at: a znode, or its children.
type spot struct {
	path     string
	children bool
}

// post is who looks at one spot.
type post struct{ spies map[*spy]struct{} }

// spy is one that looks at a spot once.
type spy struct {
	lookout *lookout
	line    *line
	spot    spot
	fired   chan struct{} // closed when something has changed, or may have
}

// send has a spy look at a spot. rep is what is there at the moment from which on nothing is missed. The caller calls leave.
func (o *lookout) send(ctx context.Context, h request.Handler, at spot) (s *spy, rep zk.Reply, err error) {
	s = &spy{lookout: o, spot: at, fired: make(chan struct{})}
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil, rep, closedBy(request.CloseShutdown)
	}
	if o.line == nil || o.line.gone() {
		o.spots = map[spot]*post{}
		l := &line{}
		l.event = func(e *zk.Event) { o.event(l, e) }
		o.line = l.open(h, request.Origin{IDs: []zk.ID{{Scheme: schemeSuper}}}, nil)
	}
	s.line = o.line
	p := o.spots[at]
	if p == nil {
		p = &post{spies: map[*spy]struct{}{}}
		o.spots[at] = p
	}
	p.spies[s] = struct{}{}
	o.mu.Unlock()
	req := zk.Request{Op: zk.OpExists, Path: at.path, Watch: true}
	if at.children {
		req.Op = zk.OpGetChildren2
	}
	if rep, err = s.line.ask(ctx, &req); err != nil {
		s.leave()
		return nil, rep, err
	}
	o.mu.Lock()
	_, looks := p.spies[s]
	left := !looks && o.line == s.line && o.spots[at] == nil // it was woken by the watch of another, and its own is there
	if left {
		o.spots[at] = p
	}
	o.mu.Unlock()
	if left {
		o.forget(s.line, at, p)
	}
	return s, rep, nil
}

// event is called by the server's owner.
func (o *lookout) event(l *line, e *zk.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if l != o.line {
		return
	}
	for _, at := range []spot{{e.Path, false}, {e.Path, true}} {
		if p := o.spots[at]; p != nil && (at.children == (e.Type == zk.NodeChildrenChanged) || e.Type == zk.NodeDeleted) {
			p.fire()
			delete(o.spots, at)
		}
	}
}

// fire wakes everybody who looks. lookout.mu is held.
func (p *post) fire() {
	for s := range p.spies {
		close(s.fired)
	}
	clear(p.spies)
}

// leave ends the looking. The watch of a spot that nobody looks at any more is taken away.
func (s *spy) leave() {
	o := s.lookout
	o.mu.Lock()
	p := o.spots[s.spot]
	if o.line != s.line || p == nil {
		o.mu.Unlock()
		return
	}
	_, looks := p.spies[s]
	delete(p.spies, s)
	last := looks && len(p.spies) == 0
	o.mu.Unlock()
	if last {
		o.forget(s.line, s.spot, p)
	}
}

// forget takes the watch of a spot away. Who has come meanwhile is woken for nothing, and looks again.
func (o *lookout) forget(l *line, at spot, p *post) {
	req := zk.Request{Op: zk.OpRemoveWatches, Path: at.path, Arg: int32(zk.WatcherData)}
	if at.children {
		req.Arg = int32(zk.WatcherChildren)
	}
	_, _ = l.ask(context.Background(), &req) // ends with the line at the latest, and the watch with it
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line == l && o.spots[at] == p {
		p.fire()
		delete(o.spots, at)
	}
}

// close ends the guest; who looks is told by its line, and who comes later at once.
func (o *lookout) close() {
	o.mu.Lock()
	l := o.line
	o.closed = true
	o.mu.Unlock()
	if l != nil {
		l.close(request.CloseShutdown)
	}
}
