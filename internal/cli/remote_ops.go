package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	api "paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/client"
	"paddock/internal/zk"
)

// upper is a code's name as gRPC errors carry it.
func upper(name string) string { return strings.ToUpper(name) }

func reasonOf(c zk.Code) string { return upper(c.String()) }

// Do implements Backend.
func (r *remote) Do(ctx context.Context, req *zk.Request) (*zk.Reply, error) {
	session, err := r.connected(ctx, true)
	if err != nil {
		return nil, err
	}
	switch req.Op {
	case zk.OpAuth:
		return r.addAuth(ctx, session, req)
	case zk.OpAddWatch, zk.OpRemoveWatches:
		return r.watching(ctx, session, req)
	}
	named := r.named(ctx, session)
	var reply *zk.Reply
	for n := 1; ; n++ {
		reply, err = r.call(named, req)
		var e *api.Error
		again := errors.As(err, &e) && (e.Reason == api.ErrSessionMoved || e.Reason == api.ErrPageGone || e.Code == codes.Unavailable && !writes(req.Op))
		if !again || n == readsMost || !sleep(ctx, readsPause) {
			break
		}
	}
	if err != nil {
		failed := -1 // operation of a transaction
		if e, ok := errors.AsType[*api.Error](err); ok {
			failed = e.Operation
		}
		if reply, err = r.judge(req, err); err != nil {
			if state := r.State(); errors.Is(err, client.ErrLost) && !state.Alive() {
				_, err = r.connected(ctx, true)
			}
			return nil, err
		}
		if req.Op == zk.OpMulti {
			undone(req, reply, failed)
		}
	}
	reply.Op = req.Op
	// What the reply may already show is told before it, as ZooKeeper does.
	r.watch.settle(ctx, reply.Zxid)
	if req.Watch {
		if err := r.watch.once(ctx, session, req, reply); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

// writes tells whether an operation may change something.
func writes(op zk.OpCode) bool {
	switch op {
	case zk.OpSetData, zk.OpDelete, zk.OpSetACL, zk.OpMulti, zk.OpReconfig:
		return true
	default:
		return op.IsCreate()
	}
}

// call makes the call that stands for a request.
func (r *remote) call(ctx context.Context, req *zk.Request) (*zk.Reply, error) {
	switch req.Op {
	case zk.OpGetData:
		out, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: req.Path})
		return &zk.Reply{Data: some(out.GetData()), Stat: statFrom(out.GetStat()), Zxid: zk.Zxid(out.GetZxid())}, err
	case zk.OpExists:
		out, err := r.znodes.Exists(ctx, &paddockv1.ExistsRequest{Path: req.Path})
		reply := &zk.Reply{Stat: statFrom(out.GetStat()), Zxid: zk.Zxid(out.GetZxid())}
		if !out.GetExists() {
			reply.Err = zk.NoNode
		}
		return reply, err
	case zk.OpGetChildren, zk.OpGetChildren2:
		return r.children(ctx, req.Path)
	case zk.OpGetAllChildrenNumber:
		out, err := r.znodes.Count(ctx, &paddockv1.CountRequest{Path: req.Path})
		return &zk.Reply{Number: int32(out.GetZnodes() - 1), Zxid: zk.Zxid(out.GetZxid())}, err
	case zk.OpGetEphemerals:
		out, err := r.rpc.ListEphemerals(ctx, &paddockv1.ListEphemeralsRequest{Prefix: req.Path})
		return &zk.Reply{Names: out.GetPaths(), Zxid: zk.Zxid(out.GetZxid())}, err
	case zk.OpGetACL:
		out, err := r.znodes.GetAcl(ctx, &paddockv1.GetAclRequest{Path: req.Path})
		return &zk.Reply{ACL: aclFrom(out.GetAcl()), Stat: statFrom(out.GetStat()), Zxid: zk.Zxid(out.GetZxid())}, err
	case zk.OpSync:
		out, err := r.znodes.Sync(ctx, &paddockv1.SyncRequest{})
		return &zk.Reply{Path: req.Path, Zxid: zk.Zxid(out.GetZxid())}, err
	case zk.OpWhoAmI:
		out, err := r.rpc.WhoAmI(ctx, &paddockv1.WhoAmIRequest{})
		reply := &zk.Reply{}
		for _, id := range out.GetIdentities() {
			reply.IDs = append(reply.IDs, zk.ID{Scheme: id.GetScheme(), ID: id.GetId()})
		}
		slices.SortFunc(reply.IDs, func(a, b zk.ID) int { return cmp.Or(cmp.Compare(a.Scheme, b.Scheme), cmp.Compare(a.ID, b.ID)) })
		return reply, err
	case zk.OpMultiRead:
		return r.batch(ctx, req.Ops)
	default:
		return r.write(ctx, req)
	}
}

