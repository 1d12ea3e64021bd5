package sim

import (
	"errors"
	"fmt"
	"slices"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/prep"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// member is one server of an ensemble with its disk, through all its processes.
type member struct {
	e     *ensemble
	id    quorum.ServerID
	mem   *vfs.Mem
	p     *process // nil while none runs
	boots int
	ended error // why the last process ended

	config *quorum.Config // as in its configuration file

	// What is wrong with it.
	crashAt int // the power goes at this change of the file system, counted from now on; 0 for never
	killed  bool
	fault   *fault
	hits    int   // operations that the disk has refused in this process
	slowMS  int64 // extra time for every change of the file system
	paused  bool
	box     []boxed // what has come meanwhile
	skewMS  int64   // of the wall clock

	crashed *vfs.Mem // what the power loss that is happening leaves
	running *disk

	promises promises
	replaced promises // of the disk before this one
}

func newMember(e *ensemble, id quorum.ServerID, cfg *quorum.Config) *member {
	m := &member{e: e, id: id, mem: vfs.NewMem(), config: cfg, skewMS: e.rng.Int64N(2000)}
	if e.plan.marker {
		if err := vfs.MkdirAll(m.mem, e.plan.logDir); err != nil {
			e.fail("%v", err)
		}
		if err := vfs.WriteFileAtomic(m.mem, e.plan.logDir+"/initialize", nil); err != nil {
			e.fail("%v", err)
		}
	}
	return m
}

func (m *member) note(format string, args ...any) {
	if m.e.trace.off {
		return
	}
	m.e.trace.add("%d server %d: %s", m.e.nowMS, m.id, fmt.Sprintf(format, args...))
}

// boxed is something that waits until a server goes on.
type boxed struct {
	client bool // it comes from a client
	do     func()
}

// post has something done by the server, once it is not paused.
func (m *member) post(client bool, do func()) {
	if m.paused {
		m.box = append(m.box, boxed{client, do})
		return
	}
	do()
}

// pause stops the whole process for a while, as SIGSTOP or a busy machine does.
func (m *member) pause(ms int64) {
	if m.paused {
		return
	}
	m.note("paused for %d ms", ms)
	m.paused = true
	m.e.count("paused")
	m.e.in(ms, m.resume)
}

func (m *member) resume() {
	if !m.paused {
		return
	}
	m.note("goes on")
	m.paused = false
	if len(m.box) > 0 && m.e.chance(2) { // it may look at any connection first
		clients, others := slices.Clone(m.box), m.box
		clients = slices.DeleteFunc(clients, func(b boxed) bool { return !b.client })
		others = slices.DeleteFunc(others, func(b boxed) bool { return b.client })
		m.box = append(clients, others...)
	}
	for len(m.box) > 0 && !m.paused {
		b := m.box[0]
		m.box = m.box[1:]
		b.do()
	}
}

// start starts a process, unless one runs.
func (m *member) start() {
	e := m.e
	if m.p != nil || e.err != nil {
		return
	}
	m.boots++
	m.hits, m.crashed, m.paused, m.box = 0, nil, false, nil
	m.mem.SetHook(m.onChange)
	m.running = &disk{FS: m.stack()}
	err := m.boot(m.running)
	switch {
	case e.err != nil:
	case m.running.dead:
		m.note("crashed while starting")
		e.count("crash while starting")
		m.die(errDead)
	case err != nil:
		m.note("does not start: %v", err)
		if m.hits == 0 {
			e.fail("always starts: server %d: %w\n%s", m.id, err, m.mem.Dump())
			return
		}
		m.fault = nil
		m.die(err)
	}
}

// stack is the file system under a process.
func (m *member) stack() vfs.FS {
	seen := 0
	return m.plantFS(vfs.NewFaulty(m.mem, func(op vfs.Op) *vfs.Fault {
		f := m.fault
		if f == nil || op.Kind != f.kind || f.file != "" && kindOf(op.Path) != f.file {
			return nil
		}
		if seen++; seen < f.n || seen > f.n && !f.forever {
			return nil
		}
		m.hits++
		m.note("the disk fails: %v: %v", op, f.err)
		m.e.count("disk failure")
		return &vfs.Fault{Err: f.err, Short: op.Len / 2}
	}))
}

// onChange is called before every change of the file system.
func (m *member) onChange(_ int, op vfs.Op) {
	if m.running.dead || m.crashAt == 0 {
		return
	}
	if m.crashAt--; m.crashAt == 0 {
		m.note("crash before %v", op)
		m.e.count("crash at " + op.Kind.String() + " of " + kindOf(op.Path))
		if !m.killed {
			m.crashed = m.mem.CrashClone(m.e.rng.Uint64())
		}
		m.running.dead = true
	}
}

// crash ends the process at once: the power goes, or it is only killed.
func (m *member) crash(killed bool) {
	if m.p == nil {
		return
	}
	if m.note("crash, killed=%t", killed); !killed {
		m.crashed = m.mem.CrashClone(m.e.rng.Uint64())
	}
	m.e.count("crash")
	m.running.dead = true
	m.die(errDead)
}

// die brings the end of a process about, and the next start. Its disk is dead, or it has ended by itself.
func (m *member) die(why error) {
	e := m.e
	m.running.dead, m.ended = true, why
	if p := m.p; p != nil {
		m.p = nil
		p.abandon()
		p.leaveNetwork()
		e.tenure.lost(p)
		for _, a := range p.attachments() {
			a.lost("its server is gone")
		}
	}
	m.mem.SetHook(nil)
	if m.crashed != nil {
		m.mem, m.crashed = m.crashed, nil
	}
	m.mem.ReleaseLocks()
	m.crashAt, m.paused, m.box = 0, false, nil
	delay := e.between(5, 1500)
	if !e.faults {
		delay = e.between(5, 100)
	}
	e.in(delay, m.start)
}

func (m *member) dirOptions(d *disk) datadir.Options {
	return datadir.Options{FS: d, Dir: "data", LogDir: m.e.plan.logDir, NoNewDatabase: m.e.plan.marker, PrepareBytes: m.e.plan.prepareBytes, PID: 1}
}

// boot recovers what the disk has and starts the server with it.
func (m *member) boot(d *disk) error {
	e := m.e
	dir, err := datadir.Open(m.dirOptions(d))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	rec, err := m.recover(dir)
	if err != nil {
		return errors.Join(fmt.Errorf("recover: %w", err), dir.Close())
	}
	if d.dead {
		return errDead
	}
	m.note("recovered to %v, epochs %+v, digest %x, snapshot %v, %d records, torn %d", rec.LastZxid(), rec.Epochs, rec.Tree.Digest(), rec.Snapshot.Zxid, rec.Log.Records, len(rec.Log.Torn))
	m.promises.recovered(m, rec)
	p := &process{
		e: e, m: m, disk: d, dir: dir, boot: m.boots, conns: map[request.ClientID]*attach{},
		ends: map[consensus.LinkID]*linkEnd{}, told: map[quorum.ServerID]*letterTo{}, logged: rec.Tree.Zxid(), startMS: e.nowMS - e.between(0, 1_000_000),
	}
	p.watches.st = &e.stage
	p.openLog(rec.Tree.Zxid())
	cfg, err := m.replicaConfig(rec)
	if err != nil {
		return err
	}
	if p.r, err = replica.New(cfg, rec.Tree, p.nowMS(), p.wallMS()); err != nil {
		return fmt.Errorf("server %d: %w", m.id, err)
	}
	m.p = p
	e.count("start")
	p.start(rec.Log.Records > 0)
	return nil
}

func (m *member) replicaConfig(rec *datadir.Recovered) (replica.Config, error) {
	e := m.e
	a, err := auth.New(auth.Config{SkipACL: e.plan.reconfig}) // so that every client may change the configuration
	var proposed *quorum.Config
	if e.plan.reconfig {
		proposed = replica.ProposedConfig(rec.Tree, m.config)
	}
	core := consensus.Config{
		Ensemble: m.config, LastSeen: proposed, Distributed: true, LastZxid: rec.LastZxid(), AcceptedEpoch: rec.Epochs.Accepted, CurrentEpoch: rec.Epochs.Current,
		HistoryTxns: e.plan.historyTxns, HistoryBytes: e.plan.historyBytes, TickMS: memberTickMS, InitLimit: initLimit, SyncLimit: syncLimit,
		ElectionIntervalMinMS: electionMinMS, ElectionIntervalMaxMS: electionMaxMS, RolloverAt: e.plan.rollover,
		Reconfig: e.plan.reconfig, ConfigIn: configIn, ObserverMasters: e.plan.masters,
	}
	for _, r := range rec.Recent {
		core.Recent = append(core.Recent, consensus.Entry{Zxid: r.Zxid, Payload: r.Payload})
	}
	cfg := replica.Config{
		ServerID: m.id, Core: &core, Auth: a, Prep: prep.Config{ExtendedTypes: true, Reconfig: e.plan.reconfig, StandaloneEnabled: true}, TickMS: memberTickMS, MinSessionMS: minSessionMS,
		MaxSessionMS: maxSessionMS, SnapshotTxns: e.plan.snapshotTxns, LogFileBytes: e.plan.logFileBytes, Seed: e.rng.Uint64(),
		LocalSessions: e.plan.local, UpgradeSessions: e.plan.upgrade, ReadOnlyAfterMS: e.plan.readOnlyMS,
		ContainerCheckMS: containerEvery, ContainerNeverUsedMS: neverUsedMS, ContainerPerMinute: 1 << 20,
	}
	m.plantConfig(&cfg)
	return cfg, err
}

// promises are what a member's disk was reported to hold, and must hold from then on.
type promises struct {
	onDisk            zk.Zxid // all history up to here
	rewriting         bool    // a truncation or installation waits for the disk: what is reported until then it may take away
	accepted, current int64
}

// durably tells whether a server has z on its disk, or had it on the one that was replaced.
func (e *ensemble) durably(id quorum.ServerID, z zk.Zxid) bool {
	m := e.member(id)
	return m.promises.onDisk >= z || m.replaced.onDisk >= z
}

// recovered checks ack-after-durable and epochs-grow where a process starts: what was reported durable is there.
func (pr *promises) recovered(m *member, rec *datadir.Recovered) {
	e, z := m.e, rec.LastZxid()
	switch {
	case rec.Epochs.Accepted < pr.accepted || rec.Epochs.Current < pr.current:
		e.fail("epochs-grow: server %d comes back with epochs %+v and had %d and %d", m.id, rec.Epochs, pr.accepted, pr.current)
	case max(z, 0) < pr.onDisk && pr.onDisk.Epoch() <= rec.Epochs.Current:
		e.fail("ack-after-durable: server %d recovered to %v, and %v was reported durable\n%s", m.id, z, pr.onDisk, m.mem.Dump())
	case z > 0 && z.Epoch() > rec.Epochs.Current:
		e.fail("epochs-grow: server %d recovered to %v in epoch %d", m.id, z, rec.Epochs.Current)
	case rec.DigestMismatch != 0:
		e.fail("equal digest: server %d found another digest than its log at %v", m.id, rec.DigestMismatch)
	case rec.FuzzyUntil != 0:
		e.fail("equal digest: server %d: the snapshot %v may hold effects up to %v", m.id, rec.Snapshot.Zxid, rec.FuzzyUntil)
	}
	e.history.seen(m, rec.Tree.Zxid(), rec.Tree.Digest())
	*pr = promises{onDisk: max(z, 0), accepted: rec.Epochs.Accepted, current: rec.Epochs.Current}
}
