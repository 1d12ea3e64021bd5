package tree

import (
	"reflect"
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// do applies one txn and returns what came of it.
func do(tr *Tree, z zk.Zxid, body txn.Txn) Outcome {
	var out Outcome
	tr.Apply(&txn.Header{Session: 0x77, Zxid: z, TimeMS: 1000 + int64(z), Type: body.Type}, &body, &out)
	return out
}

func create(path, data string, parentCversion int32) txn.Txn {
	return txn.Txn{Type: zk.OpCreate, Path: path, Data: []byte(data), ACL: zk.OpenACL, ParentCversion: parentCversion}
}

func remove(path string) txn.Txn { return txn.Txn{Type: zk.OpDelete, Path: path} }

func stored(t *testing.T, tr *Tree, path string) zk.StoredStat {
	t.Helper()
	r, ok := tr.Find(path)
	if !ok {
		t.Fatalf("%s is missing", path)
	}
	return tr.Stored(r)
}

func TestCreate(t *testing.T) {
	ephemeral := create("/e", "", 1)
	ephemeral.Ephemeral = true
	ephemeral2 := ephemeral
	ephemeral2.Type = zk.OpCreate2
	null := create("/n", "", 1)
	null.Data = nil
	cases := map[string]struct {
		body  txn.Txn
		owner zk.Owner
		err   zk.Code
	}{
		"a plain znode has no owner":                          {create("/p", "x", 1), 0, zk.OK},
		"an ephemeral belongs to the session of the header":   {ephemeral, 0x77, zk.OK},
		"create2 makes ephemerals too":                        {ephemeral2, 0x77, zk.OK},
		"null data stays null":                                {null, 0, zk.OK},
		"a container has the container's mark":                {txn.Txn{Type: zk.OpCreateContainer, Path: "/c", ParentCversion: 1}, zk.ContainerOwner, zk.OK},
		"a TTL znode has its time in the owner":               {txn.Txn{Type: zk.OpCreateTTL, Path: "/t", ParentCversion: 1, TTLMS: 5}, zk.TTLOwner(5), zk.OK},
		"without a parent nothing is created":                 {create("/no/such", "", 1), 0, zk.NoNode},
		"a path without a slash names nothing":                {create("abc", "", 1), 0, zk.NoNode},
		"an empty path names nothing":                         {create("", "", 1), 0, zk.NoNode},
		"the root cannot be created":                          {create("/", "", 1), 0, zk.NoNode},
		"a slash too many does not reach the root":            {create("//x", "", 1), 0, zk.NoNode},
		"what exists is reported":                             {create("/zookeeper", "", 1), 0, zk.NodeExists},
		"a name may be longer than 65535 bytes":               {create("/"+string(make([]byte, 70_000)), "data", 1), 0, zk.OK},
		"a name of 65535 bytes is told from the long marker":  {create("/"+string(make([]byte, 0xffff)), "data", 1), 0, zk.OK},
		"an empty last element is a name like any other here": {create("/zookeeper/", "d", 1), 0, zk.OK},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := New(3)
			out := do(tr, 9, c.body)
			res := out.Results[0]
			if len(out.Results) != 1 || res.Err != c.err || res.Type != c.body.Type || res.Path != c.body.Path {
				t.Fatalf("%+v", out.Results)
			}
			checkTree(t, tr)
			if c.err != zk.OK {
				if len(out.Changes) != 0 {
					t.Fatalf("changes of a txn that failed: %+v", out.Changes)
				}
				return
			}
			s := stored(t, tr, c.body.Path)
			want := zk.StoredStat{Czxid: 9, Mzxid: 9, Pzxid: 9, CtimeMS: 1009, MtimeMS: 1009, Owner: c.owner}
			if s != want || res.Stat != want.Wire(int32(len(c.body.Data)), 0) {
				t.Fatalf("stored %+v, stat %+v", s, res.Stat)
			}
			r, _ := tr.Find(c.body.Path)
			if got := tr.Data(r); string(got) != string(c.body.Data) || (got == nil) != (c.body.Data == nil) {
				t.Fatalf("data %q", got)
			}
			if tr.Path(r) != c.body.Path {
				t.Fatalf("path %q", tr.Path(r))
			}
		})
	}
}

