package replica_test

import (
	"testing"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/request"
)

// watching is a client whose next news are those of its watches.
func (w *world) watching(reqs ...zk.Request) request.ClientID {
	w.t.Helper()
	c := w.connect()
	for _, req := range reqs {
		w.send(c, req)
	}
	w.told[c] = nil
	return c
}

func addWatch(path string, mode zk.AddWatchMode) zk.Request {
	return zk.Request{Xid: 1, Op: zk.OpAddWatch, Path: path, Arg: int32(mode)}
}

// story are writes of one client, and what another is told of them.
type story struct {
	given   []zk.Request
	watches []zk.Request
	writes  []zk.Request
	want    []string
}

func create(path string) zk.Request { return zk.Request{Op: zk.OpCreate, Path: path} }
func remove(path string) zk.Request { return zk.Request{Op: zk.OpDelete, Path: path, Version: -1} }
func set(path string) zk.Request    { return zk.Request{Op: zk.OpSetData, Path: path, Version: -1} }

func read(op zk.OpCode, path string) zk.Request { return zk.Request{Op: op, Path: path, Watch: true} }

func TestWatches(t *testing.T) {
	for name, s := range map[string]story{
		"exists on a missing znode tells its creation once":   {watches: []zk.Request{read(zk.OpExists, "/a")}, writes: []zk.Request{create("/a"), set("/a")}, want: []string{"NodeCreated /a"}},
		"exists tells a change once":                          {given: []zk.Request{create("/a")}, watches: []zk.Request{read(zk.OpExists, "/a")}, writes: []zk.Request{set("/a"), set("/a"), remove("/a")}, want: []string{"NodeDataChanged /a"}},
		"getData tells a change, not children":                {given: []zk.Request{create("/a")}, watches: []zk.Request{read(zk.OpGetData, "/a")}, writes: []zk.Request{create("/a/b"), set("/a")}, want: []string{"NodeDataChanged /a"}},
		"getData on a missing znode watches nothing":          {watches: []zk.Request{read(zk.OpGetData, "/a")}, writes: []zk.Request{create("/a"), set("/a")}},
		"getChildren tells children, not data":                {given: []zk.Request{create("/a")}, watches: []zk.Request{read(zk.OpGetChildren, "/a")}, writes: []zk.Request{set("/a"), create("/a/b"), create("/a/c")}, want: []string{"NodeChildrenChanged /a"}},
		"getChildren2 tells the end":                          {given: []zk.Request{create("/a")}, watches: []zk.Request{read(zk.OpGetChildren2, "/a")}, writes: []zk.Request{remove("/a")}, want: []string{"NodeDeleted /a"}},
		"a deletion is told once to who watches both ways":    {given: []zk.Request{create("/a")}, watches: []zk.Request{read(zk.OpGetChildren, "/a"), read(zk.OpGetData, "/a")}, writes: []zk.Request{remove("/a")}, want: []string{"NodeDeleted /a"}},
		"reads in a multiRead watch nothing":                  {given: []zk.Request{create("/a")}, watches: []zk.Request{{Op: zk.OpMultiRead, Ops: []zk.Request{read(zk.OpGetData, "/a"), read(zk.OpGetChildren, "/a")}}}, writes: []zk.Request{set("/a"), remove("/a")}},
		"setACL and failures tell nothing":                    {given: []zk.Request{create("/a")}, watches: []zk.Request{addWatch("/", zk.AddPersistentRecursive)}, writes: []zk.Request{{Op: zk.OpSetACL, Path: "/a", ACL: zk.OpenACL, Version: -1}, create("/a"), remove("/no")}},
		"a persistent watch stays":                            {watches: []zk.Request{addWatch("/a", zk.AddPersistent)}, writes: []zk.Request{create("/a"), set("/a"), create("/a/b"), set("/a/b"), remove("/a/b"), remove("/a"), create("/a")}, want: []string{"NodeCreated /a", "NodeDataChanged /a", "NodeChildrenChanged /a", "NodeChildrenChanged /a", "NodeDeleted /a", "NodeCreated /a"}},
		"a recursive watch stays and tells of no children":    {watches: []zk.Request{addWatch("/a", zk.AddPersistentRecursive)}, writes: []zk.Request{create("/a"), create("/a/b"), set("/a/b"), create("/b"), remove("/a/b"), remove("/a")}, want: []string{"NodeCreated /a", "NodeCreated /a/b", "NodeDataChanged /a/b", "NodeDeleted /a/b", "NodeDeleted /a"}},
		"two watches that match tell one event":               {watches: []zk.Request{addWatch("/", zk.AddPersistentRecursive), addWatch("/a", zk.AddPersistentRecursive), read(zk.OpExists, "/a")}, writes: []zk.Request{create("/a")}, want: []string{"NodeCreated /a"}},
		"a watch on /a is none on /ab":                        {watches: []zk.Request{addWatch("/a", zk.AddPersistentRecursive)}, writes: []zk.Request{create("/ab")}},
		"both modes on one path":                              {given: []zk.Request{create("/a")}, watches: []zk.Request{addWatch("/a", zk.AddPersistentRecursive), addWatch("/a", zk.AddPersistent)}, writes: []zk.Request{create("/a/b")}, want: []string{"NodeCreated /a/b", "NodeChildrenChanged /a"}},
		"the root's children":                                 {watches: []zk.Request{read(zk.OpGetChildren, "/")}, writes: []zk.Request{create("/a")}, want: []string{"NodeChildrenChanged /"}},
		"the root's data":                                     {watches: []zk.Request{read(zk.OpGetData, "/")}, writes: []zk.Request{set("/")}, want: []string{"NodeDataChanged /"}},
		"an unknown mode is no watch":                         {watches: []zk.Request{addWatch("/a", 2)}, writes: []zk.Request{create("/a")}},
		"what its list hides is not told, and the watch ends": {given: []zk.Request{create("/p")}, watches: []zk.Request{read(zk.OpExists, "/p/a")}, writes: []zk.Request{{Op: zk.OpCreate, Path: "/p/a", ACL: []zk.ACL{{Perms: 30, ID: zk.AnyoneID}}}, {Op: zk.OpSetACL, Path: "/p/a", ACL: zk.OpenACL, Version: -1}, set("/p/a")}},
		"children are told by the list of the parent":         {watches: []zk.Request{read(zk.OpGetChildren, "/")}, writes: []zk.Request{{Op: zk.OpCreate, Path: "/a", ACL: []zk.ACL{{Perms: 30, ID: zk.AnyoneID}}}}, want: []string{"NodeChildrenChanged /"}},
		"a deleted znode is told by the list it had":          {given: []zk.Request{{Op: zk.OpCreate, Path: "/a", ACL: zk.OpenACL}}, watches: []zk.Request{read(zk.OpGetData, "/a")}, writes: []zk.Request{{Op: zk.OpSetACL, Path: "/a", ACL: []zk.ACL{{Perms: 30, ID: zk.AnyoneID}}, Version: -1}, remove("/a")}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			writer := w.connect()
			for _, req := range s.given {
				w.send(writer, req)
			}
			c := w.watching(s.watches...)
			for _, req := range s.writes {
				w.send(writer, req)
			}
			w.expect(c, s.want...)
		})
	}
}

