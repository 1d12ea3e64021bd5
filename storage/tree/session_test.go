package tree

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// as applies a txn of the given session.
func as(tr *Tree, id zk.SessionID, z zk.Zxid, body txn.Txn) Outcome {
	var out Outcome
	tr.Apply(&txn.Header{Session: id, Zxid: z, Type: body.Type}, &body, &out)
	return out
}

func ephemeral(path string) txn.Txn {
	b := create(path, "", -1)
	b.Ephemeral = true
	return b
}

func TestSessionsComeAndGo(t *testing.T) {
	tr := New(1)
	for _, id := range []zk.SessionID{9, -3, 4} {
		out := as(tr, id, zk.Zxid(10+id), txn.Txn{Type: zk.OpCreateSession, TimeoutMS: int32(id) * 100})
		if len(out.Results) != 1 || out.Results[0].Type != zk.OpCreateSession {
			t.Fatalf("%+v", out)
		}
	}
	want := []SessionEntry{{-3, -300}, {4, 400}, {9, 900}}
	if got := tr.Sessions(); !slices.Equal(got, want) || tr.SessionCount() != 3 {
		t.Fatalf("%v", got)
	}
	as(tr, 4, 20, txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 1})
	if timeout, ok := tr.Session(4); timeout != 1 || !ok {
		t.Fatalf("%d %v after it was created again", timeout, ok)
	}
	as(tr, 4, 21, txn.Txn{Type: zk.OpCloseSession})
	as(tr, 5, 22, txn.Txn{Type: zk.OpCloseSession}) // never existed
	if _, ok := tr.Session(4); ok || tr.SessionCount() != 2 || tr.Zxid() != 22 {
		t.Fatalf("session there: %v, %d sessions, zxid %v", ok, tr.SessionCount(), tr.Zxid())
	}
}

func TestCloseSession(t *testing.T) {
	cases := map[string]struct {
		listed []string
		want   []string // deleted, in order
	}{
		"without a list all ephemerals of the session go":   {nil, []string{"/b", "/c", "/p/a"}},
		"a list is followed in its order":                   {[]string{"/p/a", "/c", "/b"}, []string{"/p/a", "/c", "/b"}},
		"what the list leaves out goes afterwards":          {[]string{"/c"}, []string{"/c", "/b", "/p/a"}},
		"an empty list leaves nothing either":               {[]string{}, []string{"/b", "/c", "/p/a"}},
		"what is missing is skipped":                        {[]string{"/gone", "/no/such", "/b", "/c", "/p/a"}, []string{"/b", "/c", "/p/a"}},
		"what another session owns now goes if it is named": {[]string{"/b", "/other", "/c", "/p/a"}, []string{"/b", "/other", "/c", "/p/a"}},
		"a path named twice goes once":                      {[]string{"/b", "/b"}, []string{"/b", "/c", "/p/a"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := New(1)
			as(tr, 7, 2, txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 5000})
			as(tr, 7, 3, create("/p", "", -1))
			for i, p := range []string{"/c", "/p/a", "/b"} {
				as(tr, 7, zk.Zxid(4+i), ephemeral(p))
			}
			as(tr, 8, 9, ephemeral("/other"))
			if got := tr.Ephemerals(7); !slices.Equal(got, []string{"/b", "/c", "/p/a"}) {
				t.Fatalf("ephemerals %v", got)
			}
			out := as(tr, 7, 20, txn.Txn{Type: zk.OpCloseSession, Paths: c.listed})
			var got []string
			for _, ch := range out.Changes {
				if ch.Kind != Deleted || ch.Zxid != 20 {
					t.Fatalf("%+v", ch)
				}
				got = append(got, ch.Path)
			}
			if !slices.Equal(got, c.want) || len(out.Results) != 1 || out.Results[0].Err != zk.OK {
				t.Fatalf("deleted %v, want %v; %+v", got, c.want, out.Results)
			}
			if s := stored(t, tr, "/p"); s.Pzxid != 20 || tr.Ephemerals(7) != nil {
				t.Fatalf("%+v, %v left", s, tr.Ephemerals(7))
			}
			checkTree(t, tr)
		})
	}
}

func TestEphemeralsAreListedBySession(t *testing.T) {
	tr := New(1)
	as(tr, 5, 2, ephemeral("/z"))
	as(tr, 5, 3, ephemeral("/a"))
	as(tr, 2, 4, ephemeral("/m"))
	as(tr, 3, 5, create("/plain", "", -1))
	want := []SessionPaths{{2, []string{"/m"}}, {5, []string{"/a", "/z"}}}
	if got := tr.EphemeralsBySession(); !reflect.DeepEqual(got, want) || tr.EphemeralCount() != 3 {
		t.Fatalf("%v", got)
	}
	as(tr, 0, 6, remove("/m"))
	if got := tr.EphemeralsBySession(); !reflect.DeepEqual(got, want[1:]) {
		t.Fatalf("%v", got)
	}
}

