package sim

import (
	"math/rand/v2"
	"slices"
	"strings"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/storage/tree"
)

// Settings that a few worlds have, drawn from a source of their own so that the others stay what they are.

// What EnsembleOptions.Always takes.
const (
	worldGroups    = "groups"
	worldLocal     = "local"
	worldReadOnly  = "readonly"
	worldReads     = "reads"
	worldTransfers = "transfers"
	worldReconfig  = "reconfig"
	worldMasters   = "masters"

	worldLocalMasters   = worldLocal + "," + worldMasters
	worldLocalTransfers = worldLocal + "," + worldTransfers
)

// groupings are ensembles whose quorums are majorities of groups.
var groupings = []struct{ members, text string }{
	{"vvvvv", "group.1=1:2:3\ngroup.2=4:5\n"},
	{"vvvvvv", "group.1=1:2\ngroup.2=3:4\ngroup.3=5:6\n"},
	{"vvv", "group.1=1:2:3\nweight.1=3\n"}, // the first alone is a quorum
	{"vvvv", "group.1=1:2:3:4\nweight.4=0\n"},
	{"vvvvv", "group.1=1:2:3:4\ngroup.2=5\nweight.2=2\nweight.5=0\n"},
	{"vvvvoo", "group.1=1:2\ngroup.2=3\ngroup.3=4\n"},
}

// extend draws these settings. always are those that the world has in any case, between commas.
func (p *ensemblePlan) extend(rng *rand.Rand, always string) {
	names := strings.Split(always, ",")
	has := func(world string) bool { return rng.IntN(10) == 0 || slices.Contains(names, world) }
	groups, local, readOnly := has(worldGroups), has(worldLocal), has(worldReadOnly)
	if groups {
		g := groupings[rng.IntN(len(groupings))]
		p.members, p.groups = g.members, g.text
		p.reconfig, p.wipes = false, false // ZooKeeper has no reconfiguration with groups; and one server may be a quorum
	}
	if local {
		p.local, p.upgrade = true, rng.IntN(3) > 0
	}
	if readOnly {
		p.readOnlyMS = int64(200 + rng.IntN(600))
	}
	if has(worldReads) {
		p.reads, p.pauses = true, true // a leader that was paused answers at once only if nothing is in flight
	}
	rare := rng.IntN(20)
	if rare == 0 || slices.Contains(names, worldTransfers) { // and sessions that do not outlast the wait
		p.transfers, p.everyMS, p.timeoutMS = true, 150, 1000
	}
	if (rare == 1 || slices.Contains(names, worldReconfig)) && p.groups == "" {
		p.sweeping, p.reconfig, p.reconfigIn, p.crashes = true, true, 12, true
		p.rollover, p.marker, p.wipes = 0, false, false
		p.members = []string{"vvoo", "vvvoo", "ovvo"}[rng.IntN(3)]
		p.historyTxns, p.findBytes, p.recentTxns = 1, 1, 3 // so that who comes back is sent a snapshot
	}
	if slices.Contains(names, worldMasters) && p.groups == "" { // others have them one time in five
		p.masters, p.stalls, p.members = true, true, "vvvoo"
		p.reconfig, p.reconfigIn = true, 15
		p.rollover, p.marker, p.wipes = 0, false, false
	}
}

// localHere tells whether a session may be one that only a server knows: the one that gave it its id.
func (e *ensemble) localHere(id quorum.ServerID, s zk.SessionID) bool {
	return e.plan.local && uint8(s>>56) == uint8(id)
}

// upgrading tells whether the leader of a server's epoch has proposed to make a local session a global one. It may say that there
// is such a session before that is decided, and end before its word arrives: if it is never decided, the session ends with the epoch.
func (t *tenure) upgrading(p *process, s zk.SessionID) bool {
	epoch, proposed := t.opening[s]
	return t.e.plan.local && proposed && epoch == p.epoch
}

