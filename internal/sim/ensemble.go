package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/request"
)

// EnsembleOptions select a run of several servers.
type EnsembleOptions struct {
	Seed  uint64
	Plant Exhibit
	Trace io.Writer // takes every line of the trace; may be nil
	// Always names settings that the world has whatever the seed says, between commas: "groups", "local", "readonly", "reads",
	// "transfers", "reconfig", "masters"; "" for none.
	Always string
	// Traced has a trace written down from the start. Otherwise that is only done, by playing again, for a seed that fails:
	// it costs a third of all time.
	Traced bool
}

// EnsembleOutcome is what came of a run of several servers.
type EnsembleOutcome struct {
	Err    error          // what went wrong; nil if every rule held
	Mark   uint64         // of what happened and when, traced or not
	Hash   uint64         // of the trace; 0 if none was written
	Tail   []string       // its last lines
	Counts map[string]int // how often things happened that a long run must have seen
}

// RunEnsemble plays one seed, and again with a trace if it fails.
func RunEnsemble(opt EnsembleOptions) EnsembleOutcome {
	opt.Traced = opt.Traced || opt.Trace != nil
	out := playEnsemble(opt)
	if out.Err == nil || opt.Traced {
		return out
	}
	opt.Traced = true
	again := playEnsemble(opt)
	if again.Mark != out.Mark {
		again.Err = fmt.Errorf("the seed does not play the same twice: %w; and then: %w", out.Err, again.Err)
	}
	return again
}

func playEnsemble(opt EnsembleOptions) (out EnsembleOutcome) {
	e := &ensemble{
		stage: stage{rng: rand.New(rand.NewPCG(opt.Seed, 0x656e73656d)), model: newModel()}, opt: opt,
		calls: map[callKey]*userCall{}, blocked: map[[2]quorum.ServerID]bool{}, wires: map[[2]quorum.ServerID]*wire{}, counts: map[string]int{},
	}
	e.model.member = true
	e.trace.all, e.trace.off = opt.Trace, !opt.Traced
	e.trace.add("seed %d", opt.Seed)
	defer func() {
		if r := recover(); r != nil {
			e.fail("panic: %v\n%s", r, debug.Stack())
		}
		for _, m := range e.members {
			if m.p != nil {
				m.p.disk.dead = true
				m.p.abandon()
			}
		}
		e.counts["txns"] = len(e.model.txns) - 1
		e.noteMark(e.rng.Uint64())
		out = EnsembleOutcome{Err: e.err, Mark: e.mark, Hash: e.trace.hash, Tail: e.trace.last(), Counts: e.counts}
	}()
	e.play()
	return out
}

// ensemble is a world of several servers. Everything in it happens in one goroutine, at moments of the agenda.
type ensemble struct {
	stage
	opt    EnsembleOptions
	plan   ensemblePlan
	agenda agenda
	faults bool  // things go wrong
	lullMS int64 // but nothing more until then
	calmMS int64
	quiet  bool // users do nothing more

	members []*member
	users   []*user
	nextID  request.ClientID
	calls   map[callKey]*userCall // writes by who asked

	// The network.
	blocked map[[2]quorum.ServerID]bool // nothing gets from the first to the second
	wires   map[[2]quorum.ServerID]*wire
	links   []*link

	history history
	tenure  tenure
	mark    uint64
	counts  map[string]int
}

// How long a run takes, in simulated milliseconds.
const (
	calmAfterMS = 6_000  // until when everybody must serve once faults have ended
	expiryMS    = 10_000 // until when every session must have expired once all clients are silent
	pollMS      = 100    // how often it is looked whether that is so
	stableMS    = 1_200  // for how long it must be so: longer than it takes to notice that a connection is dead
)

// play lets a while pass with faults, then one without, then one without clients.
func (e *ensemble) play() {
	e.plan = makeEnsemblePlan(e.rng)
	if e.opt.Plant == NoExhibit || e.opt.Always != "" {
		e.plan.extend(rand.New(rand.NewPCG(e.opt.Seed, 0x776f726c64)), e.opt.Always)
	}
	e.model.local = e.plan.local
	e.zeros, e.sizes = e.plan.zeros, e.plan.dataBytes
	e.trace.add("plan: %+v", e.plan)
	e.history.init(e)
	e.tenure.init(e)
	e.found()
	e.faults = e.plan.faultsMS > 0
	if e.faults {
		e.disturbLater()
	}
	e.run(e.plan.faultsMS)
	e.calm()
	e.wait(calmAfterMS, func() bool { return e.serving() == nil })
	e.checkServing()
	e.calmMS = e.nowMS
	e.run(e.plan.servingMS)
	e.quiet = true
	e.wait(expiryMS, func() bool { return e.serving() == nil && e.atRest() })
	e.checkEnd()
}

// wait lets time pass, at most so much, until something has been so for a while. Some worlds wait in any case.
func (e *ensemble) wait(ms int64, so func() bool) {
	since := e.nowMS
	for end := e.nowMS + ms; e.err == nil && e.nowMS < end; {
		e.run(pollMS)
		switch {
		case !so():
			since = e.nowMS
		case e.nowMS-since >= stableMS && !e.plan.patient:
			return
		}
	}
}

