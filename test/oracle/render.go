//go:build interop

package oracle

import (
	"crypto/sha1"
	"fmt"
	"sort"
	"strings"
	"time"
)

// normal holds what a server chose freely, so that two servers' answers can be written in the same words:
// session ids become their order of creation, times become the zxid they belong to.
type normal struct {
	sessions []int64          // by index
	index    map[int64]int    // session id -> index
	times    map[int64]int64  // zxid -> the time its txn carries, ms
	started  time.Time        // no txn time may lie before
	now      func() time.Time // no txn time may lie after
}

func newNormal() *normal {
	return &normal{index: map[int64]int{}, times: map[int64]int64{}, started: time.Now().Add(-time.Second),
		now: func() time.Time { return time.Now().Add(time.Second) }}
}

// session names a session id; an id never handed out is shown as it is.
func (n *normal) session(id int64) string {
	if id == 0 {
		return "0"
	}
	if i, ok := n.index[id]; ok {
		return fmt.Sprintf("s#%d", i)
	}
	return fmt.Sprintf("?%#x", uint64(id))
}

// add learns a session id and returns its index.
func (n *normal) add(id int64) int {
	if i, ok := n.index[id]; ok {
		return i
	}
	n.index[id] = len(n.sessions)
	n.sessions = append(n.sessions, id)
	return n.index[id]
}

// time names a time by its zxid. The first sight of a zxid fixes its time; every later one must agree.
func (n *normal) time(zxid, ms int64) string {
	if zxid == 0 || ms == 0 {
		return fmt.Sprintf("%d", ms)
	}
	known, ok := n.times[zxid]
	if !ok {
		if ms < n.started.UnixMilli() || ms > n.now().UnixMilli() {
			return fmt.Sprintf("implausible(%d)", ms)
		}
		n.times[zxid] = ms
		return "ok"
	}
	if known != ms {
		return fmt.Sprintf("contradicts(%d by %d)", zxid, ms-known)
	}
	return "ok"
}

// line is one frame, or one remark of the player, in normalised words.
type line struct {
	text  string
	event bool
	zxid  int64    // of the header
	err   int32    // of the header
	rest  string   // text without the zxid, for events
	req   *request // what it answers
	multi []result // of a multi or multiRead
	raw   []byte
}

// result is one entry of a MultiResponse.
type result struct {
	kind, err int32
	path      string
	text      string
	stat      stat
	hasStat   bool
}

// stat is a Stat record as it travels.
type stat struct {
	czxid, mzxid, ctime, mtime  int64
	version, cversion, aversion int32
	owner                       int64
	dataLength, children        int32
	pzxid                       int64
}

func (d *decoder) stat() stat {
	return stat{d.i64(), d.i64(), d.i64(), d.i64(), d.i32(), d.i32(), d.i32(), d.i64(), d.i32(), d.i32(), d.i64()}
}

func (n *normal) stat(s stat) string {
	return fmt.Sprintf("stat{c=%d/%s m=%d/%s v=%d cv=%d av=%d owner=%s len=%d kids=%d p=%d}", s.czxid,
		n.time(s.czxid, s.ctime), s.mzxid, n.time(s.mzxid, s.mtime), s.version, s.cversion, s.aversion,
		n.session(s.owner), s.dataLength, s.children, s.pzxid)
}

// showData quotes a buffer; a long one is cut and hashed.
func showData(p []byte) string {
	if p == nil {
		return "null"
	}
	if len(p) <= 120 {
		return fmt.Sprintf("%q", p)
	}
	return fmt.Sprintf("%q...(%d bytes, sha1 %x)", p[:20], len(p), sha1.Sum(p))
}

var codeNames = map[int32]string{
	0: "ok", -1: "SystemError", -2: "RuntimeInconsistency", -5: "MarshallingError", -6: "Unimplemented",
	-8: "BadArguments", -12: "UnknownSession", -101: "NoNode", -102: "NoAuth", -103: "BadVersion",
	-108: "NoChildrenForEphemerals", -110: "NodeExists", -111: "NotEmpty", -112: "SessionExpired",
	-114: "InvalidACL", -115: "AuthFailed", -118: "SessionMoved", -121: "NoWatcher", -123: "ReconfigDisabled",
	-125: "QuotaExceeded",
}

func showCode(c int32) string {
	if n, ok := codeNames[c]; ok {
		return fmt.Sprintf("%d(%s)", c, n)
	}
	return fmt.Sprintf("%d", c)
}

// connectReply reads a ConnectResponse. It returns the session id, 0 when refused.
func (n *normal) connectReply(raw []byte) (line, int64) {
	d := &decoder{b: raw}
	proto, timeout, id, pw := d.i32(), d.i32(), d.i64(), d.buf()
	who := "0"
	if id != 0 && d.err == nil {
		who = fmt.Sprintf("s#%d", n.add(id))
	}
	shown := fmt.Sprintf("%x", pw)
	if id != 0 && string(pw) == string(password(id)) {
		shown = "right"
	}
	return line{text: fmt.Sprintf("connected proto=%d timeout=%d session=%s passwd=%s readOnly=%x%s",
		proto, timeout, who, shown, d.b, d.problem()), raw: raw}, id
}

