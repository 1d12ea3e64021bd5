package zk

import "paddock/internal/jute"

// Wire form of multi and multiRead, request and response alike: for each operation a header
//
//	int type | bool done | int err
//
// and its record; the end is a header with done set: type -1, err -1.

// multiHeader precedes each operation.
type multiHeader struct {
	op   OpCode
	done bool
	err  Code
}

func (h *multiHeader) code(c *jute.Coder) {
	c.Int32((*int32)(&h.op))
	c.Bool(&h.done)
	c.Int32((*int32)(&h.err))
}

var multiEnd = multiHeader{op: OpError, done: true, err: -1}

// opKind tells reads from writes inside a multi; 0 for what may not be there.
func opKind(o OpCode) int {
	switch o {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpCheck:
		return 1
	case OpGetData, OpGetChildren:
		return 2
	default:
		return 0
	}
}

// IsRead tells whether the operation is one that multiRead may hold.
func (o OpCode) IsRead() bool { return opKind(o) == 2 }

// multi codes the operations. Reading fails on what ZooKeeper refuses while it decodes: an operation that
// may not be in a multi, reads mixed with writes, bad create flags, a null access list.
func (r *Request) multi(c *jute.Coder) {
	if !c.Reading() {
		for i := range r.Ops {
			h := multiHeader{op: r.Ops[i].Op, err: -1}
			h.code(c)
			r.Ops[i].body(c)
		}
		end := multiEnd
		end.code(c)
		return
	}
	kind := 0
	for {
		var h multiHeader
		if h.code(c); c.Err() != nil || h.done {
			return
		}
		k := opKind(h.op)
		if k == 0 || kind != 0 && k != kind {
			c.Fail("operation not allowed in multi")
			return
		}
		kind = k
		op := Request{Op: h.op}
		op.body(c)
		if op.Op.IsCreate() {
			op.normalizeCreate(c)
		}
		if c.Err() != nil {
			return
		}
		r.Ops = append(r.Ops, op)
	}
}

// normalizeCreate makes opcode and flag of a create inside a multi agree, as ZooKeeper does when it decodes.
func (r *Request) normalizeCreate(c *jute.Coder) {
	if r.Op == OpCreateTTL {
		switch {
		case !r.Mode.Valid():
			c.Fail("create flag")
		case r.Mode == Container:
			r.Op, r.TTLMS = OpCreateContainer, -1
		case !r.Mode.IsTTL():
			r.Op, r.TTLMS = OpCreate, -1
		}
		return
	}
	if !r.Mode.Valid() || r.Mode.IsTTL() || r.ACL == nil {
		c.Fail("create flag or access list")
		return
	}
	if r.Mode == Container {
		r.Op = OpCreateContainer
	}
}

// results codes the results of a multi. ZooKeeper has no result types for containers and TTL znodes: they
// come back as create2.
func (r *Reply) results(c *jute.Coder) {
	if !c.Reading() {
		for i := range r.Results {
			res := &r.Results[i]
			h := multiHeader{op: res.Op, err: res.Err}
			if res.Op == OpCreateTTL || res.Op == OpCreateContainer {
				h.op = OpCreate2
			}
			h.code(c)
			res.body(c)
		}
		end := multiEnd
		end.code(c)
		return
	}
	for {
		var h multiHeader
		if h.code(c); c.Err() != nil || h.done {
			return
		}
		res := Reply{Op: h.op, Err: h.err}
		if opKind(h.op) == 0 && h.op != OpError {
			c.Fail("result type")
			return
		}
		res.body(c)
		r.Results = append(r.Results, res)
	}
}
