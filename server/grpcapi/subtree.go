package grpcapi

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// Bounds of a recursive deletion.
const (
	deleteLimitDefault = 1000
	deleteLimitMax     = 100_000
)

// Count tells how many znodes are at and below one, and what they hold.
func (s *znodeServer) Count(ctx context.Context, in *paddockv1.CountRequest) (*paddockv1.CountResponse, error) {
	if err := checkPath(in.GetPath()); err != nil {
		return nil, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	view, top, err := a.view(ctx, in.GetPath(), in.GetRead())
	if err != nil {
		return nil, err
	}
	defer view.Release()
	out := &paddockv1.CountResponse{Zxid: uint64(view.Zxid())}
	err = view.Read(func(v *tree.View) error {
		l := &lister{View: v, ctx: ctx, may: a.door.opt.Allowed, ids: a.ids}
		return l.walk(top, func(r tree.Ref) (bool, error) {
			if !l.readable(r) {
				return false, nil
			}
			out.Znodes++
			out.DataBytes += int64(len(l.Data(r)))
			if _, owned := l.Stored(r).Owner.Session(); owned {
				out.Ephemerals++
			}
			return true, nil
		})
	})
	if err != nil {
		return nil, viewStatus(ctx, err)
	}
	return out, nil
}

// walk calls f for a znode and all below it, each before what is below it; f tells whether to go there.
func (l *lister) walk(top tree.Ref, f func(tree.Ref) (bool, error)) error {
	for r := top; ; {
		if err := l.onward(); err != nil {
			return err
		}
		down, err := f(r)
		if err != nil {
			return err
		}
		if child := l.FirstChild(r); down && child != tree.None {
			r = child
			continue
		}
		for r != top && l.NextSibling(r) == tree.None {
			r = l.Parent(r)
		}
		if r == top {
			return nil
		}
		r = l.NextSibling(r)
	}
}

// Delete removes a znode, or all that is below it too.
func (s *znodeServer) Delete(ctx context.Context, in *paddockv1.DeleteRequest) (*paddockv1.DeleteResponse, error) {
	req, err := deleteOf(in)
	if err != nil {
		return nil, err
	}
	limit := int(in.GetLimit())
	switch {
	case limit < 0 || limit > deleteLimitMax:
		return nil, invalid(req.Path, "limit is %d; it must be from 0 to %d", limit, deleteLimitMax)
	case limit == 0:
		limit = deleteLimitDefault
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	var out outcome
	if in.GetRecursive() {
		out, err = a.deleteAll(ctx, in, req, limit)
	} else {
		out, err = a.write(ctx, in, in.GetOptions(), req)
	}
	if err == nil {
		err = out.err()
	}
	if err != nil {
		return nil, err
	}
	return &paddockv1.DeleteResponse{Zxid: uint64(out.zxid), Deleted: int32(len(out.results))}, nil
}

// deleteAll removes a znode and all below it: what this server has there, in one transaction, and again if that was not all. What it
// has when a transaction is refused is at least what that was judged by.
func (a *asker) deleteAll(ctx context.Context, in *paddockv1.DeleteRequest, top zk.Request, limit int) (outcome, error) {
	if out, done, err := a.recall(ctx, in, in.GetOptions()); done || err != nil {
		return out, err
	}
	opt := &paddockv1.ReadOptions{MinZxid: in.GetOptions().GetMinZxid()}
	for range attemptsMax {
		ops, err := a.below(ctx, top, limit, opt)
		if err != nil {
			// Its own first attempt may have been done only now.
			if out, done, _ := a.recall(ctx, in, in.GetOptions()); done {
				return out, nil
			}
			return outcome{}, err
		}
		out, err := a.write(ctx, in, in.GetOptions(), ops...)
		if err != nil || out.code != zk.NotEmpty && (out.code != zk.NoNode || out.path == top.Path && len(ops) == 1) {
			return out, err
		}
	}
	return outcome{}, raced(top.Path)
}

// below are the deletions of a znode and of all below it, the innermost first.
func (a *asker) below(ctx context.Context, top zk.Request, limit int, opt *paddockv1.ReadOptions) (ops []zk.Request, err error) {
	if top.Path == zk.RootPath {
		return nil, refusal(zk.BadArguments, top.Path, 0)
	}
	view, ref, err := a.view(ctx, top.Path, opt)
	if err != nil {
		return nil, err
	}
	defer view.Release()
	err = view.Read(func(v *tree.View) error {
		l := &lister{View: v, ctx: ctx, may: a.door.opt.Allowed, ids: a.ids}
		return l.walk(ref, func(r tree.Ref) (bool, error) {
			switch {
			case len(ops) == limit:
				return false, fault(codes.FailedPrecondition, "TOO_MANY", fmt.Sprintf("%s: more than %d znodes would go; nothing was deleted", top.Path, limit),
					about{path: top.Path, zxid: view.Zxid()})
			case l.FirstChild(r) != tree.None && !l.readable(r):
				return false, refusal(zk.NoAuth, l.Path(r), view.Zxid())
			}
			ops = append(ops, zk.Request{Op: zk.OpDelete, Path: l.Path(r), Version: -1})
			return true, nil
		})
	})
	if err != nil {
		return nil, viewStatus(ctx, err)
	}
	ops[0].Version = top.Version
	slices.Reverse(ops)
	return ops, nil
}
