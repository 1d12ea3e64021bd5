//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// world is an ensemble whose servers have each a network namespace and a file system to themselves. Both can fail.
type world struct {
	*ensemble
	t       *testing.T
	rng     *rand.Rand
	net     *network
	volumes []*volume
	brief   time.Duration // what a fault lasts at least; at most four times that
	filled  *process      // its disk was full; it may still end of that after there is room again
}

// observing is put before the kind of a server that is to be an observer.
const observing = "observing "

// newWorld describes an ensemble with a server of each kind, whose ids are 1, 2, 3, …, in a network of the test's own, and starts
// none of them. The test must run apart.
func newWorld(t *testing.T, kinds []string, seed uint64, extra ...string) *world {
	t.Helper()
	w := &world{ensemble: &ensemble{}, t: t, rng: rand.New(rand.NewPCG(seed, 4)), net: newNetwork(seed), brief: 500 * time.Millisecond}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.TempDir() // all of them are removed after what follows
	t.Cleanup(w.end)
	must(w.net.plug(clientsID))
	lines := append([]string{"tickTime=500", "initLimit=20", "syncLimit=4", "maxSessionTimeout=60000"}, extra...)
	for i, kind := range kinds {
		host := fmt.Sprint(subnet, memberID(i))
		kind, observes := strings.CutPrefix(kind, observing)
		role := ""
		if observes {
			role = ":observer"
		}
		lines = append(lines, fmt.Sprintf("server.%d=%s:%d:%d%s", i+1, host, quorumPort, electionPort, role))
		dir := t.TempDir()
		v, err := newVolume(filepath.Join(dir, "disk"))
		must(err)
		w.volumes = append(w.volumes, v)
		s, err := newSpace()
		must(err)
		p := &process{kind: kind, data: filepath.Join(v.root, "data"), work: dir, port: 2181, host: host, within: s}
		w.members = append(w.members, p)
		must(s.do(func() error { return w.net.plug(memberID(i)) }))
		must(errors.Join(os.MkdirAll(p.data, 0o755), os.WriteFile(filepath.Join(p.data, "myid"), fmt.Appendln(nil, i+1), 0o644)))
	}
	for i, p := range w.members {
		p.extra = slices.Clone(lines)
		if strings.HasPrefix(kinds[i], observing) {
			p.extra = append(p.extra, "peerType=observer")
		}
	}
	w.net.run()
	return w
}

// end stops everything.
func (w *world) end() {
	for i, p := range w.members {
		p.end()
		p.within.end()
		if w.t.Failed() {
			w.t.Logf("server %d, %s:\n%s", i+1, p.kind, p.logTail())
		}
	}
	w.net.end()
	for _, v := range w.volumes {
		if err := v.end(); err != nil {
			w.t.Error(err)
		}
	}
}

// bulk puts some weight into the tree, so that it takes a while to send.
func (w *world) bulk() {
	w.t.Helper()
	const znodes, size = 1000, 2000
	todo := map[int]bool{}
	for i := range znodes {
		todo[i] = true
	}
	for deadline := time.Now().Add(startDeadline); len(todo) > 0; {
		if time.Now().After(deadline) {
			w.t.Fatalf("%d znodes could not be made", len(todo))
		}
		c, err := dial(w.members[0].addr(), client.Options{})
		if err != nil {
			continue // a busy machine may cost the leader its role
		}
		answered := make(chan int, znodes)
		for i := range znodes {
			if todo[i] {
				c.Send(&zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/bulk-", i), Data: make([]byte, size), ACL: zk.OpenACL, TTLMS: -1}, func(r *zk.Reply, err error) {
					if err == nil && (r.Err == zk.OK || r.Err == zk.NodeExists) {
						answered <- i
					} else {
						answered <- -1
					}
				})
			}
		}
		for range len(todo) {
			delete(todo, <-answered)
		}
		c.Abandon()
	}
}

// pause lets a fault last.
func (w *world) pause() { <-time.After(w.brief + time.Duration(w.rng.Int64N(3*int64(w.brief)))) }

// leading is the index of the leader, or of any member if nobody leads.
func (w *world) leading() int {
	for i, p := range w.members {
		if p.alive() && p.mode() == "leader" {
			return i
		}
	}
	return w.any()
}

