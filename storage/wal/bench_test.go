package wal

import (
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// BenchmarkAppendSync writes and syncs batches of the given size to a real disk, growing the file or onto zeros that are
// written beside it. Besides the mean it tells percentiles.
func BenchmarkAppendSync(b *testing.B) {
	for _, size := range []int{200, 4000, 64000} {
		for _, prepare := range []int64{-1, prepareBytesDefault} {
			name := strconv.Itoa(size) + "-growing"
			if prepare > 0 {
				name = strconv.Itoa(size) + "-prepared"
			}
			b.Run(name, func(b *testing.B) {
				w := NewWriter(Options{FS: vfs.OS{}, Dir: b.TempDir(), PrepareBytes: prepare}, 0)
				var wg sync.WaitGroup
				wg.Go(func() { w.KeepPrepared(func(err error) { b.Error(err) }) })
				p := [][]byte{payload(1, size)}
				took := make([]time.Duration, 0, b.N)
				z := zk.Zxid(0)
				for b.Loop() {
					z++
					copy(p[0][payloadZxid:], []byte{byte(z >> 56), byte(z >> 48), byte(z >> 40), byte(z >> 32), byte(z >> 24), byte(z >> 16), byte(z >> 8), byte(z)})
					start := time.Now()
					must(b, w.Append(p))
					must(b, w.Sync())
					took = append(took, time.Since(start))
				}
				must(b, w.Close())
				wg.Wait()
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			})
		}
	}
}

// BenchmarkRead reads a log of 200 MB in 150-byte records.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	const size, total = 120, 200 << 20
	w := NewWriter(Options{FS: vfs.OS{}, Dir: dir, NoSync: true, PrepareBytes: -1}, 0)
	var batch [][]byte
	for z := zk.Zxid(1); w.Written() < total; z++ {
		if batch = append(batch, payload(z, size-payloadBytesMin)); len(batch) == 1000 {
			must(b, w.Append(batch))
			batch = batch[:0]
		}
	}
	must(b, w.Close())
	b.SetBytes(total)
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(vfs.OS{}, dir, ReadOptions{From: 1})
		must(b, err)
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		must(b, r.Close())
	}
}
