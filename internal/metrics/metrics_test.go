package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestEveryFigureIsInABucketWhoseMiddleIsNear(t *testing.T) {
	check := func(n int64) {
		i := bucketOf(n)
		if i < 0 || i >= bucketCount {
			t.Fatalf("%d is in bucket %d of %d", n, i, bucketCount)
		}
		m := middle(i)
		if bucketOf(m) != i {
			t.Fatalf("the middle %d of bucket %d is in bucket %d", m, i, bucketOf(m))
		}
		if off := math.Abs(float64(m) - float64(n)); off*32 > float64(n) {
			t.Fatalf("%d is told as %d", n, m)
		}
	}
	for n := range int64(5000) {
		check(n)
	}
	for shift := range 63 {
		for _, d := range []int64{-1, 0, 1} {
			check(max(0, 1<<shift+d))
		}
	}
	check(math.MaxInt64)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(rng.Int64() >> rng.IntN(63))
	}
}

func TestFiguresOfWhatWasObserved(t *testing.T) {
	r := New()
	for _, tc := range []struct {
		name string
		in   []int64
		want Figures
	}{
		{"nothing is all zeros", nil, Figures{}},
		{"one figure is every figure", []int64{7}, Figures{1, 7, 7, 7, 7, 7, 7, 7, 7, 7}},
		{"zero is a figure", []int64{0, 0}, Figures{Count: 2}},
		{"negative figures count as zero", []int64{-5, 4}, Figures{Count: 2, Sum: 4, Max: 4, Avg: 2, P90: 4, P95: 4, P99: 4, P999: 4}},
		{"small figures are exact", []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Figures{10, 55, 1, 10, 5.5, 5, 9, 10, 10, 10}},
		{"quantiles stay below the largest figure", []int64{1000}, Figures{1, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}},
		{"the largest figure there is", []int64{math.MaxInt64},
			Figures{1, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := r.Summary("sizes")
			for _, n := range tc.in {
				s.Observe(n)
			}
			if got := s.Figures(); got != tc.want {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
			r.Reset()
			if got := s.Figures(); got != (Figures{}) {
				t.Errorf("after a reset: %+v", got)
			}
		})
	}
}

func TestQuantilesAreNearThoseOfASortedList(t *testing.T) {
	s, rng := New().Summary("sizes"), rand.New(rand.NewPCG(3, 4))
	all := make([]int64, 20_000)
	for i := range all {
		all[i] = int64(math.Exp(rng.NormFloat64()*2 + 10))
		s.Observe(all[i])
	}
	slices.Sort(all)
	d := s.Figures()
	for _, q := range []struct {
		share float64
		got   int64
	}{{0.5, d.P50}, {0.9, d.P90}, {0.95, d.P95}, {0.99, d.P99}, {0.999, d.P999}} {
		want := all[int(math.Ceil(q.share*float64(len(all))))-1]
		if off := math.Abs(float64(q.got - want)); off*32 > float64(want) {
			t.Errorf("quantile %v is %d, told as %d", q.share, want, q.got)
		}
	}
}

func TestManyFiguresAreTheirMean(t *testing.T) {
	s := New().Summary("sizes")
	s.ObserveMany(0, 0)
	s.ObserveMany(3, 10)
	if got := s.Figures(); got.Count != 3 || got.Sum != 10 || got.Min != 3 || got.Max != 4 || got.P50 != 3 {
		t.Errorf("%+v", got)
	}
	s.ObserveMany(1<<50, 3<<50) // however many: nobody waits for them one by one
	if got := s.Figures(); got.Count != 3+(1<<50) || got.Sum != 10+(3<<50) || got.P99 != 3 {
		t.Errorf("%+v", got)
	}
}

func TestATimerTellsMilliseconds(t *testing.T) {
	tm := New().Timer("readlatency")
	tm.Observe(300 * time.Microsecond)
	tm.Observe(2900 * time.Microsecond)
	want := Figures{Count: 2, Sum: 3, Min: 0, Max: 2, Avg: 1.6, P50: 0, P90: 2, P95: 2, P99: 2, P999: 2}
	if got := tm.Figures(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheSameNameIsTheSameMetric(t *testing.T) {
	r := New()
	before := len(r.All())
	r.Counter("connection_rejected").Add(3)
	r.Counter("own").Inc()
	r.Gauge("disk_free_bytes").Set(5)
	r.Gauge("disk_free_bytes").Add(-1)
	r.Timer("fsynctime").Observe(time.Second)
	if got := r.Counter("connection_rejected").Value(); got != 3 {
		t.Errorf("the counter is at %d", got)
	}
	all := r.All()
	if n := len(all) - before; n != 2 || all[before].Name != "own" || all[before+1].Name != "disk_free_bytes" {
		t.Errorf("%d metrics were added at the end: %v", n, all[before:])
	}
	r.Reset()
	if c, g := r.Counter("own").Value(), r.Gauge("disk_free_bytes").Value(); c != 0 || g != 4 {
		t.Errorf("after a reset the counter is %d and the gauge %d", c, g)
	}
	if d := r.Timer("fsynctime").Figures(); d != (Figures{}) {
		t.Errorf("after a reset the timer says %+v", d)
	}
}

func TestANameOfAnotherKindIsRefused(t *testing.T) {
	r := New()
	for name, ask := range map[string]func(){
		"counter": func() { r.Counter("fsynctime") }, "gauge": func() { r.Gauge("proposal_count") },
		"summary": func() { r.Summary("fsynctime") }, "timer": func() { r.Timer("startup_txns_loaded") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a name of another kind became a %s", name)
				}
			}()
			ask()
		}()
	}
}

func TestNothingIsLostToConcurrentUse(t *testing.T) {
	const goroutines, each = 8, 5000
	r := New()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			c, s := r.Counter("own"), r.Summary("sizes")
			for i := range each {
				c.Inc()
				s.Observe(int64(g*each + i))
				if i%1000 == 0 {
					if d := s.Figures(); d.Min > d.Max || d.P50 > d.P999 {
						t.Errorf("%+v", d)
					}
				}
			}
		})
	}
	wg.Wait()
	const n = goroutines * each
	d := r.Summary("sizes").Figures()
	if r.Counter("own").Value() != n || d.Count != n || d.Sum != n*(n-1)/2 || d.Min != 0 || d.Max != n-1 {
		t.Errorf("counted %d, %+v", r.Counter("own").Value(), d)
	}
}

func TestObservingTakesNoMemory(t *testing.T) {
	r := New()
	c, tm := r.Counter("own"), r.Timer("readlatency")
	d := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() { c.Inc(); tm.Observe(d); d += time.Microsecond }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	tm := New().Timer("readlatency")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		tm.Observe(time.Duration(i & 0xfffff))
	}
}

func BenchmarkObserveInParallel(b *testing.B) {
	tm := New().Timer("readlatency")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for d := time.Duration(0); pb.Next(); d++ {
			tm.Observe(d & 0xfffff)
		}
	})
}

func BenchmarkInc(b *testing.B) {
	c := New().Counter("own")
	b.ReportAllocs()
	for b.Loop() {
		c.Inc()
	}
}