func (w *world) any() int { return w.rng.IntN(len(w.members)) }

// victim is the leader half of the time.
func (w *world) victim() int {
	if w.rng.IntN(2) == 0 {
		return w.leading()
	}
	return w.any()
}

// shuffled are the indexes of all members in some order.
func (w *world) shuffled() []int { return w.rng.Perm(len(w.members)) }

// cut separates every pair of which the function says so, in the direction from the first to the second.
func (w *world) cut(apart func(from, to int) bool) {
	for i := range w.members {
		for j := range w.members {
			if i != j && apart(i, j) {
				w.net.set(memberID(i), memberID(j), path{cut: true})
			}
		}
	}
}

// restore undoes all that faults may have left, and waits until every server serves.
func (w *world) restore() {
	w.t.Helper()
	w.net.heal()
	for i := range w.members {
		w.send(i, syscall.SIGCONT)
	}
	w.launch(w.t)
	if p := w.filled; p != nil && p.await("") != nil && !p.alive() {
		w.launch(w.t)
	}
	w.filled = nil
	w.await(w.t)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// fault is something that goes wrong, for a while, and is over when run returns, except for servers that are gone.
type fault struct {
	name string
	run  func(*world)
}

// faults are those that a test draws from.
var faults = []fault{
	{"the leader is killed", func(w *world) { w.must(w.members[w.leading()].kill()); w.pause() }},
	{"a server is killed", func(w *world) { w.must(w.members[w.any()].kill()); w.pause() }},
	{"a majority is killed", func(w *world) {
		for _, i := range w.shuffled()[:len(w.members)/2+1] {
			w.must(w.members[i].kill())
		}
		w.pause()
	}},
	{"all servers are killed", func(w *world) {
		for _, p := range w.members {
			w.must(p.kill())
		}
	}},
	{"the leader pauses", func(w *world) { w.stopped(w.leading()) }},
	{"the leader pauses until another leads", func(w *world) {
		w.restore() // or nobody may be able to
		v := w.leading()
		w.send(v, syscall.SIGSTOP)
		w.succession(v)
		w.pause()
		w.send(v, syscall.SIGCONT)
	}},
	{"the leader, cut off from the others, pauses until another leads", func(w *world) {
		w.restore() // or nobody may be able to
		v := w.leading()
		w.cut(func(i, j int) bool { return i == v || j == v })
		w.send(v, syscall.SIGSTOP)
		w.succession(v)
		w.pause()
		w.send(v, syscall.SIGCONT)
		w.pause()
	}},
	{"a server pauses", func(w *world) { w.stopped(w.any()) }},
	{"a majority pauses", func(w *world) { w.stopped(w.shuffled()[:len(w.members)/2+1]...) }},
	{"halves, the leader in the smaller one", func(w *world) { w.halves(w.leading()) }},
	{"halves", func(w *world) { w.halves(w.any()) }},
	{"a bridge: only one server reaches all", func(w *world) {
		order := w.shuffled()
		left := order[1 : 1+len(order)/2]
		w.cut(func(i, j int) bool {
			return i != order[0] && j != order[0] && slices.Contains(left, i) != slices.Contains(left, j)
		})
		w.pause()
	}},
	{"a server is not heard", func(w *world) {
		v := w.victim()
		w.cut(func(i, _ int) bool { return i == v })
		w.pause()
	}},
	{"a server hears nobody", func(w *world) {
		v := w.victim()
		w.cut(func(_, j int) bool { return j == v })
		w.pause()
	}},
	{"one server does not hear one other", func(w *world) {
		order := w.shuffled()
		w.net.set(memberID(order[0]), memberID(order[1]), path{cut: true})
		w.pause()
	}},
	{"a server is off the network, clients and all", func(w *world) {
		v := w.victim()
		w.cut(func(i, j int) bool { return i == v || j == v })
		w.net.between(memberID(v), clientsID, path{cut: true})
		w.pause()
	}},
	{"every packet takes long", func(w *world) { w.every(path{delay: 20 * time.Millisecond, jitter: 80 * time.Millisecond}) }},
	{"packets are lost", func(w *world) { w.every(path{loss: 0.05}) }},
	{"packets are late and lost", func(w *world) { w.every(path{delay: 5 * time.Millisecond, jitter: 30 * time.Millisecond, loss: 0.03}) }},
	{"a slow disk", func(w *world) { w.slowDisk(w.any()) }},
	{"the leader's disk is slow", func(w *world) { w.slowDisk(w.leading()) }},
	{"the leader's disk stops", func(w *world) { w.frozen(w.leading()) }},
	{"a disk stops", func(w *world) { w.frozen(w.any()) }},
	{"a disk is full", func(w *world) { w.fullDisk(w.any()) }},
	{"the leader's disk is full", func(w *world) { w.fullDisk(w.leading()) }},
	{"a server is killed again and again as it comes back", func(w *world) {
		p := w.members[w.victim()]
		for range 5 {
			w.must(p.kill())
			w.must(p.launch())
			<-time.After(time.Duration(w.rng.IntN(200)) * time.Millisecond)
		}
	}},
	{"a server has lost its data", func(w *world) {
		w.restore() // what is only there is not to be lost with it
		w.must(w.catchUp())
		p := w.members[w.victim()]
		w.must(p.kill())
		w.must(os.RemoveAll(filepath.Join(p.data, "version-2")))
		w.pause()
		w.launch(w.t)
		w.must(p.await(""))
	}},
	{"the leader is cut off, and another is killed", func(w *world) {
		v := w.leading()
		w.cut(func(i, j int) bool { return i == v || j == v })
		w.pause()
		w.must(w.members[(v+1)%len(w.members)].kill())
		w.net.heal()
		w.pause()
	}},
}

// stopped lets servers do nothing for a while.
func (w *world) stopped(list ...int) {
	for _, i := range list {
		w.send(i, syscall.SIGSTOP)
	}
	w.pause()
	for _, i := range list {
		w.send(i, syscall.SIGCONT)
	}
}

// send gives a server a signal, if it runs.
func (w *world) send(i int, sig syscall.Signal) {
	if err := w.members[i].cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		w.must(err)
	}
}

