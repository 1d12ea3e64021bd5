package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	// fillLanes is how many connections make and delete znodes.
	fillLanes = 8
	// fillWindow is how many requests each of them has outstanding, if the data is not too long for that.
	fillWindow = 128
	// controlTimeout bounds connecting.
	controlTimeout = 10 * time.Second
	// clearPassesMax is how often deletion begins again because of znodes that were made meanwhile.
	clearPassesMax = 50
)

// site is the part of the tree that one run works in: a znode of its own under the root, and a session to make it with.
type site struct {
	opt      *Options
	control  *client.Conn
	dir      string // the run's own znode
	madeRoot bool
}

// openSite connects and makes the run's znode.
func openSite(ctx context.Context, opt *Options) (*site, error) {
	s := &site{opt: opt}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	err := s.make()
	if err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// connect opens the control session.
func (s *site) connect(ctx context.Context) error {
	dialing, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	c, err := client.Dial(dialing, s.opt.Servers[0], client.Options{Timeout: sessionTimeoutMS * time.Millisecond, TLS: s.opt.TLS})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; is a server running there? name another one, or start it", err)
	}
	s.control = c
	return nil
}

// release closes the control session.
func (s *site) release() {
	if s.control != nil {
		s.control.Close() //nolint:errcheck // if it fails the session expires; it owns nothing
		s.control = nil
	}
}

// make creates the root if it is missing, and the run's znode, which is named after the session.
func (s *site) make() error {
	code, err := s.do(&zk.Request{Op: zk.OpCreate, Path: s.opt.Root, ACL: zk.OpenACL})
	switch {
	case err != nil:
		return err
	case code == zk.NoNode:
		return fmt.Errorf("the parent of root %s does not exist; create it, or name another root", s.opt.Root)
	case code != zk.OK && code != zk.NodeExists:
		return fmt.Errorf("create %s: %v", s.opt.Root, code)
	}
	s.madeRoot = code == zk.OK
	dir := fmt.Sprintf("%s/%x", s.opt.Root, uint64(s.control.Session()))
	if err := s.create(dir); err != nil {
		return err
	}
	s.dir = dir
	return nil
}

// do asks on the control session.
func (s *site) do(req *zk.Request) (zk.Code, error) {
	reply, err := s.control.Do(req)
	if err != nil {
		return 0, fmt.Errorf("%v %s at %s: %w", req.Op, req.Path, s.opt.Servers[0], err)
	}
	return reply.Err, nil
}

// create creates one persistent znode without data.
func (s *site) create(path string) error {
	code, err := s.do(&zk.Request{Op: zk.OpCreate, Path: path, ACL: zk.OpenACL})
	if err == nil && code != zk.OK {
		err = fmt.Errorf("create %s: %v", path, code)
	}
	return err
}

// clear deletes what the load made, then the run's znode, and the root if this run made it and nobody uses it. Requests of
// connections that were lost may still be at work, so what is not empty is tried again.
func (s *site) clear(ctx context.Context, ld load) error {
	defer s.release()
	for pass := 1; ; pass++ {
		err := s.clearOnce(ctx, ld)
		var answer answerError
		if pass == clearPassesMax || !errors.As(err, &answer) || answer[zk.NotEmpty] == 0 {
			return err
		}
	}
}

func (s *site) clearOnce(ctx context.Context, ld load) error {
	if s.control.Err() != nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	if err := ld.clear(ctx); err != nil {
		return err
	}
	reply, err := s.control.Do(&zk.Request{Op: zk.OpGetChildren, Path: s.dir})
	if err != nil {
		return err
	}
	for _, name := range reply.Names { // what a connection that was lost has left
		if _, err := s.do(&zk.Request{Op: zk.OpDelete, Path: s.dir + "/" + name, Version: -1}); err != nil {
			return err
		}
	}
	code, err := s.do(&zk.Request{Op: zk.OpDelete, Path: s.dir, Version: -1})
	if err == nil && code != zk.OK && code != zk.NoNode {
		err = answerError{code: 1}
	}
	if err == nil && s.madeRoot {
		_, err = s.do(&zk.Request{Op: zk.OpDelete, Path: s.opt.Root, Version: -1}) // NotEmpty: another run is there
	}
	return err
}

