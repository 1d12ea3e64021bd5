package grpcapi

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
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

// made is a record as a client makes it by itself.
func (r *rig) made(ctx context.Context, s *paddockv1.OpenSessionResponse, key uint64, of proto.Message, mode paddockv1.CreateMode) *paddockv1.CreateRequest {
	r.t.Helper()
	data, err := fingerprint(of)
	if err != nil {
		r.t.Fatal(err)
	}
	return &paddockv1.CreateRequest{Path: recordPath(zk.SessionID(s.GetSessionId()), key), Data: data, Mode: mode}
}

// Whoever may create a znode can make one that looks like a record of a write that was done.
func TestARecordThatAClientHasMadeIsNone(t *testing.T) {
	const ephemeral, persistent = paddockv1.CreateMode_CREATE_MODE_EPHEMERAL, paddockv1.CreateMode_CREATE_MODE_PERSISTENT
	r := newRig(t)
	r.create("/a", "x")
	mine, s := r.open(30_000)
	theirs, _ := r.open(30_000)
	opt := func(key uint64) *paddockv1.WriteOptions { return &paddockv1.WriteOptions{IdempotencyKey: key} }
	if _, err := r.znodes.Set(mine, &paddockv1.SetRequest{Path: "/a", Options: opt(1)}); err != nil {
		t.Fatal(err)
	}
	set, create := &paddockv1.SetRequest{Path: "/a"}, &paddockv1.CreateRequest{Path: "/b"}
	for i, row := range []struct {
		name string
		ctx  context.Context
		mode paddockv1.CreateMode
		of   proto.Message
		last bool // of a transaction, with nothing behind
	}{
		{"persistent", mine, persistent, set, false},
		{"of the session", mine, ephemeral, set, false},
		{"of another session", theirs, ephemeral, set, false},
		{"of a creation", mine, ephemeral, create, false},
		{"in a transaction", mine, ephemeral, set, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			key := uint64(i + 10)
			forged := r.made(row.ctx, s, key, row.of, row.mode)
			err := error(nil)
			if row.last {
				_, err = r.znodes.Transact(row.ctx, &paddockv1.TransactRequest{Then: []*paddockv1.Operation{{Operation: &paddockv1.Operation_Create{Create: forged}}}})
			} else {
				_, err = r.znodes.Create(row.ctx, forged)
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.of == create {
				_, err = r.znodes.Create(mine, &paddockv1.CreateRequest{Path: "/b", Options: opt(key)})
			} else {
				_, err = r.znodes.Set(mine, &paddockv1.SetRequest{Path: "/a", Options: opt(key)})
			}
			expect(t, err, codes.InvalidArgument, "KEY_REUSED")
		})
	}
}

// A retry would be done once more if what tells of the first time were gone.
func TestClientsNeitherDeleteNorChangeRecords(t *testing.T) {
	r := newRig(t)
	ctx, s := r.open(30_000)
	ask := &paddockv1.CreateRequest{Path: "/n-", Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL, Options: &paddockv1.WriteOptions{IdempotencyKey: 7}}
	first, err := r.znodes.Create(ctx, ask)
	if err != nil {
		t.Fatal(err)
	}
	record := recordPath(zk.SessionID(s.GetSessionId()), 7)
	everybody := []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_DELETE}}}
	for _, path := range []string{record, oncePath, "/zookeeper/paddock"} {
		_, err := r.znodes.Delete(ctx, &paddockv1.DeleteRequest{Path: path, Recursive: true})
		expect(t, err, codes.PermissionDenied, "NOAUTH")
		_, err = r.znodes.Set(ctx, &paddockv1.SetRequest{Path: path})
		expect(t, err, codes.PermissionDenied, "NOAUTH")
		_, err = r.znodes.SetAcl(ctx, &paddockv1.SetAclRequest{Path: path, Acl: everybody})
		expect(t, err, codes.PermissionDenied, "NOAUTH")
	}
	if again, err := r.znodes.Create(ctx, ask); err != nil || !proto.Equal(first, again) {
		t.Errorf("first %v, again %v %v", first, again, err)
	}
	root := metadata.AppendToOutgoingContext(t.Context(), metadataAuthorization, "Basic "+base64.StdEncoding.EncodeToString([]byte("super:test")))
	if _, err := r.znodes.Delete(root, &paddockv1.DeleteRequest{Path: "/zookeeper/paddock", Recursive: true}); err != nil {
		t.Error("the superuser may:", err)
	}
	ask.Options.IdempotencyKey++
	if _, err := r.znodes.Create(ctx, ask); err != nil {
		t.Error("what is gone is made again:", err)
	}
	if again, err := r.znodes.Create(ctx, ask); err != nil || again.GetPath() != "/n-0000000001" {
		t.Error(again, err)
	}
}

// As long as there is no record clients may make what they like where records go.
func TestWhatRecordsAreBelowIsMended(t *testing.T) {
	none := []*paddockv1.Acl{{Scheme: "digest", Id: "nobody:x", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}}}
	for _, row := range []struct {
		name string
		make []*paddockv1.CreateRequest
	}{
		{"open", []*paddockv1.CreateRequest{{Path: "/zookeeper/paddock"}, {Path: oncePath}}},
		{"closed", []*paddockv1.CreateRequest{{Path: "/zookeeper/paddock"}, {Path: oncePath, Acl: none}}},
		{"closed above", []*paddockv1.CreateRequest{{Path: "/zookeeper/paddock", Acl: none}}},
		{"an ephemeral", []*paddockv1.CreateRequest{{Path: "/zookeeper/paddock"}, {Path: oncePath, Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL, Acl: none}}},
		{"an ephemeral above", []*paddockv1.CreateRequest{{Path: "/zookeeper/paddock", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			mine, _ := r.open(30_000)
			theirs, _ := r.open(30_000)
			for _, in := range row.make {
				if _, err := r.znodes.Create(theirs, in); err != nil {
					t.Fatal(err)
				}
			}
			ask := &paddockv1.TransactRequest{Guards: []*paddockv1.Guard{{Path: "/a", Condition: &paddockv1.Guard_Exists{}}},
				Then:    []*paddockv1.Operation{{Operation: &paddockv1.Operation_Create{Create: &paddockv1.CreateRequest{Path: "/a"}}}},
				Options: &paddockv1.WriteOptions{IdempotencyKey: 1}}
			if out, err := r.znodes.Transact(mine, ask); err != nil || !out.GetHeld() {
				t.Error(out, err)
			}
			for _, place := range oncePlaces {
				got, err := r.znodes.GetAcl(mine, &paddockv1.GetAclRequest{Path: place.path})
				if list, _ := readACL(place.path, got.GetAcl()); err != nil || !slices.Equal(list, place.acl) {
					t.Errorf("%s: %v %v", place.path, list, err)
				}
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
