package zk

import (
	"slices"

	"paddock/internal/jute"
)

// Wire form of transact between servers:
//
//	vector of guards: int kind | string path | int version | long zxid | buffer data
//	the operations as in multi, and those of the other branch

// GuardKind is what a Guard asks for.
type GuardKind int32

// The kinds of guard.
const (
	GuardExists  GuardKind = 1 // the znode is there
	GuardAbsent  GuardKind = 2 // it is not
	GuardVersion GuardKind = 3 // it is there and has the Version
	GuardMzxid   GuardKind = 4 // it is there and was last changed by Zxid
	GuardData    GuardKind = 5 // it is there and holds Data; null counts as empty
)

// Guard is a condition of a transact request.
type Guard struct {
	Kind    GuardKind
	Path    string
	Version int32
	Zxid    Zxid
	Data    []byte
}

// Branch tells which operations of a transact request were judged.
type Branch int32

// The branches; 0 where it did not come to that.
const (
	BranchThen Branch = 1 // all guards hold: Ops
	BranchElse Branch = 2 // one does not: Else
)

// guardBytesMin is the least a guard takes on the wire.
const guardBytesMin = 24

func (g *Guard) code(c *jute.Coder) {
	c.Int32((*int32)(&g.Kind))
	c.String(&g.Path)
	c.Int32(&g.Version)
	g.Zxid.Jute(c)
	c.Buffer(&g.Data)
}

func (r *Request) transact(c *jute.Coder) {
	jute.Vector(c, &r.Guards, guardBytesMin, func(c *jute.Coder, g *Guard) { g.code(c) })
	r.multi(c)
	other := Request{Ops: r.Else}
	other.multi(c)
	r.Else = other.Ops
}

// AsMulti is the multi that does the same as a transact request for a leader which knows no other: with a check for each guard, ahead of
// the operations. ok is false if there is none, because of another branch, or a guard that is no check.
func (r *Request) AsMulti() (multi *Request, ok bool) {
	if len(r.Else) > 0 {
		return nil, false
	}
	multi = &Request{Xid: r.Xid, Op: OpMulti, IDs: r.IDs, Malformed: r.Malformed}
	for _, g := range r.Guards {
		check := Request{Op: OpCheck, Path: g.Path, Version: -1}
		switch g.Kind {
		case GuardExists:
		case GuardVersion:
			check.Version = g.Version
		default:
			return nil, false
		}
		multi.Ops = append(multi.Ops, check)
	}
	multi.Ops = slices.Concat(multi.Ops, r.Ops)
	return multi, true
}
