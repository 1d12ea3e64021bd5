package grpcapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Field numbers of proto/paddock/v1 that are written and read here, beside those of codec.go.
const (
	fieldOperations = 1 // of PipelineRequest
	fieldOpGet      = 3 // of PipelineOperation
	fieldOpSet      = 5
	fieldResults    = 1 // of PipelineResponse
	fieldResultGet  = 3 // of PipelineResult
	fieldResultSet  = 5
)

// operation is one of a pipeline.
type operation struct {
	simple  bool // it is one request, whose reply is the result
	request zk.Request
	message *paddockv1.PipelineOperation // if it is not
	err     error                        // why it is refused
}

// operations are those of a PipelineRequest. They are read one by one, as they take more room once they are.
type operations struct {
	raw   []byte
	first *operation // of raw, once it is read
}

// readOperations looks whether a message is one.
func readOperations(raw []byte) (operations, error) {
	all := operations{raw: raw}
	for n := 0; len(raw) > 0; {
		number, kind, tag := protowire.ConsumeTag(raw)
		if tag < 0 {
			return operations{}, malformed(protowire.ParseError(tag))
		}
		if number > protowire.MaxValidNumber {
			return operations{}, malformed(fmt.Errorf("there is no field %d", number))
		}
		size := protowire.ConsumeFieldValue(number, kind, raw[tag:])
		if size < 0 {
			return operations{}, malformed(protowire.ParseError(size))
		}
		if number == fieldOperations && kind == protowire.BytesType {
			if n++; n > pipelineOperationsMax {
				return operations{}, invalid("", "a message has more than %d operations", pipelineOperationsMax)
			}
		}
		raw = raw[tag+size:]
	}
	return all, nil
}

// empty tells that there are no more.
func (o *operations) empty() bool { return len(o.raw) == 0 }

// front is the next one; nil if there is none.
func (o *operations) front() (*operation, error) {
	for o.first == nil && len(o.raw) > 0 {
		number, kind, tag := protowire.ConsumeTag(o.raw)
		if number != fieldOperations || kind != protowire.BytesType {
			o.raw = o.raw[tag+protowire.ConsumeFieldValue(number, kind, o.raw[tag:]):] // of a later version
			continue
		}
		one, _ := protowire.ConsumeBytes(o.raw[tag:])
		op, err := readOperation(one)
		if err != nil {
			return nil, err
		}
		o.first = &op
	}
	return o.first, nil
}

// pop drops the next one, which has been looked at.
func (o *operations) pop() {
	_, _, tag := protowire.ConsumeTag(o.raw)
	o.raw = o.raw[tag+protowire.ConsumeFieldValue(fieldOperations, protowire.BytesType, o.raw[tag:]):]
	o.first = nil
	if len(o.raw) == 0 {
		o.raw = nil
	}
}

// malformed is the status of a message that is none.
func malformed(err error) error {
	return status.Errorf(codes.Internal, "a message of the pipeline cannot be read: %v", err)
}

// readOperation reads one: without reflection if it is one of the two most frequent and has none but the usual fields.
func readOperation(raw []byte) (op operation, err error) {
	if number, kind, tag := protowire.ConsumeTag(raw); tag > 0 && kind == protowire.BytesType {
		if body, n := protowire.ConsumeBytes(raw[tag:]); n > 0 && tag+n == len(raw) {
			switch number {
			case fieldOpGet:
				if path, _, ok := pathAndData(body, fieldGetPath, -1); ok {
					op.simple, op.request = true, zk.Request{Op: zk.OpGetData, Path: string(path)}
					op.err = checkPath(op.request.Path)
					return op, nil
				}
			case fieldOpSet:
				if path, data, ok := pathAndData(body, fieldSetPath, fieldSetData); ok {
					op.simple = true
					op.request = zk.Request{Op: zk.OpSetData, Path: string(path), Data: append(make([]byte, 0, len(data)), data...), Version: -1}
					op.err = checkPath(op.request.Path)
					return op, nil
				}
			}
		}
	}
	op.message = new(paddockv1.PipelineOperation)
	if err := proto.Unmarshal(raw, op.message); err != nil {
		return op, malformed(err)
	}
	op.simplify()
	return op, nil
}

// simplify finds operations that are one request.
func (op *operation) simplify() {
	switch m := op.message.GetOperation().(type) {
	case *paddockv1.PipelineOperation_Get:
		op.read(zk.OpGetData, m.Get)
	case *paddockv1.PipelineOperation_Exists:
		op.read(zk.OpExists, m.Exists)
	case *paddockv1.PipelineOperation_GetAcl:
		op.read(zk.OpGetACL, m.GetAcl)
	case *paddockv1.PipelineOperation_Set:
		if op.simple = plainWrite(m.Set); op.simple {
			op.request, op.err = setOf(m.Set)
		}
	case *paddockv1.PipelineOperation_SetAcl:
		if op.simple = plainWrite(m.SetAcl); op.simple {
			op.request, op.err = setACLOf(m.SetAcl)
		}
	case *paddockv1.PipelineOperation_Create:
		if op.simple = plainWrite(m.Create) && !m.Create.GetParents() && !m.Create.GetIfAbsent(); op.simple {
			op.request, op.err = createOf(m.Create)
		}
	case *paddockv1.PipelineOperation_Delete:
		if op.simple = plainWrite(m.Delete) && !m.Delete.GetRecursive() && m.Delete.GetLimit() == 0; op.simple {
			op.request, op.err = deleteOf(m.Delete)
		}
	}
}

