package rig

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paddock/client"
	"paddock/internal/freeport"
)

// startTimeout is how long a server may take until it serves.
const startTimeout = 60 * time.Second

// Server is a running server.
type Server struct {
	Jute, GRPC, HTTP string // host:port
	Dir              string

	args []string // the program is the first
	cmd  *exec.Cmd
	log  journal
	over chan error
}

// journal is what a server logs.
type journal struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

// Log is what the server has logged.
func (s *Server) Log() string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.buf.String()
}

// Binary is the program under test; the test fails if PADDOCK_BIN names none.
func Binary(t testing.TB) string {
	t.Helper()
	bin := os.Getenv("PADDOCK_BIN")
	if bin == "" {
		t.Fatal("PADDOCK_BIN must name the binary to test; make build makes bin/paddock")
	}
	return bin
}

// Start runs a server on its own, with further settings as key=value.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := prepare(t, t.TempDir(), settings...)
	s.Run(t)
	s.Ready(t)
	return s
}

// Ensemble runs n servers that form one, with further settings as key=value.
func Ensemble(t testing.TB, n int, settings ...string) []*Server {
	t.Helper()
	list, _ := members(t, n, settings...)
	for _, s := range list {
		s.Run(t)
	}
	for _, s := range list {
		s.Ready(t)
	}
	return list
}

// members are n servers that form an ensemble once they run, and the settings that say so.
func members(t testing.TB, n int, settings ...string) (list []*Server, common []string) {
	t.Helper()
	ports := freeport.TakeSeveral(t, 2*n)
	common = []string{"initLimit=20", "syncLimit=10", "standaloneEnabled=false"}
	for i := range n {
		common = append(common, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, ports[2*i], ports[2*i+1]))
	}
	for i := range n {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "myid"), fmt.Appendln(nil, i+1), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, prepare(t, dir, slices.Concat(common, settings)...))
	}
	return list, common
}

func prepare(t testing.TB, dir string, settings ...string) *Server {
	ports := freeport.TakeSeveral(t, 3)
	s := &Server{Dir: dir}
	for i, addr := range []*string{&s.Jute, &s.GRPC, &s.HTTP} {
		*addr = fmt.Sprintf("127.0.0.1:%d", ports[i])
	}
	s.args = append([]string{
		Binary(t), "serve", "dataDir=" + dir, fmt.Sprint("clientPort=", ports[0]), "clientPortAddress=127.0.0.1", fmt.Sprint("grpcPort=", ports[1]), fmt.Sprint("httpPort=", ports[2]),
		"4lw.commands.whitelist=*", "admin.enableServer=true", "maxClientCnxns=0", "extendedTypesEnabled=true",
	}, settings...)
	return s
}

// Run starts the process, which must not run.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	s.over = over
	cmd := s.cmd
	go func() { over <- cmd.Wait() }() // ends with the process
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", s.GRPC, tail(s.Log()))
		}
	})
}

func tail(text string) string {
	const most = 4 << 10
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// Kill ends the process at once, if it runs.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop has the process end in good order, if it runs.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended
	<-s.over
	s.cmd = nil
}

// PID is the id of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Signal sends a signal, such as SIGSTOP.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

// Ready waits until the server serves.
func (s *Server) Ready(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		select {
		case err := <-s.over:
			s.over <- err
			t.Fatalf("the server has ended: %v\n%s", err, tail(s.Log()))
		case <-time.After(20 * time.Millisecond):
		}
		response, err := http.Get("http://" + s.HTTP + "/readyz")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatalf("the server does not serve after %v\n%s", startTimeout, tail(s.Log()))
}

// Client is a client of servers, closed with the test.
func Client(t testing.TB, o client.Options, servers ...*Server) *client.Client {
	t.Helper()
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.GRPC)
	}
	c, err := client.Dial(addrs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Session is a session of c, closed with the test.
func Session(t testing.TB, c *client.Client, timeout time.Duration) *client.Session {
	t.Helper()
	s, err := c.OpenSession(t.Context(), timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) }) // the server may be gone
	return s
}

// Need fails the test unless a program is there, saying how to get it.
func Need(t testing.TB, program, remedy string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%v; %s", err, remedy)
	}
	return path
}

// Lines are those of a text, without empty ones.
func Lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}
