package consensus

import (
	"paddock/internal/zk"
)

// How many learners are synchronised at once unless the configuration says otherwise.
const (
	snapSyncsDefault = 10
	diffSyncsDefault = 100
)

// plan is how a learner is brought up to date: the kind of its first message, and up to where it then has the
// leader's history.
type plan struct {
	kind MessageKind // MsgDiff, MsgTrunc or MsgSnap; 0 if the log on disk must be asked
	from zk.Zxid
}

// synchronise sends a learner what it lacks of the leader's history, then NEWLEADER, then what is in flight. From here
// on it is sent all proposals and commits as they come.
//
// INVARIANT(sync-then-live): what is sent to a learner has no gap between the history it is given and what comes after.
func (c *Core) synchronise(l *learner, out *Actions) {
	p := c.planSync(l.last)
	if p.kind == 0 {
		l.phase = searching
		out.Do = append(out.Do, Action{Kind: FindInLog, Link: l.link, Zxid: l.last})
		return
	}
	c.sendHistory(l, p, p.from, out)
}

// planSync decides from memory how a learner whose log ends at last is brought up to date.
func (c *Core) planSync(last zk.Zxid) plan {
	switch {
	case last == c.committed && last >= 0:
		return plan{MsgDiff, last}
	case last <= 0:
		return plan{MsgSnap, 0}
	case last < c.history.after:
		return plan{}
	default:
		return meet(last, min(c.history.newest(last), c.committed), c.history.after)
	}
}

// meet decides for a learner whose log ends at last when newest is the newest txn of the leader's history that is not
// newer than that, and oldest is where the history begins that the leader can send.
//
// INVARIANT(trunc-same-epoch): a learner is told to truncate only within one epoch, and only to a txn of the leader's
// own history. Two logs that have txns of one epoch agree up to the older of these, as one leader made them; nothing
// is known of what an epoch that is not in the leader's history was built on.
func meet(last, newest, oldest zk.Zxid) plan {
	switch {
	case newest == last:
		return plan{MsgDiff, last}
	case last.Counter() == 0:
		// The learner has the whole history before this epoch and nothing of it.
		return plan{MsgDiff, newest}
	case newest.Epoch() == last.Epoch() && newest.Counter() != 0 && newest >= oldest:
		return plan{MsgTrunc, newest}
	default:
		return plan{MsgSnap, 0}
	}
}

// syncFromLog goes on when the log on disk was searched for the end of a learner's history.
func (c *Core) syncFromLog(l *learner, newest zk.Zxid, ok bool, out *Actions) {
	p := plan{MsgSnap, 0}
	if ok {
		p = meet(l.last, newest, newest)
	}
	c.sendHistory(l, p, c.history.after, out)
}

// sendHistory sends what p says: up to memory from the log on disk, from there on from memory.
func (c *Core) sendHistory(l *learner, p plan, memory zk.Zxid, out *Actions) {
	l.whole = p.kind == MsgSnap
	if !c.hasTurn(l) {
		l.phase = queued
		return
	}
	send := func(m *Message) { out.Do = append(out.Do, Action{Kind: Send, Link: l.link, Message: m}) }
	switch p.kind {
	case MsgSnap:
		out.Do = append(out.Do, Action{Kind: SendSnap, Link: l.link})
		memory = c.committed
	case MsgTrunc:
		send(&Message{Kind: MsgTrunc, Zxid: p.from})
	default:
		send(&Message{Kind: MsgDiff, Zxid: c.committed})
	}
	if p.kind != MsgSnap && p.from < memory {
		out.Do = append(out.Do, Action{Kind: SendLog, Link: l.link, Zxid: p.from, To: memory})
	}
	rest := c.history.since(max(memory, c.history.after))
	for ; len(rest) > 0 && rest[0].Zxid <= c.committed; rest = rest[1:] {
		send(&Message{Kind: MsgProposal, Zxid: rest[0].Zxid, Payload: rest[0].Payload})
		send(&Message{Kind: MsgCommit, Zxid: rest[0].Zxid})
	}
	send(&Message{Kind: MsgNewLeader, Zxid: zk.Zxid(c.currentEpoch << 32), Config: c.configToJoin()})
	l.sent, l.given, l.phase = c.logged, c.committed, syncing
	for _, e := range rest {
		switch {
		case c.withheld(l, e.Zxid):
			l.sent = min(l.sent, c.leading.reconfigAt)
		case !l.observer && c.cfg.bug != bugForgetsInFlight:
			send(&Message{Kind: MsgProposal, Zxid: e.Zxid, Payload: e.Payload})
		}
	}
}

// hasTurn tells whether a learner may be synchronised now.
//
// ZooKeeper compatibility: ZooKeeper closes the connection of who is beyond the bound, to be tried again; it too lets every voter in.
func (c *Core) hasTurn(l *learner) bool {
	if !l.observer {
		return true
	}
	busy, most := 0, c.cfg.DiffSyncsMax
	if l.whole {
		most = c.cfg.SnapSyncsMax
	}
	for _, o := range c.learners() {
		if o.phase == syncing && o.whole == l.whole {
			busy++
		}
	}
	return busy < most
}

// admit synchronises those whose turn has come. How is decided anew, as time has gone by. One that waits longer than initLimit gives up
// by itself, and comes again.
func (c *Core) admit(out *Actions) {
	for _, l := range c.learners() {
		if l.phase == queued && c.hasTurn(l) {
			c.synchronise(l, out)
		}
	}
}

// configToJoin is the text of the configuration that a learner takes into force with UPTODATE: until the leader is
// established the one that is so then.
//
// ZooKeeper sends the newest proposed one even while its txn is in flight, so that whoever joins meanwhile acts on a
// configuration that may never be decided, and spreads it. Here NEWLEADER has the committed one, and goes out before the
// proposals in flight, from which the learner knows the next.
func (c *Core) configToJoin() string {
	if c.lastSeen != nil && c.leading != nil && (c.leading.phase != serving || c.cfg.bug == bugJoinsWithProposedConfig) {
		return c.lastSeen.String()
	}
	return c.configText
}
