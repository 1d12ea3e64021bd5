package client

import (
	"context"
	"iter"
	"math"
	"time"

	"google.golang.org/grpc"

	paddockv1 "paddock/gen/paddock/v1"
)

// Znodes reads and writes znodes, as a Client without a session or as a Session.
type Znodes struct {
	conn grpc.ClientConnInterface
	rpc  paddockv1.ZnodeServiceClient
	read *paddockv1.ReadOptions
	as   *Session // nil without
}

func znodesOn(conn grpc.ClientConnInterface, as *Session) Znodes {
	return Znodes{conn: conn, rpc: paddockv1.NewZnodeServiceClient(conn), as: as}
}

// At returns the same with another freshness of all that is read: level, and no older than minZxid (0 for any).
func (z *Znodes) At(level Level, minZxid uint64) *Znodes {
	out := *z
	out.read = &paddockv1.ReadOptions{Level: paddockv1.ReadLevel(level) + paddockv1.ReadLevel_READ_LEVEL_LOCAL, MinZxid: minZxid}
	return &out
}

// notBefore returns the same with reads that are no older than a zxid.
func (z *Znodes) notBefore(least uint64) *Znodes {
	out := *z
	out.read = &paddockv1.ReadOptions{Level: z.read.GetLevel(), MinZxid: max(z.read.GetMinZxid(), least)}
	return &out
}

// reading is the context of a read.
func (z *Znodes) reading(ctx context.Context) context.Context { return z.named(repeatable(ctx)) }

// named names the session.
func (z *Znodes) named(ctx context.Context) context.Context {
	if z.as == nil {
		return ctx
	}
	return z.as.named(ctx)
}

// writing is the context and the options of a write; one of a session may be repeated.
func (z *Znodes) writing(ctx context.Context) (context.Context, *paddockv1.WriteOptions) {
	if z.as == nil {
		return ctx, nil
	}
	return z.named(repeatable(ctx)), &paddockv1.WriteOptions{IdempotencyKey: z.as.nextKey()}
}

