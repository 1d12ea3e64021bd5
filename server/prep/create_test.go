package prep

import (
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// made up access lists that no create may have.
var (
	unknownScheme = zk.ID{Scheme: "no-such", ID: "x"}
	nullScheme    = zk.ID{Scheme: null, ID: "x"}
	nullID        = zk.ID{Scheme: "world", ID: null}
)

func withACL(r zk.Request, acl ...zk.ACL) zk.Request {
	r.ACL = append([]zk.ACL{}, acl...)
	return r
}

func withOp(r zk.Request, op zk.OpCode) zk.Request {
	r.Op = op
	return r
}

func TestCreateModes(t *testing.T) {
	extended := Config{ExtendedTypes: true}
	judgeRows(t, map[string]row{
		"a persistent znode carries its parent's new count of creates": {req: create("/a"),
			txn: &txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"null data stays null": {req: zk.Request{Op: zk.OpCreate, Path: "/a", TTLMS: -1},
			txn: &txn.Txn{Type: zk.OpCreate, Path: "/a", ACL: zk.OpenACL, ParentCversion: 1}},
		"create2 is logged as itself": {req: withOp(create("/a"), zk.OpCreate2),
			txn: &txn.Txn{Type: zk.OpCreate2, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"an ephemeral says so": {req: made("/a", zk.Ephemeral),
			txn: &txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, Ephemeral: true, ParentCversion: 1}},
		"the container flag in a plain create makes a persistent znode": {req: made("/a", zk.Container),
			txn: &txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"a container": {req: container("/a"),
			txn: &txn.Txn{Type: zk.OpCreateContainer, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"createContainer with a persistent flag makes a container": {req: withOp(create("/a"), zk.OpCreateContainer),
			txn: &txn.Txn{Type: zk.OpCreateContainer, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"createContainer with the ephemeral flag makes a container": {req: withOp(made("/a", zk.Ephemeral), zk.OpCreateContainer),
			txn: &txn.Txn{Type: zk.OpCreateContainer, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"createContainer with a sequential flag appends a number": {req: withOp(made("/a", zk.EphemeralSequential), zk.OpCreateContainer),
			txn: &txn.Txn{Type: zk.OpCreateContainer, Path: "/a0000000000", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"a TTL znode": {cfg: extended, req: ttl("/a", zk.PersistentTTL, 1),
			txn: &txn.Txn{Type: zk.OpCreateTTL, Path: "/a", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1, TTLMS: 1}},
		"a sequential TTL znode with the longest time": {cfg: extended, req: ttl("/a", zk.PersistentSequentialTTL, 1<<40-1),
			txn: &txn.Txn{Type: zk.OpCreateTTL, Path: "/a0000000000", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1, TTLMS: 1<<40 - 1}},
		"a time to live beyond 40 bits is refused":                       {cfg: extended, req: ttl("/a", zk.PersistentTTL, 1<<40), want: zk.BadArguments},
		"a time to live of 0 is refused":                                 {cfg: extended, req: ttl("/a", zk.PersistentTTL, 0), want: zk.BadArguments},
		"a negative time to live is refused":                             {cfg: extended, req: ttl("/a", zk.PersistentTTL, -1), want: zk.BadArguments},
		"TTL flags without extended types are not implemented":           {req: ttl("/a", zk.PersistentTTL, 1), want: zk.Unimplemented},
		"not being implemented comes before the time to live":            {req: ttl("/a", zk.PersistentTTL, 0), want: zk.Unimplemented},
		"a TTL flag in a plain create has no time to live":               {cfg: extended, req: made("/a", zk.PersistentTTL), want: zk.BadArguments},
		"a TTL flag in createContainer has no time to live":              {cfg: extended, req: withOp(made("/a", zk.PersistentTTL), zk.OpCreateContainer), want: zk.BadArguments},
		"createTTL with another flag and a time to live is refused":      {cfg: extended, req: ttl("/a", zk.Persistent, 5), want: zk.BadArguments},
		"createTTL with another flag and no time to live is refused too": {cfg: extended, req: ttl("/a", zk.Persistent, -1), want: zk.BadArguments},
		"a flag above 6 is refused":                                      {req: made("/a", 7), want: zk.BadArguments},
		"a negative flag is refused":                                     {req: made("/a", -1), want: zk.BadArguments},
		"a body that did not decode":                                     {req: zk.Request{Op: zk.OpCreate, Malformed: true}, want: zk.MarshallingError},
	})
}

func TestCreateChecksInOrder(t *testing.T) {
	closing, unknown := &Asker{Session: ann, State: zk.SessionExpired, IDs: anonymous}, &Asker{Session: ann, State: zk.UnknownSession, IDs: anonymous}
	moved := &Asker{Session: ann, State: zk.SessionMoved, IDs: anonymous}
	readOnly := guarded(create("/p"), zk.PermAll&^zk.PermCreate, zk.AnyoneID)
	ephemeral := made("/e", zk.Ephemeral)
	judgeRows(t, map[string]row{
		"the flag comes before the session":                        {by: closing, req: made("/a", 9), want: zk.BadArguments},
		"a closing session has expired":                            {by: closing, req: create("/a"), want: zk.SessionExpired},
		"an unknown session is unknown":                            {by: unknown, req: create("/a"), want: zk.UnknownSession},
		"a session that is served elsewhere, also for ephemerals":  {by: moved, req: made("/a", zk.Ephemeral), want: zk.SessionMoved},
		"an unknown session has expired for ephemerals":            {by: unknown, req: made("/a", zk.EphemeralSequential), want: zk.SessionExpired},
		"the session comes before the path":                        {by: unknown, req: create("a"), want: zk.UnknownSession},
		"a path without a slash":                                   {req: create("a"), want: zk.BadArguments},
		"an empty path":                                            {req: create(""), want: zk.BadArguments},
		"a null path":                                              {req: create(null), want: zk.MarshallingError},
		"a path with a null character":                             {req: create("/a\x00"), want: zk.BadArguments},
		"the light check comes before the list":                    {req: withACL(create("a")), want: zk.BadArguments},
		"an empty list comes before the missing parent":            {req: withACL(create("/no/such")), want: zk.InvalidACL},
		"an unknown scheme is an invalid list":                     {req: guarded(create("/a"), 31, unknownScheme), want: zk.InvalidACL},
		"a null scheme is an invalid list":                         {req: guarded(create("/a"), 31, nullScheme), want: zk.InvalidACL},
		"a null id is not understood":                              {req: guarded(create("/a"), 31, nullID), want: zk.MarshallingError},
		"the list comes before the full path check":                {req: guarded(create("/a/../b"), 31, unknownScheme), want: zk.InvalidACL},
		"the parent is missing":                                    {req: create("/no/such"), want: zk.NoNode},
		"a relative path whose parent is missing":                  {req: create("/a/../b"), want: zk.NoNode},
		"a relative path whose parent is there":                    {given: []zk.Request{create("/a")}, req: create("/a/.."), want: zk.BadArguments},
		"the missing parent comes before the path that is no path": {req: create("/foo/"), want: zk.NoNode},
		"a trailing slash":                                         {given: []zk.Request{create("/foo")}, req: create("/foo/"), want: zk.BadArguments},
		"a trailing slash and a number make a name": {given: []zk.Request{create("/foo")}, req: made("/foo/", zk.PersistentSequential),
			txn: &txn.Txn{Type: zk.OpCreate, Path: "/foo/0000000000", Data: []byte("data"), ACL: zk.OpenACL, ParentCversion: 1}},
		"two slashes":                                      {req: create("//a"), want: zk.BadArguments},
		"a control character":                              {req: create("/a\x1f"), want: zk.BadArguments},
		"a character outside the basic plane":              {req: create("/\U0001F600"), want: zk.BadArguments},
		"no permission on the parent":                      {given: []zk.Request{readOnly}, req: create("/p/a"), want: zk.NoAuth},
		"no permission comes before the path":              {given: []zk.Request{readOnly}, req: create("/p/.."), want: zk.NoAuth},
		"the root is there":                                {req: create("/"), want: zk.NodeExists},
		"a system znode is there":                          {req: create("/zookeeper/quota"), want: zk.NodeExists},
		"what exists":                                      {given: []zk.Request{create("/a")}, req: create("/a"), want: zk.NodeExists},
		"what was deleted may be created again":            {given: []zk.Request{create("/a"), remove("/a", 0)}, req: create("/a")},
		"the number that comes next is taken by a znode":   {given: []zk.Request{create("/a0000000001")}, req: made("/a", zk.PersistentSequential), want: zk.NodeExists},
		"an ephemeral has no children":                     {given: []zk.Request{ephemeral}, req: create("/e/a"), want: zk.NoChildrenForEphemerals},
		"a list that is invalid comes before that":         {given: []zk.Request{ephemeral}, req: withACL(create("/e/a")), want: zk.InvalidACL},
		"a path that is no path comes before that":         {given: []zk.Request{ephemeral}, req: create("/e/."), want: zk.BadArguments},
		"a container may have children":                    {given: []zk.Request{container("/c")}, req: made("/c/a", zk.Ephemeral)},
		"a TTL znode may have children":                    {cfg: Config{ExtendedTypes: true}, given: []zk.Request{ttl("/t", zk.PersistentTTL, 9)}, req: create("/t/a")},
		"clients may create below /zookeeper":              {req: create("/zookeeper/mine")},
		"a child of a znode that was deleted has no place": {given: []zk.Request{create("/a"), remove("/a", -1)}, req: create("/a/b"), want: zk.NoNode},
	})
}

func TestACLsAreFixedBeforeTheyAreLogged(t *testing.T) {
	asAnn := &Asker{Session: ann, IDs: annIDs}
	authEntry := zk.ACL{Perms: zk.PermRead, ID: zk.ID{Scheme: "auth", ID: "whatever"}}
	open := zk.OpenACL[0]
	withList := func(acl ...zk.ACL) *txn.Txn {
		return &txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("data"), ACL: acl, ParentCversion: 1}
	}
	judgeRows(t, map[string]row{
		"auth becomes the digest of the asker":   {by: asAnn, req: withACL(create("/a"), authEntry), txn: withList(zk.ACL{Perms: zk.PermRead, ID: annID})},
		"auth without an identity is invalid":    {req: withACL(create("/a"), authEntry), want: zk.InvalidACL},
		"duplicates go":                          {req: withACL(create("/a"), open, open), txn: withList(open)},
		"perms are stored as they come":          {req: withACL(create("/a"), zk.ACL{Perms: 1 << 20, ID: zk.AnyoneID}), txn: withList(zk.ACL{Perms: 1 << 20, ID: zk.AnyoneID})},
		"an address":                             {req: guarded(create("/a"), 31, zk.ID{Scheme: "ip", ID: "10.0.0.0/8"})},
		"what is no address":                     {req: guarded(create("/a"), 31, zk.ID{Scheme: "ip", ID: "10.0.0"}), want: zk.InvalidACL},
		"world is anyone":                        {req: guarded(create("/a"), 31, zk.ID{Scheme: "world", ID: "nobody"}), want: zk.InvalidACL},
		"a znode's list holds for its children":  {given: []zk.Request{guarded(create("/p"), 31, annID)}, req: create("/p/a"), want: zk.NoAuth},
		"and lets in whom it names":              {given: []zk.Request{guarded(create("/p"), zk.PermCreate, annID)}, by: asAnn, req: create("/p/a")},
		"an address in the list lets in":         {given: []zk.Request{guarded(create("/p"), 31, zk.ID{Scheme: "ip", ID: "10.0.0.0/8"})}, req: create("/p/a")},
		"another address is kept out":            {given: []zk.Request{guarded(create("/p"), 31, zk.ID{Scheme: "ip", ID: "10.0.0.2"})}, req: create("/p/a"), want: zk.NoAuth},
		"super passes every list":                {given: []zk.Request{guarded(create("/p"), 31, annID)}, by: &Asker{IDs: []zk.ID{{Scheme: "super"}}}, req: create("/p/a")},
		"a list changed in flight holds at once": {given: []zk.Request{create("/p"), setACL("/p", []zk.ACL{{Perms: zk.PermRead, ID: zk.AnyoneID}}, 0)}, req: create("/p/a"), want: zk.NoAuth},
	})
}

func TestSequenceNumbersCountCreates(t *testing.T) {
	sequence := func(path string) zk.Request { return made(path, zk.PersistentSequential) }
	for how, applied := range map[string]bool{"applied": true, "in flight": false} {
		t.Run(how, func(t *testing.T) {
			l := newLeader(t, Config{})
			var got []string
			for _, req := range []zk.Request{
				create("/q"), sequence("/q/n-"), sequence("/q/m-"), create("/q/plain"), sequence("/q/n-"), remove("/q/n-0000000003", -1),
				create("/q/n-0000000003/no"), sequence("/q/"), sequence("/q"), set("/q", "x", -1), made("/q/e-", zk.EphemeralSequential),
			} {
				if rec := l.judge(req); req.Mode.IsSequential() {
					got = append(got, rec.Txn.Path)
				}
				if applied {
					l.land()
				}
			}
			l.land()
			want := []string{"/q/n-0000000000", "/q/m-0000000001", "/q/n-0000000003", "/q/0000000004", "/q0000000001", "/q/e-0000000005"}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("got %q, want %q", got, want)
					break
				}
			}
			if s := l.stored("/q"); s.Cversion != 6 || s.Pzxid != 11 || s.Mzxid != 10 || s.Version != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// The counter of creates ends at 2147483647: a wrapped one is refused by the tree, and so by the judgement.
func TestSequenceNumbersDoNotWrap(t *testing.T) {
	for how, applied := range map[string]bool{"applied": true, "in flight": false} {
		t.Run(how, func(t *testing.T) {
			l := newLeader(t, Config{})
			l.do(create("/q"))
			l.zxid++
			last := txn.Record{Header: txn.Header{Zxid: l.zxid, Type: zk.OpCreate},
				Txn: txn.Txn{Type: zk.OpCreate, Path: "/q/last", ACL: zk.OpenACL, ParentCversion: 1<<31 - 1}}
			l.apply(&last)
			l.prep = New(Config{}, l.prep.auth, l.tree)
			want := []struct {
				path   string
				parent int32
				code   zk.Code
			}{{"/q/n2147483647", -1 << 31, zk.OK}, {"", 0, zk.NodeExists}, {"", 0, zk.NodeExists}}
			for i, w := range want {
				rec := l.judge(made("/q/n", zk.PersistentSequential))
				if codeOf(&rec) != w.code || rec.Txn.Path != w.path || rec.Txn.ParentCversion != w.parent {
					t.Errorf("%d: %v %q %d", i, codeOf(&rec), rec.Txn.Path, rec.Txn.ParentCversion)
				}
				if applied {
					l.land()
				}
			}
			l.land()
			if s := l.stored("/q"); s.Cversion != 1<<31-1 || s.Pzxid != 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestTheHeaderSaysWhoseWhenAndWhat(t *testing.T) {
	l := newLeader(t, Config{})
	rec := l.judge(create("/a"))
	want := txn.Header{Session: ann, Cxid: 101, Zxid: 1, TimeMS: 1_700_000_000_001, Type: zk.OpCreate}
	if rec.Header != want {
		t.Errorf("%+v", rec.Header)
	}
	rec = l.judge(create("/a"))
	want = txn.Header{Session: ann, Cxid: 102, Zxid: 2, TimeMS: 1_700_000_000_002, Type: zk.OpError}
	if rec.Header != want || rec.Txn.Type != zk.OpError {
		t.Errorf("%+v", rec.Header)
	}
	l.land()
}

// The digests are those that ZooKeeper logs for the same txns.
func TestDigestsAreZooKeepers(t *testing.T) {
	l := newLeader(t, Config{})
	var rec txn.Record
	by := Asker{Session: ann, Zxid: 1, TimeMS: 1_700_000_000_000}
	l.prep.OpenSession(30_000, by, &rec)
	if rec.Header.Type != zk.OpCreateSession || rec.Txn.TimeoutMS != 30_000 || rec.Digest.Tree != 0x51c6d660 {
		t.Errorf("%+v", rec)
	}
	l.fly(rec)
	by.Zxid = 2
	l.prep.Judge(&zk.Request{Op: zk.OpCreate, Path: "/a", Data: []byte("hello"), ACL: zk.OpenACL, TTLMS: -1}, by, &rec)
	if rec.Digest.Version != 2 || rec.Digest.Tree != 0xf5db6395 {
		t.Errorf("%+v", rec.Digest)
	}
	l.fly(rec)
	l.land()
}
