package consensus

import (
	"cmp"
	"fmt"
	"slices"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// leaderPhase is how far a leader has come. Each phase but the last waits for others no longer than initLimit.
type leaderPhase uint8

const (
	discovering leaderPhase = iota // gathering the epochs that a quorum has promised
	promising                      // making its own promise durable
	collecting                     // gathering the promises of a quorum, and how far their histories go
	beginning                      // making the current epoch durable
	announcing                     // synchronising; gathering a quorum that has joined the epoch
	serving                        // established
)

// leading is the state of the leader's role.
type leading struct {
	phase    leaderPhase
	sinceMS  int64 // when the phase began
	epoch    int64 // the new epoch; 0 while it is not known
	learners []*learner

	heard    servers // whose promised epochs are known
	promised servers // who has promised the new epoch, with a history not ahead of the leader's
	joined   servers // who has acknowledged NEWLEADER
	aheadMS  int64   // when a voter was refused because its history is ahead; 0 if none was
	away     servers // voters that have come to vote for another server, and are not connected
	awayMS   int64   // when the last of them did

	pingedMS, checkedMS int64
	reconfigAt          zk.Zxid // the proposal that sets lastSeen; 0 if none is in flight
	syncs               []syncWait
	handover            *handover
	confirms            confirms
	retiredMS           int64 // since when another server is designated to lead; 0 if none is
}

// open tells whether new proposals are accepted.
func (r *leading) open() bool { return r.phase == serving && r.handover == nil && r.retiredMS == 0 }

// servers is a set of server ids.
type servers []quorum.ServerID

func (s *servers) add(id quorum.ServerID) {
	if !slices.Contains(*s, id) {
		*s = append(*s, id)
	}
}

func (s servers) has(id quorum.ServerID) bool { return slices.Contains(s, id) }

// learnerPhase is how far a learner has come, in the eyes of its leader.
type learnerPhase uint8

const (
	greeted   learnerPhase = iota // it waits for LEADERINFO
	informed                      // LEADERINFO is sent, ACKEPOCH is awaited
	known                         // its history is known; it waits for the leader's epoch to be durable
	searching                     // the log on disk is searched for the end of its history
	queued                        // as many others as may be are being synchronised; it waits its turn
	syncing                       // everything up to NEWLEADER is sent; its acknowledgement is awaited
	synced                        // it has joined the epoch
)

// learner is a connected learner as the leader sees it.
type learner struct {
	link     LinkID
	server   quorum.ServerID
	observer bool
	phase    learnerPhase
	// cumulative tells that it takes one COMMIT for many proposals; commitDue is the one it has not been sent yet.
	cumulative bool
	commitDue  zk.Zxid
	last       zk.Zxid // the newest in its log when it came
	whole      bool    // it is synchronised by a snapshot
	upToDate   bool    // UPTODATE is sent

	acked zk.Zxid // its log is durable up to here
	given zk.Zxid // what was committed when it was sent NEWLEADER
	sent  zk.Zxid // the newest proposal it was sent
	// The oldest proposal sent since it has joined that it must still acknowledge, and since when; 0 if none.
	awaited   zk.Zxid
	awaitedMS int64

	pinged, answered uint64 // pings sent to it since UPTODATE, and answers

	heardMS    int64 // when something last came from it
	deadlineMS int64 // until when it counts as alive in the check of the quorum
}

// takes tells whether a learner is sent proposals and commits as they come.
func (l *learner) takes() bool { return l.phase >= syncing }

// becomeLeader begins discovery.
func (c *Core) becomeLeader(out *Actions) {
	r := &leading{sinceMS: c.nowMS, pingedMS: c.nowMS, checkedMS: c.nowMS}
	c.leading = r
	r.heard.add(c.self)
	c.promisedMax = max(c.promisedMax, c.acceptedEpoch)
	waiting := slices.Clone(c.waiting)
	c.waiting = slices.DeleteFunc(c.waiting, func(w waitingLink) bool { return w.hello != nil })
	for _, w := range waiting {
		if w.hello != nil && c.leading == r {
			c.greet(w.link, w.hello, out)
		}
	}
	if c.leading == r {
		c.discover(out)
	}
}

// awayGraceMS is how long a leader that waits for a quorum gives those that vote for another server to change their minds,
// in milliseconds.
const awayGraceMS = 400

// wentAway notes a voter that votes for a better server than this one, which has been elected without it. If so many do that
// the rest is no quorum, this leader waits in vain: it would be left out for as long as initLimit lasts.
func (c *Core) wentAway(from quorum.ServerID, n *election.Notification) {
	r, own := c.leading, c.election.Vote()
	v := &n.Vote
	if n.Role != Looking || v.Leader == c.self || v.Round < c.election.Round() || !c.votes(from) || !c.votes(v.Leader) {
		return
	}
	if cmp.Or(cmp.Compare(v.Epoch, own.Epoch), cmp.Compare(v.Zxid, own.Zxid), cmp.Compare(v.Leader, own.Leader)) > 0 {
		r.away.add(from)
		r.awayMS = c.nowMS
	}
}

// enterPhase notes when a phase begins.
func (c *Core) enterPhase(p leaderPhase) { c.leading.phase, c.leading.sinceMS = p, c.nowMS }

// learnerOn is the learner on a link; nil if there is none.
func (c *Core) learnerOn(link LinkID) *learner {
	for _, l := range c.learners() {
		if l.link == link {
			return l
		}
	}
	return nil
}

// learners are those that this server brings up to date: a leader's, or a follower's observers.
func (c *Core) learners() []*learner {
	switch {
	case c.leading != nil:
		return c.leading.learners
	case c.learning != nil:
		return c.learning.observers
	default:
		return nil
	}
}

// refuse closes a learner's connection and forgets it.
func (c *Core) refuse(l *learner, reason string, out *Actions) {
	out.Do = append(out.Do, Action{Kind: Drop, Link: l.link, Reason: reason})
	c.forget(l, out)
}

// forget removes a learner whose connection is over.
func (c *Core) forget(l *learner, out *Actions) {
	r := c.leading
	if r == nil {
		f := c.learning
		f.observers = slices.DeleteFunc(f.observers, func(o *learner) bool { return o == l })
		c.tellLeft(l, out)
		c.admit(out)
		return
	}
	if i := slices.Index(r.learners, l); i >= 0 {
		r.learners = slices.Delete(r.learners, i, i+1)
	}
	r.syncs = slices.DeleteFunc(r.syncs, func(s syncWait) bool { return s.link == l.link })
	c.tellLeft(l, out)
	c.admit(out)
}

// tellLeft tells the replica of a learner that is gone and may have been heard.
func (c *Core) tellLeft(l *learner, out *Actions) {
	if l.upToDate {
		out.Do = append(out.Do, Action{Kind: Left, Link: l.link, Server: l.server})
	}
}

// hear takes a message from a learner.
func (c *Core) hear(l *learner, m *Message, out *Actions) {
	l.heardMS = c.nowMS
	l.deadlineMS = max(l.deadlineMS, c.nowMS+c.cfg.syncMS())
	switch m.Kind {
	case MsgAckEpoch:
		if l.phase != informed {
			c.refuse(l, "ACKEPOCH out of place", out)
			return
		}
		c.ackEpoch(l, m, out)
	case MsgAck:
		c.acked(l, m.Zxid, out)
	case MsgPing, MsgRequest, MsgRevalidate:
		if l.upToDate {
			if m.Kind == MsgPing {
				l.answered++
				c.checkConfirms(out)
			}
			out.Do = append(out.Do, Action{Kind: Deliver, Link: l.link, Server: l.server, Message: m})
		}
	default:
		c.refuse(l, fmt.Sprintf("%v is not for a leader", m.Kind), out)
	}
}

// establish begins to serve: a quorum has joined the epoch with the leader's whole history.
//
// INVARIANT(one-leader-per-epoch): each of that quorum has promised this epoch to this leader alone.
func (c *Core) establish(out *Actions) {
	r := c.leading
	c.enterPhase(serving)
	if c.lastSeen != nil {
		c.takeConfig(c.lastSeen, out)
		c.tellElection(out)
	}
	c.elects(election.Event{Kind: election.SetEpoch, Epoch: r.epoch}, out)
	out.Do = append(out.Do, Action{Kind: Lead, Server: c.self, Epoch: r.epoch})
	r.checkedMS = c.nowMS
	for _, l := range r.learners {
		l.deadlineMS = max(l.deadlineMS, c.nowMS+c.cfg.syncMS())
		if l.phase == synced {
			c.bringUpToDate(l, out)
		}
	}
	if !c.ensemble.IsVoter(c.self) {
		c.retire(c.designate(c.committed), out)
	}
}

// bringUpToDate lets a learner serve that has joined the epoch.
func (c *Core) bringUpToDate(l *learner, out *Actions) {
	l.upToDate = true
	out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: &Message{Kind: MsgUpToDate, Zxid: NoZxid}})
}

