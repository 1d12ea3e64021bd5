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
	pending  logBatch    // appended since the syncer was last given something
	roll     bool        // the next append starts a new file
	busy     bool        // the syncer has a batch
	waiting  int64       // bytes appended and not yet durable
	appended int         // records of this round
	rate     float64     // records that a round appends, on average
	back     chan []byte // buffers that the syncer is done with
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

// handOver gives the syncer what has gathered, unless it still works on the last batch.
func (d *Driver) handOver() {
	s := &d.log
	if s.busy || len(s.pending.parts) == 0 {
		return
	}
	s.busy = true
	d.toSync <- s.pending
	s.pending = logBatch{}
}

// syncLoop is the syncer: one batch, one fsync (or one for each stretch between tasks), one letter. It stops at the first error.
func (d *Driver) syncLoop() {
	for batch := range d.toSync {
		events, err := d.syncBatch(batch)
		done := letter{kind: synced, events: events, weight: batch.bytes(), at: int64(time.Since(d.start)), err: err}
		for i := range batch.parts {
			if b := batch.parts[i].framed; b != nil && cap(b) <= bufferKeepBytes {
				select {
				case d.log.back <- b:
				default:
				}
			}
		}
		d.put(done)
		if err != nil {
			return
		}
	}
}
