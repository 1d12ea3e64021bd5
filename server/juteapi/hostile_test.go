package juteapi

import (
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paddock/internal/zk"
	"paddock/server/request"
)

// hostility is what one bad client does on one connection until it is closed or stop is.
var hostility = map[string]func(c net.Conn, rnd *rand.Rand, stop <-chan struct{}){
	"garbage": func(c net.Conn, rnd *rand.Rand, _ <-chan struct{}) {
		b := make([]byte, 1+rnd.IntN(5000))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		c.Write(b)
		io.Copy(io.Discard, c)
	},
	"garbage in frames": func(c net.Conn, rnd *rand.Rand, stop <-chan struct{}) {
		c.Write(unhex(connectHex))
		go io.Copy(io.Discard, c)
		for repeat(stop) {
			b := make([]byte, 8+rnd.IntN(60))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			copy(b, unhex("00000001000000"))
			if _, err := c.Write(frame(b)); err != nil {
				return
			}
		}
	},
	"lengths": func(c net.Conn, rnd *rand.Rand, _ <-chan struct{}) {
		c.Write(unhex([]string{"ffffffff", "7fffffff", "80000000", "00100000"}[rnd.IntN(4)]))
		io.Copy(io.Discard, c)
	},
	"trickle": func(c net.Conn, rnd *rand.Rand, stop <-chan struct{}) {
		c.Write(unhex("000ffff0"))
		for repeat(stop) {
			if _, err := c.Write([]byte{0}); err != nil {
				return
			}
		}
	},
	"never reads": func(c net.Conn, _ *rand.Rand, stop <-chan struct{}) {
		c.Write(unhex(connectHex))
		gets := []byte(strings.Repeat(string(unhex(getHex)), 100))
		for repeat(stop) {
			c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := c.Write(gets); err != nil && !strings.Contains(err.Error(), "timeout") {
				return
			}
		}
	},
	"connects and leaves": func(c net.Conn, _ *rand.Rand, _ <-chan struct{}) {
		c.Write(unhex(connectHex + pingHex))
	},
	"stays silent": func(c net.Conn, _ *rand.Rand, _ <-chan struct{}) { io.Copy(io.Discard, c) },
	"resets": func(c net.Conn, _ *rand.Rand, _ <-chan struct{}) {
		c.Write(unhex(connectHex + getHex + getHex))
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
	},
}

// repeat takes a breath and tells whether stop is still open. Without the breath the test would be about who gets the
// processor.
func repeat(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(5 * time.Millisecond):
		return true
	}
}

func TestHostileClientsDoNotDisturbOthers(t *testing.T) {
	span := 3 * time.Second
	if testing.Short() {
		span = 500 * time.Millisecond
	}
	f := newFake()
	f.backlog = true
	big := make([]byte, 50000)
	f.answer = func(c *fakeClient, r *zk.Request) {
		if r.Op == zk.OpGetData && !r.Malformed {
			c.Reply(&zk.Reply{Xid: r.Xid, Op: r.Op, Data: big})
			return
		}
		f.usual(c, r)
	}
	before := runtime.NumGoroutine()
	d := open(t, Options{Handler: f, SessionlessTimeout: 500 * time.Millisecond})
	healthy := d.session(t)
	stop := make(chan struct{})
	var bad sync.WaitGroup
	for i := range 200 {
		bad.Go(func() { harass(d.Addr().String(), uint64(i), stop) })
	}
	var peak uint64
	answered := 0
	for end := time.Now().Add(span); time.Now().Before(end); answered++ {
		healthy.send(pingHex)
		if got := healthy.expectBytes(20); string(got[4:8]) != "\xff\xff\xff\xfe" {
			t.Fatalf("answered %x", got)
		}
		if answered%10 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
	}
	close(stop)
	healthy.Conn.Close()
	d.shut(t)
	bad.Wait()
	t.Logf("%d answers, %d MiB at most", answered, peak>>20)
	if peak > 200<<20 {
		t.Errorf("the heap grew to %d MiB", peak>>20)
	}
	until(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

// harass is a bad client of some kind that comes again and again.
func harass(addr string, seed uint64, stop <-chan struct{}) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	kinds := slices.Sorted(maps.Keys(hostility))
	kind := hostility[kinds[seed%uint64(len(kinds))]]
	for repeat(stop) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		kind(c, rnd, stop)
		c.Close()
	}
}

func TestCloseEndsEverything(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	d := open(t, Options{})
	peers := []*peer{d.dial(t), d.session(t), d.session(t)}
	peers[1].send(pingHex + "0000")
	peers[2].send(strings.Repeat(getHex, 100))
	d.shut(t)
	for _, p := range peers {
		p.expectEnd()
	}
	if d.Len() != 0 {
		t.Errorf("%d connections are left", d.Len())
	}
	if err := d.Serve(); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
	if _, err := net.Dial("tcp", d.Addr().String()); err == nil {
		t.Error("the port still accepts")
	}
	goleak.VerifyNone(t, leaks)
}

func TestCloseWithoutServe(t *testing.T) {
	f := newFake()
	defer f.stop()
	s, err := Listen("127.0.0.1:0", Options{Handler: f})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.Serve(); err != nil {
		t.Error(err)
	}
}

func TestSinkMayBeUsedAfterTheClientIsGone(t *testing.T) {
	f := newFake()
	var sink request.Sink
	f.answer = func(c *fakeClient, r *zk.Request) { sink = c.Sink }
	d := open(t, Options{Handler: f})
	p := d.session(t)
	p.send(pingHex)
	until(t, "it was submitted", func() (ok bool) { f.do(func() { ok = sink != nil }); return })
	p.Conn.Close()
	d.expectReason(t, endEOF)
	f.do(func() {
		for range 1000 {
			sink.Reply(&zk.Reply{Xid: 1, Op: zk.OpGetData, Data: make([]byte, 1<<20)})
			sink.Event(&zk.Event{Path: "/a"})
			sink.Flush()
		}
		sink.Close(request.CloseSessionExpired)
		sink.Close(request.CloseSessionExpired)
		if n := sink.Backlog(); n > 0 {
			t.Errorf("a backlog of %d bytes for nobody", n)
		}
	})
}
