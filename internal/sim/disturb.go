package sim

import (
	"slices"
	"syscall"

	"paddock/consensus/quorum"
	"paddock/server/replica"
	"paddock/storage/vfs"
)

// disturbLater arranges for the next thing to go wrong.
func (e *ensemble) disturbLater() {
	e.in(e.between(e.plan.everyMS/4, e.plan.everyMS*2), func() {
		if !e.faults || e.err != nil {
			return
		}
		if e.nowMS >= e.lullMS {
			e.disturb()
			e.disturbMore()
		}
		e.disturbLater()
	})
}

// disturbMore lets go wrong as well what some worlds are for.
func (e *ensemble) disturbMore() {
	if e.plan.transfers {
		e.handOver()
	}
	if e.plan.stalls {
		e.stall()
	}
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
		p.post(func() {
			if p.leading {
				p.transfer(quorum.ServerID(e.rng.IntN(len(e.members) + 1)))
			}
		})
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

// upset is what goes wrong, in some worlds, when a configuration is proposed.
func (e *ensemble) upset(text string) {
	next, err := quorum.ParseConfig(text)
	switch {
	case err != nil:
		e.fail("a configuration is proposed: %w", err)
	case e.plan.sweeping && e.plan.crashes && !next.Met(e.history.config.IsVoter) && !e.chance(4):
		e.surprise()
	case e.plan.stalls:
		e.slowDemotion()
	}
}

// surprise is what goes wrong while so many voters are to be replaced that the new ones are needed: these hear nothing more of the old
// ones, which then lose their power or are killed.
func (e *ensemble) surprise() {
	clear(e.blocked)
	for _, m := range e.members {
		if !e.history.config.IsVoter(m.id) {
			continue
		}
		crash := func(killed bool) {
			if e.faults {
				m.crash(killed)
			}
		}
		killed := e.chance(2)
		e.in(e.between(5, 40), func() { crash(killed) })
		if e.chance(3) { // and again when it has come back
			e.in(e.between(1000, 3000), func() { crash(true) })
		}
		for _, other := range e.members {
			if !e.history.config.IsVoter(other.id) {
				e.blocked[[2]quorum.ServerID{m.id, other.id}], e.blocked[[2]quorum.ServerID{other.id, m.id}] = true, true
			}
		}
	}
	e.lullMS = e.nowMS + e.between(500, 8000)
	e.count("cut off and crashed")
}

// stall has what a follower asks its leader come late, and breaks its other connections meanwhile.
func (e *ensemble) stall() {
	m := e.members[e.rng.IntN(len(e.members))]
	if m.p == nil || !m.p.slowToLeader() || e.chance(2) {
		return
	}
	e.in(e.between(1, 200), func() {
		for _, l := range slices.Clone(e.links) {
			if a, b := &l.ends[0], &l.ends[1]; (a.p == m.p || b.p == m.p) && a.lateMS == 0 {
				l.reset(e)
			}
		}
	})
}

// slowToLeader makes the connection to a leader slow in that direction. It is false if there is none.
func (p *process) slowToLeader() bool {
	for _, l := range p.e.links {
		if a, b := &l.ends[0], &l.ends[1]; a.p == p && b.p.leading && !a.closed {
			a.lateMS = p.e.between(300, 850)
			return true
		}
	}
	return false
}

// slowDemotion makes the connections to a leader slow that proposes another configuration.
func (e *ensemble) slowDemotion() {
	for _, m := range e.members {
		if m.p != nil && e.chance(2) {
			m.p.slowToLeader()
		}
	}
}

// handOver has leadership handed to a server, which the leader may lose sight of before.
func (e *ensemble) handOver() {
	l, m := e.newestLeader(), e.members[e.rng.IntN(len(e.members))]
	if l == nil || l.m == m {
		return
	}
	if e.chance(2) {
		there, back := [2]quorum.ServerID{l.m.id, m.id}, [2]quorum.ServerID{m.id, l.m.id}
		e.blocked[there], e.blocked[back] = true, true
		e.in(e.between(200, 2000), func() {
			delete(e.blocked, there)
			delete(e.blocked, back)
		})
	}
	l.in(e.between(0, 200), func() { l.transfer(m.id) })
}
