package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	serverDefault  = "localhost:2181"
	timeoutDefault = 30 * time.Second
	// historyShown is how many lines before the current one `history` prints.
	historyShown = 10
	// lineBytesMax is the longest line read from a pipe.
	lineBytesMax = 16 << 20
)

// Streams are where a Shell reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Shell runs commands against one server, or one after the other.
type Shell struct {
	streams  Streams
	out      *screen
	errs     io.Writer
	version  string
	server   string
	connect  connectOptions
	wait     bool // connect before the first command, and again after `connect`
	backend  Backend
	history  []string
	code     int
	quiet    atomic.Bool                         // print no events
	taken    atomic.Pointer[func(client.Notice)] // who takes events instead
	terminal *editor                             // nil unless lines are read from a terminal
	over     bool                                // quit was said
	session  bool                                // commands come from a pipe or a terminal, not as arguments
}

// Main runs the command line that args say and returns its exit code. version is told to who asks for it. ctx ends what runs.
func Main(ctx context.Context, args []string, streams Streams, version string) int {
	sh := &Shell{streams: streams, out: newScreen(streams.Out), errs: streams.Err, version: version}
	o, problem := parseInvocation(args)
	if problem != "" {
		sh.complain("%s", problem)
	}
	if o.help {
		sh.overview(sh.out)
		sh.out.flush()
		return exitOK
	}
	if len(o.command) > 0 && o.command[0] == "help" { // it needs no server
		sh.runWords(ctx, o.command)
		return sh.end()
	}
	if o.tls != "" {
		secure, err := loadTLS(o.tls)
		if err != nil {
			sh.complain("%v", err)
			return exitConfig
		}
		sh.connect.secure = secure
	}
	sh.connect.grpc = o.grpc
	sh.connect.timeout, sh.connect.readOnly, sh.wait = o.timeout, o.readOnly, o.wait
	// What Paddock adds has its results alone on the standard output, and leaves no session behind.
	own := false
	if len(o.command) > 0 {
		cmd := lookup(o.command[0])
		own = cmd != nil && cmd.own
	}
	sh.quiet.Store(own)
	if !own {
		fmt.Fprintln(sh.out, "Connecting to "+o.server)
	}
	if err := sh.dial(ctx, o.server); err != nil {
		sh.report(err)
		return sh.end()
	}
	if len(o.command) > 0 {
		sh.runWords(ctx, o.command)
	} else {
		sh.session = true
		sh.converse(ctx)
	}
	// ZooKeeper compatibility: only quit and close end the session. What a single command has made for a while lasts until the
	// session times out, which is what makes `create -e` of use there.
	if own {
		_ = sh.backend.Close() // the session expires if the server does not hear of it
	} else {
		sh.backend.Abandon()
	}
	return sh.end()
}

// end flushes and is the exit code.
func (s *Shell) end() int {
	s.out.flush()
	if s.out.broken() != nil && s.code == exitOK {
		return exitFailure // nobody reads any more
	}
	return s.code
}

// dial connects to another server. The session before is closed.
func (s *Shell) dial(ctx context.Context, server string) error {
	t, err := s.connect.target(server)
	if err != nil {
		return err
	}
	if s.backend != nil {
		if s.backend.State().Alive() {
			_ = s.backend.Close() // the session expires if the server does not hear of it
		} else {
			s.backend.Abandon()
		}
	}
	s.server = server
	s.backend = connect(t, s.connect, s.notice)
	if !s.wait {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.connect.timeout)
	defer cancel()
	if err := s.backend.Await(ctx); err != nil {
		return refused(fmt.Errorf("%w: no connection within %v", client.ErrLost, s.connect.timeout), "")
	}
	return nil
}

// notice prints an event as ZooKeeper's command line does.
func (s *Shell) notice(n client.Notice) {
	if take := s.taken.Load(); take != nil {
		(*take)(n)
		return
	}
	if s.quiet.Load() {
		return
	}
	path := n.Path
	if n.Type == client.EventNone {
		path = "null"
	}
	fmt.Fprintf(s.out, "\nWATCHER::\n\nWatchedEvent state:%v type:%s path:%s\n", n.Keeper, n.TypeName(), path)
	if s.session {
		s.out.flush()
	}
}

// converse reads commands until there are no more.
func (s *Shell) converse(ctx context.Context) {
	if f, ok := s.streams.In.(*os.File); ok {
		if done, err := s.interact(ctx, f); done {
			if err != nil {
				s.complain("%v", err)
			}
			return
		}
	}
	fmt.Fprintln(s.out, "Welcome to ZooKeeper!")
	fmt.Fprintln(s.out, "JLine support is disabled") // which scripts know
	lines := bufio.NewScanner(s.streams.In)
	lines.Buffer(nil, lineBytesMax)
	for ctx.Err() == nil && !s.over && lines.Scan() {
		s.runLine(ctx, lines.Text())
	}
	if err := lines.Err(); err != nil {
		s.report(failf("read commands: %v", err))
	}
}

// runLine runs one line of a session.
func (s *Shell) runLine(ctx context.Context, line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	words := split(line)
	s.history = append(s.history, line)
	s.runWords(ctx, words)
}

