//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/freeport"
	"paddock/internal/zk"
)

// ensemble is some servers that are members of one.
type ensemble struct{ members []*process }

// assemble describes an ensemble with a server of each kind, whose ids are 1, 2, 3, … in that order. None is started.
// They end with the test. A kind may have a role, as in "java:observer".
func assemble(t *testing.T, kinds []string, extra ...string) *ensemble {
	t.Helper()
	e := &ensemble{}
	lines := append([]string{"tickTime=500", "initLimit=20", "syncLimit=10"}, extra...)
	for i, kind := range kinds {
		kind, role, _ := strings.Cut(kind, ":")
		dir := t.TempDir()
		p, err := newProcess(kind, filepath.Join(dir, "data"), dir)
		if err != nil {
			t.Fatal(err)
		}
		var ports [2]int
		for j := range ports {
			if ports[j], err = freeport.Find(); err != nil {
				t.Fatal(err)
			}
		}
		line := fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, ports[0], ports[1])
		if role != "" {
			line += ":" + role
		}
		lines = append(lines, line)
		if err := errors.Join(os.MkdirAll(p.data, 0o755), os.WriteFile(filepath.Join(p.data, "myid"), fmt.Appendln(nil, i+1), 0o644)); err != nil {
			t.Fatal(err)
		}
		e.members = append(e.members, p)
	}
	for _, p := range e.members {
		p.extra = lines
	}
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

// launch starts all that do not run.
func (e *ensemble) launch(t *testing.T) {
	t.Helper()
	for _, p := range e.members {
		if p.cmd == nil || !p.alive() {
			if err := p.launch(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// await returns once all that run serve.
func (e *ensemble) await(t *testing.T) {
	t.Helper()
	for _, p := range e.running() {
		if err := p.await(""); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *ensemble) running() []*process {
	return slices.DeleteFunc(slices.Clone(e.members), func(p *process) bool { return p.cmd == nil || !p.alive() })
}

// leader is the member that leads.
func (e *ensemble) leader(t *testing.T) *process {
	t.Helper()
	for _, p := range e.running() {
		if p.mode() == "leader" {
			return p
		}
	}
	t.Fatal("nobody leads")
	return nil
}

// addrs are the client addresses of all members.
func (e *ensemble) addrs() (list []string) {
	for _, p := range e.members {
		list = append(list, p.addr())
	}
	return list
}

// agree fails the test unless all running members come to show the same: each is asked after a sync.
func (e *ensemble) agree(t *testing.T) *image {
	t.Helper()
	var first *image
	for deadline := time.Now().Add(startDeadline); ; time.Sleep(20 * time.Millisecond) {
		diffs, err := e.compare(&first)
		if err == nil && len(diffs) == 0 {
			return first
		}
		if time.Now().After(deadline) {
			t.Fatalf("servers differ: %v\n%s", err, strings.Join(diffs, "\n"))
		}
	}
}

// catchUp makes every running member show all that any of them was asked before.
func (e *ensemble) catchUp() error {
	deadline := time.Now().Add(startDeadline)
	for _, p := range e.running() {
		for {
			err := p.catchUp()
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return err
			}
			<-time.After(pollEvery) // a busy machine may cost the leader its role
		}
	}
	return nil
}

func (p *process) catchUp() error {
	c, err := dialSuper(p.addr())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	r, err := c.Do(&zk.Request{Op: zk.OpSync, Path: "/"})
	if err == nil && r.Err != zk.OK {
		err = errors.New(r.Err.String())
	}
	if err != nil {
		return fmt.Errorf("sync with %s: %w", p.addr(), err)
	}
	return nil
}

func (e *ensemble) compare(first **image) (diffs []string, err error) {
	*first = nil
	for i, p := range e.running() {
		c, err := dialSuper(p.addr())
		if err != nil {
			return nil, fmt.Errorf("server %d: %w", i+1, err)
		}
		if _, err := c.Do(&zk.Request{Op: zk.OpSync, Path: "/"}); err != nil {
			return nil, fmt.Errorf("server %d: sync: %w", i+1, err)
		}
		znodes, err := walk(c)
		c.Close() //nolint:errcheck // nothing depends on it
		if err != nil {
			return nil, fmt.Errorf("server %d: %w", i+1, err)
		}
		delete(znodes, zk.ConfigPath) // each member writes it by itself, with the time of day
		now := &image{Znodes: znodes}
		if *first == nil {
			*first = now
			continue
		}
		for _, d := range differences(*first, now) {
			diffs = append(diffs, fmt.Sprintf("server 1 and %d: %s", i+1, d))
		}
	}
	return diffs, nil
}
