//go:build apps

package curator

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/test/apps/ensemble"
)

// deadline is how long all cases together may take, on a busy machine.
const deadline = 10 * time.Minute

func TestCurator(t *testing.T) {
	path, err := filepath.Abs("../../../bin/apps/curator")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(filepath.Join(path, "curator-recipes-*.jar")); err != nil || len(found) == 0 {
		t.Fatalf("no jars in %s (%v); test/apps/curator/install.sh installs them", path, err)
	}
	sources, err := filepath.Glob("java/*.java")
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	classPath := classes + ":" + path + "/*"
	compile := exec.Command("javac", append([]string{"-Xlint:-options", "-proc:none", "-d", classes, "-cp", classPath}, sources...)...)
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", compile, err, out)
	}
	for _, socket := range []string{"NIO", "Netty"} {
		t.Run(socket, func(t *testing.T) {
			ensemble.Each(t, func(t *testing.T, e *ensemble.Ensemble) {
				play(t, e, exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
					"-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocket"+socket, "-cp", classPath, "Suite", e.Addresses()))
			})
		})
	}
}

// play runs the program, whose lines on its standard output are what its cases come to, or what it wants to be done to the servers.
func play(t *testing.T, e *ensemble.Ensemble, cmd *exec.Cmd) {
	t.Helper()
	var errors strings.Builder
	cmd.Stderr, cmd.SysProcAttr = &errors, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopwatch := time.AfterFunc(deadline, func() { _ = cmd.Process.Kill() })
	defer stopwatch.Stop()
	cases := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "pass":
			cases++
			t.Log(rest)
		case "fail":
			cases++
			t.Error(rest)
		case "server":
			serve(t, e, rest)
			if _, err := fmt.Fprintln(in, "done"); err != nil {
				t.Error(err)
			}
		default:
			t.Log(lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended: %v", err)
	}
	if cases == 0 {
		t.Error("there was no case")
	}
	if t.Failed() {
		text := errors.String()
		t.Logf("end of its standard error:\n%s", text[max(0, len(text)-8<<10):])
	}
}

// serve does to the servers what the program wants.
func serve(t *testing.T, e *ensemble.Ensemble, what string) {
	t.Helper()
	switch what {
	case "restart": // of all, in turn
		for _, s := range e.Servers {
			e.Restart(s)
			e.Leader()
		}
	case "kill": // of the leader, who comes back
		leader := e.Leader()
		leader.Kill()
		e.Leader()
		leader.Launch()
		leader.Await()
	default:
		t.Errorf("servers cannot %q", what)
	}
}
