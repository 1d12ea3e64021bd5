package prep

import (
	"fmt"
	"strings"

	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// modeProblem judges flags and time to live of a create, before anything else is looked at.
func (p *Prep) modeProblem(req *zk.Request) zk.Code {
	switch {
	case !req.Mode.Valid():
		return zk.BadArguments
	case req.Mode.IsTTL() && !p.cfg.ExtendedTypes:
		return zk.Unimplemented
	case req.Mode.IsTTL() && (req.TTLMS <= 0 || req.TTLMS > zk.TTLMaxMS):
		return zk.BadArguments
	case !req.Mode.IsTTL() && (req.TTLMS >= 0 || req.Op == zk.OpCreateTTL):
		return zk.BadArguments
	default:
		return zk.OK
	}
}

// owner is what the new znode stores as its owner. The opcode decides, not the flag: flag 4 in a plain create
// makes a persistent znode, and createContainer makes a container whatever its flag.
func owner(req *zk.Request, by *Asker) zk.Owner {
	switch {
	case req.Op == zk.OpCreateContainer:
		return zk.ContainerOwner
	case req.Op == zk.OpCreateTTL:
		return zk.TTLOwner(req.TTLMS)
	case req.Mode.IsEphemeral():
		return zk.Owner(by.Session)
	default:
		return 0
	}
}

// pathProblem is the light check that creates and deletes make first.
func pathProblem(path string) zk.Code {
	switch {
	case jute.IsNull(path):
		return zk.MarshallingError
	case strings.IndexByte(path, '/') < 0 || strings.IndexByte(path, 0) >= 0:
		return zk.BadArguments
	default:
		return zk.OK
	}
}

// create makes the checks in ZooKeeper's order: flags, session, light path check, access list, parent, CREATE,
// full path check, existence, ephemeral parent, quota.
func (p *Prep) create(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	if code := p.modeProblem(req); code != zk.OK {
		return code
	}
	switch {
	case by.State == zk.UnknownSession && req.Mode.IsEphemeral():
		return zk.SessionExpired
	case by.State != zk.OK:
		return by.State
	case by.Owning != zk.OK && req.Mode.IsEphemeral():
		return by.Owning
	}
	if code := pathProblem(req.Path); code != zk.OK {
		return code
	}
	acl, code := p.auth.FixACL(req.ACL, by.IDs)
	if code != zk.OK {
		return code
	}
	parentPath := zk.ParentPath(req.Path)
	parent, ok := p.over.find(parentPath)
	if !ok {
		return zk.NoNode
	}
	if !p.may(by, parent.acl, zk.PermCreate) {
		return zk.NoAuth
	}
	path := req.Path
	if req.Mode.IsSequential() {
		path += fmt.Sprintf("%010d", parent.stat.Cversion)
	}
	if !zk.ValidPath(path) {
		return zk.BadArguments
	}
	was, exists := p.over.find(path)
	if exists {
		return zk.NodeExists
	}
	if _, ephemeral := parent.stat.Owner.Session(); ephemeral {
		return zk.NoChildrenForEphemerals
	}
	if p.quotaExceeded(path, 1, int64(len(req.Data))) {
		return zk.QuotaExceeded
	}
	o := owner(req, by)
	p.putCreated(by, parentPath, parent, path, was.seen, &node{exists: true, acl: acl, prefix: tree.DigestPrefix(path, req.Data), length: int32(len(req.Data)), wrote: true, data: req.Data,
		stat: zk.StoredStat{Czxid: by.Zxid, Mzxid: by.Zxid, Pzxid: by.Zxid, CtimeMS: by.TimeMS, MtimeMS: by.TimeMS, Owner: o}})
	_, ephemeral := o.Session()
	*out = txn.Txn{
		Type: req.Op, Path: path, Data: req.Data, ACL: acl, Ephemeral: ephemeral,
		ParentCversion: parent.stat.Cversion + 1, TTLMS: req.TTLMS,
	}
	return zk.OK
}

// putCreated notes the new znode and its parent. A parent whose counter of creates has wrapped keeps its stat, as the
// tree will: it only ever raises the counter.
func (p *Prep) putCreated(by *Asker, parentPath string, parent node, path string, was seen, created *node) {
	parentWas := parent.seen
	if next := parent.stat.Cversion + 1; next > parent.stat.Cversion {
		parent.stat.Cversion, parent.stat.Pzxid = next, by.Zxid
	}
	parent.children++
	p.over.put(by.Zxid, parentPath, parentWas, &parent)
	p.over.put(by.Zxid, path, was, created)
}

// quotaExceeded tells whether an enforced quota forbids to add count znodes and bytes of data at path. The counters are
// those of the applied txns, as in ZooKeeper: what is in flight is not in them yet.
func (p *Prep) quotaExceeded(path string, count, bytes int64) bool {
	if !p.cfg.EnforceQuota {
		return false
	}
	q, ok := p.over.tree.Quota(path)
	return ok && q.Check(count, bytes) == tree.QuotaHardExceeded
}
