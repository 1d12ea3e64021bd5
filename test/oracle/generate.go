//go:build interop

package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// maxSlots is how many connections a game keeps at most.
const maxSlots = 5

// watchMode is how a connection watches a path in the generator's books.
type watchMode int

const (
	watchStandard watchMode = iota + 1
	watchPersistent
	watchRecursive
)

// slotModel is what the generator knows about an open connection.
type slotModel struct {
	session int // index
	xid     int32
	// modes keeps one watch mode per path: ZooKeeper 3.8 overwrites one mode with another where later versions keep
	// both, and the two histories never meet again.
	modes map[string]watchMode
	users int // digest identities
}

// game generates the steps of one seed. It depends on the seed, and on which connections the servers closed.
type game struct {
	rng          *rand.Rand
	seed         uint64
	top          string // the directory all of it happens in
	slots        [maxSlots]*slotModel
	watchers     map[string]map[*slotModel]bool // every connection that ever watched a path
	sessions     []bool                         // by index: whether the session is open
	base         int                            // sessions of earlier seeds on the same pair
	last         int64                          // newest zxid, for setWatches and connects
	enforceQuota bool
	restarts     bool
	nodes        []string // some that exist
	queue        []*step  // steps that must come next
	gentle       bool     // draw versions and ACLs that let things succeed
}

// newGame starts a game whose sessions are numbered from base.
func newGame(seed uint64, base int, opts options, restarts bool) *game {
	return &game{rng: rand.New(rand.NewPCG(seed, 0x0dac1e)), seed: seed, top: fmt.Sprintf("/s%d", seed), base: base,
		watchers: map[string]map[*slotModel]bool{}, enforceQuota: opts.enforceQuota, restarts: restarts}
}

// chance is true in p of 1000 draws.
func (g *game) chance(p int) bool { return g.rng.IntN(1000) < p }

func pick[T any](g *game, list ...T) T { return list[g.rng.IntN(len(list))] }

// open lists the slots in use, free the others.
func (g *game) open() (used, free []int) {
	for i, s := range g.slots {
		if s == nil {
			free = append(free, i)
		} else {
			used = append(used, i)
		}
	}
	return used, free
}

// first is the opening: a connection, and the directory with an open ACL.
func (g *game) first() []*step {
	steps := []*step{g.connect(0, &connectSpec{session: sessionNew, timeout: 600_000}, nil)}
	g.opened(0, g.base)
	g.sessions = append(g.sessions, true)
	mk := reqCreate(opCreate, g.top, []byte("top"), openACL, 0)
	return append(steps, g.send(0, &mk))
}

// next draws a step.
func (g *game) next() *step {
	if len(g.queue) > 0 {
		st := g.queue[0]
		g.queue = g.queue[1:]
		if st.kind == stepDrop {
			g.slots[st.slot] = nil
		}
		return st
	}
	used, free := g.open()
	switch {
	case g.restarts && g.rng.IntN(4000) == 0:
		return g.restart()
	case len(used) == 0 || len(free) > 0 && g.chance(45):
		return g.anyConnect(free[0], used)
	}
	slot := pick(g, used...)
	switch {
	case g.chance(12):
		g.slots[slot] = nil
		return &step{kind: stepDrop, slot: slot}
	case g.chance(14):
		return g.closeSession(slot)
	case g.chance(30):
		return g.auth(slot)
	case g.chance(16):
		return g.broken(slot)
	case g.chance(230):
		return g.burst(slot)
	}
	return g.send(slot, g.any(slot, true))
}

// restart restarts the servers; every connection is gone, every session stays.
func (g *game) restart() *step {
	g.slots = [maxSlots]*slotModel{}
	return &step{kind: stepRestart, kill: g.chance(500)}
}

// send is a step that sends requests on slot, numbering those without an xid.
func (g *game) send(slot int, reqs ...*request) *step {
	for _, r := range reqs {
		g.number(slot, r)
	}
	return &step{kind: stepSend, slot: slot, reqs: reqs}
}

func (g *game) number(slot int, r *request) {
	if r.xid != 0 || r.raw != nil {
		return
	}
	s := g.slots[slot]
	s.xid++
	r.xid = s.xid
	if g.chance(8) && r.op != opCloseSession { // rare xids: the server only echoes them
		r.xid = pick[int32](g, -20, -100, 0x6fffffff, -2147483000) - s.xid%7
	}
}

