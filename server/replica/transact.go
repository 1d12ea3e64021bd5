package replica

import (
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// plainTransact is a transact request that a leader of ZooKeeper was sent as a multi: its guards are checks, the first operations.
type plainTransact struct{ guards int }

// results are those of the operations of a multi.
func results(list []tree.Result) []zk.Reply {
	out := make([]zk.Reply, 0, len(list))
	for i := range list {
		res := &list[i]
		out = append(out, zk.Reply{Op: res.Type, Err: res.Err, Path: res.Path, Stat: res.Stat})
	}
	return out
}

// buildTransacted makes the reply to a transact request from the multi that it has become: the first operation tells which branch it was.
func (r *Replica) buildTransacted(f *inflight) {
	all := r.outcome.Results
	if f.plain != nil {
		r.buildPlain(all, f.plain.guards)
		return
	}
	r.reply.Branch = zk.Branch(f.rec.Txn.Ops[0].Version)
	r.reply.Results = results(all[1:])
}

// buildPlain is buildTransacted of one that the leader knew as a multi. A check that does not hold is a guard that does not.
func (r *Replica) buildPlain(all []tree.Result, guards int) {
	for _, res := range all[:guards] {
		switch res.Err {
		case zk.OK, zk.RuntimeInconsistency:
		case zk.NoNode, zk.BadVersion:
			r.reply.Branch = zk.BranchElse
			return
		default:
			r.reply.Err = res.Err
			return
		}
	}
	r.reply.Branch = zk.BranchThen
	r.reply.Results = results(all[guards:])
}
