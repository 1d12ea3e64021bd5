package tree

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTheHashDependsOnEveryByteTheLengthAndTheSeed(t *testing.T) {
	seen := map[uint64]string{}
	add := func(what string, h uint64) {
		if was, ok := seen[h]; ok {
			t.Fatalf("%s and %s have hash %#x", what, was, h)
		}
		seen[h] = what
	}
	for n := range 70 {
		zeros := make([]byte, n)
		add(fmt.Sprint(n, " zeros"), hash(1, string(zeros)))
		add(fmt.Sprint(n, " zeros with another seed"), hash(2, string(zeros)))
		for i := range zeros {
			zeros[i] = 1
			add(fmt.Sprint(n, " bytes with a 1 at ", i), hash(1, string(zeros)))
			zeros[i] = 0
		}
	}
}

func TestTheHashSpreadsSequentialNames(t *testing.T) {
	for _, prefix := range []string{"/", "/lock-", "/app/members/node-", "/a/long/path/to/some/queue/of/things/item-"} {
		var shards, homes [256]int
		const n = 100_000
		for i := range n {
			h := hash(9, fmt.Sprintf("%s%010d", prefix, i))
			shards[h>>56]++
			homes[home(uint32(h), 256)]++
		}
		for i := range 256 {
			if shards[i] < n/256*2/3 || shards[i] > n/256*4/3 || homes[i] < n/256*2/3 || homes[i] > n/256*4/3 {
				t.Fatalf("%s: %d and %d of %d hashes in part %d", prefix, shards[i], homes[i], n, i)
			}
		}
	}
}

// TestRemovingFromOneCrowdedTable keeps every hash in one shard and few homes, so that runs collide and wrap.
func TestRemovingFromOneCrowdedTable(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		ix, in := &index{}, map[Ref]uint64{}
		next := Ref(1)
		for range 600 {
			if len(in) > 0 && r.IntN(2) == 0 {
				for ref, h := range in {
					ix.remove(h, ref)
					delete(in, ref)
					break
				}
			} else {
				h := uint64(r.IntN(4)) * 0x55555555
				ix.insert(h, next)
				in[next] = h
				next++
			}
			s := &ix.shards[0]
			if s.used != len(in) {
				t.Fatalf("%d entries, want %d", s.used, len(in))
			}
			for ref, h := range in {
				if !probes(s, uint32(h), ref) {
					t.Fatalf("seed %d: entry %d of hash %#x is out of reach", seed, ref, h)
				}
			}
		}
		ix.remove(0, next) // what is not there
		ix.remove(1<<56, 1)
	}
}

// probes tells whether a search from the home of h meets ref before it meets an empty entry.
func probes(s *shard, h uint32, ref Ref) bool {
	for i := home(h, len(s.entries)); s.entries[i].ref != None; i = (i + 1) % len(s.entries) {
		if s.entries[i].ref == ref {
			return true
		}
	}
	return false
}

func TestFindTellsPathsApartWhoseHashesAreEqual(t *testing.T) {
	tr := New(1)
	do(tr, 2, create("/a", "", 1))
	do(tr, 3, create("/b", "", 2))
	do(tr, 4, create("/a/x", "1", 1))
	do(tr, 5, create("/b/x", "2", 1))
	// All entries in one table under one hash: only the paths differ.
	one := &index{}
	for r := rootRef; r != None; r = tr.after(r, rootRef) {
		if r != rootRef {
			one.insert(0, r)
		}
	}
	for _, path := range []string{"/a", "/b", "/a/x", "/b/x", "/zookeeper/quota"} {
		r, _ := tr.Find(path)
		if got := one.find(&tr.nodes, 0, path); got != r {
			t.Fatalf("%s: %d, want %d", path, got, r)
		}
	}
	for _, path := range []string{"/x", "x", "a/x", "//x", "/c/x", "/a/x/", "/a//x", "/ax", "/a/xx", "", "/"} {
		if got := one.find(&tr.nodes, 0, path); got != None {
			t.Fatalf("%q is found as %s", path, tr.Path(got))
		}
	}
}

func TestFindAndPathAgree(t *testing.T) {
	tr := New(1)
	deep := ""
	for i := range 60 {
		deep += "/" + strings.Repeat("d", 1+i)
		do(tr, 2, create(deep, "", -1))
	}
	for r := rootRef; r != None; r = tr.after(r, rootRef) {
		path := tr.Path(r)
		if got, ok := tr.Find(path); !ok || got != r {
			t.Fatalf("%s", path)
		}
		if r != rootRef && !strings.HasSuffix(path, "/"+tr.Name(r)) {
			t.Fatalf("%s has the name %s", path, tr.Name(r))
		}
	}
	for path, want := range map[string]bool{"": true, "/": true, "//": false, "zookeeper": false, "/zookeeper/": false, "/ZooKeeper": false} {
		if _, ok := tr.Find(path); ok != want {
			t.Errorf("%q exists: %v", path, ok)
		}
	}
	if tr.Path(rootRef) != "/" || tr.Name(rootRef) != "" || tr.Parent(rootRef) != None {
		t.Error("the root is not itself")
	}
}