// problem says whether the record was complete; what is left over is shown by the caller.
func (d *decoder) problem() string {
	if d.err != nil {
		return " !short"
	}
	return ""
}

// tail shows surplus or undecodable bytes.
func (d *decoder) tail() string {
	s := d.problem()
	if len(d.b) > 0 {
		s += fmt.Sprintf(" +%x", d.b)
	}
	return s
}

// event reads a WatcherEvent behind its header.
func (n *normal) event(raw []byte) line {
	d := &decoder{b: raw}
	d.i32()
	zxid, err := d.i64(), d.i32()
	kind, state, path := d.i32(), d.i32(), d.str()
	rest := fmt.Sprintf("err=%d type=%d state=%d %s%s", err, kind, state, show(path), d.tail())
	return line{text: fmt.Sprintf("event zxid=%d %s", zxid, rest), event: true, zxid: zxid, err: err, rest: rest, raw: raw}
}

// reply reads a reply to req.
func (n *normal) reply(raw []byte, req *request) line {
	d := &decoder{b: raw}
	xid, zxid, err := d.i32(), d.i64(), d.i32()
	l := line{zxid: zxid, err: err, req: req, raw: raw}
	body := ""
	if req.op == opMulti || req.op == opMultiRead {
		if err == 0 || len(d.b) > 0 {
			l.multi, body = n.multi(d)
		}
	} else if err == 0 {
		body = n.body(d, req.op)
	}
	l.rest = strings.TrimRight(fmt.Sprintf("xid=%d err=%s %s%s", xid, showCode(err), body, d.tail()), " ")
	l.text = fmt.Sprintf("%s zxid=%d %s", opName(req.op), zxid, l.rest)
	return l
}

// body writes a successful reply's record.
func (n *normal) body(d *decoder, op int32) string {
	switch op {
	case opCreate, opSync:
		return show(d.str())
	case opCreate2, opCreateContainer, opCreateTTL:
		return show(d.str()) + " " + n.stat(d.stat())
	case opExists, opSetData, opSetACL:
		return n.stat(d.stat())
	case opGetData, opReconfig:
		return showData(d.buf()) + " " + n.stat(d.stat())
	case opGetACL:
		return d.aclText() + " " + n.stat(d.stat())
	case opGetChildren, opGetEphemerals:
		return d.sorted()
	case opGetChildren2:
		return d.sorted() + " " + n.stat(d.stat())
	case opSASL:
		return showData(d.buf())
	case opChildrenNumber, opAddWatch:
		return fmt.Sprintf("%d", d.i32())
	case opWhoAmI:
		return d.identities()
	}
	return ""
}

// sorted reads a vector of strings whose order means nothing.
func (d *decoder) sorted() string {
	list := d.strs()
	if list == nil {
		return "null"
	}
	sort.Strings(list)
	return fmt.Sprintf("%q", list)
}

// identities reads whoAmI's list, in its order.
func (d *decoder) identities() string {
	n := d.count(8)
	list := make([]string, max(n, 0))
	for i := range list {
		list[i] = show(d.str()) + ":" + show(d.str())
	}
	return fmt.Sprintf("%d%v", n, list)
}

// aclText reads an ACL.
func (d *decoder) aclText() string {
	n := d.count(12)
	list := make([]aclEntry, max(n, 0))
	for i := range list {
		list[i] = aclEntry{d.i32(), d.str(), d.str()}
	}
	return fmt.Sprintf("%d %s", n, showACL(list))
}

// multi reads a MultiResponse up to its terminator.
func (n *normal) multi(d *decoder) ([]result, string) {
	var list []result
	var texts []string
	for d.err == nil {
		kind, done, err := d.i32(), d.i8(), d.i32()
		if d.err != nil {
			break
		}
		if done != 0 {
			texts = append(texts, fmt.Sprintf("end(%d,%d,%d)", kind, done, err))
			break
		}
		r := n.result(d, kind, err)
		list = append(list, r)
		texts = append(texts, r.text)
	}
	return list, "[" + strings.Join(texts, "; ") + "]"
}

// result reads one entry of a MultiResponse behind its header.
func (n *normal) result(d *decoder, kind, err int32) result {
	r := result{kind: kind, err: err}
	body := ""
	switch kind {
	case opCreate:
		r.path = d.str()
		body = show(r.path)
	case opCreate2:
		r.path = d.str()
		r.stat, r.hasStat = d.stat(), true
		body = show(r.path) + " " + n.stat(r.stat)
	case opDelete, opCheck:
	case opSetData:
		body = n.stat(d.stat())
	case opGetData:
		body = showData(d.buf()) + " " + n.stat(d.stat())
	case opGetChildren:
		body = d.sorted()
	case -1:
		body = showCode(d.i32())
	default:
		d.err = errShort
	}
	r.text = fmt.Sprintf("%s/%s %s", opName(kind), showCode(err), body)
	return r
}
