package election

import (
	"paddock/consensus/quorum"
)

// receive takes a notification: it may bring a configuration, deserve an answer, and count.
func (e *Election) receive(ev Event, out *Actions) {
	if !e.begun || ev.From == e.self {
		return
	}
	if e.role == Looking && ev.ConfigVersion > e.committed.Version && ev.Notification.Config != "" {
		out.AdoptConfig = ev.Notification.Config
		e.held = &ev
		return
	}
	e.notified(ev, ev.NowMS, out)
}

// notified takes a notification without regard to its configuration.
func (e *Election) notified(ev Event, now int64, out *Actions) {
	n := ev.Notification
	if n.Role < Looking || n.Role > Observing {
		return
	}
	e.answer(ev.From, n, now, out)
	if e.role != Looking && n.Role == Looking && n.Vote.Round > e.round && e.isVoter(ev.From) {
		e.early[ev.From] = early{n.Vote, now}
	}
	if e.role != Looking || !e.isVoter(ev.From) {
		return
	}
	if n.Role == Looking && n.Vote.Leader == None && e.bug != bugNewcomersUnheard {
		e.catchUp(n.Vote.Round, now, out)
	}
	if !e.isVoter(n.Vote.Leader) {
		return
	}
	switch n.Role {
	case Looking:
		e.lookingVote(ev.From, n.Vote, now, out)
	case Following, Leading:
		e.looking.busy[ev.From] = true
		e.establishedVote(ev.From, ballot{n.Vote, n.Role, n.Version}, out)
	}
}

// catchUp begins anew in the later round of a server that is to vote from a proposed configuration on, has not heard of that and so
// votes for nobody: it would never count the votes of this round, and the proposed configuration might have no quorum without it.
//
// ZooKeeper's servers ignore it, and nobody is elected.
func (e *Election) catchUp(round int64, now int64, out *Actions) {
	if round <= e.round || round > roundMax {
		return
	}
	e.round = round
	clear(e.looking.received)
	e.propose(e.initial())
	e.broadcast(now, out)
	e.conclude(now, out)
}

// lookingVote takes the vote of another server that looks.
func (e *Election) lookingVote(from quorum.ServerID, v Vote, now int64, out *Actions) {
	if !e.counts(v) {
		return
	}
	l := &e.looking
	if l.finalizing && v != l.proposal && (!e.better(v, l.proposal) || e.bug == bugDeafAtTheEnd) {
		return // whoever has a quorum and waits is interested in better votes only
	}
	if v.Round < e.round && e.bug != bugOldRounds {
		return // answered with this server's vote, which brings the sender to this round
	}
	before := l.proposal
	e.consider(from, v)
	if l.proposal != before {
		e.broadcast(now, out)
	}
	e.conclude(now, out)
}

// consider counts a vote of this round or a later one, and takes it over, or its round, if that is better.
func (e *Election) consider(from quorum.ServerID, v Vote) {
	switch l := &e.looking; {
	case v.Round > e.round:
		e.round = v.Round
		clear(l.received)
		if mine := e.initial(); e.better(v, mine) {
			e.propose(v)
		} else {
			e.propose(mine)
		}
	case v.Round < e.round:
		v.Round = e.round // a planted mistake
	case e.better(v, l.proposal):
		e.propose(v)
	}
	e.looking.received[from] = ballot{Vote: v}
}

// propose changes this server's vote and counts it.
func (e *Election) propose(v Vote) {
	v.Round = e.round
	e.looking.proposal = v
	e.looking.finalizing = false
	if e.isVoter(e.self) && e.counts(v) {
		e.looking.received[e.self] = ballot{Vote: v}
	}
}

// counts tells whether a vote can be counted: a server with an uninitialised database neither votes nor is voted for,
// it finds a leader only among those who have one; and the round must be one that leaves room for more.
func (e *Election) counts(v Vote) bool {
	if e.bug == bugUninitialized {
		return true
	}
	return v.Zxid != uninitialized && (e.observer || e.last != uninitialized) && v.Round >= 0 && v.Round <= roundMax
}

