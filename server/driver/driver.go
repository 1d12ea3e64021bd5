package driver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/internal/queue"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// Log is the transaction log as the syncer uses it: from one goroutine, and never again after an error.
type Log interface {
	// Frame appends to dst a payload as the log stores it.
	Frame(dst, payload []byte) []byte
	// Write puts framed records, whose zxids are first to last, into the log file.
	Write(framed []byte, first, last zk.Zxid) error
	// Sync makes everything written durable.
	Sync() error
	// Roll starts a new file with the next Write.
	Roll() error
}

// Options is what a Driver needs.
type Options struct {
	Logger  zerolog.Logger
	Replica *replica.Replica
	Log     Log
	// Snapshot writes a view to disk; it is called in a goroutine of its own, one call at a time.
	Snapshot func(context.Context, *tree.View) error
	// Observe is called by the owner for every note of the replica; it must not block. May be nil.
	Observe func(replica.Note)
	// Latency is called by the owner for every reply, with the time since the request arrived. May be nil.
	Latency func(op zk.OpCode, d time.Duration)
	// Propagated is called by the owner in each round in which txns were applied while the replica served, with how long after its proposal
	// the last of them was, by the clocks of the two servers. May be nil.
	Propagated func(time.Duration)
	// Synced is called by the syncer after every fsync of the log, with how long it took. May be nil.
	Synced func(time.Duration)
	// Disk, Peers and FindInLog are only needed in an ensemble. FindInLog answers consensus.FindInLog and may take its time;
	// what is newer than until is in memory.
	Disk      Disk
	Peers     Peers
	FindInLog func(z, until zk.Zxid) (found zk.Zxid, ok bool)
	// ReadLog calls f for each txn in the log, newer than after and not newer than to, which is durable. It returns
	// ErrHistoryGone if the log does not go back that far, and f's error. f does not keep payload.
	ReadLog func(ctx context.Context, after, to zk.Zxid, f func(z zk.Zxid, payload []byte) error) error
	// Configured is called by the owner when a configuration of the ensemble was proposed or committed. May be nil.
	Configured func(*consensus.Action)
	// FeedBytes and FeedTime are how much of what was applied is kept in memory for those who follow the changes, and how long.
	FeedBytes int64
	FeedTime  time.Duration
	// TickEvery is how often the replica is told the time.
	TickEvery time.Duration
}

// Driver runs one replica. Make it with New, then Run it; the methods of request.Handler may be called before Run.
type Driver struct {
	opt    Options
	box    *mailbox
	nextID atomic.Uint64
	start  time.Time

	own     sync.Mutex // held by the owner, while it has a round; guards the fields below
	running bool       // Run has started the replica, and has not ended
	clients map[request.ClientID]*conn
	recent  *conn // told last; replies to one client come in runs
	turns   turns
	dirty   []*conn
	now     int64 // nanoseconds since start, read once per round
	// proposedMS is when the last txn was proposed that this round has applied; 0 if it has applied none.
	proposedMS int64
	wallMS     int64
	ev         replica.Event
	core       consensus.Event
	log        logState
	pass       func()      // of who syncs what its round has appended
	lent       atomic.Bool // and has not been relieved: whoever clears it calls pass, or goes on
	feed       *feed
	traces     traces
	durable    zk.Zxid // the log is, as far as what this process has appended
	stats      Stats
	failed     error
	requests   []letter // taken from box, as control is: the memory serves again
	control    []letter

	wg     sync.WaitGroup // the syncer, and the snapshot writer if there is one
	toSync chan logBatch
	ctx    context.Context // of Run, for the snapshot writer only
	ended  chan struct{}   // closed when Run returns

	views        views         // of the tree, that others read
	snapshotting chan struct{} // holds a token while a snapshot is written, or must not be
}

// conn is a client as the owner sees it.
type conn struct {
	id    request.ClientID
	sink  request.Sink
	dirty bool
	asked bool                // and dirty: among what it was told is what it waits for
	queue queue.Queue[letter] // its requests that have not been begun
	ready bool                // it waits for its turn
	gone  bool                // closed from either side
	left  bool                // its door has closed it: nothing more reaches its sink
}

// New returns a Driver that has not started yet.
func New(opt Options) *Driver {
	d := &Driver{
		opt: opt, box: newMailbox(), start: time.Now(), clients: map[request.ClientID]*conn{}, toSync: make(chan logBatch, 1),
		ended: make(chan struct{}), snapshotting: make(chan struct{}, 1),
	}
	d.log.crowd = 1
	d.log.back = make(chan []byte, 4)
	d.views.release = func(v *tree.View) {
		d.box.post(letter{kind: inspect, fn: func() { d.opt.Replica.Tree().Release(v) }})
	}
	d.feed = newFeed(opt.FeedBytes, opt.FeedTime)
	d.durable = opt.Replica.Tree().Zxid()
	return d
}

