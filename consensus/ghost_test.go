package consensus

import (
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// ghost knows what no server does: everything that was ever proposed or decided, and who led. Its methods are the
// checkers of the simulation, called where the rules could break.
type ghost struct {
	w        *world
	history  []Entry // everything decided, in order
	config   *quorum.Config
	leaders  map[int64]quorum.ServerID // who was established in an epoch
	proposed map[zk.Zxid]string
	promised map[[2]int64]quorum.ServerID // (server, epoch): to whom it was promised with a vote
	syncs    map[LinkID][]zk.Zxid         // what was proposed when SYNC was asked for
	askedAt  map[LinkID][]int             // how much was decided when a learner began to ask for SYNC
	reads    map[uint64]int               // how much was decided when a leader was asked whether it leads
	epochs   map[quorum.ServerID][2]int64 // durable accepted and current epoch, as last seen
}

func (g *ghost) init(w *world) {
	*g = ghost{w: w, leaders: map[int64]quorum.ServerID{}, proposed: map[zk.Zxid]string{}, promised: map[[2]int64]quorum.ServerID{},
		syncs: map[LinkID][]zk.Zxid{}, askedAt: map[LinkID][]int{}, reads: map[uint64]int{}, epochs: map[quorum.ServerID][2]int64{}}
}

// same tells whether two txns are one.
func same(a, b Entry) bool { return a.Zxid == b.Zxid && string(a.Payload) == string(b.Payload) }

// has tells whether a history holds e as its i-th txn.
func has(history []Entry, i int, e Entry) bool { return i < len(history) && same(history[i], e) }

// serves checks a role when it is established: one leader per epoch, whose history holds everything decided and is
// durable with a quorum that has joined the epoch (I1, I8, I10); a learner has nothing that is not decided (I2 to I7).
func (g *ghost) serves(s *server, a Action) {
	if a.Kind != Lead {
		if len(s.tree) > len(g.history) || len(s.tree) > 0 && !same(s.tree[len(s.tree)-1], g.history[len(s.tree)-1]) {
			g.w.violation("server %d serves with a history that was never decided: %v", s.id, last(s.tree))
		}
		return
	}
	if other, ok := g.leaders[a.Epoch]; ok {
		g.w.violation("epoch %d is led by %d and by %d", a.Epoch, other, s.id)
	}
	g.leaders[a.Epoch] = s.id
	for i, e := range g.history {
		if e.Zxid.Epoch() > a.Epoch {
			break // a leader that is established so late that others have moved on can decide nothing any more
		}
		if !has(s.tree, i, e) {
			g.w.violation("leader %d of epoch %d lacks %v, which was decided", s.id, a.Epoch, e.Zxid)
			return
		}
	}
	for i := len(g.history); i < len(s.tree); i++ {
		g.decide(s, s.tree[i], a.Epoch)
	}
	joined := func(id quorum.ServerID) bool { return g.w.servers[id].disk.current >= a.Epoch }
	if !g.config.Met(joined) {
		g.w.violation("leader %d of epoch %d serves and no quorum has joined", s.id, a.Epoch)
	}
}

// decided checks what a leader commits while it serves (I10), before it is applied.
func (g *ghost) decided(s *server, z zk.Zxid) {
	for _, e := range s.pending {
		if e.Zxid > z {
			break
		}
		if e.Zxid > last(g.history) {
			g.decide(s, e, 0)
		}
	}
}

// decide adds a txn to the ghost's history: a quorum must have it durably, where it belongs.
func (g *ghost) decide(s *server, e Entry, epoch int64) {
	i := len(g.history)
	if !follows(e.Zxid, last(g.history)) {
		g.w.violation("%v is decided after %v", e.Zxid, last(g.history))
	}
	if p, ok := g.proposed[e.Zxid]; !ok || p != string(e.Payload) {
		g.w.violation("%v is decided and was never proposed by its leader", e.Zxid)
	}
	durable := func(id quorum.ServerID) bool {
		t := g.w.servers[id]
		return has(t.disk.history, i, e) || t.disk.lost && has(t.had, i, e) // acknowledged before it was lost
	}
	if !g.config.Met(durable) {
		g.w.violation("%v is decided by %d and no quorum of %v has it durably", e.Zxid, s.id, g.config)
	}
	if text := configIn(e.Payload); text != "" {
		cfg, err := quorum.ParseConfig(text)
		if err != nil {
			panic(err)
		}
		if !cfg.Met(durable) {
			g.w.violation("reconfiguration %v is decided by %d without a quorum of the new voters", e.Zxid, s.id)
		}
		g.config = cfg.WithVersion(e.Zxid)
		g.w.count("reconfigured")
	}
	g.history = append(g.history, e)
}

// applied checks what a server that serves has just applied (I2 to I7).
func (g *ghost) applied(s *server) {
	i := len(s.tree) - 1
	if i >= len(g.history) || !same(g.history[i], s.tree[i]) {
		g.w.violation("server %d applies %v, which is not what was decided there", s.id, s.tree[i].Zxid)
	}
}

// rewrites checks that nothing decided gets lost when a server replaces its history (I13). What was decided without it
// while it was being told may go: others have it, and send it.
func (g *ghost) rewrites(s *server, next []Entry) {
	all := slices.Concat(s.tree, s.pending)
	for i, e := range all {
		others := func(id quorum.ServerID) bool { return id != s.id && has(g.w.servers[id].disk.history, i, e) }
		if has(g.history, i, e) && !has(next, i, e) && !g.config.Met(others) {
			g.w.violation("server %d drops %v, which was decided", s.id, e.Zxid)
			return
		}
	}
}

// sends checks that what a message promises is durable (I9, I11, I15).
func (g *ghost) sends(s *server, link LinkID, m *Message) {
	d, epoch := &s.disk, m.Zxid.Epoch()
	switch m.Kind {
	case MsgProposal:
		g.proposes(s.id, m.Zxid, m.Payload)
	case MsgLeaderInfo:
		if d.accepted < epoch {
			g.w.violation("leader %d announces epoch %d before it is durable", s.id, epoch)
		}
	case MsgAckEpoch:
		g.promises(s, link, m)
	case MsgNewLeader:
		if d.current != epoch {
			g.w.violation("leader %d sends NEWLEADER of epoch %d before it is durable", s.id, epoch)
		}
		if c := g.w.conn(link); c != nil {
			c.given = last(s.tree)
		}
	case MsgAck:
		c := g.w.conn(link)
		switch {
		case c == nil:
		case m.Zxid.Counter() == 0 && d.current != epoch:
			g.w.violation("server %d joins epoch %d before it is durable", s.id, epoch)
		case m.Zxid.Counter() == 0 && last(upTo(d.history, c.given)) != c.given:
			g.w.violation("server %d joins epoch %d without %v, which its leader had", s.id, epoch, c.given)
		case m.Zxid.Counter() != 0 && last(upTo(d.history, m.Zxid)) != m.Zxid:
			g.w.violation("server %d acknowledges %v before it is durable", s.id, m.Zxid)
		}
	}
}

// promises checks an ACKEPOCH: what it says is what the disk has, and no epoch is promised to two leaders.
func (g *ghost) promises(s *server, link LinkID, m *Message) {
	d := &s.disk
	if m.Epoch == NoEpoch || m.Zxid == NoZxid {
		return
	}
	if d.current != m.Epoch || last(d.history) != max(m.Zxid, 0) {
		g.w.violation("server %d promises with history %d %v and has %d %v", s.id, m.Epoch, m.Zxid, d.current, last(d.history))
	}
	c := g.w.conn(link)
	if c == nil {
		return
	}
	key := [2]int64{int64(s.id), s.core.learning.epoch}
	if d.accepted < key[1] {
		g.w.violation("server %d promises epoch %d before that is durable", s.id, key[1])
	}
	if other, ok := g.promised[key]; ok && other != c.ends[1] {
		g.w.violation("server %d promises epoch %d to %d and to %d", s.id, key[1], other, c.ends[1])
	}
	g.promised[key] = c.ends[1]
}

// durable checks the epochs on all disks: they only grow, and a history is not of a later epoch than was joined (I9).
func (g *ghost) durable() {
	for _, id := range g.w.ids {
		d := &g.w.servers[id].disk
		was := g.epochs[id]
		if d.accepted < was[0] || d.current < was[1] || d.current > d.accepted {
			g.w.violation("server %d: epochs accepted %d, current %d after %v", id, d.accepted, d.current, was)
		}
		g.epochs[id] = [2]int64{d.accepted, d.current}
	}
}

// asked notes what a leader had proposed when a learner asked for SYNC.
func (g *ghost) asked(s *server, link LinkID) {
	g.syncs[link] = append(g.syncs[link], s.core.Proposed())
}

// synced checks an answered SYNC: the learner has everything that was proposed when it asked.
func (g *ghost) synced(s *server, link LinkID) {
	if len(g.syncs[link]) == 0 {
		g.w.violation("server %d: SYNC is answered and was not asked for", s.id)
		return
	}
	if z := g.syncs[link][0]; last(s.tree) < z {
		g.w.violation("server %d: SYNC is answered at %v and %v was proposed when it asked", s.id, last(s.tree), z)
	}
	if n := g.askedAt[link][0]; len(s.tree) < n {
		g.w.violation("server %d: SYNC is answered with %d txns, and %d were decided when it asked", s.id, len(s.tree), n)
	}
	g.syncs[link], g.askedAt[link] = g.syncs[link][1:], g.askedAt[link][1:]
}

// confirmed checks that a leader that is sure to lead has everything that was decided when it was asked.
func (g *ghost) confirmed(s *server, token uint64) {
	g.w.count("confirmed")
	if n := g.reads[token]; len(s.tree) < n {
		g.w.violation("server %d is confirmed as leader with %d txns, and %d were decided when it was asked", s.id, len(s.tree), n)
	}
}

// proposes notes a proposal: an epoch has one leader, which never gives a zxid twice.
func (g *ghost) proposes(id quorum.ServerID, z zk.Zxid, payload []byte) {
	if p, ok := g.proposed[z]; ok && p != string(payload) {
		g.w.violation("server %d proposes %v, which was proposed before", id, z)
	}
	g.proposed[z] = string(payload)
}
