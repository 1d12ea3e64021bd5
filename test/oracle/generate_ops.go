//go:build interop

package oracle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// openACL lets everybody do everything.
var openACL = []aclEntry{{31, "world", "anyone"}}

// Digest ids of u1:p1 and u2:p2.
const (
	digestU1 = "u1:fpT/y03U+EjItKZOSLGvjnJlyng="
	digestU2 = "u2:o9NxcCGDPOlcV7JVhmKHOf5ctVE="
)

// path draws a path from a small universe, so that operations meet.
func (g *game) path() string {
	if len(g.nodes) > 0 && g.chance(420) {
		return pick(g, g.nodes...)
	}
	switch n := g.rng.IntN(1000); {
	case n < 60:
		return g.top
	case n < 130 && len(g.nodes) > 0:
		return pick(g, g.nodes...) + "/" + pick(g, "x", "a")
	case n < 520:
		return g.top + "/" + pick(g, "a", "b", "c", "d")
	case n < 740:
		return g.top + "/" + pick(g, "a", "b") + "/" + pick(g, "x", "y", "a")
	case n < 790:
		return g.top + "/a/x/" + pick(g, "p", "q")
	case n < 880:
		return fmt.Sprintf("%s/%s%010d", g.top, pick(g, "n-", "a/n-", "b/", "a/x/"), g.rng.IntN(7))
	case n < 910:
		return pick(g, "/", "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/nosuch", "/nosuch/below")
	case n < 940:
		return "/zookeeper/quota" + g.top + pick(g, "", "/zookeeper_limits", "/zookeeper_stats", "/a/zookeeper_stats")
	}
	return g.oddPath()
}

// oddPath draws a path at the edge of the rules or beyond.
func (g *game) oddPath() string {
	t := g.top
	if g.gentle {
		return t
	}
	return pick(g, "", nullString, "a", "//", "/"+t, t+"/", t+"//a", t+"/a/", t+"/./a", t+"/../a", t+"/..", t+"/.", t+"/...",
		t+"/a..b", t+"/.a", t+"/\x00", t+"/a\x00b", t+"/\x01", t+"/\x1f", t+"/\x7f", t+"/\u0080", t+"/\u009f", t+"/\u00a0",
		t+"/\ud7ff", t+"/\ue000", t+"/\uf8ff", t+"/\uf900", t+"/\uffef", t+"/\ufff0", t+"/\ufffd", t+"/ü", t+"/ ", t+"/a b", t+"/"+strings.Repeat("l", 300), t[1:], "/zookeeper/", "/zookeeper/quota/")
}

// nodePath draws the path of a node to write to; quota nodes are written by quota alone, since ZooKeeper breaks on
// text that does not parse.
func (g *game) nodePath() string {
	for {
		if p := g.path(); !strings.HasPrefix(p, "/zookeeper") && p != "/" || g.chance(150) && !strings.Contains(p, "zookeeper_") {
			return p
		}
	}
}

// newPath draws the path of a node to create, more often one that does not exist.
func (g *game) newPath() string {
	if !g.gentle && g.chance(12) {
		// Only to create: ZooKeeper puts such names into other bytes, Paddock keeps them, and nobody may have such a node.
		return g.top + pick(g, "/\xff", "/\xc0\x80", "/😀", "/\xed\xa0\x80")
	}
	p := g.nodePath()
	for range 3 {
		if !slices.Contains(g.nodes, p) || g.chance(200) {
			break
		}
		p = g.nodePath()
	}
	return p
}

func (g *game) data() []byte {
	switch g.rng.IntN(10) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return bytes.Repeat([]byte{byte(g.rng.IntN(256))}, g.rng.IntN(400))
	}
	return []byte(pick(g, "x", "data", "hello world", "\x00\xff\x80", "count=1,bytes=2"))
}

func (g *game) version() int32 {
	if g.gentle {
		return -1
	}
	return pick[int32](g, -1, -1, -1, -1, -1, 0, 0, 0, 1, 1, 2, 3, 7, -2, 2147483647, -2147483648)
}

