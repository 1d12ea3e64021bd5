package grpcapi

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/quiet"
)

// Why a connection is turned away, as Options.Rejected is told.
const (
	rejectedPerIP = "max_client_cnxns"
	rejectedAll   = "max_cnxns"
)

const (
	turnedAwayMax     = 64          // connections that are being told why, at a time; further ones are closed at once
	turnedAwayTimeout = time.Second // for a client to hear it
	turnedAwayBytes   = 64 << 10    // of what it says meanwhile
	goAway            = 7           // a frame of HTTP/2
	calmDown          = 11          // ENHANCE_YOUR_CALM, its reason
)

// admission bounds the connections of a port, by address and in all.
type admission struct {
	log      zerolog.Logger
	rejected func(reason string, from netip.Addr)
	perIP    atomic.Int64 // at most; 0 for no limit
	all      int64
	quiet    quiet.Lines

	mu    sync.Mutex // guards all below
	count map[netip.Addr]int64
	sum   int64
}

func newAdmission(o *Options) *admission {
	a := &admission{log: o.Logger, rejected: o.Rejected, all: int64(o.MaxCnxns), count: map[netip.Addr]int64{}}
	a.perIP.Store(int64(o.MaxClientCnxns))
	return a
}

// enter counts a connection, unless there are too many: the text tells the client so.
func (a *admission) enter(ip netip.Addr) (reason, text string) {
	perIP := a.perIP.Load()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case perIP > 0 && a.count[ip] >= perIP:
		return rejectedPerIP, fmt.Sprintf("too many connections from %s: maxClientCnxns is %d", ip, perIP)
	case a.all > 0 && a.sum >= a.all:
		return rejectedAll, fmt.Sprintf("too many connections: maxCnxns is %d", a.all)
	}
	a.count[ip]++
	a.sum++
	return "", ""
}

// leave forgets a connection.
func (a *admission) leave(ip netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sum--
	if a.count[ip]--; a.count[ip] == 0 {
		delete(a.count, ip)
	}
}

// tell counts and logs that a connection is turned away.
func (a *admission) tell(reason, text string, ip netip.Addr) {
	if a.rejected != nil {
		a.rejected(reason, ip)
	}
	cause, key := reason, "maxCnxns"
	if reason == rejectedPerIP {
		cause, key = reason+" "+ip.String(), "maxClientCnxns"
	}
	if more, ok := a.quiet.Allow(cause, time.Now().UnixNano()); ok {
		a.log.Warn().Str("door", "grpc").Str("err", text).Uint64("times", more).Str("remedy", "find what opens them, or raise "+key).
			Msg("connection turned away")
	}
}

// Limit returns l with at most Options.MaxClientCnxns connections of one address and Options.MaxCnxns in all. Further ones are closed; where
// they are plain, without transport security, they are told why.
func (s *Server) Limit(l net.Listener, plain bool) net.Listener {
	return &limited{Listener: l, admission: s.admission, plain: plain, turning: make(chan struct{}, turnedAwayMax)}
}

// SetMaxClientCnxns changes how many connections one address may have; 0 for any number. Those that are open stay.
func (s *Server) SetMaxClientCnxns(n int) { s.admission.perIP.Store(int64(n)) }

// limited is a listener that turns connections away.
type limited struct {
	net.Listener
	admission *admission
	plain     bool
	turning   chan struct{} // holds one for each connection that is being told
	wg        sync.WaitGroup
}

// Accept returns the next connection that may stay.
func (l *limited) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		ip := addressOf(nc)
		reason, text := l.admission.enter(ip)
		if reason == "" {
			return &admitted{Conn: nc, leave: sync.OnceFunc(func() { l.admission.leave(ip) })}, nil
		}
		l.admission.tell(reason, text, ip)
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
		// What the client has sent must be read, or the system drops what it was told.
		if _, err := nc.Write(farewell(text)); err == nil && half.CloseWrite() == nil {
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

// farewell is what a server says in HTTP/2 that closes a connection at once: its settings, and GOAWAY with the reason.
func farewell(text string) []byte {
	b := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	n := 8 + len(text)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), goAway, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, 0) // of no stream
	b = binary.BigEndian.AppendUint32(b, calmDown)
	return append(b, text...)
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
