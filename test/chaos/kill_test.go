//go:build chaos

package chaos

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of all choices; 0 draws one")
	killsFlag = flag.Int("kills", 0, "how often TestKill kills; 0 stands for 200, or 10 with -short")
)

// seed is what the choices of a test come from.
func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed=%d", s)
	return s
}

// running starts a server whose process ends with the test.
func running(t *testing.T, p *process) time.Duration {
	t.Helper()
	t.Cleanup(p.end)
	took, err := p.start()
	if err != nil {
		t.Fatal(err)
	}
	return took
}

// described is newProcess for a test: a directory for its data, and one for the rest.
func described(t *testing.T, kind string, extra ...string) *process {
	t.Helper()
	dir := t.TempDir()
	p, err := newProcess(kind, filepath.Join(dir, "data"), dir, extra...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// busy is the configuration under which everything that can happen to the files happens often.
var busy = []string{"snapCount=300", "tickTime=200", "minSessionTimeout=400", "maxSessionTimeout=120000", "fsync.warningthresholdms=10000"}

// killRun is one run of TestKill.
type killRun struct {
	*testing.T
	p     *process
	f     *fleet
	rng   *rand.Rand
	takes []time.Duration // of starts, until the server answered
}

// TestKill kills a server under load again and again. Every acknowledged write must be there after each restart, once;
// what was refused must not be; what is in doubt must be there whole or not at all; sessions and their ephemeral znodes
// live on; and the server always starts.
func TestKill(t *testing.T) {
	kills := *killsFlag
	if kills == 0 {
		if kills = 200; testing.Short() {
			kills = 10
		}
	}
	s := seed(t)
	r := &killRun{T: t, p: described(t, paddock, busy...), rng: rand.New(rand.NewPCG(s, 0))}
	running(t, r.p)
	var err error
	if r.f, err = newFleet(r.p, s); err != nil {
		t.Fatal(err)
	}
	ways := map[string]int{}
	for i := range kills {
		ways[r.round(i)]++
	}
	if err := r.f.outlive(); err != nil {
		t.Error(err)
	}
	if err := r.f.check(); err != nil {
		t.Error(err)
	}
	r.f.release()
	slices.Sort(r.takes)
	t.Logf("%d acknowledged requests, %d sequence numbers, %d sessions left behind; ended by %v", r.f.acks.Load(), len(r.f.numbers), r.f.mayflies, ways)
	t.Logf("answers: %s", r.f.counts())
	t.Logf("start until served: median %v, longest %v", r.takes[len(r.takes)/2], r.takes[len(r.takes)-1])
}

// round loads the server, ends it in one of several ways, starts it again and checks.
func (r *killRun) round(i int) (way string) {
	r.Helper()
	if err := r.f.hatch(); err != nil {
		r.Fatal(err)
	}
	l := r.f.begin(1 + r.rng.Int64N(1500))
	if err := l.await(r.p); err != nil {
		r.Fatalf("round %d: %v", i, err)
	}
	way = r.stop(i)
	if err := l.end(); err != nil {
		r.Fatalf("round %d, %s: %v", i, way, err)
	}
	if bad := r.p.complaints(); len(bad) > 0 {
		r.Fatalf("round %d: the server complained: %q", i, bad)
	}
	if r.rng.IntN(6) == 0 { // kill it while it starts
		if err := r.p.launch(); err != nil {
			r.Fatal(err)
		}
		select {
		case <-time.After(time.Duration(r.rng.Int64N(int64(40 * time.Millisecond)))):
		case <-r.p.exited:
			r.Fatalf("round %d: the server ended while it started; its log ends:\n%s", i, r.p.logTail())
		}
		if err := r.p.kill(); err != nil {
			r.Fatal(err)
		}
	}
	took, err := r.p.start()
	if err != nil {
		r.Fatalf("round %d, %s: %v", i, way, err)
	}
	r.takes = append(r.takes, took)
	if err := r.f.check(); err != nil {
		r.Fatalf("round %d, %s: %v", i, way, err)
	}
	if bad := r.p.complaints(); len(bad) > 0 {
		r.Fatalf("round %d: the server complained: %q", i, bad)
	}
	return way
}

// stop ends the server under load at a moment that chance picks.
func (r *killRun) stop(i int) string {
	r.Helper()
	send := func(sig syscall.Signal) {
		if err := r.p.cmd.Process.Signal(sig); err != nil {
			r.Fatal(err)
		}
	}
	pause := func(most time.Duration) { <-time.After(time.Duration(r.rng.Int64N(int64(most)))) } // of the kill, not for anything
	pause(3 * time.Millisecond)
	way, sig := "SIGKILL", syscall.SIGKILL
	switch r.rng.IntN(12) {
	case 0:
		way, sig = "SIGTERM", syscall.SIGTERM
	case 1:
		way = "SIGSTOP and SIGKILL"
		send(syscall.SIGSTOP)
		pause(100 * time.Millisecond)
	case 2, 3:
		way = "SIGSTOP, SIGCONT and SIGKILL"
		send(syscall.SIGSTOP)
		pause(300 * time.Millisecond)
		send(syscall.SIGCONT)
		pause(30 * time.Millisecond)
	}
	code, err := r.p.signal(sig)
	if err != nil {
		r.Fatalf("round %d, %s: %v", i, way, err)
	}
	if sig == syscall.SIGTERM && code != 0 {
		r.Fatalf("round %d: exit code %d after SIGTERM; the log ends:\n%s", i, code, r.p.logTail())
	}
	return way
}
