//go:build chaos

package chaos

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paddock/internal/freeport"
)

// The two servers.
const (
	paddock = "paddock"
	java    = "java"
)

const (
	startDeadline = 60 * time.Second // from the start of a process until it serves, on a busy machine
	stopDeadline  = 30 * time.Second // from a signal until the process is gone
	wordDeadline  = 5 * time.Second  // one four-letter word, question and answer
	pollEvery     = 2 * time.Millisecond
)

// javaLibraries is where Debian's packages put the jars.
const javaLibraries = "/usr/share/java"

// javaJars is the shortest class path that a standalone ZooKeeper 3.8.0 starts with.
var javaJars = []string{"zookeeper.jar", "zookeeper-jute.jar", "slf4j-api.jar", "slf4j-simple.jar", "netty-common.jar",
	"netty-handler.jar", "netty-transport.jar", "netty-buffer.jar", "snappy-java.jar", "metrics-core.jar"}

// superUser opens every ACL: every configuration here names its digest.
const superUser = "super:test"

// childVariable tells the test binary to be something else than the tests.
const childVariable = "CHAOS_CHILD"

// process is one server, restartable in place.
type process struct {
	kind   string // paddock or java
	data   string // dataDir
	work   string // directory for zoo.cfg and the log
	port   int
	extra  []string // further lines of zoo.cfg
	plain  string   // the whole zoo.cfg, if not the usual one
	flags  []string // of paddock serve
	keep   bool     // zoo.cfg, once written, is the server's to change
	host   string   // "" for 127.0.0.1
	within *space   // where it runs, nil for where the test does
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd is gone
	from   int64         // size of the log file when cmd was started
}

// newProcess describes a server with its data in data and the rest in work; it is not started.
func newProcess(kind, data, work string, extra ...string) (*process, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	return &process{kind: kind, data: data, work: work, port: port, extra: extra}, os.MkdirAll(work, 0o755)
}

func (p *process) addr() string       { return fmt.Sprintf("%s:%d", p.listen(), p.port) }
func (p *process) logFile() string    { return filepath.Join(p.work, p.kind+".log") }
func (p *process) configFile() string { return filepath.Join(p.work, p.kind+".cfg") }

// listen is the address that clients connect to.
func (p *process) listen() string { return cmp.Or(p.host, "127.0.0.1") }

// config is the zoo.cfg. ZooKeeper takes its log's preallocation, and some keys, only in such small pieces from here.
func (p *process) config() string {
	if p.plain != "" {
		return p.plain
	}
	lines := []string{"dataDir=" + p.data, fmt.Sprintf("clientPort=%d", p.port), "clientPortAddress=" + p.listen(),
		"maxClientCnxns=0", "4lw.commands.whitelist=*", "admin.enableServer=false", "preAllocSize=1024",
		"DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="}
	if p.kind == paddock {
		lines = append(lines, "grpcPort=0", "httpPort=0")
	}
	return strings.Join(append(lines, p.extra...), "\n") + "\n"
}

// command returns the command line, or an error that says what is missing and how to get it.
func (p *process) command(cfg string) (*exec.Cmd, error) {
	if p.kind == paddock {
		bin, err := program()
		return exec.Command(bin, append([]string{"serve", "--config", cfg}, p.flags...)...), err
	}
	return javaCommand("org.apache.zookeeper.server.quorum.QuorumPeerMain", cfg)
}

// javaCommand is the command line of a class of ZooKeeper and its arguments.
func javaCommand(main ...string) (*exec.Cmd, error) {
	program, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("%w: install it with `apt-get install zookeeper`", err)
	}
	jars := make([]string, len(javaJars))
	for i, j := range javaJars {
		jars[i] = filepath.Join(javaLibraries, j)
		if _, err := os.Stat(jars[i]); err != nil {
			return nil, fmt.Errorf("%w: install it with `apt-get install zookeeper`", err)
		}
	}
	args := []string{"-Xmx512m", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Dznode.container.checkIntervalMs=86400000", "-cp", strings.Join(jars, ":")}
	return exec.Command(program, append(args, main...)...), nil
}

