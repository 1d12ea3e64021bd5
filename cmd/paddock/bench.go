package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paddock/internal/bench"
)

// benchFlags are those of bench.
type benchFlags struct {
	bench.Options
	workload string
	tls      tlsFlags
	json     bool
	quiet    bool
}

func newBench() *cobra.Command {
	var f benchFlags
	names := make([]string, len(bench.Workloads))
	for i, w := range bench.Workloads {
		names[i] = string(w)
	}
	c := &cobra.Command{
		Use:   "bench [--workload NAME] [flags]",
		Short: "Measure a server, Paddock's or ZooKeeper's",
		Long: "Load a server over ZooKeeper's protocol and tell how many operations it did, how fast, and, with --pid, per second\n" +
			"of its CPU time. Everything happens below one znode (--root), which is deleted at the end. The server is\n" +
			"otherwise used as it is: do not aim this at one that others depend on.",
		Example: "  paddock bench --workload get --connections 64 --outstanding 32 --pid $(pidof paddock)\n" +
			"  paddock bench --workload watch --watchers 1000 --duration 30s --json",
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runBench(c, f) },
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.Servers, "server", []string{"127.0.0.1:2181"}, "HOST:PORT of a server; several are loaded in turn")
	fl.StringVar(&f.workload, "workload", string(bench.Get), strings.Join(names, ", "))
	fl.IntVar(&f.Connections, "connections", 16, "connections")
	fl.IntVar(&f.Outstanding, "outstanding", 16, "unanswered requests per connection; ephemerals per session")
	fl.IntVar(&f.DataBytes, "size", 100, "bytes of data per znode; 0 for none")
	fl.IntVar(&f.Keys, "keys", 10_000, "znodes to read or set, or that create has at a time")
	fl.IntVar(&f.ReadPercent, "reads", 90, "share of reads of mixed, in percent")
	fl.IntVar(&f.Watchers, "watchers", 50, "sessions that watch, of watch")
	fl.BoolVar(&f.Persistent, "persistent", false, "persistent watches instead of one-shot ones, of watch")
	fl.DurationVar(&f.Warmup, "warmup", time.Second, "load before measuring; 0 for none")
	fl.DurationVar(&f.Duration, "duration", 10*time.Second, "how long to measure")
	fl.StringVar(&f.Root, "root", "/paddock-bench", "znode to work below")
	fl.IntSliceVar(&f.PIDs, "pid", nil, "process ids of the servers, on this host, whose CPU time is measured")
	oneOf(c, "workload", names...)
	noFile(c, "server", "root", "pid")
	f.tls.flags(c)
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "do not show progress")
	return c
}

// zeros makes what was given as zero mean that. In bench.Options it is what was left out, but no flag has it as default.
func (f *benchFlags) zeros() error {
	if f.DataBytes == 0 {
		f.DataBytes = -1
	}
	if f.Warmup == 0 {
		f.Warmup = -1
	}
	for _, c := range []struct {
		flag string
		zero bool
		want string
	}{
		{"server", len(f.Servers) == 0, "a server, such as 127.0.0.1:2181"},
		{"workload", f.workload == "", "a workload, such as get"},
		{"root", f.Root == "", "a path, such as /paddock-bench"},
		{"connections", f.Connections == 0, "at least 1"},
		{"outstanding", f.Outstanding == 0, "at least 1"},
		{"keys", f.Keys == 0, "at least 1"},
		{"reads", f.ReadPercent == 0, "1 to 100, or choose workload set"},
		{"watchers", f.Watchers == 0, "at least 1"},
		{"duration", f.Duration == 0, "at least 1ms, such as 10s"},
	} {
		if c.zero {
			return usageError{fmt.Errorf("--%s is empty or 0; give %s", c.flag, c.want)}
		}
	}
	return nil
}

func runBench(c *cobra.Command, f benchFlags) error {
	if err := f.zeros(); err != nil {
		return err
	}
	f.Workload = bench.Workload(f.workload)
	var err error
	if f.TLS, err = f.tls.config(); err != nil {
		return err
	}
	if !f.quiet {
		f.Progress = progressTo(c.ErrOrStderr())
	}
	result, err := bench.Run(c.Context(), f.Options)
	if wrong, ok := errors.AsType[*bench.OptionsError](err); ok {
		return usageError{wrong}
	}
	if result == nil {
		return err
	}
	out := c.OutOrStdout()
	if f.json {
		text, jsonErr := json.MarshalIndent(result, "", "  ")
		if jsonErr != nil {
			return jsonErr
		}
		fmt.Fprintf(out, "%s\n", text)
		return err
	}
	fmt.Fprint(out, result.Text())
	return err
}

// progressTo writes a line per second.
func progressTo(w io.Writer) func(bench.Progress) {
	return func(p bench.Progress) {
		of := ""
		if p.Total > 0 {
			of = " of " + p.Total.String()
		}
		fmt.Fprintf(w, "%s: %s%s, %s operations\n", p.Stage, p.Elapsed.Round(time.Second), of, bench.Grouped(p.Operations))
	}
}
