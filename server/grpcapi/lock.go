package grpcapi

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// lockServer implements LockService.
type lockServer struct {
	paddockv1.UnimplementedLockServiceServer
	door *door
}

// claimer is who makes a call that needs a session, about the queue of a path.
func (d *door) claimer(ctx context.Context, path string) (asker, error) {
	if err := checkPath(path); err != nil {
		return asker{}, err
	}
	a, err := d.asker(ctx)
	if err == nil && a.session == nil {
		err = invalid(path, "the call must name a session: %s and %s in its metadata", metadataSession, metadataPassword)
	}
	return a, err
}

// Lock waits until the session holds a lock.
func (s *lockServer) Lock(ctx context.Context, in *paddockv1.LockRequest) (*paddockv1.LockResponse, error) {
	a, err := s.door.claimer(ctx, in.GetPath())
	if err != nil {
		return nil, err
	}
	wait := patience{none: in.GetWaitMs() < 0}
	if in.GetWaitMs() > 0 {
		wait.most = time.Duration(min(in.GetWaitMs(), int64(waitMax/time.Millisecond))) * time.Millisecond
	}
	got, err := s.door.queues.acquire(ctx, &a, in.GetPath(), markLock, in.GetOwner(), wait)
	if err != nil {
		return nil, err
	}
	return &paddockv1.LockResponse{FencingToken: uint64(got.token), LockPath: got.path}, nil
}

// waitMax is the longest wait that is told apart from waiting for ever.
const waitMax = 100 * 365 * 24 * time.Hour

// Unlock gives a lock up.
func (s *lockServer) Unlock(ctx context.Context, in *paddockv1.UnlockRequest) (*paddockv1.UnlockResponse, error) {
	zxid, err := s.door.giveUp(ctx, in.GetPath())
	if err != nil {
		return nil, err
	}
	return &paddockv1.UnlockResponse{Zxid: uint64(zxid)}, nil
}

// giveUp deletes the claims of the session on a path, and ends the calls that wait for them.
func (d *door) giveUp(ctx context.Context, path string) (zk.Zxid, error) {
	a, err := d.claimer(ctx, path)
	if err != nil {
		return 0, err
	}
	if err := d.queues.revoke(ctx, claimKey{a.session.id, path}); err != nil {
		return 0, err
	}
	own, zxid, err := a.ownClaims(ctx, path)
	if err != nil {
		return 0, err
	}
	gone := len(own) == 0
	for i := range own {
		rep, err := a.do(ctx, &zk.Request{Op: zk.OpDelete, Path: own[i].path, Version: -1})
		if err := judged(&rep, err, own[i].path, []zk.Code{zk.NoNode}); err != nil {
			return 0, err
		}
		gone, zxid = gone || rep.Err == zk.NoNode, rep.Zxid
	}
	if gone {
		return 0, noClaim(path, "the session holds nothing here, and waits for nothing", zxid)
	}
	return zxid, nil
}

// noClaim is the refusal where a claim is needed: the znode of the queue may be there.
func noClaim(path, what string, zxid zk.Zxid) error {
	return fault(codes.NotFound, reasonOf(zk.NoNode), path+": "+what, about{path: path, zxid: zxid})
}

// claimFound is one claim of a queue.
type claimFound struct {
	path string
	data []byte
	stat zk.Stat
}

// ownClaims are the claims of the call's session on a path. If there seem to be none the server first catches up: the session may
// have made one at another server a moment ago.
func (a *asker) ownClaims(ctx context.Context, path string) (own []claimFound, zxid zk.Zxid, err error) {
	for _, late := range []bool{false, true} {
		if late {
			rep, err := a.do(ctx, &zk.Request{Op: zk.OpSync, Path: path})
			if err := judged(&rep, err, path, nil); err != nil {
				return nil, 0, err
			}
		}
		rep, err := a.do(ctx, &zk.Request{Op: zk.OpGetChildren, Path: path})
		if err := judged(&rep, err, path, []zk.Code{zk.NoNode}); err != nil {
			return nil, 0, err
		}
		zxid = rep.Zxid
		for _, name := range ownOf(contenders(rep.Names), a.session.id) {
			at := below(path, name)
			rep, err := a.do(ctx, &zk.Request{Op: zk.OpExists, Path: at})
			if err := judged(&rep, err, at, []zk.Code{zk.NoNode}); err != nil {
				return nil, 0, err
			}
			if rep.Err == zk.OK && rep.Stat.EphemeralOwner == int64(a.session.id) {
				own = append(own, claimFound{path: at, stat: rep.Stat})
			}
		}
		if len(own) > 0 {
			break
		}
	}
	return own, zxid, nil
}

// claimsShownMax is how many claims of a queue are told.
const claimsShownMax = 1000

// GetLock tells who holds a lock and who waits.
func (s *lockServer) GetLock(ctx context.Context, in *paddockv1.GetLockRequest) (*paddockv1.GetLockResponse, error) {
	if err := checkPath(in.GetPath()); err != nil {
		return nil, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	list, zxid, err := a.claimsOn(ctx, in.GetPath(), claimsShownMax, in.GetRead())
	if err != nil {
		return nil, err
	}
	out := &paddockv1.GetLockResponse{Zxid: uint64(zxid)}
	for i := range list {
		c := &list[i]
		out.Claims = append(out.Claims, &paddockv1.LockClaim{
			LockPath: c.path, SessionId: c.stat.EphemeralOwner, Owner: c.data, FencingToken: uint64(c.stat.Czxid),
		})
	}
	return out, nil
}

// claimsOn are the first claims of a queue, in order, all as they are at one zxid. There are none where there is no znode.
func (a *asker) claimsOn(ctx context.Context, path string, most int, opt *paddockv1.ReadOptions) (list []claimFound, zxid zk.Zxid, err error) {
	var names []string
	for range attemptsToEnter {
		ops := []zk.Request{{Op: zk.OpGetChildren, Path: path}}
		for _, name := range names {
			ops = append(ops, zk.Request{Op: zk.OpGetData, Path: below(path, name)})
		}
		rep, err := a.read(ctx, &zk.Request{Op: zk.OpMultiRead, Path: path, Ops: ops}, opt)
		if err != nil {
			return nil, 0, err
		}
		opt = nil // this server does not go back
		all := rep.Results[0]
		all.Zxid = rep.Zxid
		if err := judged(&all, nil, path, []zk.Code{zk.NoNode}); err != nil {
			return nil, 0, err
		}
		now := contenders(all.Names)
		now = now[:min(len(now), most)]
		list, same := list[:0], len(now) == len(names)
		for i := 0; same && i < len(now); i++ {
			r := &rep.Results[i+1]
			switch same = now[i] == names[i]; {
			case r.Err == zk.NoAuth:
				return nil, 0, refusal(zk.NoAuth, below(path, now[i]), rep.Zxid)
			case r.Err != zk.OK:
				same = false
			}
			list = append(list, claimFound{below(path, now[i]), r.Data, r.Stat})
		}
		if same {
			return list, rep.Zxid, nil
		}
		names = now
	}
	return nil, 0, fault(codes.Aborted, "RACED", path+": the queue changes too fast; ask again", about{path: path}, retryNow)
}
