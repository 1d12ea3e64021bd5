package admission

import (
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/descriptors"
)

// port is a listener behind a gate that holds every connection that passes.
func port(t *testing.T, o Options) (addr string, held chan net.Conn, rejected *atomic.Int64) {
	t.Helper()
	rejected = new(atomic.Int64)
	o.Logger, o.Rejected = zerolog.Nop(), func(string, netip.Addr) { rejected.Add(1) }
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(o).Listen(inner, true)
	held = make(chan net.Conn, 10)
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			held <- nc
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for len(held) > 0 {
			(<-held).Close()
		}
	})
	return inner.Addr().String(), held, rejected
}

func call(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return nc
}

func TestWhoIsTooMuchIsToldAfterItHasAsked(t *testing.T) {
	for name, o := range map[string]Options{
		"of an address": {PerAddress: 2, PerAddressKey: "doorMaxClientCnxns"},
		"in all":        {InAll: 2, InAllKey: "doorMaxCnxns"},
	} {
		t.Run(name, func(t *testing.T) {
			o.Hear, o.Farewell = true, func(text string) []byte { return []byte("no: " + text) }
			addr, held, rejected := port(t, o)
			call(t, addr)
			first := <-held
			call(t, addr)
			<-held
			third := call(t, addr)
			if _, err := io.WriteString(third, "may I?"); err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(third)
			if want := "Cnxns is 2"; err != nil || !strings.HasPrefix(string(text), "no: too many connections") || !strings.HasSuffix(string(text), want) {
				t.Errorf("the third hears %q, %v", text, err)
			}
			if rejected.Load() != 1 {
				t.Errorf("%d were counted", rejected.Load())
			}
			first.Close()
			first.Close() // which counts once
			call(t, addr)
			<-held // there is room for one more
			fifth := call(t, addr)
			if _, err := io.WriteString(fifth, "may I?"); err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(fifth); err != nil || len(text) == 0 {
				t.Errorf("the fifth hears %q, %v", text, err)
			}
		})
	}
}

// A client that says nothing holds nothing for long, and many of them hold no more than a bound.
func TestTheSilentAreNotWaitedFor(t *testing.T) {
	addr, held, _ := port(t, Options{PerAddress: 1, Hear: true, Farewell: func(string) []byte { return []byte("no") }})
	call(t, addr)
	<-held
	var all []net.Conn
	for range 2 * turnedAwayMax {
		all = append(all, call(t, addr))
	}
	for _, nc := range all {
		if text, err := io.ReadAll(nc); len(text) != 0 {
			t.Errorf("hears %q, %v", text, err)
		}
	}
}

// TestTheLastDescriptorsAreKept has 56 of 256 left: too few for clients, and enough for operators.
func TestTheLastDescriptorsAreKept(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Skip(err)
	}
	clients, _, rejected := port(t, Options{})
	operators, held, _ := port(t, Options{Use: descriptors.Operators})
	limit := old
	limit.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) //nolint:errcheck // as it was
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Fd() >= 200 {
			break
		}
	}
	call(t, operators)
	(<-held).Close()
	if _, err := io.ReadAll(call(t, clients)); err != nil || rejected.Load() != 1 {
		t.Errorf("a client is turned away %d times: %v", rejected.Load(), err)
	}
}
