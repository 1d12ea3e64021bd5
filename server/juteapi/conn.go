package juteapi

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/jute"
	"paddock/internal/nonblock"
	"paddock/internal/relay"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/secure"
)

// Why a connection ended, where the handler did not say so itself; see request.CloseReason for the others.
const (
	endEOF        = "eof"
	endBroken     = "broken"           // the network or the client's host
	endIdle       = "idle"             // nothing came or went for too long, or a frame took too long
	endFrame      = "frame_length"     // a frame length that is negative or above jute.maxbuffer
	endFourLetter = "four_letter_word" // a word was answered
	endMalformed  = "malformed"        // a connect request or a request header that does not decode
	endSlow       = "slow_client"
	endShutdown   = "shutdown"
	endHandshake  = "tls_handshake" // it failed, or was not begun
)

const (
	// batchRequestsMax is how many requests are submitted at once; what one read brought beyond is another batch.
	batchRequestsMax = 256
	// outstandingMax is the number of unanswered requests above which nothing more is submitted until half of them are
	// answered. One batch may go beyond it.
	outstandingMax = 1024
	// lingerMax is how long the rest of what a client sends is read and dropped after the last byte was sent to it. To
	// close a socket with unread bytes may destroy that last answer on its way.
	lingerMax = 500 * time.Millisecond
	// connectTimeoutMax bounds how long a connection waits for its session when the client asks for a long timeout.
	connectTimeoutMax = time.Minute
)

// conn is one connection. The first group of fields never changes; who owns the others is said at each group.
type conn struct {
	srv    *Server
	nc     net.Conn
	try    *nonblock.Writer // nil if every write is to be a goroutine's
	tls    *sealed          // set before the handler sees the connection; nil without TLS
	addr   string           // remote, host:port
	ip     netip.Addr
	opened time.Time

	// The reader's.
	in   input
	dec  jute.Coder
	id   request.ClientID // set before the handler can call the sink
	need int              // size of the frame that is being received, 0 if unknown

	// The handler's owner's.
	enc  jute.Coder // appends to out, which is nil between Flush and what is told next
	out  *buffer
	told told

	// The writer's that has the connection: what seal made last.
	cipher *buffer

	established chan struct{} // closed when the reader may go on after connect: connected, or dead
	settle      sync.Once     // guards the closing of established

	old       atomic.Bool  // the client sends and wants no readOnly; set before connect
	refused   atomic.Bool  // the session was refused: nothing more is submitted
	ending    atomic.Bool  // the sink was closed: nothing more is submitted, what comes is dropped
	parted    atomic.Bool  // the client asked for the end, so nothing more is to be expected of it
	dead      atomic.Bool  // both directions of the socket have ended
	large     atomic.Bool  // the receive buffer is large
	busy      atomic.Bool  // the reader waits for the handler, so silence is not the client's
	over      atomic.Bool  // Backlog told that there is too much; Drained is owed
	unsent    atomic.Int64 // bytes handed over and not written
	limit     atomic.Int64 // idle limit, ns
	lastIO    atomic.Int64 // when bytes last came or went, ns of Server.now
	frameFrom atomic.Int64 // when the frame that is being received began, 0 for none
	writeFrom atomic.Int64 // when a blocked write last got on, 0 for none
	lingering atomic.Int64 // when lingering began, 0 for not

	mu      sync.Mutex // guards all below
	idle    sync.Cond  // what the reader waits for in pause, or at the end, may have come true
	paused  bool       // the reader is in pause
	queued  bool       // a writer has the connection, or will have
	pending *buffer    // handed over, not yet taken by a writer
	removed bool       // it is not counted any more
	telling told       // what pending tells
	reason  string     // why it ended; the first counts
	session zk.SessionID
	timeout int32 // of the session, ms
	stats   stats
}

// newConn makes the connection of an accepted socket.
func newConn(s *Server, nc net.Conn, addr string, ip netip.Addr) *conn {
	c := &conn{srv: s, nc: nc, try: nonblock.New(nc), addr: addr, ip: ip, opened: s.opt.Clock(), established: make(chan struct{})}
	c.idle.L = &c.mu
	c.stats.reset()
	c.setLimit(s.opt.SessionlessTimeout)
	c.lastIO.Store(s.now())
	return c
}

// serve is the reader, from the first byte to the end of the connection.
func (c *conn) serve() {
	if why := c.open(); why != "" {
		c.close(why)
		return
	}
	relay.Run(c.receive, c.close)
}

// close ends the connection once nobody reads any more. why is the reason unless it is known already.
func (c *conn) close(why string) {
	c.kill(why)
	c.mu.Lock()
	for c.queued { // both directions have ended, so a write does not take long
		c.idle.Wait()
	}
	why = c.reason
	c.pending = nil
	c.mu.Unlock()
	c.release()
	c.nc.Close()
	if c.id != 0 {
		c.srv.opt.Handler.Close(c.id)
	}
	c.in.release()
	c.srv.remove(c, why)
}

// kill ends both directions of the socket for a reason; all that belongs to the connection then ends by itself, and its
// reader closes the socket last. Any goroutine; it does not block, as closing would while others read or write.
func (c *conn) kill(reason string) {
	c.blame(reason)
	if !c.dead.Swap(true) {
		if tcp, ok := c.nc.(*net.TCPConn); ok {
			if reason == endSlow {
				tcp.SetLinger(0) // what the client has not read it shall not have
			}
			tcp.CloseRead()
			tcp.CloseWrite()
		} else {
			c.srv.wg.Go(func() { c.nc.Close() })
		}
	}
	c.settle.Do(func() { close(c.established) })
	c.resume()
}

