package watch_test

import (
	"reflect"
	"slices"
	"testing"

	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/watch"
)

const ann, bob, cat request.ClientID = 1, 2, 3

// told is an event as tests write it.
type told struct {
	client request.ClientID
	typ    zk.EventType
	path   string
	parent bool
}

func fire(t *watch.Table, what zk.EventType, path string) []told {
	var got []told
	for _, f := range t.Fire(nil, what, path) {
		got = append(got, told{f.Client, f.Type, f.Path, f.OfParent})
	}
	return got
}

func TestFire(t *testing.T) {
	type add struct {
		client request.ClientID
		path   string
		kind   watch.Kind
	}
	for _, c := range []struct {
		name string
		adds []add
		what zk.EventType
		path string
		want []told
		then []told // when the same happens again
	}{
		{"a data watch hears of a change, once",
			[]add{{ann, "/a", watch.DataOneShot}}, zk.NodeDataChanged, "/a",
			[]told{{ann, zk.NodeDataChanged, "/a", false}}, nil},
		{"a data watch on a missing znode hears of its creation",
			[]add{{ann, "/a", watch.DataOneShot}}, zk.NodeCreated, "/a",
			[]told{{ann, zk.NodeCreated, "/a", false}}, nil},
		{"a child watch does not hear of data",
			[]add{{ann, "/a", watch.ChildOneShot}}, zk.NodeDataChanged, "/a", nil, nil},
		{"a child watch hears of a new child, by the parent's list",
			[]add{{ann, "/a", watch.ChildOneShot}}, zk.NodeCreated, "/a/b",
			[]told{{ann, zk.NodeChildrenChanged, "/a", true}}, nil},
		{"the root has children as well",
			[]add{{ann, "/", watch.ChildOneShot}}, zk.NodeDeleted, "/a",
			[]told{{ann, zk.NodeChildrenChanged, "/", true}}, nil},
		{"a child watch hears of the end of the znode, by its own list",
			[]add{{ann, "/a", watch.ChildOneShot}}, zk.NodeDeleted, "/a",
			[]told{{ann, zk.NodeDeleted, "/a", false}}, nil},
		{"data and child watch together hear of the end once, and both are used up",
			[]add{{ann, "/a", watch.DataOneShot | watch.ChildOneShot}, {bob, "/a", watch.ChildOneShot}}, zk.NodeDeleted, "/a",
			[]told{{ann, zk.NodeDeleted, "/a", false}, {bob, zk.NodeDeleted, "/a", false}}, nil},
		{"the parent's watchers hear of the end although they heard of the child's",
			[]add{{ann, "/a/b", watch.DataOneShot}, {ann, "/a", watch.ChildOneShot}}, zk.NodeDeleted, "/a/b",
			[]told{{ann, zk.NodeDeleted, "/a/b", false}, {ann, zk.NodeChildrenChanged, "/a", true}}, nil},
		{"a persistent watch stays",
			[]add{{ann, "/a", watch.Persistent}}, zk.NodeDeleted, "/a",
			[]told{{ann, zk.NodeDeleted, "/a", false}}, []told{{ann, zk.NodeDeleted, "/a", false}}},
		{"a persistent watch hears of children",
			[]add{{ann, "/a", watch.Persistent}}, zk.NodeCreated, "/a/b",
			[]told{{ann, zk.NodeChildrenChanged, "/a", true}}, []told{{ann, zk.NodeChildrenChanged, "/a", true}}},
		{"a persistent watch does not hear of a child's data",
			[]add{{ann, "/a", watch.Persistent}}, zk.NodeDataChanged, "/a/b", nil, nil},
		{"a recursive watch hears of what is below, and never of children changed",
			[]add{{ann, "/a", watch.Recursive}}, zk.NodeCreated, "/a/b/c",
			[]told{{ann, zk.NodeCreated, "/a/b/c", false}}, []told{{ann, zk.NodeCreated, "/a/b/c", false}}},
		{"a recursive watch hears of its own znode",
			[]add{{ann, "/a", watch.Recursive}}, zk.NodeDataChanged, "/a",
			[]told{{ann, zk.NodeDataChanged, "/a", false}}, []told{{ann, zk.NodeDataChanged, "/a", false}}},
		{"a recursive watch does not hear of a sibling with a longer name",
			[]add{{ann, "/a", watch.Recursive}}, zk.NodeDataChanged, "/ab", nil, nil},
		{"a recursive watch on the root hears of everything",
			[]add{{ann, "/", watch.Recursive}}, zk.NodeDataChanged, "/a/b",
			[]told{{ann, zk.NodeDataChanged, "/a/b", false}}, []told{{ann, zk.NodeDataChanged, "/a/b", false}}},
		{"a recursive watch on the root hears of the root once",
			[]add{{ann, "/", watch.Recursive}}, zk.NodeDataChanged, "/",
			[]told{{ann, zk.NodeDataChanged, "/", false}}, []told{{ann, zk.NodeDataChanged, "/", false}}},
		{"many matching watches of one connection are one event",
			[]add{{ann, "/", watch.Recursive}, {ann, "/a", watch.Recursive}, {ann, "/a/b", watch.Persistent | watch.DataOneShot}},
			zk.NodeDataChanged, "/a/b",
			[]told{{ann, zk.NodeDataChanged, "/a/b", false}}, []told{{ann, zk.NodeDataChanged, "/a/b", false}}},
		{"the path itself comes before ancestors, near ones before far ones",
			[]add{{ann, "/", watch.Recursive}, {bob, "/a", watch.Recursive}, {cat, "/a/b", watch.DataOneShot}},
			zk.NodeDataChanged, "/a/b",
			[]told{{cat, zk.NodeDataChanged, "/a/b", false}, {bob, zk.NodeDataChanged, "/a/b", false}, {ann, zk.NodeDataChanged, "/a/b", false}},
			[]told{{bob, zk.NodeDataChanged, "/a/b", false}, {ann, zk.NodeDataChanged, "/a/b", false}}},
		{"a watch on no path at all hears of nothing",
			[]add{{ann, "", watch.Recursive}, {ann, "a", watch.Recursive}, {ann, "/a/", watch.Recursive}}, zk.NodeDataChanged, "/a/b", nil, nil},
		{"children changed is not something that happens to a path",
			[]add{{ann, "/a", watch.Persistent}}, zk.NodeChildrenChanged, "/a", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := watch.New()
			for _, a := range c.adds {
				table.Add(a.client, a.path, a.kind)
			}
			if got := fire(table, c.what, c.path); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if got := fire(table, c.what, c.path); !reflect.DeepEqual(got, c.then) {
				t.Errorf("again: got %v, want %v", got, c.then)
			}
		})
	}
}

