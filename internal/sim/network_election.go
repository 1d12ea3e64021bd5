package sim

import (
	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
)

// wire is the election connection of a pair of servers.
type wire struct {
	up      bool
	serial  int // of the connection
	dialing bool
}

// letterTo is the newest notification for another server. It is sent again when a connection is new.
type letterTo struct {
	n      *election.Notification
	unsent bool
	moving bool
}

func (e *ensemble) wire(a, b quorum.ServerID) *wire {
	key := [2]quorum.ServerID{min(a, b), max(a, b)}
	w := e.wires[key]
	if w == nil {
		w = &wire{}
		e.wires[key] = w
	}
	return w
}

// notify has a notification sent. It takes the place of one that has not left.
func (p *process) notify(to quorum.ServerID, n *election.Notification) {
	l := p.told[to]
	if l == nil {
		l = &letterTo{}
		p.told[to] = l
	}
	l.n, l.unsent = n, true
	if p.e.wire(p.m.id, to).up {
		p.deliverLetter(to)
		return
	}
	p.connect(to)
}

// deliverLetter moves a notification to another server.
func (p *process) deliverLetter(to quorum.ServerID) {
	e, l, w := p.e, p.told[to], p.e.wire(p.m.id, to)
	if l == nil || !l.unsent || l.moving {
		return
	}
	l.moving = true
	serial := w.serial
	wait := e.between(1, 5)
	if e.cut(p.m.id, to) {
		wait = 25
	}
	e.in(wait, func() {
		l.moving = false
		m := e.member(to)
		if p.dead || !w.up || m == nil || m.p == nil {
			return
		}
		if w.serial != serial || e.cut(p.m.id, to) {
			p.deliverLetter(to)
			return
		}
		l.unsent = false
		n, q := *l.n, m.p
		q.post(func() { q.consensus(consensus.Event{Kind: consensus.Notified, Server: p.m.id, Notification: &n}, nil) })
	})
}

// connect tries to bring up the election connection to another server.
func (p *process) connect(to quorum.ServerID) {
	e, w := p.e, p.e.wire(p.m.id, to)
	if w.up || w.dialing || to == p.m.id {
		return
	}
	w.dialing = true
	m := e.member(to)
	wait := e.between(1, 6)
	if e.cut(p.m.id, to) || e.cut(to, p.m.id) {
		wait = e.between(50, 500)
	}
	e.in(wait, func() {
		w.dialing = false
		if p.dead {
			return
		}
		if m == nil || m.p == nil || e.cut(p.m.id, to) || e.cut(to, p.m.id) {
			p.post(func() { p.consensus(consensus.Event{Kind: consensus.PeerDown, Server: to}, nil) })
			p.in(e.between(100, 1500), func() { p.connect(to) })
			return
		}
		w.up = true
		w.serial++
		for _, end := range [2][2]*process{{p, m.p}, {m.p, p}} {
			from, other := end[0], end[1].m.id
			from.post(func() { from.consensus(consensus.Event{Kind: consensus.PeerUp, Server: other}, nil) })
			if l := from.told[other]; l != nil {
				l.unsent = true // the last word again, however old
				from.deliverLetter(other)
			}
		}
	})
}

// hangUp ends an election connection; both sides are told, and try again.
func (e *ensemble) hangUp(a, b quorum.ServerID, ms int64) {
	w := e.wire(a, b)
	if !w.up {
		return
	}
	w.up = false
	for _, pair := range [2][2]quorum.ServerID{{a, b}, {b, a}} {
		m := e.member(pair[0])
		if m == nil || m.p == nil {
			continue
		}
		p := m.p
		p.in(ms, func() {
			if !w.up {
				p.consensus(consensus.Event{Kind: consensus.PeerDown, Server: pair[1]}, nil)
			}
		})
		p.in(ms+e.between(100, 500), func() { p.connect(pair[1]) })
	}
}

// leaveElections ends all election connections of a process that has ended.
func (p *process) leaveElections() {
	for _, m := range p.e.members {
		if m != p.m {
			p.e.hangUp(p.m.id, m.id, p.e.between(1, 30))
		}
	}
}
