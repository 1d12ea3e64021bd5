package client

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// Errors of a connection.
var (
	// ErrExpired is what Dial returns when the server refuses the session that was to be taken up.
	ErrExpired = errors.New("session expired or wrong password")
	// ErrClosed is what requests get that were not answered when the connection ended.
	ErrClosed = errors.New("connection closed")
)

const (
	// OutstandingDefault is how many requests may be unanswered before Send blocks.
	OutstandingDefault = 1000
	// ReplyBytesMaxDefault is the longest reply accepted.
	ReplyBytesMaxDefault = 64 << 20
	// EventsMax is how many events wait to be taken off the channel; when it is full nothing more is read.
	EventsMax = 1024
)

// Options of Dial. The zero value asks for a new session of 10 seconds.
type Options struct {
	Timeout  time.Duration // session timeout to ask for; 0 for 10 s
	Session  zk.SessionID  // session to take up; 0 for a new one
	Password []byte        // of that session; nil for the one that every server computes from the id
	LastZxid zk.Zxid       // highest zxid seen
	ReadOnly bool          // accept a read-only server
	// Outstanding is how many requests may be unanswered before Send blocks; 0 for OutstandingDefault.
	Outstanding int
	// ReplyBytesMax is the longest reply accepted; 0 for ReplyBytesMaxDefault.
	ReplyBytesMax int
	// NoPing leaves pinging to the caller, who may want to see a session expire.
	NoPing bool
	// TLS is how to secure the connection; nil for a plain one. The name to verify is the host dialled unless it says another.
	TLS *tls.Config
	// Silence ends the connection when the server has sent nothing for longer than this share of the session timeout, in
	// percent; 0 to wait for ever. Pings are answered, so a server that lives is never silent for a third of it.
	Silence int
	// OnEvent takes the watches that fire, in place of Events: called by the goroutine that reads, so that an event is told
	// before any reply that the server sent after it. It must not block and must not call Do or Close.
	OnEvent func(zk.Event)
}

// Conn is one connection with its session.
type Conn struct {
	nc       net.Conn
	opt      Options
	session  zk.ConnectResponse
	events   chan zk.Event
	slots    chan struct{} // one for each request outstanding
	kick     chan struct{} // there is something to write
	done     chan struct{} // closed when the connection has ended
	loops    sync.WaitGroup
	closing  sync.Once
	recycled []byte // the writer's

	mu      sync.Mutex // guards all below
	out     []byte     // frames to be written
	pending []call     // unanswered, oldest first, from head on
	head    int
	xid     int32
	zxid    zk.Zxid
	err     error // why the connection ended
}

// call is a request that waits for its reply.
type call struct {
	xid  int32
	op   zk.OpCode
	done func(*zk.Reply, error)
}

// Dial connects to addr ("host:port") and opens a session or takes one up. ctx bounds connecting and the handshake.
func Dial(ctx context.Context, addr string, opt Options) (*Conn, error) {
	if opt.Timeout == 0 {
		opt.Timeout = 10 * time.Second
	}
	if opt.Outstanding <= 0 {
		opt.Outstanding = OutstandingDefault
	}
	if opt.ReplyBytesMax <= 0 {
		opt.ReplyBytesMax = ReplyBytesMaxDefault
	}
	nc, err := connect(ctx, addr, opt.TLS)
	if err != nil {
		return nil, err // names the address
	}
	c := &Conn{nc: nc, opt: opt, zxid: opt.LastZxid, events: make(chan zk.Event, EventsMax),
		slots: make(chan struct{}, opt.Outstanding), kick: make(chan struct{}, 1), done: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err = c.handshake()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("open a session at %s: %w", addr, err)
	}
	c.loops.Go(c.read) // both end with the connection; Close and Abandon wait for them
	c.loops.Go(c.write)
	return c, nil
}

// connect dials addr, over TLS if secure is set.
func connect(ctx context.Context, addr string, secure *tls.Config) (net.Conn, error) {
	var d net.Dialer
	if secure == nil {
		return d.DialContext(ctx, "tcp", addr)
	}
	return (&tls.Dialer{NetDialer: &d, Config: secure}).DialContext(ctx, "tcp", addr)
}

