//go:build chaos

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/zk"
)

// TestRollingReplacement replaces the servers of an ensemble one by one, in place, under clients that hold locks and others that
// write: first Java by Java, which shows what is asked of Paddock, then Java by Paddock, and back.
func TestRollingReplacement(t *testing.T) {
	clients := 100
	if testing.Short() {
		clients = 10
	}
	e := assemble(t, []string{java, java, java}, "tickTime=1000", "initLimit=10", "syncLimit=10", "maxSessionTimeout=60000", "snapCount=20000")
	e.launch(t)
	e.await(t)
	r := newRoller(t, e, clients)
	rounds := []string{java, paddock, java}
	if testing.Short() {
		rounds = rounds[1:]
	}
	for _, kind := range rounds {
		r.round(kind)
	}
	r.finish()
}

// roller replaces servers.
type roller struct {
	*testing.T
	e       *ensemble
	holders []*holders
	w       *writers
	locks   map[string]*entry // as they were in the beginning
}

// newRoller starts the clients: as many of kazoo as of Curator, and writers.
func newRoller(t *testing.T, e *ensemble, clients int) *roller {
	t.Helper()
	r := &roller{T: t, e: e, w: newWriters(t, e)}
	for _, kind := range []string{kazooHolders, curatorHolders} {
		r.holders = append(r.holders, newHolders(t, kind, e.addrs(), clients))
	}
	r.locks = locksIn(e.agree(t))
	if want := 2 * (clients + clients/waitersOneIn); len(r.locks) != want {
		t.Fatalf("%d znodes of locks, want %d", len(r.locks), want)
	}
	r.w.start()
	return r
}

// locksIn are the ephemeral znodes of locks.
func locksIn(m *image) map[string]*entry {
	out := map[string]*entry{}
	for path, z := range m.Znodes {
		if strings.HasPrefix(path, "/locks/") && z.Stat.EphemeralOwner != 0 {
			out[path] = z
		}
	}
	return out
}

// round makes all servers of a kind, the leader last.
func (r *roller) round(kind string) {
	r.Helper()
	last := r.e.leader(r.T)
	for _, p := range append(without(r.e.running(), last), last) {
		r.replace(p, func() { p.kind = kind })
		r.ready(0)
		if p.kind == paddock {
			r.statusSays(p, "serving")
		}
	}
}

// ready returns once migrate check of all that run says that the next may be replaced, by an exit code of at most most.
func (r *roller) ready(most int) {
	r.Helper()
	var text string
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); <-time.After(pollEvery) {
		var addrs []string
		for _, p := range r.e.running() {
			addrs = append(addrs, p.addr())
		}
		var code int
		if code, text = checkEnsemble(r.T, addrs...); code <= most {
			return
		}
	}
	r.Fatalf("migrate check does not let the next be replaced:\n%s", text)
}

// statusSays asks as an operator on the host of a server does.
func (r *roller) statusSays(p *process, want string) {
	r.Helper()
	bin, err := program()
	if err != nil {
		r.Fatal(err)
	}
	out, err := exec.Command(bin, "status", "--config", p.configFile()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "Mode: "+p.mode()+"\n") {
		r.Fatalf("paddock status: %v:\n%s", err, out)
	}
}

func without(list []*process, p *process) (out []*process) {
	for _, q := range list {
		if q != p {
			out = append(out, q)
		}
	}
	return out
}

// replace stops a server, changes it, and starts it again under load; then it compares all.
func (r *roller) replace(p *process, change func()) {
	r.Helper()
	began, from, mode := time.Now(), p.kind, p.mode()
	if err := r.w.await(20); err != nil {
		r.Fatal(err)
	}
	if _, err := p.signal(syscall.SIGTERM); err != nil {
		r.Fatal(err)
	}
	change()
	if err := p.launch(); err != nil {
		r.Fatal(err)
	}
	if err := p.await(""); err != nil {
		r.Fatal(err)
	}
	if err := r.w.await(20); err != nil {
		r.Fatal(err)
	}
	r.check()
	r.Logf("%s that was %s replaced by %s in %v; it is %s now", from, mode, p.kind, time.Since(began).Round(time.Millisecond), p.mode())
}

// check asks the holders for their locks, and compares all servers while nobody writes. It returns what they show.
func (r *roller) check() *image {
	r.Helper()
	r.w.end()
	var errs []error
	for _, h := range r.holders {
		errs = append(errs, h.do("check", "checked"))
	}
	m := r.e.agree(r.T)
	twice, err := sameDigests(r.e.running())
	if err := errors.Join(append(errs, err, r.sameLocks(m), r.w.check(m))...); err != nil {
		r.Fatal(err)
	}
	for _, p := range twice {
		r.anew(p)
	}
	r.w.start()
	return m
}

