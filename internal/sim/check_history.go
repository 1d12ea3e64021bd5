package sim

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// history knows what no server does: everything that was ever proposed or decided, and who led. What is decided becomes
// the model's, in order. It checks that there is one history, that no acknowledged write is lost or done twice, that
// everybody has the same at the same zxid, and that an epoch has one leader.
type history struct {
	e        *ensemble
	config   *quorum.Config
	epoch    int64 // the newest that had a leader
	leaders  map[int64]quorum.ServerID
	payloads map[zk.Zxid][]byte // ever logged by anyone
	digests  map[zk.Zxid]uint64 // of any server's tree
	promised map[[2]int64]quorum.ServerID
	lastXid  map[zk.SessionID]int32
}

func (h *history) init(e *ensemble) {
	*h = history{e: e, leaders: map[int64]quorum.ServerID{}, payloads: map[zk.Zxid][]byte{}, digests: map[zk.Zxid]uint64{},
		promised: map[[2]int64]quorum.ServerID{}, lastXid: map[zk.SessionID]int32{}}
}

// logged checks what a server puts into its log: a zxid is given to one txn, ever.
func (h *history) logged(p *process, z zk.Zxid, payload []byte) {
	before, known := h.payloads[z]
	switch {
	case !known && p.leading && z.Epoch() != p.epoch:
		h.e.fail("one history: server %d proposes %v and leads epoch %d", p.m.id, z, p.epoch)
	case !known:
		h.payloads[z] = bytes.Clone(payload)
		if p.leading {
			h.e.tenure.proposed(p, z, payload)
			if text := configIn(payload); h.e.faults && text != "" {
				h.e.upset(text)
			}
		}
	case !bytes.Equal(before, payload):
		h.e.fail("one history: server %d logs another txn %v than was logged before", p.m.id, z)
	}
}

// seen checks that trees at one zxid are equal, whoever's they are, decided or not.
func (h *history) seen(m *member, z zk.Zxid, digest uint64) {
	before, known := h.digests[z]
	if known && before != digest {
		h.e.fail("equal digest: server %d has %x at %v, and %x was there before", m.id, digest, z, before)
	}
	h.digests[z] = digest
}

// serves checks a role when it is taken.
func (h *history) serves(p *process, leader quorum.ServerID) {
	e := h.e
	if !p.leading {
		if z := p.r.Tree().Zxid(); z.Counter() != 0 && z > e.model.last() {
			e.fail("commit-in-order: server %d serves at %v, and nothing behind %v was decided", p.m.id, z, e.model.last())
		}
		// An observer that has a master knows of the leader what was said when it was elected; its master may know of a later one.
		if known := !e.plan.masters || p.r.Consensus().Role() != consensus.Observing; known && h.leaders[p.epoch] != leader {
			e.fail("one leader per epoch: server %d follows %d in epoch %d, which %d leads", p.m.id, leader, p.epoch, h.leaders[p.epoch])
		}
		return
	}
	if other, ok := h.leaders[p.epoch]; ok {
		e.fail("one leader per epoch: %d leads epoch %d, and %d did", p.m.id, p.epoch, other)
		return
	}
	if p.epoch < h.epoch { // a quorum did join it, and has gone on since, while it was paused; it will notice
		e.count("deposed before it led")
		h.leaders[p.epoch] = p.m.id
		e.tenure.begin(p)
		return
	}
	h.leaders[p.epoch], h.epoch = p.m.id, p.epoch
	last := p.logged
	if last.Counter() == 0 {
		last = e.model.last() // it has led, or got a snapshot of, an epoch without a txn; the digest tells the rest
	}
	if last < e.model.last() {
		e.fail("no acknowledged write is lost: server %d leads epoch %d with history up to %v, and %v was decided", p.m.id, p.epoch, last, e.model.last())
		return
	}
	h.decide(p, last)
	joined := func(id quorum.ServerID) bool {
		m := e.member(id)
		return max(m.promises.current, m.replaced.current) >= p.epoch
	}
	if !h.config.Met(joined) {
		e.fail("newleader-after-history: server %d leads epoch %d, and no quorum has joined it", p.m.id, p.epoch)
	}
	e.tenure.begin(p)
}

// decide adds to the history what a leader commits, up to z.
func (h *history) decide(p *process, z zk.Zxid) {
	for e := h.e; e.err == nil && e.model.last() < z; {
		next := e.model.last() + 1
		if z.Epoch() > next.Epoch() || next.Counter() == 0 {
			next = epochStart(z.Epoch()) + 1
		}
		payload, ok := h.payloads[next]
		if !ok {
			e.fail("one history: server %d commits %v, which was never proposed", p.m.id, next)
			return
		}
		durable := func(id quorum.ServerID) bool { return e.durably(id, next) }
		if !h.config.Met(durable) {
			e.fail("ack-after-durable: server %d commits %v, and no quorum has it durably", p.m.id, next)
		}
		if cfg, err := quorum.ParseConfig(configIn(payload)); err == nil && configIn(payload) != "" && !cfg.Met(durable) {
			e.fail("joint-quorum: server %d commits %v, and no quorum of the new voters has it durably", p.m.id, next)
		}
		h.judge(next, payload)
	}
}