// dropBegunLogs deletes log files without a header. ZooKeeper leaves one when it is killed as it begins a file, and does not start
// from it (ZOOKEEPER-1621: EOFException); to delete it is what its operators do.
func (p *process) dropBegunLogs() error {
	const headerBytes = 16
	logs, err := filepath.Glob(filepath.Join(p.data, "version-2", "log.*"))
	if err != nil {
		return err
	}
	for _, name := range logs {
		info, err := os.Stat(name)
		if err == nil && info.Size() < headerBytes {
			err = os.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// purge deletes old snapshots and logs of a ZooKeeper, which does so by itself once an hour at most.
func (p *process) purge() error {
	cmd, err := javaCommand("org.apache.zookeeper.server.PurgeTxnLog", p.data, p.data, "-n", "3")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("purge: %w: %s", err, tail(out))
	}
	return nil
}

// program is the binary under test.
func program() (string, error) {
	bin := os.Getenv("PADDOCK_BIN")
	if bin == "" {
		return "", errors.New("PADDOCK_BIN is not set: build Paddock (make build) and name the binary, for instance PADDOCK_BIN=$PWD/bin/paddock")
	}
	if !filepath.IsAbs(bin) {
		bin = filepath.Join("..", "..", bin) // tests run in their package's directory
	}
	bin, err := filepath.Abs(bin)
	if err == nil {
		_, err = os.Stat(bin)
	}
	if err != nil {
		return "", fmt.Errorf("PADDOCK_BIN: %w: build it with `make build`", err)
	}
	return bin, nil
}

// launch runs the process without waiting for it to serve.
func (p *process) launch() error {
	cfg := p.configFile()
	if _, err := os.Stat(cfg); err != nil || !p.keep {
		if err := os.WriteFile(cfg, []byte(p.config()), 0o644); err != nil {
			return err
		}
	}
	if p.kind == java {
		if err := p.dropBegunLogs(); err != nil {
			return err
		}
	}
	cmd, err := p.command(cfg)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if p.from, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.work, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := cmd.Start
	if p.within != nil {
		start = func() error { return p.within.do(cmd.Start) }
	}
	if err := start(); err != nil {
		return fmt.Errorf("start %s: %w", p.kind, err)
	}
	exited := make(chan struct{})
	go func() { // ends with the process, which end or signal waits for
		defer close(exited)
		cmd.Wait() //nolint:errcheck // the state tells
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

// start runs the process and returns when it serves, and how long that took.
func (p *process) start() (time.Duration, error) {
	began := time.Now()
	if err := p.launch(); err != nil {
		return 0, err
	}
	err := p.await("")
	return time.Since(began), err
}

// mode is what the server says it is: standalone, leader, follower or observer; "" if it does not serve.
func (p *process) mode() string {
	text, err := p.word("srvr")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(text, "Mode: ")
	mode, _, _ := strings.Cut(rest, "\n")
	return mode
}

// await waits until the server serves, in the given mode if it is not "".
func (p *process) await(mode string) error {
	for deadline := time.Now().Add(startDeadline); ; {
		if m := p.mode(); m != "" && (mode == "" || m == mode) {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended (%v) before it served; its log ends:\n%s", p.kind, p.cmd.ProcessState, p.logTail())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			p.end()
			return fmt.Errorf("%s does not serve after %v; its log ends:\n%s", p.kind, startDeadline, p.logTail())
		}
	}
}

// word sends a four-letter word and returns the answer.
func (p *process) word(word string) (string, error) {
	c, err := net.DialTimeout("tcp", p.addr(), wordDeadline)
	if err != nil {
		return "", err
	}
	defer c.Close()
	wait := wordDeadline
	if word == "srvr" {
		wait = 250 * time.Millisecond // one that arrives while ZooKeeper is still starting may never be answered
	}
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// signal sends sig and waits until the process is gone. It returns the exit code, -1 if a signal ended it.
func (p *process) signal(sig syscall.Signal) (int, error) {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	return p.wait()
}

// wait waits until the process is gone and returns its exit code.
func (p *process) wait() (int, error) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(stopDeadline):
		p.cmd.Process.Signal(syscall.SIGQUIT) //nolint:errcheck // makes Paddock print its goroutines
		<-time.After(pollEvery)
		p.end()
		return 0, fmt.Errorf("%s still ran after %v; its log ends:\n%s", p.kind, stopDeadline, p.logTail())
	}
}

// kill ends the process as a crash of it would.
func (p *process) kill() error {
	_, err := p.signal(syscall.SIGKILL)
	return err
}

// end kills the process if it runs.
func (p *process) end() {
	if p.cmd != nil {
		p.cmd.Process.Kill() //nolint:errcheck // it may have gone by itself
		<-p.exited
	}
}

// alive tells whether the process runs.
func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// output is what the running process, or the last one, has written.
func (p *process) output() string {
	b, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	return string(b[min(p.from, int64(len(b))):])
}

// complaints are the lines with which Paddock says that something is wrong that no crash can explain.
func (p *process) complaints() []string {
	var out []string
	for line := range strings.Lines(p.output()) {
		if strings.Contains(line, `"level":"error"`) || strings.HasPrefix(line, "paddock: ") || strings.HasPrefix(line, "panic:") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// logTail returns the end of the log, for failure reports.
func (p *process) logTail() string {
	lines := bytes.Split(bytes.TrimSpace([]byte(p.output())), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-25):], []byte("\n")))
}