// fill creates count znodes, or deletes those of them that are there.
func (s *site) fill(ctx context.Context, k kind, z znodes, count int) error {
	parts := split(count, fillLanes)
	for i := range parts {
		parts[i].what = newTemplate(k, z.prefix, z.data, false)
	}
	if k == kindDelete {
		return s.sweep(ctx, "clean up", parts, zk.NoNode)
	}
	return s.sweep(ctx, "fill", parts, zk.OK)
}

// sweep sends each request of each sequence once, over a few connections, and fails if one is answered with an error
// that is not excused. Sequences may overtake each other. When ctx ends, what was sent is still waited for, so that it
// does not happen later.
func (s *site) sweep(ctx context.Context, name string, parts []sequence, excused zk.Code) error {
	g := newGroup(context.WithoutCancel(ctx), s.opt.Progress)
	defer g.cancel(nil)
	g.stage.phase.Store(phaseMeasure)
	defer context.AfterFunc(ctx, func() {
		g.stage.phase.Store(phaseStop)
		time.AfterFunc(drainTimeout, func() { g.cancel(errUnanswered) })
	})()
	window := min(fillWindow, max(1, inFlightBytesMax/max(1, s.opt.DataBytes)))
	lanes := make([]*lane, min(fillLanes, len(parts)))
	for i := range lanes {
		src := &chain{}
		for j := i; j < len(parts); j += len(lanes) {
			src.parts = append(src.parts, parts[j])
		}
		lanes[i] = newLane(nil, g.stage, src, window)
		lanes[i].excused = excused
		g.run(func() error { // ends when all is answered, or with the group
			var err error
			if lanes[i].link, err = dial(g.ctx, s.opt.Servers[0], s.opt.TLS); err != nil {
				return err
			}
			if err = pump(lanes[i]); err != nil {
				lanes[i].abandon()
				return err
			}
			lanes[i].close() //nolint:errcheck // all is done; a session that is not closed expires
			return nil
		})
	}
	g.until(g.ended(), name, 0)
	g.loops.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := context.Cause(g.ctx); err != nil {
		return err
	}
	var t tally
	for _, l := range lanes {
		t.merge(&l.tally)
	}
	return answered(&t)
}

// chain is several sequences, one after the other.
type chain struct{ parts []sequence }

func (c *chain) next() (*template, int) {
	for len(c.parts) > 0 {
		if t, key := c.parts[0].next(); t != nil {
			return t, key
		}
		c.parts = c.parts[1:]
	}
	return nil, 0
}

// split divides the numbers below count into at most n ranges of nearly the same size.
func split(count, n int) []sequence {
	n = min(n, count)
	parts := make([]sequence, n)
	for i := range parts {
		parts[i] = sequence{at: count * i / n, end: count * (i + 1) / n}
	}
	return parts
}

// data is what znodes hold: bytes that do not compress.
func data(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails
	return b
}

// openLinks opens n links, spread over the servers, a few at a time. They fail when ctx ends.
func openLinks(ctx context.Context, opt *Options, n int) ([]*link, error) {
	const atOnce = 32
	g := newGroup(ctx, opt.Progress)
	defer g.cancel(nil)
	links := make([]*link, n)
	for i := range min(atOnce, n) {
		g.run(func() error { // ends with its share of the connections, or with the group
			for j := i; j < n; j += atOnce {
				l, err := dial(g.ctx, opt.Servers[j%len(opt.Servers)], opt.TLS)
				if err != nil {
					return fmt.Errorf("connection %d of %d: %w", j+1, n, err)
				}
				l.bind(ctx)
				links[j] = l
				g.stage.live.Add(1)
				if g.ctx.Err() != nil {
					return nil
				}
			}
			return nil
		})
	}
	g.until(g.ended(), "connect", 0)
	g.loops.Wait()
	err := context.Cause(g.ctx)
	if err != nil {
		for _, l := range links {
			if l != nil {
				l.abandon()
			}
		}
	}
	return links, err
}
