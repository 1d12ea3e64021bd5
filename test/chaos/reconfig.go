//go:build chaos

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/freeport"
	"paddock/internal/jute"
	"paddock/internal/zk"
)

// elastic is an ensemble that grows and shrinks: members[i] has id i+1, and lines[i] is its line.
type elastic struct {
	*ensemble
	t     *testing.T
	extra []string
	lines []string
}

// elasticLines are what the members of an elastic ensemble have in common.
var elasticLines = []string{"tickTime=500", "initLimit=20", "syncLimit=10", "reconfigEnabled=true", "standaloneEnabled=false", "maxSessionTimeout=120000"}

// newElastic describes an ensemble without members. All end with the test.
func newElastic(t *testing.T, extra ...string) *elastic {
	t.Helper()
	e := &elastic{t: t, ensemble: &ensemble{}, extra: append(append([]string{}, elasticLines...), extra...)}
	t.TempDir() // whose removal comes after what follows
	t.Cleanup(func() {
		for i, p := range e.members {
			p.end()
			if t.Failed() {
				t.Logf("server %d, %s:\n%s", i+1, p.kind, p.logTail())
			}
		}
	})
	return e
}

// add describes one more server, in a role. Its own file lists the members that were added before it, as far as they run,
// and itself: it is started, but not a member of the others' configuration.
func (e *elastic) add(kind, role string) *process {
	e.t.Helper()
	dir := e.t.TempDir()
	p, err := newProcess(kind, filepath.Join(dir, "data"), dir)
	if err != nil {
		e.t.Fatal(err)
	}
	var ports [2]int
	for j := range ports {
		if ports[j], err = freeport.Find(); err != nil {
			e.t.Fatal(err)
		}
	}
	id := len(e.members) + 1
	e.lines = append(e.lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d:%s;127.0.0.1:%d", id, ports[0], ports[1], role, p.port))
	if err := errors.Join(os.MkdirAll(p.data, 0o755), os.WriteFile(filepath.Join(p.data, "myid"), fmt.Appendln(nil, id), 0o644)); err != nil {
		e.t.Fatal(err)
	}
	p.extra, p.keep = append([]string{}, e.extra...), true
	for i, m := range e.members {
		if m.cmd != nil && m.alive() {
			p.extra = append(p.extra, e.lines[i])
		}
	}
	p.extra = append(p.extra, e.lines[id-1])
	e.members = append(e.members, p)
	return p
}

// start describes and starts the first members of an ensemble: their files list them all.
func (e *elastic) start(kinds ...string) {
	e.t.Helper()
	for _, kind := range kinds {
		e.add(kind, "participant")
	}
	for _, p := range e.members {
		p.extra = append(append([]string{}, e.extra...), e.lines...)
	}
	e.launch(e.t)
	e.await(e.t)
}

// join starts one more server, which is no member yet.
func (e *elastic) join(kind, role string) int {
	e.t.Helper()
	p := e.add(kind, role)
	if err := p.launch(); err != nil {
		e.t.Fatal(err)
	}
	if err := p.await(""); err != nil {
		e.t.Fatal(err)
	}
	return len(e.members)
}

// reconfigure asks for a change of the configuration through a server until it is made. A change for which too few of the
// servers are synchronised yet is asked for again.
func (e *elastic) reconfigure(by *process, m zk.Members) string {
	e.t.Helper()
	m.Version = -1
	for _, s := range []*string{&m.Joining, &m.Leaving, &m.Whole} {
		if *s == "" {
			*s = jute.Null()
		}
	}
	var last any
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		c, err := dialSuper(by.addr())
		if err != nil {
			last = err
			continue
		}
		r, err := c.Do(&zk.Request{Op: zk.OpReconfig, Members: &m})
		c.Abandon()
		switch {
		case err != nil:
			last = err
		case r.Err == zk.OK:
			return string(r.Data)
		case r.Err == zk.NewConfigNoQuorum || r.Err == zk.ReconfigInProgress:
			last = r.Err
		default:
			e.t.Fatalf("reconfig %+v: %v", m, r.Err)
		}
	}
	e.t.Fatalf("reconfig %+v: %v", m, last)
	return ""
}

// configured waits until every running server shows a configuration of just these ids, all the same one, and serves.
func (e *elastic) configured(ids ...int) string {
	e.t.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, fmt.Sprintf("server.%d=", id))
	}
	var last []string
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		last = nil
		good := true
		for i, p := range e.members {
			if p.cmd == nil || !p.alive() {
				continue
			}
			text, err := configOf(p)
			if err != nil {
				text = err.Error()
			}
			last = append(last, fmt.Sprintf("%d (%s): %s", i+1, p.mode(), text))
			if good = good && err == nil && strings.Count(text, "server.") == len(want) && (len(last) == 1 || text == strings.SplitN(last[0], ": ", 2)[1]); good {
				for _, w := range want {
					good = good && strings.Contains(text, w)
				}
			}
		}
		if good {
			return strings.SplitN(last[0], ": ", 2)[1]
		}
	}
	e.t.Fatalf("the servers do not come to have a configuration of %v:\n%s", ids, strings.Join(last, "\n"))
	return ""
}

// configOf is what a server shows of its configuration.
func configOf(p *process) (string, error) {
	ctx, cancel := contextFor(time.Second)
	defer cancel()
	c, err := client.Dial(ctx, p.addr(), client.Options{})
	if err != nil {
		return "", err
	}
	defer c.Abandon()
	r, err := c.Do(&zk.Request{Op: zk.OpGetData, Path: zk.ConfigPath})
	if err != nil || r.Err != zk.OK {
		return "", fmt.Errorf("%v, %w", r, err)
	}
	return string(r.Data), nil
}

// leave ends a server that is no member any more.
func (e *elastic) leave(id int) {
	e.t.Helper()
	if _, err := e.members[id-1].signal(15); err != nil {
		e.t.Fatal(err)
	}
}

const (
	zkCli  = "/usr/share/zookeeper/bin/zkCli.sh"
	python = "/usr/bin/python3" // Debian's, for which python3-kazoo is installed
)

// shell has zkCli.sh carry out commands as the super user, and returns what it printed.
func shell(t *testing.T, addr string, commands ...string) string {
	t.Helper()
	cmd := exec.Command(zkCli, "-server", addr)
	cmd.Env = append(os.Environ(), "JVMFLAGS=-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1")
	cmd.Stdin = strings.NewReader("addauth digest " + superUser + "\n" + strings.Join(commands, "\n") + "\nquit\n")
	return output(t, cmd)
}

// readOnlyShell is zkCli.sh for a server without a quorum.
func readOnlyShell(addr string, commands ...string) *exec.Cmd {
	cmd := exec.Command(zkCli, "-server", addr, "-r")
	cmd.Env = append(os.Environ(), "JVMFLAGS=-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\nquit\n")
	return cmd
}

// kazoo runs a Python program that finds a client zk, connected as the super user.
func kazoo(t *testing.T, addr, program string) string {
	t.Helper()
	begin := "from kazoo.client import KazooClient\nzk = KazooClient('" + addr + "', auth_data=[('digest', '" + superUser + "')])\nzk.start()\n"
	return output(t, exec.Command(python, "-c", begin+program+"\nzk.stop()\n"))
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: install it with test/interop/install.sh", err)
	}
	stop := time.AfterFunc(startDeadline, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have gone by itself
	defer stop.Stop()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out.String())
	}
	return out.String()
}
