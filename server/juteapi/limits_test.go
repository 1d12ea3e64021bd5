package juteapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"paddock/internal/zk"
)

// clock is a time that only moves when told.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time {
	return time.UnixMilli(1_700_000_000_000).Add(time.Duration(c.ns.Load()))
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	const unit = 50 * time.Millisecond
	for _, row := range []struct {
		name    string
		timeout int32 // of the session, ms; 0 for none
		send    []byte
		limit   time.Duration
	}{
		{"one that sends nothing", 0, nil, unit},
		{"one that sends half a length", 0, unhex("0000"), unit},
		{"one that sends half a connect request", 0, unhex("0000002d 00000000"), unit},
		{"a session, after its timeout rounded up", 120, nil, 3 * unit},
		{"a session whose timeout is a multiple", 100, nil, 2 * unit},
		{"a session with half a request", 100, unhex("00000008 0000"), 2 * unit},
	} {
		t.Run(row.name, func(t *testing.T) {
			var c clock
			d := open(t, Options{SessionlessTimeout: unit, Clock: c.now})
			p := d.dial(t)
			if row.timeout > 0 {
				p.send(fmt.Sprintf("0000002d 00000000 0000000000000000 %08x 0000000000000000 00000010 "+
					"00000000000000000000000000000000 00", row.timeout))
				p.expectBytes(41)
			}
			p.sendBytes(row.send)
			want := int64(len(row.send))
			until(t, "it has come", func() bool { return arrived(d, want) })
			c.ns.Store(int64(row.limit))
			until(t, "the sweeper has looked", func() bool { return d.swept.Load() > 0 })
			n := d.swept.Load()
			until(t, "the sweeper has looked again", func() bool { return d.swept.Load() > n+1 })
			if d.Len() != 1 {
				t.Fatal("closed at its limit, want after it")
			}
			until(t, "it ends", func() bool {
				c.ns.Add(int64(row.limit) + 1) // more than once: what the server does late, such as to end a handshake, counts as a sign of life
				return d.Len() == 0
			})
			d.expectReason(t, endIdle)
		})
	}
}

// arrived tells whether the only connection has n bytes that are not taken.
func arrived(d *door, n int64) bool {
	list := d.snapshot()
	return len(list) == 1 && (n == 0 || list[0].frameFrom.Load() != 0)
}

func TestTricklingAFrameDoesNotKeepAConnection(t *testing.T) {
	d := open(t, Options{SessionlessTimeout: 40 * time.Millisecond})
	p := d.dial(t)
	go func() {
		for _, b := range unhex(strings.ReplaceAll(connectHex, "0000002d", "000fffff")) {
			if _, err := p.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(15 * time.Millisecond)
		}
	}()
	d.expectReason(t, endIdle)
}

func TestWaitingForABusyHandlerIsNotIdling(t *testing.T) {
	h := &blocking{fake: newFake(), gate: make(chan struct{})}
	var c clock
	d := open(t, Options{Handler: h.fake, SessionlessTimeout: 20 * time.Millisecond, Clock: c.now})
	d.opt.Handler = h
	p := d.dial(t)
	p.send("0000002d 00000000 0000000000000000 00000014 0000000000000000 00000010 00000000000000000000000000000000 00")
	p.expectBytes(41)
	p.send(pingHex)
	until(t, "the handler is waited for", d.snapshot()[0].busy.Load)
	c.ns.Store(int64(time.Second))
	n := d.swept.Load()
	until(t, "the sweeper has looked again", func() bool { return d.swept.Load() > n+1 })
	close(h.gate)
	p.expectBytes(20)
}

// blocking is a handler whose Submit waits for a gate.
type blocking struct {
	*fake
	gate chan struct{}
}

func (b *blocking) Submit(id clientID, r []zk.Request, _ func()) bool {
	<-b.gate
	return b.fake.Submit(id, r, nil)
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	d := open(t, Options{MaxClientCnxns: 2})
	a, b := d.session(t), d.session(t)
	for range 3 {
		if got := d.dial(t).expectEnd(); len(got) != 0 {
			t.Fatalf("%x", got)
		}
		d.expectReason(t, rejectedPerIP)
	}
	d.SetMaxClientCnxns(3)
	d.session(t)
	a.Conn.Close()
	d.expectReason(t, endEOF)
	d.session(t)
	d.SetMaxClientCnxns(0)
	for range 5 {
		d.session(t)
	}
	b.send(pingHex)
	b.expectBytes(20)
}

