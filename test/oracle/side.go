//go:build interop

package oracle

import (
	"encoding/binary"
	"fmt"
	"sort"
	"time"
)

// answerWait is how long a server may take to answer before its silence counts as its answer.
const answerWait = 15 * time.Second

// closeWait is how long a server may take to close a connection that should close.
const closeWait = 5 * time.Second

// side is one of the two servers, with the connections to it and what its answers mean.
type side struct {
	name   string
	addr   string // of the server, or of a proxy in front of it
	slots  map[int]*slot
	norm   *normal
	marker int32 // xid of the last barrier
	chunk  int   // of the step being played
}

// slot is one connection of a side: what was asked on it and not yet answered.
type slot struct {
	conn      *conn
	connected bool // the ConnectResponse has been read
	pending   []*request
	lines     []line
}

func newSide(name, addr string) *side {
	return &side{name: name, addr: addr, slots: map[int]*slot{}, norm: newNormal(), marker: 0x70000000}
}

// say adds a remark of the player to a slot's lines.
func (s *slot) say(text string) { s.lines = append(s.lines, line{text: text}) }

// open connects slot i and sends the ConnectRequest, with more behind it in the same write.
func (s *side) open(i int, first []byte, more ...*request) error {
	c, err := dial(s.addr)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.name, err)
	}
	s.slots[i] = &slot{conn: c}
	s.send(i, first, more...)
	return nil
}

// send writes raw bytes and then requests on slot i in one write.
func (s *side) send(i int, first []byte, reqs ...*request) {
	k := s.slots[i]
	out := append([]byte{}, first...)
	for _, r := range reqs {
		out = append(out, r.bytes()...)
		if r.pace != paceCloses && r.pace != paceNothing {
			k.pending = append(k.pending, r)
		}
	}
	k.conn.send(out, s.chunk)
}

// barrier returns a sync request whose reply, once seen, proves that everything before has been answered.
func (s *side) barrier() *request {
	s.marker++
	r := reqPath(opSync, "/barrier")
	r.xid = s.marker
	return &r
}

// hasReply reports whether frames hold a reply with the xid; the ConnectResponse is not mistaken for one.
func hasReply(frames [][]byte, connected bool, xid int32) bool {
	for i, f := range frames {
		if i == 0 && !connected {
			continue
		}
		if len(f) >= 16 && int32(binary.BigEndian.Uint32(f)) == xid {
			return true
		}
	}
	return false
}

// settle waits for the replies to xids and then for a barrier's, and turns all frames into lines.
// A connection that ends meanwhile is settled too.
func (s *side) settle(i int, marker *request) {
	k := s.slots[i]
	if !k.conn.await(time.Now().Add(answerWait), func(f [][]byte) bool { return hasReply(f, k.connected, marker.xid) }) &&
		!k.conn.over() {
		k.say(fmt.Sprintf("no answer within %s", answerWait))
	}
	s.collect(i)
}

// collect renders the frames that have come in on slot i; an ended connection is closed and says so.
func (s *side) collect(i int) {
	k := s.slots[i]
	frames, ended, tail := k.conn.take()
	for _, f := range frames {
		k.lines = append(k.lines, s.render(k, f))
	}
	if ended {
		text := "closed by the server"
		if len(tail) > 0 {
			text += fmt.Sprintf(" within a frame %x", tail)
		}
		k.say(text)
		k.conn.close()
	}
}

// render turns one frame into a line, taking the request it answers off the pending list.
func (s *side) render(k *slot, f []byte) line {
	if !k.connected {
		k.connected = true
		l, _ := s.norm.connectReply(f)
		return l
	}
	if len(f) < 16 {
		return line{text: fmt.Sprintf("frame without a header: %x", f), raw: f}
	}
	xid := int32(binary.BigEndian.Uint32(f))
	if xid == -1 {
		return s.norm.event(f)
	}
	for i, r := range k.pending {
		if r.replyXid() == xid {
			k.pending = append(k.pending[:i:i], k.pending[i+1:]...)
			return s.norm.reply(f, r)
		}
	}
	return line{text: fmt.Sprintf("reply to nothing: %x", f), raw: f}
}

// drop closes slot i from the client's side and forgets it.
func (s *side) drop(i int) {
	s.slots[i].conn.close()
	delete(s.slots, i)
}

