package prep

import (
	"fmt"
	"slices"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestAMultiSeesItsOwnEffects(t *testing.T) {
	readOnly := []zk.ACL{{Perms: zk.PermRead, ID: zk.AnyoneID}}
	cases := map[string]struct {
		given []zk.Request
		ops   []zk.Request
		want  []zk.Code // OK for all if nil
	}{
		"a child of a new znode":               {ops: []zk.Request{create("/a"), create("/a/b"), create("/a/b/c")}},
		"numbers go on":                        {ops: []zk.Request{create("/q"), made("/q/", zk.PersistentSequential), made("/q/", zk.PersistentSequential), check("/q/0000000001", 0)}},
		"versions go on":                       {ops: []zk.Request{create("/a"), set("/a", "1", 0), set("/a", "2", 1), check("/a", 2)}},
		"a znode goes and comes":               {given: []zk.Request{create("/a"), set("/a", "1", 0)}, ops: []zk.Request{remove("/a", 1), create("/a"), check("/a", 0)}},
		"a new znode goes again":               {ops: []zk.Request{create("/a"), create("/a/b"), remove("/a/b", 0), remove("/a", 0), create("/a")}},
		"what it made exists":                  {ops: []zk.Request{create("/a"), create("/b"), create("/a")}, want: []zk.Code{0, 0, zk.NodeExists}},
		"what it deleted is gone":              {given: []zk.Request{create("/a")}, ops: []zk.Request{remove("/a", 0), set("/a", "", -1), create("/b")}, want: []zk.Code{0, zk.NoNode, zk.RuntimeInconsistency}},
		"an empty multi":                       {ops: []zk.Request{}},
		"the first fails":                      {ops: []zk.Request{remove("/a", -1), create("/b"), create("/c")}, want: []zk.Code{zk.NoNode, zk.RuntimeInconsistency, zk.RuntimeInconsistency}},
		"a check of the version before":        {given: []zk.Request{create("/a")}, ops: []zk.Request{check("/a", 0), set("/a", "", 0), check("/a", 0)}, want: []zk.Code{0, 0, zk.BadVersion}},
		"a check of any version":               {given: []zk.Request{create("/a")}, ops: []zk.Request{check("/a", -1)}},
		"a check without permission to read":   {given: []zk.Request{guarded(create("/a"), zk.PermAll&^zk.PermRead, zk.AnyoneID)}, ops: []zk.Request{check("/a", 0)}, want: []zk.Code{zk.NoAuth}},
		"a check of what is missing":           {ops: []zk.Request{check("/a", -1)}, want: []zk.Code{zk.NoNode}},
		"a check of a null path":               {ops: []zk.Request{check(null, -1)}, want: []zk.Code{zk.BadArguments}},
		"a list that was just set":             {given: []zk.Request{create("/a")}, ops: []zk.Request{setACL("/a", readOnly, 0), set("/a", "", -1)}, want: []zk.Code{0, zk.NoAuth}},
		"an ephemeral that was just made":      {ops: []zk.Request{made("/e", zk.Ephemeral), set("/e", "x", 0), create("/e/a")}, want: []zk.Code{0, 0, zk.NoChildrenForEphemerals}},
		"a parent that still has a child":      {ops: []zk.Request{create("/a"), create("/a/b"), remove("/a", -1)}, want: []zk.Code{0, 0, zk.NotEmpty}},
		"an operation that cannot be in there": {ops: []zk.Request{create("/a"), {Op: zk.OpSync, Path: "/"}}, want: []zk.Code{0, zk.Unimplemented}},
	}
	for name, c := range cases {
		for how, applied := range map[string]bool{"applied": true, "in flight": false} {
			t.Run(name+"/"+how, func(t *testing.T) {
				l := newLeader(t, Config{})
				for _, req := range c.given {
					l.judge(req)
					if applied {
						l.land()
					}
				}
				before := l.prep.over.digest
				rec := l.judge(multi(c.ops...))
				failed := c.want != nil
				if rec.Header.Type != zk.OpMulti || len(rec.Txn.Ops) != len(c.ops) || rec.Txn.Failed() != failed {
					t.Fatalf("%+v", rec)
				}
				if failed && rec.Digest.Tree != before {
					t.Errorf("digest %x of a multi that changes nothing, want %x", rec.Digest.Tree, before)
				}
				results := l.land()
				for i := range results {
					want := zk.OK
					if failed {
						want = c.want[i]
					}
					if results[i].Err != want {
						t.Errorf("result %d: %v, want %v", i, results[i].Err, want)
					}
				}
				if failed { // the good ones before it are logged as what they are
					at := slices.IndexFunc(c.want, func(c zk.Code) bool { return c != zk.OK })
					for i := range rec.Txn.Ops {
						if want := c.ops[i].Op; i < at && rec.Txn.Ops[i].Type != want || i >= at && rec.Txn.Ops[i].Type != zk.OpError {
							t.Errorf("operation %d is logged as %v", i, rec.Txn.Ops[i].Type)
						}
					}
				}
			})
		}
	}
}

// A null path stops ZooKeeper's judgement of the whole multi with an exception.
func TestAMultiFailsAsAWholeOverWhatIsNotUnderstood(t *testing.T) {
	judgeRows(t, map[string]row{
		"a null path in a create":                  {req: multi(create("/a"), create(null), create("/b")), want: zk.MarshallingError},
		"a null path in a delete":                  {req: multi(create("/a"), remove(null, -1)), want: zk.MarshallingError},
		"a null id in a list":                      {req: multi(create("/a"), guarded(create("/b"), 31, nullID)), want: zk.MarshallingError},
		"a read among writes":                      {req: multi(create("/a"), zk.Request{Op: zk.OpGetData, Path: "/a"}), want: zk.MarshallingError},
		"what did not decode":                      {req: zk.Request{Op: zk.OpMulti, Malformed: true}, want: zk.MarshallingError},
		"a null path after a failure is not seen":  {req: multi(remove("/no", -1), create(null))},
		"an expired session fails the first alone": {by: &Asker{Session: ann, State: zk.SessionExpired}, req: multi(create("/a"), create(null))},
	})
}

// What a multi that failed had changed so far must not be seen by anyone, nor disturb what is in flight.
func TestAFailedMultiLeavesNoTrace(t *testing.T) {
	for _, end := range []zk.Request{check("/no", -1), create(null)} {
		for how, applied := range map[string]bool{"applied": true, "in flight": false} {
			t.Run(fmt.Sprintf("%v/%s", end.Op, how), func(t *testing.T) {
				l := newLeader(t, Config{})
				for _, req := range []zk.Request{create("/a"), create("/a/b"), made("/a/e", zk.Ephemeral), set("/a", "x", 0)} {
					l.judge(req)
					if applied {
						l.land()
					}
				}
				l.judge(multi(
					remove("/a/b", 0), remove("/a/e", 0), made("/a/e", zk.Ephemeral), set("/a/e", "y", 0), made("/a/f", zk.Ephemeral),
					set("/a", "y", 1), setACL("/a", zk.ReadOnlyACL, 0), create("/c"), made("/c/", zk.PersistentSequential), set("/", "z", 0), end))
				for _, after := range []struct {
					req  zk.Request
					want zk.Code
				}{
					{check("/a/b", 0), zk.OK}, {check("/a/e", 0), zk.OK}, {check("/a/f", -1), zk.NoNode}, {check("/a", 1), zk.OK},
					{check("/", 0), zk.OK}, {check("/c", -1), zk.NoNode}, {setACL("/a", zk.OpenACL, 0), zk.OK},
				} {
					rec := l.judge(multi(after.req))
					if got := rec.Txn.Ops[0].Err; got != after.want {
						t.Errorf("%v %s afterwards: %v, want %v", after.req.Op, after.req.Path, got, after.want)
					}
				}
				if rec := l.judge(made("/a/", zk.PersistentSequential)); rec.Txn.Path != "/a/0000000002" {
					t.Errorf("the next number is that of %s", rec.Txn.Path)
				}
				if rec := l.close(); !slices.Equal(rec.Txn.Paths, []string{"/a/e"}) {
					t.Errorf("the session leaves %q", rec.Txn.Paths)
				}
				l.land()
			})
		}
	}
}

// close ends the session of the asker.
func (l *leader) close() txn.Record {
	l.t.Helper()
	var rec txn.Record
	l.prep.CloseSession(l.asker(), &rec)
	return l.fly(rec)
}

func TestCloseSessionListsWhatTheSessionOwnsWhenItIsApplied(t *testing.T) {
	e := func(path string) zk.Request { return made(path, zk.Ephemeral) }
	cases := map[string]struct {
		applied, flying []zk.Request
		want            []string
	}{
		"nothing":                                 {want: []string{}},
		"sorted, whatever is in flight":           {applied: []zk.Request{create("/z"), e("/z/2"), e("/b")}, flying: []zk.Request{e("/z/1"), e("/a")}, want: []string{"/a", "/b", "/z/1", "/z/2"}},
		"not what was deleted in flight":          {applied: []zk.Request{e("/a"), e("/b")}, flying: []zk.Request{remove("/a", 0), e("/c"), remove("/c", 0)}, want: []string{"/b"}},
		"what was deleted and made again, once":   {applied: []zk.Request{e("/a")}, flying: []zk.Request{remove("/a", 0), e("/a")}, want: []string{"/a"}},
		"not what has become persistent":          {applied: []zk.Request{e("/a")}, flying: []zk.Request{remove("/a", 0), create("/a")}, want: []string{}},
		"not containers and their like":           {applied: []zk.Request{container("/c"), ttl("/t", zk.PersistentTTL, 5), create("/p")}, want: []string{}},
		"what changed in flight, once":            {applied: []zk.Request{e("/a")}, flying: []zk.Request{set("/a", "x", 0), setACL("/a", zk.ReadOnlyACL, 0), e("/b"), set("/b", "y", 0)}, want: []string{"/a", "/b"}},
		"what a multi made, and set, and removed": {flying: []zk.Request{multi(e("/a"), set("/a", "x", 0), e("/b"), remove("/b", 0), made("/s-", zk.EphemeralSequential))}, want: []string{"/a", "/s-0000000002"}},
		"not what a failed multi would have made": {applied: []zk.Request{e("/a")}, flying: []zk.Request{multi(e("/b"), set("/b", "x", 0), remove("/a", 0), check("/no", 0))}, want: []string{"/a"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, noPaths := range []bool{false, true} {
				l := newLeader(t, Config{ExtendedTypes: true, NoClosePaths: noPaths})
				l.do(c.applied...)
				for _, req := range c.flying {
					l.judge(req)
				}
				rec := l.close()
				switch {
				case noPaths && rec.Txn.Paths != nil:
					t.Errorf("paths are listed although that is switched off: %q", rec.Txn.Paths)
				case !noPaths && (rec.Txn.Paths == nil || !slices.Equal(rec.Txn.Paths, c.want)):
					t.Errorf("listed %q, want %q", rec.Txn.Paths, c.want)
				}
				l.land()
				if left := l.tree.Ephemerals(ann); len(left) != 0 {
					t.Errorf("left over: %q", left)
				}
			}
		})
	}
}

func TestAfterACloseInFlightItsEphemeralsAreGone(t *testing.T) {
	l := newLeader(t, Config{})
	l.do(create("/p"), made("/p/old", zk.Ephemeral))
	l.judge(made("/p/new", zk.Ephemeral))
	l.close()
	l.by.Session = bob
	for _, c := range []struct {
		req  zk.Request
		want zk.Code
	}{
		{set("/p/old", "x", -1), zk.NoNode}, {remove("/p/new", -1), zk.NoNode}, {made("/p/old", zk.Ephemeral), zk.OK}, {remove("/p", -1), zk.NotEmpty},
	} {
		if rec := l.judge(c.req); codeOf(&rec) != c.want {
			t.Errorf("%v %s: %v", c.req.Op, c.req.Path, codeOf(&rec))
		}
	}
	if rec := l.close(); !slices.Equal(rec.Txn.Paths, []string{"/p/old"}) {
		t.Errorf("the other session leaves %q", rec.Txn.Paths)
	}
	if rec := l.judge(remove("/p", 0)); codeOf(&rec) != zk.OK {
		t.Errorf("the parent is not empty: %v", codeOf(&rec))
	}
	l.land()
}

func TestOnlyTheFirstOfTwoClosesDeletes(t *testing.T) {
	l := newLeader(t, Config{})
	l.do(made("/e", zk.Ephemeral))
	first, second := l.close(), l.close()
	if !slices.Equal(first.Txn.Paths, []string{"/e"}) || len(second.Txn.Paths) != 0 {
		t.Errorf("%q, then %q", first.Txn.Paths, second.Txn.Paths)
	}
	l.land()
}

func TestDigestsCanBeSwitchedOff(t *testing.T) {
	l := newLeader(t, Config{NoDigest: true})
	for _, req := range []zk.Request{create("/a"), multi(create("/b"), create("/b/c")), multi(create("/b")), remove("/a", 0)} {
		if rec := l.judge(req); rec.HasDigest || rec.Digest != (txn.Digest{}) {
			t.Errorf("%v has the digest %+v", req.Op, rec.Digest)
		}
	}
	l.land()
	if l.tree.Digest() != l.prep.over.digest {
		t.Error("the digest is not kept while it is switched off")
	}
}

func TestACreate2InAMultiIsLoggedAsCreate(t *testing.T) {
	l := newLeader(t, Config{})
	rec := l.judge(multi(create("/a"), withOp(create("/b"), zk.OpCreate2), withOp(made("/c-", zk.EphemeralSequential), zk.OpCreate2)))
	for i, op := range rec.Txn.Ops {
		if op.Type != zk.OpCreate {
			t.Errorf("operation %d is logged as %v, which ZooKeeper 3.8 does not replay inside a multi", i, op.Type)
		}
	}
	if results := l.land(); results[2].Path != "/c-0000000002" {
		t.Errorf("%+v", results)
	}
}
