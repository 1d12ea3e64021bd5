package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paddock/internal/freeport"
	"paddock/server/grpcapi"
)

// asMain has a process of the tests be that of the command line.
const asMain = "PADDOCK_TEST_MAIN=yes"

func TestMain(m *testing.M) {
	if slices.Contains(os.Environ(), asMain) {
		main()
	}
	goleak.VerifyTestMain(m)
}

// process is the command line as a process of its own.
func process(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asMain)
	return c
}

const patience = 20 * time.Second

// lines is a standard error that tells when something has been written.
type lines struct {
	mu   sync.Mutex // guards the fields below
	text bytes.Buffer
	more chan struct{} // closed at the next write
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) has(text string) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text), l.more
}

// zooCfg writes a configuration and returns its path.
func zooCfg(t *testing.T, dir string, client, grpc int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zoo.cfg")
	text := fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\ngrpcPort=%d\nhttpPort=0\ntickTime=2000\n", dir, client, grpc)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serving runs paddock serve until stop is called, which returns the exit code.
func serving(t *testing.T, args ...string) (errs *lines, stop func() int) {
	t.Helper()
	return saying(t, `"message":"serving"`, args...)
}

// saying is serving, but returns once a line of the log has text in it.
func saying(t *testing.T, text string, args ...string) (errs *lines, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	errs = &lines{more: make(chan struct{})}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, append([]string{"serve"}, args...), &bytes.Buffer{}, errs) }()
	stopped := false
	stop = func() int {
		stopped = true
		cancel()
		select {
		case code := <-ended:
			return code
		case <-time.After(patience):
			t.Fatal("the server does not stop")
			return -1
		}
	}
	t.Cleanup(func() {
		if !stopped {
			stop()
		}
	})
	if code, over := await(t, errs, text, ended); over {
		stopped = true
		t.Fatalf("exit code %d: %s", code, errs.text.String())
	}
	return errs, stop
}

// await waits until a server has said text, unless it ends before: then over is true, and end says how.
func await[T any](t *testing.T, errs *lines, text string, ended <-chan T) (end T, over bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		ok, more := errs.has(text)
		if ok {
			return end, false
		}
		select {
		case <-more:
		case end = <-ended:
			return end, true
		case <-deadline:
			t.Fatalf("the server does not serve: %s", errs.text.String())
		}
	}
}

func TestServeAndStatus(t *testing.T) {
	dir, free := t.TempDir(), freeport.TakeSeveral(t, 2)
	cfg := zooCfg(t, dir, free[0], free[1])
	errs, stop := serving(t, "--config", cfg, "--log-format", "json")
	grpcAddress := fmt.Sprintf("127.0.0.1:%d", free[1])
	for name, args := range map[string][]string{
		"by its configuration": {"--config", cfg}, "by its directory": {"--data-dir", dir}, "by its gRPC port": {"--address", grpcAddress},
		"with codes": {"--strict", "--config", cfg},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := good(t, append([]string{"status"}, args...)...)
			for _, want := range []string{"State:         serving\n", "Mode: standalone\n", fmt.Sprintf("pid %d, up ", os.Getpid()), "Data:          " + dir + "\n",
				fmt.Sprintf("Clients on:    127.0.0.1:%d\n", free[0]), "Znodes:        4, 0 of them ephemeral, "} {
				if !strings.Contains(out, want) {
					t.Errorf("status does not say %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "Error contacting service") {
				t.Error(out)
			}
		})
	}
	out, _ := good(t, "status", "--json", "--data-dir", dir)
	var st struct{ State, Mode, DataDir string }
	if err := json.Unmarshal([]byte(out), &st); err != nil || st.State != "SERVER_STATE_SERVING" || st.Mode != "SERVER_MODE_STANDALONE" || st.DataDir != dir {
		t.Errorf("%v: %s", err, out)
	}

	code, _, said := paddock(t, "serve", "--config", cfg, "--log-format", "json", "--log-level", "error")
	if code != 3 || strings.Count(said, "\n") != 1 || !strings.Contains(said, fmt.Sprintf("is in use by pid %d", os.Getpid())) {
		t.Errorf("a second server on the same directory: exit code %d: %s", code, said)
	}
	if code := stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, errs.text.String())
	}
	for line := range strings.Lines(errs.text.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line that is no JSON: %s", line)
		}
	}
	if ok, _ := errs.has(`"message":"stopped"`); !ok {
		t.Error("the end is not logged")
	}
}