func TestTheParentOfANewZnodeIsRaisedUnlessItIsPastThat(t *testing.T) {
	cases := map[string]struct {
		parentCversion, cversion int32
		pzxid                    zk.Zxid
	}{
		"a higher cversion is taken, with the zxid":      {6, 6, 20},
		"the same cversion changes nothing":              {5, 5, 10},
		"a lower cversion changes nothing":               {2, 5, 10},
		"an old txn without cversion means one more":     {-1, 6, 20},
		"a cversion that wrapped around changes nothing": {-2147483648, 5, 10},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := New(3)
			do(tr, 5, create("/p", "", 1))
			do(tr, 10, create("/p/first", "", 5))
			do(tr, 20, create("/p/x", "", c.parentCversion))
			if s := stored(t, tr, "/p"); s.Cversion != c.cversion || s.Pzxid != c.pzxid || s.Mzxid != 5 || s.Version != 0 {
				t.Fatalf("%+v", s)
			}
			checkTree(t, tr)
		})
	}
}

func TestCreatingWhatExistsTakesTheACLAndRaisesTheParentForTheOldestTypeOnly(t *testing.T) {
	acl := []zk.ACL{{Perms: 3, ID: zk.ID{Scheme: "digest", ID: "a:b"}}}
	for _, op := range []zk.OpCode{zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL} {
		t.Run(op.String(), func(t *testing.T) {
			tr := New(3)
			do(tr, 5, create("/a", "old", 1))
			before := stored(t, tr, "/a")
			out := do(tr, 6, txn.Txn{Type: op, Path: "/a", Data: []byte("new"), ACL: acl, ParentCversion: 7, TTLMS: 1})
			if out.Results[0].Err != zk.NodeExists || len(out.Changes) != 0 {
				t.Fatalf("%+v", out)
			}
			r, _ := tr.Find("/a")
			if string(tr.Data(r)) != "old" || tr.Stored(r) != before || !reflect.DeepEqual(tr.ACL(r), acl) {
				t.Fatalf("%q %+v %v", tr.Data(r), tr.Stored(r), tr.ACL(r))
			}
			cversion, pzxid := int32(1), zk.Zxid(5)
			if op == zk.OpCreate {
				cversion, pzxid = 7, 6
			}
			if s := stored(t, tr, "/"); s.Cversion != cversion || s.Pzxid != pzxid {
				t.Fatalf("root %+v", s)
			}
			checkTree(t, tr)
		})
	}
}

func TestDelete(t *testing.T) {
	cases := map[string]struct {
		path  string
		zxid  zk.Zxid
		err   zk.Code
		pzxid zk.Zxid // of /p afterwards
	}{
		"the parent's pzxid is raised":                          {"/p/x", 9, zk.OK, 9},
		"a lower zxid does not lower the parent's":              {"/p/x", 3, zk.OK, 7},
		"a missing znode still raises the parent":               {"/p/y", 9, zk.NoNode, 9},
		"a missing parent is left alone":                        {"/q/y", 9, zk.NoNode, 7},
		"the root stays":                                        {"/", 9, zk.NoNode, 7},
		"an empty path does not mean the root":                  {"", 9, zk.NoNode, 7},
		"a path that ends with a slash is none":                 {"/p/x/", 9, zk.NoNode, 7},
		"two slashes do not lead to a child of the root":        {"//p", 9, zk.NoNode, 7},
		"a path without a slash names nothing":                  {"p", 9, zk.NoNode, 7},
		"a name that ends like another one is told from it":     {"/p/xx", 9, zk.NoNode, 9},
		"a path that only shares its last element is not found": {"/zookeeper/x", 9, zk.NoNode, 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := New(3)
			do(tr, 6, create("/p", "", 1))
			do(tr, 7, create("/p/x", "", 1))
			out := do(tr, c.zxid, remove(c.path))
			if out.Results[0].Err != c.err || out.Results[0].Stat != (zk.Stat{}) {
				t.Fatalf("%+v", out.Results)
			}
			if s := stored(t, tr, "/p"); s.Pzxid != c.pzxid || s.Cversion != 1 {
				t.Fatalf("parent %+v", s)
			}
			if _, ok := tr.Find("/p/x"); ok != (c.err != zk.OK) {
				t.Fatalf("/p/x there: %v", ok)
			}
			checkTree(t, tr)
		})
	}
}

