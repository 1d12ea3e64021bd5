package sim

import (
	"context"
	"fmt"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/prep"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/datadir"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// The tasks of a server.
const (
	taskSync     = "sync"
	taskPrepare  = "prepare"
	taskSnapshot = "snapshot"
	taskPurge    = "purge"
)

// Settings of every server, in milliseconds. They are short, so that much happens in little time.
const (
	tickMS         = 200
	minSessionMS   = 600
	maxSessionMS   = 6000
	containerEvery = 700
	neverUsedMS    = 4000
	retained       = 3
)

// server is one life of a server: the real parts, and the loop's side of what server/driver does.
type server struct {
	w    *world
	disk *disk
	dir  *datadir.Dir
	log  *wal.Writer
	r    *replica.Replica

	// As in server/driver: what has gathered for the log, and whether the syncer is at work.
	pending []logPart
	roll    bool
	sync    *task

	prepare *task
	upkeep  *task // a snapshot or a purge, one at a time
	queued  []*task
	views   map[*task]*tree.View
	letters []letter

	conns     map[request.ClientID]*client
	event     *replica.Event // being stepped
	failed    error          // why it serves no more
	committed zk.Zxid        // applied
	feed      feedRules
	held      []func() // what a planted mistake tells later
}

// logPart is a run of records that go into one file.
type logPart struct {
	roll        bool
	framed      []byte
	first, last zk.Zxid
}

// letter is what a task tells the owner.
type letter struct {
	zxid zk.Zxid
	view *tree.View // of a snapshot that has ended; nil from the syncer
	err  error
}

var _ replica.Effects = (*server)(nil)

func (w *world) dirOptions(d *disk) datadir.Options {
	return datadir.Options{FS: d, Dir: "data", LogDir: w.plan.logDir, NoNewDatabase: w.plan.marker, PrepareBytes: w.plan.prepareBytes, PID: 1}
}

// start opens the data directory and recovers the server. On an error whatever was open is closed again.
func (w *world) start(d *disk) (*server, error) {
	s := &server{w: w, disk: d, conns: map[request.ClientID]*client{}, views: map[*task]*tree.View{}}
	var err error
	if s.dir, err = datadir.Open(w.dirOptions(d)); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	rec, err := s.dir.Recover(datadir.RecoverOptions{RecentMax: -1})
	if err != nil {
		_ = s.dir.Close()
		return nil, fmt.Errorf("recover: %w", err)
	}
	if d.dead {
		return nil, errDead
	}
	w.recovered(rec)
	s.committed = rec.Tree.Zxid()
	s.log = s.dir.Log(rec.Tree.Zxid())
	a, err := auth.New(auth.Config{})
	if err != nil {
		return nil, err
	}
	s.r, err = replica.New(replica.Config{
		ServerID: 1, Auth: a, Prep: prep.Config{ExtendedTypes: true}, TickMS: tickMS, MinSessionMS: minSessionMS, MaxSessionMS: maxSessionMS,
		SnapshotTxns: w.plan.snapshotTxns, LogFileBytes: w.plan.logFileBytes, Seed: w.rng.Uint64(), ContainerCheckMS: containerEvery, ContainerNeverUsedMS: neverUsedMS,
		ContainerPerMinute: 1 << 20,
	}, rec.Tree, w.nowMS, w.wallMS)
	if err != nil {
		return nil, err
	}
	w.srv = s
	s.r.Start(s)
	s.handOver()
	return s, nil
}

// step gives the replica one event.
func (s *server) step(ev replica.Event) {
	w := s.w
	ev.NowMS, ev.WallMS = w.nowMS, w.wallMS
	w.bugEvent(&ev)
	w.trace.add("%v", &ev)
	if ev.Kind == replica.Durable {
		s.committed = ev.Zxid
	}
	s.event = &ev
	s.r.Step(&ev, s)
	s.event = nil
	s.releaseHeld()
	w.watches.settle(s.committed)
}

// Append implements replica.Effects: it frames the record for the syncer, and has the model judge it.
func (s *server) Append(z zk.Zxid, payload []byte) {
	s.w.appended(z, payload)
	payload = s.w.bugPayload(payload)
	if len(s.pending) == 0 || s.roll {
		s.pending = append(s.pending, logPart{roll: s.roll, first: z})
		s.roll = false
	}
	p := &s.pending[len(s.pending)-1]
	p.framed = s.log.Frame(p.framed, payload)
	p.last = z
}

// Roll implements replica.Effects.
func (s *server) Roll() {
	s.roll = true
	if s.w.opt.Bug == BugRollLosesPending {
		s.pending = nil
	}
}

// Snapshot implements replica.Effects.
func (s *server) Snapshot(v *tree.View) {
	t := newTask(taskSnapshot, func() error {
		_, err := s.dir.WriteSnapshot(context.Background(), v, snapshot.WriteOptions{Compression: s.w.plan.compression})
		return err
	})
	s.views[t] = v
	s.queued = append(s.queued, t)
	s.w.trace.add("snapshot at %v", v.Zxid())
}

// purge has old snapshots and logs deleted, once nothing else is going on.
func (s *server) purge() {
	s.queued = append(s.queued, newTask(taskPurge, s.purgeDir))
}

// Peer implements replica.Effects.
func (s *server) Peer(*consensus.Action) { panic("there are no peers") }

// SendSnap implements replica.Effects.
func (s *server) SendSnap(consensus.LinkID, *tree.View) { panic("there are no peers") }

// Truncate implements replica.Effects.
func (s *server) Truncate(zk.Zxid, bool) { panic("there is no leader to follow") }

// Install implements replica.Effects.
func (s *server) Install(*tree.View) { panic("there is no leader to follow") }

// Applied implements replica.Effects.
func (s *server) Applied(a *replica.Applied) { s.feed.applied(&s.w.stage, 1, a, true) }

// Note implements replica.Effects.
func (s *server) Note(n replica.Note) {
	switch n.Kind {
	case replica.DigestMismatch:
		s.w.fail("the replica's tree is not what its own txn said it would be at %v", n.Zxid)
	case replica.OrphansFound:
		s.w.fail("%d ephemerals of session %v, which does not exist", n.Count, n.Session)
	case replica.ClientAhead:
		s.w.fail("client %d has seen %v, which the server does not have", n.Client, n.Zxid)
	default:
	}
}

// handOver gives the syncer what has gathered, unless it is at work.
func (s *server) handOver() {
	if s.sync != nil || len(s.pending) == 0 {
		return
	}
	batch := s.pending
	s.pending = nil
	last := batch[len(batch)-1].last
	s.sync = newTask(taskSync, func() error { return s.syncBatch(batch, last) })
	if s.w.opt.Bug == BugAckBeforeSync {
		s.letters = append(s.letters, letter{zxid: last})
	}
}

// syncBatch is what one fsync covers.
func (s *server) syncBatch(batch []logPart, last zk.Zxid) error {
	err := func() error {
		for i := range batch {
			p := &batch[i]
			if p.roll {
				s.w.rolling = true
				err := s.log.Roll()
				s.w.rolling = false
				if err != nil {
					return err
				}
			}
			if err := s.log.Write(p.framed, p.first, p.last); err != nil {
				return err
			}
		}
		return s.log.Sync()
	}()
	if s.w.opt.Bug != BugAckBeforeSync || err != nil {
		s.letters = append(s.letters, letter{zxid: last, err: err})
	}
	return err
}

// filling tells whether Prepare is writing zeros where the syncer might have to wait for it.
func (s *server) filling() bool {
	return s.prepare != nil && s.prepare.at.Path != "" && kindOf(s.prepare.at.Path) == "log" && s.prepare.at.Kind.String() == "write"
}

// runSync lets the syncer go on to its next operation.
func (s *server) runSync() {
	if s.sync == nil || s.sync.ended {
		return
	}
	for s.filling() {
		s.runPrepare()
	}
	s.run(s.sync)
	if !s.sync.ended {
		return
	}
	s.w.stops.syncEnded(s.sync.err)
	if s.w.opt.Bug == BugAckBeforeSync && s.sync.err == nil {
		s.sync = nil // its letter was sent before
	}
}

// runPrepare lets the writing of zeros go on, or begin.
func (s *server) runPrepare() {
	if s.prepare == nil {
		s.prepare = newTask(taskPrepare, func() error {
			_, err := s.log.Prepare()
			return err
		})
	}
	if s.run(s.prepare); s.prepare.ended {
		s.prepare = nil
	}
}

// runUpkeep lets the snapshot or purge go on, or the next one begin.
func (s *server) runUpkeep() {
	if s.upkeep == nil {
		if len(s.queued) == 0 {
			return
		}
		s.upkeep, s.queued = s.queued[0], s.queued[1:]
	}
	t := s.upkeep
	if s.run(t); !t.ended {
		return
	}
	s.upkeep = nil
	if v := s.views[t]; v != nil {
		delete(s.views, t)
		s.letters = append(s.letters, letter{view: v, err: t.err})
		return
	}
	s.w.stops.upkeepEnded(t.name, t.err)
}

func (s *server) run(t *task) {
	s.disk.run(t)
	switch {
	case s.disk.dead:
	case t.ended && t.err != nil:
		s.w.trace.add("%s: %v", t.name, t.err)
	case t.ended:
		s.w.trace.add("%s done", t.name)
	default:
		s.w.trace.add("%s: next is %v", t.name, t.at)
	}
}

// deliver hands the oldest letter to the owner.
func (s *server) deliver() {
	if len(s.letters) == 0 {
		return
	}
	l := s.letters[0]
	s.letters = s.letters[1:]
	if l.view != nil {
		s.w.stops.upkeepEnded(taskSnapshot, l.err)
		if s.w.rng.IntN(2) == 0 {
			s.purge()
		}
		s.step(replica.Event{Kind: replica.SnapshotDone, View: l.view})
		return
	}
	if s.sync != nil && s.sync.ended {
		s.sync = nil
	}
	if l.err != nil {
		s.failed = fmt.Errorf("transaction log: %w", l.err)
		s.w.trace.add("stops serving: %v", s.failed)
		return
	}
	s.step(replica.Event{Kind: replica.Durable, Zxid: l.zxid})
	s.handOver()
}

// stop ends the server as server/driver does when it is asked to: what has been appended becomes durable and is answered.
func (s *server) stop() error {
	for n := 0; s.failed == nil && !s.disk.dead && s.w.err == nil && (s.sync != nil || len(s.letters) > 0 || s.upkeep != nil || len(s.queued) > 0); n++ {
		s.runSync()
		s.runUpkeep()
		s.deliver()
		if n > restRounds {
			s.w.fail("the server does not come to rest")
		}
	}
	return s.close()
}

// restRounds is far more than a server needs to end what it has begun.
const restRounds = 20_000

// close closes what is open, as far as the disk lets it.
func (s *server) close() error {
	for s.prepare != nil && !s.disk.dead {
		s.runPrepare()
	}
	s.abandon()
	err := s.log.Close()
	if cerr := s.dir.Close(); err == nil {
		err = cerr
	}
	if s.failed != nil {
		return s.failed
	}
	return err
}

// abandon ends every task where it is. With the disk dead nothing that they still try has an effect.
func (s *server) abandon() {
	dead := s.disk.dead
	s.disk.dead = true
	for _, t := range append([]*task{s.sync, s.prepare, s.upkeep}, s.queued...) {
		if t != nil {
			t.stop()
		}
	}
	s.disk.dead = dead
}
