package grpcapi

import (
	"context"
	"slices"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// BatchRead answers several reads as of one zxid.
func (s *znodeServer) BatchRead(ctx context.Context, in *paddockv1.BatchReadRequest) (*paddockv1.BatchReadResponse, error) {
	if n := len(in.GetReads()); n > batchReadsMax {
		return nil, invalid("", "there are %d reads; there may be %d", n, batchReadsMax)
	}
	req := zk.Request{Op: zk.OpMultiRead, Ops: make([]zk.Request, len(in.GetReads()))}
	for i, r := range in.GetReads() {
		var err error
		if req.Ops[i], err = readOf(r); err != nil {
			return nil, err
		}
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	rep, err := a.read(ctx, &req, in.GetRead())
	if err != nil {
		return nil, err
	}
	out := &paddockv1.BatchReadResponse{Zxid: uint64(rep.Zxid), Results: make([]*paddockv1.ReadResult, len(rep.Results))}
	for i := range rep.Results {
		out.Results[i] = readResult(&rep.Results[i])
	}
	return out, nil
}

// readOf is the record of one read.
func readOf(r *paddockv1.Read) (zk.Request, error) {
	var req zk.Request
	switch r := r.GetRead().(type) {
	case *paddockv1.Read_Get:
		req = zk.Request{Op: zk.OpGetData, Path: r.Get}
	case *paddockv1.Read_Exists:
		req = zk.Request{Op: zk.OpExists, Path: r.Exists}
	case *paddockv1.Read_Children:
		req = zk.Request{Op: zk.OpGetChildren2, Path: r.Children}
	case *paddockv1.Read_Acl:
		req = zk.Request{Op: zk.OpGetACL, Path: r.Acl}
	default:
		return req, invalid("", "a read says nothing of what to read")
	}
	return req, checkPath(req.Path)
}

// readResult is the answer to one read.
func readResult(r *zk.Reply) *paddockv1.ReadResult {
	if r.Err != zk.OK {
		return &paddockv1.ReadResult{Reason: reasonOf(r.Err)}
	}
	out := &paddockv1.ReadResult{Stat: statOf(&r.Stat)}
	switch r.Op {
	case zk.OpGetData:
		out.Data = r.Data
	case zk.OpGetChildren2:
		slices.Sort(r.Names)
		out.Children = r.Names
	case zk.OpGetACL:
		out.Acl = aclOf(r.ACL)
	}
	return out
}