// write makes the call that stands for a write.
func (r *remote) write(ctx context.Context, req *zk.Request) (*zk.Reply, error) {
	switch {
	case req.Op.IsCreate():
		out, err := r.znodes.Create(ctx, createOf(req))
		return &zk.Reply{Path: out.GetPath(), Stat: statFrom(out.GetStat()), Zxid: zk.Zxid(out.GetZxid())}, err
	case req.Op == zk.OpDelete:
		out, err := r.znodes.Delete(ctx, &paddockv1.DeleteRequest{Path: req.Path, Version: versionOf(req.Version)})
		return &zk.Reply{Zxid: zk.Zxid(out.GetZxid())}, err
	case req.Op == zk.OpSetData:
		out, err := r.znodes.Set(ctx, &paddockv1.SetRequest{Path: req.Path, Data: req.Data, Version: versionOf(req.Version)})
		return &zk.Reply{Stat: statFrom(out.GetStat()), Zxid: zk.Zxid(out.GetZxid())}, err
	case req.Op == zk.OpSetACL:
		out, err := r.znodes.SetAcl(ctx, &paddockv1.SetAclRequest{Path: req.Path, Acl: aclTo(req.ACL), Version: versionOf(req.Version)})
		return &zk.Reply{Stat: statFrom(out.GetStat()), Zxid: zk.Zxid(out.GetZxid())}, err
	case req.Op == zk.OpMulti:
		return r.transact(ctx, req.Ops)
	case req.Op == zk.OpReconfig:
		return r.reconfigure(ctx, req.Members)
	default:
		return nil, failf("%v is not possible over gRPC", req.Op)
	}
}

