package consensus

import (
	"fmt"

	"paddock/consensus/election"
	"paddock/internal/invariant"
	"paddock/internal/zk"
)

// Step takes one event and adds what follows from it to out.
func (c *Core) Step(ev Event, out *Actions) {
	if ev.NowMS > c.nowMS {
		c.nowMS = ev.NowMS
	}
	switch ev.Kind {
	case Propose:
		c.propose(ev.Zxid, ev.Payload, out)
	case Durable:
		c.logDurable(ev.Zxid, out)
	case Received:
		c.received(ev.Link, ev.Message, out)
	case Start:
		c.start(out)
	case Tick:
		c.tick(out)
	case AcceptedEpochDurable, CurrentEpochDurable:
		c.epochDurable(ev.Kind, out)
	case Truncated, Installed:
		c.rewritten(ev.Zxid, out)
	case Untruncated:
		c.untruncated(ev.Zxid, out)
	case SyncAsked:
		c.syncAsked(ev.Link, out)
	case ConfirmAsked:
		c.confirm(ev.Token, out)
	case Resync:
		c.resync(out)
	case TransferTo:
		c.transfer(ev.Server, ev.Payload)
		c.progress(out)
	default:
		c.stepLinks(ev, out)
	}
}

// stepLinks takes the events of connections.
func (c *Core) stepLinks(ev Event, out *Actions) {
	if c.alone {
		return
	}
	switch ev.Kind {
	case Notified:
		c.notified(ev.Server, ev.Notification, out)
	case PeerUp:
		c.elects(election.Event{Kind: election.PeerUp, From: ev.Server}, out)
	case PeerDown:
		c.elects(election.Event{Kind: election.PeerDown, From: ev.Server}, out)
	case LinkUp:
		c.linkUp(ev, out)
	case LinkDown:
		c.linkDown(ev, out)
	case LinkAlive:
		c.linkAlive(ev.Link)
	case LogFound:
		if l := c.learnerOn(ev.Link); l != nil && l.phase == searching {
			c.syncFromLog(l, ev.Zxid, ev.OK, out)
		}
	}
}

// start begins to look for a leader. A server on its own needs none.
func (c *Core) start(out *Actions) {
	if c.alone {
		out.Do = append(out.Do, Action{Kind: Lead, Server: c.self, Epoch: c.Epoch()})
		return
	}
	c.look(out)
}

// tick does what is due.
func (c *Core) tick(out *Actions) {
	if c.alone {
		return
	}
	c.elects(election.Event{Kind: election.Tick}, out)
	c.expireWaiting(out)
	switch {
	case c.leading != nil:
		c.tickLeader(out)
	case c.learning != nil:
		c.tickLearner(out)
	}
}

// propose takes the leader's next txn.
func (c *Core) propose(z zk.Zxid, payload []byte, out *Actions) {
	invariant.Check(c.CanPropose(), "only a leader that serves proposes", int64(z), int64(c.logged))
	invariant.Check(z == c.NextZxid(), "a proposal follows the one before it", int64(z), int64(c.logged))
	if c.alone {
		c.logged = z
		c.history.push(Entry{z, payload}, c.committed)
		out.Append = append(out.Append, Entry{z, payload})
		return
	}
	c.broadcast(Entry{z, payload}, out)
	c.progress(out)
}

// appendLog adds a txn to this server's log.
func (c *Core) appendLog(e Entry, out *Actions) {
	invariant.Check(follows(e.Zxid, c.logged), "history-contiguous", int64(e.Zxid), int64(c.logged))
	c.logged = e.Zxid
	if c.cfg.bug != bugHistoryWithHoles || c.learning == nil || c.learning.phase >= stored {
		c.history.push(e, min(c.committed, c.durable))
	}
	if c.disk.held {
		c.disk.behind = append(c.disk.behind, e)
		return
	}
	out.Append = append(out.Append, e)
}

// logDurable notes how far this server's log is durable. What it says of a part of the log that was cut off meanwhile
// is of no interest.
//
// INVARIANT(ack-after-durable): the leader counts itself, and a follower acknowledges, only what has been reported durable.
func (c *Core) logDurable(z zk.Zxid, out *Actions) {
	if c.disk.rewriting && c.cfg.bug != bugDurableOfWhatWasCut {
		return
	}
	invariant.Check(z <= c.logged, "only what was proposed can be durable", int64(z), int64(c.logged))
	if z <= c.durable {
		return
	}
	c.durable = z
	switch {
	case c.alone:
		c.committed, out.Commit = z, z
	case c.leading != nil:
		c.progress(out)
	case c.learning != nil:
		c.ackDurable(out)
	}
}

