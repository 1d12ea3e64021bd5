//go:build doors

package watches

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Bounds of what a proxy lets a server say on one connection.
const (
	saidMin    = 1 << 10
	saidShifts = 16       // the bound is up to saidMin << saidShifts
	buffered   = 32 << 10 // in the kernel, so that readers who stall are noticed
)

// proxy stands between watchers and a port of a server. It cuts each connection in the middle, wherever that is.
type proxy struct {
	listener net.Listener
	target   string
	calm     atomic.Bool // connections that begin now are not cut
	cuts     atomic.Int64
	wg       sync.WaitGroup

	mu     sync.Mutex // guards conns
	conns  map[net.Conn]struct{}
	closed bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept) // ends with close
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *proxy) accept() {
	for {
		down, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(down) }) // ends with the connection
	}
}

func (p *proxy) serve(down net.Conn) {
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = down.Close()
		return
	}
	if !p.hold(down, up) {
		return
	}
	_ = down.(*net.TCPConn).SetWriteBuffer(buffered)
	_ = up.(*net.TCPConn).SetReadBuffer(buffered)
	p.wg.Go(func() { // ends with the connections
		_, _ = io.Copy(up, down)
		_ = up.Close()
	})
	if p.calm.Load() {
		_, _ = io.Copy(down, up)
	} else if n, err := io.CopyN(down, up, rand.N[int64](saidMin<<rand.N(saidShifts+1))+1); n > 0 && err == nil {
		p.cuts.Add(1)
		if rand.N(2) == 0 {
			_ = down.(*net.TCPConn).SetLinger(0) // what has not arrived never does
		}
	}
	p.release(down, up)
}

func (p *proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
		}
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

func (p *proxy) release(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}
