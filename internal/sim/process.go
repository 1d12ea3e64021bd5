package sim

import (
	"fmt"
	"maps"
	"slices"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/datadir"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// process is one life of a member: the real parts, and the agenda's side of what server/driver does.
type process struct {
	e       *ensemble
	m       *member
	disk    *disk
	dir     *datadir.Dir
	log     *wal.Writer
	r       *replica.Replica
	boot    int
	startMS int64 // when its monotonic clock was 0

	// The role, as the replica has told it.
	serving, leading bool
	readOnly         bool
	epoch            int64
	logged           zk.Zxid // its log ends here, durable or not

	queue processQueue
	conns map[request.ClientID]*attach

	// The network.
	ends     map[consensus.LinkID]*linkEnd
	lastLink consensus.LinkID
	told     map[quorum.ServerID]*letterTo

	event   *replica.Event // being stepped
	failed  error
	watches watchRules
	feed    feedRules
	dead    bool
	plant   planted
}

var _ replica.Effects = (*process)(nil)

func (p *process) nowMS() int64  { return p.e.nowMS - p.startMS }
func (p *process) wallMS() int64 { return wallStart + p.e.nowMS + p.m.skewMS }

// start makes the first steps.
func (p *process) start(snapshot bool) {
	p.watches.restart(p.r.Tree().Zxid())
	p.r.Start(p)
	p.handOver()
	if snapshot && p.alive() {
		p.step(replica.Event{Kind: replica.SnapshotNow})
	}
	p.tickLater()
}

// alive tells whether the process runs.
func (p *process) alive() bool { return !p.dead && p.e.err == nil && p.m.p == p && p.failed == nil }

// in has the process do something after a while, if it still runs then.
func (p *process) in(ms int64, do func()) {
	p.e.in(ms, func() { p.post(do) })
}

// post has the process do something once it is not paused, if it still runs then.
func (p *process) post(do func()) { p.postFrom(false, do) }

// serve is post for what comes from a client.
func (p *process) serve(do func()) { p.postFrom(true, do) }

func (p *process) postFrom(client bool, do func()) {
	if p.dead {
		return
	}
	p.m.post(client, func() {
		if p.alive() {
			do()
		}
	})
}

func (p *process) tickLater() {
	p.in(p.e.between(20, 50), func() {
		p.tenure().ticking(p)
		p.step(replica.Event{Kind: replica.Tick})
		if p.alive() {
			p.tenure().ticked(p)
			p.tickLater()
		}
	})
}

func (p *process) tenure() *tenure { return &p.e.tenure }

// step gives the replica one event.
func (p *process) step(ev replica.Event) {
	if !p.alive() {
		return
	}
	ev.NowMS, ev.WallMS = p.nowMS(), p.wallMS()
	p.plantEvent(&ev)
	if ev.Kind != replica.Tick && !p.e.trace.off {
		p.m.note("<- %v", &ev)
	}
	p.event = &ev
	p.r.Step(&ev, p)
	p.event = nil
	p.releaseHeld()
	p.settle()
	p.handOver()
}

// consensus gives the replica an event that only consensus is told.
func (p *process) consensus(ev consensus.Event, t *tree.Tree) {
	p.step(replica.Event{Kind: replica.Consensus, Core: &ev, Tree: t})
}

// settle runs the checkers that look at a server between two steps.
func (p *process) settle() {
	p.noticeCommits()
	t := p.r.Tree()
	p.e.history.seen(p.m, t.Zxid(), t.Digest())
	if p.serving {
		p.watches.settle(t.Zxid())
	}
	if p.e.plan.readOnlyMS > 0 {
		p.checkReadOnly()
	}
}

// noticeCommits has the history judge what the process has applied.
func (p *process) noticeCommits() {
	if !p.serving {
		return
	}
	z := p.r.Tree().Zxid()
	if z.Counter() == 0 {
		return
	}
	if p.leading {
		p.e.history.decide(p, z)
		return
	}
	if z > p.e.model.last() {
		p.e.fail("commit-in-order: server %d serves at %v, and nothing behind %v was decided", p.m.id, z, p.e.model.last())
	}
}

// Append implements replica.Effects.
func (p *process) Append(z zk.Zxid, payload []byte) {
	if !p.e.trace.off {
		p.m.note("append %v (%d bytes)", z, len(payload))
	}
	p.logged = z
	p.e.history.logged(p, z, payload)
	p.queue.append(p, z, p.plantPayload(payload))
}

// Roll implements replica.Effects.
func (p *process) Roll() { p.queue.roll = true }

// Peer implements replica.Effects.
func (p *process) Peer(a *consensus.Action) {
	if a = p.plantAction(a); a == nil {
		return
	}
	if !p.e.trace.off && (a.Kind != consensus.Notify || !p.leading) {
		p.m.note("-> %v", a)
	}
	switch a.Kind {
	case consensus.SetAcceptedEpoch, consensus.SetCurrentEpoch:
		p.assign(diskTask{kind: a.Kind, epoch: a.Epoch})
	case consensus.FindInLog:
		p.findInLog(a.Link, a.Zxid)
	case consensus.Configured:
		p.m.config = a.Config
	case consensus.SeenConfig: // a file of it is written that nothing depends on
	case consensus.Send:
		p.e.history.sends(p, a)
		p.send(a.Link, packet{m: a.Message.Clone()})
	case consensus.SendLog:
		p.e.count("log sent")
		p.send(a.Link, packet{after: a.Zxid, to: a.To, isLog: true})
	case consensus.Drop:
		p.judgeReason(a.Reason)
		p.drop(a.Link)
	case consensus.Dial:
		if a.Master {
			p.e.count("observer master dialled")
		}
		p.dial(a.Server)
	case consensus.Notify:
		p.notify(a.Server, a.Notification)
	case consensus.ConnectAll:
		for _, s := range p.m.config.Servers {
			p.connect(s.ID)
		}
	default:
		p.e.fail("server %d is asked for %v", p.m.id, a)
	}
}

// SendSnap implements replica.Effects.
func (p *process) SendSnap(link consensus.LinkID, v *tree.View) {
	p.m.note("-> send-snap on %d at %v", link, v.Zxid())
	p.e.count("SNAP")
	z := v.Zxid()
	if p.e.has(exhibitSnapAhead) {
		z--
	}
	if !p.send(link, packet{m: &consensus.Message{Kind: consensus.MsgSnap, Zxid: z}, view: v}) {
		p.in(0, func() { p.step(replica.Event{Kind: replica.SnapSent, View: v}) })
	}
}

// Truncate implements replica.Effects.
func (p *process) Truncate(z zk.Zxid, reload bool) {
	if reload {
		p.feed.interrupt()
	}
	p.m.note("-> truncate to %v, reload=%t", z, reload)
	p.e.history.drops(p, z)
	p.logged = z
	p.assign(diskTask{kind: consensus.Truncate, zxid: z, reload: reload})
}

// Install implements replica.Effects.
func (p *process) Install(v *tree.View) {
	p.feed.interrupt()
	p.m.note("-> install %v", v.Zxid())
	p.e.history.drops(p, v.Zxid())
	p.logged = v.Zxid()
	p.assign(diskTask{kind: consensus.Install, zxid: v.Zxid(), view: v})
}

// Applied implements replica.Effects.
func (p *process) Applied(a *replica.Applied) {
	p.feed.applied(&p.e.stage, int(p.m.id), a, p.serving)
}

// Note implements replica.Effects.
func (p *process) Note(n replica.Note) {
	switch n.Kind {
	case replica.DigestMismatch:
		p.e.fail("equal digest: server %d has not what the leader's txn %v said it would", p.m.id, n.Zxid)
	case replica.OrphansFound:
		p.e.fail("close-removes-ephemerals: server %d has %d ephemerals of session %v, which does not exist", p.m.id, n.Count, n.Session)
	case replica.RoleTaken:
		p.m.note("%s in epoch %d, leader %d", n.Role, n.Zxid.Epoch(), n.Server)
		p.e.count(n.Role.String())
		p.serving, p.epoch = true, n.Zxid.Epoch()
		p.leading = n.Server == p.m.id
		p.e.history.serves(p, n.Server)
		p.watches.restart(p.r.Tree().Zxid())
	case replica.RoleLost:
		p.m.note("role lost: %s", n.Text)
		p.noticeCommits()
		p.judgeReason(n.Text)
		p.e.tenure.lost(p)
		p.serving, p.leading = false, false
	case replica.ReadOnlyBegun, replica.ReadOnlyEnded:
		p.readOnly = n.Kind == replica.ReadOnlyBegun
		p.m.note("read-only: %t", p.readOnly)
		p.e.count("read-only")
	default:
	}
}

// abandon ends every task where it is.
func (p *process) abandon() {
	p.dead = true
	p.disk.dead = true
	for _, t := range append([]*task{p.queue.sync, p.queue.prepare, p.queue.snapshot, p.queue.upkeep}, p.queue.upkeeps...) {
		if t != nil {
			t.stop()
		}
	}
}

// end is the end of a process that cannot go on.
func (p *process) end(err error) {
	p.failed = err
	p.m.note("ends: %v", err)
	p.e.count("ended by its disk")
	if p.m.hits == 0 {
		p.e.fail("server %d ends without a failing disk: %w\n%s", p.m.id, err, p.m.mem.Dump())
		return
	}
	if p.e.chance(2) {
		p.m.crashed = p.m.mem.CrashClone(p.e.rng.Uint64())
	}
	p.m.fault = nil
	p.m.die(err)
}

// attachments are the connections of clients, in order.
func (p *process) attachments() []*attach {
	ids := slices.Sorted(maps.Keys(p.conns))
	list := make([]*attach, len(ids))
	for i, id := range ids {
		list[i] = p.conns[id]
	}
	return list
}

// String is a one-line summary for traces.
func (p *process) String() string {
	return fmt.Sprintf("server %d: serving=%t leading=%t epoch=%d logged=%v tree=%v", p.m.id, p.serving, p.leading, p.epoch, p.logged, p.r.Tree().Zxid())
}
