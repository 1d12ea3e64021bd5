//go:build doors

package suite

import (
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// digestOf is the identity that "joe:secret" proves, as ZooKeeper's DigestAuthenticationProvider computes it:
// base64(sha1("joe:secret")).
const digestOf = "joe:oesAybBun9icKJjQSTRN8OBueSc="

var onlyJoe = []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "digest", ID: digestOf}}}

// tour goes through the tree with everything that all doors can do. It begins with one session, so zxids are equal.
var tour = []step{
	{name: "a znode is created", op: "create", path: "/a", data: "one"},
	{name: "it is read", op: "get", path: "/a"},
	{name: "it is there", op: "exists", path: "/a"},
	{name: "another is not there", op: "exists", path: "/b"},
	{name: "what is not there has no data", op: "get", path: "/b"},
	{name: "what is there is not created again", op: "create", path: "/a"},
	{name: "a znode needs its parent", op: "create", path: "/b/c"},
	{name: "it is set", op: "set", path: "/a", data: "two", any: true},
	{name: "it is set at its version", op: "set", path: "/a", data: "three", at: 1},
	{name: "it is not set at another version", op: "set", path: "/a", data: "four", at: 1},
	{name: "what is not there is not set", op: "set", path: "/b", any: true},
	{name: "data may be empty", op: "set", path: "/a", any: true},
	{name: "empty data is read", op: "get", path: "/a"},
	{name: "data may be any bytes", op: "set", path: "/a", data: "\x00\xff\xfe\n", any: true},
	{name: "any bytes are read", op: "get", path: "/a"},
	{name: "a name may be of any letters", op: "create", path: "/a/Straße ?&=+%2F…", data: "x"},
	{name: "a name of any letters is found", op: "get", path: "/a/Straße ?&=+%2F…"},
	{name: "a sequential one is numbered", op: "create", path: "/a/n-", mode: zk.PersistentSequential},
	{name: "the next has the next number", op: "create", path: "/a/n-", mode: zk.PersistentSequential},
	{name: "a name may be the number alone", op: "create", path: "/a/", mode: zk.PersistentSequential},
	{name: "an ephemeral is created", op: "create", path: "/a/e", mode: zk.Ephemeral},
	{name: "it is its session's", op: "get", path: "/a/e"},
	{name: "ephemerals have no children", op: "create", path: "/a/e/x"},
	{name: "an ephemeral may be sequential", op: "create", path: "/a/q-", mode: zk.EphemeralSequential},
	{name: "a session's ephemerals are listed", op: "ephemerals", path: "/"},
	{name: "those with a prefix are listed", op: "ephemerals", path: "/a/q"},
	{name: "a container is created", op: "create", path: "/container", mode: zk.Container},
	{name: "a container shows as one", op: "get", path: "/container"},
	{name: "a znode with a time to live is created", op: "create", path: "/ttl", mode: zk.PersistentTTL, ttl: 3_600_000},
	{name: "its time to live shows", op: "exists", path: "/ttl"},
	{name: "a sequential one with a time to live is created", op: "create", path: "/ttl-", mode: zk.PersistentSequentialTTL, ttl: 60_000},
	{name: "children are listed", op: "children", path: "/a"},
	{name: "children of what is not there are not listed", op: "children", path: "/b"},
	{name: "the root has children", op: "children", path: "/"},
	{name: "the server catches up", op: "sync", path: "/"},
	{name: "what has children is not deleted", op: "delete", path: "/a", any: true},
	{name: "what has another version is not deleted", op: "delete", path: "/a/e", at: 3},
	{name: "a znode is deleted", op: "delete", path: "/a/e", any: true},
	{name: "it is not deleted twice", op: "delete", path: "/a/e", any: true},
	{name: "the root is not deleted", op: "delete", path: "/", any: true},

	{name: "an access list is read", op: "acl", path: "/a"},
	{name: "an access list is set", op: "setacl", path: "/a/n-0000000001", any: true, acl: zk.ReadOnlyACL},
	{name: "the new list is read", op: "acl", path: "/a/n-0000000001"},
	{name: "who may only read does not write", op: "set", path: "/a/n-0000000001", data: "x", any: true},
	{name: "a list has a version too", op: "setacl", path: "/a/n-0000000002", at: 7, acl: zk.ReadOnlyACL},
	{name: "a list names a known scheme", op: "create", path: "/x", acl: []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "nobody", ID: "x"}}}},
	{name: "a list of an address names one", op: "create", path: "/x", acl: []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "ip", ID: "nowhere"}}}},
	{name: "a znode is only for joe", op: "create", path: "/joe", data: "his", acl: onlyJoe},
	{name: "another does not read it", op: "get", path: "/joe"},
	{name: "another knows that it is there", op: "exists", path: "/joe"},
	{name: "another does not list it", op: "children", path: "/joe"},
	{name: "another does not set its list", op: "setacl", path: "/joe", any: true, acl: zk.OpenACL},
	{name: "one is the address one comes from", op: "whoami"},
	{name: "one proves to be joe", op: "auth", path: "digest", data: "joe:secret"},
	{name: "joe is who one is", op: "whoami"},
	{name: "joe reads it", op: "get", path: "/joe"},
	{name: "joe sees the hash of his password", op: "acl", path: "/joe"},
	{name: "joe gives it to whoever is authenticated", op: "setacl", path: "/joe", any: true, acl: []zk.ACL{{Perms: zk.PermRead | zk.PermWrite, ID: zk.ID{Scheme: "auth"}}}},
	{name: "the server made joe of that", op: "acl", path: "/joe"},

	{name: "a transaction does all", op: "multi", steps: []step{
		{op: "create", path: "/m", data: "1"}, {op: "create", path: "/m/s-", mode: zk.PersistentSequential},
		{op: "set", path: "/m", data: "2", at: 0}, {op: "check", path: "/m", at: 1}, {op: "create", path: "/m/gone", mode: zk.Ephemeral}, {op: "delete", path: "/m/gone", any: true},
	}},
	{name: "what it did shows", op: "get", path: "/m"},
	{name: "a transaction does nothing if one fails", op: "multi", steps: []step{
		{op: "set", path: "/m", data: "3", any: true}, {op: "check", path: "/m", at: 9}, {op: "delete", path: "/m", any: true},
	}},
	{name: "what it would have done does not show", op: "get", path: "/m"},
	{name: "a transaction does not create twice", op: "multi", steps: []step{{op: "create", path: "/m2"}, {op: "create", path: "/m2"}}},
	{name: "a transaction judges access too", op: "multi", steps: []step{{op: "set", path: "/a/n-0000000001", any: true}}},
	{name: "several are read at once", op: "batch", steps: []step{{op: "get", path: "/m"}, {op: "children", path: "/m"}, {op: "get", path: "/none"}}},

	{name: "an ephemeral is of the second session", op: "create", path: "/a/second", mode: zk.Ephemeral, by: 1},
	{name: "the first sees it", op: "get", path: "/a/second"},
	{name: "the second is closed", op: "close", by: 1},
	{name: "its ephemeral is gone", op: "exists", path: "/a/second"},
	{name: "the first still has its own", op: "ephemerals", path: "/"},
	{name: "the parent has counted all that", op: "exists", path: "/a"},
}