func TestSetWatchesCatchesUp(t *testing.T) {
	w := newWorld(t)
	writer := w.connect()
	for _, path := range []string{"/same", "/changed", "/parent", "/gone", "/hidden"} {
		w.send(writer, create(path))
	}
	seen := w.send(writer, zk.Request{Xid: 1, Op: zk.OpPing}).Zxid
	for _, req := range []zk.Request{set("/changed"), create("/parent/new"), remove("/gone"), create("/made"), set("/hidden"),
		{Op: zk.OpSetACL, Path: "/hidden", ACL: []zk.ACL{{Perms: 30, ID: zk.AnyoneID}}, Version: -1}} {
		w.send(writer, req)
	}
	all := []string{"/same", "/changed", "/parent", "/gone", "/made", "/hidden"}
	for name, s := range map[string]struct {
		op      zk.OpCode
		watches zk.Watches
		now     []string // told at once
		later   []string // told after every znode has changed again
	}{
		"data": {zk.OpSetWatches, zk.Watches{Data: all, Exist: []string{}, Child: []string{}},
			[]string{"NodeDataChanged /changed", "NodeDeleted /gone", "NodeDataChanged /made", "NodeDataChanged /hidden"},
			[]string{"NodeDataChanged /same", "NodeDataChanged /parent"}},
		"exist": {zk.OpSetWatches, zk.Watches{Data: []string{}, Exist: all, Child: []string{}},
			[]string{"NodeCreated /same", "NodeCreated /changed", "NodeCreated /parent", "NodeCreated /made", "NodeCreated /hidden"},
			[]string{"NodeCreated /gone"}},
		"children": {zk.OpSetWatches, zk.Watches{Data: []string{}, Exist: []string{}, Child: all},
			[]string{"NodeChildrenChanged /parent", "NodeDeleted /gone", "NodeChildrenChanged /made"},
			[]string{"NodeChildrenChanged /same", "NodeChildrenChanged /changed"}}, // /hidden has become unreadable
		"persistent ones are only set": {zk.OpSetWatches2, zk.Watches{Data: []string{}, Exist: []string{}, Child: []string{}, Persistent: []string{"/changed", "/gone"}, Recursive: []string{"/parent"}},
			nil, []string{"NodeDataChanged /changed", "NodeChildrenChanged /changed", "NodeDataChanged /parent", "NodeCreated /parent/x", "NodeCreated /gone", "NodeDataChanged /gone", "NodeChildrenChanged /gone"}},
		"persistent ones are not of the older request": {zk.OpSetWatches, zk.Watches{Data: []string{}, Exist: []string{}, Child: []string{}, Persistent: all, Recursive: all}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s.watches.RelativeZxid = seen
			c := w.watching()
			w.send(c, zk.Request{Xid: -8, Op: s.op, Watches: &s.watches})
			w.expect(c, append(s.now[:len(s.now):len(s.now)], "-8 OK")...)
			for _, path := range []string{"/same", "/changed", "/parent", "/hidden"} {
				w.send(writer, set(path))
				w.send(writer, create(path+"/x"))
				w.send(writer, remove(path+"/x"))
			}
			for _, req := range []zk.Request{create("/gone"), set("/gone"), create("/gone/x"), remove("/gone/x"), remove("/gone")} {
				w.send(writer, req)
			}
			if name == "persistent ones are only set" { // each creation is followed by its deletion
				s.later = []string{"NodeDataChanged /changed", "NodeChildrenChanged /changed", "NodeChildrenChanged /changed",
					"NodeDataChanged /parent", "NodeCreated /parent/x", "NodeDeleted /parent/x",
					"NodeCreated /gone", "NodeDataChanged /gone", "NodeChildrenChanged /gone", "NodeChildrenChanged /gone", "NodeDeleted /gone"}
			}
			w.expect(c, s.later...)
			w.gone(c)
			seen = w.send(writer, zk.Request{Xid: 1, Op: zk.OpPing}).Zxid // the next row starts from here
			for _, req := range []zk.Request{set("/changed"), create("/parent/new2"), remove("/parent/new2"), set("/made"), create("/made/x"), remove("/made/x"), set("/hidden")} {
				w.send(writer, req)
			}
		})
	}
}

