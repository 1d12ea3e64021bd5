package consensus

import (
	"fmt"
	"slices"
	"strings"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// server is one server of a world.
type server struct {
	w     *world
	id    quorum.ServerID
	up    bool
	boots int
	core  *Core
	out   Actions
	disk  simDisk

	tree    []Entry // all that is applied
	pending []Entry // appended and not applied
	loading bool    // the tree comes from the disk once it is truncated
	snap    []Entry // of the MsgSnap just received
	paused  int64   // until when nothing is processed
	spoilt  bool    // the tree is to be replaced by a snapshot
	inbox   []func()
	waking  bool
	had     []Entry // what was on a disk that was lost
	serving bool
	leads   bool // it serves as the leader
	peers   map[quorum.ServerID]bool
	letters map[quorum.ServerID]*election.Notification
}

// simDisk is what survives, and what is on its way there.
type simDisk struct {
	history           []Entry
	before            []Entry // the history before a snapshot was installed, until the epoch is joined
	installed         bool
	accepted, current int64
	config            *quorum.Config
	lost              bool    // all of it was lost, and nothing has come back yet
	logFrom           zk.Zxid // the log begins after it

	queue  []diskOp
	busy   bool
	slowMS int64 // extra time for each operation
}

type diskOp struct {
	cannot bool       // Truncate: the disk does not go back so far
	kind   ActionKind // 0 for an append
	entry  Entry
	zxid   zk.Zxid
	epoch  int64
	tree   []Entry
}

func last(entries []Entry) zk.Zxid {
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].Zxid
}

// upTo is the part of a history up to z. What is appended to it leaves the history as it is.
func upTo(entries []Entry, z zk.Zxid) []Entry {
	i, _ := slices.BinarySearchFunc(entries, z+1, func(e Entry, z zk.Zxid) int { return int(min(max(e.Zxid-z, -1), 1)) })
	return entries[:i:i]
}

// do carries out one operation on what survives.
func (d *simDisk) do(op diskOp) {
	switch op.kind {
	case 0:
		d.history = append(d.history, op.entry)
	case SetAcceptedEpoch:
		d.accepted = op.epoch
	case SetCurrentEpoch:
		d.current, d.before, d.installed, d.lost = op.epoch, nil, false, false
	case Truncate:
		if op.cannot {
			return
		}
		d.history = upTo(d.history, op.zxid)
	case Install:
		if !d.installed {
			d.before, d.installed = slices.Clip(d.history), true
		}
		d.history, d.logFrom = slices.Clip(op.tree), op.zxid
	}
}

// boot starts the server with what its disk has.
func (s *server) boot() {
	d := &s.disk
	if last(d.history).Epoch() > d.current && d.installed {
		d.history = slices.Clip(d.before)
	}
	d.before, d.installed = nil, false
	d.history = upTo(d.history, zk.Zxid(d.current<<32+0xffffffff)) // what is newer was never acknowledged
	zxid := last(d.history)
	if d.lost {
		zxid = -1
	}
	recent := d.history[max(0, len(d.history)-s.w.plan.history):]
	if s.w.chance(30) {
		recent = nil
	}
	core, err := New(Config{
		Self: s.id, Ensemble: d.config, LastSeen: configOf(d.history), Reconfig: s.w.plan.reconfig, ConfigIn: configIn, Distributed: true,
		LastZxid: zxid, AcceptedEpoch: d.accepted, CurrentEpoch: d.current, Recent: recent,
		HistoryTxns: s.w.plan.history, TickMS: 200, RolloverAt: s.w.plan.rollover,
		ElectionIntervalMinMS: 60, ElectionIntervalMaxMS: 1000, bug: s.w.plan.bug, ObserverMasters: s.w.plan.masters,
		plain: s.w.plan.plain == 1 || s.w.plan.plain == 2 && s.id%2 == 0,
	})
	if err != nil {
		s.w.violation("server %d does not start: %v", s.id, err)
		return
	}
	s.boots++
	s.paused, s.inbox, s.waking, s.spoilt = 0, nil, false, false
	s.core, s.up, s.serving, s.leads, s.loading, s.snap = core, true, false, false, false, nil
	s.tree, s.pending = slices.Clip(d.history), nil
	s.peers, s.letters = map[quorum.ServerID]bool{}, map[quorum.ServerID]*election.Notification{}
	d.queue, d.busy = nil, false
	s.w.log(s.id, "boot at %v accepted=%d current=%d", zxid, d.accepted, d.current)
	s.step(Event{Kind: Start})
	boot := s.boots
	var tick func()
	tick = func() {
		if s.up && s.boots == boot {
			s.step(Event{Kind: Tick})
			s.w.in(s.w.between(20, 50), tick)
		}
	}
	s.w.in(s.w.between(1, 20), tick)
}