// sameLocks tells whether every znode of a lock is still the one that was created in the beginning.
func (r *roller) sameLocks(m *image) error {
	var errs []error
	now := locksIn(m)
	for path, was := range r.locks {
		if z := now[path]; z == nil || z.Stat != was.Stat {
			errs = append(errs, fmt.Errorf("%s was %v, is %v", path, was, z))
		}
	}
	if len(now) != len(r.locks) {
		errs = append(errs, fmt.Errorf("%d znodes of locks, there were %d", len(now), len(r.locks)))
	}
	return errors.Join(errs...)
}

// finish lets everybody go; whoever waited for a lock must get it.
func (r *roller) finish() {
	r.Helper()
	r.w.end()
	var errs []error
	for _, h := range r.holders {
		errs = append(errs, h.do("finish", "finished"))
	}
	if err := errors.Join(append(errs, r.w.check(r.e.agree(r.T)))...); err != nil {
		r.Fatal(err)
	}
	writes := 0
	for _, n := range r.w.last {
		writes += n
	}
	r.Logf("%d writes", writes)
}

var mismatches = regexp.MustCompile(`(?m)^zk_digest_mismatches_count\t(\d+)`)

// readTwice is what a Java server says when it reads a transaction from its log that it had read before. A Java follower whose
// synchronization fails half-way (ZOOKEEPER-4394) logs the same transactions again, and when it reads them back finds the
// digests of the past in a tree that is ahead of them: it counts mismatches, whoever leads, also where all servers are Java.
var readTwice = regexp.MustCompile(`\(highestZxid\) > \d+\(next log\)`)

// sameDigests asks the servers whether the digest of their trees ever differed from the leader's. Those that read their own log
// twice are returned.
func sameDigests(list []*process) (twice []*process, err error) {
	for _, p := range list {
		text, err := p.word("mntr")
		if err != nil {
			return nil, err
		}
		m := mismatches.FindStringSubmatch(text)
		if m != nil && m[1] == "0" {
			continue
		}
		log, err := os.ReadFile(p.logFile())
		if err != nil {
			return nil, err
		}
		first, mismatch := readTwice.FindIndex(log), bytes.Index(log, []byte("Digests are not matching"))
		if p.kind != java || first == nil || mismatch < first[0] {
			return nil, fmt.Errorf("%s, %s: digests that differ: %q", p.addr(), p.kind, m)
		}
		twice = append(twice, p)
	}
	return twice, nil
}

// anew has a server begin without data, as migrate check wants it of one that counts digests that differ.
func (r *roller) anew(p *process) {
	r.Helper()
	r.Logf("%s, %s, read its own log twice: it begins anew", p.addr(), p.kind)
	if _, err := p.signal(syscall.SIGTERM); err != nil {
		r.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(p.data, "version-2")), p.launch()); err != nil {
		r.Fatal(err)
	}
	if err := p.await(""); err != nil {
		r.Fatal(err)
	}
}

// TestHoldersSeeALostLock takes a lock away from its holder: the holder and who waited for it must say so.
func TestHoldersSeeALostLock(t *testing.T) {
	p, err := newProcess(paddock, t.TempDir(), t.TempDir(), "tickTime=1000", "maxSessionTimeout=60000")
	if err != nil {
		t.Fatal(err)
	}
	running(t, p)
	for _, kind := range []string{kazooHolders, curatorHolders} {
		h := newHolders(t, kind, []string{p.addr()}, waitersOneIn)
		if err := h.do("check", "checked"); err != nil {
			t.Fatal(err)
		}
		c, err := dialSuper(p.addr())
		if err != nil {
			t.Fatal(err)
		}
		path := fmt.Sprintf("/locks/%s-%d", kind, waitersOneIn-2) // the last client waits for it
		names := do(t, c, &zk.Request{Op: zk.OpGetChildren, Path: path}).Names
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(a[len(a)-10:], b[len(b)-10:]) })
		do(t, c, &zk.Request{Op: zk.OpDelete, Path: path + "/" + names[0], Version: -1})
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		var said string
		for deadline := time.Now().Add(startDeadline); !strings.Contains(said, "given to another"); {
			if err := h.do("check", "checked"); err != nil {
				said += err.Error()
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: nobody noticed that the lock was given to another: %s", kind, said)
			}
		}
		if !strings.Contains(said, path+":") {
			t.Errorf("%s: the holder did not notice: %s", kind, said)
		}
	}
}