// handshake sends the connect request and reads the answer.
func (c *Conn) handshake() error {
	req := zk.ConnectRequest{LastZxidSeen: c.opt.LastZxid, TimeoutMS: int32(c.opt.Timeout.Milliseconds()),
		Session: c.opt.Session, Password: c.opt.Password, ReadOnly: c.opt.ReadOnly}
	if req.Password == nil {
		p := c.opt.Session.Password()
		if c.opt.Session == 0 {
			p = [zk.PasswordBytes]byte{}
		}
		req.Password = p[:]
	}
	if _, err := c.nc.Write(appendFrame(nil, &req)); err != nil {
		return err
	}
	frame, err := readFrame(c.nc, nil, c.opt.ReplyBytesMax)
	if err != nil {
		return err
	}
	r := jute.Reader(frame)
	if c.session.Jute(r); r.Err() != nil {
		return fmt.Errorf("connect response: %w", r.Err())
	}
	if c.session.TimeoutMS <= 0 {
		return ErrExpired
	}
	return nil
}

// record is anything with a wire form.
type record interface{ Jute(*jute.Coder) }

// appendFrame appends the length and the bytes of a record.
func appendFrame(b []byte, r record) []byte {
	start := len(b)
	w := jute.Writer(append(b, 0, 0, 0, 0))
	r.Jute(w)
	b = w.Bytes()
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// readFrame reads one frame into buf, if that is large enough.
func readFrame(r io.Reader, buf []byte, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n < 0 || n > most {
		return nil, fmt.Errorf("frame of %d bytes, at most %d are accepted", n, most)
	}
	if n > cap(buf) {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(r, buf[:n])
	return buf[:n], err
}

// Session is the session's id.
func (c *Conn) Session() zk.SessionID { return c.session.Session }

// Password is the session's password.
func (c *Conn) Password() []byte { return append([]byte(nil), c.session.Password[:]...) }

// Timeout is the session timeout that the server granted.
func (c *Conn) Timeout() time.Duration { return time.Duration(c.session.TimeoutMS) * time.Millisecond }

// ReadOnly tells whether the server is read-only.
func (c *Conn) ReadOnly() bool { return c.session.ReadOnly }

// LastZxid is the highest zxid that a reply told of.
func (c *Conn) LastZxid() zk.Zxid {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.zxid
}

// Events are the watches that fired. The channel is closed when the connection has ended. Whoever sets watches must take
// the events: EventsMax of them wait, then replies wait too.
func (c *Conn) Events() <-chan zk.Event { return c.events }

// Done is closed when the connection has ended; Err then says why.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err is why the connection ended, nil while it lives.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Do sends a request and waits for its reply, which the caller may keep. The request's Xid is set unless it is already
// (special xids); a reply with an error code is not an error of Do.
func (c *Conn) Do(req *zk.Request) (*zk.Reply, error) {
	type outcome struct {
		reply *zk.Reply
		err   error
	}
	ch := make(chan outcome, 1)
	c.send(req, true, func(r *zk.Reply, err error) { ch <- outcome{r, err} })
	o := <-ch
	return o.reply, o.err
}

// Send sends a request and has done called with its reply, or with an error if the connection ends before. It blocks
// while Options.Outstanding requests are unanswered. done is called by the goroutine that reads, in the order of the
// replies; it must not block and must not call Do or Close. The reply is the callee's to keep.
func (c *Conn) Send(req *zk.Request, done func(*zk.Reply, error)) { c.send(req, true, done) }

// send queues a request; slot tells whether it counts as outstanding.
func (c *Conn) send(req *zk.Request, slot bool, done func(*zk.Reply, error)) {
	if slot {
		select {
		case c.slots <- struct{}{}:
			inner := done
			done = func(r *zk.Reply, err error) { <-c.slots; inner(r, err) }
		case <-c.done:
			done(nil, c.Err())
			return
		}
	}
	c.mu.Lock()
	if c.err != nil {
		err := c.err
		c.mu.Unlock()
		done(nil, err)
		return
	}
	if req.Xid == 0 {
		if c.xid++; c.xid < 0 {
			c.xid = 1
		}
		req.Xid = c.xid
	}
	c.out = appendFrame(c.out, req)
	c.pending = append(c.pending, call{req.Xid, req.Op, done})
	c.mu.Unlock()
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Close closes the session, waits for the server to say so, and ends the connection. The error is about the session: if
// it is not nil the session may live until it expires.
func (c *Conn) Close() error {
	_, err := c.Do(&zk.Request{Op: zk.OpCloseSession})
	c.Abandon()
	return err
}

// Abandon ends the connection and leaves the session to expire, or to be taken up again.
func (c *Conn) Abandon() {
	c.end(ErrClosed)
	c.loops.Wait()
}

// end notes why the connection ends, if it has not ended before, and closes the socket.
func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.closing.Do(func() {
		close(c.done)
		c.nc.Close()
	})
}
