package replica

import (
	"fmt"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/invariant"
	"paddock/internal/jute"
	"paddock/internal/queue"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/prep"
	"paddock/server/request"
	"paddock/server/session"
	"paddock/server/watch"
	"paddock/storage/tree"
)

// Config is what of the configuration the replica depends on. Durations are milliseconds.
type Config struct {
	ServerID quorum.ServerID // 1 for a server on its own
	// Core is what consensus starts from; nil for a server on its own. Self and LastZxid are filled in.
	Core *consensus.Config
	Prep prep.Config
	Auth *auth.Authority

	TickMS         int64 // session deadlines are multiples of it
	MinSessionMS   int32
	MaxSessionMS   int32
	EnforceSchemes []string // schemes of which an identity is required; none if empty
	Throttle       ThrottleConfig

	SnapshotTxns  int64 // a snapshot is due after between half of it and all of it
	SnapshotBytes int64 // the same, in bytes of log; 0 for never
	// SnapshotLogPercent is how much log, in percent of the snapshot's own bytes, a snapshot waits for that is due by its txns: between half
	// of it and all of it. It bounds what is written again and again of a large tree. 0 for any.
	SnapshotLogPercent int64
	// SnapshotLogBytes is how much log such a snapshot waits for whatever the tree is, likewise. 0 for any.
	SnapshotLogBytes int64
	LogFileBytes     int64 // a new log file begins after so many bytes; 0 for only with a snapshot
	Seed             uint64

	// LocalSessions makes new sessions local to this server, UpgradeSessions global when they are to own an ephemeral.
	LocalSessions, UpgradeSessions bool
	// ReadOnlyAfterMS is how long a member looks for a leader before it serves reads alone; 0 for never.
	ReadOnlyAfterMS int64
	// LeaderApart keeps clients away while this server leads.
	LeaderApart bool

	ContainerCheckMS     int64
	ContainerNeverUsedMS int64 // 0 leaves containers alone that never had a child
	ContainerPerMinute   int64

	bug bug // a mistake planted by a test
}

// inflight is a txn that has been proposed and not been applied.
type inflight struct {
	rec    txn.Record
	client request.ClientID // 0 for the server's own
	xid    int32
	op     zk.OpCode
	at     int64
	plain  *plainTransact // of a transact that was proposed as a multi
}

// Replica is the state of one server. Its zero value is of no use; see New.
type Replica struct {
	cfg      Config
	core     *consensus.Core
	tree     *tree.Tree
	prep     *prep.Prep
	sessions *session.Tracker       // of the ensemble; a leader's business
	ended    ended                  // of the ensemble, lately
	local    *session.Tracker       // of this server alone
	localMS  map[zk.SessionID]int32 // their timeouts
	watches  *watch.Table
	clients  map[request.ClientID]*client
	recent   *client                  // found last; requests and replies of one client come in runs
	attached map[zk.SessionID]*client // the client each session is served by, if any
	leaving  []request.ClientID       // gone, with watches still to drop; they are told nothing

	flying  queue.Queue[inflight] // by zxid: logged and not applied
	logged  zk.Zxid               // the newest that was flying, or the tree's
	waiting queue.Queue[wait]     // by zxid and token: clients with a sync at the head of what waits
	// token is the last with which consensus was asked whether this server leads, confirmed the last that it has confirmed.
	token, confirmed uint64
	held             queue.Queue[held] // in order: what is asked while nothing may be proposed
	serving          bool              // the role is established
	leading          bool              // and it is the leader's
	// readOnly: no quorum has been found since lookingMS, and reads are served without.
	readOnly  bool
	lookingMS int64
	learner   learner
	arrived   *tree.Tree // came with the message that is being stepped
	// fuzzy is the zxid up to which the tree may hold effects of txns that it has yet to apply, because a leader that is not
	// Paddock wrote its snapshot while it went on. Digests before that tell nothing.
	fuzzy   zk.Zxid
	differs bool // this learner's tree is not its leader's
	ids     session.IDs
	nowMS   int64
	// stalledMS is when this server last went on after it had stood still for longer than a tick.
	stalledMS int64
	wallMS    int64

	counts Counts
	sizes  ProposalSizes
	role   consensus.Role // as it was last told

	snapshots snapshots
	doomed    doomed
	throttle  throttle

	// scratch memory of a step
	actions consensus.Actions
	todo    []consensus.Action // what is left to do of them, in order
	acting  bool               // somebody does it
	outcome tree.Outcome
	applied Applied
	fired   []watch.Firing
	reply   zk.Reply
	payload arena
	dec     jute.Coder
	// forwarded is a learner's request while it is judged.
	forwarded zk.Request
	letter    letter
}

