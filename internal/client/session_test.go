package client

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"paddock/internal/zk"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// gate passes connections on to a server, and can cut them.
type gate struct {
	l      net.Listener
	to     string
	mu     sync.Mutex // guards all below
	open   []net.Conn
	barred bool
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{l: l, to: to}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			g.mu.Lock()
			if err != nil || g.barred {
				in.Close()
				if out != nil {
					out.Close()
				}
				g.mu.Unlock()
				continue
			}
			g.open = append(g.open, in, out)
			g.mu.Unlock()
			pass := func(a, b net.Conn) { _, _ = io.Copy(a, b); a.Close(); b.Close() }
			all.Go(func() { pass(in, out) })
			all.Go(func() { pass(out, in) })
		}
	})
	t.Cleanup(func() { l.Close(); g.cut(true); all.Wait() })
	return g
}

// cut ends all connections; barred tells whether further ones are turned away.
func (g *gate) cut(barred bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.open {
		c.Close()
	}
	g.open, g.barred = nil, barred
}

// session is a Session whose notices come on a channel.
func session(t *testing.T, servers ...string) (*Session, chan Notice) {
	t.Helper()
	notices := make(chan Notice, 100)
	s := NewSession(SessionOptions{Servers: servers, Timeout: 9 * time.Second, Notify: func(n Notice) { notices <- n }})
	t.Cleanup(s.Abandon)
	return s, notices
}

// next is the next notice.
func next(t *testing.T, notices chan Notice) Notice {
	t.Helper()
	select {
	case n := <-notices:
		return n
	case <-time.After(patience):
		t.Fatal("nothing is told")
		return Notice{}
	}
}

