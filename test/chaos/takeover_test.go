//go:build chaos

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"paddock/internal/zk"
)

// TestTakeOverByConfiguration lets Paddock join a ZooKeeper ensemble as observers, of which its members need not know, and then
// take the place of one voter after the other by changing files and restarting, under clients that hold locks.
func TestTakeOverByConfiguration(t *testing.T) {
	clients, last := 50, 6
	if testing.Short() {
		clients, last = 10, 4 // one of the three
	}
	e := assemble(t, []string{java, java, java, paddock, paddock, paddock}, "tickTime=1000", "initLimit=10", "syncLimit=10", "maxSessionTimeout=60000")
	o := &takeOver{lines: map[int]string{}}
	for _, line := range e.members[0].extra {
		if strings.HasPrefix(line, "server.") {
			o.lines[len(o.lines)+1] = line
		} else {
			o.common = append(o.common, line)
		}
	}
	voters := []int{1, 2, 3}
	for id := range o.lines {
		e.members[id-1].extra = o.config(id, voters)
	}
	for _, id := range voters {
		if err := e.members[id-1].launch(); err != nil {
			t.Fatal(err)
		}
	}
	e.await(t)
	o.roller = newRoller(t, e, clients)
	for _, id := range []int{4, 5, 6} {
		p := e.members[id-1]
		if err := p.launch(); err != nil {
			t.Fatal(err)
		}
		if err := p.await("observer"); err != nil {
			t.Fatal(err)
		}
	}
	o.check()
	for id := 4; id <= last; id++ {
		voters = o.swap(voters, id)
	}
	if mode := e.members[last-1].mode(); mode != "leader" && mode != "follower" || len(e.running()) != 6-(last-3) {
		t.Errorf("%d servers run; the last one to vote is %s", len(e.running()), mode)
	}
	o.finish()
}

// takeOver changes who votes.
type takeOver struct {
	*roller
	common []string
	lines  map[int]string // of each server
}

// config is the file of a server: the voters, and itself as an observer if it is none of them.
func (o *takeOver) config(id int, voters []int) []string {
	out := slices.Clone(o.common)
	for _, v := range voters {
		out = append(out, o.lines[v])
	}
	if !slices.Contains(voters, id) {
		out = append(out, o.lines[id]+":observer", "peerType=observer")
	}
	return out
}

// swap makes an observer a voter in the place of another, which it returns without.
//
// Two configurations are in use meanwhile, with different quorums. It is safe because the two voters that stay are a quorum of
// both, hold everything when the first of them is restarted, which a write shows that was acknowledged without the third, and
// because the third never comes back.
func (o *takeOver) swap(voters []int, id int) []int {
	o.Helper()
	leader := slices.Index(o.e.members, o.e.leader(o.T)) + 1
	out := voters[0]
	if out == leader {
		out = voters[1]
	}
	if _, err := o.e.members[out-1].signal(syscall.SIGTERM); err != nil {
		o.Fatal(err)
	}
	if err := o.w.await(20); err != nil {
		o.Fatal(err)
	}
	stay := slices.DeleteFunc(slices.Clone(voters), func(v int) bool { return v == out })
	voters = append(slices.Clone(stay), id)
	order := append(slices.DeleteFunc(slices.Clone(stay), func(v int) bool { return v == leader }), id)
	for other := id + 1; other <= 6; other++ { // with the old file they would not know the new voter as a leader
		order = append(order, other)
	}
	for _, v := range append(order, leader) {
		p := o.e.members[v-1]
		o.replace(p, func() { p.extra = o.config(v, voters) })
	}
	o.ready(1)
	o.Logf("server %d votes in the place of server %d", id, out)
	return voters
}

// TestTakeOverByReconfig does the same in an ensemble that allows reconfiguration: nothing is restarted.
func TestTakeOverByReconfig(t *testing.T) {
	clients := 50
	if testing.Short() {
		clients = 10
	}
	e := newElastic(t, "clientPortAddress=127.0.0.1")
	e.start(java, java, java)
	for range 3 {
		e.add(paddock, "observer")
	}
	r := newRoller(t, e.ensemble, clients)
	for id := 4; id <= 6; id++ {
		p := e.members[id-1]
		if err := p.launch(); err != nil {
			t.Fatal(err)
		}
		if err := p.await("follower"); err != nil { // one without a vote, as with ZooKeeper, until it is in the configuration
			t.Fatal(err)
		}
		e.reconfigure(e.members[0], zk.Members{Joining: e.lines[id-1]})
		if err := p.await("observer"); err != nil {
			t.Fatal(err)
		}
	}
	r.check()
	for id := 4; id <= 6; id++ {
		line := strings.Replace(e.lines[id-1], ":observer", ":participant", 1)
		e.reconfigure(e.members[id-1], zk.Members{Joining: line})
		e.reconfigure(e.members[id-1], zk.Members{Leaving: fmt.Sprint(id - 3)})
		r.await(20)
		if _, err := e.members[id-4].signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		r.await(20)
		r.check()
	}
	r.finish()
}

// await returns after some writes.
func (r *roller) await(n int) {
	r.Helper()
	if err := r.w.await(n); err != nil {
		r.Fatal(err)
	}
}