// New returns a server with the recovered tree t, at the given moment. nowMS and wallMS are as in Event.
func New(cfg Config, t *tree.Tree, nowMS, wallMS int64) (*Replica, error) {
	core, err := newCore(&cfg, t)
	if err != nil {
		return nil, err
	}
	if cfg.Core != nil {
		cfg.Prep.Ensemble = core
	}
	r := &Replica{
		cfg: cfg, core: core, tree: t, prep: prep.New(cfg.Prep, cfg.Auth, t), sessions: session.New(cfg.TickMS), local: session.New(cfg.TickMS), localMS: map[zk.SessionID]int32{},
		watches: watch.New(),
		clients: map[request.ClientID]*client{}, attached: map[zk.SessionID]*client{},
		ids: session.NewIDs(int64(cfg.ServerID), wallMS), nowMS: nowMS, wallMS: wallMS, lookingMS: nowMS, stalledMS: nowMS - cfg.TickMS,
	}
	r.snapshots.init(cfg)
	r.ended.init(cfg.Core)
	r.doomed.checkedMS = nowMS
	r.throttle.init(cfg.Throttle, cfg.Seed, nowMS)
	r.logged, r.role = t.Zxid(), core.Role()
	r.ResetProposals()
	if cfg.Core == nil {
		r.serving, r.leading = true, true
		r.openSessions()
	}
	return r, nil
}

func newCore(cfg *Config, t *tree.Tree) (*consensus.Core, error) {
	if cfg.Core != nil {
		start := *cfg.Core
		start.Self = cfg.ServerID
		if start.LastZxid >= 0 {
			start.LastZxid = t.Zxid()
		}
		return consensus.New(start)
	}
	alone, err := quorum.NewConfig(0, []quorum.Server{{ID: cfg.ServerID}}, nil, nil)
	if err != nil {
		return nil, err
	}
	return consensus.New(consensus.Config{Self: cfg.ServerID, Ensemble: alone, LastZxid: t.Zxid()})
}

// openSessions begins to track the sessions of the tree, none of which has been heard of yet.
func (r *Replica) openSessions() {
	for _, s := range r.tree.Sessions() {
		r.sessions.Open(s.ID, s.TimeoutMS, r.nowMS)
	}
}

// Start makes the first effects: sessions that left ephemerals behind without being in the session table are closed.
//
// ZooKeeper deletes such znodes without a txn, so that its log and its tree tell different stories; here it is a txn
// like any other.
func (r *Replica) Start(eff Effects) {
	if r.cfg.Core != nil {
		r.core.Step(consensus.Event{Kind: consensus.Start, NowMS: r.nowMS}, &r.actions)
		r.act(eff)
		return
	}
	r.closeOrphans(eff)
}

func (r *Replica) closeOrphans(eff Effects) {
	for _, s := range r.tree.EphemeralsBySession() {
		if _, ok := r.tree.Session(s.ID); !ok {
			eff.Note(Note{Kind: OrphansFound, Session: s.ID, Count: len(s.Paths)})
			r.proposeClose(s.ID, eff)
		}
	}
}

// Step takes one event. It is total: an event for a client that is gone has no effect.
func (r *Replica) Step(ev *Event, eff Effects) {
	if ev.NowMS-r.nowMS > r.cfg.TickMS && r.hasHeard() { // else, of a server that always is late no session would expire
		r.stalledMS = ev.NowMS
	}
	r.nowMS, r.wallMS = ev.NowMS, ev.WallMS
	r.sweepWatches(dropsPerStep)
	switch ev.Kind {
	case Opened:
		r.opened(ev, eff)
	case Connect:
		if c := r.client(ev.Client); c != nil {
			r.connect(c, ev.Connect, eff)
		}
	case Request:
		if c := r.client(ev.Client); c != nil {
			r.request(c, ev.Request, ev.At, eff)
		}
	case Disconnected:
		if c := r.client(ev.Client); c != nil {
			r.forget(c)
		}
	case Durable:
		r.core.Step(consensus.Event{Kind: consensus.Durable, NowMS: r.nowMS, Zxid: ev.Zxid}, &r.actions)
		r.act(eff)
	case Consensus:
		r.consensus(ev, eff)
	case SnapshotDone:
		r.tree.Release(ev.View) // which does nothing if another tree has taken its place
		r.snapshots.running = false
	case SnapSent:
		r.tree.Release(ev.View)
	case Tick:
		r.tick(eff)
	case SnapshotNow:
		r.snapshot(eff)
	case ExpireNow:
		r.expire(ev.Session, eff)
	case Transfer:
		r.transfer(ev, eff)
	}
}

// client is the connection with the given id; nil if it is gone.
func (r *Replica) client(id request.ClientID) *client {
	if r.recent != nil && r.recent.id == id {
		return r.recent
	}
	c := r.clients[id]
	if c != nil {
		r.recent = c
	}
	return c
}

// draft begins a txn that is to be proposed, for prep to judge it where it will stay. client, xid, op and at say whom to answer; client is 0 for
// the server's own txns. propose follows before anything else is done.
func (r *Replica) draft(client request.ClientID, xid int32, op zk.OpCode, at int64) *inflight {
	f := r.flying.Add()
	f.client, f.xid, f.op, f.at = client, xid, op, at
	return f
}

