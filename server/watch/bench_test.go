package watch_test

import (
	"fmt"
	"runtime"
	"testing"

	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/server/watch"
)

// BenchmarkFanOut fires and sets again the watches of many connections on one znode.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table := watch.New()
			for i := range n {
				for j := range 3 { // connections watch more than one thing
					table.Add(request.ClientID(i+1), path(j*n+i), watch.DataOneShot)
				}
			}
			var dst []watch.Firing
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					table.Add(request.ClientID(i+1), "/hot", watch.DataOneShot)
				}
				dst = table.Fire(dst[:0], zk.NodeDataChanged, "/hot")
			}
			if len(dst) != n {
				b.Fatalf("%d events", len(dst))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/watcher")
		})
	}
}

// BenchmarkFireUnwatched fires changes where nobody watches: what most writes cost.
func BenchmarkFireUnwatched(b *testing.B) {
	for _, recursive := range []int{0, 1, 20} {
		b.Run(fmt.Sprintf("%d-recursive", recursive), func(b *testing.B) {
			table := watch.New()
			for i := range 10000 {
				table.Add(request.ClientID(i+1), path(i), watch.DataOneShot)
			}
			for i := range recursive {
				table.Add(1, "/other"+fmt.Sprint(i), watch.Recursive)
			}
			var dst []watch.Firing
			b.ReportAllocs()
			for b.Loop() {
				dst = table.Fire(dst[:0], zk.NodeCreated, "/app/config/elsewhere")
			}
		})
	}
}

// BenchmarkMemory reports what a watch takes when each is on a path of its own, and when each is one of many.
func BenchmarkMemory(b *testing.B) {
	const watches = 1 << 20
	for _, c := range []struct {
		name           string
		clients, paths int
	}{{"path-each", 1000, watches}, {"64-per-path", 1000, watches / 64}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				table := watch.New()
				for i := range watches {
					table.Add(request.ClientID(i/c.paths*7+i%c.clients+1), path(i%c.paths), watch.DataOneShot)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				n := float64(table.Counts(watch.Data).Watches)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/watch")
				b.ReportMetric(float64(table.Bytes())/n, "estimate-B/watch")
			}
		})
	}
}
