package grpcapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/driver"
	"paddock/storage/tree"
)

// pageBytesMax is how much a page of a list holds, roughly.
const pageBytesMax = 1 << 20

// Bytes of an entry beyond path and data, roughly.
const (
	entryBytes = 8
	statBytes  = 64
)

// listing is what a list asks for, of both kinds.
type listing struct {
	path                        string
	filter                      filter
	withStat, withData, withACL bool
	depth                       int  // 1 for children alone; 0 for all the way
	whole                       bool // entries have their whole path, and the first is the znode itself
	size                        int
}

// pageSize is how many entries a page may hold.
func pageSize(n int32) (int, error) {
	switch {
	case n < 0:
		return 0, invalid("", "page_size is %d; it must not be negative", n)
	case n == 0:
		return pageDefault, nil
	default:
		return int(min(n, pageMax)), nil
	}
}

// ListChildren lists the children of a znode.
func (s *znodeServer) ListChildren(ctx context.Context, in *paddockv1.ListChildrenRequest) (*paddockv1.ListChildrenResponse, error) {
	want := listing{path: in.GetPath(), withStat: in.GetWithStat(), withData: in.GetWithData(), depth: 1}
	page, err := s.list(ctx, &want, in.GetFilter(), in.GetPageSize(), in.GetPageToken(), in.GetRead())
	if err != nil {
		return nil, err
	}
	return &paddockv1.ListChildrenResponse{Children: page.entries, NextPageToken: page.token, Zxid: uint64(page.zxid), Stat: statOf(&page.stat)}, nil
}

// ListTree lists everything below a znode.
func (s *znodeServer) ListTree(ctx context.Context, in *paddockv1.ListTreeRequest) (*paddockv1.ListTreeResponse, error) {
	want := listing{path: in.GetPath(), withStat: in.GetWithStat(), withData: in.GetWithData(), withACL: in.GetWithAcl(), depth: int(in.GetDepth()), whole: true}
	if want.depth < 0 {
		return nil, invalid(want.path, "depth is %d; it must not be negative", want.depth)
	}
	page, err := s.list(ctx, &want, in.GetFilter(), in.GetPageSize(), in.GetPageToken(), in.GetRead())
	if err != nil {
		return nil, err
	}
	return &paddockv1.ListTreeResponse{Znodes: page.entries, NextPageToken: page.token, Zxid: uint64(page.zxid)}, nil
}

// listPage is a page as it is answered.
type listPage struct {
	entries []*paddockv1.Znode
	token   string
	zxid    zk.Zxid
	stat    zk.Stat // of the znode itself
}

// list answers a page: the first, or one that a token stands for.
func (s *znodeServer) list(ctx context.Context, want *listing, in *paddockv1.ListFilter, size int32, token string, opt *paddockv1.ReadOptions) (page listPage, err error) {
	if err = checkPath(want.path); err != nil {
		return page, err
	}
	if want.size, err = pageSize(size); err != nil {
		return page, err
	}
	if want.filter, err = newFilter(in); err != nil {
		return page, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return page, err
	}
	if token != "" {
		if a.session != nil { // which the call keeps alive
			if _, _, err = a.touch(ctx); err != nil {
				return page, err
			}
		}
		return s.door.cursors.page(ctx, &a, want, token)
	}
	if want.depth == 1 && !want.whole && !want.withStat && !want.withData && len(want.filter.kinds) == 0 {
		if page, short, err := a.names(ctx, want, opt); short || err != nil {
			return page, err
		}
	}
	view, top, err := a.view(ctx, want.path, opt)
	if err != nil {
		return page, err
	}
	return s.door.cursors.first(ctx, &a, want, view, top)
}

// names answers a list of nothing but names without a view, if it is short enough for one page.
func (a *asker) names(ctx context.Context, want *listing, opt *paddockv1.ReadOptions) (page listPage, short bool, err error) {
	rep, err := a.read(ctx, &zk.Request{Op: zk.OpGetChildren2, Path: want.path}, opt)
	if err != nil {
		return page, false, err
	}
	names := slices.DeleteFunc(rep.Names, func(name string) bool { return !want.filter.name(name) })
	bytes := 0
	for _, name := range names {
		bytes += entryBytes + len(name)
	}
	if len(names) > want.size || bytes > pageBytesMax {
		return page, false, nil
	}
	slices.Sort(names)
	page = listPage{entries: make([]*paddockv1.Znode, len(names)), zxid: rep.Zxid, stat: rep.Stat}
	nodes := make([]paddockv1.Znode, len(names))
	for i, name := range names {
		nodes[i].Path = name
		page.entries[i] = &nodes[i]
	}
	return page, true, nil
}

// view holds the tree at one moment that is as fresh as the options ask, with a znode that must be there and be readable. What is asked of
// the server first is judged like every other request of the call.
func (a *asker) view(ctx context.Context, path string, opt *paddockv1.ReadOptions) (*driver.View, tree.Ref, error) {
	if _, err := a.read(ctx, &zk.Request{Op: zk.OpExists, Path: path}, opt); err != nil {
		return nil, tree.None, err
	}
	view, refs, err := a.door.opt.View(ctx, path)
	switch {
	case err != nil:
		return nil, tree.None, viewStatus(ctx, err)
	case refs[0] == tree.None: // it has gone this moment
		zxid := view.Zxid()
		view.Release()
		return nil, tree.None, refusal(zk.NoNode, path, zxid)
	}
	return view, refs[0], nil
}

