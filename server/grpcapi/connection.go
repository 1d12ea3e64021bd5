package grpcapi

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"

	"paddock/server/request"
)

// connection is one transport connection of this door, and what its calls share. grpc hands it to each call as the AuthInfo of its
// peer: that costs nothing per call, which telling a stats.Handler of each call would.
type connection struct {
	credentials.AuthInfo // what the transport security found out

	addr  string
	since time.Time

	guest  atomic.Pointer[line]       // reads of calls without a session; nil before the first
	recent atomic.Pointer[session]    // the session that was named last
	told   atomic.Pointer[identified] // who called last

	received, sent atomic.Int64 // messages
	running        atomic.Int64 // calls that are answered with one message
	pipelines      atomic.Int64 // that are open
	replyBytes     atomic.Int64 // that wait to be written

	mu      sync.Mutex // guards the opening of a guest, changes of replyBytes, and the fields below
	replies *replies   // where replyBytes count too; nil while there have been none
	closed  bool
}

// identified remembers what the metadata of a call has said of who calls.
type identified struct {
	authorization, peer, secure string
	caller                      caller
}

// handshake wraps the transport security of the door, which the socket in the data directory does without: it gives each connection what its calls share.
type handshake struct {
	credentials.TransportCredentials
	open *connections
}

// connections are those that are open, without those by the socket in the data directory: they are the server's own.
type connections struct {
	mu  sync.Mutex // guards set
	set map[*connection]struct{}
}

func (o *connections) add(c *connection) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set[c] = struct{}{}
}

func (o *connections) remove(c *connection) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.set, c)
}

// list is what an operator is told of them.
func (o *connections) list() []Connection {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []Connection
	for c := range o.set {
		one := Connection{
			Door: "grpc", Address: c.addr, Since: c.since, Received: c.received.Load(), Sent: c.sent.Load(), Outstanding: c.running.Load(),
		}
		if s := c.recent.Load(); s != nil {
			one.Session = s.id
		}
		list = append(list, one)
	}
	return list
}

// newHandshake wraps c, or nothing.
func newHandshake(c credentials.TransportCredentials) handshake {
	if c == nil {
		c = insecure.NewCredentials()
	}
	return handshake{c, &connections{set: map[*connection]struct{}{}}}
}

// ServerHandshake implements credentials.TransportCredentials.
func (h handshake) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	security := h.TransportCredentials
	if raw.LocalAddr().Network() == "unix" {
		security = insecure.NewCredentials() // it does not leave the machine
	}
	nc, info, err := security.ServerHandshake(raw)
	if err != nil {
		return nc, info, err
	}
	c := &connection{AuthInfo: info, addr: raw.RemoteAddr().String(), since: time.Now()}
	if raw.LocalAddr().Network() != "unix" {
		h.open.add(c)
	}
	return &watchedConn{Conn: nc, connection: c, open: h.open}, c, nil
}

// Clone implements credentials.TransportCredentials.
func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.open}
}

// watchedConn tells its connection when it is closed.
type watchedConn struct {
	net.Conn
	connection *connection
	open       *connections
}

// Close closes the socket and the clients of the server that belonged to it.
func (c *watchedConn) Close() error {
	c.open.remove(c.connection)
	c.connection.close()
	return c.Conn.Close()
}

// close ends the guest. Sessions stay, as other connections may name them.
func (c *connection) close() {
	c.mu.Lock()
	r := c.replies
	free := !c.closed && r != nil && r.less(c, c.replyBytes.Load()) // and nothing waits for it any more
	c.closed = true
	g := c.guest.Load()
	c.mu.Unlock()
	if free {
		r.unpark()
	}
	if g != nil {
		g.close(request.CloseUnknown)
	}
}

// isClosed tells whether the transport connection has ended.
func (c *connection) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// connectionOf is the connection that a call came by; nil if it did not come by this door.
func connectionOf(ctx context.Context) *connection {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	c, _ := p.AuthInfo.(*connection)
	return c
}

// security is what the transport security found out of the peer of a call.
func security(p *peer.Peer) credentials.AuthInfo {
	if c, ok := p.AuthInfo.(*connection); ok {
		return c.AuthInfo
	}
	return p.AuthInfo
}

// reader is the connection's guest; it is opened anew if it has ended.
func (c *connection) reader(h request.Handler, who *caller) *line {
	if g := c.guest.Load(); g != nil && !g.gone() {
		return g
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.guest.Load(); g != nil && !g.gone() {
		return g
	}
	g := (&line{prompt: true}).open(h, request.Origin{Addr: who.addr, IP: who.ip, Secure: who.secure}, nil)
	c.guest.Store(g)
	if c.closed {
		g.close(request.CloseUnknown)
	}
	return g
}