// Get returns a znode with data and stat. Errors: ErrNoNode, ErrNoAuth.
func (z *Znodes) Get(ctx context.Context, path string) (Znode, error) {
	out, err := z.rpc.Get(z.reading(ctx), &paddockv1.GetRequest{Path: path, Read: z.read})
	if err != nil {
		return Znode{}, err
	}
	return Znode{Path: path, Data: out.GetData(), Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, nil
}

// Exists tells whether a znode is there, and its stat. Errors: ErrNoAuth.
func (z *Znodes) Exists(ctx context.Context, path string) (Znode, bool, error) {
	out, err := z.rpc.Exists(z.reading(ctx), &paddockv1.ExistsRequest{Path: path, Read: z.read})
	if err != nil {
		return Znode{}, false, err
	}
	return Znode{Path: path, Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, out.GetExists(), nil
}

// CreateOptions say what to create. The zero value is a persistent znode that everyone may do everything with.
type CreateOptions struct {
	Mode     Mode
	TTL      time.Duration
	ACL      []ACL
	Parents  bool // create missing ancestors too
	IfAbsent bool // take one that is there already instead of ErrNodeExists
}

// Create makes a znode and returns it, without data: its path has the number of a sequential one. Errors: ErrNoNode without its parent, ErrNodeExists,
// ErrNoAuth, ErrInvalidACL.
func (z *Znodes) Create(ctx context.Context, path string, data []byte, o CreateOptions) (Znode, error) {
	in := createOf(path, data, o)
	ctx, in.Options = z.writing(ctx)
	out, err := z.rpc.Create(ctx, in)
	if err != nil {
		return Znode{}, err
	}
	return Znode{Path: out.GetPath(), Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, nil
}

func createOf(path string, data []byte, o CreateOptions) *paddockv1.CreateRequest {
	return &paddockv1.CreateRequest{
		Path: path, Data: data, Mode: o.Mode.proto(), TtlMs: o.TTL.Milliseconds(), Acl: aclProto(o.ACL), Parents: o.Parents, IfAbsent: o.IfAbsent,
	}
}

// PutOptions say how to put.
type PutOptions struct {
	ACL     []ACL // if it is created
	Parents bool
}

// Put creates a persistent znode or sets the data of the one that is there. Errors: ErrNoNode without its parent, ErrNoAuth.
func (z *Znodes) Put(ctx context.Context, path string, data []byte, o PutOptions) (Znode, error) {
	in := putOf(path, data, o)
	ctx, in.Options = z.writing(ctx)
	out, err := z.rpc.Put(ctx, in)
	if err != nil {
		return Znode{}, err
	}
	return Znode{Path: path, Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, nil
}

func putOf(path string, data []byte, o PutOptions) *paddockv1.PutRequest {
	return &paddockv1.PutRequest{Path: path, Data: data, Acl: aclProto(o.ACL), Parents: o.Parents}
}

// AnyVersion is the version that every znode has.
const AnyVersion = -1

// int32Of is a number as the contract has it: what is beyond is no other number.
func int32Of[N int | int64](n N) int32 {
	return int32(min(max(int64(n), math.MinInt32), math.MaxInt32))
}

// versionOf is a version as the contract has it.
func versionOf(v int32) *int32 {
	if v == AnyVersion {
		return nil
	}
	return &v
}

// Set changes the data of a znode of the given version. Errors: ErrNoNode, ErrBadVersion, ErrNoAuth.
func (z *Znodes) Set(ctx context.Context, path string, data []byte, version int32) (Znode, error) {
	ctx, options := z.writing(ctx)
	out, err := z.rpc.Set(ctx, &paddockv1.SetRequest{Path: path, Data: data, Version: versionOf(version), Options: options})
	if err != nil {
		return Znode{}, err
	}
	return Znode{Path: path, Stat: statOf(out.GetStat()), Zxid: out.GetZxid()}, nil
}

// Delete removes a znode of the given version. Errors: ErrNoNode, ErrBadVersion, ErrNotEmpty, ErrNoAuth.
func (z *Znodes) Delete(ctx context.Context, path string, version int32) error {
	ctx, options := z.writing(ctx)
	_, err := z.rpc.Delete(ctx, &paddockv1.DeleteRequest{Path: path, Version: versionOf(version), Options: options})
	return err
}

// DeleteTree removes a znode and everything below it in one transaction, and returns how many went; limit is how many may go, 0 for 1,000.
// Errors: ErrNoNode, ErrTooMany, ErrNoAuth.
func (z *Znodes) DeleteTree(ctx context.Context, path string, limit int) (int, error) {
	ctx, options := z.writing(ctx)
	out, err := z.rpc.Delete(ctx, &paddockv1.DeleteRequest{Path: path, Recursive: true, Limit: int32Of(limit), Options: options})
	return int(out.GetDeleted()), err
}

// ACL returns the access list of a znode and its stat. Errors: ErrNoNode, ErrNoAuth.
func (z *Znodes) ACL(ctx context.Context, path string) ([]ACL, Stat, error) {
	out, err := z.rpc.GetAcl(z.reading(ctx), &paddockv1.GetAclRequest{Path: path, Read: z.read})
	return aclOf(out.GetAcl()), statOf(out.GetStat()), err
}

// SetACL changes the access list of a znode whose Aversion is the one given, or AnyVersion. It is not repeated, as other writes of a session
// are: no idempotency key can go with it. Errors: ErrNoNode, ErrBadVersion, ErrInvalidACL, ErrNoAuth.
func (z *Znodes) SetACL(ctx context.Context, path string, list []ACL, aversion int32) (Stat, error) {
	out, err := z.rpc.SetAcl(z.named(ctx), &paddockv1.SetAclRequest{Path: path, Acl: aclProto(list), Version: versionOf(aversion)})
	return statOf(out.GetStat()), err
}

// Sync returns once the server has everything that the leader had, with the zxid that it has then.
func (z *Znodes) Sync(ctx context.Context) (uint64, error) {
	out, err := z.rpc.Sync(z.reading(ctx), &paddockv1.SyncRequest{})
	return out.GetZxid(), err
}

// ListOptions say what a list is to hold.
type ListOptions struct {
	Prefix, Glob string // of names; see paddock.v1.ListFilter
	Stat, Data   bool   // with them
	Depth        int    // of Walk; 0 for all the way
	PageSize     int    // 0 for the server's
}

func (o *ListOptions) filter() *paddockv1.ListFilter {
	return &paddockv1.ListFilter{Prefix: o.Prefix, Glob: o.Glob}
}

// Children lists the children of a znode by name, all as of one zxid; their Path is the name. An error ends the list: ErrNoNode,
// ErrNoAuth, ErrPageGone.
func (z *Znodes) Children(ctx context.Context, path string, o ListOptions) iter.Seq2[Znode, error] {
	in := &paddockv1.ListChildrenRequest{
		Path: path, Filter: o.filter(), WithStat: o.Stat, WithData: o.Data, PageSize: int32Of(o.PageSize), Read: z.read,
	}
	return pages(func() ([]*paddockv1.Znode, uint64, string, error) {
		out, err := z.rpc.ListChildren(z.reading(ctx), in)
		in.PageToken = out.GetNextPageToken()
		return out.GetChildren(), out.GetZxid(), in.PageToken, err
	})
}

// Walk lists a znode and everything below it, parents first, all as of one zxid. An error ends the list: ErrNoNode, ErrNoAuth, ErrPageGone.
func (z *Znodes) Walk(ctx context.Context, path string, o ListOptions) iter.Seq2[Znode, error] {
	in := &paddockv1.ListTreeRequest{
		Path: path, Filter: o.filter(), WithStat: o.Stat, WithData: o.Data, PageSize: int32Of(o.PageSize), Depth: int32Of(o.Depth), Read: z.read,
	}
	return pages(func() ([]*paddockv1.Znode, uint64, string, error) {
		out, err := z.rpc.ListTree(z.reading(ctx), in)
		in.PageToken = out.GetNextPageToken()
		return out.GetZnodes(), out.GetZxid(), in.PageToken, err
	})
}

// pages yields what next returns until there is no further token.
func pages(next func() (list []*paddockv1.Znode, zxid uint64, token string, err error)) iter.Seq2[Znode, error] {
	return func(yield func(Znode, error) bool) {
		for {
			list, zxid, token, err := next()
			if err != nil {
				yield(Znode{}, err)
				return
			}
			for _, m := range list {
				if !yield(Znode{Path: m.GetPath(), Data: m.GetData(), Stat: statOf(m.GetStat()), Zxid: zxid}, nil) {
					return
				}
			}
			if token == "" {
				return
			}
		}
	}
}

// Count tells how many znodes are at and below a path, and how many bytes they hold.
func (z *Znodes) Count(ctx context.Context, path string) (znodes, bytes int64, err error) {
	out, err := z.rpc.Count(z.reading(ctx), &paddockv1.CountRequest{Path: path, Read: z.read})
	return out.GetZnodes(), out.GetDataBytes(), err
}