// answeredHere judges the answer to a write that was never decided: those of local sessions that stay with their server.
func (h *history) answeredHere(p *process, c *userCall, r *zk.Reply) {
	e, s := h.e, c.a.session
	known := len(e.model.sessions[s]) > 0
	switch {
	case known || !e.localHere(p.m.id, s):
	case c.req.Op == zk.OpCloseSession && r.Err == zk.OK:
		e.count("local session closed")
		return
	case !e.plan.upgrade && c.req.Op.IsCreate() && c.req.Mode.IsEphemeral() && r.Err == zk.EphemeralOnLocalSession:
		e.count("ephemeral refused to a local session")
		return
	}
	e.fail("client %d: %v xid %d is answered and was never decided: %+v", c.u.n, r.Op, r.Xid, *r)
}

// noEphemeral is why a session can own none in the model; OK if it can.
func (d *draft) noEphemeral() zk.Code {
	switch {
	case !d.m.local || at(d.m.sessions[d.session], d.m.last()) != 0:
		return zk.OK
	case uint8(d.session>>56) == uint8(d.leader):
		return zk.EphemeralOnLocalSession
	default:
		return zk.SessionExpired
	}
}

// localExpired checks that a local session that ends has been silent for its timeout.
func (p *process) localExpired(a *attach) {
	e := p.e
	if a.left || a.session == e.tenure.asks || !e.localHere(p.m.id, a.session) || len(e.model.sessions[a.session]) > 0 {
		return
	}
	e.count("local session expired")
	for _, c := range a.u.contacts {
		if c.server == p.m && e.nowMS-c.atMS < int64(min(c.timeoutMS, a.timeout)) && c.boot == p.boot {
			e.fail("local session %v ends %d ms after its client was heard, its timeout is %d", a.session, e.nowMS-c.atMS, c.timeoutMS)
		}
	}
}

// replyReadOnly judges what a server without a quorum answers: nothing that changes anything, and reads of what it has. That may
// be old, or, after a restart, more than was ever decided.
func (p *process) replyReadOnly(a *attach, c *userCall, r *zk.Reply) {
	e, t := p.e, p.r.Tree()
	if a.left {
		return // the client is elsewhere by now, perhaps in another session
	}
	writes := c.req.Op.IsWrite() || c.req.Op == zk.OpSync
	switch {
	case c.req.Op == zk.OpCloseSession:
		if r.Err != zk.OK {
			e.fail("read-only: client %d cannot close its session: %v", a.u.n, r.Err)
		}
	case writes && r.Err != zk.NotReadOnly:
		e.fail("read-only: client %d is answered %v to %v by a server without a quorum", a.u.n, r.Err, c.req.Op)
	case writes:
		e.count("write refused by a read-only server")
	case r.Zxid != t.Zxid():
		e.fail("read-only: client %d is answered at %v by a server that is at %v", a.u.n, r.Zxid, t.Zxid())
	case e.decided(t):
		e.count("read of a read-only server")
		if c.req.Op != zk.OpSetWatches2 { // which says what has changed meanwhile
			e.read(&a.u.caller, &c.call, r)
		}
	}
	a.u.caughtUp = nil
}

// decided tells whether a tree is one that the history had.
func (e *ensemble) decided(t *tree.Tree) bool {
	return t.Zxid() <= e.model.last() && e.model.digestAt(t.Zxid()) == t.Digest()
}

// checkReadOnly checks that nobody is left who was told that the server is read-only once it is not.
func (p *process) checkReadOnly() {
	if p.readOnly {
		return
	}
	for id, a := range p.conns {
		if a.readOnly {
			p.e.fail("read-only: connection %d is still there, and server %d is read-only no more", id, p.m.id)
			return
		}
	}
}

// sentAway tells whether a server may close a connection for such a reason.
func (p *process) sentAway(a *attach, why request.CloseReason) bool {
	return why == request.CloseNotReadOnly && p.readOnly && !a.readsOnly
}
