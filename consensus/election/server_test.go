package election

import (
	"fmt"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// server is one server of a world: its election, its durable state, and in place of the atomic broadcast a toy that
// has what matters here: a leader needs a quorum of connected followers soon, refuses those with a newer history, begins a
// new epoch, and brings everybody up to date.
type server struct {
	w  *world
	id quorum.ServerID

	// Durable.
	zxid                zk.Zxid
	epoch               int64
	committed, lastSeen *quorum.Config

	// In memory.
	election        *Election // nil while it is down
	life            int       // counts boots and elections; what was planned in an earlier one is void
	leader          quorum.ServerID
	synced          map[quorum.ServerID]bool // by a leader, itself included
	leads           bool                     // established
	incarnationSent map[quorum.ServerID]bool // to whom it has sent anything since it booted
	seen            seen
}

func (s *server) boot() {
	planted := s.w.bug
	if planted == bugEpochKept && s.id%2 == 0 {
		planted = bugNone // if nobody tells the new epoch, all agree on the old one
	}
	e, err := New(Config{Self: s.id, Committed: s.committed, LastSeen: s.lastSeen, bug: planted})
	if err != nil {
		panic(err)
	}
	s.election, s.incarnationSent = e, map[quorum.ServerID]bool{}
	s.seen = newSeen()
	for _, id := range s.w.ids {
		if id != s.id {
			s.w.connect(s.id, id)
		}
	}
	s.lookAgain()
	s.everyTick(s.election)
}

func (s *server) everyTick(e *Election) {
	if s.election == e {
		s.step(Event{Kind: Tick})
		s.w.after(50, func() { s.everyTick(e) })
	}
}

func (s *server) crash() {
	s.life++
	s.election, s.leads, s.synced, s.leader = nil, false, nil, 0
	for _, id := range s.w.ids {
		if id != s.id {
			s.w.connect(s.id, id)
		}
	}
}

// lookAgain begins an election.
func (s *server) lookAgain() {
	s.life++
	s.leads, s.synced, s.leader = false, nil, 0
	s.step(Event{Kind: Start, Zxid: s.zxid, Epoch: s.epoch})
}

// later does something if the server is then still in the same election or role.
func (s *server) later(ms int64, do func()) {
	life := s.life
	s.w.after(ms, func() {
		if s.life == life && s.election != nil {
			do()
		}
	})
}

// step steps the election, checks what it does and carries it out.
func (s *server) step(ev Event) {
	ev.NowMS = s.w.now
	var out Actions
	before := s.election.Vote()
	s.observe(ev)
	s.election.Step(ev, &out)
	s.check(ev, before, out)
	if *traceFlag && (ev.Kind != Tick || len(out.Send) > 0 || out.Decided != nil) {
		fmt.Printf("%6d  %d %v: %v", s.w.now, s.id, ev, s.election.Vote())
		for _, m := range out.Send {
			fmt.Printf("; to %d %v", m.To, m.Notification)
		}
		if out.Decided != nil {
			fmt.Printf("; decided %v", out.Decided)
		}
		fmt.Println()
	}
	for _, m := range out.Send {
		s.incarnationSent[m.To] = true
		s.w.send(s.id, m)
	}
	if out.AdoptConfig != "" {
		s.adopt(s.w.configOf(out.AdoptConfig), s.lastSeen)
	}
	if d := out.Decided; d != nil {
		s.life++
		s.leader = d.Vote.Leader
		if d.Role == Leading {
			s.synced = map[quorum.ServerID]bool{s.id: true}
			s.later(1, s.tryToLead)
			s.later(2500, s.mustLead)
		} else {
			s.later(s.w.between(1, 30), func() { s.follow(8) })
		}
	}
}

// adopt takes configurations that came from a leader or from an election.
func (s *server) adopt(committed, lastSeen *quorum.Config) {
	if committed.Version < s.committed.Version {
		committed = s.committed
	}
	if lastSeen == nil || lastSeen.Version < committed.Version {
		lastSeen = committed
	}
	if committed == s.committed && lastSeen == s.lastSeen {
		return
	}
	s.committed, s.lastSeen = committed, lastSeen
	s.step(Event{Kind: SetConfig, Committed: committed, LastSeen: lastSeen})
	role := s.election.Role()
	me, listed := committed.Server(s.id)
	if observes := listed && me.Observer; observes && role == Following {
		role = Observing
	} else if !observes && role == Observing {
		role = Following
	}
	if role != s.election.Role() {
		s.step(Event{Kind: Join, Role: role, Vote: s.election.Vote()})
	}
}

// enough tells whether servers are a quorum of the configurations in force for s.
func (s *server) enough(has map[quorum.ServerID]bool) bool {
	is := func(id quorum.ServerID) bool { return has[id] }
	if s.lastSeen != nil && s.lastSeen.Version > s.committed.Version {
		return quorum.AllMet(is, s.committed, s.lastSeen)
	}
	return s.committed.Met(is)
}

// tryToLead begins an epoch once enough servers have connected.
func (s *server) tryToLead() {
	s.dropLost()
	if s.leads || !s.enough(s.synced) {
		return
	}
	s.leads = true
	s.w.epoch++
	s.epoch, s.zxid = s.w.epoch, max(s.zxid, 0)
	s.step(Event{Kind: SetEpoch, Epoch: s.epoch})
	for _, id := range s.w.ids {
		if s.synced[id] && id != s.id {
			s.sync(s.w.servers[id])
		}
	}
	s.later(500, s.check500)
	s.later(s.w.between(1, 200), s.write)
}

// mustLead gives up without a quorum.
func (s *server) mustLead() {
	if !s.leads {
		s.lookAgain()
	}
}

// check500 gives up once the quorum is lost.
func (s *server) check500() {
	s.dropLost()
	if !s.enough(s.synced) {
		s.lookAgain()
		return
	}
	s.later(500, s.check500)
}

// dropLost forgets followers that went away.
func (s *server) dropLost() {
	for _, id := range s.w.ids {
		if f := s.w.servers[id]; id != s.id && s.synced[id] && (f.leader != s.id || !s.w.reaches(s.id, id)) {
			delete(s.synced, id)
		}
	}
}

// write logs a txn here and on some of the followers.
func (s *server) write() {
	if s.zxid.Epoch() < s.epoch {
		s.zxid = zk.Zxid(s.epoch << 32)
	}
	s.zxid++
	for _, id := range s.w.ids {
		if f := s.w.servers[id]; s.synced[id] && s.w.reaches(s.id, id) && f.leader == s.id && f.epoch == s.epoch && !s.w.chance(3) {
			f.zxid = s.zxid
		}
	}
	s.later(s.w.between(1, 400), s.write)
}

// sync brings a connected follower up to date.
func (s *server) sync(f *server) {
	f.zxid, f.epoch = s.zxid, s.epoch
	f.adopt(s.committed, s.lastSeen)
	f.step(Event{Kind: SetEpoch, Epoch: s.epoch})
	if s.w.drift && f.leader == s.id { // as members of old versions, and those that a reconfiguration made followers
		v := f.election.Vote()
		v.Round = s.w.between(-1, 9)
		f.step(Event{Kind: Join, Role: f.election.Role(), Vote: v})
	}
}

// follow connects to the leader, and looks again if that fails or the leader refuses.
func (s *server) follow(tries int) {
	l := s.w.servers[s.leader]
	switch {
	case tries == 0:
		s.lookAgain()
		return
	case !s.w.reaches(s.id, l.id) || l.synced == nil:
		s.later(100, func() { s.follow(tries - 1) })
		return
	case !l.leads && s.enoughHistory() && (s.epoch > l.epoch || s.epoch == l.epoch && s.zxid > l.zxid):
		s.lookAgain()
		return
	}
	l.synced[s.id] = true
	if l.leads {
		l.sync(s)
	}
	l.tryToLead()
	life := l.life
	s.later(300, func() { s.stay(life) })
}

// describe is the configurations in force.
func (s *server) describe() string {
	text := fmt.Sprint(s.committed.Voters())
	if s.lastSeen != nil && s.lastSeen != s.committed {
		text += fmt.Sprint(" then ", s.lastSeen.Voters())
	}
	return text
}

// enoughHistory tells whether the history counts.
func (s *server) enoughHistory() bool { return s.zxid != uninitialized }

// stay looks again once the leader is lost.
func (s *server) stay(life int) {
	l := s.w.servers[s.leader]
	if l.life != life || !s.w.reaches(s.id, l.id) || l.synced == nil || !l.synced[s.id] {
		s.lookAgain()
		return
	}
	s.later(300, func() { s.stay(life) })
}

// reconfigure begins the use of the next configuration, if s leads: first as one that is also asked, then alone.
func (s *server) reconfigure(next *quorum.Config) {
	if !s.leads || next.Version <= s.committed.Version || s.lastSeen != nil && s.lastSeen.Version >= next.Version {
		return
	}
	spread := func(committed, lastSeen *quorum.Config) {
		for _, id := range s.w.ids {
			if f := s.w.servers[id]; id == s.id || s.synced[id] && f.leader == s.id && s.w.reaches(s.id, id) {
				f.adopt(committed, lastSeen)
			}
		}
	}
	spread(s.committed, next)
	s.later(s.w.between(10, 3000), func() {
		if s.leads && s.enough(s.synced) {
			spread(next, next)
			if !next.IsVoter(s.id) {
				s.lookAgain()
			}
		}
	})
}
