//go:build unix

package descriptors

import (
	"net"
	"syscall"
	"testing"
)

func TestSomeAreKept(t *testing.T) {
	for _, tc := range []struct {
		limit, clients, operators uint64
	}{{0, 0, 0}, {64, 48, 56}, {256, 192, 224}, {1024, 960, 992}, {1 << 20, 1<<20 - 64, 1<<20 - 32}, {1<<64 - 1, 1<<64 - 65, 1<<64 - 33}} {
		if c, o := first(tc.limit, Clients), first(tc.limit, Operators); c != tc.clients || o != tc.operators {
			t.Errorf("of %d, kept from %d and %d on; want %d and %d", tc.limit, c, o, tc.clients, tc.operators)
		}
	}
}

func TestTheLastAreScarce(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	limit := old
	limit.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) //nolint:errcheck // as it was
	var clients, operators int
	for n := 0; n < 256; n++ {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		defer c.Close()
		if !Scarce(c, Clients) {
			clients++
		}
		if !Scarce(c, Operators) {
			operators++
		}
	}
	// The test has descriptors of its own, and none of those that the listener has not accepted.
	if clients < 128 || clients > 192 || operators != clients+32 {
		t.Errorf("%d are not scarce for clients, %d for operators", clients, operators)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Scarce(a, Clients) {
		t.Error("a connection without a descriptor is scarce")
	}
}
