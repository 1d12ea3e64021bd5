package juteapi

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"paddock/internal/descriptors"
)

// acceptPause is how long accepting pauses after an error that will pass.
const acceptPause = 5 * time.Millisecond

// Why a connection was rejected, as Hooks.Rejected is told.
const (
	rejectedPerIP       = "max_client_cnxns"
	rejectedAll         = "max_cnxns"
	rejectedDescriptors = "descriptors"
)

// limitKeys are the settings that connections are rejected by.
var limitKeys = map[string]string{rejectedPerIP: "maxClientCnxns", rejectedAll: "maxCnxns"}

// accept lets connections in until the server is closed (nil) or the listener fails for good. It does nothing that
// could wait for a client.
func (s *Server) accept() error {
	for {
		l := s.l.Load()
		nc, err := l.AcceptTCP()
		if err == nil {
			s.admit(nc)
			continue
		}
		select {
		case <-s.stop:
			return nil
		default:
		}
		switch {
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			s.shed(err)
		case passes(err):
			s.pause()
		case s.moved(l):
		default:
			return fmt.Errorf("%s %v: accept: %w", s.opt.Name, l.Addr(), err)
		}
	}
}

// passes tells errors of accept that belong to one connection or one moment.
func passes(err error) bool {
	for _, e := range [...]error{syscall.ECONNABORTED, syscall.EINTR, syscall.ENOBUFS, syscall.ENOMEM, syscall.EPROTO,
		syscall.EPERM, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EOPNOTSUPP,
		syscall.ENOPROTOOPT, syscall.ECONNRESET, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause waits a moment, or until the server is closed.
func (s *Server) pause() {
	t := time.NewTimer(acceptPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stop:
	}
}

// reserve is a descriptor kept for the day when there are none left: it is given up to accept one connection and close
// it, so that the client learns at once.
type reserve struct {
	mu     sync.Mutex // guards all below
	f      *os.File
	closed bool
}

// open takes the descriptor and tells whether there was one to be had.
func (r *reserve) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f != nil || r.closed {
		return true
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		return false
	}
	r.f = f
	return true
}

// give frees the descriptor for another use and tells whether there was one.
func (r *reserve) give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		return false
	}
	r.f.Close()
	r.f = nil
	return true
}

// close frees the descriptor for good.
func (r *reserve) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.give()
}

// shed turns one connection away when descriptors have run out.
func (s *Server) shed(cause error) {
	s.tellScarce(cause)
	if !s.reserve.give() {
		s.pause()
		s.reserve.open()
		return
	}
	l := s.l.Load()
	l.SetDeadline(time.Now().Add(acceptPause)) // there may be no client: the system says EMFILE before it looks
	nc, err := l.AcceptTCP()
	l.SetDeadline(time.Time{})
	switch again := s.reserve.open(); {
	case err != nil:
	case again:
		s.admit(nc) // a descriptor has become free meanwhile
	default:
		s.drop(nc)
		s.reserve.open()
	}
}

// errKept is why a client is turned away while there are descriptors.
var errKept = errors.New("the last are kept for the server itself")

// tellScarce has the log say, once a minute, that there are no descriptors for clients.
func (s *Server) tellScarce(cause error) {
	if more, ok := s.quiet.Allow(rejectedDescriptors, s.now()); ok {
		s.log.Error().AnErr("err", cause).Uint64("times", more).Int("connections", s.Len()).
			Msg("no file descriptor left for another client, connections are turned away; raise the limit of open files")
	}
}

// drop closes a connection for which there is no descriptor.
func (s *Server) drop(nc *net.TCPConn) {
	_, ip := remote(nc)
	nc.SetLinger(0)
	nc.Close()
	s.opt.Hooks.Rejected(rejectedDescriptors, ip)
}

// admit holds a new connection against the limits and starts its reader, which ends with the connection; Serve waits for
// it.
func (s *Server) admit(nc *net.TCPConn) {
	if descriptors.Scarce(nc, descriptors.Clients) {
		s.tellScarce(errKept)
		s.drop(nc)
		return
	}
	addr, ip := remote(nc)
	s.mu.Lock()
	if s.closed || s.draining.Load() || s.refusing.Load() {
		s.mu.Unlock()
		nc.Close()
		return
	}
	perIP, all := s.maxPerIP.Load(), s.maxAll.Load()
	switch {
	case perIP > 0 && int64(s.perIP[ip]) >= perIP:
		s.mu.Unlock()
		s.reject(nc, rejectedPerIP, fmt.Sprintf("Too many connections from /%s - max is %d", ipText(ip), perIP), ip)
		return
	case all > 0 && int64(len(s.conns)) >= all:
		s.mu.Unlock()
		s.reject(nc, rejectedAll, fmt.Sprintf("Too many connections - max is %d", all), ip)
		return
	}
	c := newConn(s, nc, addr, ip)
	s.conns[c] = struct{}{}
	s.perIP[ip]++
	s.wg.Go(c.serve)
	s.mu.Unlock()
}

// reject closes a connection that is over a limit. The line about it appears once a minute, and for each address if the limit is
// one of an address.
func (s *Server) reject(nc net.Conn, reason, text string, ip netip.Addr) {
	nc.Close()
	s.opt.Hooks.Rejected(reason, ip)
	line := reason
	if reason == rejectedPerIP {
		line += " " + ip.String()
	}
	if more, ok := s.quiet.Allow(line, s.now()); ok {
		s.log.Warn().Str("err", text).Uint64("times", more).Str("remedy", "find what opens them, or raise "+limitKeys[reason]).
			Msg("connection turned away")
	}
}

// remote is the other end of a connection, as text and as what connections are counted by.
func remote(nc net.Conn) (string, netip.Addr) {
	a, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return nc.RemoteAddr().String(), netip.Addr{}
	}
	ip := a.AddrPort().Addr().Unmap().WithZone("")
	return net.JoinHostPort(ipText(ip), fmt.Sprint(a.Port)), ip
}
