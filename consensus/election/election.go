package election

import (
	"errors"
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// The defaults of Config, in milliseconds.
const (
	IntervalMinMS = 200    // ZooKeeper's fastleader.minNotificationInterval
	IntervalMaxMS = 60_000 // ZooKeeper's fastleader.maxNotificationInterval
)

// finalizeWaitMS is how long a server that has a quorum waits for a better vote, in milliseconds.
const finalizeWaitMS = 200

// roundMax bounds the rounds that are taken from others, so that no number on the wire ends all counting.
const roundMax = 1 << 62

// Config is what an Election starts from.
type Config struct {
	Self      quorum.ServerID
	Committed *quorum.Config // must not be nil; its observers do not vote, nor does a server that is not in it
	LastSeen  *quorum.Config // the newest proposed configuration; nil if there is none but Committed
	// Between these a server that looks repeats its vote, each time after twice the time; 0 stands for the defaults.
	IntervalMinMS, IntervalMaxMS int64

	bug bug // a mistake planted by a test
}

// Election is the leader election of one server. Make it with New.
type Election struct {
	self                     quorum.ServerID
	intervalMin, intervalMax int64 // milliseconds
	bug                      bug

	committed, lastSeen *quorum.Config
	voters              []quorum.ServerID // of both, ascending
	observer            bool              // this server is one, by the committed configuration
	text                string            // of the committed configuration

	begun   bool // Start or Join has come
	role    Role
	round   int64   // the logical clock
	current Vote    // what was decided; meaningful unless Looking
	last    zk.Zxid // what this server starts with, from Start
	epoch   int64
	heir    *Vote // from Start; see initial
	looking looking
	held    *Event // a notification with a newer configuration, until that is adopted or something else happens

	up       map[quorum.ServerID]bool // true: connected; false: cannot be reached; absent: unknown
	answered map[quorum.ServerID]answer
	early    map[quorum.ServerID]early // votes of voters that look while this server does not
}

// early is a vote that came before its election.
type early struct {
	Vote
	at int64 // milliseconds
}

// earlyMaxMS is how old such a vote may be to count, in milliseconds.
const earlyMaxMS = 2000

// looking is the state of one election.
type looking struct {
	proposal Vote                       // whom this server votes for
	received map[quorum.ServerID]ballot // the newest votes of this round
	outside  map[quorum.ServerID]ballot // of those who follow or lead, in any round
	busy     map[quorum.ServerID]bool   // who had a leader when it was told this server's vote, and so did not count it
	asked    map[quorum.ServerID]bool   // observers and strangers that are told the decision
	interval int64                      // until the vote is repeated, in milliseconds
	repeatAt int64                      // when that is due
	// finalizeAt is when the proposal is decided if nothing better comes. It counts while finalizing.
	finalizeAt int64
	finalizing bool
}

// New returns an election that has not begun: see Start.
func New(cfg Config) (*Election, error) {
	if cfg.Committed == nil {
		return nil, errors.New("an election needs a configuration")
	}
	e := &Election{
		self: cfg.Self, bug: cfg.bug, intervalMin: cfg.IntervalMinMS, intervalMax: cfg.IntervalMaxMS,
		up: map[quorum.ServerID]bool{}, answered: map[quorum.ServerID]answer{},
		early: map[quorum.ServerID]early{},
	}
	if e.intervalMin <= 0 {
		e.intervalMin = IntervalMinMS
	}
	if e.intervalMax <= 0 {
		e.intervalMax = IntervalMaxMS
	}
	e.configure(cfg.Committed, cfg.LastSeen)
	return e, nil
}

// Role is what the server is now.
func (e *Election) Role() Role { return e.role }

// Vote is what the server tells others: while it looks, whom it proposes; then, the vote that was decided.
func (e *Election) Vote() Vote {
	if e.role == Looking {
		return e.looking.proposal
	}
	return e.current
}

// Round is the logical clock: the number of the election, as far as this server knows.
func (e *Election) Round() int64 { return e.round }

// Step takes one event and adds what follows from it to out.
func (e *Election) Step(ev Event, out *Actions) {
	if held := e.held; held != nil && ev.Kind != SetConfig {
		if e.held = nil; ev.Kind != Start && ev.Kind != Join {
			e.notified(*held, ev.NowMS, out) // its configuration was not adopted; its vote counts
		}
	}
	switch ev.Kind {
	case Start:
		e.last, e.epoch, e.heir = ev.Zxid, ev.Epoch, ev.Heir
		e.begin(ev.NowMS, out)
	case Notified:
		e.receive(ev, out)
	case Tick:
		e.tick(ev.NowMS, out)
	case PeerUp:
		e.peerUp(ev.From, out)
	case PeerDown:
		e.peerDown(ev.From)
		e.conclude(ev.NowMS, out)
	case SetConfig:
		e.setConfig(ev, out)
	case SetEpoch:
		if e.bug != bugEpochKept {
			e.current.Epoch = ev.Epoch
		}
	case Join:
		e.begun, e.role, e.current, e.looking = true, ev.Role, ev.Vote, looking{}
	}
}

// begin starts an election in the next round.
func (e *Election) begin(now int64, out *Actions) {
	e.begun, e.role = true, Looking
	e.round++
	e.looking = looking{
		received: map[quorum.ServerID]ballot{}, outside: map[quorum.ServerID]ballot{}, busy: map[quorum.ServerID]bool{},
		asked:    map[quorum.ServerID]bool{},
		interval: e.intervalMin,
	}
	e.propose(e.initial())
	e.considerEarly(now)
	e.broadcast(now, out)
	e.conclude(now, out)
}

// considerEarly counts the votes that came shortly before this server began to look. Those who gave them were told of a
// leader; they see that this server has lost it, too, but have no reason to repeat their vote soon.
func (e *Election) considerEarly(now int64) {
	for _, id := range e.voters {
		v, ok := e.early[id]
		if ok && now <= v.at+earlyMaxMS && e.isVoter(v.Leader) && e.counts(v.Vote) && v.Round >= e.round {
			e.consider(id, v.Vote)
		}
	}
	clear(e.early)
}

// initial is the vote of a server that has heard of nobody: for itself if it votes, or for its heir. That one has yet to find
// that it has lost its leader, which takes one of ZooKeeper's make longer than finalizeWaitMS at times; by then the others would
// have elected one another.
func (e *Election) initial() Vote {
	switch {
	case e.observer:
		return Vote{Leader: None, Zxid: None, Epoch: None}
	case !e.committed.IsVoter(e.self):
		return Vote{Leader: None, Zxid: e.last, Epoch: e.epoch}
	}
	mine := Vote{Leader: e.self, Zxid: e.last, Epoch: e.epoch}
	if h := e.heir; h != nil && e.isVoter(h.Leader) && e.better(*h, mine) && !e.isDown(h.Leader) {
		return *h
	}
	return mine
}

// isDown tells whether a server is known not to be reached.
func (e *Election) isDown(id quorum.ServerID) bool {
	up, known := e.up[id]
	return known && !up
}

// broadcast tells all voters this server's vote, and has it repeated after the interval.
func (e *Election) broadcast(now int64, out *Actions) {
	e.looking.repeatAt = now + e.looking.interval
	for _, id := range e.voters {
		if id != e.self {
			e.send(id, e.looking.proposal, out)
		}
	}
}

// send tells one server a vote, in this server's role.
func (e *Election) send(to quorum.ServerID, v Vote, out *Actions) {
	out.Send = append(out.Send, Message{to, Notification{Role: e.role, Vote: v, Version: Version, Config: e.text}})
}

// tick does what is due.
func (e *Election) tick(now int64, out *Actions) {
	if e.role != Looking || !e.begun {
		return
	}
	if e.looking.finalizing {
		e.conclude(now, out)
		return
	}
	if now < e.looking.repeatAt || e.bug == bugNoRepeat {
		return
	}
	if e.looking.interval = min(2*e.looking.interval, e.intervalMax); e.bug == bugNoBackOff {
		e.looking.interval = e.intervalMin
	}
	e.broadcast(now, out)
	out.ConnectAll = out.ConnectAll || !e.allUp()
}

// allUp tells whether every other voter is connected.
func (e *Election) allUp() bool {
	for _, id := range e.voters {
		if id != e.self && !e.up[id] {
			return false
		}
	}
	return true
}

// peerUp notes a connection. A voter that connects while this server looks is told its vote at once: what it heard
// before, if anything, was meant for an earlier connection, and the next repetition may be a minute away.
func (e *Election) peerUp(id quorum.ServerID, out *Actions) {
	delete(e.answered, id)
	e.up[id] = true
	if e.begun && e.role == Looking && id != e.self && e.isVoter(id) {
		e.send(id, e.looking.proposal, out)
	}
}

// peerDown notes that a server cannot be reached. Of strangers only those connected are remembered.
func (e *Election) peerDown(id quorum.ServerID) {
	delete(e.answered, id)
	delete(e.early, id)
	if e.isVoter(id) {
		e.up[id] = false
	} else {
		delete(e.up, id)
	}
}

// configure takes the configurations in force.
func (e *Election) configure(committed, lastSeen *quorum.Config) {
	e.committed, e.lastSeen = committed, lastSeen
	e.voters = slices.Concat(committed.Voters(), lastSeen.Voters())
	slices.Sort(e.voters)
	e.voters = slices.Compact(e.voters)
	me, listed := committed.Server(e.self)
	e.observer = listed && me.Observer
	e.text = committed.String()
}

// setConfig takes new configurations and begins an election that is under way again if the members changed.
func (e *Election) setConfig(ev Event, out *Actions) {
	if ev.Committed == nil {
		return
	}
	same := ev.Committed.SameMembers(e.committed)
	e.configure(ev.Committed, ev.LastSeen)
	held := e.held
	e.held = nil
	if e.begun && e.role == Looking {
		if !same {
			e.begin(ev.NowMS, out)
		} else {
			e.conclude(ev.NowMS, out)
		}
	}
	if held != nil {
		e.notified(*held, ev.NowMS, out)
	}
}

// isVoter tells whether id votes in either configuration.
func (e *Election) isVoter(id quorum.ServerID) bool {
	_, ok := slices.BinarySearch(e.voters, id)
	return ok
}

// weight is what a server's vote weighs, in the committed configuration if it votes there.
func (e *Election) weight(id quorum.ServerID) int64 {
	if e.committed.IsVoter(id) || e.lastSeen == nil {
		return e.committed.Weight(id)
	}
	return e.lastSeen.Weight(id)
}

// quorum tells whether the servers for which has is true are one, in the committed configuration and in a newer one.
func (e *Election) quorum(has func(quorum.ServerID) bool) bool {
	if e.lastSeen == nil || e.lastSeen.Version <= e.committed.Version || e.bug == bugOneConfig {
		return e.committed.Met(has)
	}
	return quorum.AllMet(has, e.committed, e.lastSeen)
}
