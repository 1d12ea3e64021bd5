package tree

import (
	"unsafe"

	"paddock/internal/zk"
)

// What a Tree and a View of it show of a znode.

// Stored is what a server keeps of the znode.
func (s *nodes) Stored(r Ref) zk.StoredStat { return s.at(r).stored() }

// Stat is what clients are told of the znode.
func (s *nodes) Stat(r Ref) zk.Stat {
	n := s.at(r)
	return zk.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, CtimeMS: n.ctimeMS, MtimeMS: n.mtimeMS,
		Version: n.version, Cversion: 2*n.cversion - int32(n.children), Aversion: n.aversion,
		EphemeralOwner: n.owner.Wire(), DataLength: max(0, n.dataLen), NumChildren: int32(n.children), Pzxid: n.pzxid,
	}
}

// Data is the znode's data, nil for null. It aliases the memory it is stored in: it may not be modified. That of a Tree is
// valid until the next Apply, that of a View until its release.
func (s *nodes) Data(r Ref) []byte { return s.data(s.at(r)) }

// DataBytes is the length of the znode's data; 0 if it is null.
func (s *nodes) DataBytes(r Ref) int { return max(0, int(s.at(r).dataLen)) }

// Children is the number of the znode's children.
func (s *nodes) Children(r Ref) int { return int(s.at(r).children) }

// AppendChildNames appends the names of the znode's children, in no particular order. All of them share one
// allocation of their own.
func (s *nodes) AppendChildNames(dst []string, r Ref) []string {
	total := 0
	for c := s.at(r).firstChild; c != None; {
		n := s.at(c)
		_, l := s.slot(n)
		total += l
		c = n.next
	}
	buf := make([]byte, 0, total)
	for c := s.at(r).firstChild; c != None; {
		n := s.at(c)
		name := s.name(n)
		buf = append(buf, name...)
		dst = append(dst, unsafe.String(unsafe.SliceData(buf[len(buf)-len(name):]), len(name)))
		c = n.next
	}
	return dst
}

// Path is the full path of the znode; "/" for the root.
func (s *nodes) Path(r Ref) string {
	if r == rootRef {
		return zk.RootPath
	}
	b := s.appendPath(nil, r)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Parent is the znode's parent; None for the root.
func (s *nodes) Parent(r Ref) Ref { return s.at(r).parent }

// FirstChild and NextSibling walk the children of a znode, in no particular order; None ends.
func (s *nodes) FirstChild(r Ref) Ref { return s.at(r).firstChild }

// NextSibling is the child after r of r's parent; None at the end.
func (s *nodes) NextSibling(r Ref) Ref { return s.at(r).next }

// Name is the last element of the znode's path; "" for the root.
func (s *nodes) Name(r Ref) string { return string(s.name(s.at(r))) }
