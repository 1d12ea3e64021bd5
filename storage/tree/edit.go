package tree

import (
	"encoding/binary"
	"unsafe"

	"paddock/internal/zk"
)

// The primitives that change znodes. Each keeps digest, counts and data size right.

// sum has a znode that has changed count with what it is now. n is for writing.
func (t *Tree) sum(n *node, path string) {
	s := n.stored()
	now := DigestOf(path, n.prefix, &s)
	t.digest += now - uint64(n.digest)
	n.digest = uint32(now)
}

// restat changes the Stat of a znode.
func (t *Tree) restat(r Ref, path string, change func(*node)) {
	n := t.edit(r)
	change(n)
	t.sum(n, path)
}

// attach adds a znode that does not exist below an existing parent; h is the hash of its path. It does not
// touch the parent's Stat. The use of acl passes to the znode.
func (t *Tree) attach(parent Ref, path string, h uint64, data []byte, acl uint32, s *zk.StoredStat) Ref {
	_, name, _ := split(path)
	r, n := t.newNode()
	n.setStored(s)
	n.acl, n.parent, n.prefix = acl, parent, prefixOf(path, data)
	t.fill(n, bytesOf(name), data)
	p := t.edit(parent)
	n.next = p.firstChild
	if p.firstChild != None {
		t.edit(p.firstChild).prev = r
	}
	p.firstChild = r
	p.children++
	t.index.insert(h, r)
	t.own(r, s.Owner)
	t.znodes++
	t.dataSize += pathSize(path) + int64(len(data))
	t.sum(n, path)
	return r
}

// detach removes a znode without children; h is the hash of its path.
func (t *Tree) detach(r Ref, path string, h uint64) {
	n := t.edit(r)
	t.digest -= uint64(n.digest)
	if n.prev != None {
		t.edit(n.prev).next = n.next
	} else {
		t.edit(n.parent).firstChild = n.next
	}
	if n.next != None {
		t.edit(n.next).prev = n.prev
	}
	t.edit(n.parent).children--
	t.index.remove(h, r)
	t.disown(r, n.owner)
	t.znodes--
	t.dataSize -= pathSize(path) + int64(max(0, n.dataLen))
	t.acls.drop(n.acl)
	t.vacate(slot{n.page, n.off})
	t.freeNode(r)
}

// fill gives n a new slot with the name and the data.
func (t *Tree) fill(n *node, name, data []byte) {
	size := len(name) + len(data)
	long := len(name) >= longName
	if long {
		size += longNameBytes
	}
	at := t.slabs.alloc(&t.mem, size)
	n.page, n.off = at.page, at.off
	mem := t.mem[at.page][int(at.off)*slotUnit:]
	if n.nameLen = uint16(len(name)); long {
		n.nameLen = longName
		binary.BigEndian.PutUint32(mem, uint32(len(name)))
		mem = mem[longNameBytes:]
	}
	copy(mem[copy(mem, name):], data)
	if n.dataLen = int32(len(data)); data == nil {
		n.dataLen = -1
	}
}

// prefixOf is what a node keeps as its prefix.
func prefixOf(path string, data []byte) uint32 {
	if isSystem(path) {
		return 0
	}
	return DigestPrefix(path, data)
}

// setBlob replaces a znode's data, and its prefix. While there are views the old slot is left as it is: one may be reading it.
func (t *Tree) setBlob(r Ref, data []byte, prefix uint32) {
	n := t.edit(r)
	n.prefix = prefix
	old := slot{n.page, n.off}
	t.dataSize += int64(len(data)) - int64(max(0, n.dataLen))
	mem, l := t.slot(n)
	if t.frozen == 0 && len(data) > 0 && len(data) == int(n.dataLen) {
		copy(mem[l:], data)
		t.settle(settledPerChange)
		return
	}
	t.fill(n, mem[:l], data)
	t.vacate(old)
}

// bytesOf is the string's own memory: read-only.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// vacate gives a slot back, once no view can see it.
func (t *Tree) vacate(s slot) {
	if t.frozen == 0 {
		t.slabs.release(&t.mem, s)
	} else {
		t.slabs.retire(&t.mem, s, t.epoch)
	}
	t.settle(settledPerChange)
}

// own and disown keep the sets of ephemerals, containers and TTL znodes.
func (t *Tree) own(r Ref, o zk.Owner) {
	if o == 0 {
		return
	}
	switch session, isSession := o.Session(); {
	case isSession:
		set := t.ephemerals[session]
		if set == nil {
			set = map[Ref]struct{}{}
			t.ephemerals[session] = set
		}
		set[r] = struct{}{}
		t.owned++
	case o == zk.ContainerOwner:
		t.containers[r] = struct{}{}
	default:
		t.ttls[r] = struct{}{}
	}
}

func (t *Tree) disown(r Ref, o zk.Owner) {
	if o == 0 {
		return
	}
	switch session, isSession := o.Session(); {
	case isSession:
		set := t.ephemerals[session]
		t.owned--
		if delete(set, r); len(set) == 0 {
			delete(t.ephemerals, session)
		}
	case o == zk.ContainerOwner:
		delete(t.containers, r)
	default:
		delete(t.ttls, r)
	}
}
