package juteapi

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"paddock/server/secure"
)

const (
	// sealBytesMax is how much is encrypted at a time: some records, whose bytes fit a buffer that goes back to the pool.
	sealBytesMax = 48 << 10
	// sealedBytesMax bounds the encrypted bytes of one connection that are not yet handed to its socket: what seal makes, and
	// what TLS itself has to say.
	sealedBytesMax = 2 * sealBytesMax
)

// errSealed ends a connection whose client makes TLS talk to itself.
var errSealed = errors.New("the client asks for new keys without end")

// sealed is the TLS of one connection. The reader decrypts, whoever has the connection as a writer encrypts. Once the
// handshake is over encrypted bytes are gathered, so that encrypting never waits for the socket: they are sent like
// those of a connection without TLS.
type sealed struct {
	*tls.Conn
	line line
}

// line is what crypto/tls takes for the socket.
type line struct {
	net.Conn
	head []byte // read before the handshake began, and still to be read; the reader's

	mu     sync.Mutex // guards all below
	gather bool       // the handshake is over
	out    *buffer    // encrypted and not yet taken
}

// Read implements net.Conn.
func (l *line) Read(b []byte) (int, error) {
	if len(l.head) > 0 {
		n := copy(b, l.head)
		l.head = l.head[n:]
		return n, nil
	}
	return l.Conn.Read(b)
}

// Write implements net.Conn.
func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.gather {
		return l.Conn.Write(b)
	}
	if l.out == nil {
		l.out = buffers.Get().(*buffer)
	}
	if len(l.out.b)+len(b) > sealedBytesMax {
		return 0, errSealed
	}
	l.out.b = append(l.out.b, b...)
	return len(b), nil
}

// SetWriteDeadline implements net.Conn. crypto/tls sets one to say farewell, which is gathered and waits for nobody.
func (l *line) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	gather := l.gather
	l.mu.Unlock()
	if gather {
		return nil
	}
	return l.Conn.SetWriteDeadline(t)
}

// take returns what was gathered, or nil.
func (l *line) take() *buffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.out
	l.out = nil
	return b
}

// secure shakes hands if the port has TLS. It is the reader's. The first bytes tell whether the client wants to: crypto/tls
// would wait for more of them than a four-letter word has. Until they have come the sweeper sees to the connection, then
// secure.TLS bounds the handshake.
func (c *conn) secure() string {
	if c.srv.opt.TLS == nil {
		return ""
	}
	c.frameFrom.Store(c.srv.now())
	isTLS, known := false, false
	for !known {
		if why := c.fill(); why != "" {
			return why
		}
		isTLS, known = secure.Detect(c.in.bytes())
	}
	c.frameFrom.Store(0)
	switch {
	case isTLS:
	case c.srv.opt.Unified:
		return ""
	default:
		c.srv.opt.TLS.Refuse(c.addr, c.ip.String())
		return endHandshake
	}
	if drop := c.srv.opt.DropEarly; drop != nil && drop() {
		return endHandshake
	}
	s := &sealed{line: line{Conn: c.nc}}
	s.line.head = c.in.take(len(c.in.bytes()))
	s.Conn = tls.Server(&s.line, c.srv.secured)
	c.busy.Store(true)
	err := c.srv.opt.TLS.Handshake(s.Conn, c.addr, c.ip.String())
	c.lastIO.Store(c.srv.now())
	c.busy.Store(false)
	if err != nil {
		return endHandshake
	}
	s.line.mu.Lock()
	s.line.gather = true
	s.line.mu.Unlock()
	c.mu.Lock()
	c.tls = s // snapshots look at it
	c.mu.Unlock()
	return ""
}

// read reads what the client sends, decrypted.
func (c *conn) read(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Read(b)
	}
	return c.nc.Read(b)
}

// seal makes of b the next bytes for the socket, which are valid until it is called again; rest is what is left of b. A
// connection whose TLS has failed makes none, and ends. Only whoever set queued may call it.
func (c *conn) seal(b []byte) (out, rest []byte) {
	if c.tls == nil {
		return b, nil
	}
	c.recycleCipher()
	n := min(len(b), sealBytesMax)
	if _, err := c.tls.Write(b[:n]); err != nil {
		c.kill(endBroken)
		return nil, nil
	}
	if c.cipher = c.tls.line.take(); c.cipher == nil {
		return nil, b[n:]
	}
	return c.cipher.b, b[n:]
}

// farewell tells the client that nothing more comes, if its socket takes that at once. Only whoever set queued may call it.
func (c *conn) farewell() {
	if c.tls == nil || c.tls.CloseWrite() != nil {
		return
	}
	c.recycleCipher()
	if c.cipher = c.tls.line.take(); c.cipher != nil {
		c.writeNow(c.cipher.b)
	}
}

// recycleCipher gives back what seal made, once it is written.
func (c *conn) recycleCipher() {
	if c.cipher != nil {
		c.cipher.recycle()
		c.cipher = nil
	}
}

// release gives back what TLS has left, at the end of the connection.
func (c *conn) release() {
	c.recycleCipher()
	if c.tls == nil {
		return
	}
	if b := c.tls.line.take(); b != nil {
		b.recycle()
	}
}
