package replica

import (
	"slices"

	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/request"
	"paddock/server/session"
)

// clientState is how far a connection has come.
type clientState uint8

const (
	fresh      clientState = iota // no ConnectRequest yet
	connecting                    // its createSession txn is in flight
	open                          // it has a session
)

// pending is a request that waits: for its own txn, or behind one that does.
type pending struct {
	req   *zk.Request // nil for a write whose txn is in flight
	ids   []zk.ID     // the identities the client had when the request came
	at    int64
	xid   int32 // of a write
	op    zk.OpCode
	plain *plainTransact // of a transact that the leader was sent as a multi
	until zk.Zxid        // answered once this is applied: the write's own txn; for a sync, what was proposed before it
	token uint64         // of a sync on a leader: answered once consensus has confirmed this
	// refuse is what a write that needs no txn is answered with: one that is refused, or the end of a local session (OK).
	refuse zk.Code
}

// client is one connection.
type client struct {
	id      request.ClientID
	origin  request.Origin
	ids     []zk.ID // never modified in place
	session zk.SessionID
	timeout int32
	state   clientState
	old     bool
	closing bool // a client of a learner, or of a local session, has asked for the end of its session
	local   bool // its session is known here only
	guest   bool // it has no session and needs none
	held    bool // something it asks waits until this leader may propose again
	synced  int  // syncs that the leader has answered and that still wait behind other requests
	gone    bool // closed by us or by it; nothing may be sent any more
	queue   queue.Queue[pending]
	early   []early
}

// early is a request that came before the session was open.
type early struct {
	req *zk.Request
	at  int64
}

// wait is a client whose sync waits for a zxid to be applied, and for the leader to be confirmed.
type wait struct {
	until  zk.Zxid
	token  uint64
	client *client
}

func (r *Replica) opened(ev *Event, eff Effects) {
	ids := auth.Add([]zk.ID{{Scheme: auth.SchemeIP, ID: ev.Origin.IP}}, ev.Origin.IDs...)
	c := &client{id: ev.Client, origin: ev.Origin, ids: ids}
	r.clients[ev.Client] = c
	if !ev.Origin.Guest {
		return
	}
	c.guest, c.state = true, open
	if !r.Answers() {
		r.close(c, request.CloseNotServing, eff)
	}
}

// identities are those that a request is judged by.
func (c *client) identities(req *zk.Request) []zk.ID {
	if req.IDs != nil {
		return req.IDs
	}
	return c.ids
}

// How many watches of connections that are gone one step drops, and one tick: a client may have very many.
const (
	dropsPerStep = 64
	dropsPerTick = 4096
)

// sweepWatches drops some of the watches of connections that are gone.
func (r *Replica) sweepWatches(most int) {
	if n := len(r.leaving); n > 0 && !r.watches.Drop(r.leaving[n-1], most) {
		r.leaving = r.leaving[:n-1]
	}
}

// forget drops a connection and its watches; its session lives on.
func (r *Replica) forget(c *client) {
	c.gone = true
	c.queue = queue.Queue[pending]{}
	c.early = nil
	if r.watches.Drop(c.id, dropsPerStep) {
		r.leaving = append(r.leaving, c.id)
	}
	delete(r.clients, c.id)
	if r.recent == c {
		r.recent = nil
	}
	if r.attached[c.session] == c {
		delete(r.attached, c.session)
	}
}

// close ends a connection from our side.
func (r *Replica) close(c *client, why request.CloseReason, eff Effects) {
	eff.Close(c.id, why)
	r.forget(c)
}

