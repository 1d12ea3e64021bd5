package prep

import (
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestDelete(t *testing.T) {
	noDelete := guarded(create("/p"), zk.PermAll&^zk.PermDelete, zk.AnyoneID)
	closing := &Asker{Session: ann, State: zk.SessionExpired, IDs: anonymous}
	judgeRows(t, map[string]row{
		"the version it has":                  {given: []zk.Request{create("/a"), set("/a", "x", 0)}, req: remove("/a", 1), txn: &txn.Txn{Type: zk.OpDelete, Path: "/a"}},
		"any version":                         {given: []zk.Request{create("/a")}, req: remove("/a", -1), txn: &txn.Txn{Type: zk.OpDelete, Path: "/a"}},
		"another version":                     {given: []zk.Request{create("/a")}, req: remove("/a", 1), want: zk.BadVersion},
		"a version below -1 is none":          {given: []zk.Request{create("/a")}, req: remove("/a", -2), want: zk.BadVersion},
		"a closing session":                   {by: closing, req: remove("a", -1), want: zk.SessionExpired},
		"a null path":                         {req: remove(null, -1), want: zk.MarshallingError},
		"a path without a slash":              {req: remove("a", -1), want: zk.BadArguments},
		"a path with a null character":        {req: remove("/a\x00", -1), want: zk.BadArguments},
		"a malformed path names nothing":      {given: []zk.Request{create("/foo")}, req: remove("/foo/", -1), want: zk.NoNode},
		"a relative path names nothing":       {given: []zk.Request{create("/foo")}, req: remove("/foo/../foo", -1), want: zk.NoNode},
		"only slashes name nothing":           {req: remove("//", -1), want: zk.NoNode},
		"the root":                            {req: remove("/", -1), want: zk.BadArguments},
		"/zookeeper":                          {req: remove("/zookeeper", -1), want: zk.BadArguments},
		"/zookeeper/quota":                    {req: remove("/zookeeper/quota", -1), want: zk.BadArguments},
		"/zookeeper/config":                   {req: remove("/zookeeper/config", -1), want: zk.BadArguments},
		"what a client made below /zookeeper": {given: []zk.Request{create("/zookeeper/mine")}, req: remove("/zookeeper/mine", 0)},
		"the parent is missing":               {req: remove("/no/such", -1), want: zk.NoNode},
		"the znode is missing":                {req: remove("/no", -1), want: zk.NoNode},
		"twice":                               {given: []zk.Request{create("/a"), remove("/a", -1)}, req: remove("/a", -1), want: zk.NoNode},
		"no permission on the parent comes before no znode":   {given: []zk.Request{noDelete}, req: remove("/p/a", -1), want: zk.NoAuth},
		"the znode's own list does not count":                 {given: []zk.Request{guarded(create("/a"), zk.PermRead, annID)}, req: remove("/a", -1)},
		"with children":                                       {given: []zk.Request{create("/a"), create("/a/b")}, req: remove("/a", 0), want: zk.NotEmpty},
		"a bad version comes before the children":             {given: []zk.Request{create("/a"), create("/a/b")}, req: remove("/a", 7), want: zk.BadVersion},
		"once the children are gone":                          {given: []zk.Request{create("/a"), create("/a/b"), remove("/a/b", 0)}, req: remove("/a", 0)},
		"another session's ephemeral":                         {given: []zk.Request{made("/e", zk.Ephemeral)}, by: &Asker{Session: bob, IDs: anonymous}, req: remove("/e", -1)},
		"a znode made again has version 0":                    {given: []zk.Request{create("/a"), set("/a", "x", -1), remove("/a", 1), create("/a")}, req: remove("/a", 0)},
		"a body that did not decode":                          {req: zk.Request{Op: zk.OpDelete, Path: "/a", Malformed: true}, want: zk.MarshallingError},
		"an operation that is none":                           {req: zk.Request{Op: 77}, want: zk.Unimplemented},
		"reconfig is switched off, as in ZooKeeper's default": {req: zk.Request{Op: zk.OpReconfig}, want: zk.ReconfigDisabled},
	})
}

func TestDeleteContainer(t *testing.T) {
	server := &Asker{}
	gone := func(path string) zk.Request { return zk.Request{Op: zk.OpDeleteContainer, Path: path} }
	extended := Config{ExtendedTypes: true}
	judgeRows(t, map[string]row{
		"an empty container":            {given: []zk.Request{container("/c")}, by: server, req: gone("/c"), txn: &txn.Txn{Type: zk.OpDeleteContainer, Path: "/c"}},
		"an empty TTL znode":            {cfg: extended, given: []zk.Request{ttl("/t", zk.PersistentTTL, 1)}, by: server, req: gone("/t"), txn: &txn.Txn{Type: zk.OpDeleteContainer, Path: "/t"}},
		"a plain znode":                 {given: []zk.Request{create("/a")}, by: server, req: gone("/a"), want: zk.BadVersion},
		"a plain znode in its place":    {given: []zk.Request{container("/c"), remove("/c", -1), create("/c")}, by: server, req: gone("/c"), want: zk.BadVersion},
		"a TTL znode before its time":   {cfg: extended, given: []zk.Request{ttl("/t", zk.PersistentTTL, 5)}, by: server, req: gone("/t"), want: zk.BadVersion},
		"no permission is asked":        {given: []zk.Request{guarded(create("/p"), zk.PermCreate, zk.AnyoneID), container("/p/c")}, by: server, req: gone("/p/c")},
		"no session is asked":           {given: []zk.Request{container("/c")}, by: &Asker{State: zk.SessionExpired}, req: gone("/c")},
		"one that has children again":   {given: []zk.Request{container("/c"), create("/c/a")}, by: server, req: gone("/c"), want: zk.NotEmpty},
		"a session's ephemeral":         {given: []zk.Request{made("/e", zk.Ephemeral)}, by: server, req: gone("/e"), want: zk.BadVersion},
		"one that is gone already":      {given: []zk.Request{container("/c"), remove("/c", -1)}, by: server, req: gone("/c"), want: zk.NoNode},
		"no system znode":               {by: server, req: gone("/zookeeper/config"), want: zk.BadArguments},
		"no path without a slash":       {by: server, req: gone("c"), want: zk.BadArguments},
		"not the root by its other end": {by: server, req: gone("//"), want: zk.NoNode},
	})
}

func TestSetData(t *testing.T) {
	closing := &Asker{Session: ann, State: zk.SessionExpired, IDs: anonymous}
	judgeRows(t, map[string]row{
		"the txn has the new version":            {given: []zk.Request{create("/a")}, req: set("/a", "x", 0), txn: &txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("x"), Version: 1}},
		"any version":                            {given: []zk.Request{create("/a"), set("/a", "x", -1)}, req: set("/a", "y", -1), txn: &txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("y"), Version: 2}},
		"null data":                              {given: []zk.Request{create("/a")}, req: zk.Request{Op: zk.OpSetData, Path: "/a"}, txn: &txn.Txn{Type: zk.OpSetData, Path: "/a", Version: 1}},
		"the version before":                     {given: []zk.Request{create("/a"), set("/a", "x", 0)}, req: set("/a", "y", 0), want: zk.BadVersion},
		"a version that has not come":            {given: []zk.Request{create("/a")}, req: set("/a", "y", 1), want: zk.BadVersion},
		"the root":                               {req: set("/", "x", 0), txn: &txn.Txn{Type: zk.OpSetData, Path: "/", Data: []byte("x"), Version: 1}},
		"/zookeeper":                             {req: set("/zookeeper", "x", 0)},
		"/zookeeper/config is for super":         {req: set("/zookeeper/config", "x", -1), want: zk.NoAuth},
		"a closing session":                      {by: closing, req: set("a", "x", -1), want: zk.SessionExpired},
		"a null path is a path that is empty":    {req: set(null, "x", -1), want: zk.BadArguments},
		"a path with a trailing slash":           {given: []zk.Request{create("/a")}, req: set("/a/", "x", -1), want: zk.BadArguments},
		"a relative path":                        {req: set("/no/../such", "x", -1), want: zk.BadArguments},
		"the znode is missing":                   {req: set("/no", "x", -1), want: zk.NoNode},
		"no permission":                          {given: []zk.Request{guarded(create("/a"), zk.PermAll&^zk.PermWrite, zk.AnyoneID)}, req: set("/a", "x", -1), want: zk.NoAuth},
		"no permission comes before the version": {given: []zk.Request{guarded(create("/a"), zk.PermRead, zk.AnyoneID)}, req: set("/a", "x", 9), want: zk.NoAuth},
		"the parent's list does not count":       {given: []zk.Request{guarded(create("/p"), zk.PermCreate, zk.AnyoneID), create("/p/a")}, req: set("/p/a", "x", -1)},
		"what was deleted":                       {given: []zk.Request{create("/a"), remove("/a", 0)}, req: set("/a", "x", -1), want: zk.NoNode},
	})
}

