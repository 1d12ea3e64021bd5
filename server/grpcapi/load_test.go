package grpcapi

import (
	"context"
	"sync/atomic"
	"testing"

	paddockv1 "paddock/gen/paddock/v1"
)

// callers is how many calls the benchmarks have under way at once.
const callers = 64

func BenchmarkGet(b *testing.B) {
	r := newRig(b)
	if _, err := r.znodes.Create(b.Context(), &paddockv1.CreateRequest{Path: "/bench", Data: make([]byte, 128)}); err != nil {
		b.Fatal(err)
	}
	concurrently(b, func(ctx context.Context, _ int64) error {
		_, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/bench"})
		return err
	})
}

func BenchmarkSet(b *testing.B) {
	r := newRig(b)
	if _, err := r.znodes.Create(b.Context(), &paddockv1.CreateRequest{Path: "/bench", Data: make([]byte, 128)}); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 128)
	concurrently(b, func(ctx context.Context, _ int64) error {
		_, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: "/bench", Data: data})
		return err
	})
}

// concurrently does f b.N times, by several callers on one connection. Client and server share the process: half of the time is the
// client's.
func concurrently(b *testing.B, f func(ctx context.Context, i int64) error) {
	b.Helper()
	b.ReportAllocs()
	var n atomic.Int64
	b.SetParallelism(callers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(b.Context(), n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
}
