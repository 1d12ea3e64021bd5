//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	workersMax    = 5
	mayflyPath    = "/mayfly"
	mayflyTimeout = time.Second
)

// fleet is the clients of one server, and what they know together.
type fleet struct {
	p        *process
	rng      *rand.Rand
	workers  []*worker
	numbers  map[int]string // number of a sequential znode below sharedPath -> the worker that created it
	young    []mayfly       // not yet looked at since their connection ended
	old      []mayfly       // found alive once
	mayflies int
	acks     atomic.Int64
}

// mayfly is a session of which only one ephemeral znode is left: connection and client are gone.
type mayfly struct {
	path     string
	session  zk.SessionID
	password []byte
}

// newFleet plants the subtrees on a server with an empty tree.
func newFleet(p *process, seed uint64) (*fleet, error) {
	f := &fleet{p: p, rng: rand.New(rand.NewPCG(seed, 1)), numbers: map[int]string{}}
	c, err := dialSuper(p.addr())
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	for _, path := range []string{sharedPath, mayflyPath} {
		if r, err := c.Do(&zk.Request{Op: zk.OpCreate, Path: path, ACL: zk.OpenACL, TTLMS: -1}); err != nil || r.Err != zk.OK {
			return nil, fmt.Errorf("create %s: %v, %w", path, r, err)
		}
	}
	for i := range workersMax {
		w := newWorker("w"+strconv.Itoa(i), p.addr(), rand.New(rand.NewPCG(seed, uint64(i)+10)))
		f.workers = append(f.workers, w)
		if err := w.plant(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// load is the fleet at work.
type load struct {
	stop    chan struct{}
	wg      sync.WaitGroup
	reached chan struct{} // closed when the acknowledgements asked for are there
	errs    []error       // by worker
}

// begin lets all workers run; reached is closed after so many acknowledgements.
func (f *fleet) begin(acks int64) *load {
	l := &load{stop: make(chan struct{}), reached: make(chan struct{}), errs: make([]error, len(f.workers))}
	goal := f.acks.Load() + acks
	for i, w := range f.workers {
		l.wg.Go(func() { // end waits for it
			l.errs[i] = w.run(l.stop, func() {
				if f.acks.Add(1) == goal {
					close(l.reached)
				}
			})
		})
	}
	return l
}

// end stops the workers, if the server has not, and returns what they found wrong.
func (l *load) end() error {
	close(l.stop)
	l.wg.Wait()
	return errors.Join(l.errs...)
}

// await waits until the acknowledgements asked for are there, which takes a server that answers.
func (l *load) await(p *process) error {
	select {
	case <-l.reached:
		return nil
	case <-p.exited:
		return fmt.Errorf("the server ended by itself (%v); its log ends:\n%s", p.cmd.ProcessState, p.logTail())
	case <-time.After(startDeadline):
		return fmt.Errorf("the server has not answered enough requests after %v", startDeadline)
	}
}

// check compares a restarted server, which nobody else uses, with what the workers know. They go on from there.
func (f *fleet) check() error {
	var errs []error
	views := make([]*view, len(f.workers))
	for i, w := range f.workers {
		views[i] = &view{nodes: map[string]*entry{}, shared: map[string]string{}}
		if w.session == 0 {
			continue
		}
		switch err := w.connect(); {
		case err == nil:
			views[i].open = true
		case !errors.Is(err, errRefused):
			errs = append(errs, fmt.Errorf("%s takes up its session: %w", w.name, err))
		}
	}
	if err := f.checkYoung(); err != nil {
		errs = append(errs, err)
	}
	c, err := dialSuper(f.p.addr())
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	tree, err := walk(c)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	errs = append(errs, f.sort(tree, views))
	for i, w := range f.workers {
		errs = append(errs, w.settle(views[i]))
	}
	errs = append(errs, f.count(tree))
	return errors.Join(errs...)
}

// sort gives each worker the znodes that are its own.
func (f *fleet) sort(tree map[string]*entry, views []*view) error {
	index := map[string]int{}
	for i, w := range f.workers {
		index[w.name] = i
	}
	var errs []error
	for path, e := range tree {
		name, rest, _ := strings.Cut(path[1:], "/")
		i, own := index[name]
		switch {
		case own:
			views[i].nodes[path] = e
		case "/"+name == sharedPath && rest != "":
			tag := string(e.Data)
			owner, _, _ := strings.Cut(tag, ".")
			v := views[index[owner]]
			if twin, twice := v.shared[tag]; twice {
				errs = append(errs, fmt.Errorf("%s was created twice: %s and %s", tag, twin, path))
			}
			v.shared[tag] = path
		case path != "/" && "/"+name != sharedPath && "/"+name != mayflyPath && "/"+name != zk.SystemPath:
			errs = append(errs, fmt.Errorf("%s: nobody created it", path))
		}
	}
	return errors.Join(errs...)
}

// count checks that each sequence number below sharedPath was given once, and none more than there were creates.
func (f *fleet) count(tree map[string]*entry) error {
	var errs []error
	for _, w := range f.workers {
		for _, path := range w.numbers {
			n, err := strconv.Atoi(strings.TrimPrefix(path, sharedPath+"/s-"))
			if other, taken := f.numbers[n]; taken || err != nil {
				errs = append(errs, fmt.Errorf("%s was given to %s, and before to %s", path, w.name, other))
			}
			f.numbers[n] = w.name
		}
		w.numbers = nil
	}
	s := tree[sharedPath].Stat
	if creates := int(s.Cversion+s.NumChildren) / 2; creates != len(f.numbers) {
		errs = append(errs, fmt.Errorf("%s counts %d creates (%+v), the workers know of %d", sharedPath, creates, s, len(f.numbers)))
	}
	return errors.Join(errs...)
}

// hatch leaves a session with an ephemeral znode behind.
func (f *fleet) hatch() error {
	c, err := dial(f.p.addr(), client.Options{Timeout: mayflyTimeout})
	if err != nil {
		return err
	}
	defer c.Abandon()
	m := mayfly{path: fmt.Sprintf("%s/m%d", mayflyPath, f.mayflies), session: c.Session(), password: c.Password()}
	f.mayflies++
	r, err := c.Do(&zk.Request{Op: zk.OpCreate, Path: m.path, ACL: zk.OpenACL, Mode: zk.Ephemeral, TTLMS: -1})
	if err == nil && r.Err != zk.OK {
		err = fmt.Errorf("create %s: %v", m.path, r.Err)
	}
	f.young = append(f.young, m)
	return err
}

// checkYoung takes up the sessions left behind: a session that lives has its znode, one that does not has none.
func (f *fleet) checkYoung() error {
	var errs []error
	for _, m := range f.young {
		c, err := dial(f.p.addr(), client.Options{Session: m.session, Password: m.password, Timeout: mayflyTimeout})
		lives := err == nil
		if err != nil && !errors.Is(err, client.ErrExpired) {
			errs = append(errs, err)
			continue
		}
		if !lives {
			if c, err = dial(f.p.addr(), client.Options{}); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		r, err := c.Do(&zk.Request{Op: zk.OpExists, Path: m.path})
		switch {
		case err != nil:
			errs = append(errs, err)
		case lives && (r.Err != zk.OK || zk.SessionID(r.Stat.EphemeralOwner) != m.session):
			errs = append(errs, fmt.Errorf("session %v lives and %s does not: %v %+v", m.session, m.path, r.Err, r.Stat))
		case !lives && r.Err != zk.NoNode:
			errs = append(errs, fmt.Errorf("session %v is over and %s still there: %v", m.session, m.path, r.Err))
		}
		if lives {
			f.old = append(f.old, m)
			c.Abandon()
		} else if err := c.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	f.young = nil
	return errors.Join(errs...)
}

// outlive waits until no session left behind has its znode any more, while the workers' sessions go on.
func (f *fleet) outlive() error {
	c, err := dialSuper(f.p.addr())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing depends on it
	for deadline := time.Now().Add(startDeadline); ; {
		r, err := c.Do(&zk.Request{Op: zk.OpGetChildren, Path: mayflyPath})
		if err != nil {
			return err
		}
		if len(r.Names) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("sessions are over and their znodes are still there after %v: %q", startDeadline, r.Names)
		}
		<-time.After(pollEvery)
	}
	for _, m := range f.old {
		if _, err := dial(f.p.addr(), client.Options{Session: m.session, Password: m.password}); !errors.Is(err, client.ErrExpired) {
			return fmt.Errorf("the znode of session %v is gone and the session is not: %w", m.session, err)
		}
	}
	return nil
}

// release ends the connections that the last check opened.
func (f *fleet) release() {
	for _, w := range f.workers {
		w.hangUp()
	}
}

// counts tells how many answers of each kind there were.
func (f *fleet) counts() string {
	sum := map[string]int{}
	for _, w := range f.workers {
		for k, n := range w.counts {
			sum[k] += n
		}
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		fmt.Fprintf(&b, "%s %d, ", k, sum[k])
	}
	return strings.TrimSuffix(b.String(), ", ")
}
