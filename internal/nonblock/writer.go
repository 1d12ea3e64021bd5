package nonblock

import (
	"net"
	"syscall"
)

// Writer writes to one connection without ever waiting. One goroutine at a time may use it, and none may write to the
// connection otherwise meanwhile.
type Writer struct {
	raw  syscall.RawConn
	call func(uintptr) // made once; b is its argument, took its result
	b    []byte
	took int
}

// New returns a Writer for c; nil if c is no socket, as a TLS connection is none, or where the system cannot do this.
func New(c net.Conn) *Writer {
	sc, ok := c.(syscall.Conn)
	if !ok || !possible {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	w := &Writer{raw: raw}
	w.call = func(fd uintptr) { w.took = write(fd, w.b) }
	return w
}

// Write writes what the socket takes of b at once, and returns how many bytes that was. After an error, which shows at the
// next write that waits, it is 0. Deadlines mean nothing to it.
func (w *Writer) Write(b []byte) int {
	w.b, w.took = b, 0
	_ = w.raw.Control(w.call) // fails on a closed socket only, and then took nothing
	w.b = nil
	return w.took
}
