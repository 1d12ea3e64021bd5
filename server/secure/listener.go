package secure

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// acceptPause is how long accepting pauses after an error that will pass.
const acceptPause = 10 * time.Millisecond

// Listener hands out *tls.Conn whose handshake is over.
type Listener struct {
	net.Listener
	tls   *TLS
	cfg   *tls.Config
	ready chan net.Conn
	stop  chan struct{}
	loops sync.WaitGroup // the one that accepts, and one for each handshake

	mu      sync.Mutex // guards all below
	pending map[net.Conn]struct{}
	closed  bool
	err     error // why nothing more is accepted
}

// Listen puts TLS with the application protocols in front of l, which it takes over.
func (t *TLS) Listen(l net.Listener, protocols ...string) *Listener {
	s := &Listener{Listener: l, tls: t, cfg: t.Config(protocols...), ready: make(chan net.Conn), stop: make(chan struct{}),
		pending: make(map[net.Conn]struct{})}
	s.loops.Go(s.accept) // ends with Close, which waits for it, or when l fails for good
	return s
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.stop:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.err
	}
}

// Close implements net.Listener. Handshakes under way fail; connections that were handed out stay.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.end(net.ErrClosed)
	l.loops.Wait()
	return err
}

// end has nothing more accepted.
func (l *Listener) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed, l.err = true, err
	close(l.stop)
	for c := range l.pending {
		c.Close()
	}
}

// accept never waits for a client.
func (l *Listener) accept() {
	for {
		nc, err := l.Listener.Accept()
		switch {
		case err == nil:
			if l.begin(nc) {
				l.loops.Go(func() { l.shake(nc) }) // ends with the handshake or Close
			} else {
				nc.Close()
			}
		case passes(err) && l.pause():
		default:
			l.end(err)
			return
		}
	}
}

// passes tells errors of accept that belong to one connection or one moment.
func passes(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause waits a moment; false if the listener was closed meanwhile.
func (l *Listener) pause() bool {
	t := time.NewTimer(acceptPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.stop:
		return false
	}
}

// begin notes a connection whose handshake is to come. There are never more than Handshake lets in, and one.
func (l *Listener) begin(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.pending) > l.tls.opt.HandshakesMax {
		return false
	}
	l.pending[nc] = struct{}{}
	return true
}

// shake shakes hands and hands the connection out.
func (l *Listener) shake(nc net.Conn) {
	c := tls.Server(nc, l.cfg)
	addr := nc.RemoteAddr().String()
	ip, _, err := net.SplitHostPort(addr)
	if err != nil {
		ip = addr
	}
	err = l.tls.Handshake(c, addr, ip)
	l.mu.Lock()
	delete(l.pending, nc)
	l.mu.Unlock()
	if err == nil {
		select {
		case l.ready <- c:
			return
		case <-l.stop:
		}
	}
	nc.Close()
}
