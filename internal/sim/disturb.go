package sim

import (
	"syscall"

	"paddock/consensus/quorum"
	"paddock/server/replica"
	"paddock/storage/vfs"
)

// disturbLater arranges for the next thing to go wrong.
func (e *ensemble) disturbLater() {
	e.in(e.between(e.plan.everyMS/4, e.plan.everyMS*2), func() {
		if e.faults && e.err == nil {
			e.disturb()
			e.disturbLater()
		}
	})
}

// disturb lets one thing go wrong, or an operator do something.
func (e *ensemble) disturb() {
	m := e.members[e.rng.IntN(len(e.members))]
	if e.chance(2) { // whoever leads is the most interesting
		if l := e.newestLeader(); l != nil {
			m = l.m
		}
	}
	if e.plan.pauses && e.chance(6) {
		m.pause(e.between(500, 3500)) // long enough for the others to go on without it
		return
	}
	switch k := e.rng.IntN(100); {
	case k < 12 && e.plan.crashes:
		m.crash(e.chance(2))
	case k < 26 && e.plan.crashes:
		if m.crashAt == 0 {
			m.crashAt, m.killed = 1+e.rng.IntN(40), e.chance(3)
		}
	case k < 29 && e.plan.crashes: // all, as when the power fails
		for _, m := range e.members {
			m.crash(e.chance(4))
		}
	case k < 44 && e.plan.partitions:
		e.partition()
	case k < 54:
		clear(e.blocked)
	case k < 64:
		if len(e.links) > 0 {
			e.links[e.rng.IntN(len(e.links))].reset(e)
		}
	case k < 68:
		e.hangUp(m.id, e.members[e.rng.IntN(len(e.members))].id, e.between(1, 400))
	case k < 72 && e.plan.pauses:
		m.pause(e.between(20, 2500))
	case k < 76:
		m.slowMS = e.between(0, 1) * e.between(1, 60)
	case k < 82 && !e.plan.still:
		m.skewMS += e.rng.Int64N(20_000_000) - 10_000_000
		e.trace.add("%d the wall clock of %d jumps", e.nowMS, m.id)
	case k < 88 && e.plan.disks:
		m.breakDisk()
	default:
		e.operate(m)
	}
}

// operate is what operators do now and then.
func (e *ensemble) operate(m *member) {
	p := m.p
	if p == nil {
		return
	}
	switch e.rng.IntN(6) {
	case 0:
		p.post(func() { p.step(replica.Event{Kind: replica.SnapshotNow}) })
	case 1:
		p.purge()
	case 2:
		if u := e.users[e.rng.IntN(len(e.users))]; u.session != 0 {
			s := u.session
			p.post(func() {
				e.tenure.asks = s
				p.step(replica.Event{Kind: replica.ExpireNow, Session: s})
				e.tenure.asks = 0
			})
		}
	case 3:
		u := e.users[e.rng.IntN(len(e.users))]
		if u.at != nil {
			u.lose("another connection takes over") // and the server does not notice
		}
	case 4:
		p.post(p.transfer)
	case 5:
		m.wipe()
	}
}

// breakDisk lets some operation of a server's disk fail.
func (m *member) breakDisk() {
	rng, kinds := m.e.rng, vfs.Kinds()
	m.fault = &fault{kind: kinds[rng.IntN(len(kinds))], n: 1 + rng.IntN(20), forever: rng.IntN(2) == 0, err: []error{syscall.EIO, syscall.ENOSPC}[rng.IntN(2)]}
	if rng.IntN(2) == 0 {
		m.fault.file = []string{"log", "snapshot", "unfinished snapshot", "epoch"}[rng.IntN(4)]
		m.fault.n = 1 + rng.IntN(4)
	}
	m.note("disk: %v", m.fault)
}

// partition cuts the servers into halves, or all but one which reaches both sides, or one way only, or one off.
func (e *ensemble) partition() {
	clear(e.blocked)
	kind := e.rng.IntN(4)
	side := make([]int, len(e.members))
	for i := range side {
		side[i] = e.rng.IntN(2)
	}
	bridge := e.rng.IntN(len(e.members))
	if kind == 3 {
		clear(side)
		side[bridge] = 1
	}
	for i := range e.members {
		for j := range e.members {
			if side[i] != side[j] && (kind != 1 || i != bridge && j != bridge) && (kind != 2 || side[i] == 0) {
				e.blocked[[2]quorum.ServerID{quorum.ServerID(i + 1), quorum.ServerID(j + 1)}] = true
			}
		}
	}
	what := []string{"halves", "bridge", "one-way", "one cut off"}[kind]
	e.count(what)
	e.trace.add("%d partition: %s, bridge %d, sides %v", e.nowMS, what, bridge+1, side)
}
