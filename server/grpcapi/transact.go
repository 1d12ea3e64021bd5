package grpcapi

import (
	"context"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Transact does all of its operations or none, depending on guards.
func (s *znodeServer) Transact(ctx context.Context, in *paddockv1.TransactRequest) (*paddockv1.TransactResponse, error) {
	if n := len(in.GetGuards()); n > guardsMax {
		return nil, invalid("", "there are %d guards; there may be %d", n, guardsMax)
	}
	then, err := operationsOf(in.GetThen())
	if err != nil {
		return nil, err
	}
	if _, err := operationsOf(in.GetOtherwise()); err != nil {
		return nil, err
	}
	guards, err := checksOf(in)
	if err != nil {
		return nil, err
	}
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	if ephemeralIn(then) && a.session == nil {
		return nil, refusal(zk.UnknownSession, "", 0)
	}
	if len(guards)+len(then) == 0 {
		return nil, invalid("", "the transaction has neither guards nor operations")
	}
	ops := append(guards, then...)
	out, err := a.transact(ctx, in, ops)
	if err != nil {
		return nil, err
	}
	if out.code != zk.OK && out.failed < len(guards) && (out.code == zk.NoNode || out.code == zk.BadVersion) {
		return &paddockv1.TransactResponse{Zxid: uint64(out.zxid)}, nil
	}
	out.failed -= len(guards)
	if err := out.err(); err != nil {
		return nil, err
	}
	return &paddockv1.TransactResponse{Held: true, Results: resultsOf(out.results[len(guards):]), Zxid: uint64(out.zxid)}, nil
}

// transact does operations as one transaction, even if there is but one.
func (a *asker) transact(ctx context.Context, in *paddockv1.TransactRequest, ops []zk.Request) (outcome, error) {
	if in.GetOptions().GetIdempotencyKey() != 0 {
		return a.once(ctx, in, in.GetOptions(), ops)
	}
	if err := a.reach(ctx, zk.Zxid(in.GetOptions().GetMinZxid())); err != nil {
		return outcome{}, err
	}
	return a.multi(ctx, ops)
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

// checksOf are the guards of a transaction as ZooKeeper has them.
func checksOf(in *paddockv1.TransactRequest) ([]zk.Request, error) {
	var out []zk.Request
	for _, g := range in.GetGuards() {
		if err := checkPath(g.GetPath()); err != nil {
			return nil, err
		}
		req := zk.Request{Op: zk.OpCheck, Path: g.GetPath(), Version: -1}
		switch c := g.GetCondition().(type) {
		case nil:
			return nil, invalid(g.GetPath(), "a guard says nothing of what must hold")
		case *paddockv1.Guard_Version:
			req.Version = c.Version
		case *paddockv1.Guard_Exists:
			if !c.Exists {
				return nil, leaderCannot(g.GetPath())
			}
		default:
			return nil, leaderCannot(g.GetPath())
		}
		out = append(out, req)
	}
	if len(in.GetOtherwise()) > 0 && len(out) > 0 {
		return nil, leaderCannot("")
	}
	return out, nil
}

// leaderCannot is the status of a transaction that the leader does not know how to judge.
func leaderCannot(path string) error {
	return fault(codes.FailedPrecondition, "LEADER_CANNOT", "the leader judges guards by exists and version only, without an else branch", about{path: path})
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
