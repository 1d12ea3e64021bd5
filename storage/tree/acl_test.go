package tree

import (
	"fmt"
	"reflect"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

func acl(perms zk.Perms, scheme, id string) zk.ACL {
	return zk.ACL{Perms: perms, ID: zk.ID{Scheme: scheme, ID: id}}
}

func TestEqualListsAreKeptOnce(t *testing.T) {
	a, b := acl(1, "digest", "a:x"), acl(2, "ip", "127.0.0.1")
	cases := map[string]struct {
		one, other []zk.ACL
		same       bool
	}{
		"the same entries in the same order":          {[]zk.ACL{a, b}, []zk.ACL{a, b}, true},
		"another order is another list":               {[]zk.ACL{a, b}, []zk.ACL{b, a}, false},
		"other permissions are another list":          {[]zk.ACL{a}, []zk.ACL{acl(3, "digest", "a:x")}, false},
		"no list is the open list":                    {nil, zk.OpenACL, true},
		"an empty list is not the open list":          {[]zk.ACL{}, zk.OpenACL, false},
		"a null id is not an empty one":               {[]zk.ACL{acl(1, "x", "")}, []zk.ACL{acl(1, "x", jute.Null())}, false},
		"a boundary between scheme and id that moved": {[]zk.ACL{acl(1, "ab", "c")}, []zk.ACL{acl(1, "a", "bc")}, false},
		"unknown permission bits are kept":            {[]zk.ACL{acl(-1, "a", "b")}, []zk.ACL{acl(31, "a", "b")}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			table := newACLTable()
			i, j := table.use(c.one), table.use(c.other)
			if (i == j) != c.same {
				t.Fatalf("places %d and %d", i, j)
			}
			if got := table.entries[i].list; c.one != nil && !reflect.DeepEqual(got, c.one) {
				t.Fatalf("%v became %v", c.one, got)
			}
			table.drop(i)
			table.drop(j)
			if len(inUse(table.entries)) != 0 || len(table.byRaw) != 0 {
				t.Fatalf("left over: %v", inUse(table.entries))
			}
		})
	}
}

func TestKeysCountUpAndAreNotUsedAgain(t *testing.T) {
	table := newACLTable()
	for i := range 5 {
		at := table.use([]zk.ACL{acl(1, "digest", fmt.Sprint(i))})
		if got := table.entries[at].key; got != int64(i+1) || at != 1 {
			t.Fatalf("key %d at %d", got, at)
		}
		table.drop(at)
	}
}

func TestAListLivesAsLongAsAZnodeHasIt(t *testing.T) {
	tr := New(1)
	list := []zk.ACL{acl(1, "digest", "a:x")}
	base := len(inUse(tr.acls.entries)) // that of /zookeeper/config
	for i, op := range []struct {
		body txn.Txn
		want int
	}{
		{txn.Txn{Type: zk.OpCreate, Path: "/a", ACL: list, ParentCversion: -1}, 1},
		{txn.Txn{Type: zk.OpCreate, Path: "/b", ACL: list, ParentCversion: -1}, 1},
		{txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: list}, 1},
		{txn.Txn{Type: zk.OpCreate2, Path: "/a", ACL: list, ParentCversion: -1}, 1},
		{txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: zk.OpenACL}, 1},
		{txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: []zk.ACL{}}, 2},
		{remove("/b"), 1},
		{remove("/a"), 0},
	} {
		do(tr, zk.Zxid(i+2), op.body)
		if got := len(inUse(tr.acls.entries)) - base; got != op.want {
			t.Fatalf("after %v %s: %d lists, want %d", op.body.Type, op.body.Path, got, op.want)
		}
		checkTree(t, tr)
	}
}
