package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"paddock/server/config"
)

func main() {
	keepMonitor(os.Args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// named refuses flags that are given and empty, as an unset variable of a script makes them: the default would mean something else.
func named(c *cobra.Command, flags ...string) error {
	for _, flag := range flags {
		if f := c.Flags().Lookup(flag); f != nil && f.Changed && f.Value.String() == "" {
			return usageError{fmt.Errorf("--%s is empty; name one, or leave it out", flag)}
		}
	}
	return nil
}

// endAtOnce has the first signal end the process, for a command that only reads: there is nothing to tidy up.
func endAtOnce() { signal.Reset(os.Interrupt, syscall.SIGTERM) }

// run is the command line: the exit code of args.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	kept := &keeper{w: out}
	root.SetOut(kept)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if failed := kept.failure(); failed != nil {
		err = fmt.Errorf("standard output: %w", failed)
	}
	if err == nil {
		return 0
	}
	var quiet exit
	if !errors.As(err, &quiet) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(errs, "paddock:", line)
		}
	}
	return exitCode(err)
}

// keeper remembers that its writer failed, so that no command succeeds whose output was lost.
type keeper struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

// Write implements io.Writer.
func (k *keeper) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	if err != nil {
		k.mu.Lock()
		k.err = err
		k.mu.Unlock()
	}
	return n, err
}

func (k *keeper) failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if path, ok := errors.AsType[*os.PathError](k.err); ok {
		return path.Err
	}
	return k.err
}

// handedOn is the writer itself, for a command that hands it on to another process.
func handedOn(w io.Writer) io.Writer {
	if k, ok := w.(*keeper); ok {
		return k.w
	}
	return w
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "paddock",
		Short:         "A coordination server that speaks ZooKeeper's protocol",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	})
	root.AddCommand(newServe(), newCLI(), newStatus(), newTransfer(), newStop(), newWAL(), newSnapshot(), newMigrate(), newBench(), newVersion())
	return group(root)
}

// group makes c a command that only has others below it. What is none of them is refused in one line, which cobra would
// do in several, or not at all.
func group(c *cobra.Command) *cobra.Command {
	const editsMax = 2 // between a word and the command it may stand for
	c.SuggestionsMinimumDistance, c.DisableFlagsInUseLine = editsMax, true
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return usageError{fmt.Errorf("unknown command %q; did you mean %s %s?", args[0], c.CommandPath(), near[0])}
		}
		return usageError{fmt.Errorf("unknown command %q; see %s --help", args[0], c.CommandPath())}
	}
	return c
}

// exit ends the process with a code, everything having been said.
type exit int

// Error implements error.
func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a mistake in the arguments.
type usageError struct{ error }

// exitCode is what ZooKeeper's scripts and service units expect: see config.ExitConfig and its neighbours.
func exitCode(err error) int {
	if code, ok := errors.AsType[exit](err); ok {
		return int(code)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return config.ExitConfig
	}
	return config.ExitCode(err)
}

// arguments wraps a cobra check so that its error counts as one of usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
		}
		return nil
	}
}
