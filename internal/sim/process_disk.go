package sim

import (
	"context"
	"fmt"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// processQueue is what a process wants of its disk, as in server/driver: one queue for log and epochs, and snapshots and
// purges beside it.
type processQueue struct {
	pending []diskPart
	roll    bool
	sync    *task // the batch that is being done, until its report is delivered

	prepare  *task // zeros being written ahead
	snapshot *task
	upkeep   *task // a purge, one at a time
	upkeeps  []*task
	writing  bool  // a snapshot is being written, or must not be
	keeper   *task // has the data directory's snapshots to itself
}

// diskPart is a run of records that go into one file, or a task.
type diskPart struct {
	task        *diskTask
	roll        bool
	framed      []byte
	first, last zk.Zxid
}

// diskTask is one thing for the disk that is no record.
type diskTask struct {
	kind   consensus.ActionKind // SetAcceptedEpoch, SetCurrentEpoch, Truncate or Install
	epoch  int64
	zxid   zk.Zxid
	reload bool
	view   *tree.View
}

// waiting is the operation of a task that waits for another one.
var waiting = vfs.Op{Path: "waiting"}

func (q *processQueue) append(p *process, z zk.Zxid, payload []byte) {
	n := len(q.pending)
	if n == 0 || q.roll || q.pending[n-1].task != nil {
		q.pending = append(q.pending, diskPart{roll: q.roll, first: z})
		q.roll = false
		n = len(q.pending)
	}
	part := &q.pending[n-1]
	part.framed = p.log.Frame(part.framed, payload)
	part.last = z
}

// assign puts a task behind all that was appended.
func (p *process) assign(t diskTask) {
	p.queue.pending = append(p.queue.pending, diskPart{task: &t})
}

// handOver gives the disk what has gathered, unless it is at work.
func (p *process) handOver() {
	q := &p.queue
	if q.sync != nil || len(q.pending) == 0 || !p.alive() {
		return
	}
	batch := q.pending
	q.pending = nil
	var events []replica.Event
	q.sync = newTask(taskSync, func() (err error) {
		events, err = p.syncBatch(batch)
		return err
	})
	p.run(q.sync, func() {
		if q.sync.err != nil {
			p.end(q.sync.err)
			return
		}
		p.in(p.e.between(0, 2), func() {
			q.sync = nil
			for i := range events {
				if !p.alive() {
					return
				}
				p.reported(&events[i])
				p.step(events[i])
			}
			p.handOver()
		})
	})
	if p.prepareDue() {
		p.runPrepare()
	}
}

// reported notes what the replica is about to be told of its disk.
func (p *process) reported(ev *replica.Event) {
	pr := &p.m.promises
	switch {
	case ev.Kind == replica.Durable && pr.rewriting:
	case ev.Kind == replica.Durable:
		pr.onDisk = max(pr.onDisk, ev.Zxid)
	case ev.Core.Kind == consensus.AcceptedEpochDurable:
		pr.accepted = ev.Core.Epoch
	case ev.Core.Kind == consensus.CurrentEpochDurable:
		pr.current = ev.Core.Epoch
	default:
		pr.onDisk, pr.rewriting = ev.Core.Zxid, false
	}
}

// run lets a task go on, step by step, to its end.
func (p *process) run(t *task, ended func()) {
	delay := p.m.slowMS * p.e.rng.Int64N(2)
	if p.e.chance(4) {
		delay += p.e.between(1, 3)
	}
	p.in(delay, func() {
		if t.ended {
			return
		}
		if !p.held(t) {
			p.disk.run(t)
		}
		switch {
		case p.disk.dead:
			p.m.die(errDead)
		case t.ended:
			ended()
		default:
			p.run(t, ended)
		}
	})
}

// held tells whether a task must wait. The syncer may have to for the zeros, whose writer is not interrupted then.
func (p *process) held(t *task) bool {
	q := &p.queue
	switch {
	case t == q.prepare:
		return false
	case t != q.sync && q.keeper == nil:
		q.keeper = t
		return false
	case t != q.sync:
		return q.keeper != t
	case t.at == waiting && (q.writing || q.keeper != nil):
		return true
	case q.prepare != nil && (t.at == waiting || p.filling()):
		p.stepPrepare()
		return true
	}
	return false
}

// filling tells whether zeros are being written where the syncer might have to wait for it.
func (p *process) filling() bool {
	at := p.queue.prepare.at
	return at.Path != "" && kindOf(at.Path) == "log" && at.Kind == vfs.KindWrite
}

func (p *process) prepareDue() bool {
	return p.e.plan.prepareBytes > 0 && p.queue.prepare == nil && p.e.chance(3)
}

// runPrepare begins to write zeros ahead.
func (p *process) runPrepare() {
	log := p.log
	p.queue.prepare = newTask(taskPrepare, func() error {
		_, err := log.Prepare()
		return err
	})
	p.prepareLater()
}

func (p *process) prepareLater() {
	p.in(p.e.between(0, 4), func() {
		if p.queue.prepare != nil {
			p.stepPrepare()
			p.prepareLater()
		}
	})
}

func (p *process) stepPrepare() {
	t := p.queue.prepare
	p.disk.run(t)
	if t.ended {
		p.queue.prepare = nil
	}
	if p.disk.dead && p.m.p == p {
		p.m.die(errDead)
	}
}

// wait lets the running task wait while others are at work.
func (p *process) wait() { p.queue.sync.yield(waiting) }

// syncBatch writes and fsyncs what a batch holds, in its order. events is what the replica is told once it is durable.
func (p *process) syncBatch(batch []diskPart) (events []replica.Event, err error) {
	var written zk.Zxid
	sync := func() error {
		if written == 0 {
			return nil
		}
		events = append(events, replica.Event{Kind: replica.Durable, Zxid: written})
		written = 0
		return p.plantSync()
	}
	for i := range batch {
		part := &batch[i]
		if part.task != nil {
			if err := sync(); err != nil {
				return nil, err
			}
			ev, err := p.do(part.task)
			if err != nil {
				return nil, err
			}
			events = append(events, ev)
			continue
		}
		if part.roll {
			if err := p.log.Roll(); err != nil {
				return nil, err
			}
		}
		if err := p.log.Write(part.framed, part.first, part.last); err != nil {
			return nil, fmt.Errorf("transaction log: %w", err)
		}
		written = part.last
	}
	if err := sync(); err != nil {
		return nil, fmt.Errorf("transaction log: %w", err)
	}
	return events, nil
}

// do carries out a task and returns what the replica is told of it.
func (p *process) do(t *diskTask) (ev replica.Event, err error) {
	ev = replica.Event{Kind: replica.Consensus, View: t.view, Core: &consensus.Event{Epoch: t.epoch, Zxid: t.zxid}}
	if t.kind == consensus.Truncate || t.kind == consensus.Install {
		q := &p.queue
		for q.writing || q.keeper != nil || q.prepare != nil {
			if p.wait(); p.disk.dead {
				return ev, errDead
			}
		}
		q.writing, q.keeper = true, q.sync
		defer func() { q.writing, q.keeper = false, nil }()
	}
	switch t.kind {
	case consensus.SetAcceptedEpoch:
		ev.Core.Kind = consensus.AcceptedEpochDurable
		if !p.e.has(exhibitEpochNotWritten) {
			err = p.dir.SetAcceptedEpoch(t.epoch)
		}
	case consensus.SetCurrentEpoch:
		ev.Core.Kind = consensus.CurrentEpochDurable
		if !p.e.has(exhibitCurrentEpochNotWritten) {
			err = p.dir.SetCurrentEpoch(t.epoch)
		}
	case consensus.Truncate:
		var ok bool
		ev.Core.Kind = consensus.Truncated
		if ev.Tree, ok, err = p.truncate(t.zxid, t.reload); !ok {
			ev.Core.Kind = consensus.Untruncated
		}
	case consensus.Install:
		ev.Core.Kind = consensus.Installed
		err = p.install(t.view)
	}
	return ev, err
}

// truncate is what the server's disk does on Truncate.
func (p *process) truncate(z zk.Zxid, reload bool) (*tree.Tree, bool, error) {
	if err := p.log.Close(); err != nil {
		return nil, false, err
	}
	p.e.count("truncated")
	if reload {
		p.e.count("truncated and reloaded")
	}
	rec, err := p.plantTruncate(z, reload)
	if err != nil {
		return nil, false, fmt.Errorf("truncate: %w", err)
	}
	p.openLog(z)
	if rec.Untruncated != nil {
		p.e.count("not truncated")
	}
	return rec.Tree, rec.Untruncated == nil, nil
}

// install is what the server's disk does on Install.
func (p *process) install(v *tree.View) error {
	if err := p.log.Close(); err != nil {
		return err
	}
	p.e.count("installed")
	if err := p.plantInstall(v); err != nil {
		return err
	}
	p.openLog(v.Zxid())
	return nil
}

// openLog begins a log that goes on after z.
func (p *process) openLog(z zk.Zxid) { p.log = p.dir.Log(z) }

// Snapshot implements replica.Effects.
func (p *process) Snapshot(v *tree.View) {
	q := &p.queue
	if q.writing { // the disk is being given another history
		p.in(0, func() { p.step(replica.Event{Kind: replica.SnapshotDone, View: v}) })
		return
	}
	q.writing = true
	p.m.note("snapshot at %v", v.Zxid())
	t := newTask(taskSnapshot, func() error {
		_, err := p.dir.WriteSnapshot(background, v, snapshot.WriteOptions{})
		return err
	})
	q.snapshot = t
	p.run(t, func() {
		q.writing = false
		p.upkeepEnded(t)
		q.snapshot = nil
		p.in(p.e.between(0, 2), func() { p.step(replica.Event{Kind: replica.SnapshotDone, View: v}) })
		if p.e.chance(2) {
			p.purge()
		}
	})
}

// purge has old snapshots and logs deleted.
func (p *process) purge() {
	q := &p.queue
	q.upkeeps = append(q.upkeeps, newTask(taskPurge, func() error {
		_, err := p.dir.Purge(retained, 0)
		return err
	}))
	p.nextUpkeep()
}

func (p *process) nextUpkeep() {
	q := &p.queue
	if q.upkeep != nil || len(q.upkeeps) == 0 {
		return
	}
	t := q.upkeeps[0]
	q.upkeep, q.upkeeps = t, q.upkeeps[1:]
	p.run(t, func() {
		p.upkeepEnded(t)
		q.upkeep = nil
		p.nextUpkeep()
	})
}

// upkeepEnded checks that a snapshot or a purge fails only if the disk does.
func (p *process) upkeepEnded(t *task) {
	p.queue.keeper = nil
	p.m.note("%s done: %v", t.name, t.err)
	if t.err != nil && p.m.hits == 0 {
		p.e.fail("server %d: %s: %w", p.m.id, t.name, t.err)
	}
}

// findInLog answers consensus.FindInLog, as the server does: in a goroutine of its own.
func (p *process) findInLog(link consensus.LinkID, z zk.Zxid) {
	oldest := p.r.Oldest()
	p.in(p.e.between(0, 5), func() {
		span, ok, err := wal.Find(p.disk, p.dir.LogPath(), z, oldest, p.e.plan.findBytes)
		if err != nil {
			p.m.note("find in log: %v", err)
			ok = false
		}
		p.consensus(consensus.Event{Kind: consensus.LogFound, Link: link, Zxid: span.After, OK: ok && err == nil}, nil)
	})
}

var background = context.Background()
