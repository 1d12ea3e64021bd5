package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit codes: those of the server for mistakes in its configuration, and 1 for everything else.
const (
	exitFailed = 1
	exitUsage  = 2
)

// passwordVariable names the environment variable that holds the password of the user super.
const passwordVariable = "PADDOCK_SUPER_PASSWORD"

const usage = "usage: paddock-member configure|join|leave|list [flags]; each has --help"

// errUsage is a mistake in the arguments.
var errUsage = errors.New("wrong arguments")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv(passwordVariable), os.Stderr))
}

// run is the command line: the exit code of args.
func run(ctx context.Context, args []string, password string, out io.Writer) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "configure":
		err = runConfigure(ctx, args, password, out)
	case "join", "leave":
		err = runMembership(ctx, command, args, password, out)
	case "list":
		err = runList(ctx, args, out)
	default:
		err = fmt.Errorf("%w: %s", errUsage, usage)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(out, "paddock-member:", err)
		return exitUsage
	default:
		fmt.Fprintf(out, "paddock-member %s: %v\n", command, err)
		return exitFailed
	}
}

// parse reads flags, all of which are required unless they have a default.
func parse(f *flag.FlagSet, args []string, out io.Writer) error {
	f.SetOutput(out)
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%w: %q is no flag", errUsage, f.Arg(0))
	}
	var missing string
	f.VisitAll(func(x *flag.Flag) {
		if x.Value.String() == "" && missing == "" {
			missing = x.Name
		}
	})
	if missing != "" {
		return fmt.Errorf("%w: --%s is missing", errUsage, missing)
	}
	return nil
}

func runConfigure(ctx context.Context, args []string, password string, out io.Writer) error {
	hostname, err := os.Hostname()
	if err != nil {
		return err
	}
	c := configuration{password: password, out: out}
	f := flag.NewFlagSet("configure", flag.ContinueOnError)
	f.StringVar(&c.template, "template", "", "zoo.cfg without members")
	f.StringVar(&c.dir, "dir", "", "directory in which zoo.cfg and the list of members are kept")
	f.Var(&c.member, "member", memberUsage)
	f.StringVar(&c.ensemble, "ensemble", "", "HOST:PORT[,HOST:PORT...] where servers serve clients")
	f.StringVar(&c.foundersFile, "founders-file", "", "file with the number of servers that found the ensemble")
	f.StringVar(&c.hostname, "hostname", hostname, "name of the pod, which ends in -<ordinal>")
	f.DurationVar(&c.foundAfter, "found-after", 10*time.Second, "how long a founder, or a server with a list of members, looks for an ensemble that is there")
	f.DurationVar(&c.joinWithin, "join-within", 10*time.Minute, "how long any other server does")
	if err := parse(f, args, out); err != nil {
		return err
	}
	return c.write(ctx)
}

func runMembership(ctx context.Context, command string, args []string, password string, out io.Writer) error {
	m := membership{password: password, out: out}
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	f.IntVar(&m.servers, "servers", 0, "how many servers vote")
	f.Var(&m.member, "member", memberUsage)
	f.StringVar(&m.ensemble, "ensemble", "", "HOST:PORT[,HOST:PORT...] where servers serve clients")
	timeout := f.Duration("timeout", 10*time.Minute, "when to give up")
	if err := parse(f, args, out); err != nil {
		return err
	}
	if m.servers < 1 {
		return fmt.Errorf("%w: --servers %d, but at least one must stay", errUsage, m.servers)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if command == "leave" {
		return m.until(ctx, m.leaving)
	}
	return m.until(ctx, m.joining)
}

func runList(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("list", flag.ContinueOnError)
	ensemble := f.String("ensemble", "", "HOST:PORT[,HOST:PORT...] where servers serve clients")
	if err := parse(f, args, out); err != nil {
		return err
	}
	config, err := askOnce(ctx, *ensemble)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, config)
	return nil
}
