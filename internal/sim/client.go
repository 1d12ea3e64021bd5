package sim

import (
	"fmt"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// call is a request that a client has sent and that is not answered yet.
type call struct {
	req     *zk.Request
	want    *zk.Reply // of a write, once it is proposed
	atLeast zk.Zxid   // of a sync: what had been proposed when it was sent
}

// client is somebody who uses the server: one session after the other, each over one connection after the other.
type client struct {
	w *world
	n int

	// The session, which outlives connections and servers.
	session zk.SessionID // 0 for none
	seen    zk.Zxid
	xid     int32

	// The connection.
	id      request.ClientID // 0 for none
	open    bool             // the session is established on it
	asked   zk.SessionID     // the session it wants back, 0 for a new one
	honest  bool             // with the right password
	timeout int32
	sent    []*call // in order

	away     zk.Zxid    // what it had seen when it connected
	caughtUp []zk.Event // what it was told to have missed
}

// drop is the end of a connection; its requests will never be answered.
func (c *client) drop(why string) {
	if c.id == 0 {
		return
	}
	c.w.trace.add("client %d loses connection %d: %s", c.n, c.id, why)
	c.w.watches.drop(c.id)
	c.id, c.open, c.sent, c.caughtUp = 0, false, nil, nil
}

// connect opens a connection and asks for a session: the one it has, if it has not forgotten it.
func (c *client) connect(s *server) {
	if c.session != 0 && c.w.rng.IntN(12) == 0 {
		c.session, c.seen = 0, 0 // the session lives on until it expires
	}
	c.ask(s)
}

// takeOver asks for the session over another connection while the first one is still there.
func (c *client) takeOver(s *server) {
	if c.open {
		c.drop("another connection takes over")
		c.ask(s)
	}
}

func (c *client) ask(s *server) {
	w := c.w
	w.nextID++
	c.id, c.honest, c.asked, c.away = w.nextID, true, c.session, c.seen
	s.conns[c.id] = c
	req := &zk.ConnectRequest{LastZxidSeen: c.seen, TimeoutMS: int32(500 + w.rng.IntN(4000)), Session: c.asked}
	password := c.asked.Password()
	req.Password = password[:]
	if c.asked != 0 && w.rng.IntN(20) == 0 {
		req.Password, c.honest = make([]byte, 16), false
	}
	c.timeout = min(max(req.TimeoutMS, minSessionMS), maxSessionMS)
	s.step(replica.Event{Kind: replica.Opened, Client: c.id, Origin: request.Origin{IP: "127.0.0.1"}})
	w.sessions.connecting(c)
	s.step(replica.Event{Kind: replica.Connect, Client: c.id, Connect: req})
}

// disconnect ends the connection from the client's side.
func (c *client) disconnect(s *server) {
	id := c.id
	c.drop("it hangs up")
	delete(s.conns, id)
	s.step(replica.Event{Kind: replica.Disconnected, Client: id})
}

// submit sends a few requests at once.
func (c *client) submit(s *server, n int) {
	id := c.id
	for range n {
		req := c.request()
		c.sent = append(c.sent, &call{req: req, atLeast: c.w.model.last()})
		c.w.sessions.heard(c)
		s.step(replica.Event{Kind: replica.Request, Client: id, Request: req})
		if c.w.opt.Bug == BugRequestTwice && c.w.rng.IntN(20) == 0 {
			s.step(replica.Event{Kind: replica.Request, Client: id, Request: req})
		}
		if c.id != id || req.Op == zk.OpCloseSession {
			return
		}
	}
}

// Connected implements replica.Effects.
func (s *server) Connected(id request.ClientID, r *zk.ConnectResponse) {
	c, w := s.conns[id], s.w
	if c == nil || c.open {
		w.fail("connection %d is told of a session and did not ask", id)
		return
	}
	w.trace.add("client %d: session %v, timeout %d", c.n, r.Session, r.TimeoutMS)
	if r.Session == 0 {
		w.sessions.refused(c)
		c.session, c.seen = 0, 0
		return
	}
	if r.TimeoutMS != c.timeout || r.Password != r.Session.Password() || c.asked != 0 && c.asked != r.Session {
		w.fail("client %d gets session %v with timeout %d, expected %v with %d", c.n, r.Session, r.TimeoutMS, c.asked, c.timeout)
	}
	c.session, c.open = r.Session, true
	w.sessions.established(c)
}

// Close implements replica.Effects.
func (s *server) Close(id request.ClientID, why request.CloseReason) {
	c := s.conns[id]
	if c == nil {
		s.w.fail("connection %d is closed (%v) and does not exist", id, why)
		return
	}
	delete(s.conns, id)
	switch why {
	case request.CloseSessionClosed, request.CloseSessionExpired:
		c.session, c.seen = 0, 0
	case request.CloseSessionRefused, request.CloseSessionReattached:
	default:
		s.w.fail("client %d is sent away: %v", c.n, why)
	}
	if c.id == id {
		c.drop(why.String())
	}
}

// request makes up what the client asks next.
func (c *client) request() *zk.Request {
	w := c.w
	c.xid++
	req := &zk.Request{Xid: c.xid}
	switch k := w.rng.IntN(100); {
	case k < 62:
		c.write(req)
	case k < 72:
		req.Op, req.Path, req.Watch = zk.OpGetData, w.path(), w.rng.IntN(2) == 0
	case k < 80:
		req.Op, req.Path, req.Watch = zk.OpExists, w.path(), w.rng.IntN(2) == 0
	case k < 87:
		req.Op, req.Path, req.Watch = zk.OpGetChildren2, w.path(), w.rng.IntN(2) == 0
	case k < 89:
		req.Op, req.Path = zk.OpGetACL, w.path()
	case k < 92:
		req.Op, req.Path, req.Arg = zk.OpAddWatch, w.path(), int32(w.rng.IntN(2))
	case k < 94:
		req.Op, req.Path = zk.OpSync, "/"
	case k < 97:
		req.Op, req.Xid = zk.OpPing, zk.XidPing
	case k < 98:
		paths := func() []string {
			list := make([]string, w.rng.IntN(4))
			for i := range list {
				list[i] = w.path()
			}
			return list
		}
		req.Op, req.Xid = zk.OpSetWatches2, zk.XidSetWatches
		req.Watches = &zk.Watches{RelativeZxid: c.away, Data: paths(), Exist: paths(), Child: paths(), Persistent: paths(), Recursive: paths()}
	default:
		req.Op, req.Path = zk.OpGetEphemerals, "/"
	}
	return req
}

// write makes up a request that changes something.
func (c *client) write(req *zk.Request) {
	w := c.w
	switch k := w.rng.IntN(100); {
	case k < 1:
		req.Op = zk.OpCloseSession
	case k < 10:
		req.Op = zk.OpMulti
		for range 1 + w.rng.IntN(4) {
			req.Ops = append(req.Ops, zk.Request{})
			if op := &req.Ops[len(req.Ops)-1]; w.rng.IntN(5) == 0 {
				op.Op, op.Path, op.Version = zk.OpCheck, w.path(), int32(w.rng.IntN(4)-1)
			} else {
				w.change(op)
			}
		}
	case k < 15:
		req.Op, req.Path, req.Version, req.ACL = zk.OpSetACL, w.path(), -1, openLists[w.rng.IntN(len(openLists))]
	default:
		w.change(req)
	}
}

// openLists are access lists that let everybody do everything, in different words.
var openLists = [][]zk.ACL{
	zk.OpenACL,
	{{Perms: zk.PermAll, ID: zk.AnyoneID}, {Perms: zk.PermRead, ID: zk.ID{Scheme: "ip", ID: "10.0.0.1"}}},
	{{Perms: zk.PermAll, ID: zk.ID{Scheme: "ip", ID: "127.0.0.1"}}, {Perms: zk.PermRead, ID: zk.AnyoneID}},
}

// change makes up a create, delete or setData, alone or in a multi.
func (w *world) change(req *zk.Request) {
	req.TTLMS = -1
	switch k := w.rng.IntN(10); {
	case k < 5:
		req.Op, req.ACL, req.Data = zk.OpCreate, openLists[max(0, w.rng.IntN(6)-3)], w.data()
		req.Mode = zk.CreateMode(w.rng.IntN(4))
		req.Path = w.fresh()
		switch w.rng.IntN(12) {
		case 0, 1, 2:
			req.Op = zk.OpCreate2
		case 3:
			req.Op, req.Mode = zk.OpCreateContainer, zk.Container
		case 4:
			req.Op, req.Mode, req.TTLMS = zk.OpCreateTTL, zk.PersistentTTL, int64(500+w.rng.IntN(4000))
		}
	case k < 7:
		req.Op, req.Path, req.Version = zk.OpDelete, w.path(), -1
	default:
		req.Op, req.Path, req.Data, req.Version = zk.OpSetData, w.path(), w.data(), -1
		if w.rng.IntN(4) == 0 {
			req.Version = int32(w.rng.IntN(3))
		}
	}
}

// path is one that mostly exists.
func (w *world) path() string {
	if w.rng.IntN(6) > 0 && len(w.recent) > 0 {
		return w.recent[w.rng.IntN(len(w.recent))]
	}
	return w.fresh()
}

// fresh is one of few paths, so that requests meet; it may exist.
func (w *world) fresh() string {
	path := fmt.Sprintf("/%c", 'a'+w.rng.IntN(5))
	if w.rng.IntN(2) == 0 {
		path += fmt.Sprintf("/%c", 'k'+w.rng.IntN(4))
	}
	return path
}

// data makes up contents: of no, few or several sectors, and sometimes with long runs of zeros in it.
func (w *world) data() []byte {
	n := 0
	switch w.rng.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2, 3, 4:
		n = 1 + w.rng.IntN(60)
	case 5, 6:
		n = 400 + w.rng.IntN(700)
	case 7:
		n = 1000 + w.rng.IntN(4000)
	}
	b := make([]byte, n)
	if w.plan.zeros && w.rng.IntN(3) > 0 {
		b[w.rng.IntN(n)] = 1
		return b
	}
	v := w.rng.Uint64()
	for i := range b {
		b[i] = byte(v>>(i%8*8)) | byte(i%7+1)
	}
	return b
}