// burst sends several requests in one write.
func (g *game) burst(slot int) *step {
	n := 2 + g.rng.IntN(9)
	var reqs []*request
	for len(reqs) < n {
		if r := g.any(slot, false); r.pace == paceAny {
			reqs = append(reqs, r)
		}
	}
	st := g.send(slot, reqs...)
	if g.chance(150) {
		st.chunk = 1 + g.rng.IntN(60)
	}
	return st
}

// connect opens slot and books the result: a refused spec opens nothing.
func (g *game) connect(slot int, spec *connectSpec, reqs []*request) *step {
	st := &step{kind: stepOpen, slot: slot, connect: spec, reqs: reqs}
	for i, s := range g.slots {
		if s != nil && i != slot && s.session == spec.session {
			st.kicked = append(st.kicked, i)
		}
	}
	return st
}

// opened books a connection that the servers accepted.
func (g *game) opened(slot, session int) *slotModel {
	g.slots[slot] = &slotModel{session: session, modes: map[string]watchMode{}}
	return g.slots[slot]
}

// anyConnect opens a connection in one of the many ways.
func (g *game) anyConnect(slot int, used []int) *step {
	spec := &connectSpec{session: sessionNew, timeout: pick[int32](g, 600_000, 700_000, 6_000_000)}
	switch {
	case g.chance(80):
		return g.refusedConnect(slot, spec)
	case len(g.sessions) > 0 && (g.chance(450) || len(used) > 1 && g.chance(300)):
		if s := g.openSession(); s >= 0 {
			spec.session = s
		}
	}
	if g.chance(300) {
		spec.timeout = pick[int32](g, 0, -1, 1, 10_000_000, 2147483647, -2147483648)
	}
	spec.readOnly = pick(g, 0, 0, 0, 1, readOnlyAbsent)
	if spec.readOnly != readOnlyAbsent && g.chance(100) {
		spec.tail = 1 + g.rng.IntN(5)
	}
	spec.protocol = pick[int32](g, 0, 0, 0, 1, -7)
	spec.noPasswd = spec.session == sessionNew && g.chance(100)
	spec.zxid = pick(g, 0, 0, g.last, max(g.last-1, 0), -5)
	st := g.connect(slot, spec, nil)
	session := spec.session
	if session == sessionNew {
		session = g.base + len(g.sessions)
		g.sessions = append(g.sessions, true)
	}
	g.opened(slot, session)
	for _, k := range st.kicked {
		g.slots[k] = nil
	}
	if g.chance(250) { // requests already behind the ConnectRequest
		for range 1 + g.rng.IntN(3) {
			if r := g.any(slot, false); r.pace == paceAny {
				g.number(slot, r)
				st.reqs = append(st.reqs, r)
			}
		}
	}
	return st
}

// openSession draws the index of a session that has not been closed, -1 if there is none.
func (g *game) openSession() int {
	list := g.openSessions()
	if len(list) == 0 {
		return -1
	}
	return pick(g, list...)
}

// openSessions lists the sessions that have not been closed.
func (g *game) openSessions() []int {
	var list []int
	for i, open := range g.sessions {
		if open {
			list = append(list, g.base+i)
		}
	}
	return list
}

// refusedConnect is a connect that must not succeed: it is refused or closed, and may still end another connection.
func (g *game) refusedConnect(slot int, spec *connectSpec) *step {
	spec.refused = true
	known := g.openSession()
	st := &step{kind: stepOpen, slot: slot, connect: spec}
	switch g.rng.IntN(8) {
	case 0: // the client is ahead of the server
		spec.zxid = g.last + 1 + int64(g.rng.IntN(1000))
		return st
	case 1:
		spec.cut = pick(g, 2, 5, 20)
		return st
	case 2:
		spec.session = sessionUnknown
	case 3: // an index never used by this seed, or a closed one
		spec.session = sessionUnknown
		for i, open := range g.sessions {
			if !open {
				spec.session = g.base + i
			}
		}
	case 4:
		st.rawFirst = pick(g, []byte{0xff, 0xff, 0xff, 0xff}, []byte{0x7f, 0xff, 0xff, 0xff}, []byte{0, 0x10, 0, 0},
			[]byte("GET / HTTP/1.0\r\n\r\n"), []byte{0, 0, 0, 1, 0}, []byte{0, 0, 0, 0})
		return st
	default:
		if known < 0 {
			spec.session = sessionUnknown
			break
		}
		spec.session = known
		spec.passwd = pick(g, make([]byte, 16), []byte{}, []byte("short"), make([]byte, 17))
		if g.chance(200) {
			spec.noPasswd = true
		}
		full := g.connect(slot, spec, nil)
		for _, k := range full.kicked {
			g.slots[k] = nil
		}
		return full
	}
	return st
}

