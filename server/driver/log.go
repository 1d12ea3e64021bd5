package driver

import (
	"time"

	"paddock/internal/zk"
)

// logWaitingMax is how many bytes may wait for the disk before requests are no longer taken from the mailbox.
const logWaitingMax = 32 << 20

// While rounds append gatherRate records or more on average, of the last roundsWeighed or so, they are left to Run.
const (
	gatherRate    = 2
	roundsWeighed = 8
)

// Who has a round syncs what it has appended, instead of waking the syncer, while records come one by one: the last singlesMin have. It does so
// while a sync takes less than syncHereMax; where it takes longer there is nothing to be gained. relieveAfter is how long one may take before
// somebody else reads on, tookMax the longest that counts.
const (
	singlesMin   = 128
	syncHereMax  = time.Millisecond
	relieveAfter = 5 * time.Millisecond
	tookMax      = 16 * time.Millisecond
)

// logPart is a run of records that go into one file.
type logPart struct {
	task        *task // or something else
	roll        bool  // start a new file first
	framed      []byte
	first, last zk.Zxid
}

// logBatch is what one fsync covers.
type logBatch struct{ parts []logPart }

func (b *logBatch) bytes() (n int64) {
	for i := range b.parts {
		n += int64(len(b.parts[i].framed))
	}
	return n
}

// logState is the owner's side of the log.
type logState struct {
	pending  logBatch      // appended since the syncer was last given something
	roll     bool          // the next append starts a new file
	busy     bool          // the syncer has a batch
	waiting  int64         // bytes appended and not yet durable
	appended int           // records of this round
	rate     float64       // records that a round appends, on average
	begun    int64         // when the last batch was handed over, as Driver.now
	singles  int           // batches handed over since one was not a single record
	took     time.Duration // to write and sync a batch, on average
	back     chan []byte   // buffers that the syncer is done with
}

// bufferKeepBytes is the size up to which a buffer is used again.
const bufferKeepBytes = 1 << 20

// Append implements replica.Effects.
func (d effects) Append(z zk.Zxid, payload []byte) {
	s := &d.log
	parts := s.pending.parts
	if len(parts) == 0 || s.roll || parts[len(parts)-1].task != nil {
		parts = append(parts, logPart{roll: s.roll, first: z, framed: s.buffer()})
		s.roll = false
	}
	p := &parts[len(parts)-1]
	before := len(p.framed)
	p.framed = d.opt.Log.Frame(p.framed, payload)
	p.last = z
	s.appended++
	if !d.traces.none() {
		d.traces.appended(z)
	}
	s.waiting += int64(len(p.framed) - before)
	s.pending.parts = parts
}

// Roll implements replica.Effects.
func (d effects) Roll() { d.log.roll = true }

// buffer is an empty buffer to frame records in.
func (s *logState) buffer() []byte {
	select {
	case b := <-s.back:
		return b[:0]
	default:
		return make([]byte, 0, 16<<10)
	}
}

// handOver gives the syncer what has gathered, or leaves it to the caller, who has a pass, unless the last batch is still worked on.
func (d *Driver) handOver(pass func()) (mine logBatch) {
	s := &d.log
	if len(s.pending.parts) == 0 {
		return logBatch{}
	}
	if s.singles++; s.busy || !d.single(&s.pending) {
		s.singles = 0
	}
	if s.busy {
		return logBatch{}
	}
	batch := s.pending
	s.pending, s.busy, s.begun = logBatch{}, true, d.now
	if pass != nil && s.singles > singlesMin && s.took < syncHereMax {
		d.pass = pass
		d.lent.Store(true)
		return batch
	}
	d.toSync <- batch
	return logBatch{}
}

// single tells whether a batch is one record for the file in use, before which all that was logged has been applied. Who syncs it, and reads nothing meanwhile, keeps
// nobody waiting for something else.
func (d *Driver) single(b *logBatch) bool {
	p := &b.parts[0]
	return len(b.parts) == 1 && p.task == nil && !p.roll && p.first == p.last && d.opt.Replica.Tree().Zxid()+1 >= p.first
}

// relieve has somebody else read on for who syncs, once that takes long.
func (d *Driver) relieve() {
	if d.now-d.log.begun > int64(relieveAfter) && d.lent.CompareAndSwap(true, false) {
		d.pass()
	}
}

// synced notes that a batch is durable, or is not going to be, and how long that has taken.
func (s *logState) synced(took time.Duration) {
	s.busy = false
	s.took += (min(took, tookMax) - s.took) / roundsWeighed
}

// syncLoop is the syncer: one batch, one fsync (or one for each stretch between tasks), one letter. It stops at the first error.
func (d *Driver) syncLoop() {
	for batch := range d.toSync {
		done := d.sync(batch)
		d.put(done, nil)
		if done.err != nil {
			return
		}
	}
}

// sync writes and syncs a batch, and returns what the owner is told of it. It is called by one at a time, as busy says.
func (d *Driver) sync(batch logBatch) letter {
	begun := time.Now()
	events, err := d.syncBatch(batch)
	done := letter{kind: synced, events: events, weight: batch.bytes(), at: int64(time.Since(d.start)), took: time.Since(begun), err: err}
	for i := range batch.parts {
		if b := batch.parts[i].framed; b != nil && cap(b) <= bufferKeepBytes {
			select {
			case d.log.back <- b:
			default:
			}
		}
	}
	return done
}
