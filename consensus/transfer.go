package consensus

import (
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// handover is leadership on its way to another server.
//
// The leader stops proposing and waits until everything is committed and the target has it. Then it proposes one txn
// without effect to the target alone, and steps down once the target has it durably. The target's history is then
// newer than anybody's, so that every voter, of whatever make, elects it; the old leader votes for it at once, whenever it comes
// to look for a leader itself. The txn becomes part of its initial history.
// The leader itself does not log the txn: should the target be lost, the others elect one another and nobody misses it.
type handover struct {
	target  quorum.ServerID
	payload []byte
	sinceMS int64
	sent    zk.Zxid // the txn that only the target has; 0 before it is sent
}

// transfer begins to hand leadership over; 0 leaves the choice to the leader.
func (c *Core) transfer(target quorum.ServerID, payload []byte) {
	if c.leading == nil || !c.leading.open() {
		return
	}
	if target == 0 {
		reach := zk.Zxid(-1)
		for _, l := range c.leading.learners {
			if l.phase == synced && !l.observer && c.ensemble.IsVoter(l.server) && c.ensemble.Weight(l.server) > 0 && l.acked >= reach {
				target, reach = l.server, l.acked
			}
		}
	}
	if target == c.self || !c.ensemble.IsVoter(target) || c.learnerOf(target) == nil {
		return
	}
	c.leading.handover = &handover{target: target, payload: payload, sinceMS: c.nowMS}
}

// Transferring tells whether leadership is being handed over.
func (c *Core) Transferring() bool { return c.leading != nil && c.leading.handover != nil }

// handOver goes on with what ends this server's leadership in good order: a transfer, an epoch that is out of zxids, or
// a configuration in which another leads.
func (c *Core) handOver(out *Actions) {
	r := c.leading
	switch {
	case r.retiredMS != 0:
		if len(r.learners) == 0 || c.nowMS-r.retiredMS > c.cfg.TickMS {
			c.lose("another server is designated to lead", out)
		}
	case r.handover != nil:
		c.stepHandover(r.handover, out)
	case c.NextZxid().Counter() >= c.cfg.RolloverAt && c.committed == c.logged:
		c.lose("the epoch is out of zxids", out)
	}
}

// stepHandover does the next step of a transfer.
func (c *Core) stepHandover(h *handover, out *Actions) {
	l := c.learnerOf(h.target)
	late := c.nowMS-h.sinceMS > c.cfg.syncMS()
	switch {
	case h.sent != 0 && late && c.cfg.bug == bugResumesAfterHandover:
		c.leading.handover = nil
	case h.sent != 0:
		// The zxid is used: nothing else may be proposed in this epoch.
		var heir *election.Vote
		if l != nil && l.acked >= h.sent {
			heir = &election.Vote{Leader: h.target, Zxid: h.sent, Epoch: c.currentEpoch}
		}
		if heir != nil || l == nil || late {
			c.leave("leadership is handed over", out)
			c.lookFor(heir, out)
		}
	case l == nil || late:
		c.leading.handover = nil
	case c.committed == c.logged && l.phase == synced && l.upToDate && l.awaited == 0:
		h.sent = c.NextZxid()
		c.sendProposal(l, &Message{Kind: MsgProposal, Zxid: h.sent, Payload: h.payload}, out)
	}
}