// Run has rounds while there is something to do, until ctx is done and everything appended is durable; then it returns nil. Else it returns the
// first error of the log, after which nothing has been acknowledged.
func (d *Driver) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.ctx = work
	defer close(d.ended)
	defer d.wg.Wait()
	defer cancel()
	defer d.box.stop()
	d.wg.Go(d.syncLoop) // ends when toSync is closed
	defer close(d.toSync)
	ticker := time.NewTicker(d.opt.TickEvery)
	defer ticker.Stop()

	d.own.Lock()
	defer d.own.Unlock()
	d.running = true
	defer func() { d.running = false }()
	d.readClock()
	d.opt.Replica.Start(effects{d})
	d.endRound(nil)
	for d.failed == nil {
		more := d.more()
		d.own.Unlock()
		tick, ended := d.wait(ctx, ticker.C, more)
		d.own.Lock()
		if ended {
			return d.finish()
		}
		if d.failed == nil {
			d.round(tick, nil)
		}
	}
	return d.failed
}

// put leaves a letter and has it taken at once, by a round in the goroutine of the caller, who holds no lock that a Sink or Peers takes. It
// leaves that to Run while somebody has a round, and while rounds append many records: then one that begins with the first letter takes less at a
// time. What it saves is the way from one goroutine to another, often with a thread to be woken, at every step of a request.
//
// With pass it may also sync what its round has appended; see request.Handler.Submit.
func (d *Driver) put(l letter, pass func()) (on bool) {
	if !d.box.put(l) {
		return true
	}
	left := true // for Run; what comes during the round is left by others, who find it going on
	var mine logBatch
	if d.own.TryLock() {
		if d.running && d.failed == nil && d.log.rate < gatherRate {
			mine = d.alone(pass)
			left = d.failed != nil || d.more()
		}
		d.own.Unlock()
	}
	if left {
		d.box.signal()
	}
	if len(mine.parts) == 0 {
		return true
	}
	done := d.sync(mine)
	on = d.lent.CompareAndSwap(true, false)
	d.put(done, nil)
	return on
}

// more tells whether clients wait for their turns, and may have them.
func (d *Driver) more() bool { return d.turns.len() > 0 && d.log.waiting <= logWaitingMax }

// alone is a round in a goroutine that is not Run's, and returns what this is to sync. A panic ends the process, also where the caller would go on
// after one: the replica cannot.
func (d *Driver) alone(pass func()) (mine logBatch) {
	whole := false
	defer func() {
		if whole {
			return
		}
		why, stack := recover(), debug.Stack()
		go func() { panic(fmt.Sprintf("%v, in a round: %s", why, stack)) }()
		select {}
	}()
	mine = d.round(false, pass)
	whole = true
	return mine
}

// round takes what there is, and lets everybody have one turn. What it returns is to be synced by the caller, who then has a pass.
func (d *Driver) round(tick bool, pass func()) (mine logBatch) {
	d.readClock()
	full := d.log.waiting > logWaitingMax
	d.requests, d.control = d.box.take(d.requests[:0], d.control[:0], !full)
	for i := range d.control {
		d.obey(&d.control[i])
	}
	for i := range d.requests {
		d.deliver(&d.requests[i])
	}
	clear(d.requests)
	clear(d.control)
	if !full {
		d.takeTurns()
	}
	if tick {
		d.relieve()
		d.step(replica.Event{Kind: replica.Tick})
		d.views.sweep(d.opt.Replica.Tree(), time.Now())
	}
	if full && d.log.waiting <= logWaitingMax {
		d.box.signal()
	}
	return d.endRound(pass)
}

// wait returns when there is something to do, which is at once if there is more.
func (d *Driver) wait(ctx context.Context, ticks <-chan time.Time, more bool) (tick, ended bool) {
	if more {
		select {
		case <-ctx.Done():
			return false, true
		case <-ticks:
			return true, false
		default:
			return false, false
		}
	}
	select {
	case <-d.box.wake:
		return false, false
	case <-ticks:
		return true, false
	case <-ctx.Done():
		return false, true
	}
}

// readClock sets the time of the round.
func (d *Driver) readClock() {
	t := time.Now()
	d.now, d.wallMS = int64(t.Sub(d.start)), t.UnixMilli()
}

// wall is the time of day, in nanoseconds since 1970, of a moment that is a letter's at.
func (d *Driver) wall(at int64) int64 {
	t := time.Now()
	return t.UnixNano() - (int64(t.Sub(d.start)) - at)
}

// step gives the replica one event at the time of the round.
func (d *Driver) step(ev replica.Event) {
	d.ev = ev
	d.ev.NowMS = d.now / int64(time.Millisecond)
	d.ev.WallMS = d.wallMS
	if !d.traces.none() {
		d.traces.stepping()
	}
	d.opt.Replica.Step(&d.ev, effects{d})
}

