package tree

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"paddock/internal/zk"
)

func TestLoaderRefusesWhatIsNoTree(t *testing.T) {
	cases := map[string]struct {
		paths []string
		want  string
	}{
		"nothing at all":                      {nil, "no root"},
		"a znode before the root":             {[]string{"/a"}, `"/a" without a parent`},
		"a child before its parent":           {[]string{"", "/a/b"}, `"/a/b" comes before its parent`},
		"a znode twice":                       {[]string{"", "/a", "/a"}, `"/a" comes twice`},
		"the root twice":                      {[]string{"", "/a", ""}, "the root comes twice"},
		"the end mark taken for a znode":      {[]string{"", "/"}, `"/" without a parent`},
		"a path without a slash":              {[]string{"", "a"}, `"a" without a parent`},
		"two slashes":                         {[]string{"", "//a"}, `"//a" comes before its parent`},
		"a cached parent is compared in full": {[]string{"", "/a", "/a/x", "/ab/x"}, `"/ab/x" comes before its parent`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l, err := NewLoader(1), error(nil)
			for _, p := range c.paths {
				if err = l.Node(p, nil, OpenKey, &zk.StoredStat{}); err != nil {
					break
				}
			}
			if err == nil {
				_, err = l.Finish(1)
			}
			if !errors.Is(err, ErrInvalidTree) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestLoaderAddsTheBuiltInZnodesThatAreMissing(t *testing.T) {
	for name, paths := range map[string][]string{
		"all of them": {""}, "an old server's": {"", "/zookeeper", "/zookeeper/quota"}, "none": {"", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLoader(1)
			for _, p := range paths {
				if err := l.Node(p, []byte{}, OpenKey, &zk.StoredStat{}); err != nil {
					t.Fatal(err)
				}
			}
			tr, err := l.Finish(77)
			if err != nil {
				t.Fatal(err)
			}
			r, ok := tr.Find(zk.ConfigPath)
			if !ok || tr.Znodes() != 4 || tr.Digest() != 0x51c6d660 || tr.Zxid() != 77 {
				t.Fatalf("%v, %d znodes, digest %#x, zxid %v", ok, tr.Znodes(), tr.Digest(), tr.Zxid())
			}
			if name != "none" && (!reflect.DeepEqual(tr.ACL(r), zk.ReadOnlyACL) || tr.Stored(r).Aversion != -1) {
				t.Fatalf("%v %+v", tr.ACL(r), tr.Stored(r))
			}
			checkTree(t, tr)
		})
	}
}

func TestLoaderKeepsTheKeysOfListsAndDropsThoseNobodyUses(t *testing.T) {
	l := NewLoader(1)
	one, two, three := []zk.ACL{acl(1, "a", "1")}, []zk.ACL{acl(1, "a", "2")}, []zk.ACL{acl(1, "a", "3")}
	l.ACL(7, one)
	l.ACL(7, two) // the key is taken
	l.ACL(9, one) // another key of the same list
	l.ACL(4, zk.OpenACL)
	l.ACL(20, three)
	l.ACL(OpenKey, two) // the open key is never in the table
	for path, key := range map[string]int64{"": 4} {
		if err := l.Node(path, nil, key, &zk.StoredStat{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []struct {
		path string
		key  int64
	}{{"/seven", 7}, {"/nine", 9}, {"/open", OpenKey}, {"/dangling", 30}, {"/dangling2", 30}, {"/seven2", 7}} {
		if err := l.Node(n.path, nil, n.key, &zk.StoredStat{}); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := l.Finish(1)
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, tr)
	nobody := []zk.ACL{{Perms: 0, ID: zk.AnyoneID}}
	for path, want := range map[string][]zk.ACL{
		"/": zk.OpenACL, "/seven": one, "/nine": one, "/open": zk.OpenACL, "/dangling": nobody, "/seven2": one,
	} {
		if r, _ := tr.Find(path); !reflect.DeepEqual(tr.ACL(r), want) {
			t.Errorf("%s: %v", path, tr.ACL(r))
		}
	}
	got := inUse(tr.acls.entries)
	want := []ACLEntry{{7, one}, {30, nobody}, {31, zk.ReadOnlyACL}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v", got)
	}
	do(tr, 2, remove("/dangling"))
	do(tr, 3, remove("/dangling2"))
	if len(inUse(tr.acls.entries)) != 2 {
		t.Fatalf("%v", inUse(tr.acls.entries))
	}
	checkTree(t, tr)
}

func TestLoaderKeepsNothingOfWhatItIsGiven(t *testing.T) {
	l := NewLoader(1)
	stat := zk.StoredStat{Czxid: 4, Owner: 7}
	path, data := []byte("/abc"), []byte("data")
	if err := errors.Join(l.Node("", nil, OpenKey, &zk.StoredStat{}), l.Node(string(path), data, OpenKey, &stat)); err != nil {
		t.Fatal(err)
	}
	clear(data)
	stat = zk.StoredStat{}
	tr, err := l.Finish(9)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := tr.Find("/abc")
	if !ok || string(tr.Data(r)) != "data" || tr.Stored(r).Czxid != 4 || len(tr.Ephemerals(7)) != 1 {
		t.Fatalf("%q %+v %v", tr.Data(r), tr.Stored(r), tr.Ephemerals(7))
	}
}

func TestLoaderCountsQuotasAfresh(t *testing.T) {
	l := NewLoader(1)
	for _, n := range [][2]string{
		{"", ""}, {"/zookeeper", ""}, {"/zookeeper/quota", ""}, {"/zookeeper/quota/a", ""},
		{"/zookeeper/quota/a/zookeeper_limits", "count=5,bytes=5"}, {"/zookeeper/quota/a/zookeeper_stats", "count=77,bytes=77"},
		{"/zookeeper/quota/b", ""}, {"/zookeeper/quota/b/zookeeper_limits", ""}, {"/zookeeper/quota/b/zookeeper_limits/child", ""},
		{"/zookeeper/quota/c", ""}, {"/zookeeper/quota/c/zookeeper_limits", "count=1,bytes=1"},
		{"/zookeeper/quota/zookeeper_limits", ""},
		{"/a", "12"}, {"/a/x", "345"}, {"/b", ""},
	} {
		if err := l.Node(n[0], []byte(n[1]), OpenKey, &zk.StoredStat{}); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := l.Finish(9)
	if err != nil {
		t.Fatal(err)
	}
	if got := counters(t, tr, "/a"); got != "count=2,bytes=5" {
		t.Fatal(got)
	}
	if len(tr.quotas) != 2 { // /a and /c; limits with a child are none, and none are on the root
		t.Fatalf("%v", tr.quotas)
	}
	checkTree(t, tr)
}

func TestLoaderTakesAnyOrderThatHasParentsFirst(t *testing.T) {
	l := NewLoader(1)
	for i, path := range []string{"", "/a", "/b", "/a/x", "/b/x", "/a/y", "/b/x/deep", "/c", "/a/x/deep"} {
		if err := l.Node(path, []byte(path), OpenKey, &zk.StoredStat{Czxid: zk.Zxid(i)}); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := l.Finish(1)
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, tr)
	for _, path := range []string{"/a/x", "/b/x", "/a/y", "/b/x/deep", "/a/x/deep"} {
		if r, ok := tr.Find(path); !ok || string(tr.Data(r)) != path {
			t.Errorf("%s: %v", path, ok)
		}
	}
}
