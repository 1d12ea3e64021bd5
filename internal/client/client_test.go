package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"paddock/internal/zk"
	"paddock/server/juteapi"
	"paddock/server/request"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a handler that answers at once, in the caller's goroutine. Sinks want one goroutine at a time, hence the lock.
type fake struct {
	mu      sync.Mutex // guards all below, and the sinks
	last    request.ClientID
	sinks   map[request.ClientID]request.Sink
	pings   int
	refuse  bool
	silent  bool         // answers nothing but pings
	asked   []zk.Request // all but pings
	connect zk.ConnectRequest
}

func (f *fake) Open(s request.Sink, _ request.Origin) request.ClientID {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.sinks[f.last] = s
	return f.last
}

func (f *fake) Connect(id request.ClientID, r *zk.ConnectRequest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.connect = *r
	s := f.sinks[id]
	defer s.Flush()
	if f.refuse {
		s.Connected(&zk.ConnectResponse{})
		s.Close(request.CloseSessionRefused)
		return
	}
	session := r.Session
	if session == 0 {
		session = zk.SessionID(0x100000000000000 + id)
	}
	s.Connected(&zk.ConnectResponse{TimeoutMS: r.TimeoutMS, Session: session, Password: session.Password()})
}

func (f *fake) Submit(id request.ClientID, reqs []zk.Request, _ func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sinks[id]
	defer s.Flush()
	for _, r := range reqs {
		rep := zk.Reply{Xid: r.Xid, Op: r.Op, Zxid: zk.Zxid(r.Xid), Path: r.Path}
		if r.Op != zk.OpPing {
			f.asked = append(f.asked, r)
		}
		switch {
		case r.Op == zk.OpPing:
			f.pings++
		case f.silent:
			continue
		case r.Op == zk.OpGetData:
			if r.Watch {
				s.Event(&zk.Event{Zxid: 3, Type: zk.NodeDataChanged, Path: r.Path})
			}
			rep.Data = []byte(r.Path)
		case r.Op == zk.OpDelete:
			rep.Err = zk.NoNode
		}
		s.Reply(&rep)
		if r.Op == zk.OpCloseSession {
			s.Close(request.CloseSessionClosed)
			return true
		}
	}
	return true
}

func (f *fake) Drained(request.ClientID) {}
func (f *fake) Close(id request.ClientID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sinks, id)
}

