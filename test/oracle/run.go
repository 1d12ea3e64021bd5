//go:build interop

package oracle

import (
	"errors"
	"fmt"
	"sort"
)

// run plays seeds against server pairs, starting a fresh pair now and then.
type run struct {
	dir      string // a fresh directory; each pair gets a subdirectory
	kind     string // of server B: "java" or "paddock"
	requests int    // per seed
	perPair  int    // seeds until a fresh pair is started
	proxy    func(addr string) (string, func(), error)

	pair  *pair
	pairs int
	first uint64 // seed the current pair began with
	seen  tally
	cover tally
	sent  int
	stop  func()
}

// close ends the servers.
func (r *run) close() {
	if r.pair == nil {
		return
	}
	r.pair.stop()
	if r.stop != nil {
		r.stop()
	}
	for n, c := range r.pair.seen {
		r.seen[n] += c
	}
	for n, c := range r.pair.coverage {
		r.cover[n] += c
	}
	r.pair = nil
}

// fresh replaces the pair. Every third one enforces quotas.
func (r *run) fresh(seed uint64) error {
	if r.seen == nil {
		r.seen, r.cover = tally{}, tally{}
	}
	r.close()
	r.pairs++
	p, err := newPair(fmt.Sprintf("%s/pair%d", r.dir, r.pairs), r.kind, options{enforceQuota: seed/uint64(r.perPair)%3 == 2})
	if err != nil {
		return err
	}
	r.pair, r.first = p, seed
	if r.proxy != nil {
		addr, stop, err := r.proxy(p.b.addr)
		if err != nil {
			return err
		}
		p.b.addr, r.stop = addr, stop
	}
	return nil
}

// seed plays one seed and returns a *Difference or what kept it from playing.
func (r *run) seed(seed uint64) error {
	if r.pair == nil || seed%uint64(r.perPair) == 0 {
		if err := r.fresh(seed); err != nil {
			return err
		}
	}
	p := r.pair
	p.steps, p.history, p.nodes = 0, nil, nil
	g := newGame(seed, len(p.a.norm.sessions), p.opts, r.proxy == nil)
	g.last = p.last
	err := r.game(g)
	var d *Difference
	if errors.As(err, &d) {
		d.Replay = r.replay(seed)
	}
	return err
}

// replay is the command that plays the seed again, with the seeds that the same servers had played before it.
func (r *run) replay(seed uint64) string {
	return fmt.Sprintf("ORACLE_B=%s go test -tags interop ./test/oracle -run Differential -seed=%d -seeds=1 -requests=%d\n"+
		"or, with all that these servers had been asked before: -seed=%d -seeds=%d", r.kind, seed, r.requests, r.first, seed-r.first+1)
}

// game plays g to its end: the opening, the random steps, and a walk over all that is left.
func (r *run) game(g *game) error {
	for _, st := range g.first() {
		if err := r.step(g, st); err != nil {
			return err
		}
	}
	for sent := 0; sent < r.requests || len(g.queue) > 0; {
		st := g.next()
		sent += max(1, len(st.reqs))
		if err := r.step(g, st); err != nil {
			return err
		}
	}
	return r.epilogue(g)
}

func (r *run) step(g *game, st *step) error {
	r.sent += max(1, len(st.reqs))
	err := r.pair.play(g.seed, st)
	g.settle(r.pair)
	return err
}

// epilogue walks the tree as the super user, so that no difference stays unseen, and closes every session.
func (r *run) epilogue(g *game) error {
	used, _ := g.open()
	for _, i := range used {
		g.slots[i] = nil
		if err := r.step(g, &step{kind: stepDrop, slot: i}); err != nil {
			return err
		}
	}
	g.opened(0, g.base+len(g.sessions))
	steps := []*step{g.connect(0, &connectSpec{session: sessionNew, timeout: 600_000}, nil)}
	auth := reqAuth(-4, "digest", []byte(superPassword))
	steps = append(steps, g.send(0, &auth))
	for _, st := range steps {
		if err := r.step(g, st); err != nil {
			return err
		}
	}
	for _, root := range []string{g.top, "/zookeeper", "/zookeeper/quota" + g.top} {
		if err := r.walk(g, root, 0); err != nil {
			return err
		}
	}
	for _, session := range g.openSessions() {
		g.opened(1, session)
		if err := r.step(g, g.connect(1, &connectSpec{session: session, timeout: 600_000}, nil)); err != nil {
			return err
		}
		if err := r.step(g, g.closeSession(1)); err != nil {
			return err
		}
	}
	return r.step(g, g.closeSession(0))
}

// walk reads path and everything below it.
func (r *run) walk(g *game, path string, depth int) error {
	kids, data, acl := reqRead(opGetChildren2, path, false), reqRead(opGetData, path, false), reqPath(opGetACL, path)
	if err := r.step(g, g.send(0, &kids, &data, &acl)); err != nil {
		return err
	}
	names := r.pair.children
	if depth > 8 || path == "/zookeeper" {
		return nil
	}
	sort.Strings(names)
	for _, n := range names {
		if err := r.walk(g, path+"/"+n, depth+1); err != nil {
			return err
		}
	}
	return nil
}
