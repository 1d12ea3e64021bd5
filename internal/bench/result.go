package bench

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"paddock/internal/zk"
)

// Result is what a run measured. As JSON it is what `paddock bench --json` prints.
type Result struct {
	Workload    Workload `json:"workload"`
	Servers     []string `json:"servers"`
	Connections int      `json:"connections"`
	Outstanding int      `json:"outstanding"`
	DataBytes   int      `json:"data_bytes"`
	Keys        int      `json:"keys"`
	Seconds     float64  `json:"seconds"` // measured, without warm-up

	// Operations were answered without an error: requests in get, set, mixed and create, ephemerals created in ephemeral,
	// sessions opened and closed in session, events delivered in watch. ByKind are all requests by what they asked;
	// sessions and events are counted there too.
	Operations int64            `json:"operations"`
	ByKind     map[string]int64 `json:"by_kind"`
	Errors     map[string]int64 `json:"errors"` // replies with an error, by ZooKeeper's name of it; empty is well
	PerSecond  float64          `json:"operations_per_second"`

	// The servers' CPU time is there if Options.PIDs was given.
	ServerCPUSeconds    float64 `json:"server_cpu_seconds,omitempty"`
	PerServerCPUSecond  float64 `json:"operations_per_server_cpu_second,omitempty"`
	GeneratorCPUSeconds float64 `json:"generator_cpu_seconds"`

	Latency Latency `json:"latency_us"`
}

// Latency is the distribution of the time between a request and its reply, in microseconds. In watch it is the time from
// sending the set to each event; in session, from connecting to the end of the session.
type Latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// newResult reports a tally.
func newResult(o *Options, t *tally, took, server, own time.Duration) *Result {
	r := &Result{Workload: o.Workload, Servers: o.Servers, Connections: o.Connections, Outstanding: o.Outstanding,
		DataBytes: o.DataBytes, Keys: o.Keys, Seconds: took.Seconds(), ByKind: map[string]int64{}, Errors: map[string]int64{}}
	for k, n := range t.kinds {
		if n > 0 {
			r.ByKind[kindNames[k]] = n
		}
	}
	switch o.Workload {
	case Watch:
		r.Connections, r.Outstanding, r.Keys, r.Operations = o.Watchers, 1, 1, t.events
		r.ByKind["event"] = t.events
	case Session:
		r.Outstanding, r.Keys, r.Operations = 1, 0, t.sessions
		r.ByKind["session"] = t.sessions
	case Ephemeral:
		r.Keys, r.Operations = 0, t.kinds[kindCreate]
		r.ByKind["session"] = t.sessions
	default:
		for _, n := range t.kinds {
			r.Operations += n
		}
	}
	for c, n := range t.errors {
		r.Errors[c.String()] = n
	}
	if took > 0 {
		r.PerSecond = float64(r.Operations) / took.Seconds()
	}
	r.ServerCPUSeconds, r.GeneratorCPUSeconds = server.Seconds(), own.Seconds()
	if server > 0 {
		r.PerServerCPUSecond = float64(r.Operations) / server.Seconds()
	}
	r.Latency = newLatency(&t.latencies)
	return r
}

func newLatency(h *histogram) Latency {
	us := func(ns int64) float64 { return float64(ns) / 1e3 }
	return Latency{Min: us(h.min), Mean: h.mean() / 1e3, P50: us(h.quantile(.5)), P90: us(h.quantile(.9)), P99: us(h.quantile(.99)),
		P999: us(h.quantile(.999)), Max: us(h.max)}
}

// ErrorCount is how many replies were errors.
func (r *Result) ErrorCount() int64 {
	var n int64
	for _, c := range r.Errors {
		n += c
	}
	return n
}

// Text is the result for people, several lines, each with its newline.
func (r *Result) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s s\n", r.Workload, r.shape(), strconv.FormatFloat(r.Seconds, 'f', 1, 64))
	fmt.Fprintf(&b, "operations    %s  (%s per second)", Grouped(r.Operations), Grouped(int64(r.PerSecond)))
	if len(r.ByKind) > 1 {
		fmt.Fprintf(&b, "  %s", counts(r.ByKind))
	}
	b.WriteString("\n")
	if r.ErrorCount() > 0 {
		fmt.Fprintf(&b, "errors        %s  %s\n", Grouped(r.ErrorCount()), counts(r.Errors))
	}
	if r.ServerCPUSeconds > 0 {
		fmt.Fprintf(&b, "server CPU    %.2f s  (%s operations per CPU second)\n", r.ServerCPUSeconds, Grouped(int64(r.PerServerCPUSecond)))
	}
	fmt.Fprintf(&b, "generator CPU %.2f s\n", r.GeneratorCPUSeconds)
	l := r.Latency
	fmt.Fprintf(&b, "latency in us min %.0f  mean %.0f  p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n",
		l.Min, l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max)
	return b.String()
}

// shape says what was run in one line.
func (r *Result) shape() string {
	switch r.Workload {
	case Watch:
		return fmt.Sprintf("%d watchers of one znode of %d bytes", r.Connections, r.DataBytes)
	case Session:
		return fmt.Sprintf("%d connections at a time", r.Connections)
	case Ephemeral:
		return fmt.Sprintf("%d sessions at a time with %d ephemerals of %d bytes each", r.Connections, r.Outstanding, r.DataBytes)
	default:
		return fmt.Sprintf("%d connections with %d outstanding, %s znodes of %d bytes", r.Connections, r.Outstanding,
			Grouped(int64(r.Keys)), r.DataBytes)
	}
}

// counts lists names with their numbers.
func counts(m map[string]int64) string {
	names := slices.Sorted(maps.Keys(m))
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %s", n, Grouped(m[n]))
	}
	return strings.Join(names, ", ")
}

// Grouped writes a number with commas between groups of three digits.
func Grouped(v int64) string {
	s := strconv.FormatInt(v, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// answerError is what is wrong with a run whose server answered errors.
type answerError map[zk.Code]int64

func (e answerError) Error() string {
	named := map[string]int64{}
	for c, n := range e {
		named[c.String()] = n
	}
	return "the server answered requests with errors: " + counts(named)
}

// answered is the error of a tally, nil if there was none.
func answered(t *tally) error {
	if len(t.errors) == 0 {
		return nil
	}
	return answerError(t.errors)
}