func TestAllDoorsAnswerTheSame(t *testing.T) { compare(t, tour) }

// What needs no session is answered the same without one: the server writes through a session of its own, which it opens with the first write, as the
// client of ZooKeeper's protocol has opened one.
func TestWhoHasNoSessionIsAnsweredTheSame(t *testing.T) {
	var steps []step
	needs := func(s *step) bool {
		return s.mode.IsEphemeral() || strings.HasPrefix(s.path, "/a/e") || s.by > 0 || s.op == "ephemerals"
	}
	for i := range tour {
		st := &tour[i]
		if st.op == "auth" {
			break // goes with a session
		}
		if !needs(st) {
			steps = append(steps, *st)
		}
	}
	steps = append(steps, step{name: "a transaction does all", op: "multi", steps: []step{{op: "create", path: "/m"}, {op: "set", path: "/m", data: "2", at: 0}}})
	compareDoors(t, []string{"jute", "gRPC without a session", "pipeline without a session", "REST without a session"}, steps)
}

// An ephemeral needs a session.
func TestWhoHasNoSessionCreatesNoEphemerals(t *testing.T) {
	s := rig.Start(t)
	for _, name := range []string{"gRPC", "pipeline", "REST"} {
		c := bareDoor{name}.open(t, s, 0)
		if a, err := c.ask(&step{op: "create", path: "/e", mode: zk.Ephemeral}); err != nil || a.Reason != "UNKNOWNSESSION" {
			t.Errorf("%s answers %v, %v", name, a, err)
		}
		if a, err := c.ask(&step{op: "multi", steps: []step{{op: "create", path: "/e", mode: zk.Ephemeral}}}); err != nil || a.Reason != "UNKNOWNSESSION" {
			t.Errorf("%s answers %v, %v to a transaction", name, a, err)
		}
	}
}

