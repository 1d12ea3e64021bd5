package grpcapi

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

func TestZnodesAreCreatedReadSetAndDeleted(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	made, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/a", Data: []byte("one")})
	if err != nil || made.GetPath() != "/a" || !made.GetCreated() || made.GetStat().GetCzxid() != made.GetZxid() || made.GetZxid() == 0 {
		t.Fatalf("create: %v %v", made, err)
	}
	got, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/a"})
	if err != nil || string(got.GetData()) != "one" || got.GetStat().GetDataLength() != 3 || got.GetZxid() < made.GetZxid() {
		t.Fatalf("get: %v %v", got, err)
	}
	version := int32(0)
	set, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Data: []byte("two"), Version: &version})
	if err != nil || set.GetStat().GetVersion() != 1 || set.GetStat().GetMzxid() != set.GetZxid() {
		t.Fatalf("set: %v %v", set, err)
	}
	_, err = r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/a", Version: &version})
	if info := expect(t, err, codes.FailedPrecondition, "BADVERSION"); info.GetMetadata()["path"] != "/a" || info.GetMetadata()["zxid"] == "" {
		t.Errorf("metadata is %v", info.GetMetadata())
	}
	there, err := r.znodes.Exists(ctx, &paddockv1.ExistsRequest{Path: "/a"})
	if err != nil || !there.GetExists() || there.GetStat().GetVersion() != 1 {
		t.Fatalf("exists: %v %v", there, err)
	}
	gone, err := r.znodes.Delete(ctx, &paddockv1.DeleteRequest{Path: "/a"})
	if err != nil || gone.GetDeleted() != 1 {
		t.Fatalf("delete: %v %v", gone, err)
	}
	there, err = r.znodes.Exists(ctx, &paddockv1.ExistsRequest{Path: "/a"})
	if err != nil || there.GetExists() || there.GetStat() != nil || there.GetZxid() != gone.GetZxid() {
		t.Fatalf("exists afterwards: %v %v", there, err)
	}
}

func TestPutCreatesAndThenSets(t *testing.T) {
	r := newRig(t)
	put := func(data string, parents bool) (*paddockv1.PutResponse, error) {
		return r.znodes.Put(t.Context(), &paddockv1.PutRequest{Path: "/x/y/z", Data: []byte(data), Parents: parents})
	}
	_, err := put("0", false)
	expect(t, err, codes.NotFound, "NONODE")
	out, err := put("1", true)
	if err != nil || !out.GetCreated() || out.GetStat().GetVersion() != 0 {
		t.Fatalf("first: %v %v", out, err)
	}
	out, err = put("2", true)
	if err != nil || out.GetCreated() || out.GetStat().GetVersion() != 1 {
		t.Fatalf("second: %v %v", out, err)
	}
}

func TestSessionOwnsItsEphemerals(t *testing.T) {
	r := newRig(t)
	ctx, s := r.open(5000)
	_, err := r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: "/e", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL})
	expect(t, err, codes.FailedPrecondition, "UNKNOWNSESSION")
	made, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/e", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL})
	if err != nil || made.GetStat().GetEphemeralOwner() != s.GetSessionId() {
		t.Fatalf("create: %v %v", made, err)
	}
	list, err := r.sess.ListEphemerals(ctx, &paddockv1.ListEphemeralsRequest{})
	if err != nil || len(list.GetPaths()) != 1 || list.GetPaths()[0] != "/e" {
		t.Fatalf("ephemerals: %v %v", list, err)
	}
	if _, err := r.sess.CloseSession(ctx, &paddockv1.CloseSessionRequest{}); err != nil {
		t.Fatal(err)
	}
	there, err := r.znodes.Exists(t.Context(), &paddockv1.ExistsRequest{Path: "/e"})
	if err != nil || there.GetExists() {
		t.Fatalf("afterwards: %v %v", there, err)
	}
	_, err = r.sess.Touch(ctx, &paddockv1.TouchRequest{})
	expect(t, err, codes.Unauthenticated, "SESSIONEXPIRED")
}

// racing is a server at which somebody is faster: before each write of a path something else is done.
type racing struct {
	request.Handler
	path string
	race func()
}

// Submit hands over requests, after the race.
func (f *racing) Submit(c request.ClientID, list []zk.Request, pass func()) bool {
	of := func(req zk.Request) bool { return req.Op.IsCreate() && req.Path == f.path }
	if slices.ContainsFunc(list, func(req zk.Request) bool { return of(req) || slices.ContainsFunc(req.Ops, of) }) {
		f.race()
	}
	return f.Handler.Submit(c, list, pass)
}

func TestACreationIsAnsweredAsItsLastAttemptCameOut(t *testing.T) {
	for name, row := range map[string]struct {
		races int // how often the ancestor comes or goes
		want  codes.Code
	}{
		"it succeeds at last":    {attemptsMax, codes.OK},
		"others are always fast": {attemptsMax + 1, codes.Aborted},
	} {
		t.Run(name, func(t *testing.T) {
			f := &racing{path: "/p/c"}
			r := newRig(t, func(o *Options, _ *replica.Config) {
				inner := o.Handler
				o.Handler = func() request.Handler { f.Handler = inner(); return f }
			})
			// In a session, so that it does not wait for what it outruns.
			ctx, _ := r.open(30_000)
			writes := 0
			f.race = func() {
				if writes++; writes == 1 || writes > row.races {
					return // the first finds no ancestor anyway
				}
				if writes%2 == 0 {
					if _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/p"}); err != nil {
						t.Error(err)
					}
				} else if _, err := r.znodes.Delete(ctx, &paddockv1.DeleteRequest{Path: "/p"}); err != nil {
					t.Error(err)
				}
			}
			made, err := r.znodes.Create(t.Context(), &paddockv1.CreateRequest{Path: "/p/c", Parents: true})
			if writes != attemptsMax+1 {
				t.Errorf("%d writes were tried", writes)
			}
			there, _ := r.znodes.Exists(t.Context(), &paddockv1.ExistsRequest{Path: "/p/c"})
			if row.want == codes.OK {
				if err != nil || !there.GetExists() || made.GetStat().GetCzxid() != there.GetStat().GetCzxid() {
					t.Errorf("answered %v, %v, but there is %v", made, err, there)
				}
				return
			}
			expect(t, err, row.want, "RACED")
			if there.GetExists() {
				t.Error("refused, and there")
			}
		})
	}
}
