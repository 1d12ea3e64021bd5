//go:build interop

package oracle

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
)

// mutation is one lie that a proxy tells a client.
type mutation struct {
	kind string // flip, code, drop, late, twice or close
	// nth counts the frames the kind applies to: events for drop, late and twice, replies with a header for code, all for
	// flip and close.
	nth int
	bit int // flip: which bit, modulo the frame's length
}

// liar is a proxy in front of a server that passes everything on, but for one mutation.
type liar struct {
	target string
	listen net.Listener
	work   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	next  mutation
	count int
	fired bool
	conns []net.Conn
}

// newLiar starts a proxy; close stops it.
func newLiar(target string) (*liar, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &liar{target: target, listen: l}
	p.work.Go(p.accept) // stopped and awaited by close
	return p, nil
}

// arm sets the next mutation.
func (p *liar) arm(m mutation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next, p.count, p.fired = m, 0, false
}

// told reports whether the mutation has happened.
func (p *liar) told() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// close ends the listener and all connections and waits for their goroutines.
func (p *liar) close() {
	p.listen.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

func (p *liar) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.work.Go(func() { // ends with either connection; close closes both
			io.Copy(server, client) //nolint:errcheck // the end of the connection
			server.Close()
		})
		p.work.Go(func() {
			p.answers(client, server)
			client.Close()
		})
	}
}

// answers passes the server's frames on, one of them changed.
func (p *liar) answers(client, server net.Conn) {
	var held []byte
	for first := true; ; first = false {
		f, _, err := readFrame(server)
		if err != nil {
			return
		}
		event := !first && len(f) >= 16 && int32(binary.BigEndian.Uint32(f)) == -1
		var out []byte
		switch m, now := p.judge(event, !first && !event && len(f) >= 16); {
		case !now:
			out = frame(f)
		case m.kind == "flip":
			// Header and the first bytes of the body: a lie about a time would only be noticed at its second sight.
			i := m.bit % (8 * min(len(f), 28))
			f[i/8] ^= 1 << (i % 8)
			out = frame(f)
		case m.kind == "code":
			binary.BigEndian.PutUint32(f[12:], binary.BigEndian.Uint32(f[12:])-1)
			out = frame(f)
		case m.kind == "late":
			held = frame(f)
		case m.kind == "twice":
			out = append(frame(f), frame(f)...)
		case m.kind == "close":
			return
		}
		if held != nil && !event {
			out, held = append(out, held...), nil
		}
		if _, err := client.Write(out); err != nil {
			return
		}
	}
}

// judge counts a frame and returns the mutation if this is its moment.
func (p *liar) judge(event, reply bool) (mutation, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.next.kind {
	case "drop", "late", "twice":
		if !event {
			return p.next, false
		}
	case "code":
		if !reply {
			return p.next, false
		}
	}
	p.count++
	if p.next.kind == "" || p.fired || p.count != p.next.nth {
		return p.next, false
	}
	p.fired = true
	return p.next, true
}
