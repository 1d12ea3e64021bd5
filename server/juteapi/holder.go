package juteapi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// bindError says why a port could not be bound, and if another process has it, which one.
func bindError(name, addr string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s %s: %w", name, addr, err)
	}
	_, service, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(service)
	if pid, comm, ok := PortHolder(port); ok {
		return &takenError{fmt.Sprintf("%s %d is taken by pid %d (%s)", name, port, pid, comm)}
	}
	return &takenError{fmt.Sprintf("%s %d is taken by another process", name, port)}
}

// takenError is the system's "address already in use", said better.
type takenError struct{ text string }

// Error implements error.
func (e *takenError) Error() string { return e.text }

// Unwrap makes errors.Is find the system's error.
func (e *takenError) Unwrap() error { return syscall.EADDRINUSE }

// PortHolder finds the process that listens on a TCP port, and its name. It is false if the system does not tell.
func PortHolder(port int) (pid int, comm string, ok bool) { return holder("/proc", port) }

// holder finds the process that listens on a TCP port: the socket's inode in /proc/net/tcp, then the process with that
// socket among its descriptors. Other users' processes are only visible to root.
func holder(proc string, port int) (pid int, comm string, ok bool) {
	inodes := make(map[string]bool)
	for _, table := range [...]string{"net/tcp", "net/tcp6"} {
		text, err := os.ReadFile(filepath.Join(proc, table))
		if err == nil {
			listeners(string(text), port, inodes)
		}
	}
	if len(inodes) == 0 {
		return 0, "", false
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !inodes[target] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		if pid, err = strconv.Atoi(filepath.Base(dir)); err != nil {
			continue
		}
		text, _ := os.ReadFile(filepath.Join(dir, "comm"))
		return pid, strings.TrimSpace(string(text)), true
	}
	return 0, "", false
}

// listeners adds the sockets of a /proc/net/tcp table that listen on port, as descriptor links name them. A line is
//
//	sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
//
// with addresses as hex ip:port and state 0A for listening.
func listeners(table string, port int, inodes map[string]bool) {
	const local, state, inode = 1, 3, 9
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) <= inode || f[state] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(f[local], ":")
		if p, err := strconv.ParseUint(hex, 16, 16); err == nil && int(p) == port {
			inodes["socket:["+f[inode]+"]"] = true
		}
	}
}
