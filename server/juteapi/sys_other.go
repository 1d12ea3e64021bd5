//go:build !unix

package juteapi

import "net"

// setBacklog leaves the queue as long as the system made it.
func setBacklog(*net.TCPListener, int) error { return nil }
