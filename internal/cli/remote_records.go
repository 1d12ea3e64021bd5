package cli

import (
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// some is data as ZooKeeper's protocol has it: gRPC does not tell data that is empty from none.
func some(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	return data
}

// versionOf is a version that is expected; none for any.
func versionOf(v int32) *int32 {
	if v == -1 {
		return nil
	}
	return &v
}

// statFrom is the stat of a message.
func statFrom(s *paddockv1.Stat) zk.Stat {
	return zk.Stat{
		Czxid: zk.Zxid(s.GetCzxid()), Mzxid: zk.Zxid(s.GetMzxid()), Pzxid: zk.Zxid(s.GetPzxid()), CtimeMS: s.GetCtimeMs(), MtimeMS: s.GetMtimeMs(),
		Version: s.GetVersion(), Cversion: s.GetCversion(), Aversion: s.GetAversion(), EphemeralOwner: s.GetEphemeralOwner(),
		DataLength: s.GetDataLength(), NumChildren: s.GetNumChildren(),
	}
}

// permissions are the rights of ZooKeeper and those of the contract.
var permissions = [...]struct {
	bit zk.Perms
	is  paddockv1.Permission
}{
	{zk.PermRead, paddockv1.Permission_PERMISSION_READ}, {zk.PermWrite, paddockv1.Permission_PERMISSION_WRITE},
	{zk.PermCreate, paddockv1.Permission_PERMISSION_CREATE}, {zk.PermDelete, paddockv1.Permission_PERMISSION_DELETE},
	{zk.PermAdmin, paddockv1.Permission_PERMISSION_ADMIN},
}

// aclFrom is the access list of a message.
func aclFrom(list []*paddockv1.Acl) []zk.ACL {
	out := make([]zk.ACL, len(list))
	for i, a := range list {
		out[i].ID = zk.ID{Scheme: a.GetScheme(), ID: a.GetId()}
		for _, p := range a.GetPermissions() {
			for _, known := range permissions {
				if known.is == p {
					out[i].Perms |= known.bit
				}
			}
		}
	}
	return out
}

// aclTo is the inverse of aclFrom.
func aclTo(list []zk.ACL) []*paddockv1.Acl {
	out := make([]*paddockv1.Acl, len(list))
	for i := range list {
		out[i] = &paddockv1.Acl{Scheme: list[i].ID.Scheme, Id: list[i].ID.ID}
		for _, p := range permissions {
			if list[i].Perms&p.bit != 0 {
				out[i].Permissions = append(out[i].Permissions, p.is)
			}
		}
	}
	return out
}

// modes are the create modes of the contract.
var modes = map[zk.CreateMode]paddockv1.CreateMode{
	zk.Persistent: paddockv1.CreateMode_CREATE_MODE_PERSISTENT, zk.PersistentSequential: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL,
	zk.Ephemeral: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL, zk.EphemeralSequential: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL,
	zk.Container: paddockv1.CreateMode_CREATE_MODE_CONTAINER, zk.PersistentTTL: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_WITH_TTL,
	zk.PersistentSequentialTTL: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL,
}

// createOf is the message that creates a znode.
func createOf(req *zk.Request) *paddockv1.CreateRequest {
	return &paddockv1.CreateRequest{Path: req.Path, Data: req.Data, Mode: modes[req.Mode], TtlMs: max(req.TTLMS, 0), Acl: aclTo(req.ACL)}
}

// kindFrom is the create mode that makes such a znode, and its time to live.
func kindFrom(z *paddockv1.Znode) (zk.CreateMode, int64) {
	switch z.GetKind() {
	case paddockv1.ZnodeKind_ZNODE_KIND_EPHEMERAL:
		return zk.Ephemeral, 0
	case paddockv1.ZnodeKind_ZNODE_KIND_CONTAINER:
		return zk.Container, 0
	case paddockv1.ZnodeKind_ZNODE_KIND_TTL:
		return zk.PersistentTTL, z.GetTtlMs()
	default:
		return zk.Persistent, 0
	}
}
