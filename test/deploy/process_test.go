package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// root is the checkout, seen from here.
const root = "../.."

// patience bounds how long a process may take to do what it was started for.
const patience = 30 * time.Second

// memberBinary is paddock-member, built by TestMain.
var memberBinary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "paddock-deploy-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	memberBinary = filepath.Join(dir, "paddock-member")
	build := exec.Command("go", "build", "-trimpath", "-o", memberBinary, "./deploy/member")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	code := 1
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build paddock-member: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// paddockBinary is the server under test.
func paddockBinary(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("PADDOCK_BIN")
	if binary == "" {
		binary = filepath.Join(root, "bin/paddock")
	}
	binary, err := filepath.Abs(binary)
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		t.Fatalf("no paddock binary (%v): run `make build`, or set PADDOCK_BIN to its path", err)
	}
	return binary
}

// tool is a program of another project.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: apt-get install --no-install-recommends %s", err, debian)
	}
	return path
}

// play runs a command to its end and returns its exit code and what it printed.
func play(t *testing.T, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.ExitCode(), string(out)
	} else if err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return 0, string(out)
}

// mustPlay is play for a command that has to succeed.
func mustPlay(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	code, out := play(t, cmd)
	if code != 0 {
		t.Fatalf("%v: exit code %d\n%s", cmd.Args, code, out)
	}
	return out
}

// process is a server that runs until the test ends, or stop.
type process struct {
	cmd    *exec.Cmd
	out    bytes.Buffer
	exited chan struct{}
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	go func() { // ends with the process, which Cleanup sees to
		cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("%v:\n%s", cmd.Args, &p.out)
		}
	})
	return p
}

// stop asks the server to end and returns its exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the server does not stop")
		return -1
	}
}

// until polls until ok, the process has ended, or patience is over.
func (p *process) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-p.exited:
			t.Fatalf("%s: the server ended", what)
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// get asks HOST:PORT for a path over HTTP; 0 means no answer.
func get(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// word asks a four-letter word; "" means no answer.
func word(host string, port int, word string) string {
	nc, err := net.DialTimeout("tcp", net.JoinHostPort(host, strconv.Itoa(port)), 5*time.Second)
	if err != nil {
		return ""
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(nc, word)
	out, _ := io.ReadAll(nc) // a part of an answer is one that the caller does not find what it needs in
	return string(out)
}

// Ports that are given to servers are below those that Linux gives to outgoing connections.
const (
	portFirst = 12000
	portCount = 20000
)

// given counts them, so that none is given twice. It begins somewhere else in each process.
var given atomic.Uint32

func init() { given.Store(rand.Uint32N(portCount)) }

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := portFirst + int(given.Add(1)%portCount)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// text is a file of the checkout.
func text(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// accepted gives a configuration to the binary, its data directory being dir and its id 1: it must find nothing wrong.
func accepted(t *testing.T, config, dir string) {
	t.Helper()
	name := filepath.Join(dir, "accepted.cfg")
	write(t, name, config)
	write(t, filepath.Join(dir, "data/myid"), "1\n")
	const notRunning = 1 // a configuration that cannot be read is 2
	code, out := play(t, exec.Command(paddockBinary(t), "status", "--strict", "--config", name))
	if code != notRunning || !strings.Contains(out, "not running") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// with replaces the value of a key of a configuration, which must have it.
func with(t *testing.T, config, key, value string) string {
	t.Helper()
	lines := strings.Split(config, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, key+"=") {
			lines[i] = key + "=" + value
			return strings.Join(lines, "\n")
		}
	}
	t.Fatalf("no line %s= in\n%s", key, config)
	return ""
}

func TestSampleConfigurationsAreAccepted(t *testing.T) {
	for _, name := range []string{"deploy/zoo.cfg", "deploy/zoo.ensemble.cfg", "deploy/compose/zoo.cfg", "deploy/container/zoo.cfg"} {
		t.Run(filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name), func(t *testing.T) {
			dir := t.TempDir()
			accepted(t, with(t, text(t, name), "dataDir", filepath.Join(dir, "data")), dir)
		})
	}
}
