package tree

import (
	"cmp"
	"slices"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// OpenKey is the key by which snapshots name the list that lets anyone do anything.
const OpenKey int64 = -1

// ACLEntry is one access list with its key, as snapshots store them. List may not be modified.
type ACLEntry struct {
	Key  int64
	List []zk.ACL
}

// aclTable keeps each distinct access list once. Equal means equal entries in equal order.
type aclTable struct {
	entries []aclUse
	free    []uint32
	byRaw   map[string]uint32
	nextKey int64
	scratch []byte
}

// aclUse is a list in use.
type aclUse struct {
	list []zk.ACL
	key  int64
	raw  string // its encoding, which list's strings alias
	uses int    // znodes with this list
	live bool   // false for a place that is free
}

// openIndex is the place of the open list, which is not counted.
const openIndex uint32 = 0

func newACLTable() aclTable {
	return aclTable{
		entries: []aclUse{{list: zk.OpenACL, key: OpenKey, live: true}},
		byRaw:   map[string]uint32{},
		nextKey: 1,
	}
}

// use returns the place of the list, which it copies if it is new, and counts one more use.
// ZooKeeper compatibility: no list at all means the open one.
func (a *aclTable) use(list []zk.ACL) uint32 {
	i, isNew := a.place(list, a.nextKey)
	if isNew {
		a.nextKey++
	}
	if i != openIndex {
		a.entries[i].uses++
	}
	return i
}

// place finds the list, or adds it under the given key. It counts no use.
func (a *aclTable) place(list []zk.ACL, key int64) (i uint32, isNew bool) {
	if list == nil || zk.IsOpen(list) {
		return openIndex, false
	}
	w := jute.Writer(a.scratch[:0])
	zk.CodeACL(w, &list)
	a.scratch = w.Bytes()
	if i, ok := a.byRaw[string(a.scratch)]; ok {
		return i, false
	}
	raw := string(a.scratch)
	var own []zk.ACL
	zk.CodeACL(jute.Reader(bytesOf(raw)), &own)
	i = a.add(aclUse{list: own, key: key, raw: raw, live: true})
	a.byRaw[raw] = i
	return i, true
}

// nobody is what a znode has whose list is missing from a snapshot: no list at all would let everybody in.
var nobody = []zk.ACL{{Perms: 0, ID: zk.AnyoneID}}

// missing adds a key without a list.
func (a *aclTable) missing(key int64) uint32 {
	return a.add(aclUse{list: nobody, key: key, live: true})
}

func (a *aclTable) add(e aclUse) uint32 {
	if l := len(a.free); l > 0 {
		i := a.free[l-1]
		a.free = a.free[:l-1]
		a.entries[i] = e
		return i
	}
	a.entries = append(a.entries, e)
	return uint32(len(a.entries) - 1)
}

// drop takes one use back; the last one takes the list.
func (a *aclTable) drop(i uint32) {
	if i == openIndex {
		return
	}
	if a.entries[i].uses--; a.entries[i].uses <= 0 {
		a.remove(i)
	}
}

func (a *aclTable) remove(i uint32) {
	if e := &a.entries[i]; e.raw != "" {
		delete(a.byRaw, e.raw)
	}
	a.entries[i] = aclUse{}
	a.free = append(a.free, i)
}

// purge removes the lists that no znode uses.
func (a *aclTable) purge() {
	for i := range a.entries {
		if e := &a.entries[i]; i != int(openIndex) && e.live && e.uses == 0 {
			a.remove(uint32(i))
		}
	}
}

// inUse are the lists of a table other than the open one, by key.
func inUse(entries []aclUse) []ACLEntry {
	var list []ACLEntry
	for _, e := range entries[1:] {
		if e.live {
			list = append(list, ACLEntry{e.key, e.list})
		}
	}
	slices.SortFunc(list, func(x, y ACLEntry) int { return cmp.Compare(x.Key, y.Key) })
	return list
}