// TestAServerIsFoundByAConfigurationThatIsNoLongerRight: a reconfiguration that removes a server leaves it with files with
// which it would not start again.
func TestAServerIsFoundByAConfigurationThatIsNoLongerRight(t *testing.T) {
	dir, free := t.TempDir(), freeport.TakeSeveral(t, 2)
	cfg := zooCfg(t, dir, free[0], free[1])
	serving(t, "--config", cfg)
	text, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg, append(text, "tickTime=soon\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := good(t, "status", "--config", cfg)
	for _, want := range []string{"State:         serving\n", "Warning:       it would not start again: " + cfg + ":7: tickTime"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	if code, _, said := paddock(t, "transfer", "--config", cfg); code != 1 || !strings.Contains(said, "a server on its own has nobody to lead") {
		t.Errorf("transfer: exit code %d: %s", code, said)
	}
	if out, _ := good(t, "stop", "--config", cfg); !strings.Contains(out, "stopped") {
		t.Error(out)
	}
	if code, _, said := paddock(t, "status", "--config", cfg); code != 2 || !strings.Contains(said, "tickTime") {
		t.Errorf("status of what does not run: exit code %d: %s", code, said)
	}
}

// TestLeadershipMovesToTheServerWithID0, which is an id like any other.
func TestLeadershipMovesToTheServerWithID0(t *testing.T) {
	free := freeport.TakeSeveral(t, 6)
	var members, dirs [2]string
	for id := range members {
		at := free[3*id:]
		members[id] = fmt.Sprintf("server.%d=127.0.0.1:%d:%d;127.0.0.1:%d", id, at[0], at[1], at[2])
	}
	for id := range dirs {
		dirs[id] = t.TempDir()
		cfg := filepath.Join(t.TempDir(), "zoo.cfg")
		text := fmt.Sprintf("dataDir=%s\ngrpcPort=0\nhttpPort=0\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n%s\n%s\n", dirs[id], members[0], members[1])
		if err := errors.Join(os.WriteFile(cfg, []byte(text), 0o600), os.WriteFile(filepath.Join(dirs[id], "myid"), []byte(fmt.Sprint(id)), 0o600)); err != nil {
			t.Fatal(err)
		}
		saying(t, `"message":"listening for servers"`, "--config", cfg, "--log-format", "json")
	}
	for deadline := time.Now().Add(patience); ; {
		code, out, said := paddock(t, "transfer", "--data-dir", dirs[1])
		if code == 0 && out == "server 0 leads\n" {
			return
		}
		starts := strings.Contains(said, "no leader") || strings.Contains(said, "starting") || strings.Contains(said, "is synchronised")
		if !starts || time.Now().After(deadline) {
			t.Fatalf("exit code %d: %s%s", code, out, said)
		}
	}
}

func TestStatusOfWhatDoesNotServe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir, free := t.TempDir(), freeport.TakeSeveral(t, 2)
	idle := zooCfg(t, dir, free[0], free[1])
	other := zooCfg(t, dir, taken.Addr().(*net.TCPAddr).Port, free[1])
	inside := filepath.Join(t.TempDir(), "version-2")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	const java = "Error contacting service. It is probably not running.\n"
	for name, c := range map[string]struct {
		args   []string
		strict int
		says   []string
	}{
		"not running":                  {[]string{"--config", idle}, 1, []string{"not running (no process holds " + dir + "/paddock.lock)\n", java}},
		"a directory there is not":     {[]string{"--data-dir", dir + "/no"}, 1, []string{"not running (no process holds " + dir + "/no/paddock.lock); there is no such directory", java}},
		"the directory inside":         {[]string{"--data-dir", inside}, 1, []string{"not running (no process holds " + inside + "/paddock.lock); the data directory is the one above, " + filepath.Dir(inside), java}},
		"a directory with an odd name": {[]string{"--data-dir", dir + "/\x7f"}, 1, []string{"not running (no process holds " + dir + "/\x7f/paddock.lock)", java}},
		"another program's port":       {[]string{"--config", other}, 6, []string{fmt.Sprintf("belongs to pid %d", os.Getpid()), java}},
		"no answer from a port":        {[]string{"--address", fmt.Sprintf("127.0.0.1:%d", free[1])}, 1, []string{fmt.Sprintf("no answer from 127.0.0.1:%[1]d: dial tcp 127.0.0.1:%[1]d: connect: connection refused\n", free[1]), java}},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "directory") && portTaken(2181) {
				t.Skip("port 2181 is in use")
			}
			code, out, errs := paddock(t, append([]string{"status"}, c.args...)...)
			if code != 1 || errs != "" {
				t.Errorf("exit code %d, standard error %q", code, errs)
			}
			for _, text := range c.says {
				if !strings.Contains(out, text) {
					t.Errorf("%q does not say %q", out, text)
				}
			}
			if code, _, _ := paddock(t, append([]string{"status", "--strict"}, c.args...)...); code != c.strict {
				t.Errorf("exit code %d with --strict, want %d", code, c.strict)
			}
			code, out, _ = paddock(t, append([]string{"status", "--json", "--strict"}, c.args...)...)
			var st struct{ State, Refusal string }
			if err := json.Unmarshal([]byte(out), &st); err != nil || code != c.strict || st.State != "SERVER_STATE_UNSPECIFIED" || !strings.Contains(st.Refusal, strings.TrimSuffix(c.says[0], "\n")) {
				t.Errorf("exit code %d, %v: %s", code, err, out)
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("status left %v in the directory (%v)", entries, err)
	}
}

func portTaken(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return true
	}
	l.Close()
	return false
}

