package grpcapi

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// attemptsMax is how often a call that takes several steps begins again because others have changed what it saw.
const attemptsMax = 10

// znodeServer implements ZnodeService.
type znodeServer struct {
	paddockv1.UnimplementedZnodeServiceServer
	door *door
}

// raced is the status of a call that others have outrun too often.
func raced(path string) error {
	return fault(codes.Aborted, "RACED", "others changed it again and again while it was being done: ask again", retryNow, about{path: path})
}

// Get returns data and stat.
func (s *znodeServer) Get(ctx context.Context, in *paddockv1.GetRequest) (*paddockv1.GetResponse, error) {
	rep, err := s.readOne(ctx, zk.OpGetData, in.GetPath(), in.GetRead())
	if err != nil {
		return nil, err
	}
	return &paddockv1.GetResponse{Data: rep.Data, Stat: statOf(&rep.Stat), Zxid: uint64(rep.Zxid)}, nil
}

// readOne reads something of one znode.
func (s *znodeServer) readOne(ctx context.Context, op zk.OpCode, path string, opt *paddockv1.ReadOptions, allowed ...zk.Code) (zk.Reply, error) {
	if err := checkPath(path); err != nil {
		return zk.Reply{}, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return zk.Reply{}, err
	}
	return a.read(ctx, &zk.Request{Op: op, Path: path}, opt, allowed...)
}

// Exists tells whether a znode is there.
func (s *znodeServer) Exists(ctx context.Context, in *paddockv1.ExistsRequest) (*paddockv1.ExistsResponse, error) {
	rep, err := s.readOne(ctx, zk.OpExists, in.GetPath(), in.GetRead(), zk.NoNode)
	if err != nil {
		return nil, err
	}
	out := &paddockv1.ExistsResponse{Exists: rep.Err == zk.OK, Zxid: uint64(rep.Zxid)}
	if out.Exists {
		out.Stat = statOf(&rep.Stat)
	}
	return out, nil
}

// GetAcl returns the access list.
func (s *znodeServer) GetAcl(ctx context.Context, in *paddockv1.GetAclRequest) (*paddockv1.GetAclResponse, error) {
	rep, err := s.readOne(ctx, zk.OpGetACL, in.GetPath(), in.GetRead())
	if err != nil {
		return nil, err
	}
	return &paddockv1.GetAclResponse{Acl: aclOf(rep.ACL), Stat: statOf(&rep.Stat), Zxid: uint64(rep.Zxid)}, nil
}

// Set changes the data.
func (s *znodeServer) Set(ctx context.Context, in *paddockv1.SetRequest) (*paddockv1.SetResponse, error) {
	req, err := setOf(in)
	if err != nil {
		return nil, err
	}
	out, err := s.writeOne(ctx, in, in.GetOptions(), req)
	if err != nil {
		return nil, err
	}
	return &paddockv1.SetResponse{Stat: statOf(&out.results[0].Stat), Zxid: uint64(out.zxid)}, nil
}

// SetAcl changes the access list.
func (s *znodeServer) SetAcl(ctx context.Context, in *paddockv1.SetAclRequest) (*paddockv1.SetAclResponse, error) {
	req, err := setACLOf(in)
	if err != nil {
		return nil, err
	}
	if in.GetOptions().GetIdempotencyKey() != 0 {
		return nil, noSetACL(req.Path)
	}
	out, err := s.writeOne(ctx, in, in.GetOptions(), req)
	if err != nil {
		return nil, err
	}
	return &paddockv1.SetAclResponse{Stat: statOf(&out.results[0].Stat), Zxid: uint64(out.zxid)}, nil
}

// writeOne does one operation, as a.write; that it is refused is an error too.
func (s *znodeServer) writeOne(ctx context.Context, in proto.Message, opt *paddockv1.WriteOptions, req zk.Request) (outcome, error) {
	a, err := s.door.asker(ctx)
	if err != nil {
		return outcome{}, err
	}
	out, err := a.write(ctx, in, opt, req)
	if err == nil {
		err = out.err()
	}
	return out, err
}