func TestSetACL(t *testing.T) {
	readOnly := []zk.ACL{{Perms: zk.PermRead, ID: zk.AnyoneID}}
	adminOnly := []zk.ACL{{Perms: zk.PermAdmin, ID: zk.AnyoneID}}
	closing := &Asker{Session: ann, State: zk.SessionExpired, IDs: anonymous}
	judgeRows(t, map[string]row{
		"the txn has the new version of the list": {given: []zk.Request{create("/a")}, req: setACL("/a", readOnly, 0), txn: &txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: readOnly, Version: 1}},
		"the version of the data does not count":  {given: []zk.Request{create("/a"), set("/a", "x", 0)}, req: setACL("/a", readOnly, 1), want: zk.BadVersion},
		"the second time":                         {given: []zk.Request{create("/a"), setACL("/a", adminOnly, 0)}, req: setACL("/a", readOnly, 1), txn: &txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: readOnly, Version: 2}},
		"any version":                             {given: []zk.Request{create("/a"), setACL("/a", adminOnly, -1)}, req: setACL("/a", readOnly, -1)},
		"the list comes before the znode":         {req: setACL("/no", nil, -1), want: zk.InvalidACL},
		"the path comes before the list":          {req: setACL("/no/", nil, -1), want: zk.BadArguments},
		"a null path is a path that is empty":     {req: setACL(null, readOnly, -1), want: zk.BadArguments},
		"a closing session":                       {by: closing, req: setACL("/no/", nil, -1), want: zk.SessionExpired},
		"the znode is missing":                    {req: setACL("/no", readOnly, -1), want: zk.NoNode},
		"no permission":                           {given: []zk.Request{create("/a"), setACL("/a", readOnly, 0)}, req: setACL("/a", readOnly, 1), want: zk.NoAuth},
		"no permission comes before the version":  {given: []zk.Request{guarded(create("/a"), zk.PermAll&^zk.PermAdmin, zk.AnyoneID)}, req: setACL("/a", readOnly, 9), want: zk.NoAuth},
		"ZooKeeper's list of the configuration":   {req: setACL("/zookeeper/config", readOnly, -1), want: zk.NoAuth},
		"auth is for who has authenticated": {given: []zk.Request{create("/a")}, by: &Asker{Session: ann, IDs: annIDs},
			req: setACL("/a", []zk.ACL{{Perms: 3, ID: zk.ID{Scheme: "auth"}}}, 0),
			txn: &txn.Txn{Type: zk.OpSetACL, Path: "/a", ACL: []zk.ACL{{Perms: 3, ID: annID}}, Version: 1}},
	})
}

