//go:build chaos

package chaos

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// paddockCommand runs the binary under test on a member's data directory.
func paddockCommand(t *testing.T, p *process, args ...string) (string, error) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin, append(args, "--data-dir", p.data)...).CombinedOutput()
	return string(out), err
}

// TestTransfer moves leadership from server to server under write load, to Java servers too: nothing that was acknowledged is lost.
func TestTransfer(t *testing.T) {
	for _, kinds := range [][]string{{paddock, paddock, paddock}, {paddock, java, paddock}, {java, paddock, java}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds, "tickTime=2000")
			e.launch(t)
			e.await(t)
			w := newWriters(t, e)
			w.start()
			var gaps []time.Duration
			for range 6 {
				if err := w.await(20); err != nil {
					t.Fatal(err)
				}
				leader := slices.Index(e.members, e.leader(t))
				next := (leader + 1) % 3
				if e.members[leader].kind == java { // it knows no such thing
					if err := e.members[leader].kill(); err != nil {
						t.Fatal(err)
					}
					e.launch(t)
					e.await(t)
					continue
				}
				began := time.Now()
				for {
					out, err := paddockCommand(t, e.members[leader], "transfer", "--to", fmt.Sprint(next+1))
					if err == nil && out == fmt.Sprintf("server %d leads\n", next+1) {
						break
					}
					if !strings.Contains(out, "is not synchronised") || time.Since(began) > startDeadline { // it follows since a moment ago
						t.Fatalf("from %d to %d: %v: %s", leader+1, next+1, err, out)
					}
				}
				if err := e.members[next].await("leader"); err != nil {
					t.Fatal(err)
				}
				gaps = append(gaps, time.Since(began))
			}
			if err := w.await(20); err != nil {
				t.Fatal(err)
			}
			w.end()
			e.await(t)
			if err := w.check(e.agree(t)); err != nil {
				t.Error(err)
			}
			t.Logf("moved in %v", gaps)
		})
	}
}

// TestTransferIsRefused where there is nothing to move, or nobody to move it to; the reason is told.
func TestTransferIsRefused(t *testing.T) {
	e := assemble(t, []string{paddock, paddock, paddock, paddock + ":observer"})
	e.launch(t)
	e.await(t)
	leader := e.leader(t)
	id := slices.Index(e.members, leader) + 1
	other := id%3 + 1
	if err := e.members[other-1].kill(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   *process
		to   int
		says string
	}{
		{leader, id, fmt.Sprintf("server %d leads already", id)},
		{leader, 9, "server 9 is not in the configuration, which lists 1,2,3,4"},
		{leader, 4, "server 4 has no vote"},
		{leader, other, fmt.Sprintf("server %d is not synchronised", other)},
		{e.members[3], other, fmt.Sprintf("server %d leads, not this one: ask there", id)},
	} {
		if out, err := paddockCommand(t, c.at, "transfer", "--to", fmt.Sprint(c.to)); err == nil || !strings.Contains(out, c.says) {
			t.Errorf("to %d: %v: %s; want %s", c.to, err, out, c.says)
		}
	}
}

// TestDrain stops each server of an ensemble in turn and starts it again, under write load: the leader leads no more before it ends.
func TestDrain(t *testing.T) {
	for _, kinds := range [][]string{{paddock, paddock, paddock}, {paddock, java, paddock}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds, "tickTime=2000")
			e.launch(t)
			e.await(t)
			w := newWriters(t, e)
			w.start()
			for _, p := range e.members {
				if p.kind == java {
					continue
				}
				if err := w.await(20); err != nil {
					t.Fatal(err)
				}
				led := p.mode() == "leader"
				out, err := paddockCommand(t, p, "stop", "--drain")
				if err != nil || out != "stopped\n" {
					t.Fatalf("%v: %s", err, out)
				}
				if code, err := p.wait(); err != nil || code != 0 {
					t.Errorf("exit code %d, %v", code, err)
				}
				if led && !strings.Contains(p.output(), "leadership is handed over") {
					t.Error("it stopped as the leader")
				}
				e.launch(t)
				e.await(t)
			}
			w.end()
			if err := w.check(e.agree(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStop ends a server on its own, which has no leadership to move.
func TestStop(t *testing.T) {
	p := described(t, paddock)
	running(t, p)
	if out, err := paddockCommand(t, p, "transfer"); err == nil || !strings.Contains(out, "a server on its own has nobody") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := paddockCommand(t, p, "stop", "--drain"); err != nil || out != "stopped\n" {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := paddockCommand(t, p, "stop"); err == nil || !strings.Contains(out, "not running") {
		t.Errorf("%v: %s", err, out)
	}
}
