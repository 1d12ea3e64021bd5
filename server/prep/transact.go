package prep

import (
	"bytes"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// transact judges the guards, and then one of the two lists of operations as a multi. The txn is a multi whose first operation is a check of the root,
// which no server looks at; its version tells which list it was (zk.Branch).
//
// ZooKeeper compatibility: Java applies such a txn as any multi. It would drop one with a setACL in it, which therefore fails here.
func (p *Prep) transact(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	branch, ops := zk.BranchThen, req.Ops
	for i := range req.Guards {
		held, code := p.holds(&req.Guards[i], by)
		if code != zk.OK {
			return code
		}
		if !held {
			branch, ops = zk.BranchElse, req.Else
		}
	}
	if by.State != zk.OK {
		return by.State
	}
	*out = txn.Txn{Type: zk.OpMulti, Ops: make([]txn.Txn, 1+len(ops))}
	out.Ops[0] = txn.Txn{Type: zk.OpCheck, Path: zk.RootPath, Version: int32(branch)}
	for i := range ops {
		if ops[i].Op == zk.OpSetACL || ops[i].Op == zk.OpDeleteContainer {
			return zk.Unimplemented
		}
	}
	return p.each(ops, by, out.Ops[1:])
}

// holds judges one guard. It needs READ on the znode if that is there.
func (p *Prep) holds(g *zk.Guard, by *Asker) (bool, zk.Code) {
	var n node
	code := p.target(&zk.Request{Path: g.Path}, by, zk.PermRead, &n)
	if code == zk.NoNode {
		return g.Kind == zk.GuardAbsent, zk.OK
	}
	if code != zk.OK {
		return false, code
	}
	switch g.Kind {
	case zk.GuardExists:
		return true, zk.OK
	case zk.GuardAbsent:
		return false, zk.OK
	case zk.GuardVersion:
		return n.stat.Version == g.Version, zk.OK
	case zk.GuardMzxid:
		return n.stat.Mzxid == g.Zxid, zk.OK
	case zk.GuardData:
		return bytes.Equal(p.over.data(g.Path, &n), g.Data), zk.OK
	default:
		return false, zk.BadArguments
	}
}
