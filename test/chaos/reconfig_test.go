//go:build chaos

package chaos

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/freeport"
	"paddock/internal/zk"
)

// TestReconfigGrowsAndShrinks takes an ensemble of one server to three, to five and back to three under load, driven by zkCli.sh
// and kazoo: first Paddock alone, then mixtures of which each kind leads at first.
func TestReconfigGrowsAndShrinks(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock, paddock, paddock},
		{paddock, java, paddock, paddock, java},
		{java, paddock, paddock, java, paddock},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := newElastic(t)
			e.start(kinds[0])
			w := newWriters(t, e.ensemble)
			w.start()
			grow := func(id int, how func(line string)) {
				if got := e.join(kinds[id-1], "participant"); got != id {
					t.Fatalf("server %d joins as %d", id, got)
				}
				how(e.lines[id-1])
			}
			grow(2, func(line string) { e.reconfigure(e.members[0], zk.Members{Joining: line}) })
			grow(3, func(line string) {
				if out := shell(t, e.members[0].addr(), "reconfig -add "+line, "config"); strings.Count(out, line) != 2 {
					t.Fatalf("zkCli.sh: %s", out)
				}
			})
			e.configured(1, 2, 3)
			grow(4, func(line string) {
				out := kazoo(t, e.members[2].addr(), fmt.Sprintf("data, stat = zk.reconfig(%q, None, None)\nprint(data.decode())\nprint(stat.version)", line))
				if !strings.Contains(out, line) || !strings.Contains(out, "\n-1\n") {
					t.Fatalf("kazoo: %s", out)
				}
			})
			grow(5, func(line string) { e.reconfigure(e.members[1], zk.Members{Joining: line}) })
			e.configured(1, 2, 3, 4, 5)
			w.addrs = e.addrs()
			if err := w.await(20); err != nil {
				t.Fatal(err)
			}
			shell(t, e.members[1].addr(), "reconfig -remove 4")
			e.configured(1, 2, 3, 5)
			e.leave(4)
			e.reconfigure(e.members[0], zk.Members{Leaving: "5"})
			e.leave(5)
			e.configured(1, 2, 3)
			if err := w.await(20); err != nil {
				t.Fatal(err)
			}
			w.end()
			if err := w.check(e.agree(t)); err != nil {
				t.Error(err)
			}
			restartAll(t, e, 1, 2, 3)
		})
	}
}

// restartAll kills all that run and starts them again: their files must know the configuration.
func restartAll(t *testing.T, e *elastic, ids ...int) {
	t.Helper()
	for _, id := range ids {
		if err := e.members[id-1].kill(); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if err := e.members[id-1].launch(); err != nil {
			t.Fatal(err)
		}
	}
	e.await(t)
	e.configured(ids...)
	e.agree(t)
}

// TestReconfigRemovesTheLeader: another member leads at once, and the one that left goes on as a follower that does not count.
func TestReconfigRemovesTheLeader(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock, paddock},
		{java, java, paddock, paddock},
		{paddock, paddock, java, java},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := newElastic(t)
			e.start(kinds...)
			leader := 0
			for i, p := range e.members {
				if p.mode() == "leader" {
					leader = i + 1
				}
			}
			c, err := dial(e.members[leader%4].addr(), client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			do(t, c, &zk.Request{Op: zk.OpCreate, Path: "/x", ACL: zk.OpenACL, TTLMS: -1})
			e.reconfigure(e.members[leader%4], zk.Members{Leaving: fmt.Sprint(leader)})
			var rest []int
			for i := range e.members {
				if i+1 != leader {
					rest = append(rest, i+1)
				}
			}
			e.configured(rest...)
			if e.members[leader-1].mode() == "leader" {
				t.Error("it still leads")
			}
			e.leave(leader)
			e.agree(t)
			restartAll(t, e, rest...)
		})
	}
}

// TestReconfigChangesRoles makes a voter an observer and a voter again, the leader too, in the same process.
func TestReconfigChangesRoles(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock, paddock},
		{java, paddock, java, paddock},
		{paddock, java, paddock, java},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := newElastic(t)
			e.start(kinds...)
			for i, id := range []int{e.leading(), 3} {
				line := e.lines[id-1]
				e.reconfigure(e.members[id%4], zk.Members{Joining: strings.Replace(line, ":participant", ":observer", 1)})
				e.configured(1, 2, 3, 4)
				if err := e.members[id-1].await("observer"); err != nil {
					t.Fatal(err)
				}
				writeThroughAll(t, e.ensemble, fmt.Sprint("observed-", i))
				e.reconfigure(e.members[id-1], zk.Members{Joining: line})
				e.configured(1, 2, 3, 4)
				for deadline := time.Now().Add(startDeadline); e.members[id-1].mode() != "follower"; <-time.After(pollEvery) {
					if time.Now().After(deadline) {
						t.Fatalf("server %d is %s", id, e.members[id-1].mode())
					}
				}
				writeThroughAll(t, e.ensemble, fmt.Sprint("votes-", i))
			}
			e.agree(t)
		})
	}
}