// crash loses what was not durable, except that some of what was on its way may have arrived.
func (s *server) crash() {
	if !s.up {
		return
	}
	s.w.log(s.id, "crash")
	s.w.count("crash")
	s.up = false
	for range s.w.rng.IntN(len(s.disk.queue) + 1) {
		s.disk.do(s.disk.queue[0])
		s.disk.queue = s.disk.queue[1:]
	}
	s.disk.queue = nil
	for _, c := range s.w.conns {
		for end := range 2 {
			if c.ends[end] == s.id && c.boots[end] == s.boots && !c.closed[end] {
				if n := len(c.queues[end]); n > 0 {
					c.queues[end] = c.queues[end][:s.w.rng.IntN(n+1)]
				}
				s.w.close(c, end)
			}
		}
	}
	for _, id := range s.w.ids {
		if t := s.w.servers[id]; s.peers[id] {
			boot := t.boots
			delete(t.peers, s.id)
			s.w.in(s.w.between(1, 30), func() {
				if !t.peers[s.id] {
					t.stepBoot(boot, Event{Kind: PeerDown, Server: s.id})
				}
			})
		}
	}
}

// stepBoot is step, unless the server has been started anew since.
func (s *server) stepBoot(boot int, ev Event) {
	if s.boots == boot {
		s.step(ev)
	}
}

// waits tells whether something must wait until the server goes on after a pause, in the order in which it came.
func (s *server) waits(do func()) bool {
	if s.w.now >= s.paused && len(s.inbox) == 0 || s.waking {
		return false
	}
	if boot := s.boots; len(s.inbox) == 0 {
		s.w.in(s.paused-s.w.now, func() {
			if s.boots != boot || !s.up {
				return
			}
			s.waking = true
			for _, do := range s.inbox {
				do()
			}
			s.waking, s.inbox = false, nil
		})
	}
	s.inbox = append(s.inbox, do)
	return true
}

// step gives the core an event and carries out what it wants.
func (s *server) step(ev Event) {
	if !s.up || s.w.found != "" {
		return
	}
	if s.waits(func() { s.step(ev) }) {
		return
	}
	ev.NowMS = s.w.now
	s.out.Reset()
	if ev.Kind != Tick {
		s.w.log(s.id, "<- %v", ev)
	}
	func() {
		defer func() {
			if r := recover(); r != nil {
				s.w.violation("server %d: %v", s.id, r)
			}
		}()
		s.core.Step(ev, &s.out)
	}()
	s.carryOut(&s.out)
}

// arrived hands a packet of a connection to the core.
func (s *server) arrived(c *conn, boot int, p packet) {
	if s.boots != boot || !s.up {
		return
	}
	if s.waits(func() { s.arrived(c, boot, p) }) {
		return
	}
	s.snap = p.tree
	switch p.m.Kind {
	case MsgDiff, MsgTrunc, MsgSnap:
		s.w.count(p.m.Kind.String())
	}
	s.step(Event{Kind: Received, Link: c.id, Message: p.m})
}

// carryOut does what the core wants, in order. Now and then the server crashes in the middle.
func (s *server) carryOut(out *Actions) {
	stop := -1
	if total := len(out.Append) + len(out.Do); s.w.faults && total > 0 && s.w.rng.IntN(1500) == 0 {
		stop = s.w.rng.IntN(total + 1)
	}
	n := 0
	dies := func() bool {
		if n == stop {
			s.crash()
			return true
		}
		n++
		return s.w.found != ""
	}
	for _, e := range out.Append {
		if dies() {
			return
		}
		s.pending = append(s.pending, e)
		s.toDisk(diskOp{entry: e})
	}
	if out.Commit != 0 {
		s.w.log(s.id, "commit %v", out.Commit)
		s.tellCommit(out.Commit)
		s.commit(out.Commit)
	}
	for _, a := range out.Do {
		if dies() {
			return
		}
		if a.Kind != Notify && a.Kind != ConnectAll {
			s.w.log(s.id, "-> %v", a)
		}
		s.act(a)
	}
	if n == stop {
		s.crash()
	}
}

