package juteapi

import (
	"errors"
	"os"
	"sync"
	"time"

	"paddock/server/request"
)

const (
	// writersMin is the least number of goroutines that send for all connections; otherwise it is one per processor.
	writersMin = 2
	// writerTakes is how many connections a writer takes off the queue at once.
	writerTakes = 32
	bulkTakes   = 4
	// quickBytes is how much a connection may have to send to be served before those with more.
	quickBytes = 8 << 10
	// writeBytesMax is the most that one blocking write is given, so that progress shows.
	writeBytesMax = 256 << 10
)

// writers is the queue of connections that have something to send. A connection is in it at most once, so it is never
// longer than there are connections.
type writers struct {
	mu     sync.Mutex // guards all below
	work   sync.Cond
	quick  []*conn // with little to send
	ready  []*conn // the others
	asleep int     // goroutines that wait for work
	woken  bool    // one of them has been woken and has not yet looked
	closed bool
}

// push queues a connection.
func (w *writers) push(c *conn) {
	quick := c.unsent.Load() <= quickBytes
	w.mu.Lock()
	if quick {
		w.quick = append(w.quick, c)
	} else {
		w.ready = append(w.ready, c)
	}
	wake := w.asleep > 0 && !w.woken
	w.woken = w.woken || wake
	w.mu.Unlock()
	if wake {
		w.work.Signal()
	}
}

// run is one writer; it returns once the queue is closed and empty.
func (w *writers) run() {
	var mine [writerTakes]*conn
	for {
		n := w.take(&mine)
		if n == 0 {
			return
		}
		for i, c := range mine[:n] {
			mine[i] = nil
			c.send()
		}
	}
}

// take waits for connections with something to send.
func (w *writers) take(mine *[writerTakes]*conn) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.quick)+len(w.ready) == 0 {
		if w.closed {
			return 0
		}
		w.asleep++
		w.work.Wait()
		w.asleep--
		w.woken = false
	}
	var n int
	w.quick, n = takeFront(w.quick, mine[:writerTakes-1], 0)
	w.ready, n = takeFront(w.ready, mine[:max(n+1, bulkTakes)], n) // few, as each may take long
	if len(w.quick)+len(w.ready) > 0 && w.asleep > 0 && !w.woken {
		w.woken = true
		w.work.Signal()
	}
	return n
}

// takeFront moves the front of a queue to into, from n on, as far as that reaches.
func takeFront(queue, into []*conn, n int) ([]*conn, int) {
	took := copy(into[n:], queue)
	rest := copy(queue, queue[took:])
	clear(queue[rest:])
	return queue[:rest], n + took
}

// close lets the writers end.
func (w *writers) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.work.Broadcast()
}

// send writes what the connection has, as long as the socket takes it. Only whoever set queued may call it.
func (c *conn) send() {
	for {
		b, t := c.takePending()
		if b == nil {
			return
		}
		left, rest := c.tryWrite(b.b)
		if len(left)+len(rest) > 0 {
			if c.dead.Load() {
				continue
			}
			// The socket is full: a goroutine of its own sends the rest, so that nobody waits for this client. serve
			// waits for it before the connection is gone.
			c.srv.wg.Go(func() { c.sendRest(b, left, rest, t) })
			return
		}
		c.wrote(b, t)
	}
}

// sendRest writes what tryWrite has left of b, and all that has come since, waiting for the client where it must.
func (c *conn) sendRest(b *buffer, left, rest []byte, t told) {
	for ok := c.finish(left, rest); ok && b != nil; ok = c.finish(nil, b.b) {
		c.wrote(b, t)
		if b, t = c.takePending(); b == nil {
			return
		}
	}
	for b != nil { // dead: drop what is there and leave
		b, _ = c.takePending()
	}
}

// takePending takes what was handed over. If there is nothing it leaves the connection, which after the sink was closed
// is its end.
func (c *conn) takePending() (*buffer, told) {
	c.mu.Lock()
	b, t := c.pending, c.telling
	c.pending, c.telling = nil, told{}
	over := b == nil && c.ending.Load() && !c.dead.Load() && c.lingering.Load() == 0
	if b == nil && !over {
		c.queued = false
		c.idle.Signal()
	}
	c.mu.Unlock()
	if over {
		c.linger()
		c.mu.Lock()
		c.queued = false
		c.idle.Signal()
		c.mu.Unlock()
	}
	return b, t
}

// wrote accounts for a buffer that was sent and gives it back. Until all of it is sent it takes its memory.
func (c *conn) wrote(b *buffer, t told) {
	c.sent(len(b.b))
	now := c.srv.now()
	c.lastIO.Store(now)
	c.mu.Lock()
	c.stats.answered(t, len(b.b), now)
	if c.paused && c.stats.open <= outstandingMax/2 {
		c.idle.Signal()
	}
	c.mu.Unlock()
	b.recycle()
	c.recycleCipher()
}

// sent lowers the backlog and tells the handler if it waits for that.
func (c *conn) sent(n int) {
	c.srv.unsent.Add(-int64(n))
	if c.unsent.Add(-int64(n)) < request.BacklogBytesMax/2 && c.over.Load() && c.over.CompareAndSwap(true, false) {
		c.srv.opt.Handler.Drained(c.id)
		c.resume()
	}
}

// tryWrite writes what the socket takes at once of b. left is what comes next, as it goes to the socket, and rest what is
// still to be sealed after it. An error shows at the next write.
func (c *conn) tryWrite(b []byte) (left, rest []byte) {
	for rest = b; len(left) == 0 && len(rest) > 0; {
		left, rest = c.seal(rest)
		left = left[c.writeNow(left):]
	}
	return left, rest
}

// writeNow writes what the socket takes at once and returns how much that was.
func (c *conn) writeNow(b []byte) int {
	if c.try == nil {
		return 0
	}
	return c.try.Write(b)
}

// finish writes what tryWrite has left, as writeAll does.
func (c *conn) finish(left, rest []byte) bool {
	for {
		if !c.writeAll(left) {
			return false
		}
		if len(rest) == 0 {
			return true
		}
		left, rest = c.seal(rest)
	}
}

// writeAll writes b however long that takes, unless the client takes nothing for longer than its idle limit.
func (c *conn) writeAll(b []byte) bool {
	defer c.writeFrom.Store(0)
	c.writeFrom.Store(c.srv.now())
	for len(b) > 0 {
		n, err := c.nc.Write(b[:min(len(b), writeBytesMax)])
		b = b[n:]
		if n > 0 {
			now := c.srv.now()
			c.lastIO.Store(now)
			c.writeFrom.Store(now)
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.kill(endBroken)
			return false
		case n == 0 && c.srv.now()-c.writeFrom.Load() >= c.limit.Load():
			c.kill(endSlow)
			return false
		default: // the sweeper wanted to know how far we are
			c.nc.SetWriteDeadline(time.Time{})
		}
	}
	return true
}

// linger ends the sending side. The reader drops what still comes until the client closes, or for lingerMax; it ends at
// once if the client asked for the end.
func (c *conn) linger() {
	c.lingering.Store(c.srv.now())
	c.ending.Store(true)
	if c.parted.Load() {
		c.nc.SetReadDeadline(time.Unix(1, 0))
		return
	}
	c.farewell()
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.nc.SetReadDeadline(time.Now().Add(lingerMax))
}