// runWords runs one command and keeps its exit code.
func (s *Shell) runWords(ctx context.Context, words []string) {
	err := s.process(ctx, words)
	if s.over {
		return // the code is that of the command before
	}
	s.code = exitOK
	if err != nil {
		s.report(err)
	}
	s.out.flush()
}

// report prints why a command failed, and keeps its code.
func (s *Shell) report(err error) {
	s.code = exitFailure
	if f, ok := errors.AsType[*failure](err); ok {
		s.code = f.code
	}
	if text := err.Error(); text != "" {
		s.complain("%s", text)
	}
}

// complain prints a line on the standard error.
func (s *Shell) complain(format string, args ...any) {
	s.out.flush()
	fmt.Fprintf(s.errs, format+"\n", args...)
}

// process runs a command. Those about the shell itself come first; like ZooKeeper's they then say when there is no connection.
func (s *Shell) process(ctx context.Context, words []string) error {
	cmd := lookup(words[0])
	if cmd == nil {
		s.usageAll()
		return &failure{"Command not found: Command not found " + words[0], exitNotFound}
	}
	if cmd.shell != nil {
		if err := cmd.shell(s, ctx, words); err != nil || s.over || cmd.offline {
			return err
		}
	}
	if s.backend == nil || !s.backend.State().Alive() {
		fmt.Fprintln(s.out, "Not connected")
		return nil
	}
	if cmd.run == nil {
		return nil
	}
	opts, err := cmd.options.parse(words)
	if err != nil {
		return err
	}
	return cmd.run(&call{ctx: ctx, sh: s, cmd: cmd, parsed: opts, words: words})
}

// quit closes the session and ends the shell.
func (s *Shell) quit(context.Context, []string) error {
	if s.backend != nil {
		_ = s.backend.Close() // the session expires if the server does not hear of it
	}
	s.over = true
	return nil
}

// redo runs a line of the history again.
func (s *Shell) redo(ctx context.Context, words []string) error {
	if len(words) < 2 {
		return nil
	}
	n, err := strconv.ParseInt(words[1], 0, 32)
	if err != nil {
		return failf("%q is no number of a line in the history", words[1])
	}
	now := max(len(s.history)-1, 0)
	if n < 0 || int(n) >= now {
		return failf("Command index out of range")
	}
	again := split(s.history[n])
	if again[0] == "redo" {
		return failf("No redoing redos")
	}
	s.history[now] = s.history[n]
	return s.process(ctx, again)
}

// printHistory prints the last lines.
func (s *Shell) printHistory(context.Context, []string) error {
	if len(s.history) == 0 { // a single command, as an argument
		fmt.Fprintln(s.out, "0 - null")
		return nil
	}
	now := len(s.history) - 1
	for i := max(now-historyShown, 0); i <= now; i++ {
		fmt.Fprintf(s.out, "%d - %s\n", i, s.history[i])
	}
	return nil
}

// printWatches tells or sets whether events are printed.
func (s *Shell) printWatches(_ context.Context, words []string) error {
	switch {
	case len(words) > 1:
		s.quiet.Store(words[1] != "on")
	case s.quiet.Load():
		fmt.Fprintln(s.out, "printwatches is off")
	default:
		fmt.Fprintln(s.out, "printwatches is on")
	}
	return nil
}

// reconnect connects to the server named, or once more to the same.
func (s *Shell) reconnect(ctx context.Context, words []string) error {
	server := s.server
	if len(words) > 1 {
		server = words[1]
	}
	return s.dial(ctx, server)
}

// prompt is what a terminal shows before each line.
func (s *Shell) prompt() string {
	return fmt.Sprintf("[zk: %s(%v) %d] ", s.server, s.backend.State(), len(s.history))
}

// call is one run of a command.
type call struct {
	*parsed
	ctx   context.Context
	sh    *Shell
	cmd   *command
	words []string // as given
}

// usage is the failure of a command whose arguments are wrong.
func (c *call) usage() error { return failf("%s", c.cmd.usageLine()) }

// println prints a line of the result.
func (c *call) println(args ...any) { fmt.Fprintln(c.sh.out, args...) }

// printf prints a part of the result.
func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.sh.out, format, args...) }

// warn prints a line on the standard error.
func (c *call) warn(format string, args ...any) { c.sh.complain(format, args...) }

// do sends a request to the server connected to.
func (c *call) do(req *zk.Request) (*zk.Reply, error) { return do(c.ctx, c.sh.backend, req) }

// do sends a request. A path that is not valid is refused before; what the server refuses is an error.
func do(ctx context.Context, b Backend, req *zk.Request) (*zk.Reply, error) {
	if named(req.Op) {
		path := req.Path
		if req.Op.IsCreate() && req.Mode.IsSequential() {
			path += "1"
		}
		if err := checkPath(path); err != nil {
			return nil, err
		}
	}
	path := req.Path
	if req.Op == zk.OpAuth {
		path = ""
	}
	reply, err := b.Do(ctx, req)
	if err != nil {
		return nil, refused(err, path)
	}
	if reply.Err != zk.OK {
		return nil, &codeError{code: reply.Err, path: path}
	}
	return reply, nil
}

// named tells whether the request's path is one of a znode.
func named(op zk.OpCode) bool {
	switch op {
	case zk.OpAuth, zk.OpReconfig, zk.OpWhoAmI, zk.OpMulti, zk.OpMultiRead:
		return false
	default:
		return true
	}
}
