package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is a row of the table of commands.
type command struct {
	name    string
	usage   string // its options and arguments
	short   string // what it does, in a line
	long    string // more about it, for help; may be empty
	options options
	// shell is what the shell itself does; run asks the server, with the options parsed. A command may have both.
	shell   func(s *Shell, ctx context.Context, words []string) error
	run     func(c *call) error
	offline bool // it needs no server
	own     bool // not one of ZooKeeper's
	group   string
}

// usageLine is how ZooKeeper prints a command's usage.
func (c *command) usageLine() string { return c.name + " " + c.usage }

// lookup is the command of a name, or nil.
func lookup(name string) *command {
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == name }); i >= 0 {
		return &all[i]
	}
	return nil
}

// names are the names of all commands, sorted.
func names() []string {
	var out []string
	for _, c := range commands() {
		out = append(out, c.name)
	}
	slices.Sort(out)
	return out
}

// usageAll prints the usage of everything, as ZooKeeper does behind a command it does not know.
func (s *Shell) usageAll() {
	s.complain("ZooKeeper -server host:port -client-configuration properties-file cmd args")
	for _, name := range names() {
		c := lookup(name)
		s.complain("\t%s %s", c.name, c.usage)
	}
}

// overviewHead and overviewTail frame the list of commands in the help.
const overviewHead = `Usage: paddock cli [-server HOST:PORT[,HOST:PORT…][/CHROOT]] [options] [command [arguments]]

With a command, runs it and ends. Without one, reads commands from the standard input, one a line; on a terminal with
line editing, a history and completion of commands and paths (Tab).

Options:
  -server TEXT               servers, tried in order, and the znode that shall be / (localhost:2181)
  -grpc TEXT                 the same, by the gRPC ports of Paddock servers (7181 unless named)
  -timeout MS                session timeout to ask for, in milliseconds (30000)
  -r                         accept a server that is read-only
  -waitforconnection         connect before the first command, or fail when the timeout is over
  -client-configuration FILE settings for TLS, as properties

`

const overviewTail = `
paddock cli help COMMAND tells more of one. Words with blanks stand in quotes: create /a "two words". ZooKeeper's commands
behave as in zkCli.sh, with the same output and exit codes: 0, 1 if the command failed, 127 if there is none of that name.
`

// overview prints the help about everything.
func (s *Shell) overview(w io.Writer) {
	fmt.Fprint(w, overviewHead)
	all := commands()
	for _, group := range groups {
		fmt.Fprintf(w, "%s:\n", group)
		for _, c := range all {
			if c.group == group {
				fmt.Fprintf(w, "  %-20s %s\n", c.name, c.short)
			}
		}
	}
	fmt.Fprint(w, overviewTail)
}

// help tells about everything, or about one command.
func (s *Shell) help(_ context.Context, words []string) error {
	if len(words) < 2 {
		s.overview(s.out)
		return nil
	}
	c := lookup(words[1])
	if c == nil {
		return &failure{fmt.Sprintf("there is no command %q; help lists them all", words[1]), exitFailure}
	}
	c.describe(s.out)
	return nil
}

// describe prints the help about a command.
func (c *command) describe(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n%s.\n", strings.TrimSpace("Usage: "+c.usageLine()), c.short)
	if c.long != "" {
		fmt.Fprintf(w, "\n%s\n", c.long)
	}
	if len(c.options.list) == 0 {
		return
	}
	fmt.Fprintf(w, "\nOptions:\n")
	for _, o := range c.options.list {
		fmt.Fprintf(w, "  %-20s %s\n", strings.TrimSpace("-"+o.name+" "+o.value), o.help)
	}
}
