package tree

import (
	"fmt"
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// leader makes txns that a server would have made: each is valid for the tree it is applied to.
type leader struct {
	history
	tr  *Tree
	log []txn.Record
}

// step applies one more txn and logs it.
func (l *leader) step() {
	l.zxid++
	h := txn.Header{Session: zk.SessionID(1 + l.IntN(3)), Zxid: l.zxid, TimeMS: int64(l.zxid) * 10}
	var b txn.Txn
	switch l.IntN(30) {
	case 0:
		b = txn.Txn{Type: zk.OpCreateSession, TimeoutMS: int32(l.IntN(9000))}
	case 1:
		b = txn.Txn{Type: zk.OpCloseSession, Paths: l.tr.Ephemerals(h.Session)}
	default:
		b = l.valid()
	}
	h.Type = b.Type
	l.tr.Apply(&h, &b, nil)
	l.log = append(l.log, txn.Record{Header: h, Txn: b})
}

// valid is a create, delete, setData or setACL that the tree allows.
func (l *leader) valid() txn.Txn {
	for {
		b := l.op()
		r, exists := l.tr.Find(b.Path)
		parent, hasParent := l.tr.Find(zk.ParentPath(b.Path))
		switch {
		case !hasParent:
			continue
		case b.Type.IsCreate():
			p := l.tr.Stored(parent)
			if _, ephemeral := p.Owner.Session(); exists || ephemeral {
				continue
			}
			b.ParentCversion = p.Cversion + 1
			return b
		case !exists:
			continue
		case b.Type == zk.OpDelete || b.Type == zk.OpDeleteContainer:
			if l.tr.Children(r) > 0 {
				continue
			}
			return b
		case b.Type == zk.OpSetData:
			b.Version = zk.NextVersion(l.tr.Stored(r).Version)
			return b
		case b.Type == zk.OpSetACL:
			b.Version = zk.NextVersion(l.tr.Stored(r).Aversion)
			return b
		}
	}
}

// dump writes the tree into a Loader as ZooKeeper dumps one: sessions, lists, then znode by znode, depth first, each
// with the children it has at that moment, while txns go on in between.
func (l *leader) dump(t *testing.T, into *Loader) {
	t.Helper()
	for _, s := range l.tr.Sessions() {
		into.Session(s.ID, s.TimeoutMS)
	}
	l.some()
	for _, a := range inUse(l.tr.acls.entries) {
		into.ACL(a.Key, a.List)
	}
	var node func(path string)
	node = func(path string) {
		l.some()
		r, ok := l.tr.Find(path)
		if !ok {
			return // deleted since its parent was written
		}
		stat := l.tr.Stored(r)
		if err := into.Node(path, l.tr.Data(r), l.tr.acls.entries[l.tr.at(r).acl].key, &stat); err != nil {
			t.Fatal(err)
		}
		names := l.tr.AppendChildNames(nil, r)
		slices.Sort(names)
		for _, name := range names {
			node(path + "/" + name)
		}
	}
	node("")
}

// some lets a few txns happen, or none.
func (l *leader) some() {
	for range max(0, l.IntN(8)-3) {
		l.step()
	}
}

// TestReplayOverAnyFuzzySnapshotEndsInTheSameTree tests INVARIANT(snapshot-replay-idempotent).
func TestReplayOverAnyFuzzySnapshotEndsInTheSameTree(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 30
	}
	repeated := 0
	for seed := range uint64(seeds) {
		l := &leader{history: history{Rand: newRand(seed)}, tr: New(seed)}
		for range 100 {
			l.step()
		}
		start := l.tr.Zxid()
		loader := NewLoader(seed)
		l.dump(t, loader)
		for range 30 {
			l.step()
		}
		again, err := loader.Finish(start)
		if err != nil {
			t.Fatal(err)
		}
		var out Outcome
		for _, r := range l.log {
			if r.Header.Zxid > start {
				again.Apply(&r.Header, &r.Txn, &out)
			}
		}
		for _, res := range out.Results {
			if res.Err != zk.OK {
				repeated++
			}
		}
		checkTree(t, again)
		if err := sameTrees(again, l.tr); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if repeated < seeds {
		t.Fatalf("only %d txns met a state from after them", repeated)
	}
}

// sameTrees compares everything but quota counters, which are counted while the tree is fuzzy.
func sameTrees(a, b *Tree) error {
	if a.Zxid() != b.Zxid() || a.Znodes() != b.Znodes() || !slices.Equal(a.Sessions(), b.Sessions()) {
		return fmt.Errorf("%d znodes at %v, want %d at %v", a.Znodes(), a.Zxid(), b.Znodes(), b.Zxid())
	}
	for r := rootRef; r != None; r = b.after(r, rootRef) {
		path := b.Path(r)
		other, ok := a.Find(path)
		switch {
		case !ok:
			return fmt.Errorf("%s is missing", path)
		case a.Stat(other) != b.Stat(r) && zk.BaseName(path) != countersName, a.Stored(other) != b.Stored(r):
			return fmt.Errorf("%s: %+v, want %+v", path, a.Stored(other), b.Stored(r))
		case string(a.Data(other)) != string(b.Data(r)) && zk.BaseName(path) != countersName:
			return fmt.Errorf("%s: data %.40q, want %.40q", path, a.Data(other), b.Data(r))
		case !slices.Equal(a.ACL(other), b.ACL(r)):
			return fmt.Errorf("%s: access list %v, want %v", path, a.ACL(other), b.ACL(r))
		}
	}
	if a.Digest() != b.Digest() {
		return fmt.Errorf("digest %#x, want %#x", a.Digest(), b.Digest())
	}
	return nil
}
