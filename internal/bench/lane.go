package bench

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"paddock/internal/zk"
)

// phase is what the goroutines of a load are to do.
type phase = int32

const (
	phaseWarm    phase = iota // load, and count nothing
	phaseMeasure              // load and count
	phaseStop                 // ask nothing more, wait for the answers, end
)

// stage is what a load's goroutines share with the one that directs them.
type stage struct {
	phase atomic.Int32
	live  atomic.Int64 // answered in any phase
	base  time.Time
}

// now is the time since the stage began, in nanoseconds.
func (s *stage) now() int64 { return int64(time.Since(s.base)) }

// tally is what one goroutine counted while it measured.
type tally struct {
	kinds     [kindsMax]int64
	errors    map[zk.Code]int64
	sessions  int64
	events    int64
	latencies histogram
}

// fail counts a reply with an error code.
func (t *tally) fail(c zk.Code) {
	if t.errors == nil {
		t.errors = map[zk.Code]int64{}
	}
	t.errors[c]++
}

// merge adds what another goroutine counted.
func (t *tally) merge(o *tally) {
	for i, n := range o.kinds {
		t.kinds[i] += n
	}
	for c, n := range o.errors {
		if t.errors == nil {
			t.errors = map[zk.Code]int64{}
		}
		t.errors[c] += n
	}
	t.sessions += o.sessions
	t.events += o.events
	t.latencies.merge(&o.latencies)
}

// source makes the requests of one lane.
type source interface {
	// next returns the next frame's template and the number of the znode it is about, or nil if there are no more.
	next() (*template, int)
}

// sent is a request that waits for its reply.
type sent struct {
	at    int64 // when, by the stage's clock
	bytes int32 // of the reply that is due
	kind  kind
}

// lane keeps a window of requests outstanding on one connection. Replies come in the order of the requests, so a ring
// tells which one is due.
type lane struct {
	*link
	*stage
	src     source
	window  int
	ring    []sent // a power of two, at least window
	asked   uint32 // requests so far
	told    uint32 // replies so far
	out     []byte
	zxid    zk.Zxid
	tally   tally
	excused zk.Code // an error that is as good as success
}

// newLane makes a lane on a link.
func newLane(l *link, s *stage, src source, window int) *lane {
	ring := 1
	for ring < window {
		ring *= 2
	}
	return &lane{link: l, stage: s, src: src, window: window, ring: make([]sent, ring)}
}

// xidOf is the xid of a lane's n-th request: from 1, and never closeXid.
func xidOf(n uint32) int32 { return int32(n&0x3fffffff) + 1 }

// ready takes what was read and fills the window again. It tells when the stage has stopped, or the source has no more, and
// all replies have come.
func (l *lane) ready() (done bool, err error) {
	if err := l.take(); err != nil {
		return false, err
	}
	if err := l.ask(); err != nil {
		return false, l.lost(err)
	}
	return l.asked == l.told, nil
}

// ask fills the window with one write.
func (l *lane) ask() error {
	if l.phase.Load() == phaseStop || int(l.asked-l.told) == l.window {
		return nil
	}
	l.out = l.out[:0]
	at := l.now()
	for int(l.asked-l.told) < l.window {
		t, key := l.src.next()
		if t == nil {
			break
		}
		l.out = t.append(l.out, xidOf(l.asked), key)
		l.ring[l.asked&uint32(len(l.ring)-1)] = sent{at: at, bytes: int32(t.replyBytes), kind: t.kind}
		l.asked++
	}
	if len(l.out) == 0 {
		return nil
	}
	return l.write(l.out)
}

// take checks and counts the replies that were read.
func (l *lane) take() error {
	at, measure, before := l.now(), l.phase.Load() == phaseMeasure, l.told
	for {
		frame, err := l.buffered()
		if err != nil {
			return err
		}
		if frame == nil {
			break
		}
		if err := l.reply(frame, at, measure); err != nil {
			return err
		}
	}
	l.live.Add(int64(l.told - before))
	return nil
}

// reply checks and counts one reply.
func (l *lane) reply(frame []byte, at int64, measure bool) error {
	xid := replyXid(frame)
	if xid < 0 {
		return nil // an event or the answer to a ping, which no lane asked for
	}
	if l.asked == l.told || xid != xidOf(l.told) {
		return fmt.Errorf("%s answered xid %d where %d was due", l.server, xid, xidOf(l.told))
	}
	due := l.ring[l.told&uint32(len(l.ring)-1)]
	l.told++
	if z := replyZxid(frame); z > l.zxid {
		l.zxid = z
	} else if z < l.zxid {
		return fmt.Errorf("%s answered with zxid %v after %v", l.server, z, l.zxid)
	}
	if code := replyCode(frame); code != zk.OK {
		if measure && code != l.excused {
			l.tally.fail(code)
		}
		return nil
	}
	if len(frame) != int(due.bytes) {
		return fmt.Errorf("%s answered a %s with %d bytes where %d were due", l.server, kindNames[due.kind], len(frame), due.bytes)
	}
	if measure {
		l.tally.kinds[due.kind]++
		l.tally.latencies.add(at-due.at, 1)
	}
	return nil
}

// lost describes the end of a connection.
func (l *lane) lost(err error) error { return lost(l.server, int64(l.told), err) }

// lost describes the end of a connection that n replies came by.
func lost(server string, n int64, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err // the run has failed elsewhere, or was interrupted
	case hungUp(err):
		return fmt.Errorf("%s closed a connection after %d replies; its log says why", server, n)
	default:
		return fmt.Errorf("connection to %s after %d replies: %w", server, n, err)
	}
}
