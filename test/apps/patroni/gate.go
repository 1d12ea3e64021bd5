//go:build apps

package patroni

import (
	"net"
	"sync"
	"testing"
)

// gate is the way from one member to one server. While it is shut nothing passes, and neither side is told, as in a partition of a network;
// what was sent meanwhile arrives once it is open again.
type gate struct {
	server   string // where it leads to
	listener net.Listener
	passing  sync.WaitGroup // the goroutines of the listener and of every connection

	mu    sync.Mutex            // guards what follows
	way   chan struct{}         // closed while the gate is open
	ended chan struct{}         // closed with the test
	conns map[net.Conn]struct{} // both ends of every connection
}

// newGate opens a gate to a server until the test ends.
func newGate(t *testing.T, server string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{server: server, listener: listener, way: make(chan struct{}), ended: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(g.way)
	g.passing.Go(func() { // ends when the listener is closed
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			g.passing.Go(func() { g.admit(client) }) // ends when it has dialled, at the latest with the test
		}
	})
	t.Cleanup(g.end)
	return g
}

func (g *gate) address() string { return g.listener.Addr().String() }

// shut lets nothing pass from now on.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.way = make(chan struct{})
}

// open lets everything pass again.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.way)
}

// wait returns once the gate is open, with false if the test has ended before.
func (g *gate) wait() bool {
	g.mu.Lock()
	way := g.way
	g.mu.Unlock()
	select {
	case <-way:
		return true
	case <-g.ended:
		return false
	}
}

// admit connects a client to the server, or turns it away if the server is not there.
func (g *gate) admit(client net.Conn) {
	if !g.wait() {
		_ = client.Close()
		return
	}
	server, err := net.Dial("tcp", g.server)
	if err != nil {
		_ = client.Close()
		return
	}
	g.mu.Lock()
	g.conns[client], g.conns[server] = struct{}{}, struct{}{}
	g.mu.Unlock()
	g.passing.Go(func() { g.pass(server, client) }) // both end when either side closes, at the latest with the test
	g.passing.Go(func() { g.pass(client, server) })
}

// pass hands on what comes from one side until it ends, and then ends both.
func (g *gate) pass(to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if !g.wait() {
			break
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range []net.Conn{to, from} {
		_ = conn.Close()
		delete(g.conns, conn)
	}
}

// end closes all and returns when nothing passes any more.
func (g *gate) end() {
	_ = g.listener.Close()
	close(g.ended)
	g.mu.Lock()
	for conn := range g.conns {
		_ = conn.Close()
	}
	g.mu.Unlock()
	g.passing.Wait()
}
