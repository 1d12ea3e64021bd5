package transport

import (
	"syscall"
	"time"
)

// Options of TCP that package syscall does not name: include/uapi/linux/tcp.h.
const (
	tcpUserTimeout = 18
	tcpRTOMaxMS    = 44 // since Linux 6.15
)

// retransmitMax bounds the pause until a packet that was lost is sent again. Without it the pauses double, so that what survives a
// partition of some seconds may stand still for as long again once it is over.
const retransmitMax = time.Second

// impatient has a connection between servers try again soon. A system that cannot do it does what it does without.
func impatient(c syscall.RawConn) {
	c.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpRTOMaxMS, int(retransmitMax/time.Millisecond)) //nolint:errcheck // see above
	})
}

// mortal has a connection end if nothing that is sent arrives for so long.
func mortal(c syscall.RawConn, after time.Duration) {
	c.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(after/time.Millisecond)) //nolint:errcheck // it may then end later
	})
}
