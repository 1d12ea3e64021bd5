//go:build chaos

package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// TestObservers: observers of each kind serve reads and writes under leaders of each kind, have all that the others have, and are
// no help to a quorum, though their ids are the largest.
func TestObservers(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock + ":observer", paddock + ":observer"},
		{java, java, paddock + ":observer", java + ":observer"},
		{paddock, paddock, java + ":observer", paddock + ":observer"},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds)
			e.launch(t)
			e.await(t)
			for _, p := range e.members[2:] {
				if err := p.await("observer"); err != nil {
					t.Fatal(err)
				}
			}
			writeThroughAll(t, e, "before")
			e.agree(t)

			// An observer that was away while others wrote.
			if err := e.members[3].kill(); err != nil {
				t.Fatal(err)
			}
			writeThroughAll(t, e, "meanwhile")
			e.launch(t)
			e.await(t)
			if err := e.members[3].await("observer"); err != nil {
				t.Fatal(err)
			}
			e.agree(t)

			// One voter of two is no quorum, whoever observes.
			if err := e.members[0].kill(); err != nil {
				t.Fatal(err)
			}
			e.silent(t)
			e.launch(t)
			e.await(t)
			writeThroughAll(t, e, "after")
			if n := len(e.agree(t).Znodes); n < 14 {
				t.Errorf("%d znodes", n)
			}
		})
	}
}

// writeThroughAll creates a znode through each server that runs, and watches it through the others.
func writeThroughAll(t *testing.T, e *ensemble, name string) {
	t.Helper()
	for i, p := range e.running() {
		c, err := dialServing(p)
		if err != nil {
			t.Fatal(err)
		}
		do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprintf("/%s-%d-%s", name, i, p.kind), ACL: zk.OpenACL, TTLMS: -1})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// silent waits until none that runs serves, which must last for a while: there is no quorum.
func (e *ensemble) silent(t *testing.T) {
	t.Helper()
	const lasting = 3 * time.Second // far more than an election takes
	quiet := time.Time{}
	for deadline := time.Now().Add(startDeadline); ; <-time.After(50 * time.Millisecond) {
		serving := ""
		for _, p := range e.running() {
			if m := p.mode(); m != "" {
				serving = m
			}
		}
		switch {
		case serving != "":
			quiet = time.Time{}
		case quiet.IsZero():
			quiet = time.Now()
		case time.Since(quiet) > lasting:
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("without a quorum there is a %s", serving)
		}
	}
}

// TestWeights: a server without weight never leads and is not needed; those with it are.
func TestWeights(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock},
		{java, paddock, paddock},
		{paddock, paddock, java},
		{paddock, java, paddock},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds, "group.1=1:2:3", "weight.1=1", "weight.2=1", "weight.3=0")
			e.launch(t)
			e.await(t)
			if err := e.members[2].await("follower"); err != nil {
				t.Fatal(err)
			}
			writeThroughAll(t, e, "all")
			if err := e.members[2].kill(); err != nil {
				t.Fatal(err)
			}
			writeThroughAll(t, e, "two")
			e.launch(t)
			e.await(t)
			if err := e.members[1].kill(); err != nil {
				t.Fatal(err)
			}
			e.silent(t)
			e.launch(t)
			e.await(t)
			e.agree(t)
		})
	}
}

// TestGroups: of three groups two make a quorum, each with a majority of its own.
func TestGroups(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock, paddock, paddock},
		{java, paddock, paddock, java, paddock},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds, "group.1=1:2:3", "group.2=4", "group.3=5", "weight.1=1", "weight.2=1", "weight.3=1", "weight.4=1", "weight.5=1")
			e.launch(t)
			e.await(t)
			kill := func(ids ...int) {
				for _, id := range ids {
					if err := e.members[id-1].kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			kill(1, 2, 3) // three of five, but one group
			if err := e.serves(); err != nil {
				t.Fatal(err)
			}
			e.launch(t)
			e.await(t)
			kill(4, 5) // two of five, but two groups
			e.silent(t)
			e.launch(t)
			e.await(t)
			writeThroughAll(t, e, "end")
			e.agree(t)
		})
	}
}

// dialServing opens a session at a server that may be about to leave its role, or to take up another.
func dialServing(p *process) (c *client.Conn, err error) {
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		if c, err = dial(p.addr(), client.Options{}); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// serves waits until all that run serve again.
func (e *ensemble) serves() error {
	for _, p := range e.running() {
		c, err := dialServing(p)
		if err != nil {
			return err
		}
		r, err := c.Do(&zk.Request{Op: zk.OpCreate, Path: "/serves-", Mode: zk.PersistentSequential, ACL: zk.OpenACL, TTLMS: -1})
		c.Abandon()
		if err != nil || r.Err != zk.OK {
			return fmt.Errorf("%v: %w", r, err)
		}
	}
	return nil
}
