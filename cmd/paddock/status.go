package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"paddock/server/config"
	"paddock/server/grpcapi"
	"paddock/server/juteapi"
	"paddock/storage/datadir"
)

// Exit codes of status --strict. Without it everything but a serving server is 1, as in ZooKeeper's script.
const (
	statusNotRunning  = 1
	statusNotServing  = 3 // no quorum, or refusing
	statusStarting    = 4
	statusReadOnly    = 5
	statusOtherServer = 6 // the client port belongs to another program
)

// statusTimeout bounds how long a server may take to say how it is.
const statusTimeout = 5 * time.Second

// statusFlags are those of status.
type statusFlags struct {
	config, dataDir, address string
	tls                      tlsFlags
	json, strict             bool
}

func newStatus() *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:   "status [--config zoo.cfg | --data-dir DIR | --address HOST:PORT]",
		Short: "Tell how a server is doing",
		Long: "Tell how the server of a data directory is doing, whether or not it serves clients. The exit code is 0 if it\n" +
			"serves and 1 if not; with --strict it is 1 not running, 3 not serving, 4 starting, 5 read-only, 6 the client\n" +
			"port belongs to another program.",
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return status(c, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "path of the server's zoo.cfg")
	fl.StringVar(&f.dataDir, "data-dir", "", "its data directory (default: that of the configuration, or ./data)")
	fl.StringVar(&f.address, "address", "", "ask the gRPC port HOST:PORT instead of the socket in the data directory")
	noFile(c, "address")
	f.tls.flags(c)
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.strict, "strict", false, "tell by the exit code why the server does not serve")
	return c
}

func status(c *cobra.Command, f statusFlags) error {
	if err := named(c, "config", "data-dir", "address"); err != nil {
		return err
	}
	if f.address != "" && (f.dataDir != "" || f.config != "") {
		return usageError{errors.New("--address asks another server than --data-dir and --config; pass one or the other")}
	}
	at := place{config: f.config, dataDir: f.dataDir}
	cfg, problem, err := at.locate()
	if err != nil {
		return err
	}
	conn, err := dialStatus(cfg, &f)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(c.Context(), statusTimeout)
	defer cancel()
	out := c.OutOrStdout()
	st, err := grpcapi.FetchStatus(ctx, conn)
	if err != nil {
		why, code := absent(cfg, f.address, err)
		return notServing(out, f, why, code)
	}
	if problem != nil {
		for text := range strings.Lines(problem.Error()) {
			st.Warnings = append(st.Warnings, "it would not start again: "+strings.TrimSuffix(text, "\n"))
		}
	}
	if f.json {
		text, err := st.JSON()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", text)
	} else {
		printStatus(out, &st)
	}
	if st.State == grpcapi.StateServing {
		return nil
	}
	why, code := reason(&st)
	if f.json {
		return strictly(f, code)
	}
	return notServing(out, f, why, code)
}

func dialStatus(cfg *config.Config, f *statusFlags) (*grpc.ClientConn, error) {
	secure, err := f.tls.config()
	switch {
	case err != nil:
		return nil, err
	case f.address == "" && secure != nil:
		return nil, usageError{errors.New("TLS is for --address; the socket in the data directory does not leave the machine")}
	case f.address != "":
		return grpcapi.Dial(f.address, secure)
	default:
		return grpcapi.DialLocal(cfg.DataDir)
	}
}

// notServing says why, and then what ZooKeeper's script says, which other scripts look for.
func notServing(out io.Writer, f statusFlags, why string, code int) error {
	if f.json && code != statusReadOnly {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(struct {
			State   string `json:"state"`
			Refusal string `json:"refusal"`
		}{"SERVER_STATE_UNSPECIFIED", why}); err != nil {
			return err
		}
		return strictly(f, code)
	}
	fmt.Fprintln(out, why)
	if code != statusReadOnly {
		fmt.Fprintln(out, "Error contacting service. It is probably not running.")
	}
	return strictly(f, code)
}

func strictly(f statusFlags, code int) error {
	if !f.strict {
		code = statusNotRunning
	}
	return exit(code)
}

// absent finds out why there is no answer.
func absent(cfg *config.Config, address string, err error) (why string, code int) {
	if address != "" {
		return fmt.Sprintf("no answer from %s: %s", address, unanswered(err)), statusNotRunning
	}
	lock := filepath.Join(cfg.DataDir, datadir.LockName)
	if pid, ok := lockHolder(lock); ok {
		return fmt.Sprintf("running (pid %d), but it does not say how it is: %s; its gRPC port can be asked by paddock status --address, and SIGTERM stops it", pid, unanswered(err)), statusNotServing
	}
	why = fmt.Sprintf("not running (no process holds %s)", lock)
	if !isDir(cfg.DataDir) {
		why += "; there is no such directory"
	} else if above := filepath.Dir(cfg.DataDir); filepath.Base(cfg.DataDir) == "version-2" {
		why += "; the data directory is the one above, " + above
	}
	if pid, process, ok := juteapi.PortHolder(cfg.Client.Port); ok {
		return fmt.Sprintf("%s; port %d belongs to pid %d (%s)", why, cfg.Client.Port, pid, process), statusOtherServer
	}
	return why, statusNotRunning
}