func TestRemoveOrphansDeletesWhatDeadSessionsOwn(t *testing.T) {
	tr := New(1)
	as(tr, 1, 2, txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 5000})
	as(tr, 1, 3, ephemeral("/alive"))
	as(tr, 2, 4, create("/p", "", -1))
	as(tr, 2, 5, ephemeral("/p/dead2"))
	as(tr, 2, 6, ephemeral("/p/dead1"))
	as(tr, 3, 7, ephemeral("/dead3"))
	as(tr, 3, 30, txn.Txn{Type: zk.OpCreateContainer, Path: "/cont", ParentCversion: -1})
	want := []SessionPaths{{2, []string{"/p/dead1", "/p/dead2"}}, {3, []string{"/dead3"}}}
	if got := tr.RemoveOrphans(); !reflect.DeepEqual(got, want) {
		t.Fatalf("%v", got)
	}
	if tr.Zxid() != 30 || stored(t, tr, "/p").Pzxid != 30 || tr.EphemeralCount() != 1 {
		t.Fatalf("zxid %v, %+v", tr.Zxid(), stored(t, tr, "/p"))
	}
	if got := tr.RemoveOrphans(); got != nil {
		t.Fatalf("twice: %v", got)
	}
	checkTree(t, tr)
}

func TestExpirable(t *testing.T) {
	const now, neverUsed = 1_000_000, 1000
	container := func(path string) txn.Txn {
		return txn.Txn{Type: zk.OpCreateContainer, Path: path, ParentCversion: -1}
	}
	ttl := func(path string, ms int64) txn.Txn {
		return txn.Txn{Type: zk.OpCreateTTL, Path: path, ParentCversion: -1, TTLMS: ms}
	}
	type step struct {
		at   int64
		body txn.Txn
	}
	cases := map[string]struct {
		neverUsed int64
		steps     []step
		want      []string
	}{
		"a container that lost its last child":       {neverUsed, []step{{now, container("/x")}, {now, create("/x/y", "", -1)}, {now, remove("/x/y")}}, []string{"/x"}},
		"a container with a child":                   {neverUsed, []step{{0, container("/x")}, {0, create("/x/y", "", -1)}}, nil},
		"a young container that never had one":       {neverUsed, []step{{now - neverUsed, container("/x")}}, nil},
		"an old container that never had one":        {neverUsed, []step{{now - neverUsed - 1, container("/x")}}, []string{"/x"}},
		"an old one where those are spared":          {0, []step{{0, container("/x")}}, nil},
		"a container deleted meanwhile":              {neverUsed, []step{{0, container("/x")}, {0, remove("/x")}}, nil},
		"a TTL znode whose time is just up":          {neverUsed, []step{{now - 500, ttl("/x", 500)}}, nil},
		"a TTL znode whose time is over":             {neverUsed, []step{{now - 501, ttl("/x", 500)}}, []string{"/x"}},
		"a TTL znode with a child":                   {neverUsed, []step{{0, ttl("/x", 500)}, {0, create("/x/y", "", -1)}}, nil},
		"a TTL znode without its child again":        {neverUsed, []step{{0, ttl("/x", 500)}, {now, create("/x/y", "", -1)}, {now, remove("/x/y")}}, []string{"/x"}},
		"setData gives a TTL znode its time again":   {neverUsed, []step{{0, ttl("/x", 500)}, {now - 1, txn.Txn{Type: zk.OpSetData, Path: "/x"}}}, nil},
		"the longest time to live is not over":       {neverUsed, []step{{0, ttl("/x", zk.TTLMaxMS)}}, nil},
		"plain and ephemeral znodes are not touched": {neverUsed, []step{{0, create("/x", "", -1)}, {0, ephemeral("/y")}}, nil},
		"several, sorted":                            {neverUsed, []step{{0, ttl("/c", 1)}, {0, container("/a")}, {0, ttl("/b", 1)}}, []string{"/a", "/b", "/c"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr := New(1)
			for i, s := range c.steps {
				tr.Apply(&txn.Header{Session: 3, Zxid: zk.Zxid(i + 2), TimeMS: s.at}, &s.body, nil)
			}
			if got := tr.Expirable(now, c.neverUsed, 10); !slices.Equal(got, c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
		})
	}
	tr := New(1)
	for i := range 20 {
		tr.Apply(&txn.Header{Zxid: 2}, &txn.Txn{Type: zk.OpCreateTTL, Path: fmt.Sprintf("/%02d", i), TTLMS: 1}, nil)
	}
	if got := tr.Expirable(now, 0, 3); !slices.Equal(got, []string{"/00", "/01", "/02"}) {
		t.Fatalf("at most three: %v", got)
	}
}
