package watch

import "math/bits"

// index finds the entries of a crowded path: an open-addressing table of entry numbers, at most three quarters
// full. Each number lies at the place its key hashes to, or in the first free one after that; the keys are in the
// entries themselves. Numbers of slots are powers of two.
type index struct {
	slots []uint32
	used  int
}

// indexSlotsMin is the size an index starts with.
const indexSlotsMin = 64

// home is where the key of a client and side would like to be.
func (x *index) home(c uint32, side Side) uint32 {
	const golden = 0x9e3779b1 // the golden ratio spreads numbers that follow one another, in the high bits
	return (c<<1 | uint32(side)) * golden >> (bits.LeadingZeros32(uint32(len(x.slots))) + 1)
}

// next is the slot after i.
func (x *index) next(i uint32) uint32 { return (i + 1) & uint32(len(x.slots)-1) }

// slot is where the entry of a client and side is, or where it would go.
func (x *index) slot(entries *slab[entry], c uint32, side Side) uint32 {
	i := x.home(c, side)
	for x.slots[i] != 0 {
		if it := entries.at(x.slots[i]); it.client == c && it.side == side {
			break
		}
		i = x.next(i)
	}
	return i
}

// put adds an entry that is not there yet.
func (x *index) put(entries *slab[entry], e uint32) {
	if (x.used+1)*4 > len(x.slots)*3 {
		old := x.slots
		x.slots, x.used = make([]uint32, max(2*len(old), indexSlotsMin)), 0
		for _, o := range old {
			if o != 0 {
				x.put(entries, o)
			}
		}
	}
	it := entries.at(e)
	x.slots[x.slot(entries, it.client, it.side)] = e
	x.used++
}

// remove takes an entry out, and moves up those behind it that it had pushed from their places.
func (x *index) remove(entries *slab[entry], c uint32, side Side) {
	hole := x.slot(entries, c, side)
	if x.slots[hole] == 0 {
		return
	}
	x.used--
	mask := uint32(len(x.slots) - 1)
	for i := x.next(hole); x.slots[i] != 0; i = x.next(i) {
		it := entries.at(x.slots[i])
		// It may move into the hole unless its home lies after the hole.
		if (i-x.home(it.client, it.side))&mask >= (i-hole)&mask {
			x.slots[hole], hole = x.slots[i], i
		}
	}
	x.slots[hole] = 0
}