// A new config znode has list version -1; the one after is 0.
func TestTheListVersionOfTheConfigurationStartsBelowZero(t *testing.T) {
	judgeRows(t, map[string]row{
		"super sets it": {by: &Asker{Session: ann, IDs: []zk.ID{{Scheme: "super"}}}, req: setACL("/zookeeper/config", zk.OpenACL, -1),
			txn: &txn.Txn{Type: zk.OpSetACL, Path: "/zookeeper/config", ACL: zk.OpenACL, Version: 0}},
	})
}

func TestVersionsLeaveOutMinusOne(t *testing.T) {
	l := newLeader(t, Config{})
	l.do(create("/a"))
	for _, v := range []int32{1<<31 - 1, -3} { // the version the znode is given, as a log may bring it
		l.zxid++
		was := txn.Record{Header: txn.Header{Zxid: l.zxid, Type: zk.OpSetData}, Txn: txn.Txn{Type: zk.OpSetData, Path: "/a", Version: v}}
		l.apply(&was)
		l.prep = New(Config{}, l.prep.auth, l.tree)
		var got []int32
		for range 3 {
			rec := l.judge(set("/a", "x", v))
			got = append(got, rec.Txn.Version)
			v = rec.Txn.Version
		}
		l.land()
		want := []int32{-1 << 31, -1<<31 + 1, -1<<31 + 2}
		if was.Txn.Version == -3 {
			want = []int32{-2, 0, 1}
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("after %d came %v, want %v", was.Txn.Version, got, want)
				break
			}
		}
	}
}
