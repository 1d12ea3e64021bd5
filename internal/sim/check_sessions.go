package sim

import (
	"paddock/internal/zk"
)

// sessionRules checks that a session ends when it has been silent for its timeout, and never before; and that one that was
// acknowledged can be taken up again until then. Time is that of the monotonic clock: jumps of the wall clock end nothing.
type sessionRules struct {
	tickedMS, stalledMS int64 // when it ticked last, and when it last did after it had stood still
	w                   *world
	live                map[zk.SessionID]*sessionState
	asks                zk.SessionID // an operator ends it
}

type sessionState struct {
	heardMS   int64
	takenMS   int64 // the latest that a leader may have taken up what it had heard: it holds requests while it may propose nothing
	timeoutMS int32
	closing   bool // its end is proposed
}

func (r *sessionRules) init(w *world) { r.w, r.live = w, map[zk.SessionID]*sessionState{} }

// restart begins anew with the sessions that the model has: each gets its whole timeout from now.
func (r *sessionRules) restart() {
	clear(r.live)
	for s, h := range r.w.model.sessions {
		if timeout := at(h, r.w.model.last()); timeout != 0 {
			r.live[s] = &sessionState{heardMS: r.w.nowMS, timeoutMS: timeout}
		}
	}
}

// opening notes a new session, when it is proposed.
func (r *sessionRules) opening(s zk.SessionID, timeoutMS int32) {
	if len(r.w.model.sessions[s]) > 0 {
		r.w.fail("session %v is opened a second time", s)
	}
	r.live[s] = &sessionState{heardMS: r.w.nowMS, timeoutMS: timeoutMS}
}

// connecting notes that a client is about to ask for its session.
func (r *sessionRules) connecting(c *client) {
	if s := r.live[c.asked]; s != nil && !s.closing && c.honest {
		s.heardMS, s.timeoutMS = r.w.nowMS, c.timeout
	}
}

// heard notes that a client is about to send something.
func (r *sessionRules) heard(c *client) {
	if s := r.live[c.session]; s != nil && !s.closing && c.open {
		s.heardMS, s.timeoutMS = r.w.nowMS, c.timeout
	}
}

// established notes that a client has its session; what it has sent before counts from now.
func (r *sessionRules) established(c *client) {
	s := r.live[c.session]
	if s == nil || s.closing && c.asked != 0 { // the end of a new one may be proposed before it has begun
		r.w.fail("client %d gets session %v, which has ended", c.n, c.session)
		return
	}
	if len(c.sent) > 0 && !s.closing {
		s.heardMS, s.timeoutMS = r.w.nowMS, c.timeout
	}
}

// refused checks that a session that is refused has ended.
func (r *sessionRules) refused(c *client) {
	if s := r.live[c.asked]; s != nil && !s.closing && c.honest {
		r.w.fail("client %d asks for session %v, which was acknowledged and has not ended, and is refused", c.n, c.asked)
	}
}

// closing notes that the client itself ends its session.
func (r *sessionRules) closing(s zk.SessionID) {
	if st := r.live[s]; st != nil {
		st.closing = true
	}
}

// ended checks that a session that the server ends has been silent for long enough.
func (r *sessionRules) ended(s zk.SessionID, op zk.OpCode) {
	st := r.live[s]
	switch {
	case op != zk.OpCloseSession || st == nil || st.closing:
		r.w.fail("the server proposes %v for session %v: %+v", op, s, st)
	case s == r.asks:
	case r.w.nowMS-st.heardMS < int64(st.timeoutMS):
		r.w.fail("ephemerals-die-with-session: session %v ends after %d ms of silence, its timeout is %d", s, r.w.nowMS-st.heardMS, st.timeoutMS)
	}
	if st != nil {
		st.closing = true
	}
}

// ticked checks that no session outlives its timeout by more than two ticks of the server's clock, and one more of a server that stood still, which
// hears its clients first.
func (r *sessionRules) ticked() {
	if r.w.nowMS-r.tickedMS > tickMS {
		r.stalledMS = r.w.nowMS
	}
	r.tickedMS = r.w.nowMS
	if r.w.nowMS-r.stalledMS <= tickMS {
		return
	}
	for s, st := range r.live {
		if !st.closing && r.w.nowMS-st.heardMS > int64(st.timeoutMS)+2*tickMS {
			r.w.fail("session %v has been silent for %d ms, its timeout is %d, and is not ended", s, r.w.nowMS-st.heardMS, st.timeoutMS)
			return
		}
	}
}