// closeSession ends slot's session.
func (g *game) closeSession(slot int) *step {
	st := g.send(slot, &request{op: opCloseSession, pace: paceJudge})
	st.closes = true
	if i := g.slots[slot].session - g.base; i >= 0 && i < len(g.sessions) {
		g.sessions[i] = false
	}
	g.slots[slot] = nil
	return st
}

// auth adds an identity, or loses the connection in the attempt.
func (g *game) auth(slot int) *step {
	s := g.slots[slot]
	var r request
	switch n := g.rng.IntN(100); {
	case n < 45:
		r = reqAuth(-4, "digest", []byte(pick(g, "u1:p1", "u2:p2")))
	case n < 70:
		r = reqAuth(-4, "digest", []byte(superPassword))
	case n < 78:
		r = reqAuth(-4, "digest", []byte(pick(g, "nocolon", "", ":", "u1:", ":p", "a:b:c", "ü:ö")))
	case n < 88:
		r = reqAuth(pick[int32](g, -4, 77777, -9), "ip", []byte(pick(g, "", "1.2.3.4")))
	default:
		r = reqAuth(-4, pick(g, "world", "auth", "super", "sasl", "x509", "ensemble", "nosuch", "", nullString, "Digest"),
			pick(g, nil, []byte{}, []byte("u1:p1"), []byte("anyone")))
	}
	s.users++
	return g.send(slot, &r)
}

// broken sends what no client should: bad lengths, short frames, unknown opcodes.
func (g *game) broken(slot int) *step {
	s := g.slots[slot]
	st := &step{kind: stepSend, slot: slot}
	switch g.rng.IntN(4) {
	case 0:
		st.reqs = []*request{{raw: pick(g, []byte{0xff, 0xff, 0xff, 0xff}, []byte{0x80, 0, 0, 0}, []byte{0, 0x10, 0, 0},
			[]byte{0x7f, 0xff, 0xff, 0xff}, []byte("ruok")), pace: paceCloses, text: "impossible length"}}
		st.reqs[0].text += fmt.Sprintf(" %x", st.reqs[0].raw)
	case 1:
		n := g.rng.IntN(8)
		st.reqs = []*request{{raw: frame(make([]byte, n)), pace: paceCloses, text: fmt.Sprintf("frame of %d bytes", n)}}
	case 2:
		s.xid++
		// Truncated auth packet: the connection cannot tell what was meant.
		st.reqs = []*request{{raw: frame([]byte{0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 9, 'd'}),
			pace: paceCloses, text: "auth packet cut short"}}
	case 3:
		s.xid++
		op := pick[int32](g, 0, 10, 23, 55, 99, 108, 1000, -1, -2, -12, 2147483647, -2147483648)
		st.reqs = []*request{{xid: s.xid, op: op, body: make([]byte, g.rng.IntN(12)), pace: paceJudge, text: "unknown opcode"}}
	}
	return st
}

// settle books what the step did to the connections.
func (g *game) settle(p *pair) {
	g.last, g.nodes = p.last, p.nodes
	for i := range g.slots {
		if g.slots[i] != nil && p.a.slots[i] == nil {
			g.slots[i] = nil
		}
	}
	g.queue = slices.DeleteFunc(g.queue, func(st *step) bool { return g.slots[st.slot] == nil })
	for n, s := range p.suspects {
		if g.slots[s.slot] == nil {
			continue
		}
		read := reqRead(opGetData, s.path, false)
		check := g.send(s.slot, &read)
		check.denied = true
		g.queue = append(g.queue, check)
		if !slices.ContainsFunc(p.suspects[n+1:], func(t suspect) bool { return t.slot == s.slot }) {
			g.queue = append(g.queue, &step{kind: stepDrop, slot: s.slot})
		}
	}
	p.suspects = nil
}
