package tree

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestAChunkIsExactlyOneOfTheRuntimesSizes(t *testing.T) {
	if got := unsafe.Sizeof(node{}); got != nodeBytes {
		t.Fatalf("a node has %d bytes", got)
	}
}

// sum is one number for everything a view shows.
func sum(v *View) (total uint64, znodes int, err error) {
	seed := viewSeed
	err = v.Walk(func(path string, data []byte, key int64, s *zk.StoredStat) error {
		total += maphash.String(seed, path) ^ maphash.Bytes(seed, data) ^ maphash.Comparable(seed, *s) ^ uint64(key)
		znodes++
		return nil
	})
	for _, s := range v.Sessions() {
		total += maphash.Comparable(seed, s)
	}
	for _, a := range v.ACLs() {
		total += maphash.String(seed, fmt.Sprint(a))
	}
	return total, znodes, err
}

var viewSeed = maphash.MakeSeed()

// TestAViewStaysAsItIsWhileTheOwnerGoesOn is for the race detector as much as for the sums.
func TestAViewStaysAsItIsWhileTheOwnerGoesOn(t *testing.T) {
	g := &history{Rand: rand.New(rand.NewPCG(8, 8))}
	tr := New(1)
	advance := func(steps int) {
		for range steps {
			h, b := g.next()
			tr.Apply(&h, &b, nil)
		}
	}
	for i := range 500 {
		do(tr, 1, create(fmt.Sprintf("/n%d", i), strings.Repeat("x", i), -1))
	}
	advance(1000)
	var readers sync.WaitGroup
	defer readers.Wait()
	for round := range 10 {
		v := tr.Freeze()
		want, znodes, err := sum(v)
		if err != nil || znodes != tr.Znodes() || v.Digest() != tr.Digest() {
			t.Fatalf("%d znodes, want %d: %v", znodes, tr.Znodes(), err)
		}
		done := make(chan error, 1)
		readers.Go(func() { // ends on its own after a few walks
			for range 8 {
				got, _, err := sum(v)
				if err != nil || got != want {
					done <- fmt.Errorf("round %d: sum %#x, want %#x: %w", round, got, want, err)
					return
				}
			}
			done <- nil
		})
		for running := true; running; {
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				running = false
			default:
				advance(20)
			}
		}
		advance(100)
		if got, _, _ := sum(v); got != want {
			t.Fatalf("round %d: the view changed", round)
		}
		tr.Release(v)
		checkTree(t, tr)
	}
}

func TestAViewCostsOnlyWhatChanges(t *testing.T) {
	tr := New(1)
	for i := range 10_000 {
		do(tr, 1, create(fmt.Sprintf("/n%d", i), "data", -1))
	}
	v := tr.Freeze()
	before := slices.Clone(tr.chunks)
	do(tr, 2, txn.Txn{Type: zk.OpSetData, Path: "/n5000", Data: []byte("new")})
	do(tr, 3, txn.Txn{Type: zk.OpSetData, Path: "/n5000", Data: []byte("newer")})
	copied := 0
	for i := range before {
		if tr.chunks[i] != before[i] {
			copied++
		}
	}
	if copied != 1 || len(tr.slabs.waiting) != 2 {
		t.Fatalf("%d chunks copied for one znode, %d slots wait", copied, len(tr.slabs.waiting))
	}
	tr.Release(v)
	do(tr, 4, txn.Txn{Type: zk.OpSetData, Path: "/n1", Data: []byte("new")})
	if c := tr.chunks[1]; c != before[1] {
		t.Fatal("a chunk was copied although there is no view")
	}
	checkTree(t, tr)
}

func TestReleaseForgetsTheViewAndNoOther(t *testing.T) {
	tr := New(1)
	do(tr, 2, create("/a", "1", -1))
	first := tr.Freeze()
	do(tr, 3, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("2")})
	second := tr.Freeze()
	do(tr, 4, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("3")})
	data := func(v *View) (s string) {
		_ = v.Walk(func(path string, data []byte, _ int64, _ *zk.StoredStat) error {
			if path == "/a" {
				s = string(data)
			}
			return nil
		})
		return s
	}
	tr.Release(second)
	do(tr, 5, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("4")})
	if got := data(first); got != "1" || first.Zxid() != 2 {
		t.Fatalf("the first view has %q", got)
	}
	tr.Release(first)
	tr.Release(first) // twice does no harm
	if len(tr.views) != 0 || tr.frozen != 0 {
		t.Fatalf("%d views, frozen %d", len(tr.views), tr.frozen)
	}
	checkTree(t, tr)
}

func TestWalkStopsAtAnError(t *testing.T) {
	v, stop, n := New(1).Freeze(), errors.New("stop"), 0
	err := v.Walk(func(string, []byte, int64, *zk.StoredStat) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 {
		t.Fatalf("%v after %d", err, n)
	}
}

func TestAViewHasTheSessionsAndListsOfItsMoment(t *testing.T) {
	tr := New(1)
	list := []zk.ACL{acl(3, "digest", "a:b")}
	as(tr, 5, 2, txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 9})
	do(tr, 3, txn.Txn{Type: zk.OpCreate, Path: "/a", ACL: list, ParentCversion: -1})
	v := tr.Freeze()
	as(tr, 5, 4, txn.Txn{Type: zk.OpCloseSession})
	do(tr, 5, remove("/a"))
	do(tr, 6, txn.Txn{Type: zk.OpCreate, Path: "/b", ACL: []zk.ACL{acl(4, "ip", "x")}, ParentCversion: -1})
	if !slices.Equal(v.Sessions(), []SessionEntry{{5, 9}}) || v.Zxid() != 3 || v.Znodes() != 5 {
		t.Fatalf("%v at %v", v.Sessions(), v.Zxid())
	}
	acls := v.ACLs()
	if len(acls) != 2 || acls[0].Key != 1 || acls[1].Key != 2 || !slices.Equal(acls[1].List, list) {
		t.Fatalf("%v", acls)
	}
	tr.Release(v)
}

