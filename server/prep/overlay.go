package prep

import (
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// node is a znode as the next txn will find it: committed state plus everything in flight.
type node struct {
	exists   bool
	stat     zk.StoredStat
	children int32
	acl      []zk.ACL
	prefix   uint32 // digest of path and data, to which the stat is added
	length   int32  // of the data, in bytes
	wrote    bool   // a txn in flight has set the data, to data; otherwise the tree has it
	data     []byte
	ref      tree.Ref // where the tree has it; None if a txn in flight makes it
	seen              // before it is changed
}

// seen is what put has to know of the path that it changes.
type seen struct {
	digest uint64  // what the znode adds to the digest of the tree
	change *change // the newest of the path; nil if none is in flight
}

// change is the state of one path after one txn in flight.
type change struct {
	node
	path  string
	zxid  zk.Zxid
	older *change // what the path was in flight before, for a multi that fails
	// newer tells that there is a newer change of the path.
	newer bool
}

// overlay holds what the txns in flight have changed, newest per path. Order of the changes is kept so that
// they can be dropped from the front as their txns are applied, and from the back when a multi fails.
type overlay struct {
	tree   *tree.Tree
	newest map[string]*change
	order  []*change // by zxid; head is the first that counts
	head   int
	free   []*change
	digest uint64 // of the tree once everything in flight is applied
	// ephemerals are the paths that txns in flight made for a session, in order.
	ephemerals map[zk.SessionID][]string
}

// key is the path under which the root has one entry only.
func key(path string) string {
	if path == zk.RootPath {
		return ""
	}
	return path
}

// find returns the znode at path as the next txn will find it.
func (o *overlay) find(path string) (n node, ok bool) {
	ok = o.load(path, 0, &n)
	return n, ok
}

// load is find into n, which stays zero if there is no such znode.
func (o *overlay) load(path string, near uint32, n *node) bool {
	path = key(path)
	if len(o.newest) > 0 {
		if c, ok := o.newest[path]; ok {
			*n = c.node
			n.change = c
			return c.exists
		}
	}
	ref, ok := o.tree.FindNear(tree.Ref(near), path)
	if !ok {
		return false
	}
	*n = node{
		exists: true, stat: o.tree.Stored(ref), children: int32(o.tree.Children(ref)), acl: o.tree.ACL(ref),
		prefix: o.tree.Prefix(ref), length: int32(o.tree.DataBytes(ref)), ref: ref, seen: seen{digest: o.tree.Share(ref)},
	}
	return true
}

// data is what the znode at path, which find has returned, will hold.
func (o *overlay) data(path string, n *node) []byte {
	if n.wrote {
		return n.data
	}
	ref, _ := o.tree.Find(path)
	return o.tree.Data(ref)
}

// put makes n what the next txn finds at path. was is what find has seen there, since when nothing was put there.
func (o *overlay) put(zxid zk.Zxid, path string, was seen, n *node) {
	path = key(path)
	n.seen = seen{}
	if n.exists {
		n.digest = tree.DigestOf(path, n.prefix, &n.stat)
	}
	o.digest += n.digest - was.digest
	if was.change != nil {
		was.change.newer = true
	}
	c := o.alloc()
	*c = change{node: *n, path: path, zxid: zxid, older: was.change}
	o.newest[path] = c
	o.order = append(o.order, c)
	if s, ok := n.stat.Owner.Session(); ok && n.exists && n.stat.Czxid == zxid {
		o.ephemerals[s] = append(o.ephemerals[s], path)
	}
}

func (o *overlay) alloc() *change {
	if n := len(o.free); n > 0 {
		c := o.free[n-1]
		o.free = o.free[:n-1]
		return c
	}
	return new(change)
}

// mark is where a multi starts; undo takes back what came after it.
type mark struct {
	changes int
	digest  uint64
}

func (o *overlay) mark() mark { return mark{len(o.order), o.digest} }

func (o *overlay) undo(m mark) {
	for i := len(o.order) - 1; i >= m.changes; i-- {
		c := o.order[i]
		if c.older != nil {
			o.newest[c.path] = c.older
			c.older.newer = false
		} else {
			delete(o.newest, c.path)
		}
		if s, ok := c.stat.Owner.Session(); ok && c.exists && c.stat.Czxid == c.zxid {
			o.dropEphemeral(s, len(o.ephemerals[s])-1)
		}
	}
	o.order = o.order[:m.changes]
	o.digest = m.digest
}

// dropEphemeral removes entry i, the first or the last, of a session's ephemerals in flight.
func (o *overlay) dropEphemeral(s zk.SessionID, i int) {
	list := o.ephemerals[s]
	switch {
	case len(list) == 1:
		delete(o.ephemerals, s)
	case i == 0:
		o.ephemerals[s] = list[1:]
	default:
		o.ephemerals[s] = list[:i]
	}
}

// applied drops what the tree itself holds now.
func (o *overlay) applied(z zk.Zxid) {
	for o.head < len(o.order) && o.order[o.head].zxid <= z {
		c := o.order[o.head]
		o.order[o.head] = nil
		o.head++
		if s, ok := c.stat.Owner.Session(); ok && c.exists && c.stat.Czxid == c.zxid {
			o.dropEphemeral(s, 0)
		}
		if !c.newer {
			delete(o.newest, c.path)
		}
		*c = change{}
		o.free = append(o.free, c)
	}
	switch {
	case o.head == len(o.order):
		o.order, o.head = o.order[:0], 0
	case o.head > 1024 && o.head > len(o.order)/2:
		n := copy(o.order, o.order[o.head:])
		clear(o.order[n:])
		o.order, o.head = o.order[:n], 0
	}
}
