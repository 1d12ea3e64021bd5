//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// The mixtures of TestInterop: three voters, of which the last leads while all are there, and an observer of the other kind.
var interopMixtures = [][]string{
	{paddock, java, paddock, observing + java},
	{java, paddock, java, observing + paddock},
	{java, java, paddock, observing + java},
	{paddock, paddock, java, observing + paddock},
}

// TestInterop has servers of both kinds in one ensemble, each kind leading the other: under load learners come back that miss a little,
// that have what nobody else has, and that have nothing, so that leaders of each kind bring learners of the other up to date in each
// of the three ways. What the clients saw is judged, and in the end all servers show the same.
func TestInterop(t *testing.T) {
	apart(t, func(t *testing.T) {
		s := seed(t)
		minutes := *minutesFlag
		if minutes == 0 && !testing.Short() {
			minutes = 10 // of each mixture
		}
		saw, ran := map[string]int{}, 0 // ran: how many mixtures; all, unless -run left some out
		for _, kinds := range interopMixtures {
			t.Run(strings.Join(kinds, " "), func(t *testing.T) {
				ran++
				w := newWorld(t, kinds, s, "snapCount=300", "autopurge.snapRetainCount=3")
				w.launch(t)
				w.await(t)
				until := time.Now().Add(time.Duration(minutes * float64(time.Minute)))
				for i := 0; i == 0 || time.Now().Before(until) && !t.Failed(); i++ {
					for j, scene := range interopScenes {
						if scene.long && testing.Short() && minutes == 0 {
							continue
						}
						w.interop(len(interopScenes)*i+j, scene, s, saw)
					}
					w.agree(t)
					for _, p := range w.members {
						if p.kind == java {
							w.must(p.purge())
						}
					}
				}
			})
		}
		for _, leader := range []string{java, paddock} {
			for _, learner := range []string{java, paddock} {
				for _, kind := range []string{"DIFF", "TRUNC", "SNAP"} {
					what := fmt.Sprintf("%s from %s to %s", kind, leader, learner)
					t.Logf("%s: %d times", what, saw[what])
					if saw[what] == 0 && leader != learner && ran == len(interopMixtures) {
						t.Errorf("there was no %s", what)
					}
				}
			}
		}
	})
}

// interopScene is something that happens to a mixture. All servers serve before and after.
type interopScene struct {
	name  string
	long  bool // it is left out of the short form
	quiet bool // it happens while nobody writes
	run   func(*world)
}

// interopScenes happen in turn. A leader of ZooKeeper's truncates a learner only as long as it has committed nothing in its own epoch, so
// that takes a quiet scene.
var interopScenes = []interopScene{
	{name: "a voter misses a little", run: func(w *world) { w.absence(0, 10, false) }},
	{name: "a voter has lost everything", run: func(w *world) { w.absence(0, 10, true) }},
	{name: "another voter misses a little", long: true, run: func(w *world) { w.absence(1, 10, false) }},
	{name: "another voter has lost everything", long: true, run: func(w *world) { w.absence(1, 10, true) }},
	{name: "the observer misses a little", long: true, run: func(w *world) { w.absence(3, 10, false) }},
	{name: "the observer has lost everything", run: func(w *world) { w.absence(3, 10, true) }},
	{name: "the leader writes what nobody hears", long: true, run: func(w *world) { w.deaf() }},
	{name: "the leader writes what nobody hears, and comes back at once", quiet: true, run: func(w *world) { w.deaf() }},
	{name: "a voter is away for long", long: true, run: func(w *world) { w.absence(0, 700, false) }},
	{name: "the leader is killed", long: true, run: func(w *world) { w.must(w.members[w.leading()].kill()); w.pause() }},
}

// interop makes the last voter lead, and then lets something happen to the ensemble while a crew works, or before.
func (w *world) interop(i int, scene interopScene, seed uint64, saw map[string]int) {
	t := w.t
	t.Helper()
	w.crown(2)
	w.net.overheard()
	if scene.quiet {
		scene.run(w)
		w.restore()
	}
	w.must(plantObjects(w.members, i))
	c := newCrew(w.members, i, seed)
	defer c.halt()
	w.must(c.progress(40))
	if !scene.quiet {
		scene.run(w)
		w.restore()
	}
	progress := c.progress(60)
	if err := c.end(); err != nil {
		t.Errorf("%s: %v", scene.name, err)
	}
	if progress != nil {
		t.Errorf("%s: %v", scene.name, progress)
	}
	var transfers []string
	for _, x := range w.net.overheard() {
		leader, learner := int(x.leader-memberID(0)), int(x.learner-memberID(0))
		saw[fmt.Sprintf("%s from %s to %s", x.kind, w.members[leader].kind, w.members[learner].kind)]++
		transfers = append(transfers, fmt.Sprintf("%s %d→%d", x.kind, leader+1, learner+1))
	}
	t.Logf("%s: %s; %s", scene.name, strings.Join(transfers, ", "), c.figures())
}

// crown makes a server lead, by killing whoever else does.
func (w *world) crown(i int) {
	w.t.Helper()
	const tries = 10
	for range tries {
		v := w.leading()
		if v == i {
			return
		}
		w.must(w.members[v].kill())
		w.succession(v)
		w.restore()
	}
	w.t.Fatalf("server %d does not come to lead", i+1)
}

// absence kills a learner, lets the others go on for some txns, and starts it again, perhaps with an empty data directory.
func (w *world) absence(i, txns int, empty bool) {
	p := w.members[i]
	w.must(p.kill())
	addr := w.members[2].addr()
	c, err := dial(addr, client.Options{})
	w.must(err)
	defer c.Close() //nolint:errcheck // nothing depends on it
	last := make(chan struct{})
	for n := range txns {
		c.Send(&zk.Request{Op: zk.OpSetData, Path: lockPath, Data: make([]byte, 2000), Version: -1}, func(*zk.Reply, error) {
			if n == txns-1 {
				close(last)
			}
		})
	}
	<-last
	if empty {
		w.must(os.RemoveAll(filepath.Join(p.data, "version-2")))
	}
	w.launch(w.t)
	w.must(p.await(""))
}

// deaf cuts the leader off from all other servers and gives it much to write. It lasts until another leads.
func (w *world) deaf() {
	v := w.leading()
	c, err := dial(w.members[v].addr(), client.Options{})
	w.must(err)
	defer c.Abandon()
	w.must(w.catchUp())
	w.cut(func(i, j int) bool { return i == v || j == v })
	for range 20 {
		c.Send(&zk.Request{Op: zk.OpSetData, Path: lockPath, Data: []byte("unheard"), Version: -1}, func(*zk.Reply, error) {})
	}
	w.succession(v)
	w.net.heal()
}
