package sim

import (
	"bytes"
	"slices"
	"strings"

	"paddock/internal/zk"
	"paddock/server/request"
)

// replied checks session-fifo (replies come in the order of the requests, one each), reply-after-apply (the reply shows what the model has at its zxid) and that a client never sees time go back.
func (s *server) replied(id request.ClientID, r *zk.Reply) {
	c, w := s.conns[id], s.w
	if c == nil {
		w.fail("a reply to connection %d, which does not exist: %+v", id, r)
		return
	}
	w.trace.add("client %d: reply xid=%d %v %v zxid=%v %s", c.n, r.Xid, r.Op, r.Err, r.Zxid, r.Path)
	if len(c.sent) == 0 || c.sent[0].req.Xid != r.Xid || c.sent[0].req.Op != r.Op {
		w.fail("session-fifo: client %d gets a reply with xid %d to %v, and waits for %s", c.n, r.Xid, r.Op, c.waits())
		return
	}
	call := c.sent[0]
	c.sent = c.sent[1:]
	if r.Zxid < c.seen || r.Zxid > w.model.last() {
		w.fail("client %d has seen %v and is answered at %v; the newest is %v", c.n, c.seen, r.Zxid, w.model.last())
		return
	}
	c.seen = r.Zxid
	w.lost.shown(r.Zxid)
	w.watches.replied(c.n, c.id, r)
	switch {
	case call.req.Op.IsWrite() && call.want == nil:
		w.fail("client %d: %v xid %d is answered and was never proposed", c.n, r.Op, r.Xid)
	case call.req.Op.IsWrite():
		if diff := differentReply(r, call.want); diff != "" || r.Zxid != call.want.Zxid {
			w.fail("reply-after-apply: client %d, %v %s: %s in\n%+v, expected\n%+v", c.n, r.Op, call.req.Path, diff, *r, *call.want)
		}
	case call.req.Op == zk.OpSetWatches2 && r.Err == zk.OK:
		w.watches.again(&c.caller, c.id, call.req.Watches, r.Zxid)
	default:
		w.read(&c.caller, call, r)
		w.watches.set(c.id, call.req, r)
	}
}

// differentReply compares what a client is told of a write.
func differentReply(got, want *zk.Reply) string {
	switch {
	case got.Err != want.Err:
		return "error"
	case len(got.Results) != len(want.Results):
		return "number of results"
	case got.Err == zk.OK && want.Op.IsCreate() && got.Path != want.Path:
		return "path"
	case got.Err == zk.OK && showsStat(want.Op) && got.Stat != want.Stat:
		return "stat"
	}
	for i := range want.Results {
		if got.Results[i].Op != want.Results[i].Op {
			return "type of a result"
		}
		if diff := differentReply(&got.Results[i], &want.Results[i]); diff != "" {
			return diff + " of a result"
		}
	}
	return ""
}

func showsStat(op zk.OpCode) bool { return op.IsCreate() || op == zk.OpSetData || op == zk.OpSetACL }

// read compares the answer to a read with the model at the zxid of the answer.
func (st *stage) read(c *caller, call *call, r *zk.Reply) {
	req, n := call.req, at(st.model.nodes[call.req.Path], r.Zxid)
	wrong := func(what string) {
		st.fail("reply-after-apply: client %d, %v %s at %v: wrong %s in %+v, the model has %+v", c.n, req.Op, req.Path, r.Zxid, what, *r, n)
	}
	switch req.Op {
	case zk.OpExists, zk.OpGetData, zk.OpGetChildren2, zk.OpGetACL:
		if (r.Err == zk.OK) != (n != nil) || r.Err != zk.OK && r.Err != zk.NoNode {
			wrong("error")
			return
		}
		if n == nil {
			return
		}
		if r.Stat != n.wire() {
			wrong("stat")
		}
		if req.Op == zk.OpGetData && !bytes.Equal(r.Data, n.data) {
			wrong("data")
		}
		if req.Op == zk.OpGetACL && !slices.Equal(r.ACL, n.acl) {
			wrong("access list")
		}
		if req.Op == zk.OpGetChildren2 && !slices.Equal(slices.Sorted(slices.Values(r.Names)), st.model.children(req.Path, r.Zxid)) {
			wrong("children")
		}
	case zk.OpSync:
		if r.Zxid < call.atLeast {
			st.fail("client %d: a sync is answered at %v, and %v was proposed before it came", c.n, r.Zxid, call.atLeast)
		}
	case zk.OpGetEphemerals:
		if want := st.model.ownedAt(c.session, r.Zxid); !slices.Equal(r.Names, want) {
			st.fail("client %d at %v: ephemerals %v, expected %v", c.n, r.Zxid, r.Names, want)
		}
	default:
		if r.Err != zk.OK {
			st.fail("client %d: %v %s fails with %v", c.n, req.Op, req.Path, r.Err)
		}
	}
}

// children are the names below a path as of z, sorted.
func (m *model) children(path string, z zk.Zxid) []string {
	prefix := strings.TrimSuffix(path, "/") + "/"
	var names []string
	for p, h := range m.nodes {
		if strings.HasPrefix(p, prefix) && len(p) > len(prefix) && strings.IndexByte(p[len(prefix):], '/') < 0 && at(h, z) != nil {
			names = append(names, p[len(prefix):])
		}
	}
	slices.Sort(names)
	return names
}

// ownedAt are the paths that a session owns as of z, sorted.
func (m *model) ownedAt(s zk.SessionID, z zk.Zxid) []string {
	var paths []string
	for p, h := range m.nodes {
		if n := at(h, z); n != nil && n.stat.Owner == zk.Owner(s) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}
