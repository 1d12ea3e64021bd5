package watch_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/watch"
)

func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }

func path(i int) string { return fmt.Sprintf("/app/config/service-%07d", i) }

// model is the rules of the two tables, written down without a thought for speed.
type model map[string]map[request.ClientID]watch.Kind

const (
	dataKinds  = watch.DataOneShot | watch.DataPersistent | watch.Recursive
	childKinds = watch.ChildOneShot | watch.ChildPersistent
)

func (m model) add(c request.ClientID, path string, kind watch.Kind) {
	if m[path] == nil {
		m[path] = map[request.ClientID]watch.Kind{}
	}
	m[path][c] |= kind
}

func (m model) take(c request.ClientID, path string, kind watch.Kind) {
	if _, ok := m[path][c]; !ok {
		return
	}
	if m[path][c] &^= kind; m[path][c] == 0 {
		delete(m[path], c)
	}
	if len(m[path]) == 0 {
		delete(m, path)
	}
}

// trigger is section 8.3 of the protocol, word by word.
func (m model) trigger(side watch.Side, path string, suppress map[request.ClientID]bool) map[request.ClientID]bool {
	here := map[watch.Side]watch.Kind{watch.Data: dataKinds, watch.Child: childKinds}[side]
	hear := map[request.ClientID]bool{}
	for c, k := range m[path] {
		if k&here != 0 {
			hear[c] = true
		}
	}
	for c := range hear {
		m.take(c, path, here&(watch.DataOneShot|watch.ChildOneShot))
	}
	for at := path; side == watch.Data && at != "/"; {
		at = at[:strings.LastIndex(at, "/")]
		if at == "" {
			at = "/"
		}
		for c, k := range m[at] {
			if k&watch.Recursive != 0 {
				hear[c] = true
			}
		}
	}
	for c := range suppress {
		delete(hear, c)
	}
	return hear
}

func (m model) fire(what zk.EventType, path string) []told {
	var out []told
	put := func(hear map[request.ClientID]bool, what zk.EventType, path string, parent bool) {
		var group []told
		for c := range hear {
			group = append(group, told{c, what, path, parent})
		}
		out = append(out, sorted(group)...)
	}
	heard := m.trigger(watch.Data, path, nil)
	put(heard, what, path, false)
	if what == zk.NodeDataChanged {
		return out
	}
	if what == zk.NodeDeleted {
		put(m.trigger(watch.Child, path, heard), what, path, false)
	}
	parent := path[:strings.LastIndex(path, "/")]
	if parent == "" {
		parent = "/"
	}
	put(m.trigger(watch.Child, parent, nil), zk.NodeChildrenChanged, parent, true)
	return out
}

func sorted(events []told) []told {
	slices.SortFunc(events, func(a, b told) int { return int(a.client) - int(b.client) })
	return events
}

// grouped sorts events by client within each run of the same type, since the order there is only fixed, not specified. In
// a deletion the watchers of data come before those of children; the model is sorted the same way for comparison.
func grouped(events []told) []told {
	for i := 0; i < len(events); {
		j := i
		for j < len(events) && events[j].typ == events[i].typ {
			j++
		}
		sorted(events[i:j])
		i = j
	}
	return events
}

func (m model) counts(side watch.Side) watch.Counts {
	kinds := map[watch.Side]watch.Kind{watch.Data: dataKinds, watch.Child: childKinds}[side]
	var n watch.Counts
	clients := map[request.ClientID]bool{}
	for _, at := range m {
		before := n.Watches
		for c, k := range at {
			if k&kinds != 0 {
				n.Watches++
				clients[c] = true
			}
		}
		if n.Watches > before {
			n.Paths++
		}
	}
	n.Connections = len(clients)
	return n
}

