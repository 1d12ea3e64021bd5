//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// orders are the permutations of the ids 1 to n.
func orders(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, shorter := range orders(n - 1) {
		for i := n - 1; i >= 0; i-- {
			order := append(append(append([]int{}, shorter[:i]...), n), shorter[i:]...)
			all = append(all, order)
		}
	}
	return all
}

// wipe takes away what the members have stored, but for their ids.
func (e *ensemble) wipe(t *testing.T) {
	t.Helper()
	for _, p := range e.members {
		if err := os.RemoveAll(filepath.Join(p.data, "version-2")); err != nil {
			t.Fatal(err)
		}
	}
}

// begin starts the members in an order, each once the one before answers, served or not, and waits until all serve.
func (e *ensemble) begin(t *testing.T, order []int) {
	t.Helper()
	for _, id := range order {
		p := e.members[id-1]
		if err := p.launch(); err != nil {
			t.Fatal(err)
		}
		answers(t, p)
	}
	e.await(t)
}

// answers waits until a process answers words.
func answers(t *testing.T, p *process) {
	t.Helper()
	for deadline := time.Now().Add(startDeadline); ; {
		if text, err := p.word("isro"); err == nil && text != "" {
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("%s ended:\n%s", p.kind, p.logTail())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer:\n%s", p.kind, p.logTail())
		}
	}
}

// end kills all members.
func (e *ensemble) end() {
	for _, p := range e.members {
		p.end()
	}
}

// TestAnyOrderOfThree answers "Have smaller server identifier, so dropping the connection": an ensemble forms in whatever
// order its members start, and each that is restarted comes back, in whatever order, while the others stay up.
func TestAnyOrderOfThree(t *testing.T) {
	for _, kinds := range mixtures[1:] {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			all := orders(3)
			starts, restarts := all, all
			if testing.Short() && kinds[0]+kinds[1]+kinds[2] != paddock+paddock+paddock {
				starts, restarts = all[5:], all[:1] // the lowest id last, and first
			}
			e := assemble(t, kinds)
			for _, order := range starts {
				e.wipe(t)
				began := time.Now()
				e.begin(t, order)
				t.Logf("started in the order %v: %v", order, time.Since(began).Round(time.Millisecond))
				e.end()
			}
			e.wipe(t)
			e.begin(t, []int{1, 2, 3})
			for _, order := range restarts {
				began := time.Now()
				for _, id := range order {
					p := e.members[id-1]
					if err := p.kill(); err != nil {
						t.Fatal(err)
					}
					if err := p.launch(); err != nil {
						t.Fatal(err)
					}
					e.await(t)
				}
				t.Logf("restarted in the order %v: %v", order, time.Since(began).Round(time.Millisecond))
			}
			e.agree(t)
		})
	}
}

// TestAnyOrderOfFive is all 120 orders in which five servers can start.
func TestAnyOrderOfFive(t *testing.T) {
	e := assemble(t, []string{paddock, paddock, paddock, paddock, paddock})
	all := orders(5)
	if testing.Short() {
		all = append(all[:3], all[len(all)-3:]...)
	}
	slowest := time.Duration(0)
	for _, order := range all {
		began := time.Now()
		e.begin(t, order)
		if took := time.Since(began); took > slowest {
			slowest = took
			t.Logf("in the order %v: %v", order, took.Round(time.Millisecond))
		}
		e.end()
	}
	t.Logf("%d orders; the slowest took %v", len(all), slowest.Round(time.Millisecond))
}

// TestAnyOrderOfFiveMixed is a few of those orders with ZooKeeper's servers among them.
func TestAnyOrderOfFiveMixed(t *testing.T) {
	for _, kinds := range [][]string{{java, paddock, paddock, java, paddock}, {paddock, java, java, paddock, paddock}} {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds)
			for _, order := range [][]int{{5, 4, 3, 2, 1}, {1, 2, 3, 4, 5}, {3, 1, 5, 2, 4}} {
				t.Run(fmt.Sprint(order), func(t *testing.T) {
					e.begin(t, order)
					e.end()
				})
				if testing.Short() {
					return
				}
			}
		})
	}
}
