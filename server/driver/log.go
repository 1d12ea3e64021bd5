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

// Who has a round syncs what it has appended, instead of waking the syncer, while records come one by one: but crowdMax of the last syncsWeighed or so
// have. After hereMax the syncer has some again, so that it is seen what others would have decided without this disk.
//
// It does so while a sync takes less than syncHereMax, since elsewhere there is nothing to be gained, and ends no more than lateMax after others have
// decided, since who syncs does not hear of that. relieveAfter is how long one may take before somebody else reads on, tookMax the longest that counts.
const (
	syncsWeighed = 64
	crowdMax     = 1. / 16
	hereMax      = 4096
	syncHereMax  = time.Millisecond
	lateMax      = 200 * time.Microsecond
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
	pending  logBatch // appended since the syncer was last given something
	roll     bool     // the next append starts a new file
	busy     bool     // a batch is being written and synced
	waiting  int64    // bytes appended and not yet durable
	appended int      // records of this round
	rate     float64  // records that a round appends, on average
	// the batch that is worked on, or was last
	last    zk.Zxid
	begun   int64 // when it was handed over, as Driver.now
	applied int64 // when it had been applied, as Driver.now; 0 if it has not
	mine    bool  // by who had the round

	crowd float64       // how many batches were more than a single record, on average
	here  int           // batches that were left to who had the round
	took  time.Duration // to write and sync a batch, on average
	late  time.Duration // how long after it had been applied it was durable, on average, of those of the syncer
	back  chan []byte   // buffers that the syncer is done with
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
	single := !s.busy && d.single(&s.pending)
	s.crowded(!single)
	if s.busy {
		return logBatch{}
	}
	batch := s.pending
	s.pending, s.busy, s.begun, s.applied = logBatch{}, true, d.now, 0
	s.last = batch.parts[len(batch.parts)-1].last
	if s.mine = pass != nil && single && s.crowd < crowdMax && s.took < syncHereMax && s.late < lateMax; s.mine {
		if s.here++; s.here == hereMax {
			s.here, s.crowd = 0, 1
		}
		d.pass = pass
		d.lent.Store(true)
		return batch
	}
	d.toSync <- batch
	return logBatch{}
}

// crowded notes whether what has gathered is more than a single record.
func (s *logState) crowded(yes bool) {
	x := 0.
	if yes {
		x = 1
	}
	s.crowd += (x - s.crowd) / syncsWeighed
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

// synced notes that a batch is durable, or is not going to be: when, as Driver.now, and how long it has taken.
func (s *logState) synced(at int64, took time.Duration) {
	s.busy = false
	s.took += (min(took, tookMax) - s.took) / roundsWeighed
	if s.mine {
		return
	}
	late := time.Duration(0)
	if s.applied != 0 {
		late = min(max(time.Duration(at-s.applied), 0), tookMax)
	}
	s.late += (late - s.late) / syncsWeighed
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