// tickLeader watches the clock for a leader.
func (c *Core) tickLeader(out *Actions) {
	r := c.leading
	if r.phase != serving && c.nowMS-r.sinceMS > c.cfg.initMS() {
		c.lose("no quorum of followers in time", out)
		return
	}
	if r.phase != serving && len(r.away) > 0 && c.nowMS-r.awayMS > awayGraceMS && !c.met(func(id quorum.ServerID) bool { return !r.away.has(id) }) {
		c.lose("a quorum votes for another server", out)
		return
	}
	if r.phase == collecting && r.aheadMS != 0 && c.nowMS-r.aheadMS > c.cfg.TickMS {
		c.lose("a voter is ahead of this server and no quorum is without it", out)
		return
	}
	for _, l := range slices.Clone(r.learners) {
		c.checkLearner(l, out)
	}
	if c.nowMS-r.pingedMS >= c.cfg.TickMS/2 {
		r.pingedMS = c.nowMS
		c.ping(out)
	}
	if r.phase == serving && r.retiredMS == 0 && c.nowMS-r.checkedMS >= c.cfg.TickMS {
		r.checkedMS = c.nowMS
		if !c.met(func(id quorum.ServerID) bool { return id == c.self || c.alive(id) }) {
			c.lose("a quorum of followers was not heard of", out)
			return
		}
	}
	if r.phase == serving {
		c.checkConfirms(out) // a reconfiguration may have made the quorum smaller
	}
	c.progress(out)
}

