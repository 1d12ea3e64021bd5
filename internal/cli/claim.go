package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// claim is a place in the queue for a lock or for leadership: an ephemeral sequential znode. Names are those of Curator
// (InterProcessMutex, LeaderLatch), so that programs that use it queue up with this one.
type claim struct {
	c      *call
	dir    string
	mark   string // "-lock-" or "-latch-"
	id     string // what makes the name this program's own, should the answer to its creation be lost
	path   string // once it is created
	zxid   zk.Zxid
	notice <-chan client.Notice
}

// errLost is what becomes of a claim whose session or znode is gone.
var errLost = errors.New("it is lost: the session or its znode is gone")

// place is the end of the name of a claim: of Curator's recipes, and of kazoo's lock.
var place = regexp.MustCompile(`(?:lock-|latch-|__lock__)(-?\d{10})$`)

// numberOf is the number of a claim. Numbers go on below zero after the largest.
func numberOf(name string) int32 {
	n, _ := strconv.ParseInt(place.FindStringSubmatch(name)[1], 10, 32)
	return int32(n)
}

// newClaim queues up in dir, which is created as a container if it is missing.
func newClaim(c *call, dir, mark string, data []byte, notices <-chan client.Notice) (*claim, error) {
	const tries = 5 // a container may be swept away between the two steps
	q := &claim{c: c, dir: dir, mark: mark, id: rand.Text(), notice: notices}
	q.id = strings.ToLower(q.id)
	var err error
	for range tries {
		if err = makeParents(c.ctx, c.sh.backend, dir, true, zk.OpCreateContainer, zk.Container); err != nil {
			return nil, err
		}
		var r *zk.Reply
		r, err = c.do(&zk.Request{Op: zk.OpCreate2, Mode: zk.EphemeralSequential, Path: join(dir, "_c_"+q.id+mark), Data: data, ACL: zk.OpenACL, TTLMS: -1})
		switch {
		case err == nil:
			q.path, q.zxid = r.Path, r.Stat.Czxid
			return q, nil
		case isCode(err, zk.ConnectionLoss) && c.sh.backend.State().Alive():
			if found, again := q.find(); again != nil || found {
				return q, again
			}
		case !isCode(err, zk.NoNode):
			return nil, err
		}
	}
	return nil, err
}

// find looks for the znode after the answer to its creation was lost.
func (q *claim) find() (found bool, err error) {
	if err := q.c.sh.backend.Await(q.c.ctx); err != nil {
		return false, refused(err, q.dir)
	}
	names, err := q.queue()
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, "_c_"+q.id) {
			q.path = join(q.dir, name)
			r, err := q.c.do(&zk.Request{Op: zk.OpExists, Path: q.path})
			if err != nil {
				return false, err
			}
			q.zxid = r.Stat.Czxid
			return true, nil
		}
	}
	return false, nil
}

// queue are the claims of all, the first one first.
func (q *claim) queue() ([]string, error) {
	r, err := q.c.do(&zk.Request{Op: zk.OpGetChildren2, Path: q.dir})
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(r.Names, func(n string) bool { return !place.MatchString(n) })
	slices.SortFunc(names, func(a, b string) int { return int(numberOf(a) - numberOf(b)) })
	return names, nil
}

// await waits until the claim is the first. Each waits for the one before it alone.
func (q *claim) await(ctx context.Context) error {
	for {
		names, err := q.queue()
		if isCode(err, zk.ConnectionLoss) && q.c.sh.backend.Await(ctx) == nil {
			continue
		}
		if err != nil {
			return err
		}
		mine := slices.Index(names, zk.BaseName(q.path))
		switch {
		case mine < 0:
			return errLost
		case mine == 0:
			return nil
		}
		before := join(q.dir, names[mine-1])
		if _, err := q.c.do(&zk.Request{Op: zk.OpGetData, Path: before, Watch: true}); err != nil {
			if isCode(err, zk.NoNode) || isCode(err, zk.ConnectionLoss) && q.c.sh.backend.State().Alive() {
				continue
			}
			return err
		}
		if err := q.gone(ctx, before); err != nil {
			return err
		}
	}
}

// gone waits until something is told about a path, or the connection was interrupted meanwhile.
func (q *claim) gone(ctx context.Context, path string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-q.notice:
			if n.Path == path && n.Type == zk.NodeDeleted || n.Type == client.EventNone && n.Keeper == client.KeeperSyncConnected {
				return nil
			}
			if over(n) {
				return errLost
			}
		}
	}
}

// over tells whether a notice is the end of the session.
func over(n client.Notice) bool {
	return n.Type == client.EventNone &&
		(n.Keeper == client.KeeperExpired || n.Keeper == client.KeeperClosed || n.Keeper == client.KeeperAuthFailed)
}

// lost returns when the claim may have been lost: its znode is gone, the session has ended, or the connection was gone for so
// long that it may have. It returns nil when ctx ends.
func (q *claim) lost(ctx context.Context) error {
	// What is left of the session timeout when the silence of a server is noticed, less a margin.
	const share = 4
	var patience <-chan time.Time
	if err := q.watch(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-patience:
			return fmt.Errorf("no server was reached for too long: %w", errLost)
		case n := <-q.notice:
			switch {
			case over(n), n.Path == q.path && n.Type == zk.NodeDeleted:
				return errLost
			case n.Type == client.EventNone && n.Keeper == client.KeeperDisconnected:
				patience = time.After(q.c.sh.backend.Timeout() / share)
			case n.Type == client.EventNone || n.Path == q.path:
				patience = nil
				if err := q.watch(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// watch watches the claim's own znode. A lost connection is no error: it is told of by a notice.
func (q *claim) watch(ctx context.Context) error {
	_, err := do(ctx, q.c.sh.backend, &zk.Request{Op: zk.OpGetData, Path: q.path, Watch: true})
	switch {
	case err == nil || isCode(err, zk.ConnectionLoss) || ctx.Err() != nil:
		return nil
	case isCode(err, zk.NoNode):
		return errLost
	default:
		return err
	}
}

// release leaves the queue.
func (q *claim) release() {
	// If it fails the session's end does it.
	_, _ = do(withoutEnd(q.c.ctx), q.c.sh.backend, &zk.Request{Op: zk.OpDelete, Path: q.path, Version: -1})
}

// withoutEnd is a context that outlives the one it is made from by a little, for cleaning up.
func withoutEnd(ctx context.Context) context.Context {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMost)
	context.AfterFunc(out, cancel)
	return out
}

// releaseMost is how long cleaning up may take.
const releaseMost = 5 * time.Second

// owner is the data of a claim, for those who look who holds it.
func owner() []byte {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Appendf(nil, "%s:%d", host, os.Getpid())
}