// children lists the children of a znode, all of one moment.
func (r *remote) children(ctx context.Context, path string) (*zk.Reply, error) {
	reply := &zk.Reply{}
	for token := ""; ; {
		out, err := r.znodes.ListChildren(ctx, &paddockv1.ListChildrenRequest{Path: path, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, c := range out.GetChildren() {
			reply.Names = append(reply.Names, c.GetPath())
		}
		reply.Stat, reply.Zxid = statFrom(out.GetStat()), zk.Zxid(out.GetZxid())
		if token = out.GetNextPageToken(); token == "" {
			return reply, nil
		}
	}
}

// batch makes several reads of one moment.
func (r *remote) batch(ctx context.Context, ops []zk.Request) (*zk.Reply, error) {
	in := &paddockv1.BatchReadRequest{Reads: make([]*paddockv1.Read, len(ops))}
	for i := range ops {
		in.Reads[i] = &paddockv1.Read{}
		if ops[i].Op == zk.OpGetData {
			in.Reads[i].Read = &paddockv1.Read_Get{Get: ops[i].Path}
		} else {
			in.Reads[i].Read = &paddockv1.Read_Children{Children: ops[i].Path}
		}
	}
	out, err := r.znodes.BatchRead(ctx, in)
	if err != nil {
		return nil, err
	}
	reply := &zk.Reply{Zxid: zk.Zxid(out.GetZxid())}
	for i, res := range out.GetResults() {
		one := zk.Reply{Op: ops[i].Op, Data: some(res.GetData()), Names: res.GetChildren(), Stat: statFrom(res.GetStat())}
		if res.GetReason() != "" {
			one = zk.Reply{Op: zk.OpError, Err: codeOf[res.GetReason()]}
		}
		reply.Results = append(reply.Results, one)
	}
	return reply, nil
}

// transact makes a transaction.
func (r *remote) transact(ctx context.Context, ops []zk.Request) (*zk.Reply, error) {
	in := &paddockv1.TransactRequest{Then: make([]*paddockv1.Operation, len(ops))}
	for i := range ops {
		o, version := &ops[i], versionOf(ops[i].Version)
		switch {
		case o.Op.IsCreate():
			in.Then[i] = &paddockv1.Operation{Operation: &paddockv1.Operation_Create{Create: createOf(o)}}
		case o.Op == zk.OpSetData:
			in.Then[i] = &paddockv1.Operation{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: o.Path, Data: o.Data, Version: version}}}
		case o.Op == zk.OpDelete:
			in.Then[i] = &paddockv1.Operation{Operation: &paddockv1.Operation_Delete{Delete: &paddockv1.DeleteRequest{Path: o.Path, Version: version}}}
		default:
			in.Then[i] = &paddockv1.Operation{Operation: &paddockv1.Operation_Check{Check: &paddockv1.CheckVersion{Path: o.Path, Version: version}}}
		}
	}
	out, err := r.znodes.Transact(ctx, in)
	if err != nil {
		return nil, err
	}
	reply := &zk.Reply{Zxid: zk.Zxid(out.GetZxid())}
	for i, res := range out.GetResults() {
		reply.Results = append(reply.Results, zk.Reply{Op: ops[i].Op, Path: res.GetPath(), Stat: statFrom(res.GetStat())})
	}
	return reply, nil
}

// undone makes the reply of a transaction that has failed, which tells of each operation.
func undone(req *zk.Request, reply *zk.Reply, failed int) {
	if failed < 0 {
		return // as a whole
	}
	reply.Results = make([]zk.Reply, len(req.Ops))
	for i := range reply.Results {
		reply.Results[i].Op = zk.OpError
		if i >= failed {
			reply.Results[i].Err = zk.RuntimeInconsistency
		}
	}
	if failed < len(reply.Results) {
		reply.Results[failed].Err = reply.Err
	}
	reply.Err = zk.OK
}

// reconfigure changes the members of the ensemble.
func (r *remote) reconfigure(ctx context.Context, m *zk.Members) (*zk.Reply, error) {
	in := &paddockv1.ReconfigureRequest{Joining: parts(m.Joining), Members: parts(strings.ReplaceAll(m.Whole, "\n", ",")), FromVersion: uint64(max(m.Version, 0))}
	for _, text := range parts(m.Leaving) {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, failf("%q is not the id of a server", text)
		}
		in.Leaving = append(in.Leaving, id)
	}
	out, err := r.admin.Reconfigure(r.login(ctx), in)
	if err != nil {
		return nil, err
	}
	reply := &zk.Reply{Data: []byte(out.GetText())}
	if now, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: zk.ConfigPath}); err == nil { // the stat alone is missing otherwise
		reply.Stat, reply.Zxid = statFrom(now.GetStat()), zk.Zxid(now.GetZxid())
	}
	return reply, nil
}

