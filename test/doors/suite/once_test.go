//go:build doors

package suite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"paddock/client"
	"paddock/test/doors/rig"
)

// scissors cut one connection, of those that they hold, after some bytes of both directions together.
type scissors struct {
	wg sync.WaitGroup

	mu    sync.Mutex // guards all below
	left  int        // bytes until the cut; negative for no cut
	conns map[net.Conn]struct{}
	over  bool
}

// newScissors holds the connections through the addresses that it returns, one for each server.
func newScissors(t *testing.T, servers []*rig.Server) (x *scissors, addrs []string) {
	t.Helper()
	x = &scissors{left: -1, conns: map[net.Conn]struct{}{}}
	var listeners []net.Listener
	for _, s := range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners, addrs = append(listeners, l), append(addrs, l.Addr().String())
		x.wg.Go(func() { // ends with the listener
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				x.wg.Go(func() { x.relay(in, s.GRPC) })
			}
		})
	}
	t.Cleanup(func() {
		for _, l := range listeners {
			l.Close()
		}
		x.mu.Lock()
		x.over = true
		for c := range x.conns {
			c.Close()
		}
		x.mu.Unlock()
		x.wg.Wait()
	})
	return x, addrs
}

// cutAfter has whatever comes next cut after n bytes.
func (x *scissors) cutAfter(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.left = n
}

// take is how many of n bytes may still pass, and whether the connection is cut behind them.
func (x *scissors) take(n int) (passing int, cut bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left < 0 {
		return n, false
	}
	n = min(n, x.left)
	x.left -= n
	if x.left == 0 {
		x.left = -1 // once
		return n, true
	}
	return n, false
}

// hold notes connections, which end with the test.
func (x *scissors) hold(conns ...net.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range conns {
		x.conns[c] = struct{}{}
		if x.over {
			c.Close()
		}
	}
}