// read makes an operation a request that reads, if it may be answered at once.
func (op *operation) read(code zk.OpCode, in interface {
	GetPath() string
	GetRead() *paddockv1.ReadOptions
}) {
	level := in.GetRead().GetLevel()
	local := level == paddockv1.ReadLevel_READ_LEVEL_UNSPECIFIED || level == paddockv1.ReadLevel_READ_LEVEL_LOCAL
	if op.simple = local && in.GetRead().GetMinZxid() == 0; op.simple {
		op.request = zk.Request{Op: code, Path: in.GetPath()}
		op.err = checkPath(op.request.Path)
	}
}

// plainWrite tells whether a write has no options.
func plainWrite(in interface {
	GetOptions() *paddockv1.WriteOptions
}) bool {
	return in.GetOptions().GetIdempotencyKey() == 0 && in.GetOptions().GetMinZxid() == 0
}

// call does an operation as the call of the same name.
func (s *znodeServer) call(ctx context.Context, op *paddockv1.PipelineOperation) (*paddockv1.PipelineResult, error) {
	out := new(paddockv1.PipelineResult)
	var err error
	switch m := op.GetOperation().(type) {
	case *paddockv1.PipelineOperation_Create:
		var r *paddockv1.CreateResponse
		r, err = s.Create(ctx, m.Create)
		out.Result = &paddockv1.PipelineResult_Create{Create: r}
	case *paddockv1.PipelineOperation_Put:
		var r *paddockv1.PutResponse
		r, err = s.Put(ctx, m.Put)
		out.Result = &paddockv1.PipelineResult_Put{Put: r}
	case *paddockv1.PipelineOperation_Get:
		var r *paddockv1.GetResponse
		r, err = s.Get(ctx, m.Get)
		out.Result = &paddockv1.PipelineResult_Get{Get: r}
	case *paddockv1.PipelineOperation_Exists:
		var r *paddockv1.ExistsResponse
		r, err = s.Exists(ctx, m.Exists)
		out.Result = &paddockv1.PipelineResult_Exists{Exists: r}
	case *paddockv1.PipelineOperation_Set:
		var r *paddockv1.SetResponse
		r, err = s.Set(ctx, m.Set)
		out.Result = &paddockv1.PipelineResult_Set{Set: r}
	case *paddockv1.PipelineOperation_Delete:
		var r *paddockv1.DeleteResponse
		r, err = s.Delete(ctx, m.Delete)
		out.Result = &paddockv1.PipelineResult_Delete{Delete: r}
	case *paddockv1.PipelineOperation_ListChildren:
		var r *paddockv1.ListChildrenResponse
		r, err = s.ListChildren(ctx, m.ListChildren)
		out.Result = &paddockv1.PipelineResult_ListChildren{ListChildren: r}
	case *paddockv1.PipelineOperation_ListTree:
		var r *paddockv1.ListTreeResponse
		r, err = s.ListTree(ctx, m.ListTree)
		out.Result = &paddockv1.PipelineResult_ListTree{ListTree: r}
	case *paddockv1.PipelineOperation_Count:
		var r *paddockv1.CountResponse
		r, err = s.Count(ctx, m.Count)
		out.Result = &paddockv1.PipelineResult_Count{Count: r}
	case *paddockv1.PipelineOperation_GetAcl:
		var r *paddockv1.GetAclResponse
		r, err = s.GetAcl(ctx, m.GetAcl)
		out.Result = &paddockv1.PipelineResult_GetAcl{GetAcl: r}
	case *paddockv1.PipelineOperation_SetAcl:
		var r *paddockv1.SetAclResponse
		r, err = s.SetAcl(ctx, m.SetAcl)
		out.Result = &paddockv1.PipelineResult_SetAcl{SetAcl: r}
	case *paddockv1.PipelineOperation_Transact:
		var r *paddockv1.TransactResponse
		r, err = s.Transact(ctx, m.Transact)
		out.Result = &paddockv1.PipelineResult_Transact{Transact: r}
	case *paddockv1.PipelineOperation_BatchRead:
		var r *paddockv1.BatchReadResponse
		r, err = s.BatchRead(ctx, m.BatchRead)
		out.Result = &paddockv1.PipelineResult_BatchRead{BatchRead: r}
	case *paddockv1.PipelineOperation_Sync:
		var r *paddockv1.SyncResponse
		r, err = s.Sync(ctx, m.Sync)
		out.Result = &paddockv1.PipelineResult_Sync{Sync: r}
	default:
		err = invalid("", "an operation says nothing of what to do")
	}
	return out, err
}

