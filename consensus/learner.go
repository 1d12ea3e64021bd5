package consensus

import (
	"fmt"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// learningPhase is how far a follower or observer has come with its leader.
type learningPhase uint8

const (
	dialling   learningPhase = iota
	introduced               // FOLLOWERINFO or OBSERVERINFO is sent; LEADERINFO is awaited
	pledging                 // the epoch is being made durable
	pledged                  // ACKEPOCH is sent; how to synchronise is awaited
	catching                 // history is coming; NEWLEADER ends it
	storing                  // NEWLEADER has come; history and epoch are being made durable
	stored                   // its ACK is sent; UPTODATE is awaited
	learned                  // serving
)

// How often and how fast a leader is dialled that does not answer: it may have won a moment ago.
const (
	dialTries   = 5
	dialPauseMS = 100
)

// protocolCumulative is the protocol version by which a leader and a learner of this make know each other: one ACK and one
// COMMIT then stand for all proposals up to theirs. To ZooKeeper, which only compares with 0x10000, it is as good as that.
const protocolCumulative int32 = ProtocolVersion + 0x5044

// learning is the state of a follower or observer.
type learning struct {
	leader   quorum.ServerID
	named    bool // the leader was named by a reconfiguration, not elected
	observer bool
	// cumulative tells that the leader takes one ACK for many proposals, and sends one COMMIT for many.
	cumulative bool
	phase      learningPhase
	sinceMS    int64 // when the leader was decided on
	heardMS    int64 // when something last came from it
	link       LinkID
	ways       []way
	way        way // the one dialled last
	tries      int
	redialMS   int64 // when to dial again; 0 if a dial is under way

	epoch   int64
	vote    bool           // the promise of the epoch is new, and counts
	snapped zk.Zxid        // the snapshot that was taken; proposals up to it are in it already
	config  *quorum.Config // of NEWLEADER; in force with UPTODATE
	acked   zk.Zxid        // every proposal up to here needs no ACK, or has had it

	observers []*learner // that this follower serves
	pingedMS  int64      // when they were last pinged
}

// becomeLearner begins to follow or observe.
func (c *Core) becomeLearner(leader quorum.ServerID, out *Actions) {
	c.startLearning(leader, c.role == Observing, out)
}

// startLearning dials whoever is to teach this server.
func (c *Core) startLearning(leader quorum.ServerID, observer bool, out *Actions) {
	c.learning = &learning{leader: leader, observer: observer, sinceMS: c.nowMS, heardMS: c.nowMS, ways: c.waysTo(leader, observer)}
	c.dial(out)
}

// dial tries to connect to the leader, or to an observer master.
func (c *Core) dial(out *Actions) {
	f := c.learning
	f.way = f.ways[f.tries%len(f.ways)]
	f.tries++
	f.redialMS = 0
	out.Do = append(out.Do, Action{Kind: Dial, Server: f.way.server, Master: f.way.master})
}

// triesMax is how often the leader is dialled: every way at least once.
func (f *learning) triesMax() int { return max(dialTries, len(f.ways)) }

// retryAt has the leader dialled again later.
func (f *learning) retryAt(ms int64) { f.redialMS = ms }

// dialled takes a connection to the leader, and says who this server is.
func (c *Core) dialled(ev Event, out *Actions) {
	f := c.learning
	if f == nil || f.phase != dialling || f.way.server != ev.Server {
		out.Do = append(out.Do, Action{Kind: Drop, Link: ev.Link, Reason: "no longer needed"})
		return
	}
	f.link, f.phase, f.heardMS = ev.Link, introduced, c.nowMS
	kind := MsgFollowerInfo
	if f.observer {
		kind = MsgObserverInfo
	}
	c.tellLeader(&Message{Kind: kind, Zxid: zk.Zxid(c.acceptedEpoch << 32), Server: c.self, Protocol: c.protocol(true),
		ConfigVersion: c.ensemble.Version}, out)
}

// protocol is the version to tell another server.
func (c *Core) protocol(cumulative bool) int32 {
	if cumulative && !c.cfg.plain {
		return protocolCumulative
	}
	return ProtocolVersion
}

func (c *Core) tellLeader(m *Message, out *Actions) {
	out.Do = append(out.Do, Action{Kind: Send, Link: c.learning.link, Message: m})
}

// tickLearner watches the clock for a learner.
func (c *Core) tickLearner(out *Actions) {
	f := c.learning
	limit := c.cfg.initMS()
	if f.phase >= stored {
		limit = c.cfg.syncMS()
	}
	switch {
	case c.nowMS-f.heardMS > limit:
		c.lose("the leader is silent", out)
	case f.phase == learned:
		c.tickMaster(out)
	case f.phase != dialling || f.redialMS == 0:
	case f.tries >= f.triesMax():
		c.lose("the leader does not accept connections", out)
	case c.nowMS >= f.redialMS:
		c.dial(out)
	}
}

// learn takes a message from the leader.
func (c *Core) learn(m *Message, out *Actions) {
	f := c.learning
	switch {
	case f.phase == introduced && m.Kind == MsgLeaderInfo:
		f.cumulative = m.Protocol == protocolCumulative
		c.pledge(m.Zxid.Epoch(), out)
	case f.phase == pledged && (m.Kind == MsgDiff || m.Kind == MsgTrunc || m.Kind == MsgSnap):
		c.catchUp(m, out)
	case f.phase < catching:
		c.lose(fmt.Sprintf("the leader sent %v before its time", m.Kind), out)
	default:
		c.follow(m, out)
	}
}

// pledge promises the epoch of a leader, unless a later one is promised already.
func (c *Core) pledge(epoch int64, out *Actions) {
	f := c.learning
	if epoch < c.acceptedEpoch {
		c.lose("the leader's epoch is older than one that was promised", out)
		return
	}
	f.epoch, f.phase = epoch, pledging
	if f.vote = epoch > c.acceptedEpoch; f.vote {
		c.setAccepted(epoch, out)
		if c.cfg.bug != bugPromisesBeforeDurable {
			return
		}
	}
	c.sendPledge(out)
}

// sendPledge tells the leader what was promised and how far the history goes, once both are durable.
//
// INVARIANT(epoch-before-ack): ACKEPOCH follows the durable accepted epoch.
func (c *Core) sendPledge(out *Actions) {
	f := c.learning
	if (c.disk.accepted.pending() || c.disk.rewriting) && c.cfg.bug != bugPromisesBeforeDurable {
		return
	}
	f.phase = pledged
	epoch := NoEpoch
	zxid := c.newest()
	switch {
	case f.vote:
		epoch = c.currentEpoch
	case c.distrusted:
		zxid = NoZxid // the promise does not count, so that it may ask for everything
	}
	c.tellLeader(&Message{Kind: MsgAckEpoch, Zxid: zxid, Epoch: epoch}, out)
}

// learnerEpochDurable goes on when a promise of a learner is durable.
func (c *Core) learnerEpochDurable(kind EventKind, out *Actions) {
	switch f := c.learning; {
	case kind == AcceptedEpochDurable && f.phase == pledging:
		c.sendPledge(out)
	case kind == CurrentEpochDurable && f.phase == storing && !c.disk.held:
		c.ackNewLeader(out)
	}
}

// learnerRewritten goes on when log and tree are whole again; truncated tells that what came meanwhile has waited.
func (c *Core) learnerRewritten(truncated bool, out *Actions) {
	switch f := c.learning; {
	case f.phase == pledging:
		c.sendPledge(out)
	case f.phase == storing && truncated:
		c.setCurrent(f.epoch, out)
	case f.phase >= stored:
		c.ackDurable(out)
	}
}

// catchUp begins synchronisation.
func (c *Core) catchUp(m *Message, out *Actions) {
	f := c.learning
	if c.distrusted && m.Kind != MsgSnap {
		c.askAgain(out)
		return
	}
	f.phase = catching
	if c.cfg.bug == bugEpochBeforeHistory {
		c.setCurrent(f.epoch, out)
	}
	switch m.Kind {
	case MsgDiff:
		if c.logged > c.committed {
			c.commitTo(c.logged, out) // it is part of the leader's history
		}
	case MsgTrunc:
		c.truncate(m.Zxid, out)
	case MsgSnap:
		if m.Zxid < 0 || m.Zxid.Epoch() > f.epoch {
			c.lose(fmt.Sprintf("a snapshot of %v is not of this epoch", m.Zxid), out)
			return
		}
		f.snapped, c.distrusted = m.Zxid, false
		c.seeInTree(m.Config, out)
		c.logged, c.committed = m.Zxid, m.Zxid
		if c.cfg.bug != bugKeepsHistoryOverSnap {
			c.history.reset(m.Zxid)
		}
		c.disk.rewriting = true
		out.Do = append(out.Do, Action{Kind: Install, Zxid: m.Zxid})
	}
	if c.learning == f && c.dropUnlogged() {
		c.tellElection(out)
	}
}

// askAgain connects anew to a leader that did not send the snapshot this server needs. Its promise counted, so that it
// could not ask for one; the next, of the same epoch, does not, and can.
func (c *Core) askAgain(out *Actions) {
	f := c.learning
	if !f.vote {
		c.lose("asked for a snapshot and not given one", out)
		return
	}
	out.Do = append(out.Do, Action{Kind: Drop, Link: f.link, Reason: "a snapshot is needed"})
	c.startLearning(f.leader, f.observer, out)
}

// resync leaves the leader, to be given a snapshot by whoever leads next.
func (c *Core) resync(out *Actions) {
	if c.learning == nil {
		return
	}
	c.distrusted = true
	c.lose("the tree is not what the log makes of it", out)
}

// truncate drops the end of the log that is not in the leader's history. What is left of the log is. Commits wait until
// the tree is whole again.
func (c *Core) truncate(z zk.Zxid, out *Actions) {
	if z > c.logged || z <= 0 {
		c.lose(fmt.Sprintf("told to truncate to %v, which is not in the log", z), out)
		return
	}
	if c.cfg.bug != bugKeepsHistoryOverTrunc {
		c.history.truncate(z)
	}
	c.logged, c.committed = z, z
	c.disk.rewriting, c.disk.held, c.disk.cut = true, true, z
	out.Do = append(out.Do, Action{Kind: Truncate, Zxid: z})
}

// ackNewLeader tells the leader that this server has joined its epoch, and what else is durable.
//
// INVARIANT(newleader-after-history): the current epoch is durable, and so is, since it lies behind it on the disk, the
// whole history that the leader sent before NEWLEADER.
func (c *Core) ackNewLeader(out *Actions) {
	f := c.learning
	f.phase = stored
	c.tellLeader(&Message{Kind: MsgAck, Zxid: zk.Zxid(f.epoch << 32)}, out)
	f.acked = max(c.committed, zk.Zxid(f.epoch<<32))
	c.ackDurable(out)
}

// ackDurable acknowledges the proposals that are durable, in order: one by one, as ZooKeeper needs it, or at once.
func (c *Core) ackDurable(out *Actions) {
	f := c.learning
	if f.phase < stored || f.observer || c.durable.Epoch() != f.epoch {
		return
	}
	for f.acked < c.durable {
		if f.acked++; f.cumulative {
			f.acked = c.durable
		}
		c.tellLeader(&Message{Kind: MsgAck, Zxid: f.acked}, out)
	}
}

// inForce tells whether the configuration in NEWLEADER is decided: a leader of ZooKeeper sends one that is in flight, too.
func (c *Core) inForce(cfg *quorum.Config) bool {
	return cfg.Version.Counter() == 0 || cfg.Version <= c.committed || c.cfg.bug == bugJoinsWithProposedConfig
}

// serve begins to serve, once the leader says that the epoch is established.
func (c *Core) serve(out *Actions) {
	f := c.learning
	if f.config != nil && c.inForce(f.config) && c.activated(f.config, NoServer, out) {
		return
	}
	f.phase = learned
	kind := Follow
	if f.observer {
		kind = Observe
	}
	out.Do = append(out.Do, Action{Kind: kind, Server: f.leader, Link: f.link, Epoch: f.epoch})
	c.tellLeader(&Message{Kind: MsgAck, Zxid: zk.Zxid(f.epoch << 32)}, out)
	c.elects(election.Event{Kind: election.SetEpoch, Epoch: f.epoch}, out)
	c.takeObservers(out)
}
