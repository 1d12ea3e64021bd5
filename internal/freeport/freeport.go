package freeport

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
)

const (
	first = 10_000
	count = 22_000
)

// given counts the ports that were given. It begins somewhere else in each process, so that those that run side by side seldom meet.
var given atomic.Uint32

func init() { given.Store(rand.Uint32N(count)) }

// Find returns a port that nobody listens on at the moment. The error is that of the last port tried, after all.
func Find() (int, error) {
	for try := 1; ; try++ {
		port := uint16(first + given.Add(1)%count)
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)))
		if err == nil {
			return int(port), l.Close()
		}
		if try == count {
			return 0, err
		}
	}
}

// Take is Find for a test, which ends if there is none.
func Take(t testing.TB) int {
	t.Helper()
	port, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