// blame notes why the connection ends unless it is known already.
func (c *conn) blame(reason string) {
	c.mu.Lock()
	if c.reason == "" {
		c.reason = reason
	}
	c.mu.Unlock()
}

// setLimit sets the idle limit: the timeout rounded up to a multiple of the sessionless timeout, as ZooKeeper does.
func (c *conn) setLimit(timeout time.Duration) {
	unit := c.srv.opt.SessionlessTimeout
	c.limit.Store(int64((timeout + unit - 1) / unit * unit))
}

// open makes the connection that of a client, or tells why it ends.
func (c *conn) open() string {
	if why := c.secure(); why != "" {
		return why
	}
	return c.shakeHands()
}

// receive reads until the connection ends, and tells why. pass has another goroutine read on where this one is held up; then ended is false.
func (c *conn) receive(pass func()) (ended bool, why string) {
	c.waited()
	for {
		switch why := c.requests(pass); why {
		case "":
		case passedOn:
			return false, ""
		default:
			return true, why
		}
		if why := c.fill(); why != "" {
			return true, why
		}
	}
}

// passedOn is no reason of an end: another goroutine reads on.
const passedOn = "passed on"

// fill reads once. An empty string means that bytes have come.
func (c *conn) fill() string {
	for {
		room := c.in.room(c.need)
		if large := c.in.large(); large != c.large.Load() {
			c.large.Store(large)
		}
		n, err := c.read(room)
		if n > 0 {
			if c.ending.Load() || c.srv.draining.Load() {
				continue // nobody wants it
			}
			c.in.arrived(n)
			c.lastIO.Store(c.srv.now())
			return ""
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && c.lingering.Load() == 0 && !c.dead.Load():
			c.nc.SetReadDeadline(time.Time{}) // the sweeper asks to give the large buffer back
			c.in.shrink()
		case errors.Is(err, io.EOF):
			return endEOF
		default:
			return endBroken
		}
	}
}

// requests submits all complete frames that have come.
func (c *conn) requests(pass func()) string {
	at := c.lastIO.Load()
	took := false
	for {
		n, end, next, err := cut(c.in.bytes(), c.srv.opt.JuteMaxBuffer, batchRequestsMax)
		if n > 0 {
			took = true
			if why := c.submit(c.in.take(end), n, at, pass); why != "" {
				return why
			}
		}
		switch {
		case err != nil:
			return c.badLength()
		case c.ending.Load():
			return ""
		case n < batchRequestsMax:
			c.note(next, took)
			return ""
		}
	}
}

// note remembers since when a frame is incomplete, and how long it is.
func (c *conn) note(next int, took bool) {
	c.need = next
	switch {
	case len(c.in.bytes()) == 0:
		c.frameFrom.Store(0)
	case took || c.frameFrom.Load() == 0:
		c.frameFrom.Store(c.srv.now())
	}
}

// submit decodes the n frames of block, which it gives away, and hands them to the handler. A header that does not
// decode ends the connection; what came before it is submitted.
func (c *conn) submit(block []byte, n int, at int64, pass func()) (why string) {
	reqs := make([]zk.Request, n)
	bytes := len(block)
	for i := range reqs {
		var frame []byte
		frame, block = next(block)
		if len(frame) < zk.HeaderBytes {
			reqs, why = reqs[:i], endMalformed
			break
		}
		c.dec.Reset(frame)
		reqs[i].Jute(&c.dec)
	}
	c.dec.Reset(nil)
	c.mu.Lock()
	c.stats.received(len(reqs), bytes, at)
	c.mu.Unlock()
	if len(reqs) == 0 || c.refused.Load() || c.ending.Load() {
		return why
	}
	c.busy.Store(true)
	c.frameFrom.Store(0)
	if why != "" {
		pass = nil // nobody reads on
	}
	if c.pause() && !c.srv.opt.Handler.Submit(c.id, reqs, pass) {
		return passedOn
	}
	c.waited()
	return why
}

// waited notes that from now on it is the client that is waited for.
func (c *conn) waited() {
	c.lastIO.Store(c.srv.now())
	c.busy.Store(false)
}

// pause waits while the client has too much unread, or too many requests unanswered, so that it uses up no more than its
// share of what the handler may hold. false: the connection has ended.
func (c *conn) pause() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := int64(outstandingMax)
	for (c.over.Load() || c.stats.open > most) && !c.dead.Load() && !c.ending.Load() {
		most = outstandingMax / 2
		c.paused = true
		c.idle.Wait()
	}
	c.paused = false
	return !c.dead.Load() && !c.ending.Load()
}

// resume lets a reader that pauses look again.
func (c *conn) resume() {
	c.mu.Lock()
	c.idle.Signal()
	c.mu.Unlock()
}

// next splits the first frame off a run of complete ones.
func next(block []byte) (frame, rest []byte) {
	end := frameHeader + int(frameLength(block))
	return block[frameHeader:end:end], block[end:]
}

// badLength reports a frame length out of range. The line starts with the words that operators search for.
func (c *conn) badLength() string {
	b := c.in.bytes()
	text := "Len error: frame length out of range, connection closed"
	if isTLS, _ := secure.Detect(b); isTLS && c.tls == nil {
		text = "Len error: the client speaks TLS to a port without; use secureClientPort, or set client.portUnification=true"
	}
	if more, ok := c.srv.quiet.Allow("len "+c.ip.String(), c.srv.now()); ok {
		c.srv.log.Warn().Str("addr", c.addr).Int32("length", frameLength(b)).Int("jute_maxbuffer", c.srv.opt.JuteMaxBuffer).
			Uint64("times", more).Msg(text)
	}
	return endFrame
}
