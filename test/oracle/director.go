//go:build interop

package oracle

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// director plays hand-written scenes on a pair. Its first failure sticks in err, and later calls do nothing.
type director struct {
	pair   *pair
	top    string // a directory of its own, open to all
	xid    int32
	err    error
	said   map[int][]line // what A said in the last step, by connection
	acting int
}

// newDirector opens connection 0 and creates the directory top.
func newDirector(p *pair, top string) *director {
	d := &director{pair: p, top: top}
	d.open(0)
	mk := reqCreate(opCreate, top, nil, openACL, 0)
	d.send(0, mk)
	return d
}

// step plays one step and keeps what A said.
func (d *director) step(st *step) {
	if d.err != nil {
		return
	}
	d.said, d.acting = map[int][]line{}, st.slot
	d.pair.heard = func(slot int, a []line) { d.said[slot] = a }
	d.err = d.pair.play(0, st)
	d.pair.heard = nil
}

// open opens a connection with a new session.
func (d *director) open(slot int) {
	d.connect(slot, connectSpec{session: sessionNew, timeout: 600_000})
}

// connect opens a connection as spec says. kicked are connections that this ends.
func (d *director) connect(slot int, spec connectSpec, kicked ...int) {
	d.step(&step{kind: stepOpen, slot: slot, connect: &spec, kicked: kicked})
}

// last is the index of the newest session.
func (d *director) last() int { return len(d.pair.a.norm.sessions) - 1 }

// send sends requests in one write, numbering those without an xid.
func (d *director) send(slot int, reqs ...request) {
	st := &step{kind: stepSend, slot: slot}
	for _, r := range reqs {
		if r.xid == 0 {
			d.xid++
			r.xid = d.xid
		}
		st.closes = st.closes || r.op == opCloseSession
		st.reqs = append(st.reqs, &r)
	}
	d.step(st)
}

// drop closes a connection from the client's side.
func (d *director) drop(slot int) { d.step(&step{kind: stepDrop, slot: slot}) }

// want checks that each text occurs in what A said on the acting connection, in this order.
func (d *director) want(texts ...string) { d.wantOn(d.acting, texts...) }

// wantOn is want for another connection.
func (d *director) wantOn(slot int, texts ...string) {
	if d.err != nil {
		return
	}
	said := make([]string, len(d.said[slot]))
	for i, l := range d.said[slot] {
		said[i] = l.text
	}
	all := strings.Join(said, "\n")
	rest := all
	for _, t := range texts {
		i := strings.Index(rest, t)
		if i < 0 {
			d.err = fmt.Errorf("step %d: both servers agree, but not on %q (or not in this order); they said:\n%s\nafter:\n%s",
				d.pair.steps, t, all, strings.Join(d.pair.history, "\n"))
			return
		}
		rest = rest[i+len(t):]
	}
}

// wantNot checks that the text does not occur in what A said on a connection.
func (d *director) wantNot(slot int, text string) {
	for _, l := range d.said[slot] {
		if d.err == nil && strings.Contains(l.text, text) {
			d.err = fmt.Errorf("step %d: both servers agree on %q, which they should not", d.pair.steps, l.text)
		}
	}
}

// do creates, deletes and so on in one line each: the request and what both must answer.
func (d *director) do(slot int, r request, want ...string) {
	d.send(slot, r)
	d.want(want...)
}

// solo asks one server alone and returns what it said on the connection, without zxids, which the two no longer share.
func solo(s *side, slot int, reqs ...request) string {
	st := &step{kind: stepSend, slot: slot}
	for i := range reqs {
		st.reqs = append(st.reqs, &reqs[i])
	}
	if s.slots[slot] == nil {
		return "no connection"
	}
	s.actSend(slot, st.reqs)
	k := s.slots[slot]
	var said []string
	for _, l := range k.lines {
		switch {
		case l.req != nil && l.req.xid >= 0x70000000: // a barrier
		case l.rest != "":
			said = append(said, l.rest)
		default:
			said = append(said, l.text)
		}
	}
	k.lines = nil
	if k.conn.over() {
		delete(s.slots, slot)
	}
	return strings.Join(said, "\n")
}

// soloOpen opens slot on one server alone with a new session.
func soloOpen(s *side, slot int) error {
	return s.act(&step{kind: stepOpen, slot: slot, connect: &connectSpec{session: sessionNew, timeout: 600_000}})
}

// both runs f for two sides at once.
func both(p *pair, f func(s *side) error) error {
	errs := [2]error{}
	var w sync.WaitGroup
	for i, s := range []*side{p.a, p.b} {
		w.Go(func() { errs[i] = f(s) })
	}
	w.Wait()
	return errors.Join(errs[0], errs[1])
}
