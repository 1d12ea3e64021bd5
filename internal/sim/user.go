package sim

import (
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// user is a client of an ensemble: one session after the other, over one connection after the other, to any server.
type user struct {
	caller // its session outlives connections and servers
	e      *ensemble

	at       *attach   // its connection; nil for none
	sinceMS  int64     // when it connected, or sent the oldest request that is not answered
	contacts []contact // of its session, of late
	home     *member   // where it was last
}

// attach is one connection, as the server knows it. The user may have left it long before the server notices.
type attach struct {
	u       *user
	p       *process
	id      request.ClientID
	open    bool         // the session is established on it
	asked   zk.SessionID // the session it wants back, 0 for a new one
	session zk.SessionID // that it has got
	honest  bool         // with the right password
	timeout int32
	askedMS int64 // when the server heard that
	left    bool  // by the user

	readsOnly bool // a server without a quorum will do
	readOnly  bool // and it is one
	moved     bool // an earlier connection has taken the session up since, in the eyes of a leader
	sent      []*userCall
}

// callKey names a request for ever.
type callKey struct {
	session zk.SessionID
	xid     int32
}

// userCall is a request, and what has become of it.
type userCall struct {
	call
	u       *user
	a       *attach
	decided zk.Zxid // 0 as long as it is not
	early   bool    // it was sent before its session was established on the connection
	arrived bool    // at the server
}

// Times of users, in milliseconds.
const (
	patienceMS = 1500 // for an answer
	silenceMS  = 5000 // at most, now and then
)

// act does the user's next thing.
func (u *user) act() {
	e := u.e
	if e.quiet || e.err != nil {
		return
	}
	wait := e.between(2, e.plan.paceMS)
	switch {
	case u.at == nil:
		u.connect()
	case e.nowMS-u.sinceMS > patienceMS && (!u.at.open || len(u.sent) > 0):
		u.leave("no answer")
	case !u.at.open:
		if e.chance(8) {
			u.submit(1) // before it knows its session
		}
	case e.chance(50):
		u.leave("it moves on")
	case e.chance(150):
		u.session, u.seen = 0, 0 // the session lives on until it expires
		u.leave("it begins anew")
	case e.chance(60) && e.calmMS == 0:
		wait = e.between(0, silenceMS)
	case len(u.sent) < 20:
		u.submit(1 + e.rng.IntN(4))
	}
	e.in(wait, u.act)
}

// connect opens a connection to some server and asks for a session: the one it has, if any.
func (u *user) connect() {
	e := u.e
	m := e.members[e.rng.IntN(len(e.members))]
	if e.plan.local && u.home != nil && !e.chance(4) {
		m = u.home
	}
	u.home = m
	p := m.p
	if p == nil || m.paused && e.chance(2) {
		return
	}
	e.nextID++
	a := &attach{u: u, p: p, id: e.nextID, asked: u.session, honest: true}
	u.at, u.sent, u.caughtUp, u.away, u.sinceMS = a, nil, nil, u.seen, e.nowMS
	req := &zk.ConnectRequest{LastZxidSeen: u.seen, TimeoutMS: 500 + e.rng.Int32N(e.plan.timeoutMS-500), Session: a.asked}
	if e.plan.readOnlyMS > 0 {
		a.readsOnly = !e.chance(3)
		req.ReadOnly = a.readsOnly
	}
	password := a.asked.Password()
	req.Password = password[:]
	if a.asked != 0 && e.chance(40) {
		req.Password, a.honest = make([]byte, 16), false
	}
	a.timeout = min(max(req.TimeoutMS, minSessionMS), maxSessionMS)
	p.conns[a.id] = a
	p.serve(func() {
		p.step(replica.Event{Kind: replica.Opened, Client: a.id, Origin: request.Origin{IP: "127.0.0.1"}})
		a.askedMS = u.e.nowMS
		p.tenure().connecting(a)
		p.step(replica.Event{Kind: replica.Connect, Client: a.id, Connect: req})
	})
}

// leave ends the user's side of the connection. The server hears of it soon, late, or only when the session is taken up
// elsewhere.
func (u *user) leave(why string) {
	a := u.at
	u.lose(why)
	if a == nil {
		return
	}
	p := a.p
	ms := u.e.between(0, 100)
	if u.e.faults && u.e.chance(4) {
		ms = u.e.between(500, 4000)
	}
	u.e.in(ms, func() {
		p.serve(func() {
			if p.conns[a.id] != nil {
				delete(p.conns, a.id)
				p.watches.drop(a.id)
				p.step(replica.Event{Kind: replica.Disconnected, Client: a.id})
			}
		})
	})
}

// lose is the end of a connection for its user; what was asked on it will never be answered.
func (u *user) lose(why string) {
	if u.at == nil {
		return
	}
	u.e.trace.add("%d client %d loses connection %d: %s", u.e.nowMS, u.n, u.at.id, why)
	u.at.left = true
	u.at.p.watches.drop(u.at.id) // nobody knows what it is told
	u.at, u.sent, u.caughtUp = nil, nil, nil
}

// lost is the end of a connection on the server's side.
func (a *attach) lost(why string) {
	delete(a.p.conns, a.id)
	a.p.watches.drop(a.id)
	if !a.left {
		a.u.lose(why)
	}
}

// submit sends a few requests at once.
// batchMax is how many requests a client sends at once at most: a server that answers at once may be asked for one sync after the other.
const batchMax = 12

func (u *user) submit(n int) {
	e, a := u.e, u.at
	for i := 0; i < n; i++ {
		var req *zk.Request
		if e.plan.reconfig && e.chance(e.plan.reconfigIn) {
			req = e.reconfigure(u)
		} else {
			req = e.request(&u.caller)
		}
		switch k := len(u.sent); {
		case k > 0 && u.sent[k-1].req.Op == zk.OpSync && req.Op != zk.OpSync:
			req = &zk.Request{Xid: u.xid, Op: zk.OpGetData, Path: e.path()}
		case a.p.leading && a.p.epoch < e.history.epoch && req.Op != zk.OpSync:
			req = &zk.Request{Xid: u.xid, Op: zk.OpSync, Path: "/"} // there is another leader, which this one may not know yet
		case e.plan.reads && req.Op.IsWrite() && !e.chance(6):
			req = &zk.Request{Xid: u.xid, Op: zk.OpSync, Path: "/"}
		}
		if req.Op == zk.OpSync && n < batchMax {
			n++ // the read that it is for
		}
		c := &userCall{call: call{req: req}, u: u, a: a, early: !a.open}
		u.linearize(c)
		if len(u.sent) == 0 {
			u.sinceMS = e.nowMS
		}
		u.sent = append(u.sent, &c.call)
		a.sent = append(a.sent, c)
		if a.open {
			e.index(u.session, c)
		}
		a.p.serve(func() {
			if a.p.conns[a.id] == nil {
				return
			}
			if a.p.serving && u.at == a && a.open {
				u.contact(a, e.nowMS)
			}
			c.arrived = true
			a.p.tenure().heard(a)
			a.p.step(replica.Event{Kind: replica.Request, Client: a.id, Request: req})
			a.p.plantAgain(a, req)
		})
		if u.at != a || req.Op == zk.OpCloseSession {
			return
		}
	}
}

// contact is a moment in which a server that serves has heard of a session.
type contact struct {
	atMS      int64
	timeoutMS int32
	server    *member
	boot      int // of the server
}

// contact notes that a server has heard of the user.
func (u *user) contact(a *attach, ms int64) {
	u.contacts = append(u.contacts, contact{ms, a.timeout, a.p.m, a.p.boot})
	for len(u.contacts) > 0 && u.contacts[0].atMS < u.e.nowMS-maxSessionMS {
		u.contacts = u.contacts[1:]
	}
}

// index makes a write known by who asked for it.
func (e *ensemble) index(s zk.SessionID, c *userCall) {
	if c.req.Op.IsWrite() {
		e.calls[callKey{s, c.req.Xid}] = c
	}
}

// Connected implements replica.Effects.
func (p *process) Connected(id request.ClientID, r *zk.ConnectResponse) {
	p.noticeCommits()
	a, e := p.conns[id], p.e
	switch {
	case a == nil || a.open:
		e.fail("server %d tells connection %d of a session, and it did not ask", p.m.id, id)
		return
	case r.Session == 0:
		e.tenure.refused(p, a)
		if !a.left {
			a.u.session, a.u.seen = 0, 0
		}
		return
	case r.TimeoutMS != a.timeout || r.Password != r.Session.Password() || a.asked != 0 && a.asked != r.Session:
		e.fail("client %d gets session %v with timeout %d, expected %v with %d", a.u.n, r.Session, r.TimeoutMS, a.asked, a.timeout)
	}
	a.open, a.session, a.readOnly = true, r.Session, r.ReadOnly
	if r.ReadOnly && (!p.readOnly || !a.readsOnly) {
		e.fail("read-only: client %d gets a read-only session, and has not asked for one or could have another", a.u.n)
	}
	for _, c := range a.sent {
		e.index(r.Session, c)
	}
	e.tenure.opened(p, a)
	if a.left {
		return // its requests die with it, or do not: whoever asks for this session next will see
	}
	p.m.note("client %d: session %v, timeout %d", a.u.n, r.Session, r.TimeoutMS)
	e.count("session established")
	if a.asked != 0 {
		e.count("session moved")
	}
	if a.u.session != r.Session {
		a.u.session, a.u.contacts = r.Session, nil
	}
	a.u.contact(a, a.askedMS)
	e.tenure.established(p, a)
}

// Close implements replica.Effects.
func (p *process) Close(id request.ClientID, why request.CloseReason) {
	p.noticeCommits()
	if !p.plantClose(why) {
		return
	}
	a := p.conns[id]
	if a == nil {
		p.e.fail("server %d closes connection %d (%v), which does not exist", p.m.id, id, why)
		return
	}
	p.e.count("closed: " + why.String())
	if why == request.CloseSessionExpired {
		p.localExpired(a)
	}
	switch why {
	case request.CloseSessionClosed, request.CloseSessionExpired:
		if !a.left {
			a.u.session, a.u.seen = 0, 0
		}
	case request.CloseSessionRefused, request.CloseSessionReattached, request.CloseSessionMoved, request.CloseNotServing, request.CloseClientZxidAhead:
	default:
		if !p.sentAway(a, why) {
			p.e.fail("client %d is sent away: %v", a.u.n, why)
		}
	}
	a.lost(why.String())
}