func TestConnectionsAreLimitedInTotal(t *testing.T) {
	d := open(t, Options{MaxCnxns: 1})
	d.session(t)
	d.dial(t).expectEnd()
	d.expectReason(t, rejectedAll)
}

func TestWithoutDescriptorsClientsAreTurnedAwayAndLaterServed(t *testing.T) {
	t.Run("none is left", func(t *testing.T) { withoutDescriptors(t, 0) })
	t.Run("the last are kept", func(t *testing.T) { withoutDescriptors(t, 10) })
}

// withoutDescriptors leaves so many, of 256.
func withoutDescriptors(t *testing.T, left int) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Skip(err)
	}
	d := open(t, Options{})
	first := d.session(t)
	// The clients' own sockets come first; the server accepts none of them until it may.
	var fillers []*os.File
	var once sync.Once
	restore := func() {
		once.Do(func() {
			for _, f := range fillers {
				f.Close()
			}
			syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
		})
	}
	defer restore()
	sock, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(sock)
	limit := syscall.Rlimit{Cur: 256, Max: old.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skip(err)
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		fillers = append(fillers, f)
	}
	for range left {
		fillers[len(fillers)-1].Close()
		fillers = fillers[:len(fillers)-1]
	}
	port := d.Addr().(*net.TCPAddr).Port
	if err := syscall.Connect(sock, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	d.expectReason(t, rejectedDescriptors)
	first.send(pingHex)
	first.expectBytes(20)
	if left > 0 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Errorf("the server has none for itself: %v", err)
		}
		f.Close()
	}
	restore()
	d.session(t)
}

func TestManyConnectionsAtOnce(t *testing.T) {
	d := open(t, Options{})
	var wg sync.WaitGroup
	var served atomic.Int32
	client := tlsClient(t)
	for range 20 {
		wg.Go(func() {
			for range 50 {
				c, err := net.Dial("tcp", d.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				if overTLS {
					c = tls.Client(c, client)
				}
				p := &peer{c, t}
				p.send(connectHex + closeHex)
				p.expectBytes(41 + 20)
				c.Close()
				served.Add(1)
			}
		})
	}
	wg.Wait()
	if served.Load() != 1000 {
		t.Errorf("%d of 1000 clients were served", served.Load())
	}
}

func TestTakenPortNamesItsHolder(t *testing.T) {
	d := open(t, Options{})
	_, err := Listen(d.Addr().String(), Options{Handler: d.f})
	if err == nil {
		t.Fatal("bound twice")
	}
	port := d.Addr().(*net.TCPAddr).Port
	comm, _ := os.ReadFile("/proc/self/comm")
	want := fmt.Sprintf("client port %d is taken by pid %d (%s)", port, os.Getpid(), strings.TrimSpace(string(comm)))
	if len(comm) == 0 {
		want = fmt.Sprintf("client port %d is taken by another process", port)
	}
	if err.Error() != want || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := Listen("256.0.0.1:1", Options{Handler: d.f}); err == nil {
		t.Error("bound to an address that does not exist")
	}
}

func TestHolderReadsTheSystemsTables(t *testing.T) {
	proc := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(proc, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, []byte(text), 0o644)
	}
	write("net/tcp", `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0885 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000
   1: 0100007F:0885 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000
   2: 0100007F:0886 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000
short line
`)
	write("812/comm", "java\n")
	write("813/comm", "other\n")
	for pid, inode := range map[string]string{"812": "4711", "813": "4713"} {
		os.MkdirAll(filepath.Join(proc, pid, "fd"), 0o755)
		os.Symlink("socket:["+inode+"]", filepath.Join(proc, pid, "fd", "7"))
	}
	if pid, comm, ok := holder(proc, 2181); pid != 812 || comm != "java" || !ok {
		t.Errorf("%d %q %v", pid, comm, ok)
	}
	if _, _, ok := holder(proc, 2183); ok {
		t.Error("found a holder of a free port")
	}
}

func TestBacklogCanBeSet(t *testing.T) {
	d := open(t, Options{Backlog: 3})
	d.session(t)
}

func TestAddressesPrintAsJavaPrintsThem(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1": "127.0.0.1", "::1": "0:0:0:0:0:0:0:1",
		"2001:db8::a0:0:ff": "2001:db8:0:0:0:a0:0:ff", "fe80::1000": "fe80:0:0:0:0:0:0:1000"} {
		if got := ipText(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
