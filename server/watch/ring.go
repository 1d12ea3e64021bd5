package watch

import (
	"slices"

	"paddock/internal/invariant"
	"paddock/server/request"
)

// A path's entries are found through an index when there are more than indexAbove of them, and by walking when
// there are fewer than indexBelow.
const (
	indexAbove = 16
	indexBelow = 8
)

// find is the entry of a client at a path; 0 if there is none.
func (t *Table) find(p, c uint32, side Side) uint32 {
	info := t.path.at(p)
	if info.index != nil {
		return info.index.slots[info.index.slot(&t.entry, c, side)]
	}
	head := info.head[side]
	for e := head; e != 0; {
		it := t.entry.at(e)
		if it.client == c {
			return e
		}
		if e = it.pathNext; e == head {
			break
		}
	}
	return 0
}

// kinds is how a client watches a path on one side.
func (t *Table) kinds(p, c uint32, side Side) Kind {
	if e := t.find(p, c, side); e != 0 {
		return t.entry.at(e).kinds
	}
	return 0
}

// add gives an entry more kinds, making it if need be.
func (t *Table) add(p, c uint32, side Side, kinds Kind) {
	e := t.find(p, c, side)
	if e == 0 {
		e = t.entry.take(entry{path: p, client: c, side: side})
		t.linkPath(e, kinds&Recursive != 0)
		t.linkClient(e)
		t.indexNew(p, e)
	}
	it := t.entry.at(e)
	if kinds&Recursive != 0 && it.kinds&Recursive == 0 {
		t.countRecursive(len(t.path.at(p).path), 1)
		if it.kinds != 0 { // it stands among those that are not recursive
			t.unlinkPath(e)
			t.linkPath(e, true)
		}
	}
	it.kinds |= kinds
}

// clear takes kinds from an entry, and the entry away when none is left.
func (t *Table) clear(e uint32, kinds Kind) {
	it := t.entry.at(e)
	if it.kinds&kinds&Recursive != 0 {
		t.countRecursive(len(t.path.at(it.path).path), -1)
		if it.kinds&^kinds != 0 {
			t.unlinkPath(e)
			t.linkPath(e, false)
		}
	}
	if it.kinds &^= kinds; it.kinds == 0 {
		t.remove(e)
	}
}

// remove takes an entry out of both rings, and with it the path and the client that have no other.
func (t *Table) remove(e uint32) {
	it := t.entry.at(e)
	p, c := it.path, it.client
	info, client := t.path.at(p), t.client.at(c)
	t.unlinkPath(e)
	t.unlinkClient(e)
	switch n := info.n[Data] + info.n[Child]; {
	case n == 0:
		delete(t.paths, info.path)
		t.pathBytes -= len(info.path)
		t.path.give(p)
	case info.index != nil && n < indexBelow:
		t.indexSlots -= len(info.index.slots)
		info.index = nil
	case info.index != nil:
		info.index.remove(&t.entry, c, it.side)
	}
	if client.head == 0 {
		delete(t.clients, client.id)
		t.client.give(c)
	}
	t.entry.give(e)
	if len(t.paths) == 0 {
		t.shrink()
	}
}

// shrinkAbove is how many paths or clients the maps may have had and still be kept when they are empty.
const shrinkAbove = 1024

// shrink lets go of maps that have been large, since maps never do so themselves. The table is empty.
func (t *Table) shrink() {
	if t.peak > shrinkAbove {
		t.paths, t.clients, t.peak = map[string]uint32{}, map[request.ClientID]uint32{}, 0
	}
}

// indexNew puts a new entry into the index of its path, which it makes once it pays.
func (t *Table) indexNew(p, e uint32) {
	info := t.path.at(p)
	if info.index != nil {
		t.indexSlots -= len(info.index.slots)
		info.index.put(&t.entry, e)
		t.indexSlots += len(info.index.slots)
		return
	}
	if info.n[Data]+info.n[Child] <= indexAbove {
		return
	}
	info.index = new(index)
	for side, e := range info.head {
		for range info.n[side] {
			info.index.put(&t.entry, e)
			e = t.entry.at(e).pathNext
		}
	}
	t.indexSlots += len(info.index.slots)
}

// linkPath puts an entry into the ring of its path: at the front, or at the end.
func (t *Table) linkPath(e uint32, front bool) {
	it := t.entry.at(e)
	info := t.path.at(it.path)
	if info.n[it.side]++; info.n[it.side] == 1 {
		t.counts[it.side].Paths++
	}
	t.counts[it.side].Watches++
	head := info.head[it.side]
	if head == 0 {
		it.pathNext, it.pathPrev = e, e
		info.head[it.side] = e
		return
	}
	first := t.entry.at(head)
	last := t.entry.at(first.pathPrev)
	it.pathNext, it.pathPrev = head, first.pathPrev
	last.pathNext, first.pathPrev = e, e
	if front {
		info.head[it.side] = e
	}
}

// unlinkPath takes an entry out of the ring of its path.
func (t *Table) unlinkPath(e uint32) {
	it := t.entry.at(e)
	info := t.path.at(it.path)
	if info.n[it.side]--; info.n[it.side] == 0 {
		t.counts[it.side].Paths--
	}
	t.counts[it.side].Watches--
	if it.pathNext == e {
		info.head[it.side] = 0
		return
	}
	t.entry.at(it.pathPrev).pathNext = it.pathNext
	t.entry.at(it.pathNext).pathPrev = it.pathPrev
	if info.head[it.side] == e {
		info.head[it.side] = it.pathNext
	}
}

// linkClient puts an entry into the ring of its client.
func (t *Table) linkClient(e uint32) {
	it := t.entry.at(e)
	client := t.client.at(it.client)
	if client.n[it.side]++; client.n[it.side] == 1 {
		t.counts[it.side].Connections++
	}
	head := client.head
	if head == 0 {
		it.clientNext, it.clientPrev = e, e
		client.head = e
		return
	}
	first := t.entry.at(head)
	it.clientNext, it.clientPrev = head, first.clientPrev
	t.entry.at(first.clientPrev).clientNext = e
	first.clientPrev = e
}

// unlinkClient takes an entry out of the ring of its client.
func (t *Table) unlinkClient(e uint32) {
	it := t.entry.at(e)
	client := t.client.at(it.client)
	if client.n[it.side]--; client.n[it.side] == 0 {
		t.counts[it.side].Connections--
	}
	if it.clientNext == e {
		client.head = 0
		return
	}
	t.entry.at(it.clientPrev).clientNext = it.clientNext
	t.entry.at(it.clientNext).clientPrev = it.clientPrev
	if client.head == e {
		client.head = it.clientNext
	}
}

// countRecursive notes that there is one recursive watch more (1) or fewer (-1) on a path of the given length.
func (t *Table) countRecursive(length, by int) {
	i, found := t.lengthPlace(length)
	if !found {
		invariant.Check(by > 0, "recursive watches are counted", int64(length))
		t.recursive = slices.Insert(t.recursive, i, lengthCount{length: length})
	}
	if t.recursive[i].n += by; t.recursive[i].n == 0 {
		t.recursive = slices.Delete(t.recursive, i, i+1)
	}
}

// lengthPlace is where a length is, or would be, among those of recursive watches. Only shorter ones follow.
func (t *Table) lengthPlace(length int) (int, bool) {
	return slices.BinarySearchFunc(t.recursive, length, func(c lengthCount, length int) int {
		return length - c.length // longest first
	})
}
