//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// mixtures are the kinds of three servers, by the order of their ids.
var mixtures = [][]string{
	{java, java, java}, {paddock, paddock, paddock},
	{java, java, paddock}, {java, paddock, java}, {paddock, java, java},
	{java, paddock, paddock}, {paddock, java, paddock}, {paddock, paddock, java},
}

func TestEnsemblesForm(t *testing.T) {
	for _, kinds := range mixtures {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			e := assemble(t, kinds)
			e.launch(t)
			e.await(t)
			for i, p := range e.members {
				c, err := dial(p.addr(), client.Options{})
				if err != nil {
					t.Fatal(err)
				}
				for j := range 20 {
					do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprintf("/from-%d-%d", i, j), ACL: zk.OpenACL, TTLMS: -1})
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(e.agree(t).Znodes); n < 60 {
				t.Errorf("%d znodes", n)
			}
		})
	}
}

// TestEnsembleKill kills members under load again and again, one at a time so that there is always a quorum, or all. What
// TestKill asks of one server is asked of the ensemble, and at the end all members show the same.
func TestEnsembleKill(t *testing.T) {
	rounds := *killsFlag
	if rounds == 0 {
		if rounds = 40; testing.Short() {
			rounds = 6
		}
	}
	for _, kinds := range mixtures {
		t.Run(strings.Join(kinds, " "), func(t *testing.T) {
			s := seed(t)
			r := &ensembleRun{T: t, e: assemble(t, kinds, "snapCount=300", "maxSessionTimeout=120000"), rng: rand.New(rand.NewPCG(s, 0))}
			r.e.launch(t)
			r.e.await(t)
			var err error
			if r.f, err = newFleet(r.e.members[0], s); err != nil {
				t.Fatal(err)
			}
			for i := range rounds {
				r.round(i)
			}
			r.f.release()
			r.e.agree(t)
			t.Logf("%d acknowledged requests, %d sequence numbers; answers: %s", r.f.acks.Load(), len(r.f.numbers), r.f.counts())
		})
	}
}

type ensembleRun struct {
	*testing.T
	e   *ensemble
	f   *fleet
	rng *rand.Rand
}

// spread gives each worker a member to talk to, and the fleet one to look at.
func (r *ensembleRun) spread() {
	any := func() *process { return r.e.members[r.rng.IntN(len(r.e.members))] }
	for _, w := range r.f.workers {
		w.addr = any().addr()
	}
	r.f.p = any()
}

func (r *ensembleRun) round(i int) {
	r.Helper()
	l := r.f.begin(1 + r.rng.Int64N(300))
	select {
	case <-l.reached:
	case <-time.After(startDeadline):
		r.Fatalf("round %d: not enough requests are answered", i)
	}
	victims := []*process{r.e.members[r.rng.IntN(len(r.e.members))]}
	switch r.rng.IntN(5) {
	case 0:
		victims = r.e.members
	case 1, 2:
		victims = []*process{r.e.leader(r.T)}
	}
	for _, p := range victims {
		if err := p.kill(); err != nil {
			r.Fatal(err)
		}
	}
	<-time.After(time.Duration(r.rng.Int64N(int64(time.Second)))) // for the others to go on; nothing is waited for
	if err := l.end(); err != nil {
		r.Fatalf("round %d: %v", i, err)
	}
	r.e.launch(r.T)
	r.e.await(r.T)
	if err := r.e.catchUp(); err != nil {
		r.Fatalf("round %d: %v", i, err)
	}
	r.spread()
	if err := r.f.check(); err != nil {
		r.Fatalf("round %d: %v", i, err)
	}
}