// acl draws an ACL, most often an open one, since a closed door ends every story.
func (g *game) acl() []aclEntry {
	if g.gentle || g.chance(620) {
		return openACL
	}
	switch g.rng.IntN(10) {
	case 0:
		return pick(g, nil, []aclEntry{}, []aclEntry{{31, nullString, "anyone"}}, []aclEntry{{31, "digest", nullString}},
			[]aclEntry{{31, "ip", nullString}}, []aclEntry{{31, "world", nullString}}, []aclEntry{{31, "auth", nullString}},
			[]aclEntry{{31, nullString, nullString}})
	case 1:
		return []aclEntry{{pick[int32](g, 31, 1, 4, 5), "auth", pick(g, "", "x")}}
	case 2:
		return append([]aclEntry{g.entry(), g.entry(), g.entry()}, openACL...)
	case 3:
		e := g.entry()
		return []aclEntry{e, openACL[0], e, openACL[0]}
	case 4:
		return []aclEntry{{pick[int32](g, 0, 1, 2, 3, 5, 7, 8, 15, 23, 27, 29, 30, 32, 63, -1), "world", "anyone"}}
	}
	return []aclEntry{g.entry()}
}

// entry draws one ACL entry.
func (g *game) entry() aclEntry {
	perms := pick[int32](g, 31, 31, 31, 1, 3, 7, 12, 17, 0, 1024, -2147483648)
	switch g.rng.IntN(6) {
	case 0, 1:
		return aclEntry{perms, "digest", pick(g, digestU1, digestU2)}
	case 2:
		return aclEntry{perms, "digest", pick(g, "a:b", ":b", "a", "a:", "a:b:c", "", ":", "::", "a::b", "ü:ß")}
	case 3:
		return aclEntry{perms, "ip", pick(g, "127.0.0.1", "127.0.0.1/8", "127.255.0.9/8", "10.0.0.1", "0.0.0.0/0", "127.0.0.1/32")}
	case 4:
		return aclEntry{perms, "ip", pick(g, "", "127.0.0", "127.0.0.1/33", "127.0.0.256", "127.0.0.1/", "127.0.0.1/-1", "x",
			"127.0.0.1/a", "1.2.3.4.5")}
	}
	return aclEntry{perms, pick(g, "world", "super", "auth", "nosuch", "", "World", "x509"), pick(g, "anyone", "", "u1:p1", "Anyone")}
}

// watch decides whether a read on path sets a watch, and books it.
func (g *game) watch(slot int, path string, mode watchMode) bool {
	m := g.slots[slot].modes
	if path == nullString || m[path] != 0 && m[path] != mode {
		return false // a watch on a null path keeps ZooKeeper 3.8 from closing the connection
	}
	m[path] = mode
	if g.watchers[path] == nil {
		g.watchers[path] = map[*slotModel]bool{}
	}
	g.watchers[path][g.slots[slot]] = true
	return true
}

// ownPath draws a path that no other connection has ever watched: ZooKeeper 3.8 lets checkWatches and removeWatches
// see anybody's watches, even those of a connection whose close it has not noticed yet.
func (g *game) ownPath(slot int) string {
	s := g.slots[slot]
	for {
		p := g.path()
		if !strings.HasPrefix(p, "/") { // 3.8 stumbles over it, but only while somebody holds a recursive watch
			continue
		}
		if len(g.watchers[p]) == 0 && g.chance(200) || len(g.watchers[p]) == 1 && g.watchers[p][s] {
			return p
		}
		if g.chance(10) {
			return fmt.Sprintf("%s/own%d", g.top, s.xid)
		}
	}
}

// any draws a request for slot. alone permits what is racy in a burst.
func (g *game) any(slot int, alone bool) *request {
	r := g.draw(slot, alone)
	if g.enforceQuota && r.pace == paceAny { // hard quotas look at counters that a write in flight has not moved yet
		switch r.op {
		case opCreate, opCreate2, opCreateContainer, opCreateTTL, opSetData, opMulti:
			r.pace = paceAlone
		}
	}
	if alone && g.chance(35) {
		g.spoil(&r)
	}
	return &r
}

