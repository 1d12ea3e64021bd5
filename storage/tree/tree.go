package tree

import (
	"strings"

	"paddock/internal/zk"
)

// Tree is the state of one replica. See the package comment for who may touch it.
type Tree struct {
	arena
	slabs    slabs
	index    index
	acls     aclTable
	sessions map[zk.SessionID]int32 // timeout, milliseconds

	ephemerals map[zk.SessionID]map[Ref]struct{}
	containers map[Ref]struct{}
	ttls       map[Ref]struct{}
	quotas     map[string]struct{} // paths that have limits
	views      []*View             // living, by rising epoch

	seed     uint64
	zxid     zk.Zxid
	digest   uint64
	digests  *digestLog
	znodes   int
	owned    int // ephemerals
	dataSize int64

	scratch []byte
	glanced byte    // what Guess has looked at: what nobody keeps is not looked at
	unheard Outcome // where Apply reports to if nobody listens
}

// New returns a tree as a new server has it: the root, /zookeeper, /zookeeper/quota and /zookeeper/config,
// zxid 0. The seed places znodes in the index; nothing that can be observed depends on it.
func New(seed uint64) *Tree {
	t := bare(seed)
	t.addSystem()
	return t
}

// bare is a tree that has only a root.
func bare(seed uint64) *Tree {
	t := &Tree{
		arena:      newArena(),
		acls:       newACLTable(),
		sessions:   map[zk.SessionID]int32{},
		ephemerals: map[zk.SessionID]map[Ref]struct{}{},
		containers: map[Ref]struct{}{},
		ttls:       map[Ref]struct{}{},
		quotas:     map[string]struct{}{},
		seed:       seed,
		digests:    &digestLog{},
	}
	t.slabs = newSlabs(&t.mem)
	t.chunks, t.born = append(t.chunks, new(chunk)), append(t.born, t.epoch)
	_, root := t.newNode() // with empty data
	t.znodes = 1
	t.dataSize = int64(len(zk.RootPath))
	t.sum(root, "")
	return t
}

// addSystem adds the built-in znodes that are missing.
func (t *Tree) addSystem() {
	for _, path := range [...]string{zk.SystemPath, zk.QuotaPath, zk.ConfigPath} {
		r, h := t.lookupHash(path)
		if r != None {
			continue
		}
		stat, acl := zk.StoredStat{}, openIndex
		if path == zk.ConfigPath {
			// ZooKeeper makes this one with the version that means "any" in requests.
			stat.Aversion, acl = -1, t.acls.use(zk.ReadOnlyACL)
		}
		t.attach(t.lookup(zk.ParentPath(path)), path, h, []byte{}, acl, &stat)
	}
}

// lookup finds a znode by its path; "" is the root, and nothing else is.
func (t *Tree) lookup(path string) Ref {
	r, _ := t.lookupHash(path)
	return r
}

// lookupHash is lookup that also tells the path's hash, which is 0 for the root.
func (t *Tree) lookupHash(path string) (Ref, uint64) {
	if path == "" {
		return rootRef, 0
	}
	h := hash(t.seed, path)
	return t.index.find(&t.nodes, h, path), h
}

// Find returns the znode with the given path. "" and "/" are both the root; a malformed path names no znode.
func (t *Tree) Find(path string) (Ref, bool) {
	if path == zk.RootPath {
		return rootRef, true
	}
	r := t.lookup(path)
	return r, r != None
}

// FindNear is Find that looks first where the znode may be, by Guess or because it was there before; None for nowhere.
func (t *Tree) FindNear(r Ref, path string) (Ref, bool) {
	if r != None && r < t.fresh && t.pathIs(r, path) {
		return r, true
	}
	return t.Find(path)
}

// Share is what the znode adds to the digest of the tree: its digest, as DigestOf tells it.
func (t *Tree) Share(r Ref) uint64 { return uint64(t.at(r).digest) }

// Prefix is the znode's DigestPrefix; 0 for znodes below /zookeeper, which have no digest.
func (t *Tree) Prefix(r Ref) uint32 { return t.at(r).prefix }

// ACL is the znode's access list, shared and not to be modified. It stays valid.
func (t *Tree) ACL(r Ref) []zk.ACL { return t.acls.entries[t.at(r).acl].list }

// Descendants is the number of znodes below the given path; 0 if it does not exist.
func (t *Tree) Descendants(path string) int {
	top, ok := t.Find(path)
	if !ok {
		return 0
	}
	if top == rootRef {
		return t.znodes - 1
	}
	n := 0
	for r := t.after(top, top); r != None; r = t.after(r, top) {
		n++
	}
	return n
}

// Zxid is that of the newest txn applied.
func (t *Tree) Zxid() zk.Zxid { return t.zxid }

// SetZxid moves the tree to a zxid that no txn brought: that of a snapshot's name, or of a new epoch.
func (t *Tree) SetZxid(z zk.Zxid) { t.zxid = z }

// Digest is the digest of the tree, version 2.
func (t *Tree) Digest() uint64 { return t.digest }

// Znodes is the number of znodes, root included.
// ZooKeeper compatibility: its own count is one higher, since it counts the root as "" and as "/".
func (t *Tree) Znodes() int { return t.znodes }

// ApproximateDataSize is the sum of the lengths of paths (in UTF-16 units) and data, as ZooKeeper reports it.
func (t *Tree) ApproximateDataSize() int64 { return t.dataSize }

// SnapshotBytes is about how long a snapshot of the tree is, before compression and without sessions and access lists.
func (t *Tree) SnapshotBytes() int64 {
	const perZnode = 4 + 4 + 8 + 60 // lengths of the path and the data, access list, Stat as it is stored
	return t.dataSize + perZnode*int64(t.znodes)
}

// SizeBytes is the memory that the tree takes, without that of small tables and of living views.
func (t *Tree) SizeBytes() int64 {
	return int64(len(t.chunks))*(chunkNodes*nodeBytes+8+4) + t.slabs.bytes + int64(len(t.mem))*(24+16) + t.index.bytes()
}

// pathSize is the length of a path as Java counts it.
func pathSize(path string) (n int64) {
	for i := 0; i < len(path); i++ {
		switch b := path[i]; {
		case b&0xc0 == 0x80: // inside a character
		case b >= 0xf0:
			n += 2
		default:
			n++
		}
	}
	return n
}

// split cuts a path into its parent ("" for the root) and its last element; ok is false for the root and for
// what has no slash.
func split(path string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || len(path) == 1 {
		return "", "", false
	}
	return path[:i], path[i+1:], true
}
