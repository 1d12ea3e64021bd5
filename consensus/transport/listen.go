package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"paddock/consensus/quorum"
)

// Door is one of the ports.
type Door string

// The doors.
const (
	ElectionDoor Door = "election"
	QuorumDoor   Door = "quorum"
	ObserverDoor Door = "observer master"
)

// ListenError is why a port is not served.
type ListenError struct {
	Door    Door
	Address string
	Err     error
}

// Error says what and where.
func (e *ListenError) Error() string { return fmt.Sprintf("%s port %s: %v", e.Door, e.Address, e.Err) }

// Unwrap is the system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// Pauses of a listener.
const (
	bindPause      = time.Second
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second

	unresolvedEvery = time.Minute // between two lines about a name of its own that does not resolve
)

// where is one port to listen on.
type where struct {
	door    Door
	address string
}

// ownDoors are the ports of this server in the configuration.
func (t *Transport) ownDoors() []where {
	s := t.configs.Load().own
	var all []where
	seen := map[where]bool{}
	for _, a := range s.Addresses {
		for _, w := range []where{{ElectionDoor, t.bindAddress(a.Election())}, {QuorumDoor, t.bindAddress(a.Quorum())}, {ObserverDoor, t.bindAddress(t.masterAddress(a))}} {
			if (w.door != ObserverDoor || t.opt.ObserverMasterPort > 0 && !s.Observer) && !seen[w] {
				seen[w] = true
				all = append(all, w)
			}
		}
	}
	return all
}

// ElectionListening tells whether every election port of this server accepts connections.
func (t *Transport) ElectionListening() bool {
	wanted := int64(0)
	for _, w := range t.ownDoors() {
		if w.door == ElectionDoor {
			wanted++
		}
	}
	return t.listens.Load() >= wanted
}

// masterAddress is where observers find a voter.
func (t *Transport) masterAddress(a quorum.PeerAddress) quorum.HostPort {
	return quorum.HostPort{Host: a.Quorum().Host, Port: t.opt.ObserverMasterPort}
}

func (t *Transport) bindAddress(a quorum.HostPort) string {
	if t.opt.ListenOnAllIPs {
		return net.JoinHostPort("", strconv.Itoa(a.Port))
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// serve binds w and accepts connections until ctx ends; nil then. It is the parent of the goroutines of connections.
func (t *Transport) serve(ctx context.Context, w where) error {
	l, err := t.bind(ctx, w)
	if err != nil || l == nil {
		return err
	}
	t.log.Info().Str("door", string(w.door)).Stringer("addr", l.Addr()).Msg("listening for servers")
	if w.door == ElectionDoor {
		t.listens.Add(1)
		defer t.listens.Add(-1)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer func() {
		stop()
		l.Close()
	}()
	var waiting lobby
	defer waiting.clear()
	pause := acceptPauseMin
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPauseMin
			t.admit(ctx, w.door, c, &waiting)
		case ctx.Err() != nil:
			return nil
		case passes(err):
			t.log.Error().Err(err).Str("door", string(w.door)).Dur("pause_ms", pause).Msg("cannot accept connections of servers, trying again")
			if !sleep(ctx, pause) {
				return nil
			}
			pause = min(2*pause, acceptPauseMax)
		default:
			return &ListenError{w.door, w.address, fmt.Errorf("accept: %w", err)}
		}
	}
}

// bind listens, with retries; nil without an error if ctx ends. A name of its own that does not resolve is waited for
// without counting: the name service is away or, where addresses are handed out, does not know this server yet.
func (t *Transport) bind(ctx context.Context, w where) (net.Listener, error) {
	var told time.Time // when it was last said that the name does not resolve
	for try := 1; ; try++ {
		l, err := t.listen(ctx, w.address)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				l.Close()
			}
			return nil, nil
		case err == nil:
			return l, nil
		case unresolved(err):
			try--
			if time.Since(told) >= unresolvedEvery {
				told = time.Now()
				t.log.Warn().Err(err).Str("door", string(w.door)).Msg("cannot resolve own name, trying again until it resolves")
			}
			if !sleep(ctx, bindPause) {
				return nil, nil
			}
			continue
		case t.opt.ElectionBindRetries > 0 && try >= t.opt.ElectionBindRetries:
			return nil, &ListenError{w.door, w.address, err}
		}
		t.log.Warn().Err(err).Str("door", string(w.door)).Int("try", try).Msg("cannot listen yet, trying again")
		if !sleep(ctx, bindPause) {
			return nil, nil
		}
	}
}

// unresolved tells that a name has no address, or that nobody could be asked.
func unresolved(err error) bool {
	var name *net.DNSError
	return errors.As(err, &name)
}

// passes tells errors of accept after which the listener can go on.
func passes(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR,
		syscall.EPROTO, syscall.EPERM, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
		syscall.EOPNOTSUPP, syscall.ENOPROTOOPT, syscall.ECONNRESET, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sleep waits; false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit starts the goroutine of a connection that was accepted. This is where TLS and authentication will begin.
func (t *Transport) admit(ctx context.Context, door Door, c net.Conn, waiting *lobby) {
	if !t.open.add(c) {
		return
	}
	if raw, ok := rawOf(c); ok {
		impatient(raw)
	}
	if old := waiting.enter(c, t.opt.UnintroducedMax); old != nil {
		t.log.Warn().Str("door", string(door)).Stringer("addr", old.RemoteAddr()).Msg("too many connections that do not say who they are, closing the oldest")
		old.Close()
	}
	serial := t.begun.Add(1)
	t.wg.Go(func() { // ends with the connection, which Run closes
		if door == ElectionDoor {
			t.greet(c, serial, waiting)
		} else {
			t.introduce(ctx, door, c, waiting)
		}
	})
}

// lobby holds the connections of one port that have not said who they are, oldest first.
type lobby struct {
	mu   sync.Mutex // guards what follows
	in   map[net.Conn]uint64
	next uint64
}

// enter takes c in, and returns the oldest if there are more than most.
func (l *lobby) enter(c net.Conn, most int) (oldest net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in == nil {
		l.in = map[net.Conn]uint64{}
	}
	l.next++
	l.in[c] = l.next
	if len(l.in) <= most {
		return nil
	}
	for other, n := range l.in {
		if oldest == nil || n < l.in[oldest] {
			oldest = other
		}
	}
	delete(l.in, oldest)
	return oldest
}

// leave lets c out.
func (l *lobby) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.in, c)
}

// clear closes all.
func (l *lobby) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.in {
		c.Close()
	}
	clear(l.in)
}
