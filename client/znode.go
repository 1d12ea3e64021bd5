package client

import (
	"time"

	paddockv1 "paddock/gen/paddock/v1"
)

// Stat is what ZooKeeper keeps of a znode beside its data.
type Stat struct {
	Czxid, Mzxid, Pzxid         uint64 // of its creation, its last change, the last change of its children
	Created, Modified           time.Time
	Version, Cversion, Aversion int32
	EphemeralOwner              int64 // session that owns it; 0 if it is not ephemeral
	DataLength, NumChildren     int32
}

// Znode is a znode with what was asked for of it.
type Znode struct {
	Path string
	Data []byte
	Stat Stat
	Zxid uint64 // that it is true at
}

// Perms are rights.
type Perms uint8

// The rights.
const (
	PermRead Perms = 1 << iota
	PermWrite
	PermCreate
	PermDelete
	PermAdmin
	PermAll = PermRead | PermWrite | PermCreate | PermDelete | PermAdmin
)

// ACL grants rights to an identity.
type ACL struct {
	Scheme, ID string
	Perms      Perms
}

// Mode is what kind of znode to create.
type Mode uint8

// The modes. TTL modes need CreateOptions.TTL, ephemeral ones a Session.
const (
	Persistent Mode = iota
	PersistentSequential
	Ephemeral
	EphemeralSequential
	Container
	PersistentTTL
	PersistentSequentialTTL
)

// Level is how fresh an answer must be.
type Level uint8

// The levels.
const (
	Local        Level = iota // what the server has
	Synced                    // what the leader had when it was asked
	Linearizable              // no older than anything anyone was told before
)

func (m Mode) proto() paddockv1.CreateMode {
	return paddockv1.CreateMode(m) + paddockv1.CreateMode_CREATE_MODE_PERSISTENT
}

func statOf(s *paddockv1.Stat) Stat {
	return Stat{
		Czxid: s.GetCzxid(), Mzxid: s.GetMzxid(), Pzxid: s.GetPzxid(),
		Created: time.UnixMilli(s.GetCtimeMs()), Modified: time.UnixMilli(s.GetMtimeMs()),
		Version: s.GetVersion(), Cversion: s.GetCversion(), Aversion: s.GetAversion(),
		EphemeralOwner: s.GetEphemeralOwner(), DataLength: s.GetDataLength(), NumChildren: s.GetNumChildren(),
	}
}

var permNumbers = []struct {
	bit    Perms
	number paddockv1.Permission
}{
	{PermRead, paddockv1.Permission_PERMISSION_READ}, {PermWrite, paddockv1.Permission_PERMISSION_WRITE}, {PermCreate, paddockv1.Permission_PERMISSION_CREATE},
	{PermDelete, paddockv1.Permission_PERMISSION_DELETE}, {PermAdmin, paddockv1.Permission_PERMISSION_ADMIN},
}

func aclProto(list []ACL) []*paddockv1.Acl {
	var out []*paddockv1.Acl
	for _, a := range list {
		m := &paddockv1.Acl{Scheme: a.Scheme, Id: a.ID}
		for _, p := range permNumbers {
			if a.Perms&p.bit != 0 {
				m.Permissions = append(m.Permissions, p.number)
			}
		}
		out = append(out, m)
	}
	return out
}

func aclOf(list []*paddockv1.Acl) []ACL {
	var out []ACL
	for _, m := range list {
		a := ACL{Scheme: m.GetScheme(), ID: m.GetId()}
		for _, got := range m.GetPermissions() {
			for _, p := range permNumbers {
				if p.number == got {
					a.Perms |= p.bit
				}
			}
		}
		out = append(out, a)
	}
	return out
}
