//go:build chaos

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/freeport"
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

// TestObserverMasters: observers of each kind learn from followers of each kind, write through them, hear of watches, keep and
// move sessions, and find another master, or the leader, when theirs is gone.
func TestObserverMasters(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, java, paddock + ":observer", java + ":observer"}, // the leader is server 2, if it may choose
		{java, paddock, paddock + ":observer", java + ":observer"},
		{paddock, paddock, paddock, java + ":observer", paddock + ":observer"},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assembleMasters(t, kinds)
			voters := 0
			for _, kind := range kinds {
				if !strings.HasSuffix(kind, ":observer") {
					voters++
				}
			}
			for _, p := range e.members[:voters] {
				if err := p.launch(); err != nil {
					t.Fatal(err)
				}
			}
			e.await(t)
			e.launch(t)
			for _, p := range e.members[voters:] {
				if err := p.await("observer"); err != nil {
					t.Fatal(err)
				}
			}
			e.mastered(t, voters)
			writeThroughAll(t, e, "before")
			watchThrough(t, e.members[voters], e.members[voters+1])
			moveBetween(t, e.members[voters], e.members[voters+1])
			e.agree(t)
			if voters < 3 {
				return
			}
			// The master dies; its observers find another.
			for _, p := range e.members[:voters] {
				if p.mode() == "follower" {
					if err := p.kill(); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
			e.await(t)
			for _, p := range e.members[voters:] {
				if err := p.await("observer"); err != nil {
					t.Fatal(err)
				}
			}
			writeThroughAll(t, e, "after")
			e.agree(t)
		})
	}
}

// assembleMasters gives each server an address of its own, since all voters serve observers on the same port.
func assembleMasters(t *testing.T, kinds []string) *ensemble {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	e := assemble(t, kinds, fmt.Sprint("observerMasterPort=", port))
	lines := slices.Clone(e.members[0].extra)
	for i, line := range lines {
		if id, rest, ok := strings.Cut(line, "=127.0.0.1:"); ok {
			lines[i] = fmt.Sprintf("%s=127.0.0.%s:%s", id, strings.TrimPrefix(id, "server."), rest)
		}
	}
	for _, p := range e.members {
		p.extra = lines
	}
	return e
}

// mastered checks that observers learn from a follower, as they and the followers say.
func (e *ensemble) mastered(t *testing.T, voters int) {
	t.Helper()
	leader := e.leader(t)
	for deadline := time.Now().Add(startDeadline); ; <-time.After(100 * time.Millisecond) {
		var found []string
		for _, p := range e.members[:voters] {
			n := p.monitored("synced_observers")
			if voters == 2 && p != leader && p.kind != leader.kind && leader.kind == java && n != fmt.Sprint(len(e.members)-voters) {
				found = append(found, fmt.Sprintf("%s %s has %s observers", p.kind, p.mode(), n))
			}
		}
		for _, p := range e.members[voters:] {
			// A leader of this make serves observers on that port too, which ZooKeeper's try in any order.
			if id := p.monitored("observer_master_id"); id == fmt.Sprint(slices.Index(e.members, leader)+1) && (p.kind == paddock || leader.kind == java) {
				found = append(found, fmt.Sprintf("the observer of %s learns from the leader, %s", p.kind, id))
			}
		}
		if len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(found, "; "))
		}
	}
}

// monitored is a figure of mntr; "" if it is not there.
func (p *process) monitored(name string) string {
	text, err := p.word("mntr")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), "\t"); key == "zk_"+name {
			return strings.TrimSuffix(value, ".0")
		}
	}
	return ""
}

// watchThrough sets a watch through one server and changes the znode through the other, which has an ephemeral meanwhile.
func watchThrough(t *testing.T, a, b *process) {
	t.Helper()
	watcher, err := dial(a.addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Abandon()
	writer, err := dial(b.addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watcher.Do(&zk.Request{Op: zk.OpExists, Path: "/watched", Watch: true}); err != nil || r.Err != zk.NoNode {
		t.Fatal(r, err)
	}
	do(t, writer, &zk.Request{Op: zk.OpCreate, Path: "/watched", Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1})
	do(t, watcher, &zk.Request{Op: zk.OpSync, Path: "/"})
	do(t, watcher, &zk.Request{Op: zk.OpExists, Path: "/watched"})
	select {
	case ev := <-watcher.Events():
		if ev.Type != zk.NodeCreated || ev.Path != "/watched" {
			t.Errorf("%+v", ev)
		}
	case <-time.After(startDeadline):
		t.Error("the watch was not told")
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	do(t, watcher, &zk.Request{Op: zk.OpSync, Path: "/"})
	if r, err := watcher.Do(&zk.Request{Op: zk.OpExists, Path: "/watched"}); err != nil || r.Err != zk.NoNode {
		t.Errorf("the ephemeral of a session that was closed: %v, %v", r, err)
	}
}

// moveBetween takes a session from one server to the other, where its ephemeral is found.
func moveBetween(t *testing.T, a, b *process) {
	t.Helper()
	first, err := dial(a.addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	do(t, first, &zk.Request{Op: zk.OpCreate, Path: "/moved", Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1})
	again := client.Options{Session: first.Session(), Password: first.Password()}
	first.Abandon()
	second, err := dial(b.addr(), again)
	if err != nil {
		t.Fatal(err)
	}
	do(t, second, &zk.Request{Op: zk.OpSync, Path: "/"})
	do(t, second, &zk.Request{Op: zk.OpSetData, Path: "/moved", Version: 0})
	if err := second.Close(); err != nil {
		t.Fatal(err)
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
