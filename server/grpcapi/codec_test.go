package grpcapi

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

// randomStat is a stat with fields of all sizes, many of them 0.
func randomStat(r *rand.Rand) *paddockv1.Stat {
	n := func() int64 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return -1 - r.Int64()>>r.IntN(63)
		default:
			return r.Int64() >> r.IntN(63)
		}
	}
	return &paddockv1.Stat{
		Czxid: uint64(n()), Mzxid: uint64(n()), Pzxid: uint64(n()), CtimeMs: n(), MtimeMs: n(), Version: int32(n()), Cversion: int32(n()),
		Aversion: int32(n()), EphemeralOwner: n(), DataLength: int32(n()), NumChildren: int32(n()),
	}
}

func TestAnswersAreEncodedAsProtobufDecodesThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	largest := &paddockv1.Stat{
		Czxid: math.MaxUint64, Mzxid: math.MaxUint64, Pzxid: math.MaxUint64, CtimeMs: -1, MtimeMs: -1, Version: -1, Cversion: -1, Aversion: -1,
		EphemeralOwner: -1, DataLength: -1, NumChildren: -1,
	}
	stats := []*paddockv1.Stat{nil, {}, largest}
	for range 2000 {
		stats = append(stats, randomStat(r))
	}
	for i, stat := range stats {
		zxid := uint64(r.Int64()) >> r.IntN(64)
		for _, m := range []proto.Message{
			&paddockv1.GetResponse{Data: bytes.Repeat([]byte{7}, i%1500), Stat: stat, Zxid: zxid},
			&paddockv1.SetResponse{Stat: stat, Zxid: zxid},
			&paddockv1.ExistsResponse{Stat: stat, Exists: true},
		} {
			data, err := newCodec(&replies{}).Marshal(owed{m, &connection{}})
			if err != nil {
				t.Fatal(err)
			}
			got := m.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(data.Materialize(), got); err != nil || !proto.Equal(m, got) {
				t.Fatalf("%v is encoded as what reads %v, %v", m, got, err)
			}
		}
	}
}

// sameAsProtobuf holds the codec to what protobuf makes of a request.
func sameAsProtobuf(t *testing.T, raw []byte) {
	t.Helper()
	for _, kind := range []proto.Message{&paddockv1.GetRequest{}, &paddockv1.SetRequest{}, &paddockv1.ExistsRequest{}} {
		want, got := kind.ProtoReflect().New().Interface(), kind.ProtoReflect().New().Interface()
		sent := bytes.Clone(raw)
		wantErr, err := proto.Unmarshal(raw, want), newCodec(&replies{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(sent)}, got)
		for i := range sent {
			sent[i] = 0xff // gRPC uses the buffer again
		}
		if (err == nil) != (wantErr == nil) || err == nil && !proto.Equal(want, got) {
			t.Fatalf("%x is read as %v, %v; protobuf reads %v, %v", raw, got, err, want, wantErr)
		}
	}
}

// requests are some that clients may send.
func requests(t testing.TB) (all [][]byte) {
	version := int32(3)
	for _, m := range []proto.Message{
		&paddockv1.GetRequest{}, &paddockv1.GetRequest{Path: "/a"}, &paddockv1.GetRequest{Path: "/ü/" + strings.Repeat("x", 200)},
		&paddockv1.GetRequest{Path: "/a", Read: &paddockv1.ReadOptions{MinZxid: 7}},
		&paddockv1.SetRequest{Path: "/a", Data: []byte("b")}, &paddockv1.SetRequest{Path: "/a", Version: &version},
		&paddockv1.SetRequest{Path: "/a", Data: make([]byte, 300), Options: &paddockv1.WriteOptions{IdempotencyKey: 1}},
	} {
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return append(all, []byte("\x0a\x02/a\x0a\x02/b"), []byte("\x0a\x02/\xff"), []byte("\x0a\x7f/a"), []byte("\x0a"), []byte("\x08\x01"), []byte("\x12\x00\x0a\x01/"))
}

func TestRequestsAreReadAsProtobufReadsThem(t *testing.T) {
	for _, raw := range requests(t) {
		sameAsProtobuf(t, raw)
	}
}

func FuzzRequestsAreReadAsProtobufReadsThem(f *testing.F) {
	for _, raw := range requests(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { sameAsProtobuf(t, raw) })
}