// judge has the model carry out a txn that is decided.
func (h *history) judge(z zk.Zxid, payload []byte) {
	e := h.e
	var rec txn.Record
	if err := rec.Decode(payload); err != nil {
		e.fail("txn %v: %w", z, err)
		return
	}
	if !e.trace.off {
		e.trace.add("%d decided %v %v session=%v cxid=%d", e.nowMS, z, rec.Header.Type, rec.Header.Session, rec.Header.Cxid)
	}
	e.noteMark(e.model.digest)
	d := e.model.draftAt(z, rec.Header.Session, rec.Header.TimeMS)
	d.leader = h.leaders[z.Epoch()]
	switch {
	case rec.Header.Zxid != z:
		e.fail("commit-in-order: txn %v says it is %v", z, rec.Header.Zxid)
	case rec.Header.Type == zk.OpCreateSession:
		if len(e.model.sessions[rec.Header.Session]) > 0 {
			e.fail("session %v is opened a second time", rec.Header.Session)
		}
		if e.plan.local {
			e.count("session upgraded")
		}
		d.openSession(rec.Txn.TimeoutMS)
	case rec.Header.Session == 0:
		e.serverWrite(d, &rec)
	case rec.Header.Cxid == 0:
		d.judge(&zk.Request{Op: zk.OpCloseSession})
	default:
		h.write(d, &rec)
	}
	if want := e.model.digest; e.err == nil && rec.HasDigest && rec.Digest.Tree != want {
		e.fail("equal digest: txn %v carries %x, the model has %x", z, rec.Digest.Tree, want)
	}
}

// write finds whose request a txn is, and notes with it what the reply must be.
//
// The requests of a session are done in the order in which its client sent them, each at most once.
func (h *history) write(d *draft, rec *txn.Record) {
	e, s, xid := h.e, rec.Header.Session, rec.Header.Cxid
	c := e.calls[callKey{s, xid}]
	switch {
	case c == nil:
		e.fail("txn %v: nobody has sent a request with session %v and xid %d", d.z, s, xid)
		return
	case c.decided != 0:
		e.fail("done twice: the request of session %v with xid %d is %v and %v", s, xid, c.decided, d.z)
		return
	}
	c.decided = d.z
	if why := turnedAway(rec); why != zk.OK {
		h.turnedAway(d, c, why)
		return
	}
	// The end of a session comes from wherever it was asked for. Who leaves a connection before the session is taken up there, and
	// has asked something already, cannot know when that is done; ordinary clients do not ask so early.
	if xid < h.lastXid[s] && c.req.Op != zk.OpCloseSession && (!c.early || c.u.at == c.a) {
		e.fail("session-fifo: session %v has done its request %d and now does %d", s, h.lastXid[s], xid)
	}
	h.lastXid[s] = max(h.lastXid[s], xid)
	if c.req.Op == zk.OpReconfig {
		h.reconfigured(d, c, rec)
		return
	}
	want := d.judge(c.req)
	c.want = &want
	if want.Err == zk.OK && want.Op.IsCreate() {
		e.remember(want.Path)
	}
}

// turnedAway is why a request is not done if that is its session; OK if it is not. A multi says so in its first operation.
func turnedAway(rec *txn.Record) zk.Code {
	code := rec.Txn.Err
	if rec.Header.Type == zk.OpMulti && len(rec.Txn.Ops) > 0 && rec.Txn.Ops[0].Type == zk.OpError {
		code = rec.Txn.Ops[0].Err
	}
	if code == zk.SessionMoved || code == zk.SessionExpired {
		return code
	}
	return zk.OK
}

// turnedAway is a request that is not done, since its session has ended or is served elsewhere.
func (h *history) turnedAway(d *draft, c *userCall, why zk.Code) {
	alive := at(h.e.model.sessions[d.session], d.z) != 0
	if why == zk.SessionMoved && c.u.at == c.a && !c.a.moved {
		h.e.fail("session-fifo: client %d is still where it was, and its request %d is turned away as moved", c.u.n, c.req.Xid)
	}
	if why == zk.SessionExpired && alive && !h.e.tenure.closing(d.session) {
		h.e.fail("session %v is alive, and its request %d is turned away as expired", d.session, c.req.Xid)
	}
	if why == zk.SessionExpired && h.e.plan.upgrade && len(h.e.model.sessions[d.session]) == 0 {
		h.e.fail("client %d: its local session %v is made no global one ahead of %v %s", c.u.n, d.session, c.req.Op, c.req.Path)
	}
	want := zk.Reply{Op: c.req.Op, Err: why, Zxid: d.z}
	if c.req.Op == zk.OpMulti {
		want.Err, want.Results = zk.OK, make([]zk.Reply, len(c.req.Ops))
		for i := range want.Results {
			want.Results[i] = zk.Reply{Op: zk.OpError, Err: zk.RuntimeInconsistency}
		}
		want.Results[0].Err = why
	}
	c.want = &want
	d.commit()
}

