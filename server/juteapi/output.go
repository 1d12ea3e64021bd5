package juteapi

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/request"
)

// Sizes of a send buffer: what the pool's are made with, and up to which they go back to the pool.
const (
	outputBytesMin  = 512
	outputBytesKept = 64 << 10
)

// What may wait for clients that do not read. The figures for all connections together keep many of them from taking
// the server's memory where each alone stays within its own bound.
const (
	unsentMuch     = 64 << 20  // bytes for all: above, each may have little more before its requests are left
	unsentTooMuch  = 128 << 20 // bytes for all: above, whoever has too much and is told more is cut off
	backlogLittle  = 16 << 10
	backlogTooMuch = 1 << 20
)

// buffer is what a connection is told between two calls of Flush. Buffers come from a pool when there is something to say
// and return to it once written, so a silent connection holds none.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, outputBytesMin)} }}

// recycle gives a buffer back, unless it grew too large to be kept.
func (b *buffer) recycle() {
	if cap(b.b) <= outputBytesKept {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// told sums up replies and events, for the statistics.
type told struct {
	packets, replies  int
	op                zk.OpCode // of the last reply
	xid               int32
	zxid              zk.Zxid
	connected         bool // the connect response is among them
	bytes             int  // of the replies, without their lengths
	last, least, most int  // bytes of a reply or an event without its length, 0 if there were none
}

// add joins what was told later.
func (t *told) add(u told) {
	t.packets += u.packets
	t.connected = t.connected || u.connected
	if u.replies > 0 {
		t.replies += u.replies
		t.bytes += u.bytes
		t.op, t.xid, t.zxid = u.op, u.xid, u.zxid
	}
	if u.most > 0 {
		t.body(u.least)
		t.body(u.most)
		t.last = u.last
	}
}

// body adds a reply or an event of so many bytes.
func (t *told) body(bytes int) {
	if t.most == 0 || bytes < t.least {
		t.least = bytes
	}
	t.most, t.last = max(t.most, bytes), bytes
}

// begin starts a frame. false: the connection is gone, or is now cut off because it reads too slowly.
func (c *conn) begin() (start int, ok bool) {
	if c.dead.Load() || c.ending.Load() {
		return 0, false
	}
	if c.out == nil {
		c.out = buffers.Get().(*buffer)
		c.enc = *jute.Writer(c.out.b)
	}
	start = len(c.enc.Bytes())
	waiting := start + int(c.unsent.Load())
	if waiting > c.srv.opt.UnsentBytesMax || waiting > backlogTooMuch && c.srv.unsent.Load() > unsentTooMuch {
		c.kill(endSlow)
		return 0, false
	}
	var length int32
	c.enc.Int32(&length)
	return start, true
}

// end completes the frame that began at start, and returns how long it is without its length.
func (c *conn) end(start int) int {
	b := c.enc.Bytes()[start:]
	if len(b) > math.MaxInt32 {
		c.kill(endSlow) // no frame can say how long this is
		return 0
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-frameHeader))
	c.told.packets++
	return len(b) - frameHeader
}

// Connected implements request.Sink.
func (c *conn) Connected(r *zk.ConnectResponse) {
	start, ok := c.begin()
	if !ok {
		return
	}
	resp := *r
	resp.Old = c.old.Load()
	resp.Jute(&c.enc)
	c.end(start)
	c.told.connected = true
	if resp.TimeoutMS <= 0 {
		c.refused.Store(true)
	} else {
		c.mu.Lock()
		c.session, c.timeout = resp.Session, resp.TimeoutMS
		c.mu.Unlock()
		c.setLimit(time.Duration(resp.TimeoutMS) * time.Millisecond)
	}
	c.settle.Do(func() { close(c.established) })
}

// Reply implements request.Sink.
func (c *conn) Reply(r *zk.Reply) {
	start, ok := c.begin()
	if !ok {
		return
	}
	r.Jute(&c.enc)
	bytes := c.end(start)
	c.told.body(bytes)
	c.told.bytes += bytes
	c.told.replies++
	c.told.op, c.told.xid, c.told.zxid = r.Op, r.Xid, r.Zxid
}

// Event implements request.Sink.
func (c *conn) Event(e *zk.Event) {
	start, ok := c.begin()
	if !ok {
		return
	}
	e.Jute(&c.enc)
	c.told.body(c.end(start))
}

// Flush implements request.Sink. It hands over the buffer and, unless somebody sends for the connection anyway, the
// connection; or it sends what the socket takes at once.
func (c *conn) Flush() {
	if c.out == nil {
		return
	}
	out := c.out
	out.b = c.enc.Bytes()
	c.out, c.enc = nil, jute.Coder{}
	if c.dead.Load() {
		c.told = told{}
		out.recycle()
		return
	}
	c.mu.Lock()
	if c.removed {
		c.mu.Unlock()
		return
	}
	c.owe(len(out.b))
	c.telling.add(c.told)
	c.told = told{}
	var spent *buffer
	if c.pending == nil {
		c.pending = out
	} else {
		c.pending.b = append(c.pending.b, out.b...)
		spent = out
	}
	wake := !c.queued
	c.queued = true
	c.mu.Unlock()
	if spent != nil {
		spent.recycle()
	}
	switch {
	case !wake:
	case c.srv.direct && c.tls == nil: // to encrypt is not the owner's work
		c.send()
	default:
		c.srv.writers.push(c)
	}
}

// Close implements request.Sink: the writer that sends the last byte ends the connection.
func (c *conn) Close(reason request.CloseReason) {
	c.blame(reason.String())
	c.Flush()
	c.parted.Store(reason == request.CloseSessionClosed)
	c.ending.Store(true)
	c.mu.Lock()
	wake := !c.queued
	c.queued = true
	c.mu.Unlock()
	if wake {
		c.srv.writers.push(c)
	}
	c.settle.Do(func() { close(c.established) })
	c.resume()
}

// Backlog implements request.Sink. When it tells of too much it makes sure that Drained will follow: it is noted before
// the figure is taken again, and a writer looks at the note after it has lowered the figure.
func (c *conn) Backlog() int {
	n := c.backlog()
	if n <= backlogLittle || n <= c.backlogMax() {
		return n
	}
	c.over.Store(true)
	if n = c.backlog(); n <= c.backlogMax() {
		c.over.Store(false)
		c.resume()
		return n
	}
	return max(n, request.BacklogBytesMax+1)
}

// backlogMax is the backlog above which the client's requests are left for now.
func (c *conn) backlogMax() int {
	if c.srv.unsent.Load() > unsentMuch {
		return backlogLittle
	}
	return request.BacklogBytesMax
}

// owe counts bytes that wait to be written.
func (c *conn) owe(n int) {
	c.unsent.Add(int64(n))
	c.srv.unsent.Add(int64(n))
}

// backlog is what was told and not written.
func (c *conn) backlog() int {
	n := int(c.unsent.Load())
	if c.out != nil {
		n += len(c.enc.Bytes())
	}
	return n
}
