package metrics

import (
	"fmt"
	"sync"
)

// Registry is the metrics of one server. Its zero value is of no use; see New.
type Registry struct {
	mu     sync.Mutex // guards list and byName; the metrics themselves need no lock
	list   []Metric
	byName map[string]int
}

// Metric is one metric and its name, which has no prefix. Exactly one of the pointers is set.
type Metric struct {
	Name      string
	Quantiles bool // of a Summary or Timer: whether mntr tells them
	Counter   *Counter
	Gauge     *Gauge
	Summary   *Summary
	Timer     *Timer
}

// Figures is that of the summary or timer; false for others.
func (m *Metric) Figures() (Figures, bool) {
	switch {
	case m.Summary != nil:
		return m.Summary.Figures(), true
	case m.Timer != nil:
		return m.Timer.Figures(), true
	}
	return Figures{}, false
}

// New returns a registry with ZooKeeper's counters, summaries and timers, all at zero.
func New() *Registry {
	r := &Registry{byName: map[string]int{}}
	for _, name := range zooKeeperCounters {
		r.Counter(name)
	}
	for _, c := range zooKeeperSpreads {
		r.metric(c.name, func() Metric {
			if c.timer {
				return Metric{Quantiles: c.quantiles, Timer: newTimer()}
			}
			return Metric{Quantiles: c.quantiles, Summary: newSummary()}
		})
	}
	return r
}

// Counter returns the counter with the name, which it registers if it is new. Like the three functions below it panics
// if the name is that of a metric of another kind.
func (r *Registry) Counter(name string) *Counter {
	m := r.metric(name, func() Metric { return Metric{Counter: new(Counter)} })
	if m.Counter == nil {
		panic(fmt.Sprintf("metric %s is not a counter", name))
	}
	return m.Counter
}

// Gauge returns the gauge with the name, which it registers if it is new.
func (r *Registry) Gauge(name string) *Gauge {
	m := r.metric(name, func() Metric { return Metric{Gauge: new(Gauge)} })
	if m.Gauge == nil {
		panic(fmt.Sprintf("metric %s is not a gauge", name))
	}
	return m.Gauge
}

// Summary returns the summary with the name, which it registers, with quantiles, if it is new.
func (r *Registry) Summary(name string) *Summary {
	m := r.metric(name, func() Metric { return Metric{Quantiles: true, Summary: newSummary()} })
	if m.Summary == nil {
		panic(fmt.Sprintf("metric %s is not a summary", name))
	}
	return m.Summary
}

// Timer returns the timer with the name, which it registers, with quantiles, if it is new.
func (r *Registry) Timer(name string) *Timer {
	m := r.metric(name, func() Metric { return Metric{Quantiles: true, Timer: newTimer()} })
	if m.Timer == nil {
		panic(fmt.Sprintf("metric %s is not a timer", name))
	}
	return m.Timer
}

// metric looks a metric up, or registers what create returns.
func (r *Registry) metric(name string, create func() Metric) Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.byName[name]; ok {
		return r.list[i]
	}
	m := create()
	m.Name = name
	r.byName[name] = len(r.list)
	r.list = append(r.list, m)
	return m
}

// All lists the metrics: ZooKeeper's counters, its summaries and timers without and with quantiles, then the others by
// the time they were registered. The list is the caller's.
func (r *Registry) All() []Metric {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Metric(nil), r.list...)
}

// Reset sets everything but the gauges to zero, as the four-letter word srst does. What is observed meanwhile may be lost
// in part.
func (r *Registry) Reset() {
	for _, m := range r.All() {
		switch {
		case m.Counter != nil:
			m.Counter.n.Store(0)
		case m.Summary != nil:
			m.Summary.reset()
		case m.Timer != nil:
			m.Timer.reset()
		}
	}
}