func TestASessionOutlivesItsConnectionWithItsWatchesAndCredentials(t *testing.T) {
	f, addr := serve(t)
	g := newGate(t, addr)
	s, notices := session(t, g.l.Addr().String())
	for _, req := range []zk.Request{{Op: zk.OpAuth, Path: "digest", Data: []byte("u:p")}, {Op: zk.OpGetChildren2, Path: "/c", Watch: true},
		{Op: zk.OpAddWatch, Path: "/p", Arg: int32(zk.AddPersistent)}} {
		if _, err := s.Do(t.Context(), &req); err != nil {
			t.Fatal(err)
		}
	}
	if n := next(t, notices); n.Keeper != KeeperSyncConnected || n.Type != EventNone {
		t.Fatalf("%+v", n)
	}
	id := s.ID()
	g.cut(false)
	if n := next(t, notices); n.Keeper != KeeperDisconnected {
		t.Fatalf("%+v", n)
	}
	if n := next(t, notices); n.Keeper != KeeperSyncConnected {
		t.Fatalf("%+v", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Await(ctx); err != nil || s.State() != Connected {
		t.Fatal(err, s.State())
	}
	if _, err := s.Do(ctx, &zk.Request{Op: zk.OpGetData, Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.connect.Session != id || s.ID() != id {
		t.Errorf("session %v became %v", id, f.connect.Session)
	}
	if f.connect.LastZxidSeen == 0 {
		t.Error("it does not say what it has seen")
	}
	var ops []zk.OpCode
	for _, r := range f.asked {
		ops = append(ops, r.Op)
	}
	want := []zk.OpCode{zk.OpAuth, zk.OpGetChildren2, zk.OpAddWatch, zk.OpAuth, zk.OpSetWatches2, zk.OpGetData}
	if !slices.Equal(ops, want) {
		t.Errorf("asked %v, not %v", ops, want)
	}
	w := f.asked[4].Watches
	if !slices.Equal(w.Child, []string{"/c"}) || !slices.Equal(w.Persistent, []string{"/p"}) {
		t.Errorf("watched again: %+v", w)
	}
}

func TestARequestFailsOnceEveryServerWasTried(t *testing.T) {
	_, addr := serve(t)
	g := newGate(t, addr)
	g.cut(true)
	s, _ := session(t, "127.0.0.1:1", g.l.Addr().String())
	if _, err := s.Do(t.Context(), &zk.Request{Op: zk.OpGetData, Path: "/a"}); !errors.Is(err, ErrLost) {
		t.Fatalf("%v", err)
	}
	g.cut(false)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Await(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Server() != g.l.Addr().String() {
		t.Errorf("connected to %s", s.Server())
	}
	if r, err := s.Do(ctx, &zk.Request{Op: zk.OpGetData, Path: "/a"}); err != nil || string(r.Data) != "/a" {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestASessionThatIsRefusedHasExpired(t *testing.T) {
	f, addr := serve(t)
	g := newGate(t, addr)
	s, notices := session(t, g.l.Addr().String())
	next(t, notices)
	f.mu.Lock()
	f.refuse = true
	f.mu.Unlock()
	g.cut(false)
	next(t, notices)
	if n := next(t, notices); n.Keeper != KeeperExpired || s.State() != Expired {
		t.Fatalf("%+v %v", n, s.State())
	}
	if _, err := s.Do(t.Context(), &zk.Request{Op: zk.OpGetData, Path: "/a"}); !errors.Is(err, ErrExpired) {
		t.Fatal(err)
	}
}

func TestCloseIsToldOnce(t *testing.T) {
	_, addr := serve(t)
	s, notices := session(t, addr)
	next(t, notices)
	if err := s.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := next(t, notices); n.Keeper != KeeperClosed || s.State() != Closed {
		t.Fatalf("%+v", n)
	}
	if err := s.Close(); err != nil || len(notices) != 0 {
		t.Fatalf("%v, %d told", err, len(notices))
	}
	if _, err := s.Do(t.Context(), &zk.Request{Op: zk.OpGetData, Path: "/a"}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestWatchesAreUsedUpAndRemoved(t *testing.T) {
	g := newRegistry()
	ok, none := &zk.Reply{}, &zk.Reply{Err: zk.NoNode}
	g.asked(&zk.Request{Op: zk.OpGetData, Path: "/a", Watch: true}, ok)
	g.asked(&zk.Request{Op: zk.OpGetData, Path: "/b"}, ok)
	g.asked(&zk.Request{Op: zk.OpGetData, Path: "/c", Watch: true}, none)
	g.asked(&zk.Request{Op: zk.OpExists, Path: "/d", Watch: true}, none)
	g.asked(&zk.Request{Op: zk.OpGetChildren2, Path: "/a", Watch: true}, ok)
	g.asked(&zk.Request{Op: zk.OpAddWatch, Path: "/a", Arg: int32(zk.AddPersistentRecursive)}, ok)
	reqs := g.restored(7)
	if len(reqs) != 1 || reqs[0].Watches.RelativeZxid != 7 {
		t.Fatalf("%+v", reqs)
	}
	w := reqs[0].Watches
	for got, want := range map[*[]string]string{&w.Data: "/a", &w.Exist: "/d", &w.Child: "/a", &w.Recursive: "/a"} {
		if len(*got) != 1 || (*got)[0] != want {
			t.Errorf("%+v", w)
		}
	}
	if len(w.Persistent) != 0 {
		t.Errorf("%+v", w)
	}
	g.fired(zk.Event{Type: zk.NodeDataChanged, Path: "/a"})
	g.fired(zk.Event{Type: zk.NodeCreated, Path: "/d"})
	if got := g.remove("/a", zk.WatcherData); got != nil {
		t.Errorf("a watch that has fired was removed: %v", got)
	}
	if got := g.remove("/a", zk.WatcherAny); !slices.Equal(got, []zk.EventType{ChildWatchRemoved, PersistentWatchRemoved}) {
		t.Errorf("%v", got)
	}
	if reqs := g.restored(7); reqs != nil {
		t.Errorf("%+v", reqs)
	}
}