func TestDeletingAZnodeWithChildrenTakesThemToo(t *testing.T) {
	tr := New(3)
	do(tr, 2, create("/a", "", 1))
	for i, p := range []string{"/a/b", "/a/b/c", "/a/b/d", "/a/e"} {
		do(tr, zk.Zxid(3+i), create(p, "some data", -1))
	}
	out := do(tr, 9, remove("/a"))
	if len(out.Changes) != 1 || out.Results[0].Err != zk.OK || tr.Znodes() != 4 {
		t.Fatalf("%+v, %d znodes", out, tr.Znodes())
	}
	checkTree(t, tr)
}

func TestSetData(t *testing.T) {
	for _, op := range []zk.OpCode{zk.OpSetData, zk.OpReconfig} {
		for _, data := range [][]byte{nil, {}, []byte("short"), make([]byte, 300), make([]byte, 20_000), make([]byte, 100_000)} {
			tr := New(3)
			do(tr, 5, create("/a", "first", 1))
			out := do(tr, 8, txn.Txn{Type: op, Path: "/a", Data: data, Version: -1})
			want := zk.StoredStat{Czxid: 5, Mzxid: 8, Pzxid: 5, CtimeMS: 1005, MtimeMS: 1008, Version: -1}
			if s := stored(t, tr, "/a"); s != want || out.Results[0].Stat != want.Wire(int32(len(data)), 0) {
				t.Fatalf("%+v %+v", s, out.Results)
			}
			r, _ := tr.Find("/a")
			if got := tr.Data(r); !slices.Equal(got, data) || (got == nil) != (data == nil) {
				t.Fatalf("%d bytes became %d", len(data), len(got))
			}
			checkTree(t, tr)
		}
	}
	tr := New(3)
	if out := do(tr, 8, txn.Txn{Type: zk.OpSetData, Path: "/no", Version: 1}); out.Results[0].Err != zk.NoNode || len(out.Changes) != 0 {
		t.Fatalf("%+v", out)
	}
	out := do(tr, 9, txn.Txn{Type: zk.OpSetData, Path: "/", Data: []byte("root"), Version: 1})
	if c := out.Changes[0]; c.Kind != DataChanged || c.Path != "/" || c.ParentPath != "" {
		t.Fatalf("%+v", c)
	}
	checkTree(t, tr)
}

func TestSetACLChangesTheAversionAndNothingElse(t *testing.T) {
	tr := New(3)
	do(tr, 5, create("/a", "x", 1))
	want := stored(t, tr, "/a")
	want.Aversion = 4
	acl := []zk.ACL{{Perms: 1, ID: zk.AnyoneID}, {Perms: 2, ID: zk.ID{Scheme: "ip", ID: "::1"}}}
	out := do(tr, 8, txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: acl, Version: 4})
	r, _ := tr.Find("/a")
	if tr.Stored(r) != want || !reflect.DeepEqual(tr.ACL(r), acl) || out.Results[0].Stat != want.Wire(1, 0) {
		t.Fatalf("%+v %v %+v", tr.Stored(r), tr.ACL(r), out)
	}
	told := []Change{{Kind: ACLChanged, Path: "/a", Zxid: 8, ACL: acl, OldACL: zk.OpenACL}}
	if !reflect.DeepEqual(out.Changes, told) {
		t.Fatalf("tells %+v, want %+v", out.Changes, told)
	}
	checkTree(t, tr)
	if out := do(tr, 9, txn.Txn{Type: zk.OpSetACL, Path: "/b", ACL: acl}); out.Results[0].Err != zk.NoNode || len(out.Changes) != 0 {
		t.Fatalf("%+v", out)
	}
	checkTree(t, tr)
}

