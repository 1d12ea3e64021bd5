//go:build !linux

package transport

import (
	"syscall"
	"time"
)

// impatient does nothing: only Linux has such an option.
func impatient(syscall.RawConn) {}

// mortal does nothing: only Linux has such an option.
func mortal(syscall.RawConn, time.Duration) {}
