package grpcapi

import (
	"testing"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
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
