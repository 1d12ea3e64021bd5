package juteapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/quiet"
)

// Server is one client port. All methods may be called from any goroutine.
type Server struct {
	opt     Options
	log     zerolog.Logger
	l       atomic.Pointer[net.TCPListener]
	start   time.Time   // what now counts from
	secured *tls.Config // nil without TLS
	writers writers
	quiet   quiet.Lines
	reserve reserve
	direct  bool // the handler's owner sends what a socket takes at once; see directProcsMax

	maxPerIP, maxAll atomic.Int64
	swept            atomic.Int64 // how often the sweeper has looked at all connections
	draining         atomic.Bool  // nothing more is taken from clients
	refusing         atomic.Bool  // new connections are closed at once
	unsent           atomic.Int64 // bytes handed over and not written, of all connections

	stop  chan struct{}  // closed by Close
	loops sync.WaitGroup // accept loop, sweeper and writers
	wg    sync.WaitGroup // of each connection its reader and, at times, its own writer

	mu     sync.Mutex // guards all below; held while a conn.mu is taken, never the other way round
	closed bool
	conns  map[*conn]struct{}
	perIP  map[netip.Addr]int
	gone   PacketStats // of connections that are no more
}

// Listen binds the client port addr ("host:port", ":2181"). If another process has the port the error names it where
// the system tells. Clients can connect from now on and wait in the backlog until Serve runs.
func Listen(addr string, opt Options) (*Server, error) {
	opt = opt.withDefaults()
	l, err := listen(addr, opt)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, log: opt.Logger, start: opt.Clock().Add(-1), stop: make(chan struct{}),
		conns: make(map[*conn]struct{}), perIP: make(map[netip.Addr]int),
		direct: runtime.GOMAXPROCS(0) <= directProcsMax && !handOver}
	if opt.TLS != nil {
		s.secured = opt.TLS.Config()
	}
	s.l.Store(l)
	s.writers.work.L = &s.writers.mu
	s.maxPerIP.Store(int64(opt.MaxClientCnxns))
	s.maxAll.Store(int64(opt.MaxCnxns))
	s.reserve.open()
	return s, nil
}

// Addr is the address that is bound.
func (s *Server) Addr() net.Addr { return s.l.Load().Addr() }

// Move binds another address in place of the one that is bound. Connections that are open stay. If the address cannot be
// bound the port stays where it is.
func (s *Server) Move(addr string) error {
	s.mu.Lock() // the accept loop asks under it whether its listener was closed for good
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	before := s.l.Load()
	l, err := listen(addr, s.opt)
	if errors.Is(err, syscall.EADDRINUSE) && samePort(before, addr) { // perhaps by this server, on another address
		before.Close()
		if l, err = listen(addr, s.opt); err != nil {
			again, errAgain := listen(before.Addr().String(), s.opt)
			if errAgain == nil {
				s.l.Store(again)
			}
			return errors.Join(err, errAgain)
		}
	}
	if err != nil {
		return err
	}
	s.l.Store(l)
	before.Close()
	return nil
}

// samePort tells whether addr has the port on which l listens.
func samePort(l *net.TCPListener, addr string) bool {
	_, want, err := net.SplitHostPort(addr)
	bound, ok := l.Addr().(*net.TCPAddr)
	return err == nil && ok && want == strconv.Itoa(bound.Port)
}

// moved tells whether l has been replaced.
func (s *Server) moved(l *net.TCPListener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.l.Load() != l
}

// SetMaxClientCnxns changes the number of connections that one IP address may have from now on; 0 for no limit.
func (s *Server) SetMaxClientCnxns(n int) { s.maxPerIP.Store(int64(n)) }

// MaxClientCnxns is the number of connections that one IP address may have; 0 for no limit.
func (s *Server) MaxClientCnxns() int { return int(s.maxPerIP.Load()) }

// Len is the number of open connections.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// directProcsMax is the number of processors up to which the handler's owner sends replies itself. A send takes longer than
// the request it answers, so where there are more processors others do it; where there are not, handing over costs
// more than it saves.
const directProcsMax = 2

// handOver makes tests have the writers send, however few processors there are.
var handOver bool

// Serve accepts and serves connections until Close, when it returns nil, or until the listening socket fails for good.
// Call it once. It returns when all that it started has ended.
func (s *Server) Serve() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.loops.Add(1) // this call; Close waits for it
	s.mu.Unlock()
	defer s.loops.Done()
	var mine sync.WaitGroup
	for range max(writersMin, runtime.GOMAXPROCS(0)) {
		mine.Go(s.writers.run)
	}
	mine.Go(s.sweep)
	err := s.accept()
	s.shut()
	s.wg.Wait() // connections need the writers to end
	s.writers.close()
	mine.Wait()
	return err
}