// leading is the id of the leader.
func (e *elastic) leading() int {
	e.t.Helper()
	for i, p := range e.members {
		if p.alive() && p.mode() == "leader" {
			return i + 1
		}
	}
	e.t.Fatal("nobody leads")
	return 0
}

// TestReconfigReachesWhoIsAway: a server that is down while the others change learns of it when it comes back, by whatever it is
// told first; one that was removed meanwhile follows without a vote. Its clients are told by their watches.
func TestReconfigReachesWhoIsAway(t *testing.T) {
	for _, kinds := range [][]string{
		{paddock, paddock, paddock, paddock},
		{java, paddock, paddock, java},
		{paddock, java, java, paddock},
	} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := newElastic(t)
			e.start(kinds[:3]...)
			e.join(kinds[3], "participant")
			if err := e.members[1].kill(); err != nil {
				t.Fatal(err)
			}
			if err := e.serves(); err != nil {
				t.Fatal(err)
			}
			told := e.watchConfig(1, 3, 4)
			e.reconfigure(e.members[0], zk.Members{Joining: e.lines[3]})
			e.configured(1, 2, 3, 4)
			told()
			if err := e.members[1].launch(); err != nil {
				t.Fatal(err)
			}
			e.await(t)
			e.configured(1, 2, 3, 4)

			// Removed while it is away, by a file that lists those who stay.
			if err := e.members[1].kill(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "members")
			if err := os.WriteFile(file, []byte(strings.Join([]string{e.lines[0], e.lines[2], e.lines[3]}, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			if out := shell(t, e.members[2].addr(), "reconfig -file "+file); !strings.Contains(out, "Committed new configuration:") {
				t.Fatalf("zkCli.sh: %s", out)
			}
			e.configured(1, 3, 4)
			if err := e.members[1].launch(); err != nil {
				t.Fatal(err)
			}
			e.await(t)
			e.configured(1, 3, 4)
			if mode := e.members[1].mode(); mode != "follower" {
				t.Errorf("the one that was removed is %s", mode)
			}
			e.agree(t)
			if kinds[1] == java {
				return
			}

			// Its file does not list it any more, and it says so when it is started again.
			if err := e.members[1].kill(); err != nil {
				t.Fatal(err)
			}
			if err := e.members[1].launch(); err != nil {
				t.Fatal(err)
			}
			if code, err := e.members[1].wait(); err != nil || code == 0 || !strings.Contains(e.members[1].output(), "myid is 2 but ") {
				t.Errorf("exit code %d, %v: %s", code, err, e.members[1].logTail())
			}
		})
	}
}

// watchConfig watches the configuration on some servers. The function returned waits until all are told of a change.
func (e *elastic) watchConfig(ids ...int) func() {
	e.t.Helper()
	var conns []*client.Conn
	for _, id := range ids {
		c, err := dialServing(e.members[id-1])
		if err != nil {
			e.t.Fatal(err)
		}
		do(e.t, c, &zk.Request{Op: zk.OpGetData, Path: zk.ConfigPath, Watch: true})
		conns = append(conns, c)
	}
	return func() {
		e.t.Helper()
		for i, c := range conns {
			select {
			case ev, ok := <-c.Events():
				if !ok || ev.Type != zk.NodeDataChanged || ev.Path != zk.ConfigPath {
					e.t.Errorf("on server %d: %+v %v", ids[i], ev, ok)
				}
			case <-time.After(startDeadline):
				e.t.Errorf("nobody is told on server %d", ids[i])
			}
			c.Abandon()
		}
	}
}

// TestReconfigMovesTheClientPort: a server goes on at the client port that its new line names; who is connected stays.
func TestReconfigMovesTheClientPort(t *testing.T) {
	e := newElastic(t)
	e.start(paddock, java, paddock)
	for _, id := range []int{1, 3} {
		p := e.members[id-1]
		c, err := dial(p.addr(), client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := p.port
		if p.port, err = freeport.Find(); err != nil {
			t.Fatal(err)
		}
		line := strings.Replace(e.lines[id-1], fmt.Sprint(";127.0.0.1:", before), fmt.Sprint(";127.0.0.1:", p.port), 1)
		e.reconfigure(e.members[1], zk.Members{Joining: line})
		e.configured(1, 2, 3)
		do(t, c, &zk.Request{Op: zk.OpExists, Path: "/zookeeper"})
		c.Abandon()
		if now, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", before)); err == nil {
			now.Close()
			t.Errorf("server %d still listens at its old port", id)
		}
	}
	restartAll(t, e, 1, 2, 3)
}