// connect makes the checks of a ConnectRequest in ZooKeeper's order.
func (r *Replica) connect(c *client, req *zk.ConnectRequest, eff Effects) {
	if c.state != fresh {
		r.close(c, request.CloseMalformed, eff)
		return
	}
	switch {
	case r.readOnly && !req.ReadOnly:
		r.close(c, request.CloseNotReadOnly, eff)
		return
	case !r.Answers():
		r.close(c, request.CloseNotServing, eff)
		return
	case r.holding():
		if password := req.Session.Password(); slices.Equal(req.Password, password[:]) && r.cfg.bug != bugHeldUnheard {
			timeout := session.Negotiate(req.TimeoutMS, r.cfg.MinSessionMS, r.cfg.MaxSessionMS)
			if !r.local.Touch(req.Session, timeout, r.nowMS) {
				r.sessions.Touch(req.Session, timeout, r.nowMS)
			}
		}
		r.hold(held{client: c, connect: req})
		return
	}
	if !r.throttle.admit(r.nowMS, req.Session != 0) {
		eff.Note(Note{Kind: ClientThrottled, Client: c.id, Text: c.origin.IP})
		r.close(c, request.CloseThrottled, eff)
		return
	}
	if req.LastZxidSeen > r.tree.Zxid() {
		eff.Note(Note{Kind: ClientAhead, Client: c.id, Session: req.Session, Zxid: req.LastZxidSeen, Text: c.origin.IP})
		r.close(c, request.CloseClientZxidAhead, eff)
		return
	}
	c.old = req.Old
	c.timeout = session.Negotiate(req.TimeoutMS, r.cfg.MinSessionMS, r.cfg.MaxSessionMS)
	switch {
	case r.readOnly:
		r.connectReadOnly(c, req, eff)
	case req.Session == 0:
		r.openSession(c, eff)
	default:
		r.reattach(c, req, eff)
	}
}

// openSession proposes a new session for c; it is told when the txn is applied.
func (r *Replica) openSession(c *client, eff Effects) {
	c.session = r.freshID()
	if r.cfg.LocalSessions {
		r.openLocal(c, eff)
		return
	}
	if r.leads() && !r.core.CanPropose() {
		r.close(c, request.CloseNotServing, eff) // leadership is on its way to another server
		return
	}
	c.state = connecting
	r.attached[c.session] = c
	if !r.leads() {
		r.askSession(c, eff)
		return
	}
	r.sessions.Open(c.session, c.timeout, r.nowMS)
	r.sessions.SetOwner(c.session, ownClients)
	by := r.asker(c, c.ids, 0)
	f := r.draft(c.id, 0, zk.OpCreateSession, 0)
	r.prep.OpenSession(c.timeout, by, &f.rec)
	r.propose(f, eff)
}

// reattach takes up a session again. ZooKeeper compatibility: the connection that served the session is closed before
// the password is looked at.
func (r *Replica) reattach(c *client, req *zk.ConnectRequest, eff Effects) {
	if before := r.attached[req.Session]; before != nil {
		r.close(before, request.CloseSessionReattached, eff)
	}
	c.session = req.Session
	password := req.Session.Password()
	switch right := slices.Equal(req.Password, password[:]); {
	case right && r.renewLocal(c, eff):
		return
	case right && !r.leads():
		c.state = connecting
		r.attached[c.session] = c
		r.askRenewal(c, eff)
		return
	case !right || !r.sessions.Touch(req.Session, c.timeout, r.nowMS):
		r.refuse(c, eff)
		return
	}
	r.sessions.SetOwner(c.session, ownClients)
	r.attached[c.session] = c
	eff.Note(Note{Kind: SessionRenewed, Client: c.id, Session: c.session, TimeoutMS: c.timeout})
	r.connected(c, eff)
}

// refuse tells a client that its session is over, or was never its.
func (r *Replica) refuse(c *client, eff Effects) {
	eff.Note(Note{Kind: SessionRefused, Client: c.id, Session: c.session})
	eff.Connected(c.id, &zk.ConnectResponse{Old: c.old})
	r.close(c, request.CloseSessionRefused, eff)
}

// connected tells c that its session is open and goes on with what it has sent meanwhile.
func (r *Replica) connected(c *client, eff Effects) {
	c.state = open
	eff.Connected(c.id, &zk.ConnectResponse{
		TimeoutMS: c.timeout, Session: c.session, Password: c.session.Password(), Old: c.old, ReadOnly: r.readOnly,
	})
	for _, e := range c.early {
		if !c.gone {
			r.request(c, e.req, e.at, eff)
		}
	}
	c.early = nil
}