func TestMulti(t *testing.T) {
	set := txn.Txn{Type: zk.OpSetData, Path: "/m", Data: []byte("v"), Version: 1}
	check := txn.Txn{Type: zk.OpCheck, Path: "/m", Version: 1}
	fail := func(c zk.Code) txn.Txn { return txn.Txn{Type: zk.OpError, Err: c} }
	cases := map[string]struct {
		ops     []txn.Txn
		types   []zk.OpCode
		errs    []zk.Code
		changes []ChangeKind
	}{
		"an empty multi does nothing": {},
		"all operations are applied in order": {
			[]txn.Txn{create("/m", "", 1), check, set, remove("/m")},
			[]zk.OpCode{zk.OpCreate, zk.OpCheck, zk.OpSetData, zk.OpDelete},
			[]zk.Code{0, 0, 0, 0}, []ChangeKind{Created, DataChanged, Deleted},
		},
		"one error keeps every operation from being applied": {
			[]txn.Txn{create("/m", "", 1), fail(zk.BadVersion), fail(zk.RuntimeInconsistency)},
			[]zk.OpCode{zk.OpError, zk.OpError, zk.OpError},
			[]zk.Code{0, zk.BadVersion, zk.RuntimeInconsistency}, nil,
		},
		"an operation that fails in a replay does not stop the others": {
			[]txn.Txn{remove("/m"), create("/m", "", 1), create("/m", "", 1), set},
			[]zk.OpCode{zk.OpDelete, zk.OpCreate, zk.OpCreate, zk.OpSetData},
			[]zk.Code{zk.NoNode, 0, zk.NodeExists, 0}, []ChangeKind{Created, DataChanged},
		},
		"what may not be in a multi is not applied": {
			[]txn.Txn{{Type: zk.OpCloseSession, Paths: []string{"/zookeeper"}}, {Type: zk.OpMulti, Ops: []txn.Txn{create("/m", "", 1)}}},
			[]zk.OpCode{zk.OpCloseSession, zk.OpMulti}, []zk.Code{zk.Unimplemented, zk.Unimplemented}, nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := New(3)
			digest := tr.Digest()
			out := do(tr, 4, txn.Txn{Type: zk.OpMulti, Ops: c.ops})
			var types []zk.OpCode
			var errs []zk.Code
			for _, r := range out.Results {
				types, errs = append(types, r.Type), append(errs, r.Err)
			}
			var kinds []ChangeKind
			for _, ch := range out.Changes {
				kinds = append(kinds, ch.Kind)
			}
			if !slices.Equal(types, c.types) || !slices.Equal(errs, c.errs) || !slices.Equal(kinds, c.changes) {
				t.Fatalf("%+v", out)
			}
			if (c.changes == nil) != (tr.Digest() == digest) || tr.Zxid() != 4 {
				t.Fatalf("digest %#x, before %#x, zxid %v", tr.Digest(), digest, tr.Zxid())
			}
			checkTree(t, tr)
		})
	}
}