// atRest tells whether no session is left and every server has everything.
func (e *ensemble) atRest() bool {
	z := e.model.last()
	for _, h := range e.model.sessions {
		if at(h, z) != 0 {
			return false
		}
	}
	for _, m := range e.members {
		if t := m.p.r.Tree(); t.Zxid() < z {
			return false
		}
	}
	return true
}

// noteMark mixes something that happened into the mark.
func (e *ensemble) noteMark(x uint64) { e.mark = (e.mark ^ x) * 0x100000001b3 }

// found makes the servers, with nothing on their disks, and those who use them.
func (e *ensemble) found() {
	cfg, err := e.plan.config(e.plan.members, 0)
	if err != nil {
		e.fail("configuration: %w", err)
		return
	}
	e.history.config = cfg
	for i := range e.plan.members {
		m := newMember(e, quorum.ServerID(i+1), cfg)
		e.members = append(e.members, m)
		e.in(e.between(0, 300), m.start)
	}
	for i := range e.plan.clients {
		u := &user{caller: caller{n: i + 1}, e: e}
		e.users = append(e.users, u)
		e.in(e.between(0, 500), u.act)
	}
}

// in has do called after some milliseconds.
func (e *ensemble) in(ms int64, do func()) { e.agenda.add(e.nowMS+ms, do) }

// run lets time pass.
func (e *ensemble) run(ms int64) {
	end := e.nowMS + ms
	for e.err == nil {
		a := e.agenda.next(end)
		if a == nil {
			break
		}
		e.nowMS = max(e.nowMS, a.atMS)
		e.noteMark(uint64(a.atMS)<<32 ^ uint64(a.seq))
		a.do()
	}
	e.nowMS = end
}

// between draws a number of milliseconds.
func (e *ensemble) between(lo, hi int64) int64 { return lo + e.rng.Int64N(hi-lo+1) }

func (e *ensemble) chance(oneIn int) bool { return e.rng.IntN(oneIn) == 0 }

func (e *ensemble) count(what string) { e.counts[what]++ }

// member finds a server; nil if there is none.
func (e *ensemble) member(id quorum.ServerID) *member {
	if id < 1 || int(id) > len(e.members) {
		return nil
	}
	return e.members[id-1]
}

// calm ends all faults, and starts every server that is down.
func (e *ensemble) calm() {
	e.trace.add("%d calm", e.nowMS)
	e.faults = false
	clear(e.blocked)
	for _, l := range e.links {
		l.ends[0].lateMS, l.ends[1].lateMS = 0, 0
		if l.dead {
			l.reset(e)
		}
	}
	for _, m := range e.members {
		m.slowMS, m.fault, m.crashAt = 0, nil, 0
		m.resume()
		if m.p == nil {
			m.start()
		}
	}
}

// checkServing checks that everybody serves, some time after faults have ended.
func (e *ensemble) checkServing() {
	for range 60 { // a leader may just have run out of zxids
		if e.err != nil || e.serving() == nil {
			return
		}
		e.run(25)
	}
	if err := e.serving(); err != nil {
		e.fail("liveness: %d ms after all faults: %w", calmAfterMS, err)
	}
}

// serving tells who does not serve that should.
func (e *ensemble) serving() error {
	var leaders []quorum.ServerID
	for _, m := range e.members {
		_, listed := e.history.config.Server(m.id)
		switch {
		case m.p == nil:
			return fmt.Errorf("server %d is down: %v", m.id, m.ended)
		case !listed:
		case !m.p.serving:
			return fmt.Errorf("server %d does not serve: %v", m.id, m.p.r)
		case m.p.leading:
			leaders = append(leaders, m.id)
		}
	}
	if len(leaders) != 1 {
		return fmt.Errorf("%v lead", leaders)
	}
	return nil
}

// checkEnd checks that all servers have the same, and that nobody's session is left.
func (e *ensemble) checkEnd() {
	e.checkServing()
	if e.err != nil {
		return
	}
	z := e.model.last()
	for s, h := range e.model.sessions {
		if at(h, z) != 0 {
			e.fail("session %v is still there, %d ms after its client's last word", s, expiryMS)
		}
	}
	for _, m := range e.members {
		if m.p == nil {
			continue
		}
		t := m.p.r.Tree()
		if t.Zxid() != z && (t.Zxid() < z || t.Zxid().Counter() != 0) {
			e.fail("liveness: server %d is at %v, and %v is the newest", m.id, t.Zxid(), z)
			return
		}
		if err := e.compareTree(t, z); err != nil {
			e.fail("equal trees: server %d: %w", m.id, err)
		}
	}
	e.counts["sessions"] = len(e.model.sessions)
}

// newestLeader is the process that leads in the newest epoch, nil if it does not any more.
func (e *ensemble) newestLeader() *process {
	for _, m := range e.members {
		if m.p != nil && m.p.leading && m.p.epoch == e.history.epoch {
			return m.p
		}
	}
	return nil
}

// forgetLinks drops connections that are over at both ends.
func (e *ensemble) forgetLinks() {
	e.links = slices.DeleteFunc(e.links, func(l *link) bool { return l.ends[0].closed && l.ends[1].closed })
}

// epochStart is the zxid of the beginning of an epoch.
func epochStart(epoch int64) zk.Zxid { return zk.Zxid(epoch << 32) }