func (x *scissors) relay(in net.Conn, addr string) {
	out, err := net.Dial("tcp", addr)
	if err != nil {
		in.Close()
		return
	}
	x.hold(in, out)
	move := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		b := make([]byte, 16)
		for {
			n, err := from.Read(b)
			n, cut := x.take(n)
			if _, werr := to.Write(b[:n]); err != nil || werr != nil || cut {
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { move(out, in) })
	both.Go(func() { move(in, out) })
	both.Wait()
}

// onceWrite is a write that must happen once.
type onceWrite struct {
	name string
	// ask does it below dir, and compares the answer with what is there, as seen by another.
	ask func(ctx context.Context, s *client.Session, by *client.Znodes, dir string) error
	// there is what there is below dir afterwards.
	there string
	// done tells what is to be seen once it was done.
	done func(ctx context.Context, by *client.Znodes, dir string) bool
}

var onceWrites = []onceWrite{
	{"a sequential creation", func(ctx context.Context, s *client.Session, by *client.Znodes, dir string) error {
		made, err := s.Create(ctx, dir+"/n-", []byte("x"), client.CreateOptions{Mode: client.PersistentSequential})
		if err != nil {
			return err
		}
		seen, err := by.Get(ctx, made.Path)
		if err != nil || seen.Stat != made.Stat || made.Zxid != seen.Stat.Czxid {
			return fmt.Errorf("answered %+v, but there is %+v, %w", made, seen, err)
		}
		return nil
	}, "[n-0000000001 old]", func(ctx context.Context, by *client.Znodes, dir string) bool {
		z, err := by.Get(ctx, dir)
		return err == nil && z.Stat.NumChildren == 2
	}},
	{"a transaction", func(ctx context.Context, s *client.Session, by *client.Znodes, dir string) error {
		out, err := s.Transact(ctx, client.Transaction{If: []client.Guard{client.IfVersion(dir+"/old", 0)}, Then: []client.Op{
			client.OpCreate(dir+"/t-", nil, client.CreateOptions{Mode: client.PersistentSequential}), client.OpSet(dir+"/old", []byte("new"), client.AnyVersion),
		}, Else: []client.Op{client.OpCreate(dir+"/wrong", nil, client.CreateOptions{})}})
		if err != nil {
			return err
		}
		made, err1 := by.Get(ctx, out.Results[0].Path)
		set, err2 := by.Get(ctx, dir+"/old")
		if err1 != nil || err2 != nil || !out.Held || made.Stat != out.Results[0].Stat || set.Stat != out.Results[1].Stat || set.Stat.Version != 1 ||
			out.Zxid != made.Stat.Czxid || out.Zxid != set.Stat.Mzxid {
			return fmt.Errorf("answered %+v, but there is %+v and %+v, %w", out, made, set, errors.Join(err1, err2))
		}
		return nil
	}, "[old t-0000000001]", func(ctx context.Context, by *client.Znodes, dir string) bool {
		z, err := by.Get(ctx, dir+"/old")
		return err == nil && z.Stat.Version == 1
	}},
	{"a deletion", func(ctx context.Context, s *client.Session, _ *client.Znodes, dir string) error {
		return s.Delete(ctx, dir+"/old", 0) // answered NONODE if it was done twice
	}, "[]", func(ctx context.Context, by *client.Znodes, dir string) bool {
		_, there, err := by.Exists(ctx, dir+"/old")
		return err == nil && !there
	}},
	{"a recursive deletion", func(ctx context.Context, s *client.Session, _ *client.Znodes, dir string) error {
		n, err := s.DeleteTree(ctx, dir+"/old", 0)
		if err == nil && n != 1 {
			return fmt.Errorf("answered that %d went", n)
		}
		return err
	}, "[]", func(ctx context.Context, by *client.Znodes, dir string) bool {
		_, there, err := by.Exists(ctx, dir+"/old")
		return err == nil && !there
	}},
}

// The connection of a client breaks after each of 100 numbers of bytes, and the client asks again by itself, of the same server or of another one.
func TestAWriteThatTheClientRepeatsByItselfIsDoneOnce(t *testing.T) {
	const cuts, stride = 100, 8
	for name, servers := range map[string][]*rig.Server{"one server": {rig.Start(t)}, "three servers": rig.Ensemble(t, 3)} {
		for k, row := range onceWrites {
			t.Run(row.name+" on "+name, func(t *testing.T) {
				by := rig.Client(t, client.Options{}, servers[0]).At(client.Synced, 0)
				x, addrs := newScissors(t, servers)
				var dir string             // that is written below
				var broken, doneBefore int // writes
				// Each attempt of the client passes here, the first one of a write with its dir.
				attempt := func(ctx context.Context, method string, in, out any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
					err := invoke(ctx, method, in, out, cc, opts...)
					if err != nil && dir != "" {
						broken++
						if row.done(ctx, by, dir) {
							doneBefore++ // what comes back is the answer to a repetition
						}
						dir = ""
					}
					return err
				}
				c, err := client.Dial(addrs, client.Options{DialOptions: []grpc.DialOption{grpc.WithUnaryInterceptor(attempt)}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.Close)
				s := rig.Session(t, c, 30*time.Second)
				for i := range cuts {
					ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
					at := fmt.Sprintf("/%d-%d", k, i)
					// Through the connection that breaks next, so that it is there.
					for _, path := range []string{at, at + "/old"} {
						if _, err := s.Create(ctx, path, nil, client.CreateOptions{}); err != nil {
							t.Fatal(err)
						}
					}
					dir = at
					x.cutAfter(1 + i*stride)
					if err := row.ask(ctx, s, by, at); err != nil {
						t.Errorf("cut after %d bytes: %v", 1+i*stride, err)
					}
					x.cutAfter(-1)
					var names []string
					for z, err := range by.Children(ctx, at, client.ListOptions{}) {
						if err != nil {
							t.Fatal(err)
						}
						names = append(names, z.Path)
					}
					if got := fmt.Sprint(names); got != row.there {
						t.Errorf("cut after %d bytes: there is %s, not %s", 1+i*stride, got, row.there)
					}
					cancel()
				}
				t.Logf("%d first attempts broke, %d of them after the write was done", broken, doneBefore)
				if broken == 0 || broken == cuts || doneBefore == 0 {
					t.Errorf("%d first attempts broke, %d of them after the write was done: the offsets cut nowhere interesting", broken, doneBefore)
				}
			})
		}
	}
}
