//go:build interop

package oracle

import (
	"strings"
	"testing"
)

// divergence is a request on which ZooKeeper 3.8.0 and Paddock differ on purpose, and which would set the two histories
// apart in the random stream. The answers are asked of each server alone; zxids are left out.
type divergence struct {
	name string
	doc  string // for docs/compatibility.md
	// asks are sent one after the other on one connection; top is an open directory.
	asks func(top string) []request
	java string // what ZooKeeper 3.8.0's last answer contains; "" if it must never be asked
	ours string // what Paddock's last answer contains
}

var divergences = []divergence{
	{"check outside a multi is an unknown opcode",
		"ZooKeeper 3.8 logs a transaction of type 13 that it cannot replay, and never answers.",
		func(top string) []request { return []request{judged(reqVersion(opCheck, top, 0))} }, "", "err=-6(Unimplemented)"},
	{"createSession is an unknown opcode from a client", "ZooKeeper passes it on as if it were its own.",
		func(string) []request {
			return []request{{op: opCreateSession, body: []byte{0, 0, 39, 16}, pace: paceJudge}}
		},
		"", "err=-6(Unimplemented)"},
	{"deleteContainer is an unknown opcode from a client", "ZooKeeper 3.8 answers BadArguments; later ones delete the node.",
		func(top string) []request { return []request{judged(reqPath(opDeleteContainer, top))} },
		"err=-8", "err=-6(Unimplemented)"},
	{"createTTL with a flag without ttl and a negative ttl is refused",
		"ZooKeeper accepts it and fails when it applies the transaction.",
		func(top string) []request { return []request{reqCreateTTL(top+"/x", nil, openACL, 0, -1)} }, "", "err=-8"},
	{"checkWatches knows persistent watches", "ZooKeeper 3.8 has watcher types 1 to 3 only.",
		func(top string) []request {
			return []request{reqVersion(opAddWatch, top, 0), reqVersion(opCheckWatches, top, 4)}
		}, "err=-5", "err=0"},
	{"checkWatches knows recursive watches", "ZooKeeper 3.8 has watcher types 1 to 3 only.",
		func(top string) []request {
			return []request{reqVersion(opAddWatch, top, 1), reqVersion(opCheckWatches, top, 5)}
		}, "err=-5", "err=0"},
	{"a persistent watch is no data watch to checkWatches", "ZooKeeper 3.8 does not tell modes apart.",
		func(top string) []request {
			return []request{reqVersion(opAddWatch, top, 0), reqVersion(opCheckWatches, top, 2)}
		}, "err=0", "err=-121"},
	{"a one-shot watch does not replace a persistent one", "In ZooKeeper 3.8 the later mode of a path replaces the earlier.",
		func(top string) []request {
			return []request{reqVersion(opAddWatch, top, 0), reqRead(opGetData, top, true), reqSetData(top, nil, -1), reqSetData(top, nil, -1)}
		}, "xid=4 err=0", "type=3"},
	{"exists needs READ", "ZooKeeper 3.8 answers with the Stat.",
		func(top string) []request {
			return []request{reqCreate(opCreate, top+"/shut", nil, []aclEntry{{30, "world", "anyone"}}, 0), reqRead(opExists, top+"/shut", false)}
		}, "err=0(ok) stat", "err=-102"},
	{"an ACL may name an IPv6 address", "ZooKeeper 3.8 knows IPv4 only and answers InvalidACL.",
		func(top string) []request {
			return []request{reqCreate(opCreate, top+"/x", nil, []aclEntry{{31, "ip", "::1"}, {31, "ip", "1::2/64"}}, 0)}
		}, "err=-114", "err=0"},
	{"a multi with an unknown flag is refused as a whole", "ZooKeeper 3.8 reports the operation.",
		func(top string) []request {
			return []request{reqMulti(opMulti, []subOp{sub(reqCreate(opCreate, top+"/x", nil, openACL, 7))})}
		}, "err=0(ok) [op-1/-8", "err=-5"},
	{"a null path behind a failing operation of a multi is not looked at",
		"ZooKeeper 3.8 logs the transaction, cannot apply it, and answers MarshallingError at the zxid before.",
		func(top string) []request {
			return []request{reqMulti(opMulti, []subOp{sub(reqVersion(opDelete, top+"/no", -1)), sub(persistent(nullString))})}
		}, "err=-5(MarshallingError) [end", "err=0(ok) [op-1/-101"},
	{"a null path in a multi fails it as a whole, with an error txn",
		"ZooKeeper 3.8 logs a transaction that it cannot apply, and answers with an empty list of results at the zxid before.",
		func(top string) []request {
			return []request{reqMulti(opMulti, []subOp{sub(persistent(top + "/m")), sub(persistent(nullString)), sub(persistent(top + "/n"))})}
		}, "err=-5(MarshallingError) [end", "err=-5(MarshallingError)"},
	{"a multi with a null ACL is refused as a whole", "ZooKeeper 3.8 reports the operation.",
		func(top string) []request {
			return []request{reqMulti(opMulti, []subOp{sub(reqCreate(opCreate, top+"/x", nil, nil, 0))})}
		}, "err=0(ok) [op-1/-114", "err=-5"},
	{"createContainer in a multi makes a container whatever the flag", "ZooKeeper 3.8 looks at the flag alone.",
		func(top string) []request {
			return []request{reqMulti(opMulti, []subOp{sub(reqCreate(opCreateContainer, top+"/x", nil, openACL, 1))}),
				reqRead(opExists, top+"/x", false)}
		}, "owner=s#", "owner=0"},
	{"a quota on the root is ignored", "ZooKeeper throws when it applies the transaction.",
		func(top string) []request {
			return []request{reqCreate(opCreate, "/zookeeper/quota/zookeeper_limits", []byte("count=1,bytes=1"), openACL, 0), persistent(top + "/x")}
		}, "", "err=0"},
	{"quota text that cannot be parsed is no limit", "ZooKeeper throws when it prepares the next write below it.",
		func(top string) []request {
			q := "/zookeeper/quota" + top
			return []request{persistent(q), reqCreate(opCreate, q+"/zookeeper_limits", []byte("nonsense"), openACL, 0),
				reqCreate(opCreate, q+"/zookeeper_stats", []byte("nonsense"), openACL, 0), persistent(top + "/x")}
		}, "", "err=0"},
}

