package sim

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// Options select a run.
type Options struct {
	Seed  uint64
	Bug   Bug
	Trace io.Writer // takes every line of the trace; may be nil
}

// Outcome is what came of a run.
type Outcome struct {
	Err      error    // what went wrong; nil if every rule held
	Hash     uint64   // of the trace
	Tail     []string // the last lines of the trace
	Crashes  Coverage
	Lives    int      // starts that were tried
	Txns     int      // written and not lost
	Failures Coverage // operations that the disk refused
	Stopped  int      // lives in which a failing log ended the service
}

// Run plays one seed.
func Run(opt Options) (out Outcome) {
	w := &world{stage: stage{rng: rand.New(rand.NewPCG(opt.Seed, 0x70616464)), model: newModel()}, opt: opt, mem: vfs.NewMem(), wallMS: wallStart}
	w.trace.all = opt.Trace
	w.trace.add("seed %d", opt.Seed)
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic: %v\n%s", p, debug.Stack())
			if w.srv != nil {
				w.disk.dead = true
				w.srv.abandon()
			}
		}
		out = Outcome{Err: w.err, Hash: w.trace.hash, Tail: w.trace.last(), Crashes: w.coverage, Lives: w.lives,
			Txns: int(w.model.last()), Failures: w.failures, Stopped: w.stops.stopped}
	}()
	w.play()
	return out
}

const wallStart = 1_700_000_000_000

// world is everything around the server, and outlives it.
type world struct {
	stage
	opt  Options
	plan plan

	mem      *vfs.Mem
	disk     *disk   // of the process that runs, or starts
	srv      *server // nil while none runs
	wallMS   int64   // jumps
	wallMost int64   // the latest that it ever was
	nextID   request.ClientID

	clients []*client
	life    *life

	// the checkers
	lost     lost
	sessions sessionRules
	watches  watchRules
	stops    stopRules

	ops      int // changes of the file system in this life
	crashed  *vfs.Mem
	tried    int // crashes that were tried out
	coverage Coverage
	lives    int
	failures Coverage
	rolling  bool // the log is being rolled, for BugRollWithoutSync
}

// play goes through the lives of the plan, and then through a last one that nothing happens to.
func (w *world) play() {
	w.plan = makePlan(w.rng)
	w.zeros = w.plan.zeros
	w.lost.st, w.watches.st, w.stops.w = &w.stage, &w.stage, w
	w.sessions.init(w)
	for i := range w.plan.clients {
		w.clients = append(w.clients, &client{w: w, caller: caller{n: i + 1}})
	}
	if w.plan.marker {
		w.check(vfs.MkdirAll(w.mem, w.plan.logDir))
		w.check(vfs.WriteFileAtomic(w.mem, w.plan.logDir+"/initialize", nil))
	}
	for i := range w.plan.lives {
		if w.live(&w.plan.lives[i]); w.err != nil {
			return
		}
	}
	w.live(&life{steps: 20, end: endStop})
	w.live(&life{end: endStop})
}

func (w *world) check(err error) {
	if err != nil {
		w.fail("%v", err)
	}
}

// live runs the server from a start to an end.
func (w *world) live(l *life) {
	w.life, w.ops, w.crashed = l, 0, nil
	w.lives++
	w.trace.add("life %d: %d steps, then %v, crash at %d, %v", w.lives, l.steps, l.end, l.crashAt, l.fault)
	w.mem.SetHook(w.onChange)
	w.stops.begin(l)
	d := &disk{FS: w.stack(w.mem, l.fault)}
	w.disk = d
	s, err := w.start(d)
	if w.err != nil {
		return
	}
	switch {
	case d.dead:
		w.trace.add("crashed while starting")
	case err != nil:
		w.trace.add("does not start: %v", err)
		w.stops.notStarted(err)
	default:
		for range l.steps {
			if w.step(s); d.dead || s.failed != nil || w.err != nil {
				break
			}
		}
	}
	w.finish(s, d, l)
}

// finish ends a life in the way it is to end, and brings the file system to what the next one finds.
func (w *world) finish(s *server, d *disk, l *life) {
	if w.err != nil {
		d.dead = true
	}
	switch {
	case d.dead:
	case s == nil || s.failed != nil:
		if s != nil {
			_ = s.close() // the reason is known
		}
		if w.rng.IntN(2) == 0 {
			w.powerLoss()
		}
	case l.end == endStop:
		err := s.stop()
		if w.stops.stoppedWell(s, err) && !d.dead {
			w.lost.shown(w.model.last()) // a good stop leaves nothing behind
		}
	case l.end == endKill:
		w.trace.add("killed")
		d.dead = true
	default:
		w.powerLoss()
	}
	if s != nil && d.dead {
		s.abandon()
	}
	w.mem.SetHook(nil)
	if w.crashed != nil {
		w.mem = w.crashed
	}
	w.mem.ReleaseLocks()
	w.srv = nil
	for _, c := range w.clients {
		c.drop("the server is gone")
	}
	w.pass(int64(1 + w.rng.IntN(2000)))
}

// powerLoss takes what a crash at this moment leaves.
func (w *world) powerLoss() {
	if w.crashed == nil {
		w.trace.add("the power goes")
		w.crashed = w.mem.CrashClone(w.rng.Uint64())
	}
	w.disk.dead = true
}