// propose has f, which draft has begun, decided.
func (r *Replica) propose(f *inflight, eff Effects) {
	payload := r.payload.encode(&f.rec)
	z := f.rec.Header.Zxid
	r.logged = z
	r.proposed(int64(len(payload)))
	r.core.Step(consensus.Event{Kind: consensus.Propose, NowMS: r.nowMS, Zxid: z, Payload: payload}, &r.actions)
	r.act(eff)
}

// act carries out what consensus wants. The actions are empty again before anything is committed: a commit that opens a
// session takes up what its client has sent meanwhile, which may propose. What consensus wants then is done behind what it
// wanted before, so that messages leave in the order in which it has given them.
func (r *Replica) act(eff Effects) {
	if r.readOnly && r.core.Role() != consensus.Looking {
		r.endReadOnly(eff) // before the tree may change under its clients
	}
	for _, e := range r.actions.Append {
		r.append(e, eff)
	}
	z, outer := r.actions.Commit, !r.acting
	r.acting = true
	if outer {
		r.todo, r.actions.Do = r.actions.Do, r.todo // which is empty
	} else {
		r.todo = append(r.todo, r.actions.Do...)
	}
	r.actions.Reset()
	if z != 0 {
		r.commit(z, eff)
	}
	if !outer {
		return
	}
	for i := 0; i < len(r.todo); i++ { // it may grow
		r.do(&r.todo[i], eff)
	}
	clear(r.todo)
	r.todo, r.acting = r.todo[:0], false
	r.tellRole(eff)
}

// tellRole tells when a server that looked has found who leads.
func (r *Replica) tellRole(eff Effects) {
	was, now := r.role, r.core.Role()
	if r.role = now; was == consensus.Looking && now != was && r.cfg.Core != nil {
		eff.Note(Note{Kind: LeaderElected, Role: now, Server: r.core.Leader()})
	}
}

// append logs a txn. One that this server did not propose itself flies from here on.
func (r *Replica) append(e consensus.Entry, eff Effects) {
	r.snapshots.logged(len(e.Payload), r.tree, eff)
	eff.Append(e.Zxid, e.Payload)
	if e.Zxid <= r.logged {
		return
	}
	err := r.flying.Add().rec.DecodeWith(&r.dec, e.Payload)
	invariant.Check(err == nil, "what is logged can be read", int64(e.Zxid), int64(len(e.Payload)))
	r.logged = e.Zxid
	if r.core.Role() == consensus.Following {
		r.counts.Followed++
	}
}

// commit applies and answers everything up to z.
//
// INVARIANT(reply-after-apply): a write is answered after the tree has it.
func (r *Replica) commit(z zk.Zxid, eff Effects) {
	for n := 0; r.flying.Len() > 0 && r.flying.Front().rec.Header.Zxid <= z; n++ {
		if n%tree.GuessMax == 0 {
			r.expectTxns(z)
		}
		f := r.flying.Front()
		if f.rec.Header.Zxid > r.tree.Zxid() {
			if r.leads() {
				r.counts.Decided++
				r.release(f.rec.Header.Zxid, eff)
			} else {
				r.counts.Applied++
			}
			r.apply(f, eff) // may add to what is flying
		}
		r.flying.Pop()
		r.release(0, eff)
	}
	if r.differs {
		r.differs = false
		r.core.Step(consensus.Event{Kind: consensus.Resync, NowMS: r.nowMS}, &r.actions)
		r.act(eff)
		return // what a snapshot would hold is wrong
	}
	r.snapshots.take(r, eff)
}

// release answers the syncs that have waited for what was just applied or confirmed, and what waits behind them. It comes
// before the next txn is applied, which may be a later write of the same client.
//
// A leader that is about to apply a txn knows that a quorum has acknowledged it: that confirms the syncs that came before the
// txn was proposed. next is that txn; 0 if none is about to be applied.
func (r *Replica) release(next zk.Zxid, eff Effects) {
	for r.waiting.Len() > 0 {
		w := *r.waiting.Front()
		if w.until < next {
			r.confirmed = max(r.confirmed, w.token)
		}
		if w.until > r.tree.Zxid() || w.token > r.confirmed {
			return
		}
		r.waiting.Pop()
		r.drain(w.client, eff)
	}
}

// asker is what prep needs to know of a request of a client that is judged by the given identities.
func (r *Replica) asker(c *client, ids []zk.ID, xid int32) prep.Asker {
	by := prep.Asker{
		Session: c.session, State: zk.OK, IDs: ids, Cxid: xid, Zxid: r.core.NextZxid(), TimeMS: r.wallMS,
	}
	if c.local {
		by.Owning = zk.EphemeralOnLocalSession
	}
	return by
}

// own is the asker of what the server does by itself, in the name of session s (or 0).
func (r *Replica) own(s zk.SessionID) prep.Asker {
	return prep.Asker{Session: s, State: zk.OK, Zxid: r.core.NextZxid(), TimeMS: r.wallMS}
}

// String is a one-line summary for traces.
func (r *Replica) String() string {
	return fmt.Sprintf("zxid=%v proposed=%v clients=%d sessions=%d digest=%x",
		r.tree.Zxid(), r.core.Proposed(), len(r.clients), r.sessions.Len(), r.tree.Digest())
}
