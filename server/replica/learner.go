package replica

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"paddock/consensus"
	"paddock/internal/jute"
	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/request"
)

// learner is what a server keeps that follows or observes: what the leader has been asked.
type learner struct {
	touched  map[zk.SessionID]int32            // sessions heard of since the leader's last ping, and their timeouts
	asking   map[zk.SessionID]request.ClientID // who waits for the leader's word that its session is alive
	renewals queue.Queue[renewal]              // what the leader has been asked of sessions and has still to answer, in order
	syncs    queue.Queue[syncAsker]            // whose syncs the leader has still to answer, in order
	// through is, of the sessions that came here through an observer, the observer's link that last took each up, 0 for this
	// server's own clients. To the leader all of them are this server's, so that it cannot tell when they move between these.
	through map[zk.SessionID]consensus.LinkID
	// relayed: an observer master passes on what this observer asks. What local sessions have written may reach the leader after
	// what they write on another way, and the leader, which does not know them, cannot tell whenever one of the two is through a
	// master. So they end when this server gets one and when it loses it.
	relayed bool
}

// renewal is a session that the leader was asked about, for a client of this server or, by link, of an observer.
type renewal struct {
	session   zk.SessionID
	timeoutMS int32
	link      consensus.LinkID
}

// syncAsker is a client of this server or the link of an observer.
type syncAsker struct {
	client *client
	link   consensus.LinkID
}

// never is a zxid that no txn reaches.
const never = zk.Zxid(math.MaxInt64)

// forward asks the leader for a client's write. The answer waits in the client's queue for the txn to come back.
func (r *Replica) forward(c *client, req *zk.Request, at int64, eff Effects) {
	c.closing = c.closing || req.Op == zk.OpCloseSession
	p := pending{at: at, xid: req.Xid, op: req.Op, until: never}
	if req.Op == zk.OpTransact && !r.core.LeaderConfirms() {
		multi, ok := req.AsMulti()
		if !ok {
			r.inTurn(c, req, zk.Unimplemented, at, eff)
			return
		}
		p.plain, req = &plainTransact{guards: len(req.Guards)}, multi
	}
	c.queue.Push(p)
	r.askFor(c, req, eff)
}

// forwardSync asks the leader to say when all that it has proposed so far has come here.
func (r *Replica) forwardSync(c *client, req *zk.Request, at int64, eff Effects) {
	c.queue.Push(pending{req: req, ids: c.identities(req), at: at, until: never})
	r.learner.syncs.Push(syncAsker{client: c})
	r.askFor(c, req, eff)
}

// askFor sends the leader a client's request.
func (r *Replica) askFor(c *client, req *zk.Request, eff Effects) {
	r.ask(consensus.ForwardedRequest{Session: c.session, Cxid: req.Xid, Op: req.Op, Body: r.letter.encode(req), AuthInfo: slices.Clip(c.identities(req))}, eff)
}

// ask sends the leader a request.
func (r *Replica) ask(q consensus.ForwardedRequest, eff Effects) {
	l := &r.letter
	l.request = q
	l.message = consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid, Request: &l.request}
	r.tellLeader(&l.message, eff)
}

func (r *Replica) tellLeader(m *consensus.Message, eff Effects) {
	r.letter.action = consensus.Action{Kind: consensus.Send, Link: r.core.LeaderLink(), Message: m}
	eff.Peer(&r.letter.action)
}

// letter is what the leader is told, which serves again for the next: whoever carries it out does so at once.
type letter struct {
	action  consensus.Action
	message consensus.Message
	request consensus.ForwardedRequest
	body    []byte
	enc     jute.Coder
}

// bodyKeepBytes is the size up to which the memory of a body serves again.
const bodyKeepBytes = 64 << 10

// encode is a request's record without its header. One that did not decode has none, so that the leader finds the same.
func (l *letter) encode(req *zk.Request) []byte {
	if req.Malformed {
		return []byte{}
	}
	l.enc = *jute.Writer(l.body[:0])
	req.Jute(&l.enc)
	b := l.enc.Bytes()
	if l.body = nil; cap(b) <= bodyKeepBytes {
		l.body = b
	}
	return b[zk.HeaderBytes:]
}