// halves parts the ensemble; who is in the smaller part.
func (w *world) halves(who int) {
	small := []int{who}
	for _, i := range w.shuffled() {
		if i != who && len(small) < len(w.members)/2 {
			small = append(small, i)
		}
	}
	led := w.leading() == who
	w.net.heal() // what was cut before might leave no quorum anywhere
	w.cut(func(i, j int) bool { return slices.Contains(small, i) != slices.Contains(small, j) })
	if led && w.quorum() {
		w.succession(who) // the one that led believes for a while that it still does
	}
	w.pause()
}

// quorum tells whether all servers run, so that some must come to lead.
func (w *world) quorum() bool { return len(w.running()) == len(w.members) }

// every makes all directions between servers bad.
func (w *world) every(p path) {
	for i := range w.members {
		for j := range w.members {
			w.net.set(memberID(i), memberID(j), p)
		}
	}
	w.pause()
	w.pause()
}

// slowDisk lets a disk stop again and again for some time that a worn disk may take.
func (w *world) slowDisk(i int) {
	for until := time.Now().Add(4 * w.brief); time.Now().Before(until); {
		w.must(w.volumes[i].freeze())
		<-time.After(time.Duration(20+w.rng.IntN(200)) * time.Millisecond)
		w.must(w.volumes[i].thaw())
		<-time.After(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	}
}

// frozen lets a disk stop once.
func (w *world) frozen(i int) {
	w.must(w.volumes[i].freeze())
	w.pause()
	w.must(w.volumes[i].thaw())
}

// fullDisk takes the room that a server has left, and gives it back when the server has ended or some time has passed.
func (w *world) fullDisk(i int) {
	for until := time.Now().Add(8 * w.brief); time.Now().Before(until) && w.members[i].alive(); <-time.After(5 * time.Millisecond) {
		w.must(w.volumes[i].fill(0))
	}
	w.must(w.volumes[i].empty())
	w.filled = w.members[i]
}

// succession waits until somebody else leads.
func (w *world) succession(v int) {
	w.t.Helper()
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(pollEvery) {
		if slices.ContainsFunc(w.members, func(p *process) bool { return p != w.members[v] && p.mode() == "leader" }) {
			return
		}
	}
	w.t.Fatal("nobody leads the others")
}