// parts are the parts of a list with commas between.
func parts(text string) (list []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// Kind implements Kinds.
func (r *remote) Kind(ctx context.Context, path string) (zk.CreateMode, int64, error) {
	session, err := r.connected(ctx, true)
	if err != nil {
		return 0, 0, err
	}
	out, err := r.znodes.ListTree(r.named(ctx, session), &paddockv1.ListTreeRequest{Path: path, PageSize: 1, WithStat: true})
	if err != nil {
		_, err = r.refusal(zk.OpExists, path, err)
		return 0, 0, err
	}
	if len(out.GetZnodes()) == 0 || out.GetZnodes()[0].GetPath() != path {
		return 0, 0, &codeError{code: zk.NoAuth, path: path}
	}
	mode, ttl := kindFrom(out.GetZnodes()[0])
	return mode, ttl, nil
}

// refusal is the error of a call that is no request's.
func (r *remote) refusal(op zk.OpCode, path string, err error) (*zk.Reply, error) {
	reply, err := r.judge(&zk.Request{Op: op, Path: path}, err)
	if err == nil {
		err = &codeError{code: reply.Err, path: path}
	}
	return nil, err
}

// Tree implements Moment. What may not be read is left out of a list; that it is missing shows by how many children its parent has.
func (r *remote) Tree(ctx context.Context, path string, see func(at zk.Zxid, n *node, mode zk.CreateMode, ttlMS int64) error) error {
	session, err := r.connected(ctx, true)
	if err != nil {
		return err
	}
	ctx = r.named(ctx, session)
	var seen lineage
	for token := ""; ; {
		out, err := r.znodes.ListTree(ctx, &paddockv1.ListTreeRequest{Path: path, WithStat: true, WithData: true, WithAcl: true, PageToken: token})
		if err != nil {
			_, err = r.refusal(zk.OpGetData, path, err)
			return err
		}
		for _, z := range out.GetZnodes() {
			n := &node{path: z.GetPath(), data: some(z.GetData()), stat: statFrom(z.GetStat()), acl: aclFrom(z.GetAcl())}
			if err := r.unread(ctx, seen.enter(n.path, n.stat.NumChildren)); err != nil {
				return err
			}
			mode, ttl := kindFrom(z)
			if err := see(zk.Zxid(out.GetZxid()), n, mode, ttl); err != nil {
				return err
			}
		}
		if token = out.GetNextPageToken(); token == "" {
			return r.unread(ctx, seen.leave(""))
		}
	}
}

// unread is the error of znodes of whose children not all were listed; nil if they are none of the user's.
func (r *remote) unread(ctx context.Context, parents []string) error {
	for _, parent := range parents {
		if system(parent) {
			continue
		}
		missing := parent
		for token := ""; ; {
			out, err := r.znodes.ListChildren(ctx, &paddockv1.ListChildrenRequest{Path: parent, PageToken: token})
			if err != nil {
				_, err = r.refusal(zk.OpGetChildren, parent, err)
				return err
			}
			for _, c := range out.GetChildren() {
				child := join(parent, c.GetPath())
				if _, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: child}); errors.Is(err, api.ErrNoAuth) && (missing == parent || !system(child)) {
					missing = child
				}
			}
			if token = out.GetNextPageToken(); token == "" {
				break
			}
		}
		if !system(missing) {
			return &codeError{code: zk.NoAuth, path: missing}
		}
	}
	return nil
}

// lineage are a znode of a list and those above it, with how many of their children have not been listed yet.
type lineage []ancestor

type ancestor struct {
	path string
	left int32
}

// enter goes on to the next znode of a list that has parents first, and returns those that were left with children not listed.
func (l *lineage) enter(path string, children int32) (short []string) {
	short = l.leave(path)
	if n := len(*l); n > 0 {
		(*l)[n-1].left--
	}
	*l = append(*l, ancestor{path, children})
	return short
}

// leave leaves all that a path is not below.
func (l *lineage) leave(path string) (short []string) {
	for n := len(*l); n > 0; n = len(*l) {
		last := (*l)[n-1]
		if strings.HasPrefix(path, strings.TrimSuffix(last.path, "/")+"/") {
			break
		}
		if last.left > 0 {
			short = append(short, last.path)
		}
		*l = (*l)[:n-1]
	}
	return short
}
