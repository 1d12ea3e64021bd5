package bench

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"paddock/internal/zk"
)

// Workload is what a run asks of the server.
type Workload string

// The workloads.
const (
	Get       Workload = "get"       // getData of a random znode
	Set       Workload = "set"       // setData of a random znode
	Mixed     Workload = "mixed"     // Options.ReadPercent getData, the others setData
	Create    Workload = "create"    // create znodes up to a limit, delete them all, begin again
	Ephemeral Workload = "ephemeral" // open a session, create Outstanding ephemerals at once, close the session
	Session   Workload = "session"   // open a session and close it
	Watch     Workload = "watch"     // set one znode that many sessions watch, and wait for all their events
)

// Workloads are all workloads, in the order in which they are explained to users.
var Workloads = []Workload{Get, Set, Mixed, Create, Ephemeral, Session, Watch}

// What Options may ask for.
const (
	connectionsMax = 20_000
	outstandingMax = 10_000
	dataBytesMax   = 1_000_000   // a server's jute.maxbuffer is 1,048,575 by default, path and header included
	keysMax        = 100_000_000 // eight digits
	rootBytesMax   = 1000
	// inFlightBytesMax bounds what one connection has outstanding: a peer that writes requests and does not read
	// replies meanwhile must not fill the buffers of both sides.
	inFlightBytesMax = 4 << 20
)

// Options say what to run. The zero value of a field is its default.
type Options struct {
	Servers     []string      // "host:port"; connections are spread over them; default 127.0.0.1:2181
	Workload    Workload      // default Get
	Connections int           // default 16; Watch has one more, and Watchers in their place
	Outstanding int           // unanswered requests per connection, or ephemerals per session; default 16
	DataBytes   int           // data of each znode; default 100, -1 for none
	Keys        int           // znodes that are read or set, or the most that Create has at a time; default 10,000
	ReadPercent int           // of Mixed, 1 to 100; default 90
	Watchers    int           // of Watch; default 50
	Persistent  bool          // Watch: one persistent watch each, in place of one-shot watches set again after each event
	Warmup      time.Duration // load before measuring; default 1 s, negative for none
	Duration    time.Duration // of measuring; default 10 s
	Root        string        // parent of what the run makes; created and deleted if missing; default /paddock-bench
	TLS         *tls.Config   // nil for plain connections
	PIDs        []int         // the servers' processes, on this host, whose CPU time is measured; none by default

	// Progress, if set, is called about once a second from Run's goroutine.
	Progress func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Stage      string        // "fill", "connect", "warm up", "measure" or "clean up"
	Elapsed    time.Duration // in this stage
	Total      time.Duration // of this stage, 0 if unknown
	Operations int64         // answered so far in this stage
}

// withDefaults fills in what was left out and checks everything. The error is one line and names the remedy.
func (o Options) withDefaults() (Options, error) {
	if len(o.Servers) == 0 {
		o.Servers = []string{"127.0.0.1:2181"}
	}
	orDefault(&o.Workload, Get)
	orDefault(&o.Connections, 16)
	orDefault(&o.Outstanding, 16)
	orDefault(&o.DataBytes, 100)
	orDefault(&o.Keys, 10_000)
	orDefault(&o.ReadPercent, 90)
	orDefault(&o.Watchers, 50)
	orDefault(&o.Warmup, time.Second)
	orDefault(&o.Duration, 10*time.Second)
	orDefault(&o.Root, "/paddock-bench")
	if o.DataBytes == -1 {
		o.DataBytes = 0
	}
	o.Warmup = max(o.Warmup, 0)
	if err := o.check(); err != nil {
		return o, &OptionsError{err}
	}
	return o, nil
}

// OptionsError says that a run was asked for that cannot be; nothing was done.
type OptionsError struct{ Err error }

// Error names what is wrong and the remedy.
func (e *OptionsError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *OptionsError) Unwrap() error { return e.Err }

// orDefault sets v if it is zero.
func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// check refuses what cannot be run.
func (o *Options) check() error {
	if !slices.Contains(Workloads, o.Workload) {
		return fmt.Errorf("workload %q is unknown; choose one of %s", o.Workload, workloadNames())
	}
	for _, l := range []struct {
		name            string
		value, min, max int
	}{
		{"connections", o.Connections, 1, connectionsMax},
		{"outstanding", o.Outstanding, 1, outstandingMax},
		{"data bytes", o.DataBytes, 0, dataBytesMax},
		{"keys", o.Keys, 1, keysMax},
		{"read percent", o.ReadPercent, 1, 100},
		{"watchers", o.Watchers, 1, connectionsMax},
	} {
		if l.value < l.min || l.value > l.max {
			return fmt.Errorf("%s is %d; give %d to %d", l.name, l.value, l.min, l.max)
		}
	}
	if flying := o.Outstanding * o.DataBytes; flying > inFlightBytesMax && o.Workload != Watch && o.Workload != Session {
		return fmt.Errorf("%d outstanding requests of %d bytes are %d bytes per connection; lower one of them until they are at most %d",
			o.Outstanding, o.DataBytes, flying, inFlightBytesMax)
	}
	if o.Workload == Create && o.Keys < o.Connections {
		return fmt.Errorf("%d keys are fewer than %d connections, and each creates its own; give at least as many", o.Keys, o.Connections)
	}
	if o.Duration < time.Millisecond {
		return fmt.Errorf("duration is %v; give at least 1ms, such as 10s", o.Duration)
	}
	if problem := zk.PathProblem(o.Root); problem != "" || o.Root == "/" || len(o.Root) > rootBytesMax {
		return fmt.Errorf("root %q is not a path of at most %d bytes below /; give one such as /paddock-bench", o.Root, rootBytesMax)
	}
	for _, s := range o.Servers {
		if !strings.Contains(s, ":") {
			return fmt.Errorf("server %q has no port; write %s:2181", s, s)
		}
	}
	for _, pid := range o.PIDs {
		if _, err := processCPU(pid); err != nil {
			return err
		}
	}
	return nil
}

func workloadNames() string {
	names := make([]string, len(Workloads))
	for i, w := range Workloads {
		names[i] = string(w)
	}
	return strings.Join(names, ", ")
}
