package bench

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	// pollSpin is how long a poller asks for events again and again before it sleeps. A generator that sleeps has to be
	// woken by the server's writes, which on one machine costs the server more CPU time than the write itself.
	pollSpin = 100 * time.Microsecond
	// pollSleepMS bounds the sleep, after which a poller looks whether the run has failed.
	pollSleepMS = 10
	// pollEvents is how many connections are seen to at a time.
	pollEvents = 128
)

// drive drives the connections by a few pollers, one for every two processors: the server needs some too. A poller cannot
// wait for the bytes of TLS.
func (g *group) drive(list []polled) {
	if len(list) > 0 && list[0].socket().secure != nil {
		g.driveEach(list)
		return
	}
	pollers := min(max(1, runtime.GOMAXPROCS(0)/2), len(list))
	for i := range pollers {
		p := &poller{g: g}
		for j := i; j < len(list); j += pollers {
			p.list = append(p.list, list[j])
		}
		g.run(p.run) // ends when its connections are done, or with the group
	}
}

// poller waits for bytes on many connections at once.
type poller struct {
	g      *group
	list   []polled
	open   int // connections that are not done
	epoll  int
	events [pollEvents]syscall.EpollEvent
}

// run drives the connections until all are done.
func (p *poller) run() (err error) {
	if p.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer syscall.Close(p.epoll)
	defer func() {
		for _, c := range p.list {
			c.socket().closeFD()
		}
	}()
	for i, c := range p.list {
		if err := c.socket().detach(); err != nil {
			return err
		}
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, c.socket().fd, &ev); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		p.open++
		if err := p.act(c); err != nil {
			return err
		}
	}
	for p.open > 0 {
		n, err := p.wait()
		if err != nil {
			return err
		}
		for _, ev := range p.events[:n] {
			c := p.list[ev.Fd]
			if err := c.socket().fillNow(); err != nil {
				return c.lost(err)
			}
			if err := p.act(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait returns the number of connections that have something to read, with an error if the run has failed meanwhile.
func (p *poller) wait() (int, error) {
	began := p.g.stage.now()
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.epoll), uintptr(unsafe.Pointer(&p.events)), pollEvents, 0, 0, 0)
		if errno == 0 && n > 0 {
			return int(n), nil
		}
		if p.g.stage.now()-began < int64(pollSpin) {
			continue
		}
		m, err := syscall.EpollWait(p.epoll, p.events[:], pollSleepMS)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return 0, fmt.Errorf("epoll: %w", err)
		}
		if m > 0 {
			return m, nil
		}
		if p.g.ctx.Err() != nil {
			return 0, os.ErrDeadlineExceeded // the cause is known
		}
	}
}

// act has a connection act on what was read, and lets it go once it is done.
func (p *poller) act(c polled) error {
	if done, err := c.ready(); !done || err != nil {
		return err
	}
	p.open--
	l := c.socket()
	if err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_DEL, l.fd, nil); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if err := l.attach(); err != nil {
		return err
	}
	l.bind(p.g.ctx)
	p.g.run(func() error { return finish(c) }) // ends with the reply to closeSession
	return nil
}

// detach takes the socket from the runtime's poller, which would be woken by every byte.
func (l *link) detach() error {
	raw, err := l.nc.(*net.TCPConn).SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) {
			var n uintptr
			var errno syscall.Errno
			if n, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0); errno != 0 {
				err = errno
				return
			}
			l.fd = int(n)
		})
		err = errors.Join(err, cerr)
	}
	if err != nil {
		return fmt.Errorf("take over a connection to %s: %w", l.server, err)
	}
	l.nc.Close()
	return nil
}

// attach gives the socket back to the runtime.
func (l *link) attach() error {
	f := os.NewFile(uintptr(l.fd), l.server)
	l.fd = -1
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("give back a connection to %s: %w", l.server, err)
	}
	l.nc = nc
	return nil
}

// closeFD ends the connection if a poller has it.
func (l *link) closeFD() {
	if l.fd >= 0 {
		syscall.Close(l.fd)
		l.fd = -1
	}
}

// fillNow reads what is there.
func (l *link) fillNow() error {
	room := l.room()
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(l.fd), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return nil
	case errno != 0:
		return errno
	case n == 0:
		return io.EOF
	}
	l.w += int(n)
	return nil
}

// write sends b. If a poller has the socket and it is full, the poller waits: the server takes nothing, and lanes have
// bounds on what they send ahead.
func (l *link) write(b []byte) error {
	if l.fd < 0 {
		_, err := l.nc.Write(b)
		return err
	}
	for len(b) > 0 {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(l.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			b = b[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			if err := l.writable(); err != nil {
				return err
			}
		default:
			return errno
		}
	}
	return nil
}

// writable waits until the socket takes more, for as long as a run may go without a reply.
func (l *link) writable() error {
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer syscall.Close(ep)
	ev := syscall.EpollEvent{Events: syscall.EPOLLOUT}
	if err := syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, l.fd, &ev); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	var got [1]syscall.EpollEvent
	for end := time.Now().Add(stallTicks * time.Second); time.Now().Before(end); {
		if n, err := syscall.EpollWait(ep, got[:], pollSleepMS); n > 0 || err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
	return errStalled
}