func (m model) byPath(side watch.Side) []watch.PathWatches {
	kinds := map[watch.Side]watch.Kind{watch.Data: dataKinds, watch.Child: childKinds}[side]
	list := []watch.PathWatches{}
	for path, at := range m {
		var clients []request.ClientID
		for c, k := range at {
			if k&kinds != 0 {
				clients = append(clients, c)
			}
		}
		if slices.Sort(clients); clients != nil {
			list = append(list, watch.PathWatches{Path: path, Clients: clients})
		}
	}
	slices.SortFunc(list, func(a, b watch.PathWatches) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// check and remove are section 8.4.
func (m model) check(c request.ClientID, path string, typ zk.WatcherType) bool {
	kinds := map[zk.WatcherType]watch.Kind{1: watch.ChildOneShot, 2: watch.DataOneShot, 3: dataKinds | childKinds,
		4: watch.DataPersistent, 5: watch.Recursive}[typ]
	return m[path][c]&kinds != 0
}

func (m model) remove(c request.ClientID, path string, typ zk.WatcherType) bool {
	if !m.check(c, path, typ) {
		return false
	}
	m.take(c, path, map[zk.WatcherType]watch.Kind{1: watch.ChildOneShot, 2: watch.DataOneShot, 3: dataKinds | childKinds,
		4: watch.Persistent, 5: watch.Recursive}[typ])
	return true
}

func (m model) drop(c request.ClientID) {
	for path := range m {
		m.take(c, path, dataKinds|childKinds)
	}
}

// world is a table, a second one that is told the same, and the model of both.
type world struct {
	t           *testing.T
	rng         *rand.Rand
	table, twin *watch.Table
	m           model
}

func TestTableAgreesWithTheModel(t *testing.T) {
	paths := []string{"/", "/a", "/a/b", "/a/b/c", "/a/bc", "/ab", "/d", "/a/b/c/d/e"}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		clients := 1 + rng.IntN(60) // enough for paths with an index, and for those without
		w := world{t: t, rng: rng, table: watch.New(), twin: watch.New(), m: model{}}
		for step := range 600 {
			c, path := request.ClientID(1+rng.IntN(clients)), paths[rng.IntN(len(paths))]
			what := fmt.Sprintf("seed %d step %d client %d path %s", seed, step, c, path)
			w.step(what, c, path)
			for _, side := range []watch.Side{watch.Data, watch.Child} {
				if got, want := w.table.Counts(side), w.m.counts(side); got != want {
					t.Fatalf("%s: counts of %d are %+v, want %+v", what, side, got, want)
				}
			}
			if typ := zk.WatcherType(rng.IntN(7)); w.table.Check(c, path, typ) != w.m.check(c, path, typ) {
				t.Fatalf("%s: Check(%d) = %v", what, typ, w.table.Check(c, path, typ))
			}
		}
		for _, side := range []watch.Side{watch.Data, watch.Child} {
			if got, want := w.table.ByPath(side), w.m.byPath(side); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: listing of %d\n%v, want\n%v", seed, side, got, want)
			}
		}
	}
}

// step does one random thing to tables and model.
func (w *world) step(what string, c request.ClientID, path string) {
	kinds := []watch.Kind{watch.DataOneShot, watch.DataOneShot, watch.ChildOneShot, watch.Persistent, watch.Recursive}
	switch op := w.rng.IntN(40); {
	case op < 26:
		kind := kinds[w.rng.IntN(len(kinds))]
		w.table.Add(c, path, kind)
		w.twin.Add(c, path, kind)
		w.m.add(c, path, kind)
	case op < 30:
		typ := zk.WatcherType(w.rng.IntN(7))
		want := w.m.remove(c, path, typ)
		w.twin.Remove(c, path, typ)
		if got := w.table.Remove(c, path, typ); got != want {
			w.t.Fatalf("%s: Remove(%d) = %v, want %v", what, typ, got, want)
		}
	case op < 32:
		w.table.Drop(c, 1<<30)
		w.twin.Drop(c, 1<<30)
		w.m.drop(c)
	case op < 34:
		w.trigger(what, c, path)
	default:
		w.fire(what, path)
	}
}

// trigger collects at a path without c, and compares.
func (w *world) trigger(what string, c request.ClientID, path string) {
	side, suppress := watch.Side(w.rng.IntN(2)), []request.ClientID{c}
	got := w.table.Trigger(nil, side, path, suppress)
	if other := w.twin.Trigger(nil, side, path, suppress); !slices.Equal(got, other) {
		w.t.Fatalf("%s: Trigger gave %v and %v", what, got, other)
	}
	want := w.m.trigger(side, path, map[request.ClientID]bool{c: true})
	for _, id := range got {
		if !want[id] {
			w.t.Fatalf("%s: %d was told of it, or told twice", what, id)
		}
		delete(want, id)
	}
	if len(want) != 0 {
		w.t.Fatalf("%s: %v were not told", what, want)
	}
}

// fire makes something happen to a path, and compares.
func (w *world) fire(what, path string) {
	events := []zk.EventType{zk.NodeCreated, zk.NodeDeleted, zk.NodeDataChanged}
	typ := events[w.rng.IntN(len(events))]
	if path == "/" {
		typ = zk.NodeDataChanged
	}
	got := fire(w.table, typ, path)
	if other := fire(w.twin, typ, path); !reflect.DeepEqual(got, other) {
		w.t.Fatalf("%s: %v gave %v and %v", what, typ, got, other)
	}
	if want := grouped(w.m.fire(typ, path)); !reflect.DeepEqual(grouped(got), want) {
		w.t.Fatalf("%s: %v told\n%v, want\n%v", what, typ, got, want)
	}
}