// The rows above share a world, so that a later row also shows that an earlier connection's watches are gone; the catch-up
// itself is the same from any zxid.
func TestSetWatchesStopsAtANull(t *testing.T) {
	w := newWorld(t)
	writer := w.connect()
	for name, s := range map[string]struct {
		watches zk.Watches
		op      zk.OpCode
		want    []string
	}{
		"a null path":           {zk.Watches{Data: []string{"/no", jute.Null(), "/no2"}, Exist: []string{"/"}, Child: []string{}}, zk.OpSetWatches, []string{"NodeDeleted /no", "-8 MarshallingError"}},
		"a null list":           {zk.Watches{Data: []string{"/no"}, Child: []string{"/no"}}, zk.OpSetWatches, []string{"NodeDeleted /no", "-8 MarshallingError"}},
		"no persistent list":    {zk.Watches{Data: []string{}, Exist: []string{}, Child: []string{"/no"}}, zk.OpSetWatches2, []string{"NodeDeleted /no", "-8 MarshallingError"}},
		"everything empty":      {zk.Watches{Data: []string{}, Exist: []string{}, Child: []string{}, Persistent: []string{}, Recursive: []string{}}, zk.OpSetWatches2, []string{"-8 OK"}},
		"nobody looks at paths": {zk.Watches{Data: []string{"no path"}, Exist: []string{"//"}, Child: []string{""}}, zk.OpSetWatches, []string{"NodeDeleted no path", "-8 OK"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.watching()
			s.watches.RelativeZxid = w.send(writer, zk.Request{Xid: 1, Op: zk.OpPing}).Zxid
			w.send(c, zk.Request{Xid: -8, Op: s.op, Watches: &s.watches})
			w.expect(c, s.want...)
		})
	}
}