func TestChangesSayWhatWatchesNeed(t *testing.T) {
	acl := []zk.ACL{{Perms: zk.PermRead, ID: zk.AnyoneID}}
	tr := New(3)
	a := create("/a", "0", 1)
	a.ACL = acl
	toNull, longer := txn.Txn{Type: zk.OpSetData, Path: "/a/b"}, txn.Txn{Type: zk.OpSetData, Path: "/a/b", Data: []byte("a longer one")}
	out := do(tr, 4, txn.Txn{Type: zk.OpMulti, Ops: []txn.Txn{a, create("/a/b", "first", 1), toNull, longer, remove("/a/b"), remove("/a")}})
	want := []Change{
		{Created, "/a", 4, acl, nil, "/", zk.OpenACL, []byte("0"), nil},
		{Created, "/a/b", 4, zk.OpenACL, nil, "/a", acl, []byte("first"), nil},
		{DataChanged, "/a/b", 4, zk.OpenACL, nil, "/a", acl, nil, []byte("first")},
		{DataChanged, "/a/b", 4, zk.OpenACL, nil, "/a", acl, []byte("a longer one"), nil},
		{Deleted, "/a/b", 4, zk.OpenACL, nil, "/a", acl, nil, []byte("a longer one")},
		{Deleted, "/a", 4, acl, nil, "/", zk.OpenACL, nil, []byte("0")},
	}
	if !reflect.DeepEqual(out.Changes, want) {
		t.Fatalf("%+v", out.Changes)
	}
	out.Reset()
	if len(out.Changes)+len(out.Results) != 0 || cap(out.Changes) < 4 {
		t.Fatalf("%+v after Reset", out)
	}
}

func TestTheZxidMovesWithEveryTxnAndNeverBack(t *testing.T) {
	tr := New(3)
	for _, c := range []struct{ apply, want zk.Zxid }{{5, 5}, {9, 9}, {7, 9}, {1 << 32, 1 << 32}} {
		out := do(tr, c.apply, txn.Txn{Type: zk.OpError, Err: zk.NoAuth})
		if tr.Zxid() != c.want || out.Results[0] != (Result{Type: zk.OpError, Err: zk.NoAuth}) {
			t.Fatalf("zxid %v, %+v", tr.Zxid(), out)
		}
	}
	if do(tr, 1<<32+1, txn.Txn{Type: 99}).Results[0].Err != zk.Unimplemented {
		t.Fatal("an unknown type was applied")
	}
	if tr.SetZxid(3); tr.Zxid() != 3 {
		t.Fatal("SetZxid did not")
	}
}

func TestApplyKeepsNothingOfTheTxn(t *testing.T) {
	tr := New(3)
	record := txn.Record{
		Header: txn.Header{Session: 1, Zxid: 2, TimeMS: 3, Type: zk.OpMulti},
		Txn: txn.Txn{Type: zk.OpMulti, Ops: []txn.Txn{
			{Type: zk.OpCreate, Path: "/aaaa", Data: []byte("dddd"), ACL: []zk.ACL{{Perms: 1, ID: zk.ID{Scheme: "digest", ID: "user:pass"}}}, ParentCversion: 1},
			create("/zookeeper/quota/aaaa", "", 1), create("/zookeeper/quota/aaaa/zookeeper_limits", "count=1,bytes=1", 1),
			create("/zookeeper/quota/aaaa/zookeeper_stats", "", 1),
		}},
	}
	b := record.Append(nil)
	var again txn.Record
	if err := again.Decode(b); err != nil {
		t.Fatal(err)
	}
	tr.Apply(&again.Header, &again.Txn, nil)
	clear(b)
	r, ok := tr.Find("/aaaa")
	if !ok || string(tr.Data(r)) != "dddd" || tr.ACL(r)[0].ID.ID != "user:pass" {
		t.Fatalf("%v %q %v", ok, tr.Data(r), tr.ACL(r))
	}
	if q, ok := tr.Quota("/aaaa/x"); !ok || q.Path != "/aaaa" {
		t.Fatalf("quota %+v %v", q, ok)
	}
	checkTree(t, tr)
}
