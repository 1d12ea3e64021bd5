//go:build chaos

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// TestLeaderServes: where leaderServes=no the leader has nothing for clients, and the others all they need.
func TestLeaderServes(t *testing.T) {
	for _, kinds := range [][]string{{paddock, paddock, paddock}, {java, paddock, paddock}, {java, java, paddock}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds, "leaderServes=no")
			e.launch(t)
			followers, leader := e.split(t)
			if text, err := leader.word("srvr"); err != nil || !strings.Contains(text, "not currently serving") {
				t.Errorf("%q, %v", text, err)
			}
			ctx, cancel := contextFor(time.Second)
			defer cancel()
			if c, err := client.Dial(ctx, leader.addr(), client.Options{}); err == nil {
				c.Abandon()
				t.Error("the leader serves a client")
			}
			for i, p := range followers {
				c, err := dialServing(p)
				if err != nil {
					t.Fatal(err)
				}
				do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", i), Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1})
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// split waits until two of three follow. The third leads, whether it says so or not.
func (e *ensemble) split(t *testing.T) (followers []*process, leader *process) {
	t.Helper()
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(pollEvery) {
		followers = nil
		for _, p := range e.members {
			if p.mode() == "follower" {
				followers = append(followers, p)
			} else {
				leader = p
			}
		}
		if len(followers) == 2 {
			return followers, leader
		}
	}
	t.Fatal("nobody leads two followers")
	return nil, nil
}

// TestReadOnly: without a quorum each server serves clients that accept stale reads, and no others, and sends them away when there is
// a quorum again.
func TestReadOnly(t *testing.T) {
	e := assemble(t, []string{paddock, paddock, paddock}, "readonlymode.enabled=true", "localSessionsEnabled=true")
	e.launch(t)
	e.await(t)
	c, err := dial(e.members[0].addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, &zk.Request{Op: zk.OpCreate, Path: "/x", Data: []byte("there"), ACL: zk.OpenACL, TTLMS: -1})
	do(t, c, &zk.Request{Op: zk.OpSync, Path: "/"})
	for _, p := range e.members[1:] {
		if err := p.kill(); err != nil {
			t.Fatal(err)
		}
	}
	alone := e.members[0]
	if err := alone.await("read-only"); err != nil {
		t.Fatal(err)
	}
	if text, err := alone.word("isro"); err != nil || text != "ro" {
		t.Errorf("isro: %q, %v", text, err)
	}
	ctx, cancel := contextFor(time.Second)
	defer cancel()
	if c, err := client.Dial(ctx, alone.addr(), client.Options{}); err == nil {
		c.Abandon()
		t.Error("it serves a client that wants to write")
	}
	r, err := client.Dial(context.Background(), alone.addr(), client.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, r, &zk.Request{Op: zk.OpGetData, Path: "/x"}); string(got.Data) != "there" {
		t.Errorf("%q", got.Data)
	}
	if got, err := r.Do(&zk.Request{Op: zk.OpSetData, Path: "/x", Version: -1}); err != nil || got.Err != zk.NotReadOnly {
		t.Errorf("a write: %v, %v", got, err)
	}
	out, err := readOnlyShell(alone.addr(), "get /x", "create /y").CombinedOutput() // ends with status 1, for the create
	if err == nil || !strings.Contains(string(out), "there") || !strings.Contains(string(out), "Not a read-only call") {
		t.Errorf("zkCli.sh -r: %s", out)
	}
	e.launch(t)
	if err := alone.await("follower"); err != nil {
		t.Fatal(err)
	}
	if text, err := alone.word("isro"); err != nil || text != "rw" {
		t.Errorf("isro: %q, %v", text, err)
	}
	if _, err := r.Do(&zk.Request{Op: zk.OpExists, Path: "/x"}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("who read only is still served: %v", err)
	}
	e.await(t)
	e.agree(t)
}

// TestLocalSessions: known to their server only until they want an ephemeral; then to all, on every kind of server.
func TestLocalSessions(t *testing.T) {
	for _, kinds := range [][]string{{paddock, paddock, paddock}, {paddock, paddock, java}, {java, java, paddock}, {java, paddock, java}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds, "localSessionsEnabled=true", "localSessionsUpgradingEnabled=true")
			e.launch(t)
			e.await(t)
			for i, p := range e.members {
				c, err := dialServing(p)
				if err != nil {
					t.Fatal(err)
				}
				other := e.members[(i+1)%3]
				do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/p", i), ACL: zk.OpenACL, TTLMS: -1})
				if e.knows(t, other, c.Session()) {
					t.Errorf("server %d: the session is known elsewhere before it owns anything", i+1)
				}
				do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/e", i), Mode: zk.Ephemeral, ACL: zk.OpenACL, TTLMS: -1})
				if err := e.catchUp(); err != nil {
					t.Fatal(err)
				}
				if !e.knows(t, other, c.Session()) {
					t.Errorf("server %d: the session is not known elsewhere though it owns an ephemeral", i+1)
				}
				c.Abandon()
				ctx, cancel := contextFor(dialDeadline)
				moved, err := client.Dial(ctx, other.addr(), client.Options{Session: c.Session()})
				cancel()
				if err != nil {
					t.Fatalf("server %d: it does not move: %v", i+1, err)
				}
				if err := moved.Close(); err != nil {
					t.Error(err)
				}
			}
			for path := range e.agree(t).Znodes {
				if strings.HasPrefix(path, "/e") {
					t.Errorf("%s outlived its session", path)
				}
			}
		})
	}
}

// knows tells whether a server has a session among the owners of ephemerals or the sessions it would take up.
func (e *ensemble) knows(t *testing.T, p *process, s zk.SessionID) bool {
	t.Helper()
	text, err := p.word("dump")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(text, s.String())
}