// viewStatus is the status of an error of views.
func viewStatus(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return contextStatus(ctx)
	case errors.Is(err, driver.ErrViewGone):
		return pageGone()
	case errors.Is(err, driver.ErrViewsBusy):
		return fault(codes.ResourceExhausted, reasonOf(zk.ThrottledOp), "too many lists are being made: ask again soon", retrySoon)
	case errors.Is(err, driver.ErrNotServing):
		return refusal(zk.ConnectionLoss, "", 0)
	default:
		return err
	}
}

// pageGone is the status of a page whose moment is not kept any more.
func pageGone() error {
	return fault(codes.Aborted, "PAGE_GONE", "the list was left for too long, or is from another server: list again", retryNow)
}

// lister makes pages of a list in a view.
type lister struct {
	*tree.View
	ctx    context.Context
	want   *listing
	may    func(acl []zk.ACL, perm zk.Perms, ids []zk.ID) bool
	ids    []zk.ID
	looked int
}

// readable tells whether the caller may read a znode.
func (l *lister) readable(r tree.Ref) bool { return l.may(l.ACL(r), zk.PermRead, l.ids) }

// lookEvery is how many znodes are looked at between two looks at the context.
const lookEvery = 4096

// onward tells now and then whether the call has been given up.
func (l *lister) onward() error {
	if l.looked++; l.looked%lookEvery == 0 && l.ctx.Err() != nil {
		return contextStatus(l.ctx)
	}
	return nil
}

// children are the children of a znode by name; those that must pass the filter do.
func (l *lister) children(r tree.Ref, pass bool) ([]tree.Ref, error) {
	n := l.Children(r)
	names := l.AppendChildNames(make([]string, 0, n), r)
	type child struct {
		name string
		ref  tree.Ref
	}
	list := make([]child, 0, n)
	for c, i := l.FirstChild(r), 0; c != tree.None; c, i = l.NextSibling(c), i+1 {
		if err := l.onward(); err != nil {
			return nil, err
		}
		if !pass || l.want.filter.name(names[i]) && l.want.filter.kind(l.Stored(c).Owner) {
			list = append(list, child{names[i], c})
		}
	}
	slices.SortFunc(list, func(a, b child) int { return strings.Compare(a.name, b.name) })
	refs := make([]tree.Ref, len(list))
	for i := range list {
		refs[i] = list[i].ref
	}
	return refs, nil
}

// entry is a znode of the list.
func (l *lister) entry(r tree.Ref) (*paddockv1.Znode, int) {
	z := &paddockv1.Znode{}
	if l.want.whole {
		z.Path = l.Path(r)
	} else {
		z.Path = l.Name(r)
	}
	bytes := entryBytes + len(z.Path)
	if !l.want.withStat && !l.want.withData && !l.want.withACL || !l.readable(r) {
		return z, bytes
	}
	if l.want.withStat {
		stat := l.Stat(r)
		z.Stat = statOf(&stat)
		owner := l.Stored(r).Owner
		z.Kind = kindOf(owner)
		z.TtlMs, _ = owner.TTL()
		bytes += statBytes
	}
	if l.want.withACL {
		acl := l.ACL(r)
		if !l.may(l.ACL(r), zk.PermAdmin, l.ids) {
			acl = auth.Redact(acl)
		}
		z.Acl = aclOf(acl)
		for i := range acl {
			bytes += entryBytes + len(acl[i].ID.Scheme) + len(acl[i].ID.ID)
		}
	}
	if l.want.withData {
		z.Data = slices.Clone(l.Data(r))
		bytes += len(z.Data)
	}
	return z, bytes
}

// place is where a list goes on: the children that are left of the znode itself, of one of its children, and so on down. A place is
// never changed, so that a page can be made again.
type place []rest

type rest struct {
	refs []tree.Ref
	next int
}

// fill makes a page from a place on, and tells where the next begins; nil for nowhere.
func (l *lister) fill(at place, page *listPage) (place, error) {
	at = slices.Clone(at)
	bytes := 0
	for len(at) > 0 {
		top := &at[len(at)-1]
		if top.next == len(top.refs) {
			at = at[:len(at)-1]
			continue
		}
		if err := l.onward(); err != nil {
			return nil, err
		}
		r := top.refs[top.next]
		if l.want.whole && !l.readable(r) {
			top.next++
			continue
		}
		if !l.want.whole || l.want.filter.name(l.Name(r)) && l.want.filter.kind(l.Stored(r).Owner) {
			z, n := l.entry(r)
			if len(page.entries) == l.want.size || len(page.entries) > 0 && bytes+n > pageBytesMax {
				return at, nil
			}
			page.entries = append(page.entries, z)
			bytes += n
		}
		top.next++
		if l.want.whole && (l.want.depth == 0 || len(at) <= l.want.depth) && l.Children(r) > 0 {
			below, err := l.children(r, false)
			if err != nil {
				return nil, err
			}
			at = append(at, rest{refs: below})
		}
	}
	return nil, nil
}
