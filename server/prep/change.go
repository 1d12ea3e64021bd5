package prep

import (
	"slices"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// undeletable are the znodes that no request may delete.
func undeletable(path string) bool {
	return path == zk.RootPath || path == zk.SystemPath || path == zk.QuotaPath || path == zk.ConfigPath
}

// delete checks in ZooKeeper's order: session, light path check, parent, DELETE on the parent, the znode, its
// version, its children.
func (p *Prep) delete(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	if by.State != zk.OK {
		return by.State
	}
	if code := pathProblem(req.Path); code != zk.OK {
		return code
	}
	if undeletable(req.Path) {
		return zk.BadArguments
	}
	parentPath := zk.ParentPath(req.Path)
	parent, ok := p.over.find(parentPath)
	if !ok {
		return zk.NoNode
	}
	if !p.may(by, parent.acl, zk.PermDelete) {
		return zk.NoAuth
	}
	n, ok := p.over.find(req.Path)
	switch {
	case !ok:
		return zk.NoNode
	case req.Version != -1 && req.Version != n.stat.Version:
		return zk.BadVersion
	case n.children > 0:
		return zk.NotEmpty
	}
	p.putDeleted(by, parentPath, &parent, req.Path, n.seen)
	*out = txn.Txn{Type: zk.OpDelete, Path: req.Path}
	return zk.OK
}

// deleteContainer is the server's own request: it asks for no session, permission or version, only that the znode is empty
// and still one that the server may delete. A client may have deleted it meanwhile and made another in its place, or have
// written to a TTL znode whose time then begins anew.
func (p *Prep) deleteContainer(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	if undeletable(req.Path) || pathProblem(req.Path) != zk.OK {
		return zk.BadArguments
	}
	n, ok := p.over.find(req.Path)
	if !ok {
		return zk.NoNode
	}
	if n.children > 0 {
		return zk.NotEmpty
	}
	ttl, timed := n.stat.Owner.TTL()
	if n.stat.Owner != zk.ContainerOwner && !timed || timed && by.TimeMS-n.stat.MtimeMS < ttl {
		return zk.BadVersion
	}
	parentPath := zk.ParentPath(req.Path)
	parent, ok := p.over.find(parentPath)
	if !ok {
		return zk.NoNode
	}
	p.putDeleted(by, parentPath, &parent, req.Path, n.seen)
	*out = txn.Txn{Type: zk.OpDeleteContainer, Path: req.Path}
	return zk.OK
}

// putDeleted notes that path, where was is what find has seen, is gone: the parent loses a child and learns the zxid, its counter of creates stays.
func (p *Prep) putDeleted(by *Asker, parentPath string, parent *node, path string, was seen) {
	parentWas := parent.seen
	parent.children--
	parent.stat.Pzxid = max(parent.stat.Pzxid, by.Zxid)
	p.over.put(by.Zxid, parentPath, parentWas, parent)
	p.over.put(by.Zxid, path, was, &node{})
}

// setData checks in ZooKeeper's order: session, path, the znode, WRITE, quota, version.
func (p *Prep) setData(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	var n node
	if code := p.target(req, by, zk.PermWrite, &n); code != zk.OK {
		return code
	}
	if p.cfg.EnforceQuota && p.quotaExceeded(req.Path, 0, int64(len(req.Data))-int64(n.length)) {
		return zk.QuotaExceeded
	}
	if req.Version != -1 && req.Version != n.stat.Version {
		return zk.BadVersion
	}
	was := n.seen
	n.stat.Version = zk.NextVersion(n.stat.Version)
	n.stat.Mzxid, n.stat.MtimeMS = by.Zxid, by.TimeMS
	n.prefix, n.length = tree.DigestPrefix(key(req.Path), req.Data), int32(len(req.Data))
	n.wrote, n.data = true, req.Data
	p.over.put(by.Zxid, req.Path, was, &n)
	*out = txn.Txn{Type: zk.OpSetData, Path: req.Path, Data: req.Data, Version: n.stat.Version, Near: uint32(n.ref), Prefix: n.prefix, HasPrefix: true}
	return zk.OK
}

// target is the part that setData and check share: session, full path check, existence, permission. n, which is zero, becomes the znode.
func (p *Prep) target(req *zk.Request, by *Asker, perm zk.Perms, n *node) zk.Code {
	switch {
	case by.State != zk.OK:
		return by.State
	case !zk.ValidPath(req.Path):
		return zk.BadArguments
	case !p.over.load(req.Path, req.Near, n):
		return zk.NoNode
	case !p.may(by, n.acl, perm):
		return zk.NoAuth
	}
	return zk.OK
}

// check asks for a version and changes nothing.
func (p *Prep) check(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	var n node
	if code := p.target(req, by, zk.PermRead, &n); code != zk.OK {
		return code
	}
	if req.Version != -1 && req.Version != n.stat.Version {
		return zk.BadVersion
	}
	*out = txn.Txn{Type: zk.OpCheck, Path: req.Path, Version: zk.NextVersion(n.stat.Version)}
	return zk.OK
}

// setACL looks at the list before it looks for the znode, and compares the version of the list.
func (p *Prep) setACL(req *zk.Request, by *Asker, out *txn.Txn) zk.Code {
	if by.State != zk.OK {
		return by.State
	}
	if !zk.ValidPath(req.Path) {
		return zk.BadArguments
	}
	acl, code := p.auth.FixACL(req.ACL, by.IDs)
	if code != zk.OK {
		return code
	}
	n, ok := p.over.find(req.Path)
	switch {
	case !ok:
		return zk.NoNode
	case !p.may(by, n.acl, zk.PermAdmin):
		return zk.NoAuth
	case req.Version != -1 && req.Version != n.stat.Aversion:
		return zk.BadVersion
	}
	was := n.seen
	n.acl, n.stat.Aversion = acl, zk.NextVersion(n.stat.Aversion)
	p.over.put(by.Zxid, req.Path, was, &n)
	*out = txn.Txn{Type: zk.OpSetACL, Path: req.Path, ACL: acl, Version: n.stat.Aversion}
	return zk.OK
}

// CloseSession makes the txn that ends the asker's session: it lists every ephemeral the session will own when the
// txn is applied, sorted.
//
// INVARIANT(close-removes-ephemerals): what txns in flight made for the session is in the list, what they deleted is not.
func (p *Prep) CloseSession(by Asker, rec *txn.Record) {
	*rec = txn.Record{Header: by.header(zk.OpCloseSession), Txn: txn.Txn{Type: zk.OpCloseSession}}
	paths := append(p.over.tree.Ephemerals(by.Session), p.over.ephemerals[by.Session]...)
	slices.Sort(paths)
	paths = slices.Compact(paths)
	live := make([]string, 0, len(paths))
	for _, path := range paths {
		n, ok := p.over.find(path)
		if s, ephemeral := n.stat.Owner.Session(); !ok || !ephemeral || s != by.Session {
			continue
		}
		live = append(live, path)
		parentPath := zk.ParentPath(path)
		parent, _ := p.over.find(parentPath)
		p.putDeleted(&by, parentPath, &parent, path, n.seen)
	}
	rec.Txn.Paths = live
	p.finish(zk.OK, rec)
	if p.cfg.NoClosePaths {
		rec.Txn.Paths = nil
	}
	if p.tooLarge(&rec.Txn) {
		// The tree knows what the session owns. Without a list there must be no digest: Java would take it for one.
		rec.Txn.Paths, rec.HasDigest = nil, false
	}
}