// askSession asks the leader for a new session.
func (r *Replica) askSession(c *client, eff Effects) {
	timeout := binary.BigEndian.AppendUint32(nil, uint32(c.timeout))
	r.ask(consensus.ForwardedRequest{Session: c.session, Op: zk.OpCreateSession, Body: timeout}, eff)
}

// askRenewal asks the leader whether a client's session is alive. Only one client at a time can be it.
//
// What was to be said of the session in the name of an earlier connection would give it that one's timeout again.
func (r *Replica) askRenewal(c *client, eff Effects) {
	r.learner.touched[c.session] = c.timeout
	r.learner.asking[c.session] = c.id
	r.learner.renewals.Push(renewal{session: c.session})
	if _, ok := r.learner.through[c.session]; ok {
		r.learner.through[c.session] = 0
	}
	r.tellLeader(&consensus.Message{Kind: consensus.MsgRevalidate, Zxid: consensus.NoZxid, Session: c.session, TimeoutMS: c.timeout}, eff)
}

// fromLeader takes a message of the leader that is not about the order of txns.
func (r *Replica) fromLeader(m *consensus.Message, eff Effects) {
	switch m.Kind {
	case consensus.MsgPing:
		r.tellLeader(&consensus.Message{Kind: consensus.MsgPing, Zxid: m.Zxid, Touched: r.takeTouched()}, eff)
	case consensus.MsgSync:
		r.synced(eff)
	case consensus.MsgRevalidate:
		r.revalidated(m, eff)
	}
}

// takeTouched is what the leader is told of sessions, by id; never nil.
func (r *Replica) takeTouched() []consensus.Touch {
	list := make([]consensus.Touch, 0, len(r.learner.touched))
	for s, timeout := range r.learner.touched {
		list = append(list, consensus.Touch{Session: s, TimeoutMS: timeout})
	}
	slices.SortFunc(list, func(a, b consensus.Touch) int { return cmp.Compare(a.Session, b.Session) })
	clear(r.learner.touched)
	return list
}

// synced answers the oldest sync: everything proposed when the leader got it has been applied here.
func (r *Replica) synced(eff Effects) {
	if r.learner.syncs.Len() == 0 {
		return // of an earlier link
	}
	by := *r.learner.syncs.Front()
	r.learner.syncs.Pop()
	if by.client == nil {
		eff.Peer(&consensus.Action{Kind: consensus.Send, Link: by.link, Message: &consensus.Message{Kind: consensus.MsgSync}})
		return
	}
	by.client.synced++
	r.drain(by.client, eff)
}

// revalidated tells the client that waits for it whether its session lives.
func (r *Replica) revalidated(m *consensus.Message, eff Effects) {
	if q := r.learner.renewals; q.Len() > 0 && q.Front().session == m.Session {
		by := *q.Front()
		r.learner.renewals.Pop()
		if by.link != 0 {
			r.observerRevalidated(by, m, eff)
			return
		}
	}
	id, ok := r.learner.asking[m.Session]
	delete(r.learner.asking, m.Session)
	c := r.client(id)
	if !ok || c == nil || c.state != connecting || c.session != m.Session {
		return
	}
	if !m.Valid {
		r.refuse(c, eff)
		return
	}
	eff.Note(Note{Kind: SessionRenewed, Client: c.id, Session: c.session, TimeoutMS: c.timeout})
	r.connected(c, eff)
}

// claim finds the client of this server that a txn answers, if it is one's.
func (r *Replica) claim(f *inflight) {
	h := &f.rec.Header
	c := r.attached[h.Session]
	if c == nil {
		return
	}
	if c.state == connecting {
		// Who takes a session up that has just become a global one waits for the leader's word nevertheless: that comes to the leader
		// after whatever else does meanwhile, and what was asked by then would come after what the client asks elsewhere later.
		if by, renews := r.learner.asking[h.Session]; h.Type == zk.OpCreateSession && !(renews && by == c.id) {
			f.client = c.id
		}
		return
	}
	if c.queue.Len() == 0 || h.Type == zk.OpCreateSession { // which makes a local session global
		return
	}
	p := c.queue.Front()
	ends := h.Type == zk.OpCloseSession && p.op != zk.OpCloseSession // the leader's own doing
	if p.req == nil && p.xid == h.Cxid && !ends {
		p.until = h.Zxid
		f.client, f.xid, f.op, f.at, f.plain = c.id, p.xid, p.op, p.at, p.plain
	}
}
