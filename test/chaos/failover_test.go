//go:build chaos

package chaos

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

var failoversFlag = flag.Int("failovers", 0, "how often TestFailover kills the leader of each ensemble; 0 stands for 50, or 3 with -short")

const (
	failoverWriters = 4
	failoverPath    = "/failover"
	writeTimeout    = 10 * time.Second // of a writer's sessions
)

// TestFailover kills the leader under write load, of an ensemble of each kind in turn, and reports for how long no write was
// acknowledged. Every acknowledged write must be there in the end.
func TestFailover(t *testing.T) {
	times := *failoversFlag
	if times == 0 {
		if times = 50; testing.Short() {
			times = 3
		}
	}
	gaps := map[string][]time.Duration{}
	ensembles := map[string]*ensemble{}
	writers := map[string]*writers{}
	kinds := []string{java, paddock}
	for _, kind := range kinds {
		e := assemble(t, []string{kind, kind, kind}, "tickTime=2000", "initLimit=10", "syncLimit=5")
		e.launch(t)
		e.await(t)
		ensembles[kind], writers[kind] = e, newWriters(t, e)
	}
	for range times {
		for _, kind := range kinds {
			gaps[kind] = append(gaps[kind], failover(t, ensembles[kind], writers[kind]))
		}
	}
	for _, kind := range kinds {
		if err := writers[kind].check(ensembles[kind].agree(t)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		g := gaps[kind]
		slices.Sort(g)
		t.Logf("%s: no write for %v (median), %v to %v", kind, g[len(g)/2].Round(time.Millisecond), g[0].Round(time.Millisecond), g[len(g)-1].Round(time.Millisecond))
	}
	j, p := gaps[java], gaps[paddock]
	t.Logf("median as a part of Java's: %.2f", float64(p[len(p)/2])/float64(j[len(j)/2]))
}

// failover kills the leader while others write, and returns the longest time without an acknowledgement around that.
func failover(t *testing.T, e *ensemble, w *writers) time.Duration {
	t.Helper()
	w.start()
	if err := w.await(20); err != nil {
		t.Fatal(err)
	}
	leader := e.leader(t)
	killed := time.Now()
	if err := leader.kill(); err != nil {
		t.Fatal(err)
	}
	if err := w.await(20); err != nil {
		t.Fatal(err)
	}
	w.end()
	gap := w.longest(killed)
	e.launch(t)
	if err := leader.await("follower"); err != nil {
		t.Fatal(err)
	}
	return gap
}

// writers set znodes of their own, one request at a time, through whichever server answers.
type writers struct {
	addrs []string
	stop  chan struct{}
	wg    sync.WaitGroup

	mu    sync.Mutex // guards all below
	acked []time.Time
	last  [failoverWriters]int // the highest number acknowledged
	sent  [failoverWriters]int
}

func newWriters(t *testing.T, e *ensemble) *writers {
	t.Helper()
	c, err := dial(e.members[0].addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	do(t, c, &zk.Request{Op: zk.OpCreate, Path: failoverPath, ACL: zk.OpenACL, TTLMS: -1})
	for i := range failoverWriters {
		do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint(failoverPath, "/", i), Data: []byte("0"), ACL: zk.OpenACL, TTLMS: -1})
	}
	return &writers{addrs: e.addrs()}
}

func (w *writers) start() {
	w.stop, w.acked = make(chan struct{}), nil
	for i := range failoverWriters {
		w.wg.Go(func() { w.write(i) }) // end waits for it
	}
}

func (w *writers) end() {
	close(w.stop)
	w.wg.Wait()
}

// write is one writer: it goes from server to server until one answers.
func (w *writers) write(i int) {
	var c *client.Conn
	defer func() {
		if c != nil {
			c.Abandon()
		}
	}()
	for at := i; ; {
		select {
		case <-w.stop:
			return
		default:
		}
		if c == nil {
			at++
			ctx, cancel := contextFor(time.Second)
			fresh, err := client.Dial(ctx, w.addrs[at%len(w.addrs)], client.Options{Timeout: writeTimeout})
			cancel()
			if err != nil {
				<-time.After(pollEvery)
				continue
			}
			c = fresh
		}
		w.mu.Lock()
		w.sent[i]++
		n := w.sent[i]
		w.mu.Unlock()
		r, err := c.Do(&zk.Request{Op: zk.OpSetData, Path: fmt.Sprint(failoverPath, "/", i), Data: []byte(fmt.Sprint(n)), Version: -1})
		if err != nil || r.Err != zk.OK {
			c.Abandon()
			c = nil
			continue
		}
		w.mu.Lock()
		w.acked = append(w.acked, time.Now())
		w.last[i] = n
		w.mu.Unlock()
	}
}

// await returns after n more acknowledgements.
func (w *writers) await(n int) error {
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.acked)
	}
	goal := count() + n
	for deadline := time.Now().Add(startDeadline); count() < goal; <-time.After(pollEvery) {
		if time.Now().After(deadline) {
			return fmt.Errorf("not even %d writes in %v", n, startDeadline)
		}
	}
	return nil
}

// longest is the time from the last acknowledgement before the kill, or the kill if that is later, to the first that came from a
// server that lives: the longest gap.
func (w *writers) longest(killed time.Time) (gap time.Duration) {
	for i := 1; i < len(w.acked); i++ {
		if w.acked[i].After(killed) {
			gap = max(gap, w.acked[i].Sub(w.acked[i-1]))
		}
	}
	return gap
}

// check looks for what was acknowledged: each znode holds its last number, or one that was sent later.
func (w *writers) check(m *image) error {
	for i := range failoverWriters {
		path := fmt.Sprint(failoverPath, "/", i)
		var n int
		if _, err := fmt.Sscan(string(m.Znodes[path].Data), &n); err != nil || n < w.last[i] || n > w.sent[i] {
			return fmt.Errorf("%s holds %q; %d was acknowledged, %d was sent", path, m.Znodes[path].Data, w.last[i], w.sent[i])
		}
	}
	return nil
}
