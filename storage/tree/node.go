package tree

import (
	"paddock/internal/zk"
)

// Ref names a znode of one Tree. It stays the same for the life of the znode and may be reused after it is
// deleted. None is no znode.
type Ref uint32

// None is the Ref of no znode.
const None Ref = 0

// rootRef is the root's place in every tree.
const rootRef Ref = 1

const (
	chunkBits  = 5
	chunkNodes = 1 << chunkBits
	chunkMask  = chunkNodes - 1
)

// node is a znode without its name and data, which are one slot of a slab: name first, then data. Links to
// other znodes are Refs, so that a chunk holds no pointer. What a lookup needs comes first.
type node struct {
	parent     Ref
	page       uint32 // of the slot
	off        uint16 // of the slot in its page, in units of slotUnit
	nameLen    uint16 // bytes; longName if the length is in the slot, before the name
	dataLen    int32  // bytes; -1 for null
	firstChild Ref
	next       Ref // sibling; next free node once deleted
	prev       Ref // sibling
	children   uint32

	czxid, mzxid, pzxid zk.Zxid
	ctimeMS, mtimeMS    int64
	owner               zk.Owner
	version             int32
	cversion            int32 // as stored: creates below
	aversion            int32
	acl                 uint32 // index into the access list table
	prefix              uint32 // DigestPrefix; 0 below /zookeeper, which has no digest
	digest              uint32 // what it adds to the digest of the tree
}

// nodeBytes is the size of a node: a chunk of 32 nearly fills one of the runtime's allocation sizes.
const nodeBytes = 104

// longName marks a name too long for nameLen: a big-endian uint32 before it in the slot has its length.
const (
	longName      = 0xffff
	longNameBytes = 4
)

type chunk [chunkNodes]node

// nodes is what reading needs: the chunks and the memory of the slabs. A View has its own copy.
type nodes struct {
	chunks []*chunk
	mem    [][]byte // by page
}

func (s *nodes) at(r Ref) *node { return &s.chunks[r>>chunkBits][r&chunkMask] }

// slot returns where n's name starts and how long it is.
func (s *nodes) slot(n *node) (mem []byte, nameLen int) {
	mem = s.mem[n.page][int(n.off)*slotUnit:]
	if n.nameLen != longName {
		return mem, int(n.nameLen)
	}
	l := int(mem[0])<<24 | int(mem[1])<<16 | int(mem[2])<<8 | int(mem[3])
	return mem[longNameBytes:], l
}

// name is the last path element; it aliases the slab.
func (s *nodes) name(n *node) []byte {
	mem, l := s.slot(n)
	return mem[:l:l]
}

// data aliases the slab; nil for null.
func (s *nodes) data(n *node) []byte {
	if n.dataLen < 0 {
		return nil
	}
	mem, l := s.slot(n)
	end := l + int(n.dataLen)
	return mem[l:end:end]
}

func (n *node) stored() zk.StoredStat {
	return zk.StoredStat{
		Czxid: n.czxid, Mzxid: n.mzxid, CtimeMS: n.ctimeMS, MtimeMS: n.mtimeMS,
		Version: n.version, Cversion: n.cversion, Aversion: n.aversion, Owner: n.owner, Pzxid: n.pzxid,
	}
}

func (n *node) setStored(s *zk.StoredStat) {
	n.czxid, n.mzxid, n.pzxid = s.Czxid, s.Mzxid, s.Pzxid
	n.ctimeMS, n.mtimeMS = s.CtimeMS, s.MtimeMS
	n.version, n.cversion, n.aversion = s.Version, s.Cversion, s.Aversion
	n.owner = s.Owner
}

// after is the znode that follows r in depth-first order (parents first) below top; None at the end.
func (s *nodes) after(r, top Ref) Ref {
	n := s.at(r)
	if n.firstChild != None {
		return n.firstChild
	}
	for r != top {
		if n.next != None {
			return n.next
		}
		r = n.parent
		n = s.at(r)
	}
	return None
}

// appendPath appends the full path of r: nothing for the root.
func (s *nodes) appendPath(dst []byte, r Ref) []byte {
	total := 0
	for at := r; at != rootRef; at = s.at(at).parent {
		_, l := s.slot(s.at(at))
		total += l + 1
	}
	start := len(dst)
	dst = grow(dst, total)
	end := start + total
	for at := r; at != rootRef; at = s.at(at).parent {
		name := s.name(s.at(at))
		end -= len(name)
		copy(dst[end:], name)
		end--
		dst[end] = '/'
	}
	return dst
}

// grow extends b by n bytes of unspecified content.
func grow(b []byte, n int) []byte {
	for cap(b)-len(b) < n {
		b = append(b[:cap(b)], 0)[:len(b)]
	}
	return b[:len(b)+n]
}

// pathIs tells whether r is the znode with the given path ("" for the root).
func (s *nodes) pathIs(r Ref, path string) bool {
	for r != rootRef {
		n := s.at(r)
		name := s.name(n)
		i := len(path) - len(name) - 1
		if i < 0 || path[i] != '/' || path[i+1:] != string(name) {
			return false
		}
		path, r = path[:i], n.parent
	}
	return path == ""
}

// arena hands out nodes, and copies a chunk that a view still sees before it changes.
type arena struct {
	nodes
	born   []uint32 // by chunk: the epoch in which it was made or copied
	epoch  uint32   // from 1; a view has the epoch in which it was frozen, and ends it
	frozen uint32   // epoch of the newest living view; 0 if there is none
	copied int64    // chunks copied for the sake of views, ever
	free   Ref      // linked by next
	fresh  Ref      // first Ref never used
}

func newArena() arena {
	return arena{epoch: 1, fresh: rootRef}
}

// edit is at for writing.
//
// INVARIANT(view-immutable): a chunk that a living view sees is copied before the first write to it.
func (a *arena) edit(r Ref) *node {
	c := r >> chunkBits
	if a.born[c] <= a.frozen {
		own := *a.chunks[c]
		a.chunks[c] = &own
		a.born[c] = a.epoch
		a.copied++
	}
	return &a.chunks[c][r&chunkMask]
}

// newNode returns a zero node.
func (a *arena) newNode() (Ref, *node) {
	if r := a.free; r != None {
		n := a.edit(r)
		a.free = n.next
		*n = node{}
		return r, n
	}
	r := a.fresh
	a.fresh++
	if int(r>>chunkBits) == len(a.chunks) {
		a.chunks = append(a.chunks, new(chunk))
		a.born = append(a.born, a.epoch)
	}
	return r, a.edit(r)
}

func (a *arena) freeNode(r Ref) {
	n := a.edit(r)
	*n = node{next: a.free}
	a.free = r
}
