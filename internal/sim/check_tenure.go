package sim

import (
	"encoding/binary"

	"paddock/consensus"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// tenure checks what leaders do with sessions: one ends when its leader has heard nothing of it for its timeout, and
// never before; in quiet times, when nobody at all has. One that was acknowledged can be taken up again until then.
// Time is that of the leader's monotonic clock.
type tenure struct {
	e    *ensemble
	of   map[*process]*watchover
	asks zk.SessionID // an operator ends it

	opening map[zk.SessionID]int64 // the last epoch in which a leader proposed to open the session, decided or not
	strange map[zk.SessionID]int64 // when a leader was last asked whether the session lives and had not proposed to open it
}

// watchover is what one leader has heard of the sessions.
type watchover struct {
	live     map[zk.SessionID]*sessionState
	tickedMS int64 // when it could last end any
	// stalledMS is when it last went on after it had stood still; 0 for never.
	stalledMS int64
}

func (t *tenure) init(e *ensemble) {
	t.e, t.of, t.opening, t.strange = e, map[*process]*watchover{}, map[zk.SessionID]int64{}, map[zk.SessionID]int64{}
}

// begin is a new leader: each session gets its whole timeout.
func (t *tenure) begin(p *process) {
	w := &watchover{live: map[zk.SessionID]*sessionState{}, tickedMS: t.e.nowMS}
	z := t.e.model.last()
	for s, h := range t.e.model.sessions {
		if timeout := at(h, z); timeout != 0 {
			w.live[s] = &sessionState{heardMS: t.e.nowMS, timeoutMS: timeout}
		}
	}
	t.of[p] = w
}

// lost is the end of a leader's time.
func (t *tenure) lost(p *process) { delete(t.of, p) }

// touch notes that a leader has heard of a session.
func (t *tenure) touch(p *process, s zk.SessionID, timeoutMS int32) {
	if w := t.of[p]; w != nil {
		if st := w.live[s]; st != nil && !st.closing {
			st.heardMS, st.timeoutMS = t.e.nowMS, timeoutMS
		}
	}
}

// connecting notes that a client is about to ask for its session.
func (t *tenure) connecting(a *attach) {
	if a.honest && a.asked != 0 {
		t.touch(a.p, a.asked, a.timeout)
		t.takenUp(a.asked, a, a.p)
	}
}

// takenUp notes that a leader, or a server, hears that a session is taken up by the connection by, nil if it is not known, at the
// process there. If it is served on another already, or is about to be by another server, the word of an earlier connection has been
// on its way for long, and the session counts as moved.
func (t *tenure) takenUp(s zk.SessionID, by *attach, there *process) {
	for _, u := range t.e.users {
		switch a := u.at; {
		case a == nil || a == by:
		case a.open && a.session == s, !a.open && a.asked == s && a.p != there:
			a.moved = true
		}
	}
}

// heard notes that a client is about to send something. What comes before its session is open counts once it is.
func (t *tenure) heard(a *attach) {
	if a.open {
		t.touch(a.p, a.session, a.timeout)
	}
}

// received notes what a leader is about to be told by a learner of its sessions.
func (t *tenure) received(p, learner *process, m *consensus.Message) {
	switch m.Kind {
	case consensus.MsgPing:
		for _, s := range m.Touched {
			t.touch(p, s.Session, s.TimeoutMS)
		}
	case consensus.MsgRevalidate:
		if !m.Answer {
			t.touch(p, m.Session, m.TimeoutMS)
			t.takenUp(m.Session, nil, learner)
			if w := t.of[p]; w != nil && w.live[m.Session] == nil {
				t.strange[m.Session] = t.e.nowMS
			}
		}
	case consensus.MsgRequest:
		if r := m.Request; r.Op == zk.OpCreateSession && len(r.Body) >= 4 {
			t.touch(p, r.Session, int32(binary.BigEndian.Uint32(r.Body)))
		}
	}
}

// proposed is a leader's new txn.
func (t *tenure) proposed(p *process, z zk.Zxid, payload []byte) {
	var rec txn.Record
	w := t.of[p]
	if err := rec.Decode(payload); err != nil || w == nil {
		t.e.fail("server %d proposes %v as the leader: %v", p.m.id, z, err)
		return
	}
	s := rec.Header.Session
	switch {
	case rec.Header.Type == zk.OpCreateSession:
		w.live[s] = &sessionState{heardMS: t.e.nowMS, timeoutMS: rec.Txn.TimeoutMS}
		t.opening[s] = p.epoch
	case rec.Header.Type != zk.OpCloseSession:
	case rec.Header.Cxid == 0:
		t.ended(p, w.live[s], s)
		fallthrough
	default:
		if w.live[s] != nil {
			w.live[s].closing = true
		}
	}
}

// ended checks that a session that a leader ends has been silent for long enough.
func (t *tenure) ended(p *process, st *sessionState, s zk.SessionID) {
	e := t.e
	e.count("session expired")
	switch {
	case st == nil:
		e.fail("ephemerals-die-with-session: server %d ends session %v, which does not exist", p.m.id, s)
	case st.closing:
		e.fail("ephemerals-die-with-session: server %d ends session %v, which is being ended", p.m.id, s)
	case s == t.asks:
	case p.epoch < e.history.epoch: // it has been deposed, and does not know it: nothing of this is decided
	case e.nowMS-st.heardMS < int64(st.timeoutMS):
		e.fail("ephemerals-die-with-session: session %v ends after %d ms of silence, its timeout is %d", s, e.nowMS-st.heardMS, st.timeoutMS)
	case e.calmMS != 0:
		for _, u := range e.users {
			if u.session != s || u.at == nil || !u.at.open {
				continue
			}
			timeout := int64(u.at.timeout)
			for _, c := range u.contacts {
				if c.server != u.at.p.m || e.plan.masters { // its last word to the leader may come late, with the timeout from there
					timeout = min(timeout, int64(c.timeoutMS))
				}
			}
			for _, c := range u.contacts {
				if c.atMS > e.calmMS && c.atMS < e.nowMS-quietLagMS && e.nowMS-c.atMS < timeout {
					e.fail("ephemerals-die-with-session: session %v ends %d ms after its client was heard by a server, its timeout is %d", s, e.nowMS-c.atMS, timeout)
				}
			}
		}
	}
}

// quietLagMS is how long it takes at most, when nothing goes wrong, until a leader has heard of a session that another
// server has, of an observer through its master.
const quietLagMS = 2 * (memberTickMS/2 + 100)

// ticking and ticked check, around a leader's tick, that no session outlives its timeout for long.
func (t *tenure) ticking(*process) {}

func (t *tenure) ticked(p *process) {
	w, e := t.of[p], t.e
	if w == nil || !p.leading || e.err != nil || !p.r.Consensus().CanPropose() {
		return
	}
	lastMS, since := w.tickedMS, e.nowMS-w.tickedMS // a paused leader could do nothing, nor could one that was about to hand over
	w.tickedMS = e.nowMS
	if since > memberTickMS {
		w.stalledMS = e.nowMS
	}
	if p.event != nil {
		return
	}
	hears := w.stalledMS > 0 && e.nowMS-w.stalledMS <= memberTickMS // who stood still hears clients first
	for _, s := range sortedSessions(w.live) {
		st := w.live[s]
		if st.heardMS >= lastMS {
			st.takenMS = e.nowMS
		}
		if !hears && !st.closing && e.nowMS-max(st.heardMS, st.takenMS) > int64(st.timeoutMS)+2*memberTickMS+since {
			e.fail("session %v has been silent for %d ms, its timeout is %d, and leader %d does not end it", s, e.nowMS-st.heardMS, st.timeoutMS, p.m.id)
			return
		}
	}
}

// closing tells whether some leader is ending a session.
func (t *tenure) closing(s zk.SessionID) bool {
	for _, w := range t.of {
		if st := w.live[s]; st == nil || st.closing {
			return true
		}
	}
	return false
}

// opened notes that a server has opened a session: what has come before counts from now, even if the client is gone.
func (t *tenure) opened(p *process, a *attach) {
	if len(a.sent) > 0 && a.sent[0].arrived {
		t.touch(p, a.session, a.timeout)
	}
}

// established checks that a client which is given its session back is given one that lives, as far as the newest leader's
// servers can know.
func (t *tenure) established(p *process, a *attach) {
	h := t.e.model.sessions[a.u.session]
	if p.epoch != t.e.history.epoch || !p.serving {
		return
	}
	if len(h) == 0 && !t.e.localHere(p.m.id, a.session) && !t.upgrading(p, a.session) {
		t.e.fail("client %d gets session %v, which was never opened", a.u.n, a.u.session)
	}
	if p.leading && len(h) > 1 {
		t.e.fail("client %d gets session %v, which has ended", a.u.n, a.u.session)
	}
}

// refused checks that a session which is refused has ended, or is about to.
func (t *tenure) refused(p *process, a *attach) {
	e := t.e
	if !a.honest || p.epoch != e.history.epoch {
		return // a leader that was deposed, and does not know it, may not know the session
	}
	if ms, ok := t.strange[a.asked]; ok && e.plan.local && ms >= a.askedMS {
		return // its client has come sooner than the word of its old server that makes the local session a global one
	}
	leader := e.newestLeader()
	if leader == nil || t.of[leader] == nil || at(e.model.sessions[a.asked], e.model.last()) == 0 {
		return
	}
	if st := t.of[leader].live[a.asked]; st != nil && !st.closing {
		e.fail("client %d asks server %d for session %v, which has not ended, and is refused", a.u.n, p.m.id, a.asked)
	}
}
