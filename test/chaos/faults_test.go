//go:build chaos

package chaos

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var faultFlag = flag.String("fault", "", "part of the name of the only faults that TestFaults draws from")

var minutesFlag = flag.Float64("chaos.minutes", 0, "how long TestFaults goes on; 0 stands for 30, or a few faults with -short")

// TestFaults lets ensembles of three and of five servers meet with faults of servers, networks and disks, while clients work. What
// the clients saw is judged after each fault, and in the end all servers show the same.
func TestFaults(t *testing.T) {
	apart(t, func(t *testing.T) {
		s := seed(t)
		for _, form := range [][2]int{{3, 7}, {5, 3}} {
			size, few := form[0], form[1]
			t.Run(fmt.Sprint(size, " servers"), func(t *testing.T) {
				kinds := make([]string, size)
				for i := range kinds {
					kinds[i] = paddock
				}
				w := newWorld(t, kinds, s, "snapCount=500")
				until := time.Now().Add(time.Duration(*minutesFlag / 2 * float64(time.Minute)))
				if *minutesFlag == 0 {
					until = time.Now().Add(15 * time.Minute)
				}
				rounds := 1 << 30
				if testing.Short() && *minutesFlag == 0 {
					rounds = few
				} else {
					w.brief *= 2
				}
				w.launch(t)
				w.await(t)
				w.bulk()
				drawn := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !strings.Contains(f.name, *faultFlag) })
				w.rng.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
				for i := 0; i < rounds && time.Now().Before(until) && !t.Failed(); i++ {
					w.round(i, drawn[i%len(drawn)], s)
				}
			})
		}
	})
}

// round lets a fault happen to the ensemble while a crew works, and judges.
func (w *world) round(i int, f fault, seed uint64) {
	t := w.t
	t.Helper()
	w.must(plantObjects(w.members, i))
	c := newCrew(w.members, i, seed)
	defer c.halt()
	w.must(c.progress(40))
	lost, began := w.net.dropped(), time.Now()
	f.run(w)
	const inARow = 4 // one round in so many has three faults, and no rest between them
	if w.rng.IntN(inARow) == 0 {
		for range 2 {
			next := faults[w.rng.IntN(len(faults))]
			next.run(w)
			f.name += "; " + next.name
		}
	}
	lasted := time.Since(began)
	w.restore()
	back := time.Since(began) - lasted
	progress := c.progress(60)
	if err := c.end(); err != nil {
		t.Errorf("round %d, %s: %v", i, f.name, err)
	}
	if progress != nil {
		t.Errorf("round %d, %s: %v", i, f.name, progress)
	}
	const often = 5
	if i%often == 0 || t.Failed() || testing.Short() {
		w.agree(t)
	}
	t.Logf("round %d, %s for %v, all back after %v, %d packets lost: %s", i, f.name, lasted.Round(time.Millisecond), back.Round(time.Millisecond),
		w.net.dropped()-lost, c.figures())
}