// disk is what was asked of the disk and has not been reported. Reports come in the order of the requests.
type disk struct {
	accepted, current requests
	rewriting         bool // a Truncate or Install; nothing else is begun before it has ended
	// held: it is a Truncate, which may turn out to be impossible. Commits wait for it, since the tree is being loaded, and so
	// does what is to be written.
	held   bool
	cut    zk.Zxid // where it ends the log
	behind []Entry // what is to be logged once it is done
}

// requests counts those of one kind.
type requests struct{ asked, done int }

// pending tells whether any is to be reported.
func (r requests) pending() bool { return r.done < r.asked }

// setAccepted promises an epoch.
func (c *Core) setAccepted(epoch int64, out *Actions) {
	invariant.Check(epoch > c.acceptedEpoch, "epochs-grow", epoch, c.acceptedEpoch)
	c.acceptedEpoch = epoch
	c.disk.accepted.asked++
	out.Do = append(out.Do, Action{Kind: SetAcceptedEpoch, Epoch: epoch})
}

// setCurrent joins an epoch. By the order of the disk all history so far is durable before it.
func (c *Core) setCurrent(epoch int64, out *Actions) {
	invariant.Check(epoch >= c.currentEpoch && epoch <= c.acceptedEpoch, "epochs-grow", epoch, c.currentEpoch, c.acceptedEpoch)
	c.currentEpoch = epoch
	c.disk.current.asked++
	out.Do = append(out.Do, Action{Kind: SetCurrentEpoch, Epoch: epoch})
}

// epochDurable goes on with what has waited for an epoch file.
//
// INVARIANT(epoch-before-ack): nothing that an epoch file promises is sent before the file is durable.
func (c *Core) epochDurable(kind EventKind, out *Actions) {
	r := &c.disk.accepted
	if kind == CurrentEpochDurable {
		r = &c.disk.current
	}
	invariant.Check(r.pending(), "an epoch is reported once", int64(r.asked), int64(r.done))
	if r.done++; r.pending() {
		return // an older one; what waits waits for the newest
	}
	switch {
	case c.leading != nil:
		c.leaderEpochDurable(kind, out)
	case c.learning != nil:
		c.learnerEpochDurable(kind, out)
	}
}

// commitTo notes that everything up to z is decided. While the tree is being loaded the caller is told later.
//
// INVARIANT(commit-in-order): commits only ever move forward, and never past the log.
func (c *Core) commitTo(z zk.Zxid, out *Actions) {
	invariant.Check(z >= c.committed && z <= max(c.logged, 0), "commit-in-order", int64(z), int64(c.committed), int64(c.logged))
	if c.committed = z; !c.disk.held {
		out.Commit = z
	}
}

// rewritten notes that log and tree are what a Truncate or Install made of them, up to z.
func (c *Core) rewritten(z zk.Zxid, out *Actions) {
	invariant.Check(c.disk.rewriting, "a rewrite is reported once", int64(z))
	held := c.disk.held
	c.disk.rewriting, c.disk.held = false, false
	c.durable = z
	if held {
		out.Append = append(out.Append, c.disk.behind...)
		c.disk.behind = nil
		c.commitTo(c.committed, out)
	}
	if c.learning != nil {
		c.learnerRewritten(held, out)
	}
}

// untruncated notes that the disk cannot go back to z: the snapshot that this server once took of a leader went further, and
// that leader's history has turned out not to be the one.
//
// INVARIANT(untruncated-stands-for-nothing): from here on the server says that it has no history, so that it helps nobody to
// lead, until it has taken a whole snapshot. What it has acknowledged stays on disk until then, with the epoch in which it did.
func (c *Core) untruncated(z zk.Zxid, out *Actions) {
	invariant.Check(c.disk.held, "a truncation is reported once", int64(z))
	c.disk.rewriting, c.disk.held, c.disk.behind = false, false, nil
	c.logged, c.durable, c.committed, c.distrusted = NoZxid, NoZxid, 0, true
	c.history.reset(0)
	if c.dropUnlogged() {
		c.tellElection(out)
	}
	c.lose(fmt.Sprintf("the history on disk does not go back to %v, a snapshot is needed", z), out)
}

// forgetBehind forgets what the leader that is left has sent behind a truncation that is still under way.
func (c *Core) forgetBehind() {
	if len(c.disk.behind) == 0 {
		return
	}
	z := c.disk.cut
	c.disk.behind = nil
	c.history.truncate(z)
	c.logged, c.committed = z, z
	c.dropUnlogged()
}