// onChange is called before every change of the file system.
func (w *world) onChange(_ int, op vfs.Op) {
	w.ops++
	if w.disk.dead || w.crashed != nil || w.err != nil {
		return
	}
	kind := crashPoint{op.Kind, kindOf(op.Path)}
	if w.chosen(kind) {
		w.tried++
		w.coverage.add(kind)
		if err := w.tryCrash(w.rng.Uint64()); err != nil {
			w.fail("crash before operation %d of life %d (%v): %w", w.ops, w.lives, op, err)
		}
	}
	if w.ops == w.life.crashAt {
		w.trace.add("crash before %v", op)
		if w.life.killed {
			w.disk.dead = true // the operation is the last that it does
			return
		}
		w.coverage.add(kind)
		w.powerLoss()
	}
}

// chosen decides whether a crash is tried out here: what has not been tried yet is preferred.
func (w *world) chosen(k crashPoint) bool {
	if w.plan.everyCrash {
		return true
	}
	if w.tried >= w.plan.crashesMax {
		return false
	}
	if w.coverage[k] == 0 {
		return w.rng.IntN(3) == 0
	}
	return w.rng.IntN(40) == 0
}

// tryCrash recovers from a copy of what a crash would leave, and now and then from a crash in that recovery.
func (w *world) tryCrash(seed uint64) error {
	clone := w.mem.CrashClone(seed)
	if again := seed % 8; again < 2 {
		n, at := 0, 1+int(seed>>8%6)
		var second *vfs.Mem
		clone.SetHook(func(int, vfs.Op) {
			if n++; n == at {
				second = clone.CrashClone(seed >> 16)
			}
		})
		if err := w.recoverCopy(clone); err != nil {
			return err
		}
		if second == nil {
			return nil
		}
		clone = second
	}
	return w.recoverCopy(clone)
}

// recoverCopy starts over a copy of the directory and compares what is found with the model.
func (w *world) recoverCopy(m *vfs.Mem) error {
	dir, err := datadir.Open(w.dirOptions(&disk{FS: w.stack(m, nil)}))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	rec, err := dir.Recover(datadir.RecoverOptions{RecentMax: -1})
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if err := w.compare(rec); err != nil {
		return err
	}
	return dir.Close()
}

// compare runs the checkers that look at a recovered state.
func (w *world) compare(rec *datadir.Recovered) error {
	if rec.Uninitialised {
		return errors.New("there is no database, and the marker that allows a new one is gone")
	}
	return errors.Join(w.lost.compare(rec.Tree), checkDigest(w.model, rec), checkEphemerals(rec.Tree))
}

// recovered takes note of where the server goes on after a start.
func (w *world) recovered(rec *datadir.Recovered) {
	z := rec.Tree.Zxid()
	w.trace.add("recovered to %v, digest %x, snapshot %v, %d records, torn %d", z, rec.Tree.Digest(), rec.Snapshot.Zxid, rec.Log.Records, len(rec.Log.Torn))
	if err := w.compare(rec); err != nil {
		w.fail("life %d: %w\n%s", w.lives, err, w.mem.Dump())
		return
	}
	w.model.forget(z)
	w.sessions.restart()
	w.watches.restart(z)
}

// appended has the model judge the txn that the server has just proposed.
func (w *world) appended(z zk.Zxid, payload []byte) {
	var rec txn.Record
	if err := rec.Decode(payload); err != nil {
		w.fail("append %v: %w", z, err)
		return
	}
	w.trace.add("append %v %v session=%v cxid=%d", z, rec.Header.Type, rec.Header.Session, rec.Header.Cxid)
	if !w.checkOrder(z, &rec.Header) {
		return
	}
	d := w.model.draft(rec.Header.Session, rec.Header.TimeMS)
	switch {
	case rec.Header.Type == zk.OpCreateSession:
		w.sessions.opening(rec.Header.Session, rec.Txn.TimeoutMS)
		d.openSession(rec.Txn.TimeoutMS)
	case rec.Header.Session == 0:
		w.serverWrite(d, &rec)
	case rec.Header.Cxid == 0:
		w.sessions.ended(rec.Header.Session, rec.Header.Type)
		d.judge(&zk.Request{Op: zk.OpCloseSession})
	default:
		w.clientWrite(d, &rec)
	}
	checkTxnDigest(w, &rec)
}

// clientWrite finds whose request the txn is, and notes with it what the reply must be.
func (w *world) clientWrite(d *draft, rec *txn.Record) {
	for _, c := range w.clients {
		if c.session != rec.Header.Session {
			continue
		}
		for _, call := range c.sent {
			if call.req.Xid == rec.Header.Cxid && call.want == nil && call.req.Op.IsWrite() {
				want := d.judge(call.req)
				call.want = &want
				if want.Err == zk.OK && want.Op.IsCreate() {
					w.remember(want.Path)
				}
				if call.req.Op == zk.OpCloseSession {
					w.sessions.closing(c.session)
				}
				return
			}
		}
	}
	w.fail("append %v: nobody has sent a request with session %v and xid %d", rec.Header.Zxid, rec.Header.Session, rec.Header.Cxid)
}