// answerer encodes results. Its fields serve again for each.
type answerer struct {
	stat    paddockv1.Stat
	get     paddockv1.GetResponse
	set     paddockv1.SetResponse
	scratch []byte
}

// append appends the result of a turn to a PipelineResponse, and tells how many bytes of its line's it held. An error is the end of the
// pipeline.
func (a *answerer) append(b []byte, t *turn) (_ []byte, held int, err error) {
	if t.x == nil {
		b, err = a.appendCall(b, t.result, t.err)
		return b, 0, err
	}
	x := t.x
	if x.lost {
		err := t.line.closed(x.why)
		t.span.end(nil, err)
		return b, 0, err
	}
	t.span.end(&x.reply, nil)
	if x.holder != nil {
		held = replyBytes(&x.reply)
	}
	b, err = a.appendReply(b, t, &x.reply)
	x.free()
	return b, held, err
}

// appendReply appends the result that a reply is.
func (a *answerer) appendReply(b []byte, t *turn, rep *zk.Reply) ([]byte, error) {
	if rep.Err != zk.OK && !(t.op == zk.OpExists && rep.Err == zk.NoNode) {
		return a.appendCall(b, nil, refusal(rep.Err, t.path, rep.Zxid))
	}
	switch t.op {
	case zk.OpGetData:
		fillStat(&a.stat, &rep.Stat)
		a.get.Stat, a.get.Zxid = &a.stat, uint64(rep.Zxid)
		a.scratch = appendGet(a.scratch[:0], &a.get)
		return a.appendResult(b, fieldResultGet, fieldGetData, rep.Data), nil
	case zk.OpSetData:
		fillStat(&a.stat, &rep.Stat)
		a.set.Stat, a.set.Zxid = &a.stat, uint64(rep.Zxid)
		a.scratch = appendSet(a.scratch[:0], &a.set)
		return a.appendResult(b, fieldResultSet, 0, nil), nil
	}
	return a.appendCall(b, resultOf(t.op, rep), nil)
}

// appendResult appends the message in scratch as a result of the given field. It has data besides, unless that is empty: so that what may be
// large is copied once.
func (a *answerer) appendResult(b []byte, result, field protowire.Number, data []byte) []byte {
	size := len(a.scratch)
	if len(data) > 0 {
		size += protowire.SizeTag(field) + protowire.SizeBytes(len(data))
	}
	whole := protowire.SizeTag(result) + protowire.SizeBytes(size)
	b = slices.Grow(b, protowire.SizeTag(fieldResults)+protowire.SizeBytes(whole))
	b = protowire.AppendTag(b, fieldResults, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(whole))
	b = protowire.AppendTag(b, result, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	if len(data) > 0 {
		b = protowire.AppendTag(b, field, protowire.BytesType)
		b = protowire.AppendBytes(b, data)
	}
	return append(b, a.scratch...)
}

// resultOf is the result that the reply to a request is.
func resultOf(op zk.OpCode, rep *zk.Reply) *paddockv1.PipelineResult {
	zxid := uint64(rep.Zxid)
	switch op {
	case zk.OpExists:
		out := &paddockv1.ExistsResponse{Exists: rep.Err == zk.OK, Zxid: zxid}
		if out.Exists {
			out.Stat = statOf(&rep.Stat)
		}
		return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Exists{Exists: out}}
	case zk.OpGetACL:
		return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_GetAcl{
			GetAcl: &paddockv1.GetAclResponse{Acl: aclOf(rep.ACL), Stat: statOf(&rep.Stat), Zxid: zxid},
		}}
	case zk.OpSetACL:
		return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_SetAcl{SetAcl: &paddockv1.SetAclResponse{Stat: statOf(&rep.Stat), Zxid: zxid}}}
	case zk.OpDelete:
		return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Delete{Delete: &paddockv1.DeleteResponse{Zxid: zxid, Deleted: 1}}}
	default: // a create
		return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Create{
			Create: &paddockv1.CreateResponse{Path: strings.Clone(rep.Path), Stat: statOf(&rep.Stat), Zxid: zxid, Created: true},
		}}
	}
}

// appendCall appends a result, or the refusal of an operation. An error is the end of the pipeline.
func (a *answerer) appendCall(b []byte, result *paddockv1.PipelineResult, err error) ([]byte, error) {
	if err != nil {
		if ends(err) {
			return b, err
		}
		result = &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Error{Error: pipelineError(err)}}
	}
	b = protowire.AppendTag(b, fieldResults, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(proto.Size(result)))
	return proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, result)
}

// pipelineError is what a status says.
func pipelineError(err error) *paddockv1.PipelineError {
	s := status.Convert(err)
	out := &paddockv1.PipelineError{Code: int32(s.Code()), Message: s.Message()}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			out.Reason, out.Metadata = d.GetReason(), d.GetMetadata()
		case *errdetails.RetryInfo:
			out.RetryAfterMs = d.GetRetryDelay().AsDuration().Milliseconds()
		}
	}
	return out
}

// reasonIn is the reason of a status; empty if it has none.
func reasonIn(err error) string { return pipelineError(err).GetReason() }
