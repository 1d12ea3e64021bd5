package grpcapi

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"

	"paddock/server/request"
)

// connection is one transport connection of this door, and what its calls share. grpc hands it to each call as the AuthInfo of its
// peer: that costs nothing per call, which telling a stats.Handler of each call would.
type connection struct {
	credentials.AuthInfo // what the transport security found out

	guest  atomic.Pointer[line]       // reads of calls without a session; nil before the first
	recent atomic.Pointer[session]    // the session that was named last
	told   atomic.Pointer[identified] // who called last

	mu     sync.Mutex // guards the opening of a guest, and closed
	closed bool
}

// identified remembers what the metadata of a call has said of who calls.
type identified struct {
	authorization, peer, secure string
	caller                      caller
}

// handshake wraps the transport security of the door, which the socket in the data directory does without: it gives each connection what its calls share.
type handshake struct {
	credentials.TransportCredentials
}

// newHandshake wraps c, or nothing.
func newHandshake(c credentials.TransportCredentials) handshake {
	if c == nil {
		c = insecure.NewCredentials()
	}
	return handshake{c}
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
	c := &connection{AuthInfo: info}
	return &watchedConn{Conn: nc, connection: c}, c, nil
}

// Clone implements credentials.TransportCredentials.
func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone()}
}

// watchedConn tells its connection when it is closed.
type watchedConn struct {
	net.Conn
	connection *connection
}

// Close closes the socket and the clients of the server that belonged to it.
func (c *watchedConn) Close() error {
	c.connection.close()
	return c.Conn.Close()
}

// close ends the guest. Sessions stay, as other connections may name them.
func (c *connection) close() {
	c.mu.Lock()
	c.closed = true
	g := c.guest.Load()
	c.mu.Unlock()
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
	g := openLine(h, request.Origin{Addr: who.addr, IP: who.ip, Secure: who.secure}, nil)
	c.guest.Store(g)
	if c.closed {
		g.close(request.CloseUnknown)
	}
	return g
}
