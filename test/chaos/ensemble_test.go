//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
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
			for i, ensembles := 0, uint64(0); i < rounds; ensembles++ {
				r := &ensembleRun{T: t, e: assemble(t, kinds, "snapCount=300", "maxSessionTimeout=120000"), rng: rand.New(rand.NewPCG(s, ensembles))}
				r.e.launch(t)
				r.e.await(t)
				var err error
				if r.f, err = newFleet(r.e.members[0], s+ensembles); err != nil {
					t.Fatal(err)
				}
				for ; i < rounds && !r.spoilt; i++ {
					r.round(i)
				}
				r.f.release()
				if !r.spoilt {
					r.e.agree(t)
				}
				t.Logf("%d acknowledged requests, %d sequence numbers; answers: %s", r.f.acks.Load(), len(r.f.numbers), r.f.counts())
				r.e.end()
			}
		})
	}
}

// Whoever starts as a leader writes a snapshot at once, in ZooKeeper also of what no quorum has. If another leads in the end
// and tells it to truncate its log, the snapshot stays, and the server goes on with what was truncated: ZOOKEEPER-1549. It says that
// itself, in two lines: where it is to truncate to, and what it loads after that.
var (
	truncates = regexp.MustCompile(`Truncating log to get in sync with the leader 0x([0-9a-f]+)`)
	loads     = regexp.MustCompile(`Snapshot loaded in \d+ ms, highest zxid is 0x([0-9a-f]+)`)
)

// untruncated tells whether a Java member has kept what it was told to truncate. It differs from the others then, whoever leads them,
// and with it in the ensemble nothing can be said of any.
func (e *ensemble) untruncated() (bool, error) {
	for _, p := range e.members {
		if p.kind != java {
			continue
		}
		log, err := os.ReadFile(p.logFile())
		if err != nil {
			return false, err
		}
		for _, at := range truncates.FindAllSubmatchIndex(log, -1) {
			to, err1 := strconv.ParseUint(string(log[at[2]:at[3]]), 16, 64)
			m := loads.FindSubmatch(log[at[1]:])
			if m == nil {
				continue
			}
			loaded, err2 := strconv.ParseUint(string(m[1]), 16, 64)
			if err := errors.Join(err1, err2); err != nil || loaded > to {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// TestKeptThoughTruncated checks that what ZooKeeper says of it is understood, and nothing else is taken for it.
func TestKeptThoughTruncated(t *testing.T) {
	const truncated = "WARN Learner - Truncating log to get in sync with the leader 0x1300000422\n"
	loaded := func(zxid string) string {
		return "INFO ZKDatabase - Snapshot loaded in 16 ms, highest zxid is " + zxid + ", digest is 1\n"
	}
	for text, want := range map[string]bool{
		"": false, loaded("0x1300000433") + truncated + loaded("0x1300000422"): false, truncated: false,
		loaded("0x1300000433") + truncated + loaded("0x1300000433") + loaded("0x1300000422"): true,
	} {
		p, err := newProcess(java, t.TempDir(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p.logFile(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := (&ensemble{members: []*process{p}}).untruncated(); got != want || err != nil {
			t.Errorf("%q: %t, %v", text, got, err)
		}
	}
}

type ensembleRun struct {
	*testing.T
	e   *ensemble
	f   *fleet
	rng *rand.Rand
	// spoilt: a Java member has kept what it was told to truncate, and another ensemble does the rest of the rounds.
	spoilt bool
}

// must ends the test because of an error, unless that is a Java member's.
func (r *ensembleRun) must(i int, err error) {
	r.Helper()
	spoilt, err2 := r.e.untruncated()
	switch {
	case err2 != nil:
		r.Fatal(err2)
	case spoilt && !r.spoilt:
		r.Logf("round %d: a java member has kept what it was told to truncate; a new ensemble goes on (%v)", i, err)
	case err != nil && !spoilt:
		r.Fatalf("round %d: %v", i, err)
	}
	r.spoilt = spoilt
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
	if r.must(i, l.end()); r.spoilt {
		return
	}
	r.e.launch(r.T)
	r.e.await(r.T)
	if r.must(i, r.e.catchUp()); r.spoilt {
		return
	}
	r.spread()
	r.must(i, r.f.check())
}
