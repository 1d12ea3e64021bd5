package client

import (
	"maps"
	"slices"

	"paddock/internal/zk"
)

// registry is what a session watches, so that it can be watched again on another connection.
type registry struct {
	data, exist, child, persistent, recursive map[string]struct{}
}

func newRegistry() registry {
	set := func() map[string]struct{} { return map[string]struct{}{} }
	return registry{data: set(), exist: set(), child: set(), persistent: set(), recursive: set()}
}

// asked notes the watch that a request has set, given its reply.
func (g *registry) asked(req *zk.Request, r *zk.Reply) {
	var in map[string]struct{}
	switch {
	case req.Op == zk.OpExists && req.Watch && r.Err == zk.NoNode:
		in = g.exist
	case r.Err != zk.OK:
	case req.Op == zk.OpAddWatch && zk.AddWatchMode(req.Arg) == zk.AddPersistentRecursive:
		in = g.recursive
	case req.Op == zk.OpAddWatch:
		in = g.persistent
	case !req.Watch:
	case req.Op == zk.OpExists, req.Op == zk.OpGetData:
		in = g.data
	case req.Op == zk.OpGetChildren, req.Op == zk.OpGetChildren2:
		in = g.child
	}
	if in != nil {
		in[req.Path] = struct{}{}
	}
}

// fired forgets the one-shot watches that an event has used up.
func (g *registry) fired(e zk.Event) {
	switch e.Type {
	case zk.NodeCreated, zk.NodeDataChanged:
		delete(g.data, e.Path)
		delete(g.exist, e.Path)
	case zk.NodeChildrenChanged:
		delete(g.child, e.Path)
	case zk.NodeDeleted:
		delete(g.data, e.Path)
		delete(g.exist, e.Path)
		delete(g.child, e.Path)
	}
}

// remove forgets the watches of a path of one type, and returns the events that tell of it.
func (g *registry) remove(path string, t zk.WatcherType) (told []zk.EventType) {
	take := func(event zk.EventType, from ...map[string]struct{}) {
		found := false
		for _, m := range from {
			_, ok := m[path]
			found = found || ok
			delete(m, path)
		}
		if found {
			told = append(told, event)
		}
	}
	if t == zk.WatcherChildren || t == zk.WatcherAny {
		take(ChildWatchRemoved, g.child)
	}
	if t == zk.WatcherData || t == zk.WatcherAny {
		take(DataWatchRemoved, g.data, g.exist)
	}
	switch t {
	case zk.WatcherAny:
		take(PersistentWatchRemoved, g.persistent, g.recursive)
	case zk.WatcherPersistent:
		take(PersistentWatchRemoved, g.persistent)
	case zk.WatcherPersistentRecursive:
		take(PersistentWatchRemoved, g.recursive)
	}
	return told
}

// restoreBytesMax is about how long one setWatches request gets, as in ZooKeeper's clients.
const restoreBytesMax = 128 << 10

// restored are the requests that set everything again on a connection of a client that has seen all changes up to zxid.
func (g *registry) restored(zxid zk.Zxid) []zk.Request {
	var all []zk.Request
	var w *zk.Watches
	bytes := 0
	add := func(paths map[string]struct{}, list func(*zk.Watches) *[]string) {
		for _, p := range slices.Sorted(maps.Keys(paths)) {
			if w == nil || bytes > restoreBytesMax {
				// A list that is null instead of empty is refused by Java.
				w = &zk.Watches{RelativeZxid: zxid, Data: []string{}, Exist: []string{}, Child: []string{}, Persistent: []string{}, Recursive: []string{}}
				bytes = 0
				all = append(all, zk.Request{Xid: zk.XidSetWatches, Op: zk.OpSetWatches2, Watches: w})
			}
			l := list(w)
			*l = append(*l, p)
			bytes += len(p)
		}
	}
	add(g.data, func(w *zk.Watches) *[]string { return &w.Data })
	add(g.exist, func(w *zk.Watches) *[]string { return &w.Exist })
	add(g.child, func(w *zk.Watches) *[]string { return &w.Child })
	add(g.persistent, func(w *zk.Watches) *[]string { return &w.Persistent })
	add(g.recursive, func(w *zk.Watches) *[]string { return &w.Recursive })
	if len(g.persistent) == 0 && len(g.recursive) == 0 {
		for i := range all {
			all[i].Op = zk.OpSetWatches // all that servers before 3.6 know
		}
	}
	return all
}
