package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// The ports are divided into blocks. Whoever listens on the first port of a block may give the others: a process holds its blocks for as
// long as it lives.
const (
	first  = 10_000
	blocks = 220
	size   = 100
)

var (
	mu        sync.Mutex
	held      []*net.TCPListener // on the first port of each block of this process
	next, end int                // the ports of the newest of them that were not given
)

// Find returns a port that nobody listens on at the moment, and that no other process is given. It fails if there is no block left.
func Find() (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for {
		if next == end {
			if err := claim(); err != nil {
				return 0, err
			}
		}
		port := next
		next++
		if l, err := listen(port); err == nil {
			return port, l.Close()
		}
	}
}

// claim takes a block that no process has.
func claim() error {
	for _, i := range rand.Perm(blocks) {
		l, err := listen(first + i*size)
		if err == nil {
			held = append(held, l)
			next, end = first+i*size+1, first+(i+1)*size
			return nil
		}
	}
	return errors.New("all blocks of ports are taken by processes that run tests")
}

func listen(port int) (*net.TCPListener, error) {
	return net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))))
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

// TakeSeveral takes n.
func TakeSeveral(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		ports[i] = Take(t)
	}
	return ports
}