// serve starts a server and returns where.
func serve(t *testing.T) (*fake, string) {
	t.Helper()
	f := &fake{sinks: map[request.ClientID]request.Sink{}}
	s, err := juteapi.Listen("127.0.0.1:0", juteapi.Options{Handler: f, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f, s.Addr().String()
}

func dial(t *testing.T, addr string, opt Options) *Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := Dial(ctx, addr, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abandon)
	return c
}

func TestRequestsAndReplies(t *testing.T) {
	_, addr := serve(t)
	c := dial(t, addr, Options{Timeout: 7 * time.Second})
	if c.Timeout() != 7*time.Second || c.Session() == 0 || len(c.Password()) != 16 {
		t.Fatalf("%v %v %x", c.Timeout(), c.Session(), c.Password())
	}
	r, err := c.Do(&zk.Request{Op: zk.OpGetData, Path: "/a"})
	if err != nil || string(r.Data) != "/a" || r.Xid != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	r, err = c.Do(&zk.Request{Op: zk.OpDelete, Path: "/a", Version: -1})
	if err != nil || r.Err != zk.NoNode || r.Xid != 2 || c.LastZxid() != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err = c.Do(&zk.Request{Xid: zk.XidAuth, Op: zk.OpAuth, Path: "digest", Data: []byte("u:p")}); err != nil || r.Xid != -4 {
		t.Fatalf("%+v %v", r, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(&zk.Request{Op: zk.OpSync}); !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
	if _, open := <-c.Events(); open {
		t.Error("the events go on")
	}
}

func TestPipelinedRequestsAreBoundedAndOrdered(t *testing.T) {
	_, addr := serve(t)
	c := dial(t, addr, Options{Outstanding: 50})
	const n = 5000
	var open, most atomic.Int32
	next := 0
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		most.Store(max(most.Load(), open.Add(1)))
		c.Send(&zk.Request{Op: zk.OpGetData, Path: fmt.Sprint("/", i)}, func(r *zk.Reply, err error) {
			defer wg.Done()
			open.Add(-1)
			if err != nil || string(r.Data) != fmt.Sprint("/", next) {
				t.Errorf("reply %d: %+v %v", next, r, err)
			}
			next++
		})
	}
	wg.Wait()
	if most.Load() > 52 { // the bound, one in Send and one being told
		t.Errorf("%d requests were outstanding", most.Load())
	}
}

func TestEventsComeBeforeTheReplyThatFollowsThem(t *testing.T) {
	_, addr := serve(t)
	c := dial(t, addr, Options{})
	if _, err := c.Do(&zk.Request{Op: zk.OpGetData, Path: "/w", Watch: true}); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-c.Events():
		if e != (zk.Event{Zxid: 3, Type: zk.NodeDataChanged, State: 3, Path: "/w"}) {
			t.Errorf("%+v", e)
		}
	default:
		t.Error("the event was not there")
	}
}

func TestSilentConnectionPings(t *testing.T) {
	f, addr := serve(t)
	f.silent = true
	c := dial(t, addr, Options{Timeout: 30 * time.Millisecond})
	answered := make(chan error, 1)
	c.Send(&zk.Request{Op: zk.OpSync, Path: "/"}, func(_ *zk.Reply, err error) { answered <- err })
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		n := f.pings
		f.mu.Unlock()
		if n >= 3 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d pings", n)
		}
	}
	c.Abandon()
	if err := <-answered; !errors.Is(err, ErrClosed) {
		t.Errorf("the unanswered request was told %v", err)
	}
}

func TestTakingASessionUpAgain(t *testing.T) {
	f, addr := serve(t)
	first := dial(t, addr, Options{})
	first.Abandon()
	second := dial(t, addr, Options{Session: first.Session(), LastZxid: 77})
	want := first.Session().Password()
	if second.Session() != first.Session() || f.connect.LastZxidSeen != 77 || string(f.connect.Password) != string(want[:]) {
		t.Errorf("%v, asked with %+v", second.Session(), f.connect)
	}
	f.mu.Lock()
	f.refuse = true
	f.mu.Unlock()
	if _, err := Dial(t.Context(), addr, Options{Session: 5}); !errors.Is(err, ErrExpired) {
		t.Errorf("a refused session: %v", err)
	}
}

func TestServerThatGoesAwayEndsTheConnection(t *testing.T) {
	f, addr := serve(t)
	f.silent = true
	c := dial(t, addr, Options{})
	got := make(chan error, 1)
	c.Send(&zk.Request{Op: zk.OpSync, Path: "/"}, func(_ *zk.Reply, err error) { got <- err })
	f.mu.Lock()
	for _, s := range f.sinks {
		s.Close(request.CloseShutdown)
	}
	f.mu.Unlock()
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	<-c.Done()
	if err := c.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}

func TestDialGivesUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts by its backlog and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, l.Addr().String(), Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// FuzzReplies: whatever a server sends, the client neither panics nor waits for ever.
func FuzzReplies(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x1e\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x03\x00\x00\x00\x02/a"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		near, far := net.Pipe()
		c := &Conn{nc: near, opt: Options{ReplyBytesMax: 1 << 16}, events: make(chan zk.Event, EventsMax),
			slots: make(chan struct{}, 10), kick: make(chan struct{}, 1), done: make(chan struct{})}
		told := 0
		for range 3 {
			c.Send(&zk.Request{Op: zk.OpGetData, Path: "/a"}, func(*zk.Reply, error) { told++ })
		}
		go func() { far.Write(in); far.Close() }()
		go func() {
			for range c.events {
			}
		}()
		c.read()
		if told != 3 {
			t.Fatalf("%d of 3 requests were told their outcome", told)
		}
	})
}
