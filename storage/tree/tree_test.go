package tree

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestANewTreeIsThatOfANewServer(t *testing.T) {
	tr := New(1)
	if tr.Digest() != 0x51c6d660 || tr.Znodes() != 4 || tr.Zxid() != 0 || tr.ApproximateDataSize() != 44 || tr.SessionCount() != 0 {
		t.Fatalf("digest %#x, %d znodes, zxid %v, size %d", tr.Digest(), tr.Znodes(), tr.Zxid(), tr.ApproximateDataSize())
	}
	for path, want := range map[string]struct {
		acl      []zk.ACL
		cversion int32
		aversion int32
		children int32
	}{
		"/": {zk.OpenACL, -1, 0, 1}, "/zookeeper": {zk.OpenACL, -2, 0, 2}, "/zookeeper/quota": {zk.OpenACL, 0, 0, 0},
		"/zookeeper/config": {zk.ReadOnlyACL, 0, -1, 0},
	} {
		r, ok := tr.Find(path)
		if !ok || tr.Data(r) == nil || len(tr.Data(r)) != 0 || !reflect.DeepEqual(tr.ACL(r), want.acl) {
			t.Errorf("%s: %v %v %v", path, ok, tr.Data(r), tr.ACL(r))
		}
		if got := tr.Stat(r); got != (zk.Stat{Cversion: want.cversion, Aversion: want.aversion, NumChildren: want.children}) {
			t.Errorf("%s: %+v", path, got)
		}
	}
	checkTree(t, tr)
}

func TestTheDigestAfterOneCreate(t *testing.T) {
	tr := New(1)
	tr.Apply(&txn.Header{Zxid: 2, TimeMS: 1700000000000, Type: zk.OpCreate},
		&txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("hello"), ACL: zk.OpenACL, ParentCversion: 1}, nil)
	if got := tr.Digest(); got != 0xf5db6395 {
		t.Fatalf("digest %#x", got)
	}
}

func TestTheSeedChangesNothingThatCanBeSeen(t *testing.T) {
	build := func(seed uint64) *Tree {
		g := &history{Rand: newRand(5)}
		tr := New(seed)
		for range 500 {
			h, b := g.next()
			tr.Apply(&h, &b, nil)
		}
		return tr
	}
	a, b := build(1), build(1<<63)
	if a.Digest() != b.Digest() || a.Znodes() != b.Znodes() || !reflect.DeepEqual(a.EphemeralsBySession(), b.EphemeralsBySession()) {
		t.Fatal("two seeds, two trees")
	}
	for r := rootRef; r != None; r = a.after(r, rootRef) {
		other, ok := b.Find(a.Path(r))
		if !ok || a.Stat(r) != b.Stat(other) || other != r {
			t.Fatalf("%s", a.Path(r))
		}
	}
}

func TestStatIsWhatClientsAreTold(t *testing.T) {
	tr := New(1)
	as(tr, 9, 2, ephemeral("/e"))
	do(tr, 3, txn.Txn{Type: zk.OpCreateContainer, Path: "/c", ParentCversion: -1})
	do(tr, 4, txn.Txn{Type: zk.OpCreateTTL, Path: "/t", ParentCversion: -1, TTLMS: 7})
	for i, p := range []string{"/c/1", "/c/2", "/c/3"} {
		do(tr, zk.Zxid(5+i), create(p, "x", -1))
	}
	do(tr, 9, remove("/c/2"))
	for path, want := range map[string]zk.Stat{
		"/e": {Czxid: 2, Mzxid: 2, Pzxid: 2, EphemeralOwner: 9},
		"/c": {Czxid: 3, Mzxid: 3, Pzxid: 9, CtimeMS: 1003, MtimeMS: 1003, Cversion: 4, NumChildren: 2},
		"/t": {Czxid: 4, Mzxid: 4, Pzxid: 4, CtimeMS: 1004, MtimeMS: 1004},
	} {
		r, _ := tr.Find(path)
		s := tr.Stored(r)
		if got := tr.Stat(r); got != want || got != s.Wire(int32(len(tr.Data(r))), int32(tr.Children(r))) {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestChildNamesShareOneAllocationAndOutliveTheZnodes(t *testing.T) {
	tr := New(1)
	do(tr, 2, create("/p", "", -1))
	var want []string
	for i := range 100 {
		name := fmt.Sprint("child-", i)
		want = append(want, name)
		do(tr, 3, create("/p/"+name, "data", -1))
	}
	r, _ := tr.Find("/p")
	dst := make([]string, 0, 200)
	dst = append(dst, "before")
	names := tr.AppendChildNames(dst, r)
	if n := testing.AllocsPerRun(20, func() { tr.AppendChildNames(dst, r) }); n != 1 {
		t.Errorf("%v allocations", n)
	}
	for _, name := range want {
		do(tr, 4, remove("/p/"+name))
	}
	for i := range 100 {
		do(tr, 5, create(fmt.Sprint("/p/other-", i), "other", -1))
	}
	slices.Sort(names[1:])
	slices.Sort(want)
	if names[0] != "before" || !slices.Equal(names[1:], want) {
		t.Fatalf("%v", names)
	}
	e, _ := tr.Find("/p/other-0")
	if got := tr.AppendChildNames(nil, e); len(got) != 0 {
		t.Fatalf("children of a leaf: %v", got)
	}
}

func TestDescendants(t *testing.T) {
	tr := New(1)
	for _, p := range []string{"/a", "/a/b", "/a/b/c", "/a/d", "/ab"} {
		do(tr, 2, create(p, "", -1))
	}
	for path, want := range map[string]int{"/": 8, "": 8, "/a": 3, "/a/b": 1, "/a/d": 0, "/ab": 0, "/none": 0, "/zookeeper": 2} {
		if got := tr.Descendants(path); got != want {
			t.Errorf("%q has %d, want %d", path, got, want)
		}
	}
}

func TestPathsAreMeasuredAsJavaDoes(t *testing.T) {
	for path, want := range map[string]int64{"": 0, "/abc": 4, "/ü": 2, "/€": 2, "/😀": 3, "/" + strings.Repeat("x", 100): 101} {
		if got := pathSize(path); got != want {
			t.Errorf("%q: %d, want %d", path, got, want)
		}
	}
}

func TestReadingTakesNoMemory(t *testing.T) {
	tr := New(1)
	do(tr, 2, create("/some", "data", -1))
	do(tr, 3, create("/some/path", "data", -1))
	var n int
	if allocs := testing.AllocsPerRun(100, func() {
		r, _ := tr.Find("/some/path")
		s := tr.Stat(r)
		n += len(tr.Data(r)) + len(tr.ACL(r)) + int(s.Version)
	}); allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func TestSizeBytesGrowsWithTheTree(t *testing.T) {
	tr := New(1)
	was := tr.SizeBytes()
	for i := range 10_000 {
		do(tr, 2, create(fmt.Sprint("/", i), strings.Repeat("x", 100), -1))
	}
	if per := (tr.SizeBytes() - was) / 10_000; per < 200 || per > 260 {
		t.Fatalf("%d bytes per znode", per)
	}
}