// draw picks an operation.
func (g *game) draw(slot int, alone bool) request {
	if g.enforceQuota && g.chance(25) {
		return g.quota()
	}
	switch n := g.rng.IntN(1000); {
	case n < 230:
		return g.create(alone)
	case n < 310:
		return reqVersion(opDelete, g.path(), g.version())
	case n < 400:
		p := g.path()
		return reqRead(opExists, p, g.chance(600) && g.watch(slot, p, watchStandard))
	case n < 470:
		p := g.path()
		return reqRead(opGetData, p, g.chance(600) && g.watch(slot, p, watchStandard))
	case n < 555:
		return reqSetData(g.nodePath(), g.data(), g.version())
	case n < 585:
		return reqPath(opGetACL, g.path())
	case n < 625:
		return g.setACL()
	case n < 700:
		p := g.path()
		return reqRead(pick[int32](g, opGetChildren, opGetChildren2), p, g.chance(600) && g.watch(slot, p, watchStandard))
	case n < 790:
		return g.multi(alone)
	case n < 830:
		return g.multiRead()
	case n < 845:
		return g.quota()
	case n < 860:
		return reqPath(opSync, g.path())
	case n < 875:
		return request{op: opPing, xid: pick[int32](g, -2, -2, 5, 0x6fff0000)}
	case n < 925:
		return g.watchOp(slot)
	case n < 955:
		return g.setWatches(slot)
	case n < 970:
		return reqPath(opGetEphemerals, pick(g, "", "/", nullString, " ", g.top, g.top+"/a", g.top+"/a/", "nosuch"))
	case n < 985:
		return reqPath(opChildrenNumber, g.path())
	case n < 993:
		return request{op: opWhoAmI}
	case n < 996:
		return g.reconfig()
	}
	return reqSASL(pick(g, []byte{}, []byte("token")))
}

func (g *game) reconfig() request {
	e := encoder{}
	e.str(pick(g, nullString, "server.2=h:1:2")).str(nullString).str(pick(g, nullString, "server.1=h:1:2;3")).i64(-1)
	return request{op: opReconfig, body: e.b}
}

// seqPath draws the path of a sequential create: a prefix, or a directory with its slash.
func (g *game) seqPath() string {
	return g.top + pick(g, "/n-", "/a/n-", "/a/", "/b/", "/", "/a/x/", "/c/q", "/a//", "")
}

// create draws a request of the create family.
func (g *game) create(alone bool) request {
	op := pick[int32](g, opCreate, opCreate, opCreate, opCreate2, opCreate2, opCreateContainer, opCreateTTL)
	flags := pick[int32](g, 0, 0, 0, 0, 1, 1, 2, 3)
	odd := alone && g.chance(40) // a flag that does not suit the opcode: what is in flight differs from what is applied
	switch {
	case op == opCreateContainer && odd:
		flags = pick[int32](g, 0, 1, 2, 3)
	case op == opCreateContainer:
		flags = 4
	case op == opCreateTTL:
		flags = pick[int32](g, 5, 6)
	case odd:
		flags = pick[int32](g, 4, 5, 6, 7, -1, 100, -2147483648)
	}
	return g.createFlag(op, flags)
}

func (g *game) createFlag(op, flags int32) request {
	path := g.newPath()
	if flags == 2 || flags == 3 || flags == 6 {
		path = g.seqPath()
	}
	if op == opCreateTTL {
		ttl := pick[int64](g, 1, 1000, 86_400_000, 1<<40-1, 1<<40-1, 0, -1, 1<<40, -9223372036854775808)
		if flags != 5 && flags != 6 && ttl < 0 {
			ttl = 5 // a negative ttl without a TTL flag kills ZooKeeper's processor
		}
		return reqCreateTTL(path, g.data(), g.acl(), flags, ttl)
	}
	return reqCreate(op, path, g.data(), g.acl(), flags)
}

// setACL leaves the shared nodes open. It travels alone: ZooKeeper judges requests pipelined behind a setACL by the
// old ACL until the new one is applied.
func (g *game) setACL() request {
	p := g.path()
	acl := g.acl()
	if p == "/" || strings.HasPrefix(p, "/zookeeper") || p == "" || p == g.top {
		acl = openACL
	}
	r := reqSetACL(p, acl, g.version())
	r.pace = paceAlone
	return r
}