// conclude decides this server's proposal if it has a quorum, and either nothing that is still to come could change
// it or the time to wait for that is over.
//
// INVARIANT(votes-of-one-round): only votes of the same round, for the same leader with the same history, are counted
// together.
func (e *Election) conclude(now int64, out *Actions) {
	if !e.begun || e.role != Looking {
		return
	}
	l := &e.looking
	agrees := func(id quorum.ServerID) bool {
		b, ok := l.received[id]
		return ok && b.Vote == l.proposal
	}
	if l.proposal.Leader == None || !e.quorum(agrees) {
		l.finalizing = false
		return
	}
	if !l.finalizing {
		l.finalizing, l.finalizeAt = true, now+finalizeWaitMS
	}
	if now >= l.finalizeAt || e.allHeard(agrees) {
		e.decide(l.proposal, out)
	}
}

// allHeard tells whether every server whose vote weighs anything agrees or cannot be reached, so that waiting for a
// better vote is vain. One of which nothing is known yet may still bring one.
//
// ZooKeeper's servers wait 200 ms nevertheless; a first election takes them that much longer.
func (e *Election) allHeard(agrees func(quorum.ServerID) bool) bool {
	for _, id := range e.voters {
		down := e.isDown(id) || e.bug == bugUnknownIsDown
		if e.weight(id) > 0 && !agrees(id) && !down {
			return false
		}
	}
	return true
}

// establishedVote takes the vote of a server that follows or leads, and joins its leader if a quorum and the leader
// itself say that it leads. Members of a working ensemble may tell different rounds and zxids: a server that was
// away finds its leader in another election than those that elected it.
//
// INVARIANT(leader-heard): without votes of its own round a server follows only a leader that says that it leads.
func (e *Election) establishedVote(from quorum.ServerID, b ballot, out *Actions) {
	l := &e.looking
	if b.Round == e.round {
		same := b
		// ZooKeeper compatibility: within a round its servers keep such votes without their version, and so compare
		// only the leader. A member whose epoch is told wrongly does not keep others out then.
		same.version = 0
		l.received[from] = same
		if e.follows(l.received, b) {
			e.decide(b.Vote, out)
			return
		}
	}
	l.outside[from] = b
	if e.follows(l.outside, b) {
		if b.Round >= 0 && b.Round <= roundMax {
			e.round = b.Round
		}
		e.decide(b.Vote, out)
	}
}

// follows tells whether a quorum of votes agrees with b, and b's leader is one: it says itself that it leads, or it
// is this server and b is of the current round.
//
// ZooKeeper compatibility: its servers ask for a quorum of the proposed configuration here, too. One that has seen a
// proposal which its leader never committed then waits without end for new members who never became voters. That the
// leader has every quorum it needs is the leader's business; whom to follow is settled by the committed configuration.
func (e *Election) follows(votes map[quorum.ServerID]ballot, b ballot) bool {
	met := e.committed.Met
	if b.Leader == e.self {
		if b.Round != e.round {
			return false
		}
		met = e.quorum
	} else if leader, ok := votes[b.Leader]; (!ok || leader.role != Leading) && e.bug != bugLeaderUnheard {
		return false
	}
	return met(func(id quorum.ServerID) bool {
		other, ok := votes[id]
		if e.bug == bugRoundsCompared {
			return ok && other.agrees(b) && other.Round == b.Round
		}
		return ok && other.agrees(b)
	})
}

// decide ends the election.
func (e *Election) decide(v Vote, out *Actions) {
	switch {
	case v.Leader == e.self:
		e.role = Leading
	case e.observer:
		e.role = Observing
	default:
		e.role = Following
	}
	asked := e.looking.asked
	e.current, e.looking = v, looking{}
	out.Decided = &Decision{e.role, v}
	e.tellStrangers(asked, out)
}
