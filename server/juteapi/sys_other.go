//go:build !unix

package juteapi

import "net"

// canTryWrite tells that writeNow does not work here: every write is a goroutine's.
const canTryWrite = false

func writeNow(uintptr, []byte) int { return 0 }

// setBacklog leaves the queue as long as the system made it.
func setBacklog(*net.TCPListener, int) error { return nil }