func TestTriggerUsesUpTheSuppressed(t *testing.T) {
	table := watch.New()
	for _, c := range []request.ClientID{ann, bob, cat} {
		table.Add(c, "/a", watch.ChildOneShot)
	}
	got := table.Trigger([]request.ClientID{99}, watch.Child, "/a", []request.ClientID{bob, 77})
	if !slices.Equal(got, []request.ClientID{99, ann, cat}) {
		t.Errorf("told %v", got)
	}
	if got := table.Trigger(nil, watch.Child, "/a", nil); len(got) != 0 {
		t.Errorf("told %v afterwards", got)
	}
}

func TestCheckAndRemoveByType(t *testing.T) {
	const every = watch.DataOneShot | watch.ChildOneShot | watch.Persistent | watch.Recursive
	for _, c := range []struct {
		name string
		have watch.Kind
		typ  zk.WatcherType
		ok   bool
		left []zk.WatcherType // what Check still finds
	}{
		{"children", every, zk.WatcherChildren, true, []zk.WatcherType{2, 3, 4, 5}},
		{"data", every, zk.WatcherData, true, []zk.WatcherType{1, 3, 4, 5}},
		{"any takes everything", every, zk.WatcherAny, true, nil},
		{"persistent", every, zk.WatcherPersistent, true, []zk.WatcherType{1, 2, 3, 5}},
		{"recursive", every, zk.WatcherPersistentRecursive, true, []zk.WatcherType{1, 2, 3, 4}},
		{"children when there is only data", watch.DataOneShot, zk.WatcherChildren, false, []zk.WatcherType{2, 3}},
		{"data when there is only persistent", watch.Persistent, zk.WatcherData, false, []zk.WatcherType{3, 4}},
		{"any when there is only a child watch", watch.ChildOneShot, zk.WatcherAny, true, nil},
		{"a type that does not exist", every, 6, false, []zk.WatcherType{1, 2, 3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := watch.New()
			table.Add(ann, "/a", c.have)
			table.Add(bob, "/a", every)
			table.Add(ann, "/b", every)
			if table.Check(ann, "/a", c.typ) != c.ok || table.Remove(ann, "/a", c.typ) != c.ok {
				t.Errorf("want %v", c.ok)
			}
			var left []zk.WatcherType
			for typ := zk.WatcherType(0); typ < 8; typ++ {
				if table.Check(ann, "/a", typ) {
					left = append(left, typ)
				}
				if in := typ >= 1 && typ <= 5; table.Check(bob, "/a", typ) != in || table.Check(ann, "/b", typ) != in {
					t.Errorf("type %d: another's watches changed", typ)
				}
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("left %v, want %v", left, c.left)
			}
		})
	}
}