// A quota is a matter of znodes below /zookeeper/quota.
func TestAllDoorsKeepQuotas(t *testing.T) {
	compare(t, []step{
		{name: "there is a znode to limit", op: "create", path: "/q"},
		{name: "its place in the quotas is made", op: "create", path: "/zookeeper/quota/q"},
		{name: "its limit is set", op: "create", path: "/zookeeper/quota/q/zookeeper_limits", data: "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3"},
		{name: "its use is counted", op: "create", path: "/zookeeper/quota/q/zookeeper_stats", data: "count=0,bytes=0"},
		{name: "one child may be", op: "create", path: "/q/1"},
		{name: "another may be", op: "create", path: "/q/2"},
		{name: "one more may not", op: "create", path: "/q/3"},
		{name: "nor in a transaction", op: "multi", steps: []step{{op: "create", path: "/q/4"}}},
		{name: "nor a longer text if bytes have a limit", op: "set", path: "/zookeeper/quota/q/zookeeper_limits", data: "count=-1,bytes=-1=;byteHardLimit=8;countHardLimit=-1", any: true},
		{name: "eight bytes may be", op: "set", path: "/q/1", data: "12345678", any: true},
		{name: "nine may not", op: "set", path: "/q/1", data: "123456789", any: true},
		{name: "the use shows", op: "get", path: "/zookeeper/quota/q/zookeeper_stats"},
	}, "enforceQuota=true")
}

// badPaths are paths that no znode may have.
var badPaths = map[string]string{
	"nothing between two slashes": "/a//b", "a slash at the end": "/a/", "a relative element": "/a/./b", "a relative element up": "/a/../b",
	"a null character": "/a\x00b", "a control character": "/a\x01b", "a character without a place": "/a\ufff0", "a character of private use": "/\uf8ff",
}

// What cannot be right whatever the tree is gRPC refuses before there is a transaction, unlike ZooKeeper's protocol, where the refusal has a zxid:
// zxids are not compared here.
func TestAllDoorsRefuseWhatCannotBe(t *testing.T) {
	steps := []step{
		{name: "a time to live is positive", op: "create", path: "/ttl", mode: zk.PersistentTTL, ttl: 0},
		{name: "a time to live has a bound", op: "create", path: "/ttl", mode: zk.PersistentTTL, ttl: 1 << 41},
	}
	for name, path := range badPaths {
		steps = append(steps, step{name: "create: " + name, op: "create", path: path}, step{name: "set: " + name, op: "set", path: path, any: true},
			step{name: "get: " + name, op: "get", path: path}, step{name: "delete: " + name, op: "delete", path: path, any: true})
	}
	for _, name := range names() {
		got := run(t, doors[name], steps)
		for i, st := range steps {
			t.Run(name+"/"+st.name, func(t *testing.T) {
				// ZooKeeper looks for a znode, or its parent, before it judges the path.
				unjudged := name == "jute" && got[i].Reason == "NONODE"
				if got[i].Reason != "BADARGUMENTS" && !unjudged {
					t.Errorf("%q is refused with %q", st.path, got[i].Reason)
				}
			})
		}
	}
}
