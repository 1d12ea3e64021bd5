package tree

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

const benchZnodes = 1_000_000

func benchPath(i int) string { return fmt.Sprintf("/bench/d%03d/node-%07d", i/1000, i) }

var benchData = func() []byte {
	b := make([]byte, 100)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

// benchPaths are the paths of n znodes and of their directories, parents first.
func benchPaths(n int) []string {
	list := []string{"/bench"}
	for i := range n {
		if i%1000 == 0 {
			list = append(list, fmt.Sprintf("/bench/d%03d", i/1000))
		}
		list = append(list, benchPath(i))
	}
	return list
}

func benchLoad(b *testing.B, paths []string) *Tree {
	l := NewLoader(1)
	stat := zk.StoredStat{Czxid: 5, Mzxid: 5, Pzxid: 5, CtimeMS: 1700000000000, MtimeMS: 1700000000000}
	if err := l.Node("", nil, OpenKey, &stat); err != nil {
		b.Fatal(err)
	}
	for _, p := range paths {
		if err := l.Node(p, benchData, OpenKey, &stat); err != nil {
			b.Fatal(err)
		}
	}
	t, err := l.Finish(5)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkLoadMillion(b *testing.B) {
	paths := benchPaths(benchZnodes)
	var t *Tree
	before := heap()
	for b.Loop() {
		t = benchLoad(b, paths)
	}
	b.ReportMetric(float64(heap()-before)/benchZnodes, "B/znode")
	b.ReportMetric(float64(t.SizeBytes())/benchZnodes, "counted-B/znode")
	runtime.KeepAlive(t)
	runtime.KeepAlive(paths)
}

// putBenchPath writes benchPath(i) over path, which must be one of them, without touching other memory.
func putBenchPath(path []byte, i int) {
	for at, n := len(path)-1, i; at >= len(path)-7; at, n = at-1, n/10 {
		path[at] = '0' + byte(n%10)
	}
	for at, n := len("/bench/d000")-1, i/1000; at >= len("/bench/d"); at, n = at-1, n/10 {
		path[at] = '0' + byte(n%10)
	}
}

// Znodes in random order, GuessMax at a time: each for itself, or where Guess has said.
func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1000, 100_000, benchZnodes} {
		t := benchLoad(b, benchPaths(n))
		paths := make([]string, GuessMax)
		for i := range paths {
			paths[i] = string([]byte(benchPath(0)))
		}
		for how, guess := range map[string]func([]string, []Ref){"each": func([]string, []Ref) {}, "guessed": t.Guess} {
			b.Run(fmt.Sprint(n, "/", how), func(b *testing.B) {
				var near [GuessMax]Ref
				b.ReportAllocs()
				sum, state := 0, uint64(1)
				for at := 0; b.Loop(); at++ {
					if at%GuessMax == 0 {
						for _, p := range paths {
							state = state*6364136223846793005 + 1442695040888963407
							putBenchPath(unsafe.Slice(unsafe.StringData(p), len(p)), int(state>>33)%n)
						}
						clear(near[:])
						guess(paths, near[:])
					}
					r, ok := t.FindNear(near[at%GuessMax], paths[at%GuessMax])
					if !ok {
						b.Fatal(paths[at%GuessMax])
					}
					s := t.Stat(r)
					sum += len(t.Data(r)) + int(s.Version)
				}
				runtime.KeepAlive(sum)
			})
		}
	}
}

func BenchmarkSetData(b *testing.B) {
	paths := benchPaths(100_000)
	t := benchLoad(b, paths)
	var out Outcome
	h, body := txn.Header{Zxid: 10, Type: zk.OpSetData}, txn.Txn{Type: zk.OpSetData, Data: benchData}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % len(paths)
		h.Zxid++
		body.Version++
		body.Path = paths[i]
		out.Reset()
		t.Apply(&h, &body, &out)
	}
}

func BenchmarkCreate(b *testing.B) {
	paths := benchPaths(benchZnodes)
	t := New(1)
	var out Outcome
	h, body := txn.Header{Zxid: 10, Type: zk.OpCreate}, txn.Txn{Type: zk.OpCreate, Data: benchData, ACL: zk.OpenACL, ParentCversion: -1}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(paths) {
			b.StopTimer()
			t, i = New(1), 0
			b.StartTimer()
		}
		h.Zxid++
		body.Path = paths[i]
		out.Reset()
		t.Apply(&h, &body, &out)
		i++
	}
}

func BenchmarkFreezeMillion(b *testing.B) {
	t := benchLoad(b, benchPaths(benchZnodes))
	for b.Loop() {
		t.Release(t.FreezeZnodes())
	}
}

func BenchmarkWalkMillion(b *testing.B) {
	t := benchLoad(b, benchPaths(benchZnodes))
	v := t.Freeze()
	for b.Loop() {
		sum := 0
		_ = v.Walk(func(path string, data []byte, _ int64, _ *zk.StoredStat) error {
			sum += len(path) + len(data)
			return nil
		})
	}
}

func BenchmarkNodeDigest(b *testing.B) {
	path, s := benchPath(1), zk.StoredStat{Czxid: 3}
	for b.Loop() {
		NodeDigest(path, benchData, &s)
	}
}
