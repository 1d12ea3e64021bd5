//go:build chaos

package chaos

import (
	"fmt"
	"strings"
	"testing"

	"paddock/internal/client"
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