// replied checks what anybody is told, read or not: a write only when it is decided, and what came of it.
func (h *history) replied(p *process, c *userCall, r *zk.Reply) {
	e := h.e
	if r.Zxid.Counter() != 0 && r.Zxid > e.model.last() {
		e.fail("client %d is answered at %v; the newest is %v", c.u.n, r.Zxid, e.model.last())
		return
	}
	switch {
	case !c.req.Op.IsWrite():
	case c.want == nil:
		h.answeredHere(p, c, r)
	default:
		if diff := differentReply(r, c.want); diff != "" || r.Zxid != c.want.Zxid {
			e.fail("reply-after-apply: client %d, %v %s: %s in\n%+v, expected\n%+v", c.u.n, r.Op, c.req.Path, diff, *r, *c.want)
		}
	}
}

// drops checks that a server that gives up a part of its log gives up nothing that needs it: what is decided is durable
// with a quorum of others. z is where its log ends from now on; with a snapshot it may end further.
//
// A leader has a learner that comes back truncate what is in flight, and sends it again; meanwhile it may be decided.
func (h *history) drops(p *process, z zk.Zxid) {
	p.m.promises.rewriting = true
	if p.logged <= z {
		return
	}
	for _, t := range h.e.model.between(z, p.logged) {
		others := func(id quorum.ServerID) bool { return id != p.m.id && h.e.durably(id, t.z) }
		if !h.config.Met(others) {
			h.e.fail("trunc-same-epoch: server %d, with history up to %v, drops %v, which is decided", p.m.id, p.logged, t.z)
			return
		}
	}
	p.m.promises.onDisk = min(p.m.promises.onDisk, z)
}

// sends checks that what a message promises is durable, and that no epoch is promised to two leaders.
func (h *history) sends(p *process, a *consensus.Action) {
	e, pr, m := h.e, &p.m.promises, a.Message
	epoch := m.Zxid.Epoch()
	switch m.Kind {
	case consensus.MsgLeaderInfo:
		if pr.accepted < epoch {
			e.fail("epoch-before-ack: server %d announces epoch %d before it is durable", p.m.id, epoch)
		}
	case consensus.MsgNewLeader:
		if pr.current != epoch {
			e.fail("epoch-before-ack: server %d sends NEWLEADER of epoch %d before it is durable", p.m.id, epoch)
		}
		if end := p.ends[a.Link]; end != nil {
			end.l.ends[1-end.side].given = max(min(p.r.Consensus().Committed(), p.logged), 0)
		}
	case consensus.MsgAckEpoch:
		if m.Epoch == consensus.NoEpoch || m.Zxid == consensus.NoZxid || p.ends[a.Link] == nil {
			return
		}
		key := [2]int64{int64(p.m.id), pr.accepted}
		to := p.ends[a.Link].l.ends[1].p.m.id
		if other, ok := h.promised[key]; ok && other != to {
			e.fail("one leader per epoch: server %d promises epoch %d to %d and to %d", p.m.id, pr.accepted, other, to)
		}
		h.promised[key] = to
	case consensus.MsgAck:
		switch {
		case m.Zxid.Counter() == 0 && pr.current != epoch:
			e.fail("newleader-after-history: server %d joins epoch %d before it is durable", p.m.id, epoch)
		case m.Zxid.Counter() == 0 && p.ends[a.Link] != nil && pr.onDisk < p.ends[a.Link].given:
			e.fail("newleader-after-history: server %d joins epoch %d with history up to %v, and its leader had %v", p.m.id, epoch, pr.onDisk, p.ends[a.Link].given)
		case m.Zxid.Counter() != 0 && pr.onDisk < m.Zxid:
			e.fail("ack-after-durable: server %d acknowledges %v, and has %v durably", p.m.id, m.Zxid, pr.onDisk)
		}
	}
}

// judgeReason finds reasons to part that only a broken rule can bring about among servers that are all of one make.
func (p *process) judgeReason(reason string) {
	for _, never := range [...]string{"out of place", "proposal ", "commit of", "which it was not sent", "before its time", "the leader sent",
		"is not for", "told to truncate", "has this server's id"} {
		if strings.HasPrefix(reason, never) || strings.HasSuffix(reason, never) {
			p.e.fail("among servers of one make: server %d: %s", p.m.id, reason)
		}
	}
}

// compareTree compares a whole tree with the model at z.
func (e *ensemble) compareTree(t *tree.Tree, z zk.Zxid) error {
	if t.Digest() != e.model.digestAt(z) {
		return fmt.Errorf("equal digest: at %v the tree has %x, the model %x", z, t.Digest(), e.model.digestAt(z))
	}
	if err := e.model.compare(t, z); err != nil {
		return err
	}
	return checkEphemerals(t)
}

// sortedSessions are the sessions of a set, in order.
func sortedSessions[V any](set map[zk.SessionID]V) []zk.SessionID {
	return slices.Sorted(maps.Keys(set))
}
