package client

import (
	"context"

	paddockv1 "paddock/gen/paddock/v1"
)

// Guard is a condition of a transaction: make one with IfExists and its sisters.
type Guard struct{ m *paddockv1.Guard }

// IfExists holds if the znode is there.
func IfExists(path string) Guard {
	return Guard{&paddockv1.Guard{Path: path, Condition: &paddockv1.Guard_Exists{Exists: true}}}
}

// IfAbsent holds if it is not.
func IfAbsent(path string) Guard {
	return Guard{&paddockv1.Guard{Path: path, Condition: &paddockv1.Guard_Exists{Exists: false}}}
}

// IfVersion holds if it is there and has this version.
func IfVersion(path string, version int32) Guard {
	return Guard{&paddockv1.Guard{Path: path, Condition: &paddockv1.Guard_Version{Version: version}}}
}

// IfUnchanged holds if it was last changed by this zxid: the Stat.Mzxid that was read.
func IfUnchanged(path string, mzxid uint64) Guard {
	return Guard{&paddockv1.Guard{Path: path, Condition: &paddockv1.Guard_Mzxid{Mzxid: mzxid}}}
}

// IfData holds if it has exactly this data.
func IfData(path string, data []byte) Guard {
	return Guard{&paddockv1.Guard{Path: path, Condition: &paddockv1.Guard_Data{Data: data}}}
}

// Op is one step of a transaction: make one with OpCreate and its sisters.
type Op struct{ m *paddockv1.Operation }

// OpCreate creates; Parents and IfAbsent are not possible.
func OpCreate(path string, data []byte, o CreateOptions) Op {
	return Op{&paddockv1.Operation{Operation: &paddockv1.Operation_Create{Create: createOf(path, data, o)}}}
}

// OpSet sets data.
func OpSet(path string, data []byte, version int32) Op {
	return Op{&paddockv1.Operation{Operation: &paddockv1.Operation_Set{Set: &paddockv1.SetRequest{Path: path, Data: data, Version: versionOf(version)}}}}
}

// OpDelete deletes.
func OpDelete(path string, version int32) Op {
	return Op{&paddockv1.Operation{Operation: &paddockv1.Operation_Delete{Delete: &paddockv1.DeleteRequest{Path: path, Version: versionOf(version)}}}}
}

// OpSetACL sets an access list. No server takes it yet: the transaction fails with UNIMPLEMENTED, and SetACL with a version is the way.
func OpSetACL(path string, list []ACL, aversion int32) Op {
	return Op{&paddockv1.Operation{Operation: &paddockv1.Operation_SetAcl{SetAcl: &paddockv1.SetAclRequest{Path: path, Acl: aclProto(list), Version: versionOf(aversion)}}}}
}

// OpCheck fails the transaction unless the znode has the version.
func OpCheck(path string, version int32) Op {
	return Op{&paddockv1.Operation{Operation: &paddockv1.Operation_Check{Check: &paddockv1.CheckVersion{Path: path, Version: versionOf(version)}}}}
}

// Transaction is done as a whole or not at all: Then if all guards hold, else Else.
type Transaction struct {
	If         []Guard
	Then, Else []Op
}

// Outcome is what a transaction has done.
type Outcome struct {
	Held    bool    // the guards
	Results []Znode // of each operation of the list that was done: path of a create, stat where there is one
	Zxid    uint64
}

// Transact does a transaction. The error is that of the first operation that failed; then nothing was done. A guard that does not hold is no error.
func (z *Znodes) Transact(ctx context.Context, t Transaction) (Outcome, error) {
	ctx, options := z.writing(ctx)
	in := &paddockv1.TransactRequest{Options: options}
	for _, g := range t.If {
		in.Guards = append(in.Guards, g.m)
	}
	for _, op := range t.Then {
		in.Then = append(in.Then, op.m)
	}
	for _, op := range t.Else {
		in.Otherwise = append(in.Otherwise, op.m)
	}
	out, err := z.rpc.Transact(ctx, in)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Held: out.GetHeld(), Zxid: out.GetZxid()}
	for _, r := range out.GetResults() {
		o.Results = append(o.Results, Znode{Path: r.GetPath(), Stat: statOf(r.GetStat()), Zxid: out.GetZxid()})
	}
	return o, nil
}
