//go:build doors

package suite

import (
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// modes are the kinds of znodes in the contract.
var modes = map[zk.CreateMode]paddockv1.CreateMode{
	zk.Persistent:              paddockv1.CreateMode_CREATE_MODE_PERSISTENT,
	zk.PersistentSequential:    paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL,
	zk.Ephemeral:               paddockv1.CreateMode_CREATE_MODE_EPHEMERAL,
	zk.EphemeralSequential:     paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL,
	zk.Container:               paddockv1.CreateMode_CREATE_MODE_CONTAINER,
	zk.PersistentTTL:           paddockv1.CreateMode_CREATE_MODE_PERSISTENT_WITH_TTL,
	zk.PersistentSequentialTTL: paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL,
}

// permissions are the rights in the contract.
var permissions = map[zk.Perms]paddockv1.Permission{
	zk.PermRead: paddockv1.Permission_PERMISSION_READ, zk.PermWrite: paddockv1.Permission_PERMISSION_WRITE,
	zk.PermCreate: paddockv1.Permission_PERMISSION_CREATE, zk.PermDelete: paddockv1.Permission_PERMISSION_DELETE,
	zk.PermAdmin: paddockv1.Permission_PERMISSION_ADMIN,
}

func (s *step) version() *int32 {
	if s.any {
		return nil
	}
	return &s.at
}

func (s *step) create() *paddockv1.CreateRequest {
	return &paddockv1.CreateRequest{Path: s.path, Data: []byte(s.data), Mode: modes[s.mode], TtlMs: s.ttl, Acl: aclOf(s.acl)}
}

func (s *step) set() *paddockv1.SetRequest {
	return &paddockv1.SetRequest{Path: s.path, Data: []byte(s.data), Version: s.version()}
}

func (s *step) delete() *paddockv1.DeleteRequest {
	return &paddockv1.DeleteRequest{Path: s.path, Version: s.version()}
}

func statOf(s *paddockv1.Stat) zk.Stat {
	return zk.Stat{Czxid: zk.Zxid(s.GetCzxid()), Mzxid: zk.Zxid(s.GetMzxid()), Pzxid: zk.Zxid(s.GetPzxid()), CtimeMS: s.GetCtimeMs(), MtimeMS: s.GetMtimeMs(),
		Version: s.GetVersion(), Cversion: s.GetCversion(), Aversion: s.GetAversion(), EphemeralOwner: s.GetEphemeralOwner(),
		DataLength: s.GetDataLength(), NumChildren: s.GetNumChildren()}
}

func aclOf(list []zk.ACL) []*paddockv1.Acl {
	var out []*paddockv1.Acl
	for _, a := range list {
		one := &paddockv1.Acl{Scheme: a.ID.Scheme, Id: a.ID.ID}
		for bit := zk.PermRead; bit <= zk.PermAdmin; bit <<= 1 {
			if a.Perms&bit != 0 {
				one.Permissions = append(one.Permissions, permissions[bit])
			}
		}
		out = append(out, one)
	}
	return out
}

func listOf(list []*paddockv1.Acl) []zk.ACL {
	var out []zk.ACL
	for _, a := range list {
		one := zk.ACL{ID: zk.ID{Scheme: a.GetScheme(), ID: a.GetId()}}
		for bit, p := range permissions {
			for _, has := range a.GetPermissions() {
				if has == p {
					one.Perms |= bit
				}
			}
		}
		out = append(out, one)
	}
	return out
}