func TestSlotsGoBackLittleByLittleOnceAViewIsReleased(t *testing.T) {
	tr := New(1)
	do(tr, 1, create("/a", "x", -1))
	set := func(n int) {
		for i := range n {
			do(tr, 2, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte{byte(i)}})
		}
	}
	v := tr.Freeze()
	set(3000)
	if got := len(tr.slabs.waiting); got != 3000 {
		t.Fatalf("%d slots wait for the view", got)
	}
	tr.Release(v)
	if got := len(tr.slabs.waiting); got != 3000-settledPerRelease {
		t.Fatalf("%d slots wait after the release", got)
	}
	set(100)
	if got := len(tr.slabs.waiting); got != 3000-settledPerRelease-100*settledPerChange {
		t.Fatalf("%d slots wait after 100 changes", got)
	}
	set(1000)
	if got := len(tr.slabs.waiting); got != 0 {
		t.Fatalf("%d slots wait after 1100 changes", got)
	}
	checkTree(t, tr)
}

func TestSlotsOfOneViewGoBackWhileANewerOneLives(t *testing.T) {
	tr := New(1)
	do(tr, 1, create("/a", "first", -1))
	older := tr.Freeze()
	do(tr, 2, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("second")})
	newer := tr.Freeze()
	want, _, _ := sum(newer)
	do(tr, 3, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("third")})
	tr.Release(older)
	if got := len(tr.slabs.waiting); got != 1 {
		t.Fatalf("%d slots wait; the newer view needs one", got)
	}
	for i := range 200 {
		do(tr, 4, create(fmt.Sprint("/b", i), "third", -1))
	}
	if got, _, _ := sum(newer); got != want {
		t.Fatal("the newer view changed")
	}
	tr.Release(newer)
	checkTree(t, tr)
}

func TestLongNamesSurviveChangesViewsAndLoading(t *testing.T) {
	for _, n := range []int{longName - 1, longName, longName + 1, 1 << 20} {
		tr := New(1)
		path := "/" + strings.Repeat("n", n)
		do(tr, 1, create(path, "first", -1))
		do(tr, 2, create(path+"/child", "child", -1))
		do(tr, 3, txn.Txn{Type: zk.OpSetData, Path: path, Data: []byte("second")})
		do(tr, 4, txn.Txn{Type: zk.OpSetData, Path: path})
		l := NewLoader(1)
		v := tr.Freeze()
		do(tr, 5, txn.Txn{Type: zk.OpSetData, Path: path, Data: make([]byte, 100_000)})
		if err := v.Walk(l.Node); err != nil {
			t.Fatal(err)
		}
		tr.Release(v)
		loaded, err := l.Finish(4)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := loaded.Find(path + "/child")
		p, _ := loaded.Find(path)
		if !ok || string(loaded.Data(r)) != "child" || loaded.Data(p) != nil || loaded.Path(r) != path+"/child" {
			t.Fatalf("a name of %d bytes: %v %q", n, ok, loaded.Data(r))
		}
		checkTree(t, loaded)
		checkTree(t, tr)
	}
}

// TestWhatViewsKeepIsCounted: what has changed and what was given up, until the oldest view that may see it is gone.
func TestWhatViewsKeepIsCounted(t *testing.T) {
	tr := New(1)
	do(tr, 1, create("/a", "x", -1))
	set := func(n int) {
		for i := range n {
			do(tr, 2, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte(strings.Repeat("x", 1000+i%2))})
		}
	}
	set(10)
	if got := tr.ViewBytes(); got != 0 {
		t.Fatalf("%d bytes without a view", got)
	}
	older := tr.FreezeZnodes()
	if set(100); tr.ViewBytes() < 100*1000 {
		t.Fatalf("%d bytes for the older view", tr.ViewBytes())
	}
	newer := tr.FreezeZnodes()
	set(10)
	tr.Release(older)
	if got := tr.ViewBytes(); got < 10*1000 || got > 20*2000 {
		t.Fatalf("%d bytes for the newer view", got)
	}
	if len(newer.Sessions()) != 0 {
		t.Error("a view of znodes shows sessions")
	}
	tr.Release(newer)
	if set(10); tr.ViewBytes() != 0 {
		t.Fatalf("%d bytes after the last", tr.ViewBytes())
	}
}

func TestFreezingDoesNotTouchZnodes(t *testing.T) {
	tr := New(1)
	for i := range 5000 {
		do(tr, 1, create(fmt.Sprint("/n", i), "data", -1))
	}
	if n := testing.AllocsPerRun(10, func() { tr.Release(tr.Freeze()) }); n > 8 {
		t.Fatalf("%v allocations", n)
	}
}