func TestRemoveAndCheckWatches(t *testing.T) {
	const (
		children, data, anyKind = int32(zk.WatcherChildren), int32(zk.WatcherData), int32(zk.WatcherAny)
		persistent, recursive   = int32(zk.WatcherPersistent), int32(zk.WatcherPersistentRecursive)
	)
	for name, s := range map[string]struct {
		watches []zk.Request
		kind    int32
		path    string
		want    string
		after   []string // what a set, a new child and a deletion still tell once it is removed
	}{
		"data":                              {[]zk.Request{read(zk.OpGetData, "/a"), read(zk.OpGetChildren, "/a")}, data, "/a", "OK", []string{"NodeChildrenChanged /a"}},
		"children":                          {[]zk.Request{read(zk.OpGetData, "/a"), read(zk.OpGetChildren, "/a")}, children, "/a", "OK", []string{"NodeDataChanged /a"}},
		"any":                               {[]zk.Request{read(zk.OpGetData, "/a"), read(zk.OpGetChildren, "/a"), addWatch("/a", zk.AddPersistent), addWatch("/a", zk.AddPersistentRecursive)}, anyKind, "/a", "OK", nil},
		"persistent":                        {[]zk.Request{addWatch("/a", zk.AddPersistent), read(zk.OpGetData, "/a")}, persistent, "/a", "OK", []string{"NodeDataChanged /a"}},
		"recursive":                         {[]zk.Request{addWatch("/a", zk.AddPersistentRecursive), read(zk.OpGetChildren, "/a")}, recursive, "/a", "OK", []string{"NodeChildrenChanged /a"}},
		"a persistent one is no data watch": {[]zk.Request{addWatch("/a", zk.AddPersistent)}, data, "/a", "NoWatcher", []string{"NodeDataChanged /a", "NodeChildrenChanged /a", "NodeDeleted /a"}},
		"a data watch is not recursive":     {[]zk.Request{read(zk.OpGetData, "/a")}, recursive, "/a", "NoWatcher", []string{"NodeDataChanged /a"}},
		"none":                              {nil, anyKind, "/a", "NoWatcher", nil},
		"another path":                      {[]zk.Request{addWatch("/a", zk.AddPersistentRecursive)}, anyKind, "/a/b", "NoWatcher", []string{"NodeDataChanged /a", "NodeCreated /a/b", "NodeDeleted /a/b", "NodeDeleted /a"}},
		"no such type":                      {[]zk.Request{read(zk.OpGetData, "/a")}, 6, "/a", "MarshallingError", []string{"NodeDataChanged /a"}},
		"type 0":                            {[]zk.Request{read(zk.OpGetData, "/a")}, 0, "/a", "MarshallingError", []string{"NodeDataChanged /a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			writer := w.connect()
			w.send(writer, create("/a"))
			c, other := w.watching(s.watches...), w.watching(s.watches...)
			w.send(c, zk.Request{Xid: 4, Op: zk.OpCheckWatches, Path: s.path, Arg: s.kind})
			w.expect(c, "4 "+s.want) // and changes nothing, or the removal would find nothing
			w.send(c, zk.Request{Xid: 5, Op: zk.OpRemoveWatches, Path: s.path, Arg: s.kind})
			w.expect(c, "5 "+s.want)
			if s.want == "OK" {
				w.send(c, zk.Request{Xid: 6, Op: zk.OpRemoveWatches, Path: s.path, Arg: s.kind})
				w.expect(c, "6 NoWatcher")
			}
			for _, req := range []zk.Request{set("/a"), create("/a/b"), remove("/a/b"), remove("/a")} {
				w.send(writer, req)
			}
			if name == "a persistent one is no data watch" {
				s.after = []string{"NodeDataChanged /a", "NodeChildrenChanged /a", "NodeChildrenChanged /a", "NodeDeleted /a"}
			}
			w.expect(c, s.after...)
			if len(s.watches) > 0 && len(w.told[other]) == 0 {
				t.Error("the watches of another connection are gone as well")
			}
		})
	}
}
