package ensemble

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/freeport"
)

const (
	startDeadline = 2 * time.Minute // from the start of a process until it serves, on a busy machine
	stopDeadline  = 30 * time.Second
	pollEvery     = 20 * time.Millisecond
	wordDeadline  = time.Second // one four-letter word; one that arrives while ZooKeeper is still starting may never be answered
	logTailBytes  = 8 << 10     // of a log, shown when a test failed
)

// jars are what Debian's ZooKeeper needs on its class path, with those for TLS.
var jars = []string{"/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar", "/usr/share/java/netty-codec.jar",
	"/usr/share/java/netty-resolver.jar", "/usr/share/java/netty-transport-native-unix-common.jar"}

// Server is one server of an ensemble.
type Server struct {
	Client string // host:port of its client port
	Secure string // host:port of its client port over TLS; nobody listens on it unless the lines of the configuration have stores
	Dir    string
	Config string // path of zoo.cfg

	t       testing.TB
	kind    string
	process *Process // nil while none runs
	logFile *os.File
}

func newServer(t testing.TB, kind string, id int, lines []string) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{t: t, kind: kind, Dir: dir, Config: filepath.Join(dir, "zoo.cfg"), Client: fmt.Sprint("127.0.0.1:", freeport.Take(t))}
	for _, line := range lines {
		if strings.HasPrefix(line, "ssl.keyStore.") && s.Secure == "" {
			port := freeport.Take(t)
			s.Secure, lines = fmt.Sprint("127.0.0.1:", port), append([]string{fmt.Sprint("secureClientPort=", port)}, lines...)
		}
	}
	configure(t, s, id, lines)
	var err error
	if s.logFile, err = os.Create(filepath.Join(dir, kind+".log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

// command is the command line, for which everything is there.
func (s *Server) command() []string {
	if s.kind == Paddock {
		bin := os.Getenv("PADDOCK_BIN")
		if bin == "" {
			s.t.Fatal("PADDOCK_BIN must name the binary to test; make build makes bin/paddock")
		}
		return []string{bin, "serve", "--config", s.Config}
	}
	for _, file := range append([]string{"/usr/bin/java"}, jars...) {
		if _, err := os.Stat(file); err != nil {
			s.t.Fatalf("%v; the install.sh of each folder of test/apps installs it", err)
		}
	}
	return []string{"/usr/bin/java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dzookeeper.jmx.log4j.disable=true",
		"-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.NIOServerCnxn=error",
		"-cp", strings.Join(jars, ":"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", s.Config}
}

// Launch starts the process, which must not run, without waiting for it to serve.
func (s *Server) Launch() {
	s.t.Helper()
	command := s.command()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, s.logFile, s.logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if s.process, err = Run(cmd); err != nil {
		s.t.Fatal(err)
	}
}

// Become has the server, which must not run, be one of the other kind when it is launched again, on the same files.
func (s *Server) Become(kind string) { s.kind = kind }

// Await returns when the server serves.
func (s *Server) Await() {
	s.t.Helper()
	for deadline := time.Now().Add(startDeadline); s.Mode() == ""; {
		select {
		case <-s.process.Exited:
			s.t.Fatalf("%s ended (%v) before it served", s.kind, s.process.State())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not serve after %v", s.kind, startDeadline)
		}
	}
}

// Kill ends the process as a crash of it would, if it runs.
func (s *Server) Kill() { s.signal(syscall.SIGKILL) }

// Stop has the process end in good order, if it runs.
func (s *Server) Stop() { s.signal(syscall.SIGTERM) }

func (s *Server) signal(signal syscall.Signal) {
	if s.process != nil {
		s.process.End(s.t, s.kind, signal, stopDeadline)
		s.process = nil
	}
}

// Mode is what the server says it is: leader or follower; empty if it does not serve.
func (s *Server) Mode() string {
	answer, err := s.Word("srvr")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(answer, "Mode: ")
	mode, _, _ := strings.Cut(rest, "\n")
	return mode
}

// Word sends a four-letter word and returns the answer.
func (s *Server) Word(word string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Client, wordDeadline)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(wordDeadline)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// end kills what runs when the test is over, and shows the end of the log if it failed.
func (s *Server) end() {
	s.Kill()
	if s.t.Failed() {
		s.t.Logf("end of the log of %s:\n%s", s.Client, Tail(s.logFile.Name()))
	}
	_ = s.logFile.Close()
}

// Tail is the end of a file, such as a log, for a failure report.
func Tail(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTailBytes):])
}