// commit applies what is decided.
func (s *server) commit(z zk.Zxid) {
	if s.loading {
		s.w.violation("server %d: commit %v while the tree is loaded", s.id, z)
		return
	}
	if s.leads {
		s.w.ghost.decided(s, z)
	}
	for len(s.pending) > 0 && s.pending[0].Zxid <= z {
		s.tree = append(s.tree, s.pending[0])
		s.pending = s.pending[1:]
		if s.serving {
			s.w.ghost.applied(s)
		}
	}
	if last(s.tree) != z {
		s.w.violation("server %d: the tree is at %v after commit %v", s.id, last(s.tree), z)
	}
}

// act carries out one action.
func (s *server) act(a Action) {
	w := s.w
	s.tellAction(a)
	switch a.Kind {
	case Send:
		w.ghost.sends(s, a.Link, a.Message)
		w.send(s.id, a.Link, packet{m: a.Message})
	case SendSnap:
		w.count("send-snap")
		m := &Message{Kind: MsgSnap, Zxid: last(s.tree)}
		if cfg := configOf(s.tree); cfg != nil {
			m.Config = cfg.String()
		}
		w.send(s.id, a.Link, packet{m: m, tree: s.tree})
	case SendLog:
		w.count("send-log")
		for _, e := range upTo(s.disk.history, a.To) {
			if e.Zxid > a.Zxid {
				w.send(s.id, a.Link, packet{m: &Message{Kind: MsgProposal, Zxid: e.Zxid, Payload: e.Payload}})
				w.send(s.id, a.Link, packet{m: &Message{Kind: MsgCommit, Zxid: e.Zxid}})
			}
		}
	case FindInLog:
		z, boot := last(upTo(s.disk.history, a.Zxid)), s.boots
		ok := z > 0 && z >= s.disk.logFrom && w.chance(70)
		w.in(w.between(1, 20), func() { s.stepBoot(boot, Event{Kind: LogFound, Link: a.Link, Zxid: z, OK: ok}) })
	case Drop:
		s.judgeReason(a.Reason)
		if c := w.conn(a.Link); c != nil {
			if c.ends[0] == s.id {
				w.close(c, 0)
			} else {
				w.close(c, 1)
			}
		}
	case Dial:
		w.dial(s.id, a.Server)
	case Notify:
		w.notify(s.id, a.Server, a.Notification)
	case ConnectAll:
	case SetAcceptedEpoch, SetCurrentEpoch:
		s.toDisk(diskOp{kind: a.Kind, epoch: a.Epoch})
	case Truncate:
		w.ghost.rewrites(s, upTo(slices.Concat(s.tree, s.pending), a.Zxid))
		if last(s.tree) > a.Zxid {
			s.loading = true
			w.count("reload")
		}
		s.pending = slices.Clone(upTo(s.pending, a.Zxid))
		s.toDisk(diskOp{kind: Truncate, zxid: a.Zxid, cannot: a.Zxid < s.disk.logFrom || s.w.faults && s.w.rng.IntN(4) == 0})
	case Install:
		w.ghost.rewrites(s, s.snap)
		s.tree, s.pending, s.spoilt = slices.Clip(s.snap), nil, false
		s.toDisk(diskOp{kind: Install, zxid: a.Zxid, tree: s.snap})
	case Deliver:
		s.delivered(a)
	case Lead, Follow, Observe:
		w.count(a.Kind.String())
		if s.spoilt && a.Kind != Lead {
			w.violation("server %d serves a tree that was to be replaced", s.id)
		}
		s.serving, s.leads = true, a.Kind == Lead
		w.ghost.serves(s, a)
	case Lose:
		if strings.Contains(a.Reason, "the tree is not") {
			s.spoilt = true
		}
		s.judgeReason(a.Reason)
		s.serving, s.leads = false, false
	case Confirmed:
		w.ghost.confirmed(s, a.Token)
	case Configured:
		w.count("configured")
		s.disk.config = a.Config
	}
}

