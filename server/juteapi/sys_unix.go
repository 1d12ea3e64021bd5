//go:build unix

package juteapi

import (
	"net"
	"syscall"
)

// canTryWrite tells that writeNow works here.
const canTryWrite = true

// writeNow writes to a non-blocking socket and returns how many bytes it took, 0 on any error.
func writeNow(fd uintptr, b []byte) int {
	for {
		n, err := syscall.Write(int(fd), b)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0)
	}
}

// setBacklog changes the length of a listening socket's queue.
func setBacklog(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = syscall.Listen(int(fd), n) }); err != nil {
		return err
	}
	return inner
}