func TestWhyAServerDoesNotServe(t *testing.T) {
	for name, c := range map[string]struct {
		st   grpcapi.Status
		code int
		want string
	}{
		"starting":                    {grpcapi.Status{State: grpcapi.StateStarting, PID: 5}, 4, "running (pid 5), starting"},
		"starting, and how far it is": {grpcapi.Status{State: grpcapi.StateStarting, PID: 5, Refusal: "log: 12"}, 4, "running (pid 5), starting, log: 12"},
		"read-only":                   {grpcapi.Status{State: grpcapi.StateReadOnly, PID: 5}, 5, "running (pid 5), read-only"},
		"stopping":                    {grpcapi.Status{State: grpcapi.StateStopping, PID: 5}, 3, "running (pid 5), stopping"},
		"without a quorum":            {grpcapi.Status{State: grpcapi.StateLooking, PID: 5, Refusal: "2 of 3 are missing"}, 3, "running (pid 5), not serving: 2 of 3 are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			if why, code := reason(&c.st); why != c.want || code != c.code {
				t.Errorf("%d %q, want %d %q", code, why, c.code, c.want)
			}
		})
	}
}

func TestStatusTextHasEveryFigure(t *testing.T) {
	var out bytes.Buffer
	printStatus(&out, &grpcapi.Status{
		State: grpcapi.StateServing, Mode: grpcapi.ModeStandalone, Version: "1.0", PID: 7, Uptime: 90 * time.Second, DataDir: "/d", ClientAddresses: []string{"a:1", "b:2"},
		Zxid: 0x1f, Znodes: 10, Ephemerals: 2, DataBytes: 1536, Connections: 3, Sessions: 4, Watches: 5, Outstanding: 6,
		Latency:  grpcapi.Latency{Min: time.Microsecond, Mean: time.Millisecond, Max: time.Second},
		Storage:  grpcapi.Storage{Snapshots: 3, SnapshotBytes: 10 << 20, Logs: 4, LogBytes: 1 << 10, DiskFreeBytes: 5 << 30, DiskTotalBytes: 2 << 40},
		Warnings: []string{"first", "second"},
	})
	want := `State:         serving
Mode: standalone
Version:       1.0, pid 7, up 1m30s
Data:          /d
Clients on:    a:1, b:2
Zxid:          0x1f
Znodes:        10, 2 of them ephemeral, 1.5 KiB
Clients:       3 connections, 4 sessions, 5 watches, 6 requests outstanding
Latency:       1µs min, 1ms mean, 1s max
Disk:          3 snapshots (10.0 MiB), 4 logs (1.0 KiB), 5.0 GiB of 2.0 TiB free
Warning:       first
Warning:       second
`
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}

func TestSizesAsPeopleReadThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 3 << 29: "1.5 GiB", 1 << 60: "1024.0 PiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
