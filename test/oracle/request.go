//go:build interop

package oracle

import (
	"fmt"
	"strings"
)

// Opcodes as they travel. The table is this package's own: see the package comment.
const (
	opCreate          = 1
	opDelete          = 2
	opExists          = 3
	opGetData         = 4
	opSetData         = 5
	opGetACL          = 6
	opSetACL          = 7
	opGetChildren     = 8
	opSync            = 9
	opPing            = 11
	opGetChildren2    = 12
	opCheck           = 13
	opMulti           = 14
	opCreate2         = 15
	opReconfig        = 16
	opCheckWatches    = 17
	opRemoveWatches   = 18
	opCreateContainer = 19
	opDeleteContainer = 20
	opCreateTTL       = 21
	opMultiRead       = 22
	opAuth            = 100
	opSetWatches      = 101
	opSASL            = 102
	opGetEphemerals   = 103
	opChildrenNumber  = 104
	opSetWatches2     = 105
	opAddWatch        = 106
	opWhoAmI          = 107
	opCreateSession   = -10
	opCloseSession    = -11
)

var opNames = map[int32]string{
	opCreate: "create", opDelete: "delete", opExists: "exists", opGetData: "getData", opSetData: "setData",
	opGetACL: "getACL", opSetACL: "setACL", opGetChildren: "getChildren", opSync: "sync", opPing: "ping",
	opGetChildren2: "getChildren2", opCheck: "check", opMulti: "multi", opCreate2: "create2", opReconfig: "reconfig",
	opCheckWatches: "checkWatches", opRemoveWatches: "removeWatches", opCreateContainer: "createContainer",
	opDeleteContainer: "deleteContainer", opCreateTTL: "createTTL", opMultiRead: "multiRead", opAuth: "auth",
	opSetWatches: "setWatches", opSASL: "sasl", opGetEphemerals: "getEphemerals",
	opChildrenNumber: "getAllChildrenNumber", opSetWatches2: "setWatches2", opAddWatch: "addWatch",
	opWhoAmI: "whoAmI", opCreateSession: "createSession", opCloseSession: "closeSession",
}

func opName(op int32) string {
	if n, ok := opNames[op]; ok {
		return n
	}
	return fmt.Sprintf("op%d", op)
}

// pace says how the player may send a request and what it waits for.
type pace int

const (
	paceAny     pace = iota // may travel in a burst: one reply, connection stays open
	paceAlone               // one reply, connection stays open, but racy in a burst
	paceJudge               // one reply, which may announce a close (auth, unknown opcode, closeSession)
	paceCloses              // no reply, the connection closes
	paceNothing             // no reply and no close
)

// request is one frame to send, and what to know about it afterwards.
type request struct {
	xid, op int32
	body    []byte
	raw     []byte // the whole bytes to send, instead of header and body
	pace    pace
	text    string // what it asks, for reports
	path    string // what it is about, if one thing
	// Sub-ops of a multi in order, for the explained differences.
	subs []subOp
}

// subOp is one operation inside a multi or multiRead.
type subOp struct {
	op, flags int32
	nullACL   bool
	body      []byte
	text      string
}

// bytes returns the frame as it travels.
func (r *request) bytes() []byte {
	if r.raw != nil {
		return r.raw
	}
	e := encoder{}
	e.i32(r.xid).i32(r.op)
	return frame(append(e.b, r.body...))
}

// replyXid is the xid under which the reply will come.
func (r *request) replyXid() int32 {
	if r.op == opPing {
		return -2
	}
	return r.xid
}

func (r *request) String() string {
	if r.raw != nil {
		return fmt.Sprintf("raw %s", r.text)
	}
	return fmt.Sprintf("xid=%d %s %s", r.xid, opName(r.op), r.text)
}

// show quotes a string for reports, null included.
func show(s string) string {
	if s == nullString {
		return "null"
	}
	return fmt.Sprintf("%q", s)
}

func showACL(list []aclEntry) string {
	if list == nil {
		return "acl=null"
	}
	parts := make([]string, len(list))
	for i, a := range list {
		parts[i] = fmt.Sprintf("%s:%s:%d", show(a.scheme), show(a.id), a.perms)
	}
	return "acl=[" + strings.Join(parts, " ") + "]"
}

func reqPath(op int32, path string) request {
	e := encoder{}
	return request{op: op, body: e.str(path).b, text: show(path), path: path}
}

func reqRead(op int32, path string, watch bool) request {
	e := encoder{}
	return request{op: op, body: e.str(path).flag(watch).b, text: fmt.Sprintf("%s watch=%t", show(path), watch), path: path}
}

func reqVersion(op int32, path string, version int32) request {
	e := encoder{}
	return request{op: op, body: e.str(path).i32(version).b, text: fmt.Sprintf("%s %d", show(path), version), path: path}
}