// Put creates a znode or sets its data.
func (s *znodeServer) Put(ctx context.Context, in *paddockv1.PutRequest) (*paddockv1.PutResponse, error) {
	create, err := createOf(&paddockv1.CreateRequest{Path: in.GetPath(), Data: in.GetData(), Acl: in.GetAcl()})
	if err != nil {
		return nil, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	set := zk.Request{Op: zk.OpSetData, Path: create.Path, Data: create.Data, Version: -1}
	for range attemptsMax {
		out, err := a.write(ctx, in, in.GetOptions(), set)
		if err == nil && out.code == zk.NoNode {
			out, err = a.create(ctx, in, in.GetOptions(), create, in.GetParents())
			if out.code == zk.NodeExists && out.path == create.Path {
				continue
			}
		}
		if err == nil {
			err = out.err()
		}
		if err != nil {
			return nil, err
		}
		last := &out.results[len(out.results)-1]
		return &paddockv1.PutResponse{Stat: statOf(&last.Stat), Zxid: uint64(out.zxid), Created: last.Op.IsCreate()}, nil
	}
	return nil, raced(in.GetPath())
}

// Create makes a znode.
func (s *znodeServer) Create(ctx context.Context, in *paddockv1.CreateRequest) (*paddockv1.CreateResponse, error) {
	req, err := createOf(in)
	if err != nil {
		return nil, err
	}
	if in.GetIfAbsent() && req.Mode.IsSequential() {
		return nil, invalid(req.Path, "if_absent is not for the sequential modes: each of their znodes is a new one")
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	if req.Mode.IsEphemeral() && a.session == nil {
		return nil, refusal(zk.UnknownSession, req.Path, 0)
	}
	for range attemptsMax {
		out, err := a.create(ctx, in, in.GetOptions(), req, in.GetParents())
		if err == nil && out.code == zk.NodeExists && in.GetIfAbsent() && out.path == req.Path {
			rep, err := a.read(ctx, &zk.Request{Op: zk.OpExists, Path: req.Path}, &paddockv1.ReadOptions{MinZxid: uint64(max(out.zxid, 0))}, zk.NoNode)
			switch {
			case err != nil:
				return nil, err
			case rep.Err == zk.NoNode:
				continue // it has gone meanwhile
			}
			return &paddockv1.CreateResponse{Path: req.Path, Stat: statOf(&rep.Stat), Zxid: uint64(rep.Zxid)}, nil
		}
		if err == nil {
			err = out.err()
		}
		if err != nil {
			return nil, err
		}
		made := &out.results[len(out.results)-1]
		return &paddockv1.CreateResponse{Path: made.Path, Stat: statOf(&made.Stat), Zxid: uint64(out.zxid), Created: true}, nil
	}
	return nil, raced(req.Path)
}

// create makes a znode, and its missing ancestors if it may. What this server has is at least what the refusal was judged by.
func (a *asker) create(ctx context.Context, in proto.Message, opt *paddockv1.WriteOptions, req zk.Request, parents bool) (outcome, error) {
	out, err := a.write(ctx, in, opt, req)
	for range attemptsMax {
		if !parents || err != nil || !ancestors(&out, &req) {
			return out, err
		}
		var ops []zk.Request
		if ops, err = a.missing(ctx, req); err == nil {
			out, err = a.write(ctx, in, opt, ops...)
		}
	}
	if err == nil && ancestors(&out, &req) {
		return outcome{}, raced(req.Path)
	}
	return out, err
}

// ancestors tells whether a creation was refused for what was there, or not, above its znode.
func ancestors(out *outcome, req *zk.Request) bool {
	return out.code == zk.NoNode || out.code == zk.NodeExists && out.path != req.Path
}

// missing are the creates of a znode and of its ancestors that are not there, outermost first.
func (a *asker) missing(ctx context.Context, req zk.Request) ([]zk.Request, error) {
	ops := []zk.Request{req}
	for p := zk.ParentPath(req.Path); p != ""; p = zk.ParentPath(p) {
		rep, err := a.do(ctx, &zk.Request{Op: zk.OpExists, Path: p})
		if err != nil {
			return nil, err
		}
		if rep.Err != zk.NoNode {
			break
		}
		ops = append(ops, zk.Request{Op: zk.OpCreate2, Mode: zk.Persistent, Path: p, Data: []byte{}, ACL: req.ACL, TTLMS: -1})
	}
	slices.Reverse(ops)
	return ops, nil
}

// Sync returns once the server has what the leader had.
func (s *znodeServer) Sync(ctx context.Context, _ *paddockv1.SyncRequest) (*paddockv1.SyncResponse, error) {
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	if a.session == nil {
		zxid, err := s.door.barriers.pass(ctx, levelSynced)
		return &paddockv1.SyncResponse{Zxid: uint64(zxid)}, err
	}
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpSync, Path: zk.RootPath})
	if err = judged(&rep, err, "", nil); err != nil {
		return nil, err
	}
	return &paddockv1.SyncResponse{Zxid: uint64(rep.Zxid)}, nil
}
