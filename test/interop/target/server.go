package target

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
)

const (
	startDeadline  = 60 * time.Second                      // from the start of a process until it serves, on a busy machine
	stopDeadline   = 30 * time.Second                      // from the signal until the process is gone
	pollInterval   = 20 * time.Millisecond                 // between two looks at a condition
	wordDeadline   = 5 * time.Second                       // one four-letter word, question and answer
	logTailBytes   = 8 << 10                               // of the server's log, shown when a test failed
	containerCheck = "znode.container.checkIntervalMs=500" // sweep of empty containers and outlived TTL nodes
)

// Server is one server process with its port, configuration, data and log, all of which outlive a restart.
type Server struct {
	t       *testing.T
	door    door
	port    int    // of the server itself
	config  string // path of zoo.cfg
	log     *os.File
	command []string
	process *exec.Cmd
	exited  chan struct{} // closed when process is gone
}

// New starts a server of the named kind with an empty data directory and returns when it serves. It is killed when the test ends.
// Its configuration is that of all servers, and the lines.
func New(t *testing.T, kind string, lines ...string) *Server {
	t.Helper()
	directory := t.TempDir()
	s := &Server{t: t, port: FreePort(t), config: filepath.Join(directory, "zoo.cfg")}
	for s.door.server = loopback(s.port); s.door.address == "" || s.door.address == s.door.server; {
		s.door.address = loopback(FreePort(t))
	}
	data := filepath.Join(directory, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.config, []byte(configuration(data, s.port)+strings.Join(append(lines, ""), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.log, err = os.Create(filepath.Join(directory, "server.log")); err != nil {
		t.Fatal(err)
	}
	s.command = kinds[kind](t, s)
	t.Cleanup(s.end)
	s.must(s.Start())
	return s
}

// configuration returns the zoo.cfg that every target is given. Short ticks make sessions expire soon after their timeout; the
// timeout itself is each client's to ask for.
func configuration(data string, port int) string {
	return fmt.Sprintf(`tickTime=500
dataDir=%s
clientPort=%d
clientPortAddress=127.0.0.1
minSessionTimeout=1000
maxSessionTimeout=60000
maxClientCnxns=0
admin.enableServer=false
grpcPort=0
4lw.commands.whitelist=*
extendedTypesEnabled=true
%s
`, data, port, containerCheck)
}

// Addr returns the host:port that clients dial. It stays the same, and refuses connections while the server is not serving.
func (s *Server) Addr() string { return s.door.address }

// Start starts the stopped server on its port and data, and returns when it serves.
func (s *Server) Start() error {
	if s.process != nil {
		return fmt.Errorf("start server: it runs as process %d", s.process.Process.Pid)
	}
	process := exec.Command(s.command[0], s.command[1:]...)
	process.Dir = filepath.Dir(s.config)
	process.Stdout, process.Stderr = s.log, s.log
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	exited := make(chan struct{})
	go func() { // ends with the process, which end() kills and waits for
		defer close(exited)
		_ = process.Wait()
	}()
	s.process, s.exited = process, exited
	for deadline := time.Now().Add(startDeadline); ; {
		answer, err := s.Word("srvr")
		if err == nil && strings.Contains(answer, "Mode: ") {
			return s.door.open()
		}
		select {
		case <-exited:
			s.process = nil
			return fmt.Errorf("start server: it ended (%v) before it served", process.ProcessState)
		case <-time.After(pollInterval):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("start server: not serving after %v: %q, %v", startDeadline, answer, err)
		}
	}
}

// Stop asks the server to shut down and returns when it is gone.
func (s *Server) Stop() error { return s.signal(syscall.SIGTERM) }

// Kill ends the server as a crash would and returns when it is gone.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// Restart stops the server and starts it again on the same port and data.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start()
}

// Word sends one four-letter word to the server and returns its answer.
func (s *Server) Word(word string) (string, error) {
	connection, err := net.DialTimeout("tcp", s.door.server, wordDeadline)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(wordDeadline)); err != nil {
		return "", err
	}
	if _, err := connection.Write([]byte(word)); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(connection)
	return string(answer), err
}

func (s *Server) signal(signal syscall.Signal) error {
	if s.process == nil {
		return fmt.Errorf("send %v to the server: it does not run", signal)
	}
	s.door.bar()
	if err := s.process.Process.Signal(signal); err != nil {
		return fmt.Errorf("send %v to the server: %w", signal, err)
	}
	select {
	case <-s.exited:
		s.process = nil
		s.door.clear()
		return nil
	case <-time.After(stopDeadline):
		return fmt.Errorf("server still runs %v after %v", stopDeadline, signal)
	}
}

// end kills what still runs when the test is over, and shows the end of the server's log if the test failed.
func (s *Server) end() {
	s.door.bar()
	if s.process != nil {
		_ = s.process.Process.Kill()
		<-s.exited
	}
	s.door.clear()
	if s.t.Failed() {
		s.t.Logf("end of the server's log:\n%s", tail(s.log, logTailBytes))
	}
	_ = s.log.Close()
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