func TestCountsAndLists(t *testing.T) {
	table := watch.New()
	table.Add(bob, "/b", watch.DataOneShot|watch.Recursive)
	table.Add(ann, "/b", watch.Persistent)
	table.Add(ann, "/a", watch.ChildOneShot)
	table.Add(ann, "/a", 0)
	if got, want := table.Counts(watch.Data), (watch.Counts{Paths: 1, Connections: 2, Watches: 2}); got != want {
		t.Errorf("data %+v, want %+v", got, want)
	}
	if got, want := table.Counts(watch.Child), (watch.Counts{Paths: 2, Connections: 1, Watches: 2}); got != want {
		t.Errorf("child %+v, want %+v", got, want)
	}
	if got, want := table.ByPath(watch.Data), []watch.PathWatches{{Path: "/b", Clients: []request.ClientID{ann, bob}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("by path %v, want %v", got, want)
	}
	if got, want := table.ByClient(watch.Child), []watch.ClientWatches{{Client: ann, Paths: []string{"/a", "/b"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("by client %v, want %v", got, want)
	}
	table.Drop(ann, 1<<30)
	table.Drop(bob, 1<<30)
	table.Drop(cat, 1<<30)
	if table.Counts(watch.Data) != (watch.Counts{}) || table.Counts(watch.Child) != (watch.Counts{}) || len(table.ByPath(watch.Data)) != 0 {
		t.Errorf("after everybody left: %+v %+v", table.Counts(watch.Data), table.Counts(watch.Child))
	}
}

func TestAddCopiesThePath(t *testing.T) {
	table := watch.New()
	buf := []byte("/a")
	table.Add(ann, unsafeString(buf), watch.DataOneShot)
	buf[1] = 'b'
	if !table.Check(ann, "/a", zk.WatcherData) {
		t.Error("the path changed with the caller's buffer")
	}
}

func TestAnEmptiedTableGivesItsMemoryBack(t *testing.T) {
	table := watch.New()
	fill := func() {
		for i := range 100000 {
			table.Add(request.ClientID(i%100+1), path(i), watch.DataOneShot)
		}
	}
	fill()
	full := table.Bytes()
	for c := range request.ClientID(101) {
		table.Drop(c, 1<<30)
	}
	if empty := table.Bytes(); empty > full/100 {
		t.Errorf("%d bytes when full, %d when empty", full, empty)
	}
	fill()
	if again := table.Bytes(); again != full {
		t.Errorf("%d bytes when full, %d when full again", full, again)
	}
}

func TestFiringWhereNobodyWatchesDoesNotAllocate(t *testing.T) {
	table := watch.New()
	table.Add(ann, "/x", watch.DataOneShot)
	table.Add(ann, "/deep/er", watch.Recursive)
	var dst []watch.Firing
	if n := testing.AllocsPerRun(100, func() { dst = table.Fire(dst[:0], zk.NodeCreated, "/other/path") }); n != 0 || len(dst) != 0 {
		t.Errorf("%v allocations, %d events", n, len(dst))
	}
}

func TestACrowdThinsOutAndIsToldInTheOrderItCame(t *testing.T) {
	const crowd = 10000
	table := watch.New()
	for c := range request.ClientID(crowd) {
		table.Add(c+1, "/hot", watch.DataOneShot|watch.ChildOneShot)
	}
	var want []request.ClientID
	for c := range request.ClientID(crowd) {
		if c%3 == 0 {
			want = append(want, c+1)
		} else {
			table.Drop(c+1, 1<<30)
		}
	}
	for c := range request.ClientID(crowd) {
		if got := table.Check(c+1, "/hot", zk.WatcherData); got != (c%3 == 0) {
			t.Fatalf("client %d is watching: %v", c+1, got)
		}
	}
	if got := table.Trigger(nil, watch.Data, "/hot", nil); !slices.Equal(got, want) {
		t.Errorf("told %d, want %d in the order they came", len(got), len(want))
	}
	if got := table.Trigger(nil, watch.Child, "/hot", want[:100]); !slices.Equal(got, want[100:]) {
		t.Errorf("told %d, want %d in the order they came", len(got), len(want)-100)
	}
	if table.Counts(watch.Data).Watches+table.Counts(watch.Child).Watches != 0 {
		t.Error("watches are left")
	}
}
