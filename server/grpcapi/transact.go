package grpcapi

import (
	"context"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Transact does all of its operations or none, depending on guards.
func (s *znodeServer) Transact(ctx context.Context, in *paddockv1.TransactRequest) (*paddockv1.TransactResponse, error) {
	req, err := transactOf(in)
	if err != nil {
		return nil, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	if a.session == nil && (ephemeralIn(req.Ops) || ephemeralIn(req.Else)) {
		return nil, refusal(zk.UnknownSession, "", 0)
	}
	out, err := a.transact(ctx, in, &req)
	if err == nil {
		err = out.err()
	}
	if err != nil {
		return nil, err
	}
	return &paddockv1.TransactResponse{Held: !out.otherwise, Results: resultsOf(out.results), Zxid: uint64(out.zxid)}, nil
}

// transactOf is the record of a transaction.
func transactOf(in *paddockv1.TransactRequest) (req zk.Request, err error) {
	req.Op = zk.OpTransact
	if req.Guards, err = guardsOf(in.GetGuards()); err != nil {
		return req, err
	}
	if req.Ops, err = operationsOf(in.GetThen()); err != nil {
		return req, err
	}
	if req.Else, err = operationsOf(in.GetOtherwise()); err == nil && len(req.Guards)+len(req.Ops) == 0 {
		err = invalid("", "the transaction has neither guards nor operations")
	}
	return req, err
}

// transact does a transaction, once if its options have an idempotency key. Without guards it is one that every leader knows.
func (a *asker) transact(ctx context.Context, in *paddockv1.TransactRequest, req *zk.Request) (outcome, error) {
	if len(req.Guards) == 0 {
		if in.GetOptions().GetIdempotencyKey() != 0 {
			return a.once(ctx, in, in.GetOptions(), req.Ops)
		}
		if err := a.reach(ctx, in.GetOptions().GetMinZxid()); err != nil {
			return outcome{}, err
		}
		return a.multi(ctx, req.Ops)
	}
	if in.GetOptions().GetIdempotencyKey() != 0 {
		return a.guardedOnce(ctx, in, req)
	}
	if err := a.reach(ctx, in.GetOptions().GetMinZxid()); err != nil {
		return outcome{}, err
	}
	return a.guarded(ctx, req)
}

// guarded does a transaction that has guards.
func (a *asker) guarded(ctx context.Context, req *zk.Request) (outcome, error) {
	if err := fits(req, a.door.requestBytesMax()); err != nil {
		return outcome{}, err
	}
	sent := *req
	rep, err := a.do(ctx, &sent)
	switch {
	case err != nil:
		return outcome{}, err
	case rep.Err == zk.Unimplemented:
		return outcome{}, fault(codes.FailedPrecondition, "LEADER_CANNOT",
			"the leader is a ZooKeeper, which judges guards by exists and version only, without an else branch: write the transaction so, or have a Paddock server lead; paddock cli members tells who does", about{zxid: rep.Zxid})
	}
	ops := req.Ops
	if rep.Branch == zk.BranchElse {
		ops = req.Else
	}
	out := multiOutcome(&rep, ops)
	if out.code == zk.NoAuth && out.path == "" && len(req.Guards) == 1 {
		out.path = req.Guards[0].Path // or one of several
	}
	out.otherwise = rep.Branch == zk.BranchElse
	return out, nil
}

// guardedOnce does a transaction that has guards unless it was done before under the same key. The record is part of either list; but
// where the second is empty, so that every leader can judge it, nothing is done and there is nothing to record.
func (a *asker) guardedOnce(ctx context.Context, in *paddockv1.TransactRequest, req *zk.Request) (outcome, error) {
	record, err := a.record(in, in.GetOptions())
	if err == nil {
		err = a.prepareOnce(ctx, in.GetOptions())
	}
	if err != nil {
		return outcome{}, err
	}
	with := *req
	with.Ops = append([]zk.Request{*record}, req.Ops...)
	if len(req.Else) > 0 {
		with.Else = append([]zk.Request{*record}, req.Else...)
	}
	for range attemptsMax {
		// The guards may not hold any more because of the first time.
		if out, done, err := a.recalled(ctx, in, record); done || err != nil {
			return out, err
		}
		out, err := a.guarded(ctx, &with)
		switch {
		case err != nil:
			return outcome{}, err
		case out.code == zk.NodeExists && out.failed == 0:
			continue
		case recordable(&out):
			if err := a.makeOncePlaces(ctx); err != nil {
				return outcome{}, err
			}
			continue
		case out.code != zk.OK:
			return out.without(true), nil
		case out.otherwise && len(req.Else) == 0:
			// The first time may have come here between the look for its record and the judgement.
			if first, done, err := a.recalled(ctx, in, record); done || err != nil {
				return first, err
			}
			return out, nil
		}
		a.session.keys.add(a.session, record.Path)
		return out.without(true), nil
	}
	return outcome{}, raced(record.Path)
}

// operationsOf are the records of a list of operations.
func operationsOf(list []*paddockv1.Operation) ([]zk.Request, error) {
	if len(list) > operationsMax {
		return nil, invalid("", "there are %d operations; there may be %d", len(list), operationsMax)
	}
	out := make([]zk.Request, len(list))
	for i, op := range list {
		var err error
		if out[i], err = operationOf(op); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// operationOf is the record of one operation.
func operationOf(op *paddockv1.Operation) (zk.Request, error) {
	switch op := op.GetOperation().(type) {
	case *paddockv1.Operation_Create:
		if op.Create.GetParents() || op.Create.GetIfAbsent() {
			return zk.Request{}, invalid(op.Create.GetPath(), "parents and if_absent are not possible in a transaction")
		}
		return createOf(op.Create)
	case *paddockv1.Operation_Set:
		return setOf(op.Set)
	case *paddockv1.Operation_Delete:
		if op.Delete.GetRecursive() {
			return zk.Request{}, invalid(op.Delete.GetPath(), "recursive is not possible in a transaction")
		}
		return deleteOf(op.Delete)
	case *paddockv1.Operation_Check:
		return zk.Request{Op: zk.OpCheck, Path: op.Check.GetPath(), Version: versionOf(op.Check.Version)}, checkPath(op.Check.GetPath())
	case *paddockv1.Operation_SetAcl:
		return zk.Request{}, noSetACL(op.SetAcl.GetPath())
	default:
		return zk.Request{}, invalid("", "an operation says nothing of what to do")
	}
}

// noSetACL is why an access list is not set in a transaction: servers of ZooKeeper stop on such a txn in their log.
func noSetACL(path string) error {
	return fault(codes.Unimplemented, reasonOf(zk.Unimplemented), path+": an access list cannot be set in a transaction, or with an idempotency key: use its version",
		about{path: path})
}

// guardsOf are the records of guards.
func guardsOf(list []*paddockv1.Guard) ([]zk.Guard, error) {
	if len(list) > guardsMax {
		return nil, invalid("", "there are %d guards; there may be %d", len(list), guardsMax)
	}
	out := make([]zk.Guard, len(list))
	for i, in := range list {
		if err := checkPath(in.GetPath()); err != nil {
			return nil, err
		}
		g := &out[i]
		g.Path = in.GetPath()
		switch c := in.GetCondition().(type) {
		case *paddockv1.Guard_Exists:
			if g.Kind = zk.GuardAbsent; c.Exists {
				g.Kind = zk.GuardExists
			}
		case *paddockv1.Guard_Version:
			g.Kind, g.Version = zk.GuardVersion, c.Version
		case *paddockv1.Guard_Mzxid:
			g.Kind, g.Zxid = zk.GuardMzxid, zk.Zxid(c.Mzxid)
		case *paddockv1.Guard_Data:
			g.Kind, g.Data = zk.GuardData, dataOf(c.Data)
		default:
			return nil, invalid(g.Path, "a guard says nothing of what must hold")
		}
	}
	return out, nil
}

// ephemeralIn tells whether an operation makes an ephemeral.
func ephemeralIn(ops []zk.Request) bool {
	for i := range ops {
		if ops[i].Op.IsCreate() && ops[i].Mode.IsEphemeral() {
			return true
		}
	}
	return false
}

// resultsOf are the results of operations as messages.
func resultsOf(list []zk.Reply) []*paddockv1.OperationResult {
	out := make([]*paddockv1.OperationResult, len(list))
	for i := range list {
		out[i] = &paddockv1.OperationResult{}
		switch r := &list[i]; {
		case r.Op.IsCreate():
			out[i].Path, out[i].Stat = r.Path, statOf(&r.Stat)
		case r.Op == zk.OpSetData:
			out[i].Stat = statOf(&r.Stat)
		}
	}
	return out
}
