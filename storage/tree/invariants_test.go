package tree

import (
	"slices"
	"testing"

	"paddock/internal/zk"
)

// checkTree compares everything the tree keeps incrementally with what its links say, and the allocators'
// books with what is in use.
func checkTree(t *testing.T, tr *Tree) {
	t.Helper()
	var digest uint64
	var size int64
	znodes, blobs := 0, map[uint32]int{}
	sets := map[zk.Owner]int{}
	acls := map[uint32]int{}
	for r := rootRef; r != None; r = tr.after(r, rootRef) {
		n := tr.at(r)
		path := tr.Path(r)
		s := tr.Stored(r)
		znodes++
		share := NodeDigest(path, tr.Data(r), &s)
		if share != tr.Share(r) {
			t.Fatalf("%s: digest %#x, kept %#x", path, share, tr.Share(r))
		}
		digest += share
		size += pathSize(path) + int64(len(tr.Data(r)))
		blobs[n.page]++
		sets[n.owner]++
		acls[n.acl]++
		if found, ok := tr.Find(path); !ok || found != r {
			t.Fatalf("%s is not found (%v, %v)", path, found, ok)
		}
		checkChildren(t, tr, r)
	}
	if znodes != tr.Znodes() || digest != tr.Digest() || size != tr.ApproximateDataSize() {
		t.Fatalf("kept %d znodes, digest %#x, size %d; counted %d, %#x, %d",
			tr.Znodes(), tr.Digest(), tr.ApproximateDataSize(), znodes, digest, size)
	}
	checkOwners(t, tr, sets)
	indexed := 0
	for i := range tr.index.shards {
		indexed += tr.index.shards[i].used
	}
	if indexed != znodes-1 {
		t.Fatalf("%d znodes in the index, %d in the tree", indexed, znodes-1)
	}
	for i, e := range tr.acls.entries[1:] {
		if e.uses != acls[uint32(i+1)] || e.live != (e.uses > 0) {
			t.Fatalf("access list %d: %+v, used %d times", i+1, e, acls[uint32(i+1)])
		}
	}
	if len(tr.views) == 0 {
		checkSlabs(t, tr, blobs)
	}
}

func checkChildren(t *testing.T, tr *Tree, r Ref) {
	t.Helper()
	prev, children := None, 0
	for c := tr.FirstChild(r); c != None; c = tr.NextSibling(c) {
		if tr.Parent(c) != r || tr.at(c).prev != prev {
			t.Fatalf("links of %s", tr.Path(c))
		}
		prev = c
		children++
	}
	if children != tr.Children(r) || children != len(tr.AppendChildNames(nil, r)) {
		t.Fatalf("%s: %d children, counted %d", tr.Path(r), tr.Children(r), children)
	}
}

func checkOwners(t *testing.T, tr *Tree, sets map[zk.Owner]int) {
	t.Helper()
	ttls, ephemerals := 0, 0
	for o, n := range sets {
		if session, ok := o.Session(); ok {
			ephemerals += n
			if len(tr.Ephemerals(session)) != n {
				t.Fatalf("session %v has %v, counted %d", session, tr.Ephemerals(session), n)
			}
		} else if o != zk.ContainerOwner && o != 0 {
			ttls += n
		}
	}
	if ephemerals != tr.EphemeralCount() || ttls != len(tr.ttls) || sets[zk.ContainerOwner] != len(tr.containers) {
		t.Fatalf("kept %d ephemerals, %d TTLs, %d containers; counted %d, %d, %d", tr.EphemeralCount(), len(tr.ttls),
			len(tr.containers), ephemerals, ttls, sets[zk.ContainerOwner])
	}
}

func checkSlabs(t *testing.T, tr *Tree, blobs map[uint32]int) {
	t.Helper()
	tr.settle(len(tr.slabs.waiting))
	if len(tr.slabs.waiting) != 0 {
		t.Fatalf("%d slots wait although there is no view", len(tr.slabs.waiting))
	}
	var bytes int64
	for p := 1; p < len(tr.mem); p++ {
		i := tr.slabs.info[p]
		bytes += int64(len(tr.mem[p]))
		switch i.class {
		case ownPage:
			if blobs[uint32(p)] != 1 {
				t.Fatalf("page %d of one blob has %d", p, blobs[uint32(p)])
			}
		case unusedPage:
			if tr.mem[p] != nil || blobs[uint32(p)] != 0 || !slices.Contains(tr.slabs.freePages, uint32(p)) {
				t.Fatalf("unused page %d", p)
			}
		default:
			if int(i.used) != blobs[uint32(p)] {
				t.Fatalf("page %d: %d slots in use, counted %d", p, i.used, blobs[uint32(p)])
			}
		}
	}
	if bytes != tr.slabs.bytes {
		t.Fatalf("pages have %d bytes, kept %d", bytes, tr.slabs.bytes)
	}
}
