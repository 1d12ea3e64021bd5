//go:build chaos

package chaos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holderDeadline is within what the programs in testdata/migration do what they are told, or say what is wrong.
const holderDeadline = 4 * time.Minute

// holderTimeout is the session timeout of the clients in them, in seconds. It is twice the initLimit that their ensembles have: a
// ZooKeeper that leads and whose follower has given it up, as may happen on a busy machine, notices after that.
const holderTimeout = "20"

// waitersOneIn is how many clients there are to one that waits for another's lock.
const waitersOneIn = 10

// curatorJars is the class path of Holders.java; zookeeper.jar names its own dependencies in its manifest.
var curatorJars = []string{"curator-recipes.jar", "curator-framework.jar", "curator-client.jar", "guava.jar", "zookeeper.jar", "slf4j-simple.jar"}

// holders is a program whose clients hold locks.
type holders struct {
	name  string
	in    io.WriteCloser
	lines chan string // closed when the program ends
	errs  string      // path of what it writes to standard error
}

// newHolders starts clients of a kind, kazoo or Curator, each with a lock, and returns once they hold them. They end with the test.
func newHolders(t *testing.T, kind string, addrs []string, clients int) *holders {
	t.Helper()
	args := []string{strings.Join(addrs, ","), fmt.Sprint(clients), holderTimeout}
	var cmd *exec.Cmd
	if kind == kazooHolders {
		cmd = exec.Command("/usr/bin/python3", append([]string{"-B", "-s", "-E", "testdata/migration/holders.py"}, args...)...)
	} else {
		path := compileCurator(t, "testdata/migration/Holders.java")
		cmd = exec.Command("java", append([]string{"-Xmx384m", "-Xss256k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", path, "Holders"}, args...)...)
	}
	h := &holders{name: kind, lines: make(chan string, 1000), errs: filepath.Join(t.TempDir(), kind+".err")}
	errs, err := os.Create(h.errs)
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	cmd.Stderr = errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: install it with test/interop/install.sh", err)
	}
	go func() { // ends with the program
		defer close(h.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			h.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have gone by itself
		for range h.lines {
		}
		cmd.Wait() //nolint:errcheck // killed
	})
	if err := h.until("ready"); err != nil {
		t.Fatal(err)
	}
	return h
}

// The kinds of holders.
const (
	kazooHolders   = "kazoo"
	curatorHolders = "curator"
)

// do tells the program what to do and returns what is wrong.
func (h *holders) do(command, answer string) error {
	if _, err := fmt.Fprintln(h.in, command); err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	return h.until(answer)
}

// until waits for an answer.
func (h *holders) until(answer string) error {
	var bad []error
	for deadline := time.After(holderDeadline); ; {
		select {
		case line, ok := <-h.lines:
			switch {
			case !ok:
				text, _ := os.ReadFile(h.errs)
				return errors.Join(append(bad, fmt.Errorf("%s ended before it was %s:\n%s", h.name, answer, tail(text)))...)
			case line == answer:
				return errors.Join(bad...)
			default:
				bad = append(bad, fmt.Errorf("%s: %s", h.name, line))
			}
		case <-deadline:
			return errors.Join(append(bad, fmt.Errorf("%s is not %s after %v", h.name, answer, holderDeadline))...)
		}
	}
}

func tail(text []byte) string { return string(text[max(0, len(text)-4000):]) }

// compileCurator returns the class path with a program that uses Curator.
func compileCurator(t *testing.T, source string) string {
	t.Helper()
	path := []string{t.TempDir()}
	for _, j := range curatorJars {
		path = append(path, filepath.Join(javaLibraries, j))
	}
	javac := exec.Command("javac", "-Xlint:-options", "-proc:none", "-d", path[0], "-cp", strings.Join(path, ":"), source)
	if out, err := javac.CombinedOutput(); err != nil {
		t.Fatalf("%v: install Curator with test/interop/install.sh\n%s", err, out)
	}
	return strings.Join(path, ":")
}