func judged(r request) request {
	r.pace = paceJudge
	return r
}

// TestDivergences asks each server alone, so that each keeps to its own answer.
func TestDivergences(t *testing.T) {
	p, err := newPair(fastDir(t), other(t), options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	for i, d := range divergences {
		t.Run(d.name, func(t *testing.T) {
			for _, s := range []*side{p.a, p.b} {
				kind, want := "java", d.java
				if s == p.b && p.procs[1].kind == "paddock" {
					kind, want = "paddock", d.ours
				}
				if want == "" {
					continue
				}
				if got := diverge(t, s, "/d"+string(rune('a'+i)), d); !strings.Contains(got, want) {
					t.Errorf("%s (%s) says:\n%s\nwanted %q", s.name, kind, got, want)
				}
			}
		})
	}
}

// diverge plays one divergence on one server and returns its last answer.
func diverge(t *testing.T, s *side, top string, d divergence) string {
	t.Helper()
	if err := soloOpen(s, 0); err != nil {
		t.Fatal(err)
	}
	defer s.dropAll()
	s.slots[0].lines = nil
	asks := append([]request{persistent(top)}, d.asks(top)...)
	got := ""
	for i, r := range asks {
		r.xid = int32(i)
		if got = solo(s, 0, r); i == 0 && !strings.Contains(got, "err=0") {
			t.Fatalf("create %s: %s", top, got)
		}
	}
	return got
}
