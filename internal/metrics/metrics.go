package metrics

import (
	"math"
	"sync/atomic"
	"time"
)

// Counter counts events since the last Reset. Its zero value is ready; it must not be copied.
type Counter struct{ n atomic.Int64 }

// Inc counts one.
func (c *Counter) Inc() { c.n.Add(1) }

// Add counts n, which is not negative.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Value is the count.
func (c *Counter) Value() int64 { return c.n.Load() }

// Gauge is a figure that goes up and down. Its zero value is ready; it must not be copied.
type Gauge struct{ n atomic.Int64 }

// Set replaces the figure.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Add changes the figure by n.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Value is the figure.
func (g *Gauge) Value() int64 { return g.n.Load() }

// Summary describes figures: queue lengths, batch sizes, numbers of watches. See Registry.Summary.
type Summary struct{ spread }

func newSummary() *Summary {
	s := new(Summary)
	s.unit = 1
	return s
}

// Observe adds a figure, which counts as 0 if it is negative.
func (s *Summary) Observe(n int64) { s.observe(n, 1) }

// ObserveMany adds n figures that are sum together, as if each was their mean. Neither is negative.
func (s *Summary) ObserveMany(n, sum int64) {
	if n > 0 {
		mean, above := sum/n, sum%n // so many are their mean and one
		s.observe(mean, n-above)
		s.observe(mean+1, above)
	}
}

// Timer describes durations, to the nanosecond, and tells them in milliseconds. See Registry.Timer.
type Timer struct{ spread }

func newTimer() *Timer {
	t := new(Timer)
	t.unit = int64(time.Millisecond)
	return t
}

// Observe adds a duration, which counts as 0 if it is negative.
func (t *Timer) Observe(d time.Duration) { t.observe(int64(d), 1) }

// Figures is what a Summary or a Timer says, in the unit of the metric, which is milliseconds for a Timer, rounded
// down. All are 0 if nothing was observed.
type Figures struct {
	Count, Sum, Min, Max int64
	Avg                  float64
	// P50 to P999 are within 1/32 of a figure that was observed, and between Min and Max.
	P50, P90, P95, P99, P999 int64
}

// spread is the part that Summary and Timer share.
type spread struct {
	unit    int64                   // figures are told in multiples of it
	buckets atomic.Pointer[buckets] // nil until there is a figure
	count   atomic.Int64
	sum     atomic.Int64
	under   atomic.Int64 // MaxInt64 less the least figure, so that zero means none
	max     atomic.Int64
}

// observe adds a figure so many times.
func (s *spread) observe(n, times int64) {
	if times == 0 {
		return
	}
	n = max(n, 0)
	s.count.Add(times)
	s.sum.Add(n * times)
	raise(&s.max, n)
	raise(&s.under, math.MaxInt64-n)
	b := s.buckets.Load()
	if b == nil {
		s.buckets.CompareAndSwap(nil, new(buckets))
		b = s.buckets.Load()
	}
	b[bucketOf(n)].Add(times)
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if n <= old || v.CompareAndSwap(old, n) {
			return
		}
	}
}

func (s *spread) reset() {
	s.count.Store(0)
	s.sum.Store(0)
	s.under.Store(0)
	s.max.Store(0)
	if b := s.buckets.Load(); b != nil {
		for i := range b {
			b[i].Store(0)
		}
	}
}

// Figures is what was observed since the last Reset.
func (s *spread) Figures() Figures {
	var d Figures
	count := s.count.Load()
	if count == 0 {
		return d
	}
	sum, least, most := s.sum.Load(), math.MaxInt64-s.under.Load(), s.max.Load()
	least = min(least, most) // a reset or an observation is under way
	d = Figures{Count: count, Sum: sum / s.unit, Min: least / s.unit, Max: most / s.unit,
		Avg: float64(sum) / float64(count) / float64(s.unit)}
	if b := s.buckets.Load(); b != nil {
		q := b.quantiles([...]float64{0.5, 0.9, 0.95, 0.99, 0.999})
		for i, p := range [...]*int64{&d.P50, &d.P90, &d.P95, &d.P99, &d.P999} {
			*p = min(max(q[i], least), most) / s.unit
		}
	}
	return d
}
