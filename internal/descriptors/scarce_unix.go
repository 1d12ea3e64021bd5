//go:build unix

package descriptors

import (
	"net"
	"syscall"
)

// Scarce tells whether a connection should be closed at once, because its descriptor is among the last. It does not wait.
func Scarce(nc net.Conn, u Use) bool {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var limit syscall.Rlimit
	scarce := false
	err = raw.Control(func(fd uintptr) {
		scarce = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && uint64(fd) >= first(uint64(limit.Cur), u)
	})
	return err == nil && scarce
}
