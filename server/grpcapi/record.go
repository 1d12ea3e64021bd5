package grpcapi

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Bounds of what a request may hold, looked at before anything is made of it.
const (
	pathBytesMax   = 4096 // of a path in a request
	aclEntriesMax  = 256  // of an access list
	operationsMax  = 1000 // of a transaction, each of its lists
	guardsMax      = 1000
	batchReadsMax  = 1000
	recordOverhead = 64 // bytes of what only Paddock's servers send each other, beyond its path, data and access list
)

// statOf is a Stat as a message.
func statOf(s *zk.Stat) *paddockv1.Stat {
	m := new(paddockv1.Stat)
	fillStat(m, s)
	return m
}

// fillStat is statOf for a message that serves again: it sets every field.
func fillStat(m *paddockv1.Stat, s *zk.Stat) {
	m.Czxid, m.Mzxid, m.Pzxid, m.CtimeMs, m.MtimeMs = uint64(s.Czxid), uint64(s.Mzxid), uint64(s.Pzxid), s.CtimeMS, s.MtimeMS
	m.Version, m.Cversion, m.Aversion, m.EphemeralOwner = s.Version, s.Cversion, s.Aversion, s.EphemeralOwner
	m.DataLength, m.NumChildren = s.DataLength, s.NumChildren
}

// permissions are the bits by the order of the enum.
var permissions = [...]zk.Perms{
	paddockv1.Permission_PERMISSION_READ: zk.PermRead, paddockv1.Permission_PERMISSION_WRITE: zk.PermWrite,
	paddockv1.Permission_PERMISSION_CREATE: zk.PermCreate, paddockv1.Permission_PERMISSION_DELETE: zk.PermDelete,
	paddockv1.Permission_PERMISSION_ADMIN: zk.PermAdmin,
}

// aclOf is an access list as messages, whose strings are UTF-8.
func aclOf(list []zk.ACL) []*paddockv1.Acl {
	out := make([]*paddockv1.Acl, len(list))
	for i := range list {
		out[i] = &paddockv1.Acl{Scheme: strings.ToValidUTF8(list[i].ID.Scheme, "\uFFFD"), Id: strings.ToValidUTF8(list[i].ID.ID, "\uFFFD")}
		for p, bit := range permissions {
			if bit != 0 && list[i].Perms&bit != 0 {
				out[i].Permissions = append(out[i].Permissions, paddockv1.Permission(p))
			}
		}
	}
	return out
}

// readACL is the inverse of aclOf; an empty list lets everyone do everything.
func readACL(path string, list []*paddockv1.Acl) ([]zk.ACL, error) {
	if len(list) == 0 {
		return zk.OpenACL, nil
	}
	if len(list) > aclEntriesMax {
		return nil, invalid(path, "acl has %d entries; there may be %d", len(list), aclEntriesMax)
	}
	out := make([]zk.ACL, len(list))
	for i, a := range list {
		out[i].ID = zk.ID{Scheme: a.GetScheme(), ID: a.GetId()}
		for _, p := range a.GetPermissions() {
			if p <= 0 || int(p) >= len(permissions) {
				return nil, refusal(zk.InvalidACL, path, 0)
			}
			out[i].Perms |= permissions[p]
		}
	}
	return out, nil
}

// checkPath refuses what no znode can be called.
func checkPath(path string) error {
	if len(path) > pathBytesMax {
		return invalid(path[:pathBytesMax], "the path has %d bytes; there may be %d", len(path), pathBytesMax)
	}
	if problem := zk.PathProblem(path); problem != "" {
		return invalid(path, "%s", problem)
	}
	return nil
}

// modes are the create modes by the enum, with the operation that makes each.
var modes = [...]struct {
	mode zk.CreateMode
	op   zk.OpCode
}{
	paddockv1.CreateMode_CREATE_MODE_UNSPECIFIED:                    {zk.Persistent, zk.OpCreate2},
	paddockv1.CreateMode_CREATE_MODE_PERSISTENT:                     {zk.Persistent, zk.OpCreate2},
	paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL:          {zk.PersistentSequential, zk.OpCreate2},
	paddockv1.CreateMode_CREATE_MODE_EPHEMERAL:                      {zk.Ephemeral, zk.OpCreate2},
	paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL:           {zk.EphemeralSequential, zk.OpCreate2},
	paddockv1.CreateMode_CREATE_MODE_CONTAINER:                      {zk.Container, zk.OpCreateContainer},
	paddockv1.CreateMode_CREATE_MODE_PERSISTENT_WITH_TTL:            {zk.PersistentTTL, zk.OpCreateTTL},
	paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL: {zk.PersistentSequentialTTL, zk.OpCreateTTL},
}

