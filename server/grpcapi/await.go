package grpcapi

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"paddock/internal/zk"
)

// await makes the claim, or finds it, and waits until it is the first of its queue. A failure that is neither ctx's nor late leaves
// the claim: whoever asks again, here or through another server, takes up its place.
func (q *queues) await(ctx context.Context, a *asker, c *claim, data []byte, now bool) (held, error) {
	for first := true; ; first = false {
		if ctx.Err() != nil {
			return held{}, contextStatus(ctx)
		}
		// What is begun is finished: only then is it known what is to be taken back.
		queue, err := q.enter(context.WithoutCancel(ctx), a, c, data, now && first)
		if err != nil {
			return held{}, err
		}
		c.mu.Lock()
		name, got, found := c.znode, held{c.path(), c.token}, c.found
		c.mu.Unlock()
		place := slices.Index(queue, name)
		switch {
		case c.isRevoked():
			return held{}, givenUp(c.key.path)
		case place == 0 && first && found:
			q.hold(c) // an earlier call may have got it
			return got, nil
		case place == 0:
			return got, nil
		case now:
			return held{}, late(c.key.path)
		}
		if err := q.watch(ctx, a, c, below(c.key.path, queue[place-1])); err != nil {
			return held{}, err
		}
	}
}

// watch waits until the claim before has changed, which may be for its end.
func (q *queues) watch(ctx context.Context, a *asker, c *claim, before string) error {
	s, there, err := q.lookout.send(context.WithoutCancel(ctx), a.handler, spot{path: before})
	if err != nil {
		return err
	}
	defer s.leave()
	if there.Err == zk.NoNode {
		return nil
	}
	select {
	case <-s.fired:
		return nil
	case <-a.session.line.over:
		return closedBy(a.session.line.why)
	case <-s.line.over:
		return closedBy(s.line.why)
	case <-c.revoked:
		return givenUp(c.key.path)
	case <-ctx.Done():
		return contextStatus(ctx)
	}
}

// attemptsToEnter is how often a queue whose znode comes and goes is entered before the caller is told.
const attemptsToEnter = 16

// enter makes sure that the session has exactly one claim, and returns the queue with it. With now set it fails with late, and makes
// no claim, if there are others.
func (q *queues) enter(ctx context.Context, a *asker, c *claim, data []byte, now bool) (queue []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	foreign := map[string]bool{} // that only look like the session's
	for range attemptsToEnter {
		rep, err := a.do(ctx, &zk.Request{Op: zk.OpGetChildren, Path: c.key.path})
		if err = judged(&rep, err, c.key.path, []zk.Code{zk.NoNode}); err != nil {
			return nil, err
		}
		if rep.Err == zk.NoNode {
			if err := c.begin(ctx, a, data); err != nil {
				return nil, err
			}
			continue
		}
		queue := contenders(rep.Names)
		own := slices.DeleteFunc(ownOf(queue, c.key.session), func(name string) bool { return foreign[name] })
		switch {
		case len(own) == 1 && own[0] == c.znode:
			return queue, nil
		case len(own) > 0:
			taken, err := c.takeUp(ctx, a, own[0], data)
			switch {
			case err != nil:
				return nil, err
			case !taken:
				foreign[own[0]] = true
			default:
				if err := c.thin(ctx, a, own[1:]); err != nil {
					return nil, err
				}
			}
		case now && len(queue) > 0:
			return nil, late(c.key.path)
		default:
			if err := c.create(ctx, a, data); err != nil {
				return nil, err
			}
		}
	}
	return nil, fault(codes.Aborted, "RACED", c.key.path+": others delete what is made for the claim; ask again", about{path: c.key.path}, retryNow)
}

// begin makes the znode of a queue, what is missing above it, and the claim, all or nothing. c.mu is held.
func (c *claim) begin(ctx context.Context, a *asker, data []byte) error {
	ops, err := a.missing(ctx, zk.Request{Op: zk.OpCreateContainer, Mode: zk.Container, Path: c.key.path, Data: []byte{}, ACL: zk.OpenACL, TTLMS: -1})
	if err != nil {
		return err
	}
	c.znode = ""
	out, err := a.multi(ctx, append(ops, c.key.request(c.mark, data)))
	c.unsure = err != nil
	switch {
	case err != nil:
		return err
	case out.code == zk.OK:
		c.made(out.results[len(out.results)-1].Path, out.zxid)
	case out.code != zk.NodeExists && out.code != zk.NoNode: // others have made some of it, or taken some away
		return refusal(out.code, out.path, out.zxid)
	}
	return nil
}

// request is the creation of a claim at the end of the queue.
func (k *claimKey) request(mark string, data []byte) zk.Request {
	return zk.Request{
		Op: zk.OpCreate2, Mode: zk.EphemeralSequential, Path: below(k.path, claimant(k.session)) + mark, Data: dataOf(data), ACL: zk.OpenACL, TTLMS: -1,
	}
}

// made notes a claim that was created.
func (c *claim) made(path string, at zk.Zxid) {
	c.znode, c.token, c.version, c.found = zk.BaseName(path), at, 0, false
}

// create makes a claim. c.mu is held.
func (c *claim) create(ctx context.Context, a *asker, data []byte) error {
	c.znode = ""
	req := c.key.request(c.mark, data)
	rep, err := a.do(ctx, &req)
	c.unsure = err != nil
	if err := judged(&rep, err, c.key.path, []zk.Code{zk.NoNode}); err != nil {
		return err
	}
	if rep.Err == zk.OK {
		c.made(rep.Path, rep.Stat.Czxid)
	}
	return nil
}

// takeUp makes a claim this call's that is there already: of a call whose answer was lost, or that waited at another server. It
// counts the version on, so that no server takes back what another has taken up. false: it is another session's. c.mu is held.
func (c *claim) takeUp(ctx context.Context, a *asker, name string, data []byte) (bool, error) {
	path := below(c.key.path, name)
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpExists, Path: path})
	if err := judged(&rep, err, path, []zk.Code{zk.NoNode}); err != nil {
		return false, err
	}
	if rep.Err == zk.NoNode {
		return true, nil // and looks again
	}
	if rep.Stat.EphemeralOwner != int64(c.key.session) {
		return false, nil
	}
	rep, err = a.do(ctx, &zk.Request{Op: zk.OpSetData, Path: path, Data: dataOf(data), Version: rep.Stat.Version})
	if err := judged(&rep, err, path, []zk.Code{zk.NoNode, zk.BadVersion}); err != nil {
		return false, err
	}
	if rep.Err == zk.OK {
		c.znode, c.token, c.version, c.found = name, rep.Stat.Czxid, rep.Stat.Version, true
	}
	return true, nil
}

// thin deletes claims that the session has beside its first.
func (c *claim) thin(ctx context.Context, a *asker, names []string) error {
	for _, name := range names {
		rep, err := a.do(ctx, &zk.Request{Op: zk.OpDelete, Path: below(c.key.path, name), Version: -1})
		if err := judged(&rep, err, below(c.key.path, name), []zk.Code{zk.NoNode}); err != nil {
			return err
		}
	}
	return nil
}

// isLate tells whether an error is that of late.
func isLate(err error) bool { return status.Code(err) == codes.DeadlineExceeded }