// endRound hands over the log, and lets the links to other servers and the clients' connections send. It returns what round does.
func (d *Driver) endRound(pass func()) (mine logBatch) {
	if d.proposedMS != 0 && d.opt.Propagated != nil && d.opt.Replica.Serves() {
		d.opt.Propagated(time.Duration(d.wallMS-d.proposedMS) * time.Millisecond)
	}
	d.proposedMS = 0
	d.log.rate += (float64(d.log.appended) - d.log.rate) / roundsWeighed
	d.log.appended = 0
	mine = d.handOver(pass)
	if d.opt.Peers != nil {
		d.opt.Peers.Flush()
	}
	d.feed.publish(d.opt.Replica.Serves(), d.opt.Replica.Tree().Zxid(), d.durable, d.now)
	d.flush(true)
	d.flush(false)
	clear(d.dirty)
	d.dirty = d.dirty[:0]
	return mine
}

// flush lets connections send: those whose clients wait for an answer, or the others. Where many watch, the client that made
// the change does not wait until all of them have been sent its event.
func (d *Driver) flush(asked bool) {
	for _, c := range d.dirty {
		if !c.dirty || c.asked != asked {
			continue
		}
		c.dirty, c.asked = false, false
		if !c.left {
			c.sink.Flush()
		}
	}
}

// finish ends the loop in good order: what has been appended becomes durable and is answered.
func (d *Driver) finish() error {
	for d.failed == nil && (d.log.busy || len(d.log.pending.parts) > 0) {
		<-d.box.wake
		d.readClock()
		_, control := d.box.take(nil, nil, false)
		for i := range control {
			d.obey(&control[i])
		}
		d.endRound(nil)
	}
	return d.failed
}

// obey takes a letter of the server itself.
func (d *Driver) obey(l *letter) {
	switch l.kind {
	case synced:
		d.log.synced(l.at, l.took)
		if l.err != nil {
			d.failed = fmt.Errorf("transaction log: %w", l.err)
			return
		}
		d.log.waiting -= l.weight
		for i := range l.events {
			if l.events[i].Kind == replica.Durable {
				d.durable = l.events[i].Zxid
				if !d.traces.none() {
					d.traces.durable(d.durable, d.wall(l.at))
				}
			}
			d.step(l.events[i])
		}
	case fromPeer:
		d.fromPeer(l)
	case snapshotDone:
		if l.err != nil {
			d.stats.SnapshotErrors++
			d.opt.Logger.Error().Err(l.err).Str("zxid", l.view.Zxid().String()).Msg("snapshot not written")
		}
		d.step(replica.Event{Kind: replica.SnapshotDone, View: l.view})
	case inspect:
		l.fn()
	}
}

// deliver takes a letter of a door.
func (d *Driver) deliver(l *letter) {
	c := d.clients[l.client]
	switch l.kind {
	case opened:
		d.clients[l.client] = &conn{id: l.client, sink: l.sink}
		d.step(replica.Event{Kind: replica.Opened, Client: l.client, Origin: l.origin})
	case connect:
		if c != nil {
			d.step(replica.Event{Kind: replica.Connect, Client: l.client, Connect: l.connect})
		}
	case submit:
		if c == nil {
			d.box.done(l.weight)
			return
		}
		c.queue.Push(*l)
		d.turns.add(c)
	case drained:
		if c != nil {
			d.turns.add(c)
		}
	case closed:
		if c != nil {
			c.left = true
			d.drop(c)
			d.step(replica.Event{Kind: replica.Disconnected, Client: l.client})
		}
	}
}

// drop forgets a client and what it still had to say.
func (d *Driver) drop(c *conn) {
	delete(d.clients, c.id)
	c.gone = true
	if d.recent == c {
		d.recent = nil
	}
	if !d.traces.none() {
		d.traces.forget(c.id)
	}
	for c.queue.Len() > 0 {
		d.box.done(c.queue.Front().weight)
		c.queue.Pop()
	}
}

// Inspect runs fn in the owner's goroutine, where it may read the replica, and returns when it has run. It returns false if ctx
// or Run ends first, and then fn has not run and will not.
func (d *Driver) Inspect(ctx context.Context, fn func(*replica.Replica, *Stats)) bool {
	done := make(chan struct{})
	var taken atomic.Bool // by the owner, or by who has given up
	d.box.post(letter{kind: inspect, fn: func() {
		if taken.CompareAndSwap(false, true) {
			fn(d.opt.Replica, &d.stats)
			close(done)
		}
	}})
	select {
	case <-done:
		return true
	case <-ctx.Done():
	case <-d.ended:
	}
	if taken.CompareAndSwap(false, true) {
		return false
	}
	<-done
	return true
}

// Wall is the time of day of a moment of the replica's clock, in milliseconds.
func (d *Driver) Wall(ms int64) time.Time { return d.start.Add(time.Duration(ms) * time.Millisecond) }

// Do gives the replica an event of an operator, such as SnapshotNow.
func (d *Driver) Do(ev replica.Event) {
	d.box.post(letter{kind: inspect, fn: func() { d.step(ev) }})
}
