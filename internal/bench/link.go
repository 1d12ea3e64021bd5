package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

const (
	// sessionTimeoutMS is what sessions ask for.
	sessionTimeoutMS = 30_000
	// readBytes is the size of the buffer that replies are read through; it grows for longer ones.
	readBytes = 64 << 10
	// replyBytesMax is the longest reply accepted.
	replyBytesMax = 16 << 20
	// closeXid is the xid of the last request of a session.
	closeXid = 0x7fffffff
)

// link is a connection with its session and what was read from it. One goroutine owns it at a time.
type link struct {
	nc      net.Conn
	server  string
	secure  *tls.Config // nil for a plain connection
	stop    func() bool // of the function that interrupts it when the run fails
	session zk.SessionID
	fd      int    // of the socket while a poller has it, else -1
	in      []byte // in[r:w] was read and not taken
	r, w    int
}

// newLink makes a link that is not connected.
func newLink(server string, secure *tls.Config) *link {
	return &link{server: server, secure: secure, in: make([]byte, readBytes), fd: -1}
}

// dial opens a session. When ctx ends, whatever the link waits for fails with its cause.
func dial(ctx context.Context, server string, secure *tls.Config) (*link, error) {
	l := newLink(server, secure)
	return l, l.dial(ctx)
}

// dial opens a session, with the buffer of an earlier one.
func (l *link) dial(ctx context.Context) error {
	var d interface {
		DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	} = new(net.Dialer)
	if l.secure != nil {
		d = &tls.Dialer{Config: l.secure}
	}
	nc, err := d.DialContext(ctx, "tcp", l.server)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("%w: start the server, or name another one", err) // names the address
	}
	l.nc, l.r, l.w = nc, 0, 0
	l.bind(ctx)
	if err = l.handshake(); err == nil {
		return nil
	}
	l.abandon()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if hungUp(err) {
		return fmt.Errorf("open a session at %s: the server closed the connection before answering; "+
			"its log says why, often that an address has more connections than maxClientCnxns allows", l.server)
	}
	return fmt.Errorf("open a session at %s: %w", l.server, err)
}

// bind makes reads and writes fail when ctx ends, in place of the context before.
func (l *link) bind(ctx context.Context) {
	if l.stop != nil {
		l.stop()
	}
	l.stop = context.AfterFunc(ctx, func() { l.nc.SetDeadline(time.Unix(1, 0)) })
}

// handshake asks for a session and reads the answer.
func (l *link) handshake() error {
	req := zk.ConnectRequest{TimeoutMS: sessionTimeoutMS, Password: make([]byte, zk.PasswordBytes)}
	if _, err := l.nc.Write(appendFrame(nil, &req)); err != nil {
		return err
	}
	frame, err := l.next()
	if err != nil {
		return err
	}
	var resp zk.ConnectResponse
	r := jute.Reader(frame)
	if resp.Jute(r); r.Err() != nil {
		return fmt.Errorf("connect response: %w: is this a ZooKeeper client port?", r.Err())
	}
	if resp.TimeoutMS <= 0 {
		return errors.New("the server refused the session")
	}
	l.session = resp.Session
	return nil
}

// next returns the next frame, valid until the next call, and waits for it if need be.
func (l *link) next() ([]byte, error) {
	for {
		frame, err := l.buffered()
		if frame != nil || err != nil {
			return frame, err
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// buffered returns the next frame if it was read already, else nil.
func (l *link) buffered() ([]byte, error) {
	if l.w-l.r < frameHeaderBytes {
		return nil, nil
	}
	n := int(int32(binary.BigEndian.Uint32(l.in[l.r:])))
	if n < zk.ReplyHeaderBytes || n > replyBytesMax {
		return nil, fmt.Errorf("%s sent a frame of %d bytes: is it a ZooKeeper client port?", l.server, n)
	}
	end := l.r + frameHeaderBytes + n
	if end > l.w {
		if n+frameHeaderBytes > len(l.in) {
			l.in = append(l.in, make([]byte, n+frameHeaderBytes-len(l.in))...)
		}
		return nil, nil
	}
	frame := l.in[l.r+frameHeaderBytes : end]
	l.r = end
	return frame, nil
}

// room is where the next read goes.
func (l *link) room() []byte {
	if l.r > 0 {
		copy(l.in, l.in[l.r:l.w])
		l.r, l.w = 0, l.w-l.r
	}
	return l.in[l.w:]
}

// fill reads once, and waits for at least one byte.
func (l *link) fill() error {
	n, err := l.nc.Read(l.room())
	l.w += n
	if n > 0 {
		return nil
	}
	return err
}

// close closes the session, waits for the reply, and ends the connection. Replies of other requests are skipped.
func (l *link) close() error {
	defer l.abandon()
	if err := l.sendClose(); err != nil {
		return err
	}
	for {
		frame, err := l.next()
		if err != nil {
			return err
		}
		if replyXid(frame) == closeXid {
			return nil
		}
	}
}

// sendClose asks for the end of the session.
func (l *link) sendClose() error {
	return l.write(appendFrame(nil, &zk.Request{Xid: closeXid, Op: zk.OpCloseSession}))
}

// abandon ends the connection and leaves the session to expire.
func (l *link) abandon() {
	l.stop()
	l.nc.Close()
}

// hungUp tells whether an error is that the other side ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func replyXid(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame)) }
func replyZxid(frame []byte) zk.Zxid {
	return zk.Zxid(binary.BigEndian.Uint64(frame[4:]))
}
func replyCode(frame []byte) zk.Code {
	return zk.Code(int32(binary.BigEndian.Uint32(frame[12:])))
}