// createOf is the record of a create.
func createOf(in *paddockv1.CreateRequest) (zk.Request, error) {
	m := in.GetMode()
	if m < 0 || int(m) >= len(modes) {
		return zk.Request{}, invalid(in.GetPath(), "mode %d is none", m)
	}
	req := zk.Request{Op: modes[m].op, Mode: modes[m].mode, Path: in.GetPath(), Data: dataOf(in.GetData()), TTLMS: -1}
	check := req.Path
	if req.Mode.IsSequential() {
		check += "0" // the name may be nothing but its number
	}
	if err := checkPath(check); err != nil {
		return zk.Request{}, err
	}
	if req.Mode.IsTTL() {
		if req.TTLMS = in.GetTtlMs(); req.TTLMS <= 0 || req.TTLMS > zk.TTLMaxMS {
			return zk.Request{}, invalid(req.Path, "ttl_ms is %d; it must be from 1 to %d", req.TTLMS, int64(zk.TTLMaxMS))
		}
	} else if in.GetTtlMs() != 0 {
		return zk.Request{}, invalid(req.Path, "ttl_ms is for the modes that have one")
	}
	var err error
	req.ACL, err = readACL(req.Path, in.GetAcl())
	return req, err
}

// dataOf is a znode's data: never null, as absent bytes are the same as none.
func dataOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// versionOf is an expected version.
func versionOf(v *int32) int32 {
	if v == nil {
		return -1
	}
	return *v
}

func setOf(in *paddockv1.SetRequest) (zk.Request, error) {
	return zk.Request{Op: zk.OpSetData, Path: in.GetPath(), Data: dataOf(in.GetData()), Version: versionOf(in.Version)}, checkPath(in.GetPath())
}

func deleteOf(in *paddockv1.DeleteRequest) (zk.Request, error) {
	return zk.Request{Op: zk.OpDelete, Path: in.GetPath(), Version: versionOf(in.Version)}, checkPath(in.GetPath())
}

func setACLOf(in *paddockv1.SetAclRequest) (req zk.Request, err error) {
	req = zk.Request{Op: zk.OpSetACL, Path: in.GetPath(), Version: versionOf(in.Version)}
	if err = checkPath(req.Path); err != nil {
		return req, err
	}
	if len(in.GetAcl()) == 0 {
		return req, refusal(zk.InvalidACL, req.Path, 0)
	}
	req.ACL, err = readACL(req.Path, in.GetAcl())
	return req, err
}

// fits refuses a request that ZooKeeper's protocol would not carry, at most most bytes.
func fits(req *zk.Request, most int) error {
	if n := sizeOf(req); n > most {
		return tooLarge(req.Path, n, most)
	}
	return nil
}

// Bytes of ZooKeeper's protocol: of a number or length, and of what stands before each operation of a multi, and behind the last.
const (
	wordBytes        = 4
	multiHeaderBytes = 9
)

// overheadOf is how many bytes a request has beyond its path, data and access list.
func overheadOf(op zk.OpCode) int {
	switch op {
	case zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer:
		return zk.HeaderBytes + 4*wordBytes
	case zk.OpCreateTTL:
		return zk.HeaderBytes + 6*wordBytes
	case zk.OpSetData, zk.OpSetACL:
		return zk.HeaderBytes + 3*wordBytes
	case zk.OpDelete, zk.OpCheck:
		return zk.HeaderBytes + 2*wordBytes
	case zk.OpMulti:
		return zk.HeaderBytes + multiHeaderBytes
	default:
		return recordOverhead
	}
}

// sizeOf is how many bytes a request has on the wire; about how many if ZooKeeper's protocol does not have it.
func sizeOf(req *zk.Request) int {
	n := overheadOf(req.Op) + len(req.Path) + len(req.Data)
	for i := range req.ACL {
		n += len(req.ACL[i].ID.Scheme) + len(req.ACL[i].ID.ID) + 12
	}
	for i := range req.Ops {
		n += sizeOf(&req.Ops[i]) - zk.HeaderBytes + multiHeaderBytes
	}
	for i := range req.Else {
		n += sizeOf(&req.Else[i])
	}
	for i := range req.Guards {
		n += recordOverhead + len(req.Guards[i].Path) + len(req.Guards[i].Data)
	}
	return n
}

// tooLarge is the status of a request or an answer that no message may carry.
func tooLarge(path string, bytes, most int) error {
	return fault(codes.ResourceExhausted, "TOO_LARGE", fmt.Sprintf("it has %d bytes; there may be %d (jute.maxbuffer)", bytes, most), about{path: path})
}
