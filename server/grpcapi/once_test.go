package grpcapi

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

// cutting relays one connection and cuts it after some bytes, of both directions together.
type cutting struct {
	listener net.Listener
	wg       sync.WaitGroup
}

// cutAfter relays to addr.
func cutAfter(t *testing.T, addr string, bytes int) *cutting {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutting{listener: l}
	c.wg.Go(func() { // ends with the listener and the cut
		in, err := l.Accept()
		if err != nil {
			return
		}
		defer in.Close()
		l.Close() // who comes again is refused
		out, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer out.Close()
		var mu sync.Mutex // guards left
		left := bytes
		relay := func(to, from net.Conn) {
			defer to.Close()
			defer from.Close()
			b := make([]byte, 32)
			for {
				n, err := from.Read(b)
				mu.Lock()
				n = min(n, left)
				left -= n
				over := left == 0
				mu.Unlock()
				if _, werr := to.Write(b[:n]); err != nil || werr != nil || over {
					return
				}
			}
		}
		var both sync.WaitGroup
		both.Go(func() { relay(out, in) })
		both.Go(func() { relay(in, out) })
		both.Wait()
	})
	return c
}

func (c *cutting) close() {
	c.listener.Close()
	c.wg.Wait()
}

// Every write is asked for through a connection that breaks somewhere, and then again with the same key.
func TestRetriedWriteIsDoneOnceAndAnsweredAsTheFirstTime(t *testing.T) {
	const cuts, step = 100, 12
	type answer interface {
		proto.Message
		GetZxid() uint64
	}
	for _, row := range []struct {
		name   string
		ask    func(ctx context.Context, c paddockv1.ZnodeServiceClient, dir string, opt *paddockv1.WriteOptions) (answer, error)
		effect func(r *rig, dir string) (string, string) // what there is, and what there should be
	}{
		{"a sequential creation", func(ctx context.Context, c paddockv1.ZnodeServiceClient, dir string, opt *paddockv1.WriteOptions) (answer, error) {
			return c.Create(ctx, &paddockv1.CreateRequest{Path: dir + "/n-", Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL, Options: opt})
		}, func(r *rig, dir string) (string, string) { return fmt.Sprint(r.names(dir)), "[n-0000000001 old]" }},
		{"a transaction", func(ctx context.Context, c paddockv1.ZnodeServiceClient, dir string, opt *paddockv1.WriteOptions) (answer, error) {
			return c.Transact(ctx, &paddockv1.TransactRequest{Then: []*paddockv1.Operation{
				{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: dir + "/t-", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL}}},
				{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: dir + "/old", Data: []byte("new")}}},
			}, Options: opt})
		}, func(r *rig, dir string) (string, string) {
			got, err := r.znodes.Get(r.t.Context(), &paddockv1.GetRequest{Path: dir + "/old"})
			return fmt.Sprint(r.names(dir), got.GetStat().GetVersion(), err), "[old t-0000000001] 1 <nil>"
		}},
		{"a recursive deletion", func(ctx context.Context, c paddockv1.ZnodeServiceClient, dir string, opt *paddockv1.WriteOptions) (answer, error) {
			return c.Delete(ctx, &paddockv1.DeleteRequest{Path: dir, Recursive: true, Options: opt})
		}, func(r *rig, dir string) (string, string) {
			out, err := r.znodes.Exists(r.t.Context(), &paddockv1.ExistsRequest{Path: dir})
			return fmt.Sprint(out.GetExists(), err), "false <nil>"
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			base, _ := r.open(30_000)
			lost := 0
			for i := range cuts {
				dir := fmt.Sprintf("/d%d", i)
				r.create(dir+"/old", "old")
				opt := &paddockv1.WriteOptions{IdempotencyKey: uint64(i + 1)}
				relay := cutAfter(t, r.addr, 60+i*step)
				conn, err := grpc.NewClient("passthrough:///"+relay.listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(base, 20*time.Second)
				first, err := row.ask(ctx, paddockv1.NewZnodeServiceClient(conn), dir, opt)
				conn.Close()
				relay.close()
				if err != nil {
					lost++
				}
				cancel()
				ctx, cancel = context.WithTimeout(base, 20*time.Second)
				again, retryErr := row.ask(ctx, r.znodes, dir, opt)
				if retryErr != nil {
					t.Fatalf("cut %d: first %v, then %v", i, err, retryErr)
				}
				if err == nil && !proto.Equal(first, again) {
					t.Errorf("cut %d: first\n%v\nthen\n%v", i, first, again)
				}
				third, err := row.ask(ctx, r.znodes, dir, opt)
				if err != nil || !proto.Equal(third, again) {
					t.Errorf("cut %d: second\n%v\nthird\n%v %v", i, again, third, err)
				}
				if got, want := row.effect(r, dir); got != want {
					t.Errorf("cut %d: there is %s, not %s", i, got, want)
				}
				cancel()
			}
			if lost == 0 || lost == cuts {
				t.Errorf("%d of %d connections broke before the answer: the offsets cut nowhere interesting", lost, cuts)
			}
		})
	}
}

// names are the children of a znode.
func (r *rig) names(path string) (names []string) {
	r.t.Helper()
	out, err := r.znodes.ListChildren(r.t.Context(), &paddockv1.ListChildrenRequest{Path: path})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range out.GetChildren() {
		names = append(names, c.GetPath())
	}
	return names
}

func TestIdempotencyKeysHaveRules(t *testing.T) {
	r := newRig(t)
	ctx, s := r.open(30_000)
	opt := &paddockv1.WriteOptions{IdempotencyKey: 7}
	_, err := r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: "/a", Options: opt})
	expect(t, err, codes.FailedPrecondition, "UNKNOWNSESSION")
	_, err = r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/a", Options: &paddockv1.WriteOptions{IdempotencyKey: 1 << 63}})
	expect(t, err, codes.InvalidArgument, "BADARGUMENTS")
	_, err = r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/no/parent", Options: opt})
	expect(t, err, codes.NotFound, "NONODE")
	if _, err = r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/a", Options: opt}); err != nil {
		t.Fatalf("a key whose write failed serves another: %v", err)
	}
	_, err = r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/b", Options: opt})
	expect(t, err, codes.InvalidArgument, "KEY_REUSED")
	_, err = r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Options: opt})
	expect(t, err, codes.InvalidArgument, "KEY_REUSED")
	if list, err := r.sess.ListEphemerals(ctx, &paddockv1.ListEphemeralsRequest{}); err != nil || len(list.GetPaths()) != 0 {
		t.Errorf("records show among the ephemerals: %v %v", list, err)
	}
	for key := range uint64(100) {
		if _, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Options: &paddockv1.WriteOptions{IdempotencyKey: 100 + key}}); err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("64 records are left", func() bool { return len(r.names(oncePath)) == onceKeysMax })
	if _, err := r.sess.CloseSession(ctx, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Fatal(err)
	}
	if left := r.names(oncePath); len(left) != 0 {
		t.Errorf("session %x has left %v", s.GetSessionId(), left)
	}
}

// eventually waits for something that nobody announces.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			r.t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
