//go:build bench

package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/freeport"
)

// javaLibraries is where Debian's packages put the jars.
const javaLibraries = "/usr/share/java"

// javaJars is the shortest class path that a standalone ZooKeeper 3.8.0 starts with.
var javaJars = []string{"zookeeper.jar", "zookeeper-jute.jar", "slf4j-api.jar", "slf4j-simple.jar", "netty-common.jar",
	"netty-handler.jar", "netty-transport.jar", "netty-buffer.jar", "snappy-java.jar", "metrics-core.jar"}

// kind is what a server is: java, etcd, or the path of a Paddock binary.
type kind string

const (
	java kind = "java"
	etcd kind = "etcd"
)

// String is the kind as tables name it.
func (k kind) String() string {
	switch k {
	case java:
		return "ZooKeeper"
	case etcd:
		return "etcd"
	}
	name := filepath.Base(string(k))
	if name == "paddock" {
		return "Paddock"
	}
	return name
}

// startTimeout bounds a start, a million znodes in Java included.
const startTimeout = 2 * time.Minute

// server is one server under test, in its own directory.
type server struct {
	kind      kind
	dir       string
	addr      string   // of the client port
	grpc      string   // of the gRPC port; "" if it is closed, as it always is in ZooKeeper
	http      string   // of the HTTP port; likewise
	snapCount int      // 0 for the default
	member    []string // lines of the configuration that make it a member of an ensemble
	cmd       *exec.Cmd
	log       *os.File
}

// newServer makes a server that is not started. It ends with the test.
func newServer(t *testing.T, k kind, dir string, snapCount int) *server {
	t.Helper()
	s := &server{kind: k, dir: dir, addr: fmt.Sprint("127.0.0.1:", freeport.Take(t)), snapCount: snapCount}
	if err := os.MkdirAll(s.data(), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })
	return s
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// command is the command line: both servers with their defaults, save that they log warnings only, that connections
// are not limited, and that no other door is open but those that are given an address.
func (s *server) command() (*exec.Cmd, error) {
	port := portOf(s.addr)
	switch s.kind {
	case etcd:
		return s.etcdCommand()
	case java:
	default:
		args := []string{"serve", "--log-level", "warn", "dataDir=" + s.data(), "clientPort=" + port, "clientPortAddress=127.0.0.1",
			"httpPort=" + portOf(s.http), "grpcPort=" + portOf(s.grpc), "maxClientCnxns=0"}
		if s.snapCount > 0 {
			args = append(args, fmt.Sprint("snapCount=", s.snapCount))
		}
		args = append(args, s.member...)
		return exec.Command(string(s.kind), append(args, strings.Fields(os.Getenv("PADDOCK_ARGS"))...)...), nil
	}
	cfg := filepath.Join(s.dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=3000\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n",
		s.data(), port) + strings.Join(s.member, "\n") + "\n"
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		return nil, err
	}
	jars := make([]string, len(javaJars))
	for i, j := range javaJars {
		jars[i] = filepath.Join(javaLibraries, j)
		if _, err := os.Stat(jars[i]); err != nil {
			return nil, fmt.Errorf("%w: install it with `apt-get install zookeeper`", err)
		}
	}
	args := []string{"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", strings.Join(jars, ":")}
	if s.snapCount > 0 {
		args = append(args, fmt.Sprint("-Dzookeeper.snapCount=", s.snapCount))
	}
	return exec.Command("java", append(args, "org.apache.zookeeper.server.quorum.QuorumPeerMain", cfg)...), nil
}

// portOf is the port of host:port, 0 of "".
func portOf(addr string) string {
	if _, port, err := net.SplitHostPort(addr); err == nil {
		return port
	}
	return "0"
}

// etcdCommand is the command line of etcd: a single member with its defaults, which sync every write. gRPC and HTTP have a port each, so
// that it need not find out of every connection which of the two it is.
func (s *server) etcdCommand() (*exec.Cmd, error) {
	bin := os.Getenv("ETCD_BIN")
	if bin == "" {
		build := exec.Command("./etcd.sh")
		build.Stderr = os.Stderr
		out, err := build.Output()
		if err != nil {
			return nil, fmt.Errorf("build etcd by test/bench/etcd.sh: %w; or name a binary by ETCD_BIN", err)
		}
		bin = strings.TrimSpace(string(out))
	}
	peer := "http://" + s.addr
	return exec.Command(bin, "--name=bench", "--data-dir="+s.data(), "--log-level=warn",
		"--listen-client-urls=http://"+s.grpc, "--listen-client-http-urls=http://"+s.http, "--advertise-client-urls=http://"+s.grpc,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=bench="+peer), nil
}

// start runs the server and returns how long it took until it answered `srvr` as a serving server.
func (s *server) start() (time.Duration, error) {
	began := time.Now()
	if err := s.launch(); err != nil {
		return 0, err
	}
	err := s.await()
	return time.Since(began), err
}

// launch runs the server.
func (s *server) launch() error {
	cmd, err := s.command()
	if err != nil {
		return err
	}
	if s.log, err = os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.log.Close()
		return fmt.Errorf("start %v: %w", s.kind, err)
	}
	s.cmd = cmd
	return nil
}

// await waits until the server serves.
func (s *server) await() error {
	for began := time.Now(); !s.serving(); {
		if time.Since(began) > startTimeout {
			s.stop(syscall.SIGKILL)
			return fmt.Errorf("%v does not serve on %s after %v; its log ends:\n%s", s.kind, s.addr, startTimeout, s.logTail())
		}
		<-time.After(500 * time.Microsecond) // between two polls of a port that is about to open
	}
	return nil
}

// serving asks once. A word that arrives while Java is still starting may never be answered.
func (s *server) serving() bool {
	if s.kind == etcd {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/health", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := io.WriteString(c, "srvr"); err != nil {
		return false
	}
	b, err := io.ReadAll(c)
	return err == nil && bytes.Contains(b, []byte("Mode: "))
}

// pid is the process id, while it runs.
func (s *server) pid() int { return s.cmd.Process.Pid }

// pause keeps the server from running until resume is called, so that it takes nothing from the other.
func (s *server) pause()  { s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) resume() { s.cmd.Process.Signal(syscall.SIGCONT) }

// stop ends the process with sig and waits for it; after a minute it is killed.
func (s *server) stop(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	s.resume()
	s.cmd.Process.Signal(sig)
	kill := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
	s.cmd.Wait() // ended by our signal
	kill.Stop()
	s.log.Close()
	s.cmd = nil
}

// logTail returns the end of the server's log, for failure reports.
func (s *server) logTail() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

// residentBytes is VmRSS of the process.
func (s *server) residentBytes() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS in /proc/%d/status", s.pid())
}