// quota creates, changes or removes quota nodes with text that ZooKeeper can parse.
func (g *game) quota() request {
	base := "/zookeeper/quota" + g.top + pick(g, "", "", "/a")
	limits := pick(g, "count=3,bytes=50", "count=-1,bytes=-1", "count=100,bytes=100000",
		"count=-1,bytes=-1=;byteHardLimit=40;countHardLimit=6",
		"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=4", "count=-1,bytes=-1=;byteHardLimit=600;countHardLimit=-1", "count=2,bytes=10=;byteHardLimit=-1;countHardLimit=30")
	var subs []subOp
	mk := func(path string, data []byte) {
		if !slices.Contains(g.nodes, path) || g.chance(30) {
			subs = append(subs, subCreate(reqCreate(opCreate, path, data, openACL, 0), openACL, 0))
		}
	}
	mk("/zookeeper/quota"+g.top, nil)
	if base != "/zookeeper/quota"+g.top {
		mk(base, nil)
	}
	mk(base+"/zookeeper_limits", []byte(limits))
	mk(base+"/zookeeper_stats", []byte("count=0,bytes=0"))
	switch {
	case len(subs) > 0:
		return reqMulti(opMulti, subs)
	case g.chance(300):
		return reqVersion(opDelete, base+pick(g, "/zookeeper_limits", "/zookeeper_stats"), -1)
	}
	return reqSetData(base+"/zookeeper_limits", []byte(limits), -1)
}

// watchOp draws addWatch, checkWatches or removeWatches.
func (g *game) watchOp(slot int) request {
	p := g.path()
	if g.chance(450) {
		mode := pick[int32](g, 0, 1, 0, 1, 2, -1)
		if mode == 2 || mode == -1 || g.watch(slot, p, watchMode(mode+2)) {
			return reqVersion(opAddWatch, p, mode)
		}
	}
	op := pick[int32](g, opCheckWatches, opRemoveWatches)
	p = g.ownPath(slot)
	kind := pick[int32](g, 1, 2, 3, 1, 2, 3, 0, 6)
	if g.slots[slot].modes[p] > watchStandard {
		kind = pick[int32](g, 3, 3, 0, 6, -1)
	}
	r := reqVersion(op, p, kind)
	r.pace = paceAlone // an exists before it may have left a watch on one server only, see exists-read
	return r
}

// setWatches draws what a client sends after a reconnect.
func (g *game) setWatches(slot int) request {
	list := func(mode watchMode) []string {
		out := []string{}
		for range g.rng.IntN(4) {
			if p := g.path(); p != nullString && g.watch(slot, p, mode) {
				out = append(out, p)
			}
		}
		return out
	}
	zxid := max(g.last-int64(g.rng.IntN(30)), 0)
	data, exist, child := list(watchStandard), list(watchStandard), list(watchStandard)
	if g.chance(30) {
		data = nil // a null list behind others would leave ZooKeeper with half of them done
	}
	if g.chance(500) {
		return reqSetWatches(opSetWatches, zxid, data, exist, child)
	}
	return reqSetWatches(opSetWatches2, zxid, data, exist, child, list(watchPersistent), list(watchRecursive))
}

// spoil cuts, extends or flips the body, where the outcome is the same on every server.
func (g *game) spoil(r *request) {
	if len(r.body) == 0 || r.pace > paceAlone {
		return
	}
	switch g.rng.IntN(3) {
	case 0:
		if r.op == opReconfig {
			return // ZooKeeper 3.8 decodes it before it takes a zxid
		}
		n := g.rng.IntN(len(r.body))
		r.body = r.body[:n:n]
		r.text += fmt.Sprintf(" CUT to %d bytes", n)
		r.pace = paceAlone
	case 1:
		r.body = append(r.body, byte(g.rng.IntN(256)), byte(g.rng.IntN(256)), byte(g.rng.IntN(256)))
		r.text += " EXTENDED"
	case 2:
		switch r.op {
		case opCreate, opCreate2, opDelete, opSetData, opGetACL:
			if bytes.Contains(r.body, []byte("zookeeper")) {
				return
			}
			i := g.rng.IntN(len(r.body))
			r.body = bytes.Clone(r.body)
			r.body[i] ^= 1 << g.rng.IntN(7) // not the eighth bit: see newPath
			r.text += fmt.Sprintf(" FLIPPED byte %d: %x", i, r.body)
			r.pace = paceAlone
		}
	}
}