// SetRefusing has new connections closed at once, or no longer. Those that are open stay.
func (s *Server) SetRefusing(on bool) { s.refusing.Store(on) }

// drainLook is how often Drain looks whether all is answered.
const drainLook = 2 * time.Millisecond

// Drain takes no more connections and requests, and returns when every request taken before has been answered and sent,
// or when ctx ends. Close must follow.
func (s *Server) Drain(ctx context.Context) {
	s.draining.Store(true)
	ticker := time.NewTicker(drainLook)
	defer ticker.Stop()
	for !s.drained() {
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			return
		case <-ticker.C:
		}
	}
}

// drained tells whether nobody waits for an answer.
func (s *Server) drained() bool {
	for _, c := range s.snapshot() {
		c.mu.Lock()
		open := c.stats.open
		c.mu.Unlock()
		if (open > 0 || c.unsent.Load() > 0) && !c.dead.Load() {
			return false
		}
	}
	return true
}

// Close stops accepting, closes all connections and waits until they have ended, which takes as long as the handler
// keeps a Submit blocked. Sessions live on.
func (s *Server) Close() error {
	s.shut()
	s.loops.Wait()
	return nil
}

// shut closes the listener and all connections.
func (s *Server) shut() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
		s.l.Load().Close()
		s.reserve.close()
	}
	s.mu.Unlock()
	for _, c := range s.snapshot() {
		c.kill(endShutdown)
	}
}

// snapshot lists the open connections.
func (s *Server) snapshot() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// remove takes a connection that has ended off the books.
func (s *Server) remove(c *conn, why string) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
		delete(s.perIP, c.ip)
	}
	c.mu.Lock()
	c.removed = true
	s.unsent.Add(-c.unsent.Swap(0))
	s.gone.Add(c.stats.total)
	session := c.session
	c.mu.Unlock()
	s.mu.Unlock()
	s.opt.Hooks.Closed(why)
	s.log.Debug().Str("addr", c.addr).Stringer("session", session).Str("reason", why).Msg("connection closed")
}

// now is the time since the start, in nanoseconds, from 1: 0 stands for never.
func (s *Server) now() int64 { return int64(s.opt.Clock().Sub(s.start)) }

// How often the sweeper looks: eight times per sessionless timeout, within bounds.
const (
	sweepEveryMin = 5 * time.Millisecond
	sweepEveryMax = time.Second
	sweepsPerIdle = 8
)

// sweep ends connections that are over some limit of time, until the server is closed.
func (s *Server) sweep() {
	every := min(max(s.opt.SessionlessTimeout/sweepsPerIdle, sweepEveryMin), sweepEveryMax)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		now := s.now()
		for _, c := range s.snapshot() {
			c.check(now, int64(every))
		}
		s.swept.Add(1)
	}
}

// check holds one connection against its limits of time.
func (c *conn) check(now, every int64) {
	limit := c.limit.Load()
	if from := c.writeFrom.Load(); from != 0 && now-from >= limit {
		c.nc.SetWriteDeadline(time.Unix(1, 0)) // the writer wakes and sees whether it got on
	}
	switch idle := now - c.lastIO.Load(); {
	case c.lingering.Load() != 0:
		if now-c.lingering.Load() > 2*int64(lingerMax) {
			c.kill(endBroken)
		}
	case c.busy.Load() || c.writeFrom.Load() != 0:
	case idle > limit:
		c.kill(endIdle)
	case c.frameFrom.Load() != 0 && now-c.frameFrom.Load() > limit:
		c.kill(endIdle)
	case c.large.Load() && idle > 2*every:
		c.nc.SetReadDeadline(time.Unix(1, 0)) // the reader wakes and gives its buffer back
	}
}

// listen binds the port, with the longest queue that the system allows unless another length is asked for.
func listen(addr string, opt Options) (*net.TCPListener, error) {
	cfg := net.ListenConfig{KeepAlive: -1}
	if opt.KeepAlive {
		cfg.KeepAlive = 0 // Go's default: probes every 15 s
	}
	nl, err := cfg.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, bindError(opt.Name, addr, err)
	}
	l := nl.(*net.TCPListener)
	if opt.Backlog > 0 {
		if err := setBacklog(l, opt.Backlog); err != nil {
			return nil, errors.Join(fmt.Errorf("%s %s: backlog: %w", opt.Name, addr, err), l.Close())
		}
	}
	return l, nil
}
