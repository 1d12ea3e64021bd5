package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"paddock/consensus/quorum"
)

// peerConn is one election connection: the goroutine of serve reads, another writes.
type peerConn struct {
	t     *Transport
	id    quorum.ServerID
	c     net.Conn
	at    quorum.HostPort // its other end's election address, as far as it is known
	since time.Time
	begun uint64 // serial of the attempt that made it, or of its acceptance

	mu    sync.Mutex // guards frame
	frame []byte     // what is to be sent next; the newest wins
	wake  chan struct{}
	done  chan struct{}
	once  sync.Once     // closes done
	over  chan struct{} // closed when serve returns
}

// unheardMax is how long a notification may be on its way: a connection that does not deliver it ends, and the server is dialled
// anew. After a partition that is sooner heard than what an old connection sends again.
const unheardMax = time.Second

func newPeerConn(t *Transport, id quorum.ServerID, c net.Conn, at quorum.HostPort, begun uint64) *peerConn {
	if raw, ok := rawOf(c); ok {
		mortal(raw, unheardMax)
	}
	return &peerConn{t: t, id: id, c: c, at: at, since: time.Now(), begun: begun, wake: make(chan struct{}, 1), done: make(chan struct{}), over: make(chan struct{})}
}

// send puts a frame in the place of one that still waits.
func (p *peerConn) send(frame []byte) {
	p.mu.Lock()
	p.frame = frame
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *peerConn) close() {
	p.once.Do(func() { close(p.done) })
	p.t.open.close(p.c)
}

// serve reads until the connection ends, and returns when both halves have. It waits for the connection before, which has been closed, or is
// nil: what came on that is heard first.
func (p *peerConn) serve(before *peerConn) error {
	defer close(p.over)
	if before != nil {
		<-before.over
	}
	var writer sync.WaitGroup
	writer.Go(p.write) // serve waits for it
	err := p.read()
	p.close()
	writer.Wait()
	return err
}

func (p *peerConn) read() error {
	r := newReader(p.c)
	for {
		frame, ok, err := r.nextFrame()
		switch {
		case err != nil:
			p.t.log.Warn().Err(err).Int64("peer", int64(p.id)).Msg("election connection closed")
			return err
		case ok:
			p.t.decoded(p.id, frame)
		default:
			if err := r.fill(); err != nil {
				return err
			}
		}
	}
}

func (p *peerConn) write() {
	defer p.close()
	for {
		select {
		case <-p.done:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		frame := p.frame
		p.frame = nil
		p.mu.Unlock()
		if frame == nil {
			continue
		}
		p.c.SetWriteDeadline(time.Now().Add(p.t.opt.ElectionDialTimeout))
		if _, err := p.c.Write(frame); err != nil {
			return
		}
	}
}

// reachPeer dials the election port of a server, one list of addresses after the other, and says who this one is.
func (t *Transport) reachPeer(ctx context.Context, targets [][]quorum.HostPort) (net.Conn, quorum.HostPort, error) {
	var err error
	for _, addresses := range targets {
		var c net.Conn
		var at quorum.HostPort
		within, cancel := context.WithTimeout(ctx, t.opt.ElectionDialTimeout)
		c, at, err = t.connect(within, addresses)
		cancel()
		if err != nil {
			continue
		}
		c.SetWriteDeadline(time.Now().Add(t.opt.ElectionDialTimeout))
		if _, err = c.Write(appendHandshake(nil, t.introduction(c), t.opt.MultiAddress)); err == nil { // one write: ZooKeeper reads it with one read
			return c, at, nil
		}
		t.open.close(c)
	}
	return nil, quorum.HostPort{}, err
}

// introduction is this server's handshake on c. In the place of an address that is everywhere it gives that of c.
func (t *Transport) introduction(c net.Conn) handshake {
	h := handshake{server: t.opt.Self, addresses: electionAddresses(t.configs.Load().own)}
	for i, a := range h.addresses {
		if isWildcard(a.Host) {
			h.addresses[i].Host, _, _ = net.SplitHostPort(c.LocalAddr().String())
		}
	}
	return h
}

// greet reads the handshake of a connection that was accepted on the election port, as the one with this serial.
func (t *Transport) greet(c net.Conn, serial uint64, waiting *lobby) {
	c.SetReadDeadline(time.Now().Add(t.opt.ElectionReadTimeout))
	h, err := readHandshake(c)
	waiting.leave(c)
	if err != nil {
		t.log.Debug().Err(err).Stringer("addr", c.RemoteAddr()).Msg("election connection without a handshake")
		t.open.close(c)
		return
	}
	c.SetReadDeadline(time.Time{})
	t.inbox.post(func(d *desk) { d.greeted(h, c, serial) })
}
