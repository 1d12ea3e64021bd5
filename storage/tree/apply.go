package tree

import (
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// ChangeKind is what happened to a znode.
type ChangeKind uint8

// The kinds of change.
const (
	Created ChangeKind = iota
	Deleted
	DataChanged
	ACLChanged // which no watch of ZooKeeper's is told
)

// Change is what watches have to know of one znode that changed. Created and Deleted also mean that the
// children of ParentPath changed. The strings may alias the txn.
type Change struct {
	Kind       ChangeKind
	Path       string
	Zxid       zk.Zxid
	ACL        []zk.ACL // of the znode; of a deleted one as it was
	OldACL     []zk.ACL // where the list is another: the one before
	ParentPath string   // "/" for the root; "" if it is the root that changed
	ParentACL  []zk.ACL
	Data       []byte // what a created or changed znode holds now; aliases the txn
	Previous   []byte // what a changed or deleted znode held before; valid until the Outcome is reset
}

// Result is the outcome of one txn, or of one operation of a multi. Path aliases the txn. Stat is that of the
// znode afterwards, for creates, setData and setACL that succeeded.
type Result struct {
	Type zk.OpCode
	Err  zk.Code
	Path string
	Stat zk.Stat
}

// Outcome is what Apply reports: changes in the order in which watches have to be triggered, and one result,
// or as many as a multi has operations. In a multi that failed every result has type error.
type Outcome struct {
	Changes []Change
	Results []Result

	previous []byte // where Change.Previous is
}

// Reset empties the outcome and keeps its memory.
func (o *Outcome) Reset() {
	clear(o.Changes)
	clear(o.Results)
	o.Changes, o.Results = o.Changes[:0], o.Results[:0]
	if o.previous = o.previous[:0]; cap(o.previous) > previousKeepBytes {
		o.previous = nil
	}
}

// previousKeepBytes is the size up to which the memory for previous data is used again.
const previousKeepBytes = 256 << 10

// keep copies data that is about to be overwritten, unless nobody listens.
func (o *Outcome) keep(data []byte, t *Tree) []byte {
	if data == nil || o == &t.unheard {
		return nil
	}
	n := len(o.previous)
	o.previous = append(o.previous, data...) // what has been kept before stays where it is, should this move
	return o.previous[n:len(o.previous):len(o.previous)]
}

// Apply carries out a txn and adds to out, which may be nil, what came of it. body.Type says what the txn
// does; nothing of the txn is kept.
//
// Every txn may be applied again over a state that already has effects of later ones, as happens when a log
// is replayed over a fuzzy snapshot: NoNode and NodeExists are normal then and mean damage at other times.
//
// INVARIANT(apply-is-pure): the tree afterwards depends on the tree before and on the txn alone.
func (t *Tree) Apply(h *txn.Header, body *txn.Txn, out *Outcome) {
	if out == nil {
		out = &t.unheard
		out.Reset()
	}
	switch body.Type {
	case zk.OpCreateSession:
		t.sessions[h.Session] = body.TimeoutMS
		out.Results = append(out.Results, Result{Type: body.Type})
	case zk.OpCloseSession:
		t.closeSession(h, body.Paths, out)
		out.Results = append(out.Results, Result{Type: body.Type})
	case zk.OpMulti:
		t.multi(h, body, out)
	default:
		out.Results = append(out.Results, t.one(h, body, out))
	}
	t.zxid = max(t.zxid, h.Zxid)
	t.digests.add(h.Zxid, t.digest)
}

// multi applies every operation, or none if one of them is an error. An operation that fails here does not
// stop the others: that only happens in a replay.
func (t *Tree) multi(h *txn.Header, body *txn.Txn, out *Outcome) {
	failed := body.Failed()
	for i := range body.Ops {
		op := &body.Ops[i]
		switch {
		case !failed:
			out.Results = append(out.Results, t.one(h, op, out))
		case op.Type == zk.OpError:
			out.Results = append(out.Results, Result{Type: zk.OpError, Err: op.Err})
		default:
			out.Results = append(out.Results, Result{Type: zk.OpError})
		}
	}
}

// one applies anything that may be part of a multi, and reconfig and setACL.
func (t *Tree) one(h *txn.Header, b *txn.Txn, out *Outcome) Result {
	res := Result{Type: b.Type, Path: b.Path}
	switch b.Type {
	case zk.OpCreate, zk.OpCreate2:
		var owner zk.Owner
		if b.Ephemeral {
			owner = zk.Owner(h.Session)
		}
		t.create(h, b, owner, out, &res)
	case zk.OpCreateContainer:
		t.create(h, b, zk.ContainerOwner, out, &res)
	case zk.OpCreateTTL:
		t.create(h, b, zk.TTLOwner(b.TTLMS), out, &res)
	case zk.OpDelete, zk.OpDeleteContainer:
		res.Err = t.delete(h.Zxid, b.Path, out)
	case zk.OpSetData, zk.OpReconfig:
		t.setData(h, b, out, &res)
	case zk.OpSetACL:
		t.setACL(h.Zxid, b, out, &res)
	case zk.OpCheck:
	case zk.OpError:
		res.Err = b.Err
	default:
		res.Err = zk.Unimplemented
	}
	return res
}

func (t *Tree) create(h *txn.Header, b *txn.Txn, owner zk.Owner, out *Outcome, res *Result) {
	parentPath, _, ok := split(b.Path)
	if !ok {
		res.Err = zk.NoNode
		return
	}
	parent := t.lookup(parentPath)
	if parent == None {
		res.Err = zk.NoNode
		return
	}
	r, at := t.lookupHash(b.Path)
	if r != None {
		t.changeACL(r, b.ACL)
		// ZooKeeper compatibility: of the four types only the oldest one makes up for the parent here.
		if b.Type == zk.OpCreate {
			t.raiseParent(parent, parentPath, b.ParentCversion, h.Zxid)
		}
		res.Err = zk.NodeExists
		return
	}
	t.raiseParent(parent, parentPath, b.ParentCversion, h.Zxid)
	stat := zk.StoredStat{
		Czxid: h.Zxid, Mzxid: h.Zxid, Pzxid: h.Zxid, CtimeMS: h.TimeMS, MtimeMS: h.TimeMS, Owner: owner,
	}
	r = t.attach(parent, b.Path, at, b.Data, t.acls.use(b.ACL), &stat)
	res.Stat = stat.Wire(int32(len(b.Data)), 0)
	c := t.change(Created, r, b.Path, parentPath, h.Zxid)
	c.Data = b.Data
	out.Changes = append(out.Changes, c)
	t.quotaAfterCreate(b.Path, int64(len(b.Data)))
}

// raiseParent gives the parent of a new child its cversion and pzxid, unless it has them from a later one.
func (t *Tree) raiseParent(parent Ref, path string, cversion int32, z zk.Zxid) {
	n := t.at(parent)
	if cversion == -1 {
		cversion = n.cversion + 1
	}
	if cversion <= n.cversion {
		return
	}
	t.restat(parent, path, func(n *node) { n.cversion, n.pzxid = cversion, z })
}

func (t *Tree) change(kind ChangeKind, r Ref, path, parentPath string, z zk.Zxid) Change {
	if parentPath == "" {
		parentPath = zk.RootPath
	}
	return Change{
		Kind: kind, Path: path, Zxid: z, ACL: t.ACL(r), ParentPath: parentPath, ParentACL: t.ACL(t.at(r).parent),
	}
}

// delete removes a znode. The parent's pzxid is raised even if the znode is gone already.
func (t *Tree) delete(z zk.Zxid, path string, out *Outcome) zk.Code {
	parentPath, _, ok := split(path)
	if !ok {
		return zk.NoNode
	}
	parent := t.lookup(parentPath)
	if parent == None {
		return zk.NoNode
	}
	if n := t.at(parent); z > n.pzxid {
		t.restat(parent, parentPath, func(n *node) { n.pzxid = z })
	}
	r, at := t.lookupHash(path)
	if r == None {
		return zk.NoNode
	}
	t.deleteBelow(r)
	c := t.change(Deleted, r, path, parentPath, z)
	c.Previous = out.keep(t.Data(r), t)
	dataLength := int64(max(0, t.at(r).dataLen))
	t.detach(r, path, at)
	t.quotaAfterDelete(path, dataLength)
	out.Changes = append(out.Changes, c)
	return zk.OK
}

// deleteBelow removes what is left below a znode that a replayed txn deletes: children that a fuzzy snapshot
// has from after the znode was made again. The txn that made them will do so again.
func (t *Tree) deleteBelow(top Ref) {
	for r := top; ; {
		for t.at(r).firstChild != None {
			r = t.at(r).firstChild
		}
		if r == top {
			return
		}
		n, path := t.at(r), t.Path(r)
		parent, dataLength := n.parent, int64(max(0, n.dataLen))
		t.detach(r, path, hash(t.seed, path))
		t.quotaAfterDelete(path, dataLength)
		r = parent
	}
}

func (t *Tree) setData(h *txn.Header, b *txn.Txn, out *Outcome, res *Result) {
	r, ok := t.FindNear(Ref(b.Near), b.Path)
	if !ok {
		res.Err = zk.NoNode
		return
	}
	before := int64(max(0, t.at(r).dataLen))
	previous := out.keep(t.Data(r), t)
	prefix := b.Prefix
	if !b.HasPrefix || isSystem(b.Path) {
		prefix = prefixOf(b.Path, b.Data)
	}
	t.setBlob(r, b.Data, prefix)
	n := t.edit(r)
	n.mzxid, n.mtimeMS, n.version = h.Zxid, h.TimeMS, b.Version
	t.sum(n, b.Path)
	res.Stat = t.Stat(r)
	c := Change{Kind: DataChanged, Path: zk.RootPath, Zxid: h.Zxid, ACL: t.ACL(r)}
	if r != rootRef {
		c = t.change(DataChanged, r, b.Path, zk.ParentPath(b.Path), h.Zxid)
	}
	c.Data, c.Previous = b.Data, previous
	out.Changes = append(out.Changes, c)
	t.quotaAfter(b.Path, 0, int64(len(b.Data))-before)
}

func (t *Tree) setACL(z zk.Zxid, b *txn.Txn, out *Outcome, res *Result) {
	r, ok := t.Find(b.Path)
	if !ok {
		res.Err = zk.NoNode
		return
	}
	before := t.ACL(r)
	t.changeACL(r, b.ACL)
	t.restat(r, b.Path, func(n *node) { n.aversion = b.Version })
	res.Stat = t.Stat(r)
	out.Changes = append(out.Changes, Change{Kind: ACLChanged, Path: b.Path, Zxid: z, ACL: t.ACL(r), OldACL: before})
}

func (t *Tree) changeACL(r Ref, list []zk.ACL) {
	acl := t.acls.use(list)
	t.acls.drop(t.at(r).acl)
	t.edit(r).acl = acl
}
