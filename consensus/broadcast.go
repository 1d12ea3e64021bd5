package consensus

import (
	"fmt"

	"paddock/consensus/quorum"
	"paddock/internal/invariant"
	"paddock/internal/zk"
)

// broadcast appends a txn to the leader's log and proposes it to all followers, voting or not.
func (c *Core) broadcast(e Entry, out *Actions) {
	r := c.leading
	if cfg := c.configIn(e); cfg != nil {
		invariant.Check(r.reconfigAt == 0 && c.lastSeen == nil, "one reconfiguration at a time", int64(e.Zxid), int64(r.reconfigAt))
		r.reconfigAt = e.Zxid
		c.see(cfg, out)
	}
	c.appendLog(e, out)
	var m *Message
	for _, l := range r.learners {
		if l.observer || !l.takes() && (c.cfg.bug != bugLiveBeforeHistory || l.phase != searching) {
			continue
		}
		if c.withheld(l, e.Zxid) {
			continue
		}
		if m == nil {
			m = c.newMessage()
			m.Kind, m.Zxid, m.Payload = MsgProposal, e.Zxid, e.Payload
		}
		c.sendProposal(l, m, out)
	}
}

// messagesAtOnce is how many messages are made at a time.
const messagesAtOnce = 16

// newMessage is an empty message.
func (c *Core) newMessage() *Message {
	if len(c.messages) == 0 {
		c.messages = make([]Message, messagesAtOnce)
	}
	m := &c.messages[0]
	c.messages = c.messages[1:]
	return m
}

// sendProposal sends a proposal to a learner and notes that it must acknowledge it.
func (c *Core) sendProposal(l *learner, m *Message, out *Actions) {
	out.send(l.link, m)
	l.sent = m.Zxid
	if l.awaited == 0 && l.phase == synced {
		l.awaited, l.awaitedMS = m.Zxid, c.nowMS
	}
}

// withheld tells whether a learner is not sent a proposal yet, since it votes only once the reconfiguration before that
// is committed.
//
// Its log would reach further than those of the voters of today, and their next leader, which knows the reconfiguration,
// could not do without it; but a server that has no vote cannot lead. With a log that ends at the reconfiguration it is
// ahead of none whom it is needed by.
//
// ZooKeeper's leaders send everything, and such an ensemble waits for an operator.
func (c *Core) withheld(l *learner, z zk.Zxid) bool {
	if c.leading == nil {
		return false // a follower's learners have no vote
	}
	at := c.leading.reconfigAt
	return at != 0 && z > at && !c.ensemble.IsVoter(l.server) && c.lastSeen.IsVoter(l.server) && c.cfg.bug != bugNewcomersAhead
}

// sendWithheld sends the followers that vote from now on what they have not been sent behind a reconfiguration.
func (c *Core) sendWithheld(old *quorum.Config, at zk.Zxid, out *Actions) {
	for _, l := range c.leading.learners {
		if l.observer || !l.takes() || old.IsVoter(l.server) {
			continue
		}
		for _, e := range c.history.since(max(l.sent, at)) {
			c.sendProposal(l, &Message{Kind: MsgProposal, Zxid: e.Zxid, Payload: e.Payload}, out)
		}
	}
}

// acked notes that a learner's log is durable up to z, or, with counter 0, that it has joined the epoch.
//
// Followers before ZooKeeper 3.9.3 acknowledge what they were sent while they were synchronised too, the oldest of them
// perhaps before NEWLEADER; all acknowledge NEWLEADER a second time after UPTODATE.
func (c *Core) acked(l *learner, z zk.Zxid, out *Actions) {
	r := c.leading
	switch {
	case !l.takes():
		c.refuse(l, "ACK out of place", out)
	case z.Counter() == 0:
		if l.phase == syncing && z.Epoch() == r.epoch {
			c.joinedBy(l, out)
		}
	case z > l.sent:
		c.refuse(l, fmt.Sprintf("ACK of %v, which it was not sent", z), out)
	case l.observer || z <= l.acked:
	default:
		l.acked = z
		if l.awaited != 0 && z >= l.awaited {
			if l.awaited = 0; l.sent > z {
				l.awaited, l.awaitedMS = l.sent, c.nowMS
			}
		}
		c.progress(out)
	}
}

// joinedBy notes that a learner has joined the epoch: its history is the leader's, and durable.
func (c *Core) joinedBy(l *learner, out *Actions) {
	r := c.leading
	l.phase = synced
	defer c.admit(out)
	l.acked = max(l.acked, l.given)
	l.deadlineMS = max(l.deadlineMS, c.nowMS+c.cfg.syncMS())
	if r.phase == serving {
		c.bringUpToDate(l, out)
		c.progress(out)
		return
	}
	if c.votes(l.server) && !l.observer {
		r.joined.add(l.server)
	}
	c.join(out)
}

