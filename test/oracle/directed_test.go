//go:build interop

package oracle

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// scene is one rule, told by requests that both servers must answer alike, and as written.
type scene struct {
	name string
	play func(d *director)
}

func persistent(path string) request { return reqCreate(opCreate, path, []byte("v"), openACL, 0) }

// TestDirected plays the scenes on one pair of servers, each in a directory of its own.
func TestDirected(t *testing.T) {
	p, err := newPair(fastDir(t), other(t), options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	d := &director{pair: p}
	d.open(0)
	d.do(0, reqRead(opExists, "/", false), "stat{c=0/0 m=0/0 v=0 cv=-1 av=0 owner=0 len=0 kids=1 p=0}")
	d.do(0, reqRead(opExists, "", false), "cv=-1")
	d.do(0, reqRead(opGetData, "/zookeeper", false), `"" stat{c=0/0 m=0/0 v=0 cv=-2`)
	d.do(0, reqPath(opGetACL, "/zookeeper/config"), `1 acl=["world":"anyone":1]`, "av=-1")
	d.do(0, reqPath(opChildrenNumber, "/"), "err=0(ok) 3")
	d.drop(0)
	if d.err != nil {
		t.Fatalf("a fresh tree: %v", d.err)
	}
	for _, list := range [][]scene{treeScenes, watchScenes, sessionScenes, authScenes} {
		for i, s := range list {
			t.Run(s.name, func(t *testing.T) {
				d := newDirector(p, "/"+strings.Map(func(r rune) rune {
					if r == ' ' {
						return '-'
					}
					return r
				}, s.name))
				if d.err == nil {
					s.play(d)
				}
				if d.err != nil {
					t.Error(d.err)
				}
				for _, side := range []*side{p.a, p.b} {
					side.dropAll()
				}
			})
			_ = i
		}
	}
	t.Logf("explained differences: %s", p.seen)
}

var treeScenes = []scene{
	{"every failed write uses up one zxid", func(d *director) {
		d.do(0, persistent(d.top), "-110")
		before := d.pair.last
		d.do(0, persistent(d.top), "-110")
		d.do(0, reqVersion(opDelete, d.top+"/no", -1), "-101")
		d.do(0, reqSetData("bad", nil, -1), "-8")
		cut := reqSetData(d.top, nil, -1)
		cut.body = cut.body[:5]
		d.do(0, cut, "-5")
		d.do(0, reqMulti(opMulti, nil), "err=0(ok) [end(-1,1,-1)]")
		if d.err == nil && d.pair.last != before+5 {
			d.want("five zxids for five writes")
		}
	}},
	{"cversion counts creates in store and changes on the wire", func(d *director) {
		for _, n := range []string{"a", "b", "c"} {
			d.do(0, persistent(d.top+"/"+n), "err=0")
		}
		d.do(0, reqVersion(opDelete, d.top+"/a", -1), "err=0")
		d.do(0, reqRead(opExists, d.top, false), "cv=4", "kids=2")
		d.do(0, reqCreate(opCreate, d.top+"/s-", nil, openACL, 2), `/s-0000000003"`)
		d.do(0, reqCreate(opCreate, d.top+"/s-", nil, openACL, 3), `/s-0000000004"`)
	}},
	{"containers and ttl nodes show no owner", func(d *director) {
		d.do(0, reqCreate(opCreateContainer, d.top+"/c", nil, openACL, 4), "owner=0")
		d.do(0, reqCreateTTL(d.top+"/t", nil, openACL, 5, 86_400_000), "owner=0")
		d.do(0, reqCreate(opCreate2, d.top+"/e", nil, openACL, 1), "owner=s#")
		d.do(0, persistent(d.top+"/c/x"), "err=0")
		d.do(0, persistent(d.top+"/t/x"), "err=0")
		d.do(0, persistent(d.top+"/e/x"), "-108")
		d.do(0, persistent(d.top+"/e"), "-110")
	}},
	{"the checks of create come in their order", func(d *director) {
		p := d.top + "/missing/x"
		d.do(0, reqCreate(opCreate, p, nil, []aclEntry{}, 9), "-8")
		d.do(0, reqCreate(opCreate, p, nil, []aclEntry{}, 5), "-8")
		d.do(0, reqCreate(opCreate, "nopath", nil, []aclEntry{}, 0), "-8")
		d.do(0, reqCreate(opCreate, p+"/", nil, []aclEntry{}, 0), "-114")
		d.do(0, reqCreate(opCreate, p+"/..", nil, openACL, 0), "-101")
		d.do(0, reqCreateTTL(d.top+"/x", nil, openACL, 5, 0), "-8")
		d.do(0, reqCreateTTL(d.top+"/x", nil, openACL, 5, 1<<40), "-8")
		d.do(0, reqCreateTTL(d.top+"/x", nil, openACL, 0, 3), "-8")
		d.do(0, reqCreate(opCreate, d.top+"/shut", nil, []aclEntry{{1, "world", "anyone"}}, 0), "err=0")
		d.do(0, reqCreate(opCreate, d.top+"/shut//", nil, openACL, 0), "-101")
		d.do(0, reqCreate(opCreate, d.top+"/shut/.", nil, openACL, 0), "-102")
		d.do(0, reqCreate(opCreate, nullString, nil, openACL, 0), "-5")
	}},
	{"paths are judged as ZooKeeper judges them", func(d *director) {
		t := d.top
		d.do(0, persistent(t+"/foo/"), "-101")
		d.do(0, persistent(t+"/foo"), "err=0")
		d.do(0, persistent(t+"/foo/"), "-8")
		d.do(0, reqCreate(opCreate, t+"/foo/", nil, openACL, 2), `/foo/0000000000"`)
		d.do(0, persistent("//a"), "-8")
		d.do(0, persistent(t+"/a/../b"), "-101")
		d.do(0, persistent("/"), "-110")
		d.do(0, persistent(""), "-8")
		d.do(0, persistent("a"), "-8")
		for _, bad := range []string{"/\x00", "/\x01", "/\x1f", "/\x7f", "/\u009f", "/\ue000", "/\uf8ff", "/\ufff0", "/\xff", "/😀", "/.", "/.."} {
			d.do(0, persistent(t+bad), "-8")
		}
		for _, good := range []string{"/...", "/a..b", "/.a", "/ ", "/\u00a0", "/\uf900", "/\uffef", "/\ud7ff", "/é漢字"} {
			d.do(0, persistent(t+good), "err=0")
		}
		d.do(0, reqVersion(opDelete, t+"/foo/", -1), "-101")
		for _, p := range []string{"/", "", "a", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/\x00"} {
			d.do(0, reqVersion(opDelete, p, -1), "-8")
		}
		d.do(0, reqVersion(opDelete, nullString, -1), "-5")
		d.do(0, reqSetData(nullString, nil, -1), "-8")
		d.do(0, reqSetData(t+"/", nil, -1), "-8")
		d.do(0, reqRead(opExists, t+"/\x00", false), "-8")
		d.do(0, reqRead(opExists, t+"/foo/", false), "-101")
		d.do(0, reqRead(opGetData, "nonsense", false), "-101")
		for _, op := range []int32{opExists, opGetData, opGetChildren, opGetChildren2} {
			d.do(0, reqRead(op, nullString, false), "-5")
		}
		d.do(0, reqPath(opGetACL, nullString), "-5")
		d.do(0, reqPath(opChildrenNumber, nullString), "-5")
		d.do(0, reqPath(opSync, nullString), "")
		d.do(0, reqPath(opSync, "no path at all"), `"no path at all"`)
	}},
	{"delete looks at the parent first and at the version before the children", func(d *director) {
		shut := d.top + "/shut"
		d.do(0, persistent(shut), "err=0")
		d.do(0, persistent(shut+"/x"), "err=0")
		d.do(0, persistent(shut+"/x/y"), "err=0")
		d.do(0, reqVersion(opDelete, shut+"/x", 5), "-103")
		d.do(0, reqVersion(opDelete, shut+"/x", 0), "-111")
		d.do(0, reqVersion(opDelete, d.top+"/no/x", 0), "-101")
		d.do(0, reqSetACL(shut, []aclEntry{{31 - 8, "world", "anyone"}}, -1), "err=0")
		d.do(0, reqVersion(opDelete, shut+"/nothere", -1), "-102")
	}},
	{"the root by its empty name counts itself among its descendants", func(d *director) {
		d.do(0, reqPath(opChildrenNumber, "/"), "err=0(ok)")
		d.do(0, reqPath(opChildrenNumber, ""), "err=0(ok)")
	}},
	{"a null id in an ACL of a multi fails it as a whole", func(d *director) {
		d.do(0, reqMulti(opMulti, []subOp{sub(reqCreate(opCreate, d.top+"/m", nil, []aclEntry{{31, "digest", nullString}}, 0))}), "err=-5")
	}},
	{"a null in a multiRead ends it", func(d *director) {
		d.do(0, reqMulti(opMultiRead, []subOp{sub(reqRead(opGetChildren, d.top, false)), sub(reqRead(opGetData, nullString, false)),
			sub(reqRead(opGetData, d.top, false))}), "err=-5", "[getChildren/0(ok) []; end(-1,1,-1)]")
	}},
	{"null and empty data differ", func(d *director) {
		d.do(0, reqCreate(opCreate, d.top+"/n", nil, openACL, 0), "err=0")
		d.do(0, reqCreate(opCreate, d.top+"/e", []byte{}, openACL, 0), "err=0")
		d.do(0, reqRead(opGetData, d.top+"/n", false), "null stat", "len=0")
		d.do(0, reqRead(opGetData, d.top+"/e", false), `"" stat`, "len=0")
	}},
	{"setACL moves the aversion and nothing else", func(d *director) {
		d.do(0, reqRead(opGetData, d.top, true), "err=0")
		d.do(0, reqSetACL(d.top, []aclEntry{{31, "world", "anyone"}, {31, "world", "anyone"}, {1, "ip", "10.0.0.0/8"}}, 0), "av=1")
		d.wantNot(0, "event")
		d.do(0, reqPath(opGetACL, d.top), `2 acl=["world":"anyone":31 "ip":"10.0.0.0/8":1]`)
		d.do(0, reqSetACL(d.top, openACL, 0), "-103")
		d.do(0, reqSetACL(d.top+"/no", nil, 0), "-114")
		d.do(0, reqSetACL(d.top+"/no", openACL, 0), "-101")
	}},
	{"a failed multi answers without an error in its header", func(d *director) {
		d.do(0, reqMulti(opMulti, []subOp{sub(persistent(d.top + "/m")), sub(reqSetData(d.top+"/no", nil, -1)), sub(reqVersion(opDelete, d.top, -1))}),
			"err=0(ok) [op-1/0(ok) 0(ok); op-1/-101(NoNode) -101(NoNode); op-1/-2(RuntimeInconsistency)")
		d.do(0, reqRead(opExists, d.top+"/m", false), "-101")
		d.do(0, reqMulti(opMulti, []subOp{sub(persistent(d.top + "/m")), sub(reqCreate(opCreate, d.top+"/m/s", nil, openACL, 2)),
			sub(reqVersion(opCheck, d.top+"/m", 0)), sub(reqSetData(d.top+"/m", nil, 0)), sub(reqVersion(opDelete, d.top+"/m/s0000000000", 0)),
			sub(reqCreate(opCreate, d.top+"/m/s", nil, openACL, 2))}), "create/0(ok)", "s0000000000", "check/0", "setData/0", "delete/0", "s0000000001")
		d.do(0, reqMulti(opMulti, []subOp{sub(reqCreate(opCreate, d.top+"/x", nil, openACL, 5))}), "err=-5")
		for _, bad := range []int32{opExists, opSetACL, opSync, opGetData, 0, 99} {
			d.do(0, reqMulti(opMulti, []subOp{sub(reqRead(bad, d.top, false))}), "err=-5")
		}
		d.do(0, reqMulti(opMultiRead, []subOp{sub(reqRead(opGetData, d.top, true)), sub(reqVersion(opDelete, d.top, -1))}), "err=-5")
		d.do(0, reqMulti(opMultiRead, []subOp{sub(reqRead(opGetData, d.top+"/no", true)), sub(reqRead(opGetChildren, d.top, true))}),
			"op-1/-101", `getChildren/0(ok) ["m"]`)
		d.do(0, reqMulti(opMultiRead, nil), "[end(-1,1,-1)]")
	}},
	{"quota counters move without their stat and count the root", func(d *director) {
		q := "/zookeeper/quota" + d.top
		d.do(0, persistent(q), "err=0")
		d.do(0, reqCreate(opCreate, q+"/zookeeper_limits", []byte("count=9,bytes=900"), openACL, 0), "err=0")
		d.do(0, reqCreate(opCreate, q+"/zookeeper_stats", []byte("count=0,bytes=0"), openACL, 0), "err=0")
		d.do(0, reqRead(opGetData, q+"/zookeeper_stats", true), `count=1,bytes=0`, "v=0")
		d.do(0, persistent(d.top+"/x"), "err=0")
		d.wantNot(0, "event")
		d.do(0, reqRead(opGetData, q+"/zookeeper_stats", false), `count=2,bytes=1`, "v=0")
		d.do(0, reqSetData(d.top+"/x", []byte("longer"), -1), "err=0")
		d.do(0, reqRead(opGetData, q+"/zookeeper_stats", false), `count=2,bytes=6`)
		d.do(0, reqVersion(opDelete, d.top+"/x", -1), "err=0")
		d.do(0, reqRead(opGetData, q+"/zookeeper_stats", false), `count=1,bytes=0`)
	}},
	{"an odd flag follows the opcode", func(d *director) {
		d.do(0, reqCreate(opCreate2, d.top+"/f4", nil, openACL, 4), "owner=0")
		d.do(0, reqCreate(opCreateContainer, d.top+"/c1", nil, openACL, 1), "owner=0")
		d.do(0, reqCreate(opCreateContainer, d.top+"/c2", nil, openACL, 2), "c20000000002", "owner=0")
		d.do(0, reqCreate(opCreate, d.top+"/f5", nil, openACL, 5), "-8")
		d.do(0, reqCreate(opCreate, d.top+"/f7", nil, openACL, 7), "-8")
		d.do(0, persistent(d.top+"/c1/x"), "err=0")
	}},
	{"the largest frame is accepted and one byte more is not", func(d *director) {
		const maxBuffer = 1_048_575
		r := persistent(d.top + "/big")
		room := maxBuffer - 8 - len(r.body) + 1
		d.do(0, reqCreate(opCreate, d.top+"/big", make([]byte, room), openACL, 0), "err=0")
		d.do(0, reqRead(opGetData, d.top+"/big", false), "bytes, sha1")
		over := reqCreate(opCreate, d.top+"/big", make([]byte, room+1), openACL, 0)
		over.raw, over.pace, over.text = (&request{op: opCreate, xid: 1, body: over.body}).bytes()[:4], paceCloses, "1048576 bytes"
		d.do(0, over, "closed")
	}},
}

var watchScenes = []scene{
	{"exists on a missing node leaves a watch and other failing reads do not", func(d *director) {
		d.send(0, reqRead(opExists, d.top+"/a", true), reqRead(opGetData, d.top+"/b", true), reqRead(opGetChildren, d.top+"/c", true))
		d.open(1)
		d.send(1, persistent(d.top+"/a"), persistent(d.top+"/b"), persistent(d.top+"/c"))
		d.wantOn(0, "event", "type=1 state=3")
		d.wantNot(0, `/b"`)
	}},
	{"a node watched twice is deleted once", func(d *director) {
		d.do(0, persistent(d.top+"/a"), "err=0")
		d.send(0, reqRead(opGetData, d.top+"/a", true), reqRead(opGetChildren, d.top+"/a", true), reqRead(opGetChildren2, d.top, true))
		d.do(0, reqVersion(opDelete, d.top+"/a", -1), "event", "type=2", "event", "type=4", "delete")
	}},
	{"an event comes before the reply of the write that fired it", func(d *director) {
		d.send(0, reqRead(opGetData, d.top, true), reqSetData(d.top, nil, -1), reqSetData(d.top, nil, -1))
		d.want("getData", "event", "setData", "setData")
	}},
	{"persistent and recursive watches stay and see what they should", func(d *director) {
		d.do(0, reqVersion(opAddWatch, d.top, 0), "err=0(ok) 0")
		d.open(1)
		d.do(1, reqVersion(opAddWatch, d.top, 1), "err=0(ok) 0")
		d.open(2)
		d.send(2, persistent(d.top+"/a"), persistent(d.top+"/a/b"), reqSetData(d.top+"/a/b", nil, -1), reqSetData(d.top, nil, -1),
			reqVersion(opDelete, d.top+"/a/b", -1), reqVersion(opDelete, d.top+"/a", -1), reqVersion(opDelete, d.top, -1), persistent(d.top))
		d.wantOn(0, "type=4", "type=3", "type=4", "type=2", "type=1")
		d.wantOn(1, "type=1", "/a\"", "type=1", "/a/b", "type=3", "/a/b", "type=3", "type=2", "/a/b", "type=2", "type=2", "type=1")
		d.do(0, reqVersion(opAddWatch, d.top, 2), "-5")
		d.do(0, reqVersion(opRemoveWatches, d.top, 3), "err=0")
		d.do(1, reqVersion(opRemoveWatches, d.top+"/a", 3), "-121")
		d.do(2, reqSetData(d.top, nil, -1), "err=0")
		d.wantNot(0, "event")
		d.wantOn(1, "event")
	}},
	{"a watch on a node that may not be read is used up in silence", func(d *director) {
		secret := d.top + "/secret"
		d.do(0, reqCreate(opCreate, secret, nil, openACL, 0), "err=0")
		d.do(0, reqRead(opGetData, secret, true), "err=0")
		d.do(0, reqVersion(opAddWatch, d.top, 1), "err=0")
		d.open(1)
		d.do(1, reqAuth(-4, "digest", []byte("u1:p1")), "err=0")
		d.do(1, reqSetACL(secret, []aclEntry{{31, "auth", ""}}, -1), "err=0")
		d.do(1, reqSetData(secret, nil, -1), "err=0")
		d.wantNot(0, "event")
		d.do(1, reqVersion(opDelete, secret, -1), "err=0")
		d.wantNot(0, "secret")
	}},
	{"setWatches catches up and registers", func(d *director) {
		for _, n := range []string{"data", "same", "child", "exist"} {
			d.do(0, persistent(d.top+"/"+n), "err=0")
		}
		z := d.pair.last
		d.do(0, reqSetData(d.top+"/data", nil, -1), "err=0")
		d.do(0, persistent(d.top+"/child/x"), "err=0")
		t := d.top
		d.do(0, reqSetWatches(opSetWatches2, z, []string{t + "/data", t + "/same", t + "/gone"}, []string{t + "/exist", t + "/later"},
			[]string{t + "/child", t + "/same", t + "/gone"}, []string{t + "/p"}, []string{t + "/r"}),
			"event zxid=-1", "type=3", "/data", "event zxid=-1", "type=2", "/gone", "type=1", "/exist", "type=4", "/child", "type=2", "/gone", "xid=-8 err=0")
		d.send(0, persistent(t+"/p"), persistent(t+"/r"), persistent(t+"/r/x"), persistent(t+"/later"), persistent(t+"/same/x"), reqSetData(t+"/same", nil, -1))
		d.want("type=1", "/p", "type=1", "/r", "type=1", "/r/x", "type=1", "/later", "type=4", "/same", "type=3", "/same")
		d.do(0, reqSetWatches(opSetWatches, 0, nil, []string{}, []string{}), "xid=-8 err=-5")
	}},
	{"a null list of setWatches counts when its turn comes", func(d *director) {
		z := d.pair.last
		d.do(0, reqSetData(d.top, nil, -1), "err=0")
		d.do(0, reqSetWatches(opSetWatches, z, []string{d.top}, nil, []string{}), "type=3", "xid=-8 err=-5")
	}},
	{"setWatches with nothing in it", func(d *director) {
		d.do(0, reqSetWatches(opSetWatches, 0, []string{}, []string{}, []string{}), "xid=-8 err=0")
	}},
	{"a closed session takes its ephemerals along", func(d *director) {
		d.open(1)
		for _, n := range []string{"/e1", "/e2", "/e3"} {
			d.do(1, reqCreate(opCreate, d.top+n, nil, openACL, 1), "err=0")
		}
		d.send(0, reqRead(opGetChildren, d.top, true), reqRead(opExists, d.top+"/e2", true), reqVersion(opAddWatch, d.top+"/e1", 0))
		d.do(1, request{op: opCloseSession, pace: paceJudge}, "closeSession", "closed by the server")
		d.wantOn(0, "type=")
		d.do(0, reqRead(opGetChildren, d.top, false), "[]")
	}},
}

var sessionScenes = []scene{
	{"timeouts are clamped and old clients get no readOnly byte", func(d *director) {
		for _, timeout := range []int32{0, -5, 1, 599_999, 600_001, 6_000_000, 6_000_001, 2147483647, -2147483648} {
			d.connect(1, connectSpec{session: sessionNew, timeout: timeout})
			d.want("connected proto=0 timeout=", "passwd=right readOnly=00")
			d.drop(1)
		}
		d.connect(1, connectSpec{session: sessionNew, timeout: 1, readOnly: readOnlyAbsent, protocol: 9})
		d.want("timeout=600000", "passwd=right readOnly=\nsync")
		d.connect(2, connectSpec{session: sessionNew, timeout: 1, readOnly: 1, tail: 3, noPasswd: true})
		d.want("passwd=right readOnly=00")
	}},
	{"a wrong password still ends the other connection", func(d *director) {
		d.open(1)
		session := d.last()
		d.connect(2, connectSpec{session: session, passwd: make([]byte, 16), timeout: 600_000, refused: true}, 1)
		d.want("timeout=0 session=0 passwd=00000000000000000000000000000000 readOnly=00", "closed")
		d.wantOn(1, "closed by the server")
		d.connect(1, connectSpec{session: session, timeout: 700_000})
		d.want("timeout=700000")
		d.connect(2, connectSpec{session: session, timeout: 800_000}, 1)
		d.want("timeout=800000")
		d.wantOn(1, "closed by the server")
	}},
	{"a session lives on when its connection is lost, and moves", func(d *director) {
		d.open(1)
		session := d.last()
		d.do(1, reqCreate(opCreate, d.top+"/e", nil, openACL, 1), "err=0")
		d.drop(1)
		d.do(0, reqRead(opExists, d.top+"/e", false), "owner=s#")
		d.connect(3, connectSpec{session: session, timeout: 600_000})
		d.do(3, reqPath(opGetEphemerals, "/"), d.top+"/e")
		d.do(3, reqPath(opGetEphemerals, d.top+"/"), d.top+"/e")
		d.do(3, reqPath(opGetEphemerals, d.top+"/x"), "[]")
		d.do(0, reqPath(opGetEphemerals, "/"), "[]")
		d.do(3, request{op: opCloseSession, pace: paceJudge}, "closeSession", "closed")
		d.connect(3, connectSpec{session: session, timeout: 600_000, refused: true})
		d.want("timeout=0 session=0")
	}},
	{"a client from the future is not answered", func(d *director) {
		d.connect(1, connectSpec{session: sessionNew, timeout: 1, zxid: d.pair.last + 1, refused: true})
		d.want("closed by the server")
		d.connect(1, connectSpec{session: sessionNew, timeout: 1, zxid: d.pair.last})
		d.want("connected")
	}},
	{"an unknown opcode costs the connection but not the session", func(d *director) {
		for _, op := range []int32{0, 10, 55, -1} {
			d.open(1)
			session := d.last()
			d.do(1, request{op: op, pace: paceJudge}, "zxid=-1", "-6", "closed by the server")
			d.connect(1, connectSpec{session: session, timeout: 600_000})
			d.want("passwd=right")
			d.drop(1)
		}
	}},
	{"a ping is answered with its own xid whatever it carried", func(d *director) {
		d.send(0, request{xid: 17, op: opPing}, request{xid: -2, op: opPing})
		d.want("ping", "xid=-2 err=0", "ping", "xid=-2 err=0")
	}},
	{"sessions and data survive a restart", func(d *director) {
		d.open(1)
		session := d.last()
		d.do(1, reqCreate(opCreate, d.top+"/e", []byte("x"), openACL, 1), "err=0")
		for _, kill := range []bool{false, true} {
			d.step(&step{kind: stepRestart, kill: kill})
			d.connect(1, connectSpec{session: session, timeout: 600_000})
			d.do(1, reqRead(opGetData, d.top+"/e", false), "owner=s#")
		}
		d.do(1, request{op: opCloseSession, pace: paceJudge}, "closed")
		d.open(0)
		d.do(0, reqRead(opExists, d.top+"/e", false), "-101")
	}},
}

var authScenes = []scene{
	{"identities are added and shown", func(d *director) {
		d.do(0, request{op: opWhoAmI}, `1["ip":"127.0.0.1"]`)
		d.do(0, reqAuth(-4, "digest", []byte("user1:12345")), "xid=-4 err=0")
		d.want("auth zxid=0")
		d.do(0, reqAuth(-4, "digest", []byte("user1:12345")), "xid=-4 err=0")
		d.do(0, request{op: opWhoAmI}, `2["ip":"127.0.0.1" "digest":"user1"]`)
		d.do(0, reqCreate(opCreate, d.top+"/a", nil, []aclEntry{{31, "auth", "ignored"}}, 0), "err=0")
		d.do(0, reqPath(opGetACL, d.top+"/a"), `"user1:+owfoSBn/am19roBPzR1/MfCblE="`)
		d.do(0, reqAuth(-4, "digest", []byte(superPassword)), "err=0")
		d.do(0, request{op: opWhoAmI}, `"super":""`)
		d.do(0, reqCreate(opCreate, d.top+"/b", nil, []aclEntry{{31, "super", ""}}, 0), "-114")
	}},
	{"a scheme without a provider costs the connection", func(d *director) {
		for _, scheme := range []string{"world", "auth", "super", "sasl", "nosuch", ""} {
			d.open(1)
			d.do(1, reqAuth(-4, scheme, []byte("x")), "auth zxid=0 xid=-4 err=-115", "closed")
		}
		d.do(0, reqAuth(33, "ip", nil), "xid=33 err=0")
		d.do(0, reqSASL([]byte("x")), "zxid=0", "err=0(ok) null")
		d.do(0, reqSASL([]byte{}), "zxid=0", "err=0(ok) null")
	}},
	{"a sasl packet without a token costs the connection", func(d *director) {
		d.do(0, reqSASL(nil), "closed by the server")
	}},
	{"getACL hides digests from those who may only read", func(d *director) {
		acl := []aclEntry{{31, "digest", digestU1}, {1, "world", "anyone"}, {16, "digest", digestU2}, {4, "digest", ":b"}}
		d.do(0, reqCreate(opCreate, d.top+"/a", nil, acl, 0), "err=0")
		d.do(0, reqPath(opGetACL, d.top+"/a"), `"digest":"u1:x":31`, `"digest":":x":4`)
		d.do(0, reqCreate(opCreate, d.top+"/b", nil, acl[:1], 0), "err=0")
		d.do(0, reqPath(opGetACL, d.top+"/b"), "-102")
		d.do(0, reqRead(opGetData, d.top+"/b", true), "-102")
		d.do(0, reqPath(opChildrenNumber, d.top+"/b"), "-102")
		d.do(0, reqAuth(-4, "digest", []byte("u2:p2")), "err=0")
		d.do(0, reqPath(opGetACL, d.top+"/a"), digestU1)
		d.do(0, reqSetACL(d.top+"/a", openACL, -1), "av=1")
	}},
	{"ids are valid or not", func(d *director) {
		try := func(scheme, id, want string) {
			d.do(0, reqCreate(opCreate, d.top+"/x", nil, []aclEntry{{31, scheme, id}}, 2), want)
		}
		for _, id := range []string{"a:b", ":b"} {
			try("digest", id, "err=0")
		}
		for _, id := range []string{"a", "a:", "a:b:c", "", ":"} {
			try("digest", id, "-114")
		}
		for _, id := range []string{"127.0.0.1", "0.0.0.0/0", "10.1.2.3/32", "255.255.255.255/1"} {
			try("ip", id, "err=0")
		}
		for _, id := range []string{"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/33", "1.2.3.4/x", "1.2.3.4/-1", "a.b.c.d"} {
			try("ip", id, "-114")
		}
		try("world", "nobody", "-114")
		try("world", nullString, "")
		try("digest", nullString, "")
		try("ip", nullString, "")
		try(nullString, "x", "-114")
		for _, id := range []string{"1.2.3.4/",
			"1.2.3.4/8/9", "01.2.3.4", "+1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1..2.3"} {
			try("ip", id, "")
		}
		for _, id := range []string{"a::b", "::b", "a:b:", "a:b::", "::", "é:ß"} {
			try("digest", id, "")
		}
	}},
	{"addresses match by their bits", func(d *director) {
		for i, c := range []struct{ id, want string }{{"127.0.0.1", "err=0"}, {"127.9.9.9/8", "err=0"}, {"127.0.0.2/31", "-102"},
			{"127.0.0.0/31", "err=0"}, {"1.2.3.4/0", "err=0"}} {
			p := d.top + "/" + string(rune('a'+i))
			d.do(0, reqCreate(opCreate, p, nil, []aclEntry{{31, "ip", c.id}}, 0), "")
			d.do(0, reqRead(opGetData, p, false), c.want)
		}
	}},
	{"reconfiguration is off", func(d *director) {
		e := encoder{}
		d.do(0, request{op: opReconfig, body: e.str(nullString).str(nullString).str(nullString).i64(-1).b}, "-123")
	}},
}

// TestExpiry lets a session run out on servers with a short tick; the witness waits for the event, not for a time.
func TestExpiry(t *testing.T) {
	p, err := newPair(fastDir(t), other(t), options{tickMS: 200})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	said := [2]string{}
	err = both(p, func(s *side) error {
		return expire(s, &said[map[*side]int{p.a: 0, p.b: 1}[s]])
	})
	if err != nil {
		t.Fatal(err)
	}
	if said[0] != said[1] {
		t.Errorf("A says:\n%s\nB says:\n%s", said[0], said[1])
	}
	if !strings.Contains(said[0], "type=2") || !strings.Contains(said[0], "refused") {
		t.Errorf("the session did not expire:\n%s", said[0])
	}
}

// expire opens a witness and a session that falls silent, and says what became of it.
func expire(s *side, said *string) error {
	for i := range 2 {
		if err := s.act(&step{kind: stepOpen, slot: i, connect: &connectSpec{session: sessionNew, timeout: int32(4000 - 3600*i)}}); err != nil {
			return err
		}
		s.slots[i].lines = nil
	}
	mk := reqCreate(opCreate, "/e", nil, openACL, 1)
	*said += solo(s, 1, mk)
	watch := reqRead(opExists, "/e", true)
	*said += solo(s, 0, watch)
	witness := s.slots[0]
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		// Each sync keeps the witness alive and brings what has happened.
		if text := solo(s, 0, request{xid: 9, op: opPing}); strings.Contains(text, "type=2") {
			for _, l := range strings.Split(text, "\n") {
				if strings.Contains(l, "type=") {
					*said += "\n" + l + "\n"
				}
			}
			break
		}
		witness.conn.await(time.Now().Add(50*time.Millisecond), func(f [][]byte) bool { return len(f) > 0 })
	}
	if !s.slots[1].conn.awaitEnd(time.Now().Add(10 * time.Second)) {
		*said += "the silent connection is still open"
	}
	s.drop(1)
	st := &step{kind: stepOpen, slot: 1, connect: &connectSpec{session: 1, timeout: 400, refused: true}}
	if err := s.act(st); err != nil {
		return err
	}
	if strings.Contains(s.slots[1].lines[0].text, "timeout=0 session=0") {
		*said += "refused"
	}
	return nil
}

// TestFourLetterWords compares the words whose answers hold no times and no ids.
func TestFourLetterWords(t *testing.T) {
	p, err := newPair(fastDir(t), other(t), options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	for _, word := range []string{"ruok", "isro", "wchs", "wchc", "wchp", "crst", "srst", "gtmk", "nope", "\xff\xf4\xff\xfd"} {
		a, errA := fourLetterWord(p.procs[0].addr, word, answerWait)
		b, errB := fourLetterWord(p.procs[1].addr, word, answerWait)
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("%q: A says %q (%v), B says %q (%v)", word, a, errA, b, errB)
		}
	}
	p.procs[0].stop(syscall.SIGKILL)
}