// judgeReason finds reasons that only a broken rule can bring about among servers that are all of one make.
func (s *server) judgeReason(reason string) {
	for _, never := range []string{"out of place", "proposal ", "commit of", "which it was not sent", "before its time", "the leader sent",
		"is not for", "truncate", "has this server's id"} {
		if len(reason) >= len(never) && slices.Contains([]string{reason[:len(never)], reason[len(reason)-len(never):]}, never) {
			s.w.violation("server %d: %s", s.id, reason)
		}
	}
}

// delivered answers for the replica.
func (s *server) delivered(a Action) {
	boot := s.boots
	switch {
	case a.Message.Kind == MsgPing && s.core.Role() != Leading:
		s.w.send(s.id, a.Link, packet{m: &Message{Kind: MsgPing, Zxid: a.Message.Zxid, Touched: []Touch{}}})
	case a.Message.Kind == MsgRequest:
		s.w.ghost.asked(s, a.Link)
		s.w.in(0, func() { s.stepBoot(boot, Event{Kind: SyncAsked, Link: a.Link}) })
	case a.Message.Kind == MsgSync:
		s.w.count("sync answered")
		s.w.ghost.synced(s, a.Link)
	}
}

// toDisk queues an operation.
func (s *server) toDisk(op diskOp) {
	s.disk.queue = append(s.disk.queue, op)
	s.pumpDisk()
}

// pumpDisk carries out the next operation, or the next appends together.
func (s *server) pumpDisk() {
	d := &s.disk
	if d.busy || len(d.queue) == 0 {
		return
	}
	d.busy = true
	boot := s.boots
	s.w.in(s.w.between(1, 4)+d.slowMS, func() {
		if s.boots != boot || !s.up {
			return
		}
		d.busy = false
		op := d.queue[0]
		n := 1
		for op.kind == 0 && n < len(d.queue) && d.queue[n].kind == 0 && s.w.chance(80) {
			n++
		}
		for _, op := range d.queue[:n] {
			d.do(op)
		}
		lastOp := d.queue[n-1]
		d.queue = d.queue[n:]
		s.pumpDisk()
		s.reported(lastOp)
	})
}

// reported tells the core what is durable.
func (s *server) reported(op diskOp) {
	s.tellDurable(op)
	switch op.kind {
	case 0:
		s.step(Event{Kind: Durable, Zxid: op.entry.Zxid})
	case SetAcceptedEpoch:
		s.step(Event{Kind: AcceptedEpochDurable, Epoch: op.epoch})
	case SetCurrentEpoch:
		s.step(Event{Kind: CurrentEpochDurable, Epoch: op.epoch})
	case Truncate:
		if op.cannot {
			s.w.count("untruncated")
			s.tree, s.pending, s.loading = nil, nil, false
			s.step(Event{Kind: Untruncated, Zxid: op.zxid})
			return
		}
		if s.loading {
			s.tree, s.loading = slices.Clip(s.disk.history), false
		}
		s.step(Event{Kind: Truncated, Zxid: op.zxid})
	case Install:
		s.step(Event{Kind: Installed, Zxid: op.zxid})
	}
}

// configIn is the configuration in a payload of this world.
func configIn(payload []byte) string {
	if len(payload) > 0 && payload[0] == 'C' {
		return string(payload[1:])
	}
	return ""
}

// configOf is the configuration that a history sets; nil if it sets none.
func configOf(history []Entry) *quorum.Config {
	for _, e := range slices.Backward(history) {
		if text := configIn(e.Payload); text != "" {
			cfg, err := quorum.ParseConfig(text)
			if err != nil {
				panic(err)
			}
			return cfg.WithVersion(e.Zxid)
		}
	}
	return nil
}

func (s *server) String() string {
	return fmt.Sprintf("%d: up=%t %v serving=%t leader=%d logged=%v committed=%v accepted=%d current=%d config=%v", s.id, s.up, s.core.Role(),
		s.core.Serving(), s.core.Leader(), s.core.logged, s.core.committed, s.core.acceptedEpoch, s.core.currentEpoch, s.core.ensemble.Version)
}