// ackedBy tells whether a server's log is known to be durable up to z.
func (c *Core) ackedBy(id quorum.ServerID, z zk.Zxid) bool {
	if id == c.self {
		return c.durable >= z || c.cfg.bug == bugCountsItselfAtOnce
	}
	for _, l := range c.leading.learners {
		if l.server == id && l.acked >= z && l.phase == synced && !l.observer {
			return true
		}
	}
	return false
}

// decided tells whether a proposal has its quorums: of the committed configuration, and, from a reconfiguration on, of
// the one it sets too.
func (c *Core) decided(z zk.Zxid) bool {
	has := func(id quorum.ServerID) bool { return c.ackedBy(id, z) }
	if r := c.leading; r.reconfigAt == 0 || z < r.reconfigAt || c.cfg.bug == bugOldQuorumAlone {
		return c.ensemble.Met(has)
	}
	return c.met(has)
}

// next is the zxid of the oldest proposal that is not committed.
func (c *Core) next() zk.Zxid {
	return max(c.committed, zk.Zxid(c.leading.epoch<<32)) + 1
}

// advance commits what has its quorum, in order.
func (c *Core) advance(out *Actions) {
	for c.leading.retiredMS == 0 {
		z := c.next()
		if z > c.logged || !c.decided(z) {
			break
		}
		c.commitNext(z, out)
	}
	c.flushCommits(out)
}

// flushCommits sends the commits that stand for all before them.
func (c *Core) flushCommits(out *Actions) {
	var m *Message
	for _, l := range c.leading.learners {
		if l.commitDue == 0 {
			continue
		}
		if m == nil || m.Zxid != l.commitDue {
			m = &Message{Kind: MsgCommit, Zxid: l.commitDue}
		}
		l.commitDue = 0
		out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: m})
	}
}

// commitNext commits one proposal and tells everybody.
func (c *Core) commitNext(z zk.Zxid, out *Actions) {
	r := c.leading
	e, ok := c.history.find(z)
	invariant.Check(ok, "what is not committed is in the history", int64(z), int64(c.logged))
	c.confirmSyncs(z, out)
	c.commitTo(z, out)
	if z == r.reconfigAt {
		c.activate(e, out)
		return
	}
	var commit, inform *Message
	for _, l := range r.learners {
		switch {
		case !l.takes():
			continue
		case l.observer:
			if inform == nil {
				inform = &Message{Kind: MsgInform, Zxid: z, Payload: e.Payload}
			}
			out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: inform})
			l.sent = z
		case l.cumulative:
			l.commitDue = z
		default:
			if commit == nil {
				commit = &Message{Kind: MsgCommit, Zxid: z}
			}
			out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: commit})
		}
	}
	c.answerSyncs(out)
}

// syncWait is a SYNC that goes out once until is committed and this server is known to have led when it was asked for.
type syncWait struct {
	until zk.Zxid
	link  LinkID
	round uint64 // of confirms
}

// syncAsked answers a SYNC once everything that is proposed now is committed, right behind the commit.
//
// INVARIANT(sync-is-confirmed): a sync is answered with what was acknowledged to anybody before it was asked for, since a
// quorum has told after that of no other leader. ZooKeeper's leaders ask nobody.
func (c *Core) syncAsked(link LinkID, out *Actions) {
	l := c.learnerOn(link)
	if l == nil || !l.upToDate {
		return
	}
	until := c.logged
	if c.cfg.bug == bugSyncAtOnce {
		until = c.committed
	}
	c.leading.syncs = append(c.leading.syncs, syncWait{until, link, c.wantConfirm()})
	c.checkConfirms(out)
}

// confirmSyncs answers, before the proposal z is committed, the syncs that were asked for before it was proposed: the quorum
// that has acknowledged z confirms them as well as answers to pings do. They may not come behind z, since the client that
// waits for a sync may wait for z behind it.
func (c *Core) confirmSyncs(z zk.Zxid, out *Actions) {
	for i := range c.leading.syncs {
		if s := &c.leading.syncs[i]; s.until < z {
			s.round = 0
		}
	}
	c.answerSyncs(out)
}

// answerSyncs answers those whose time has come.
func (c *Core) answerSyncs(out *Actions) {
	r := c.leading
	due := func(s syncWait) bool { return s.until <= c.committed && s.round <= r.confirms.done }
	n := 0
	if len(r.syncs) > 0 && due(r.syncs[0]) {
		c.flushCommits(out) // the answers come behind them
	}
	for n < len(r.syncs) && due(r.syncs[n]) {
		out.Do = append(out.Do, Action{Kind: Send, Link: r.syncs[n].link, Message: &Message{Kind: MsgSync}})
		n++
	}
	r.syncs = append(r.syncs[:0], r.syncs[n:]...)
}
