package election

import (
	"maps"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// ghosts is what the checks know and no server does.
type ghosts struct {
	histories map[history]bool // what each server's history was when it began to look
}

// history is what a server had at a time.
type history struct {
	id    quorum.ServerID
	zxid  zk.Zxid
	epoch int64
}

func newGhosts() ghosts { return ghosts{histories: map[history]bool{}} }

// seen is what one server was told in the election at hand.
type seen struct {
	told       map[quorum.ServerID]map[Vote]bool // all votes
	leading    map[quorum.ServerID]map[quorum.ServerID]bool
	following  map[quorum.ServerID]map[quorum.ServerID]bool // leader, then who follows or leads
	best       map[int64]Vote                               // of each round
	up, down   map[quorum.ServerID]bool
	proposedAt int64 // when the proposal last changed
	round      int64
	startedAt  int64
	repeats    int
}

func newSeen() seen {
	s := seen{up: map[quorum.ServerID]bool{}, down: map[quorum.ServerID]bool{}}
	s.forget()
	return s
}

// forget begins a new election.
func (s *seen) forget() {
	s.told, s.leading = map[quorum.ServerID]map[Vote]bool{}, map[quorum.ServerID]map[quorum.ServerID]bool{}
	s.following, s.best, s.repeats = map[quorum.ServerID]map[quorum.ServerID]bool{}, map[int64]Vote{}, 0
}

// newer is the order of votes, written down once more.
func newer(a, b Vote) bool {
	switch {
	case a.Epoch != b.Epoch:
		return a.Epoch > b.Epoch
	case a.Zxid != b.Zxid:
		return a.Zxid > b.Zxid
	}
	return a.Leader > b.Leader
}

func (s *server) isVoter(id quorum.ServerID) bool {
	return s.committed.IsVoter(id) || s.lastSeen.IsVoter(id)
}

func (s *server) weighs(id quorum.ServerID) bool {
	if s.committed.IsVoter(id) || s.lastSeen == nil {
		return s.committed.Weight(id) > 0
	}
	return s.lastSeen.Weight(id) > 0
}

// observe notes what the server is told.
func (s *server) observe(ev Event) {
	switch ev.Kind {
	case Start:
		s.w.ghosts.histories[history{s.id, s.zxid, s.epoch}] = true
		early := s.seen.told // what came while it did not look may count
		s.seen.forget()
		s.seen.told = early
		s.seen.startedAt = s.w.now
	case SetConfig:
		s.seen.repeats, s.seen.startedAt = 0, s.w.now
		clear(s.seen.best)
	case PeerUp, PeerDown:
		s.seen.down[ev.From] = ev.Kind == PeerDown
	case Notified:
		s.observeVote(ev.From, ev.Notification)
	}
}

func (s *server) observeVote(from quorum.ServerID, n Notification) {
	put := func(m map[quorum.ServerID]map[quorum.ServerID]bool, a, b quorum.ServerID) {
		if m[a] == nil {
			m[a] = map[quorum.ServerID]bool{}
		}
		m[a][b] = true
	}
	v := n.Vote
	if s.seen.told[from] == nil {
		s.seen.told[from] = map[Vote]bool{}
	}
	s.seen.told[from][v] = true
	switch n.Role {
	case Looking:
		counted := s.isVoter(from) && s.isVoter(v.Leader) && v.Zxid != uninitialized && s.weighs(v.Leader)
		if best, ok := s.seen.best[v.Round]; counted && s.election.Role() == Looking && (!ok || newer(v, best)) {
			s.seen.best[v.Round] = v
		}
	case Leading:
		put(s.seen.leading, v.Leader, from)
		put(s.seen.following, v.Leader, from)
	case Following:
		put(s.seen.following, v.Leader, from)
	}
}

// check judges one step.
func (s *server) check(ev Event, before Vote, out Actions) {
	w, now := s.w, s.election.Vote()
	if len(out.Send) > 3*len(w.ids)+3 {
		w.fail("%d sends %d messages upon %v", s.id, len(out.Send), ev)
	}
	for _, m := range out.Send {
		if m.To == s.id {
			w.fail("%d sends to itself", s.id)
		}
		if m.Role == Looking && m.Vote.Leader != None {
			s.checkVote(m.Vote)
		}
	}
	if out.Decided != nil {
		s.checkDecision(ev, *out.Decided)
		return
	}
	if s.election.Role() != Looking {
		return
	}
	if r := s.election.Round(); r < s.seen.round && ev.Kind == Notified {
		w.fail("%d goes back from round %d to %d", s.id, s.seen.round, r)
	} else if r == s.seen.round && ev.Kind == Notified && now != before && !newer(now, before) {
		w.fail("%d goes back from vote %v to %v", s.id, before, now)
	}
	s.seen.round = s.election.Round()
	if now != before || ev.Kind == Start {
		s.seen.proposedAt = w.now
	}
	if ev.Kind == Tick && len(out.Send) > 0 {
		s.seen.repeats++
		if waited := w.now - s.seen.startedAt; s.seen.repeats < 9 && waited < 200*(1<<s.seen.repeats-1) {
			w.fail("%d repeats its vote for time %d after %d ms", s.id, s.seen.repeats, waited)
		}
	}
}

// checkVote judges a vote that s gives: for a leader whose history is at least as new as its own, and true.
func (s *server) checkVote(v Vote) {
	mine := Vote{Zxid: s.zxid, Epoch: s.epoch}
	if s.committed.IsVoter(s.id) && newer(mine, Vote{Zxid: v.Zxid, Epoch: v.Epoch}) {
		s.w.fail("%d has %v e%d and votes for %v", s.id, s.zxid, s.epoch, v)
	}
	if !s.w.ghosts.histories[history{v.Leader, v.Zxid, v.Epoch}] {
		s.w.fail("%d votes for %v, a history which that never had", s.id, v)
	}
	if v.Leader != s.id && !s.weighs(v.Leader) {
		s.w.fail("%d votes for %v, which weighs nothing", s.id, v)
	}
}

// checkDecision judges a decision: it must rest on votes, or on servers that have a leader.
func (s *server) checkDecision(ev Event, d Decision) {
	v := d.Vote
	agreed := map[quorum.ServerID]bool{}
	for id, votes := range s.seen.told {
		agreed[id] = votes[v]
	}
	if s.committed.IsVoter(s.id) || s.lastSeen.IsVoter(s.id) {
		agreed[s.id] = true // it would not decide what it does not vote for
	}
	byVotes := s.enough(agreed) && v.Zxid != uninitialized && s.zxid != uninitialized
	heard := s.seen.leading[v.Leader][v.Leader] || v.Leader == s.id
	claimed := maps.Clone(agreed) // votes of the same round count with what those say that have a leader
	for id := range s.seen.following[v.Leader] {
		claimed[id] = true
	}
	met := s.enough(claimed)
	if d.Role != Leading {
		met = s.committed.Met(func(id quorum.ServerID) bool { return claimed[id] })
	}
	if met && heard && ev.Notification.Role != Looking {
		return
	}
	if !byVotes {
		s.w.fail("%d decides %v without a quorum", s.id, d)
		return
	}
	if best := s.seen.best[v.Round]; newer(best, v) && best.Round == v.Round {
		s.w.fail("%d decides %v though it was told %v", s.id, d, best)
	}
	for _, id := range s.election.voters {
		if !agreed[id] && !s.seen.down[id] && s.weighs(id) && s.w.now < s.seen.proposedAt+finalizeWaitMS {
			s.w.fail("%d decides %v without waiting for %d", s.id, d, id)
		}
	}
}

// countRate judges how much one server tells another: at most ratePerSecond, in a storm too.
func (w *world) countRate(pair [2]quorum.ServerID) {
	times := append(w.sent[pair], w.now)
	for len(times) > 0 && times[0] <= w.now-1000 {
		times = times[1:]
	}
	if w.sent[pair] = times; len(times) > ratePerSecond {
		w.fail("%d sends %d messages to %d within a second", pair[0], len(times), pair[1])
	}
}

const ratePerSecond = 60