// unanswered is why a call got no answer, without what gRPC wraps around it.
func unanswered(err error) string {
	text := grpcstatus.Convert(err).Message()
	if grpcstatus.Code(err) == codes.DeadlineExceeded {
		return "it takes too long"
	}
	if inner, ok := strings.CutPrefix(text, `connection error: desc = "`); ok {
		text = strings.TrimPrefix(strings.TrimSuffix(inner, `"`), "transport: Error while dialing: ")
	}
	if strings.Contains(text, "server preface") {
		text += "; is that its gRPC port (grpcPort), and without TLS?"
	}
	return text
}

// reason says why a server that answers does not serve.
func reason(st *grpcapi.Status) (why string, code int) {
	running := fmt.Sprintf("running (pid %d), ", st.PID)
	switch st.State {
	case grpcapi.StateStarting:
		why = running + "starting"
		if st.Refusal != "" {
			why += ", " + st.Refusal
		}
		return why, statusStarting
	case grpcapi.StateReadOnly:
		return running + "read-only", statusReadOnly
	case grpcapi.StateStopping:
		return running + "stopping", statusNotServing
	default:
		return running + "not serving: " + st.Refusal, statusNotServing
	}
}

// printStatus is for a person. The line beginning with Mode is ZooKeeper's.
func printStatus(out io.Writer, st *grpcapi.Status) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-14s %s\n", name+":", fmt.Sprintf(format, args...))
	}
	line("State", "%s", st.State)
	if st.Mode != 0 {
		fmt.Fprintf(out, "Mode: %s\n", st.Mode)
	}
	line("Version", "%s, pid %d, up %s", st.Version, st.PID, st.Uptime.Round(time.Second))
	line("Data", "%s", st.DataDir)
	if len(st.ClientAddresses) > 0 {
		line("Clients on", "%s", strings.Join(st.ClientAddresses, ", "))
	}
	if st.Ensemble != nil {
		printEnsemble(line, st.Ensemble)
	}
	if st.State == grpcapi.StateServing || st.State == grpcapi.StateReadOnly || st.State == grpcapi.StateRefusing {
		line("Zxid", "%s", st.Zxid)
		line("Znodes", "%d, %d of them ephemeral, %s", st.Znodes, st.Ephemerals, bytesText(st.DataBytes))
		line("Clients", "%d connections, %d sessions, %d watches, %d requests outstanding", st.Connections, st.Sessions, st.Watches, st.Outstanding)
		line("Latency", "%s min, %s mean, %s max", st.Latency.Min, st.Latency.Mean, st.Latency.Max)
	}
	if g := &st.Storage; g.DiskTotalBytes > 0 {
		line("Disk", "%d snapshots (%s), %d logs (%s), %s of %s free", g.Snapshots, bytesText(g.SnapshotBytes), g.Logs,
			bytesText(g.LogBytes), bytesText(g.DiskFreeBytes), bytesText(g.DiskTotalBytes))
	}
	for _, w := range st.Warnings {
		line("Warning", "%s", w)
	}
}

// printEnsemble tells of the leader and of each member.
func printEnsemble(line func(name, format string, args ...any), e *grpcapi.Ensemble) {
	since := "since " + e.Since.Local().Format(time.DateTime)
	switch {
	case !e.HasLeader:
		line("Leader", "none %s; the last epoch was %d", since, e.Epoch)
	case e.Stage != stageBroadcast:
		line("Leader", "server %d, not established (%s) %s", e.Leader, e.Stage, since)
	default:
		line("Leader", "server %d, epoch %d, %s", e.Leader, e.Epoch, since)
	}
	for i := range e.Members {
		m := &e.Members[i]
		line(fmt.Sprintf("Server %d", m.ServerID), "%s", memberText(m, e.HasLeader && e.Stage == stageBroadcast))
	}
}

// stageBroadcast is the stage of a member that serves.
const stageBroadcast = "broadcast"

// memberText is one member in a line.
func memberText(m *grpcapi.Member, serving bool) string {
	words := []string{strings.Join(m.Addresses, "|")}
	switch {
	case !m.Connected:
		words = append(words, fmt.Sprintf("missing for %v (%s)", time.Since(m.Since).Round(time.Second), m.Problem))
	case m.Problem != "":
		words = append(words, m.Problem)
	case m.Role != 0:
		words = append(words, m.Role.String())
	default:
		words = append(words, "connected")
	}
	if !m.Voter {
		words = append(words, "does not vote")
	}
	switch {
	case !serving || !m.Connected:
	case m.Behind > 0:
		words = append(words, fmt.Sprintf("%d transactions behind", m.Behind))
	case m.Behind == 0 && m.Synced:
		words = append(words, "synced")
	case m.Behind == 0:
		words = append(words, "synchronising")
	}
	if m.Self {
		words = append(words, "this server")
	}
	return strings.Join(words, ", ")
}

// bytesText is a size as people read it.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n), 0
	for value >= unit && suffix < len("KMGTP") {
		value /= unit
		suffix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[suffix-1])
}
