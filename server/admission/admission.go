package admission

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/descriptors"
	"paddock/internal/quiet"
)

// Why a connection is turned away, as Options.Rejected is told.
const (
	PerAddress  = "max_client_cnxns"
	InAll       = "max_cnxns"
	Descriptors = "descriptors"
)

const (
	turnedAwayMax     = 64          // connections that are being told why, at a time; further ones are closed at once
	turnedAwayTimeout = time.Second // for a client to hear it
	turnedAwayBytes   = 64 << 10    // of what it says meanwhile
	heard             = 4 << 10     // bytes of that at once
)

// Options say what is bounded. The zero value of a bound is none.
type Options struct {
	Door                    string // its name in the log
	Logger                  zerolog.Logger
	PerAddress, InAll       int             // connections at most
	PerAddressKey, InAllKey string          // what the bounds are called in the configuration
	Use                     descriptors.Use // of the connections
	Rejected                func(reason string, from netip.Addr)
	// Farewell is what a client is told that is turned away, if it can be told.
	Farewell func(text string) []byte
	// Hear waits for the first bytes of a client before it is told, as those of HTTP/1 expect.
	Hear bool
}

// Gate bounds the connections of a port. Any goroutine may call its methods.
type Gate struct {
	opt   Options
	perIP atomic.Int64 // at most; 0 for no limit
	quiet quiet.Lines

	mu    sync.Mutex // guards all below
	count map[netip.Addr]int64
	sum   int64
}

// New returns a gate that nobody has passed.
func New(o Options) *Gate {
	g := &Gate{opt: o, count: map[netip.Addr]int64{}}
	g.perIP.Store(int64(o.PerAddress))
	return g
}

// SetPerAddress changes how many connections one address may have; 0 for any number. Those that are open stay.
func (g *Gate) SetPerAddress(n int) { g.perIP.Store(int64(n)) }

// enter counts a connection, unless there are too many: the text tells the client so.
func (g *Gate) enter(ip netip.Addr) (reason, text string) {
	perIP := g.perIP.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case perIP > 0 && g.count[ip] >= perIP:
		return PerAddress, fmt.Sprintf("too many connections from %s: %s is %d", ip, g.opt.PerAddressKey, perIP)
	case g.opt.InAll > 0 && g.sum >= int64(g.opt.InAll):
		return InAll, fmt.Sprintf("too many connections: %s is %d", g.opt.InAllKey, g.opt.InAll)
	}
	g.count[ip]++
	g.sum++
	return "", ""
}

// leave forgets a connection.
func (g *Gate) leave(ip netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sum--
	if g.count[ip]--; g.count[ip] == 0 {
		delete(g.count, ip)
	}
}

// tell counts and logs that a connection is turned away.
func (g *Gate) tell(reason, text string, ip netip.Addr) {
	if g.opt.Rejected != nil {
		g.opt.Rejected(reason, ip)
	}
	cause, key := reason, g.opt.InAllKey
	switch reason {
	case PerAddress:
		cause, key = reason+" "+ip.String(), g.opt.PerAddressKey
	case Descriptors:
		key = "the limit of open files"
	}
	if more, ok := g.quiet.Allow(cause, time.Now().UnixNano()); ok {
		g.opt.Logger.Warn().Str("door", g.opt.Door).Str("err", text).Uint64("times", more).Str("remedy", "find what opens them, or raise "+key).
			Msg("connection turned away")
	}
}

// Listen returns l without the connections that are too many. Those of plain listeners, without transport security, are told why.
func (g *Gate) Listen(l net.Listener, plain bool) net.Listener {
	return &limited{Listener: l, gate: g, plain: plain && g.opt.Farewell != nil, turning: make(chan struct{}, turnedAwayMax)}
}

// limited is a listener that turns connections away.
type limited struct {
	net.Listener
	gate    *Gate
	plain   bool
	turning chan struct{} // holds one for each connection that is being told
	wg      sync.WaitGroup
}

// Accept returns the next connection that may stay.
func (l *limited) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ip := addressOf(nc)
		if descriptors.Scarce(nc, l.gate.opt.Use) {
			nc.Close()
			l.gate.tell(Descriptors, "the last file descriptors are kept for the server itself", ip)
			continue
		}
		reason, text := l.gate.enter(ip)
		if reason == "" {
			return &admitted{Conn: nc, leave: sync.OnceFunc(func() { l.gate.leave(ip) })}, nil
		}
		l.gate.tell(reason, text, ip)
		l.turnAway(nc, text)
	}
}

// turnAway closes a connection, and says why where that can be done without waiting for the client.
func (l *limited) turnAway(nc net.Conn, text string) {
	select {
	case l.turning <- struct{}{}:
	default:
		nc.Close()
		return
	}
	l.wg.Go(func() { // ends after turnedAwayTimeout
		defer func() { <-l.turning }()
		defer nc.Close()
		half, ok := nc.(interface{ CloseWrite() error })
		if !l.plain || !ok || nc.SetDeadline(time.Now().Add(turnedAwayTimeout)) != nil {
			return
		}
		if l.gate.opt.Hear {
			if _, err := nc.Read(make([]byte, heard)); err != nil {
				return
			}
		}
		// What the client has sent must be read, or the system drops what it was told.
		if _, err := nc.Write(l.gate.opt.Farewell(text)); err == nil && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, nc, turnedAwayBytes)
		}
	})
}

// Close closes the listener; connections that are being turned away end by themselves, soon, and Close waits for them.
func (l *limited) Close() error {
	err := l.Listener.Close()
	l.wg.Wait()
	return err
}

// admitted is a connection that is counted until it is closed.
type admitted struct {
	net.Conn
	leave func()
}

// Close closes the connection and makes room for another.
func (c *admitted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// addressOf is by what connections are counted.
func addressOf(nc net.Conn) netip.Addr {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
