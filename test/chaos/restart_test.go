//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	guestTimeout = 10 * time.Second       // of a guest's session
	guestEvery   = 500 * time.Millisecond // a guest writes so often, on average
	guestPath    = "/guests"
)

// TestRollingRestart restarts all servers of an ensemble of each kind, one after the other and the leader last, under many clients: no
// session expires, and it reports for how long a client that lost its server had none.
func TestRollingRestart(t *testing.T) {
	sessions := 500
	if testing.Short() {
		sessions = 50
	}
	kinds := []string{java, paddock}
	ensembles, guests := map[string]*ensemble{}, map[string]*guests{}
	for _, kind := range kinds {
		e := assemble(t, []string{kind, kind, kind}, "tickTime=2000", "initLimit=10", "syncLimit=5")
		e.launch(t)
		e.await(t)
		ensembles[kind], guests[kind] = e, newGuests(t, e, sessions)
	}
	for _, kind := range kinds {
		e := ensembles[kind]
		last := e.leader(t)
		for _, p := range append(without(e.members, last), last) {
			if _, err := p.signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := p.launch(); err != nil {
				t.Fatal(err)
			}
			if err := p.await(""); err != nil {
				t.Fatal(err)
			}
			if err := guests[kind].settled(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, kind := range kinds {
		guests[kind].leave(t, kind)
		ensembles[kind].agree(t)
	}
}

// guests are clients that want to be served at all times.
type guests struct {
	addrs []string
	stop  chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex // guards all below
	away    int        // guests without a server
	windows []time.Duration
	expired int
	errs    []error
}

// newGuests opens the sessions, each with an ephemeral znode.
func newGuests(t *testing.T, e *ensemble, sessions int) *guests {
	t.Helper()
	g := &guests{addrs: e.addrs(), stop: make(chan struct{}), away: sessions}
	c, err := dial(e.members[0].addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	do(t, c, &zk.Request{Op: zk.OpCreate, Path: guestPath, ACL: zk.OpenACL, TTLMS: -1})
	for i := range sessions {
		g.wg.Go(func() { g.stay(i) }) // leave waits for it
	}
	if err := g.settled(); err != nil {
		t.Fatal(err)
	}
	return g
}

// settled waits until every guest is served.
func (g *guests) settled() error {
	for deadline := time.Now().Add(startDeadline); ; <-time.After(pollEvery) {
		g.mu.Lock()
		away, err := g.away, errors.Join(g.errs...)
		g.mu.Unlock()
		if away == 0 || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d clients have no server", away)
		}
	}
}

// stay is one guest.
func (g *guests) stay(i int) {
	rng := rand.New(rand.NewPCG(uint64(i), 5))
	opt := client.Options{Timeout: guestTimeout}
	request := zk.Request{Op: zk.OpCreate, Path: fmt.Sprintf("%s/%d", guestPath, i), ACL: zk.OpenACL, Mode: zk.Ephemeral, TTLMS: -1}
	lost := time.Time{} // zero while there is a server
	first := true
	at := rng.IntN(len(g.addrs))
	for {
		c := g.connect(&opt, &at)
		if c == nil {
			return
		}
		for {
			req := request
			sent := time.Now()
			r, err := c.Do(&req)
			if err != nil {
				g.lose(&lost, sent)
				c.Abandon()
				break
			}
			if r.Err != zk.OK && r.Err != zk.NodeExists {
				g.fail(fmt.Errorf("guest %d: %v %s: %v", i, req.Op, req.Path, r.Err))
				c.Abandon()
				return
			}
			g.served(&lost, first)
			first = false
			request.Op, request.Version, request.Data = zk.OpSetData, -1, fmt.Append(nil, sent.UnixNano())
			opt.LastZxid = c.LastZxid()
			select {
			case <-g.stop:
				c.Close() //nolint:errcheck // nothing depends on it
				return
			case <-c.Done(): // the next request says so
			case <-time.After(time.Duration(rng.Int64N(int64(2 * guestEvery)))):
			}
		}
	}
}

// connect finds a server that takes the session; nil tells that the guest is to go.
func (g *guests) connect(opt *client.Options, at *int) *client.Conn {
	for tries := 1; ; tries++ {
		select {
		case <-g.stop:
			return nil
		default:
		}
		*at++
		ctx, cancel := contextFor(guestTimeout / 3)
		c, err := client.Dial(ctx, g.addrs[*at%len(g.addrs)], *opt)
		cancel()
		switch {
		case err == nil:
			opt.Session, opt.Password = c.Session(), c.Password()
			return c
		case errors.Is(err, client.ErrExpired):
			g.mu.Lock()
			g.expired++
			g.mu.Unlock()
			g.fail(fmt.Errorf("session %v is over", opt.Session))
			return nil
		}
		if tries%len(g.addrs) == 0 {
			<-time.After(20 * time.Millisecond)
		}
	}
}

// lose notes since when there is no server.
func (g *guests) lose(lost *time.Time, at time.Time) {
	if lost.IsZero() {
		*lost = at
		g.mu.Lock()
		g.away++
		g.mu.Unlock()
	}
}

// served notes that there is a server, for the first time or again.
func (g *guests) served(lost *time.Time, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if first {
		g.away--
	}
	if !lost.IsZero() {
		g.windows = append(g.windows, time.Since(*lost))
		g.away--
		*lost = time.Time{}
	}
}

func (g *guests) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.errs = append(g.errs, err)
}

// leave ends the guests and reports.
func (g *guests) leave(t *testing.T, kind string) {
	t.Helper()
	close(g.stop)
	g.wg.Wait()
	if err := few(g.errs); err != nil {
		t.Errorf("%s: %v", kind, err)
	}
	w := g.windows
	if len(w) == 0 {
		t.Fatalf("%s: no client lost its server", kind)
	}
	slices.Sort(w)
	round := func(part float64) time.Duration { return w[int(part*float64(len(w)-1))].Round(time.Millisecond) }
	over := len(w)
	for over > 0 && w[over-1] > time.Second {
		over--
	}
	t.Logf("%s: %d sessions expired; %d times a client had no server, for %v (median), %v (99 %%), %v (longest); %d times for more than a second",
		kind, g.expired, len(w), round(0.5), round(0.99), round(1), len(w)-over)
}