func reqSetData(path string, data []byte, version int32) request {
	e := encoder{}
	return request{op: opSetData, body: e.str(path).buf(data).i32(version).b,
		text: fmt.Sprintf("%s %s version=%d", show(path), showData(data), version)}
}

func reqSetACL(path string, acl []aclEntry, version int32) request {
	e := encoder{}
	return request{op: opSetACL, body: e.str(path).acls(acl).i32(version).b,
		text: fmt.Sprintf("%s %s version=%d", show(path), showACL(acl), version)}
}

func reqCreate(op int32, path string, data []byte, acl []aclEntry, flags int32) request {
	e := encoder{}
	return request{op: op, body: e.str(path).buf(data).acls(acl).i32(flags).b,
		text: fmt.Sprintf("%s %s %s flags=%d", show(path), showData(data), showACL(acl), flags)}
}

func reqCreateTTL(path string, data []byte, acl []aclEntry, flags int32, ttl int64) request {
	r := reqCreate(opCreateTTL, path, data, acl, flags)
	e := encoder{b: r.body}
	r.body = e.i64(ttl).b
	r.text += fmt.Sprintf(" ttl=%d", ttl)
	return r
}

func reqAuth(xid int32, scheme string, credentials []byte) request {
	e := encoder{}
	return request{xid: xid, op: opAuth, body: e.i32(0).str(scheme).buf(credentials).b, pace: paceJudge,
		text: fmt.Sprintf("%s %s", show(scheme), showData(credentials))}
}

func reqSASL(token []byte) request {
	e := encoder{}
	return request{op: opSASL, body: e.buf(token).b, text: showData(token), pace: paceJudge}
}

// reqSetWatches builds setWatches from three lists and setWatches2 from five; a nil list is a null vector.
func reqSetWatches(op int32, zxid int64, lists ...[]string) request {
	e := encoder{}
	e.i64(zxid)
	for _, l := range lists {
		e.strs(l)
	}
	return request{xid: -8, op: op, body: e.b, text: fmt.Sprintf("zxid=%d %q", zxid, lists)}
}

// reqMulti joins sub-ops under op (multi or multiRead).
func reqMulti(op int32, subs []subOp) request {
	e := encoder{}
	texts := make([]string, len(subs))
	for i, s := range subs {
		e.i32(s.op).i8(0).i32(-1)
		e.b = append(e.b, s.body...)
		texts[i] = opName(s.op) + " " + s.text
	}
	e.i32(-1).i8(1).i32(-1)
	return request{op: op, body: e.b, subs: subs, text: "[" + strings.Join(texts, "; ") + "]"}
}

// sub turns a request into a sub-op of a multi.
func sub(r request) subOp { return subOp{op: r.op, body: r.body, text: r.text} }

// subCreate is a create-family sub-op; it remembers what the explained differences look at.
func subCreate(r request, acl []aclEntry, flags int32) subOp {
	s := sub(r)
	s.flags, s.nullACL = flags, acl == nil
	return s
}

// connectSpec is a ConnectRequest in terms both servers understand: sessions by index, zxids as numbers.
type connectSpec struct {
	session  int    // index of a session, sessionNew, or sessionUnknown
	passwd   []byte // nil: the right one
	noPasswd bool   // send a null password
	timeout  int32
	zxid     int64
	protocol int32
	readOnly int  // 0 or 1, or readOnlyAbsent as clients before 3.4 do
	tail     int  // surplus bytes after the record
	cut      int  // bytes missing at its end
	refused  bool // the generator expects a refusal or a close, so nothing is pipelined
}

const (
	sessionNew     = -1
	sessionUnknown = -2
	readOnlyAbsent = -1
)

// bytes encodes the spec for a server that knows the session as id.
func (c *connectSpec) bytes(id int64) []byte {
	pw := c.passwd
	switch {
	case c.noPasswd:
		pw = nil
	case pw == nil && id == 0:
		pw = make([]byte, 16)
	case pw == nil:
		pw = password(id)
	}
	e := encoder{}
	e.i32(c.protocol).i64(c.zxid).i32(c.timeout).i64(id).buf(pw)
	if c.readOnly != readOnlyAbsent {
		e.i8(byte(c.readOnly))
	}
	e.b = append(e.b[:len(e.b)-c.cut], make([]byte, c.tail)...)
	return frame(e.b)
}

func (c *connectSpec) String() string {
	return fmt.Sprintf("connect session=%d passwd=%x null=%t timeout=%d zxid=%d readOnly=%d tail=%d cut=%d",
		c.session, c.passwd, c.noPasswd, c.timeout, c.zxid, c.readOnly, c.tail, c.cut)
}
