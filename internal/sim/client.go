package sim

import (
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// client is somebody who uses the server: one session after the other, each over one connection after the other.
type client struct {
	caller // its session outlives connections and servers
	w      *world

	// The connection.
	id      request.ClientID // 0 for none
	open    bool             // the session is established on it
	asked   zk.SessionID     // the session it wants back, 0 for a new one
	honest  bool             // with the right password
	timeout int32
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
		req := c.w.request(&c.caller)
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
