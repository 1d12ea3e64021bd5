//go:build unix

package nonblock

import "syscall"

// possible tells that write works here.
const possible = true

// write writes to a non-blocking socket and returns how many bytes it took, 0 on any error.
func write(fd uintptr, b []byte) int {
	for {
		n, err := syscall.Write(int(fd), b)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0)
	}
}