// ping asks all learners that are synchronised, or about to be, for a sign of life.
func (c *Core) ping(out *Actions) { c.pingAll(c.leading.learners, out) }

func (c *Core) pingAll(learners []*learner, out *Actions) {
	var m *Message
	for _, l := range learners {
		if l.takes() {
			if m == nil {
				m = &Message{Kind: MsgPing, Zxid: max(c.logged, 0)}
			}
			if l.upToDate {
				l.pinged++
			}
			out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: m})
		}
	}
}

// checkLearner drops a learner that is silent, or does not acknowledge.
func (c *Core) checkLearner(l *learner, out *Actions) {
	limit := c.cfg.initMS()
	if l.upToDate { // before that ZooKeeper's learners do not answer pings
		limit = c.cfg.syncMS()
	}
	switch {
	case c.nowMS-l.heardMS > limit:
		c.refuse(l, "the learner is silent", out)
	case l.awaited != 0 && c.nowMS-l.awaitedMS > c.cfg.syncMS():
		c.refuse(l, "the learner does not acknowledge proposals", out)
	}
}

// alive tells whether a follower is connected and was heard of in time, or is still being synchronised in time.
func (c *Core) alive(id quorum.ServerID) bool {
	for _, l := range c.leading.learners {
		if l.server == id && !l.observer && c.nowMS <= l.deadlineMS {
			return true
		}
	}
	return false
}

// progress does what an acknowledgement or a commit may have made possible.
func (c *Core) progress(out *Actions) {
	if c.leading == nil || c.leading.phase != serving {
		return
	}
	c.advance(out)
	if c.leading != nil {
		c.handOver(out)
	}
}
