package sim

import (
	"slices"
	"strings"

	"paddock/internal/zk"
	"paddock/server/request"
)

// watchRules checks watch-before-reply: each connection gets exactly the events that it watches for, in the order of the
// changes, and before any reply that shows the change.
type watchRules struct {
	st      *stage
	applied zk.Zxid // changes up to here have fired
	conns   map[request.ClientID]*watcher
}

// watcher is what one connection watches, and what it must be told next.
type watcher struct {
	data, child           map[string]bool // once
	persistent, recursive map[string]bool
	due                   []zk.Event
}

// restart is a new server, at z.
func (r *watchRules) restart(z zk.Zxid) { r.applied, r.conns = z, map[request.ClientID]*watcher{} }

func (r *watchRules) drop(id request.ClientID) { delete(r.conns, id) }

// advance fires what the txns up to z change.
func (r *watchRules) advance(z zk.Zxid) {
	for _, t := range r.st.model.between(r.applied, z) {
		for _, ch := range t.changes {
			for _, c := range r.conns {
				c.fire(t.z, ch)
			}
		}
		r.applied = t.z
	}
}

func (c *watcher) fire(z zk.Zxid, ch change) {
	if ch.what == zk.NodeACLChanged {
		return // which ZooKeeper's watches are not told
	}
	tell := func(what zk.EventType, path string) {
		c.due = append(c.due, zk.Event{Zxid: z, Type: what, Path: path})
	}
	hears := c.data[ch.path] || c.persistent[ch.path]
	for path := range c.recursive {
		hears = hears || path == ch.path || strings.HasPrefix(ch.path, strings.TrimSuffix(path, "/")+"/")
	}
	if ch.what == zk.NodeDeleted {
		hears = hears || c.child[ch.path]
		delete(c.child, ch.path)
	}
	delete(c.data, ch.path)
	if hears {
		tell(ch.what, ch.path)
	}
	if ch.what == zk.NodeDataChanged {
		return
	}
	parent := parentOf(ch.path)
	if c.child[parent] || c.persistent[parent] {
		tell(zk.NodeChildrenChanged, parent)
	}
	delete(c.child, parent)
}

// event is one that a connection is told.
func (r *watchRules) event(n int, id request.ClientID, e *zk.Event) {
	r.advance(e.Zxid)
	w := r.conns[id]
	if w == nil || len(w.due) == 0 {
		r.st.fail("watch-before-reply: client %d is told %v %s at %v and does not watch it", n, e.Type, e.Path, e.Zxid)
		return
	}
	if due := w.due[0]; due != (zk.Event{Zxid: e.Zxid, Type: e.Type, Path: e.Path}) {
		r.st.fail("watch-before-reply: client %d is told %v %s at %v, expected %v %s at %v", n, e.Type, e.Path, e.Zxid, due.Type, due.Path, due.Zxid)
	}
	w.due = w.due[1:]
}

// replied checks that the client knows all that the reply shows, and sets the watch that goes with it.
func (r *watchRules) replied(n int, id request.ClientID, rep *zk.Reply) {
	r.advance(rep.Zxid)
	if w := r.conns[id]; w != nil && len(w.due) > 0 && w.due[0].Zxid <= rep.Zxid {
		r.st.fail("watch-before-reply: client %d gets a reply at %v and has not been told %v %s at %v", n, rep.Zxid, w.due[0].Type, w.due[0].Path, w.due[0].Zxid)
	}
}

// set notes the watch that a reply has set.
func (r *watchRules) set(id request.ClientID, req *zk.Request, rep *zk.Reply) {
	if !req.Watch && req.Op != zk.OpAddWatch || rep.Err != zk.OK && req.Op != zk.OpExists {
		return
	}
	w := r.watcher(id)
	switch {
	case req.Op == zk.OpGetChildren2:
		w.child[req.Path] = true
	case req.Op != zk.OpAddWatch:
		w.data[req.Path] = true
	case zk.AddWatchMode(req.Arg) == zk.AddPersistent:
		w.persistent[req.Path] = true
	default:
		w.recursive[req.Path] = true
	}
}

func (r *watchRules) watcher(id request.ClientID) *watcher {
	w := r.conns[id]
	if w == nil {
		w = &watcher{data: map[string]bool{}, child: map[string]bool{}, persistent: map[string]bool{}, recursive: map[string]bool{}}
		r.conns[id] = w
	}
	return w
}

// again checks what a client is told when it sets its watches again after it was away: what it has missed, in the order of
// its lists, before the reply. What it has not missed is watched from then on.
func (r *watchRules) again(c *caller, id request.ClientID, lists *zk.Watches, z zk.Zxid) {
	w := r.watcher(id)
	var missed []zk.Event
	miss := func(what zk.EventType, path string) {
		missed = append(missed, zk.Event{Zxid: -1, Type: what, Path: path})
	}
	for _, path := range lists.Data {
		switch n := at(r.st.model.nodes[path], z); {
		case n == nil:
			miss(zk.NodeDeleted, path)
		case n.stat.Mzxid > lists.RelativeZxid:
			miss(zk.NodeDataChanged, path)
		default:
			w.data[path] = true
		}
	}
	for _, path := range lists.Exist {
		if at(r.st.model.nodes[path], z) != nil {
			miss(zk.NodeCreated, path)
		} else {
			w.data[path] = true
		}
	}
	for _, path := range lists.Child {
		switch n := at(r.st.model.nodes[path], z); {
		case n == nil:
			miss(zk.NodeDeleted, path)
		case n.stat.Pzxid > lists.RelativeZxid:
			miss(zk.NodeChildrenChanged, path)
		default:
			w.child[path] = true
		}
	}
	for _, path := range lists.Persistent {
		w.persistent[path] = true
	}
	for _, path := range lists.Recursive {
		w.recursive[path] = true
	}
	if !slices.Equal(c.caughtUp, missed) {
		r.st.fail("watch-before-reply: client %d is back at %v, having seen %v, and is told %v, expected %v", c.n, z, lists.RelativeZxid, c.caughtUp, missed)
	}
	c.caughtUp = nil
}

// settle checks after a step that nothing that has happened is still untold.
func (r *watchRules) settle(applied zk.Zxid) {
	r.advance(applied)
	for id, w := range r.conns {
		if len(w.due) > 0 && w.due[0].Zxid <= applied {
			r.st.fail("watch-before-reply: connection %d has not been told %+v", id, w.due)
			return
		}
	}
}

// told is an event on its way to a client.
func (s *server) told(id request.ClientID, e *zk.Event) {
	c := s.conns[id]
	if c == nil {
		s.w.fail("an event for connection %d, which does not exist", id)
		return
	}
	s.w.trace.add("client %d: event %v %s zxid=%v", c.n, e.Type, e.Path, e.Zxid)
	if e.Zxid == -1 {
		c.caughtUp = append(c.caughtUp, *e)
		return
	}
	c.seen = max(c.seen, e.Zxid)
	s.w.lost.shown(e.Zxid)
	s.w.watches.event(c.n, c.id, e)
}