// dropAll closes every connection.
func (s *side) dropAll() {
	for i := range s.slots {
		s.drop(i)
	}
}

// live lists the slots whose connection is open, in order.
func (s *side) live() []int {
	var list []int
	for i, k := range s.slots {
		if !k.conn.over() {
			list = append(list, i)
		}
	}
	sort.Ints(list)
	return list
}

// act performs a step's own sending and waits until its effects are in hand on the acting slot.
func (s *side) act(st *step) error {
	s.chunk = st.chunk
	defer func() { s.chunk = 0 }()
	switch st.kind {
	case stepDrop:
		s.drop(st.slot)
		return nil
	case stepOpen:
		return s.actOpen(st)
	case stepSend:
		s.actSend(st.slot, st.reqs)
	}
	return nil
}

func (s *side) actOpen(st *step) error {
	id := int64(0)
	switch {
	case st.connect.session >= 0 && st.connect.session < len(s.norm.sessions):
		id = s.norm.sessions[st.connect.session]
	case st.connect.session != sessionNew:
		id = 0x7f00123456789abc
	}
	first := st.connect.bytes(id)
	if st.rawFirst != nil {
		first = st.rawFirst
	}
	if !st.connect.refused {
		m := s.barrier()
		if err := s.open(st.slot, first, append(st.reqs[:len(st.reqs):len(st.reqs)], m)...); err != nil {
			return err
		}
		s.settle(st.slot, m)
		return nil
	}
	if err := s.open(st.slot, first); err != nil {
		return err
	}
	if s.slots[st.slot].conn.awaitEnd(time.Now().Add(closeWait)) {
		s.collect(st.slot)
		return nil
	}
	s.slots[st.slot].say("not closed")
	m := s.barrier()
	s.send(st.slot, nil, m)
	s.settle(st.slot, m)
	return nil
}

// actSend sends requests on slot i and waits as their pace demands.
func (s *side) actSend(i int, reqs []*request) {
	k := s.slots[i]
	last := reqs[len(reqs)-1]
	expectEnd := false
	switch last.pace {
	case paceCloses:
		s.send(i, nil, reqs...)
		expectEnd = true
	case paceJudge:
		s.send(i, nil, reqs...)
		k.conn.await(time.Now().Add(answerWait), func(f [][]byte) bool { return hasReply(f, true, last.replyXid()) })
		expectEnd = k.conn.over() || k.dooms(last)
	default:
		m := s.barrier()
		s.send(i, nil, append(reqs[:len(reqs):len(reqs)], m)...)
		s.settle(i, m)
		return
	}
	if expectEnd && k.conn.awaitEnd(time.Now().Add(closeWait)) {
		s.collect(i)
		return
	}
	if expectEnd {
		k.say("not closed")
	}
	m := s.barrier()
	s.send(i, nil, m)
	s.settle(i, m)
}

// dooms reports whether the reply to r in hand is one after which the server closes.
func (k *slot) dooms(r *request) bool {
	k.conn.mu.Lock()
	defer k.conn.mu.Unlock()
	for _, f := range k.conn.frames {
		if len(f) < 16 || int32(binary.BigEndian.Uint32(f)) != r.replyXid() {
			continue
		}
		switch err := int32(binary.BigEndian.Uint32(f[12:])); {
		case r.op == opCloseSession, err == -115, err == -124:
			return true
		case err == -6 && int64(binary.BigEndian.Uint64(f[4:])) == -1:
			return true
		}
	}
	return false
}

// quiesce brings every other connection to rest, so that all events of the step are in hand.
// Connections in kicked are expected to end.
func (s *side) quiesce(st *step) {
	markers := map[int]*request{}
	for _, i := range s.live() {
		if i == st.slot && st.kind != stepDrop {
			continue
		}
		if st.kicks(i) && s.slots[i].conn.awaitEnd(time.Now().Add(closeWait)) {
			continue
		}
		markers[i] = s.barrier()
		s.send(i, nil, markers[i])
	}
	for i, k := range s.slots {
		if m := markers[i]; m != nil {
			s.settle(i, m)
		} else if k.conn.over() && i != st.slot {
			s.collect(i)
		}
	}
}
