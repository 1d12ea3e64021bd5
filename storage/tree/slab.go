package tree

import "encoding/binary"

// Slots for names and data. A page of 64 KiB is cut into slots of one size class; what is larger than the
// largest class gets a page of its own. The free slots of a page are linked through their first two bytes:
//
//	0  uint16  place of the next free slot in the page, in units of 16 bytes, plus one; 0 at the end
//
// A page whose slots are all free goes back to the runtime, unless it is the only one of its class with room.

const (
	slotUnit     = 16
	pageBytes    = 64 << 10
	slotBytesMax = pageBytes / 4 // larger blobs are pages of their own
	fineBytesMax = 1 << 10       // classes are 16 bytes apart up to here
)

// slot places a blob. The zero slot is that of no bytes.
type slot struct {
	page uint32
	off  uint16 // in units of slotUnit
}

// classBytes are the sizes of the classes, ascending: all multiples of 16 up to 1 KiB, then sizes that cut
// a page into fewer and fewer slots.
var classBytes = func() (sizes []uint16) {
	for n := slotUnit; n <= fineBytesMax; n += slotUnit {
		sizes = append(sizes, uint16(n))
	}
	for _, slots := range [...]int{58, 52, 46, 41, 37, 33, 29, 26, 23, 21, 19, 17, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4} {
		sizes = append(sizes, uint16(pageBytes/slots/slotUnit*slotUnit))
	}
	return sizes
}()

// classOf maps a size in units of 16 bytes, rounded up, to its class.
var classOf = func() (t [slotBytesMax/slotUnit + 1]uint8) {
	class := 0
	for units := 1; units < len(t); units++ {
		for int(classBytes[class]) < units*slotUnit {
			class++
		}
		t[units] = uint8(class)
	}
	return t
}()

const (
	classes    = 88
	ownPage    = 0xff // class of a page that is one large blob
	unusedPage = 0xfe
)

// pageInfo is what the allocator knows of a page.
type pageInfo struct {
	next, prev uint32 // pages of the class with free slots; 0 ends
	free       uint16 // first free slot plus one, in units of slotUnit; 0 for none
	fresh      uint16 // slots handed out at least once
	used       uint16 // slots in use
	class      uint8
}

// freed is a slot that waits until no view from before epoch is alive.
type freed struct {
	slot
	epoch uint32
}

// slabs is the allocator. The memory itself is in nodes.mem, by page.
type slabs struct {
	info      []pageInfo
	room      [classes]uint32 // first page with a free slot, by class; 0 for none
	freePages []uint32
	waiting   []freed // quarantine, by rising epoch
	// waitingBytes is the size of the slots in quarantine.
	waitingBytes int64
	bytes        int64 // of all pages
}

func newSlabs(mem *[][]byte) slabs {
	*mem = append(*mem, []byte{}) // page 0: the place of empty blobs
	return slabs{info: []pageInfo{{class: unusedPage}}}
}

func slotsPerPage(class uint8) uint16 { return uint16(pageBytes / int(classBytes[class])) }

// alloc returns a slot of at least n bytes.
func (s *slabs) alloc(mem *[][]byte, n int) slot {
	if n == 0 {
		return slot{}
	}
	if n > slotBytesMax {
		return slot{page: s.newPage(mem, n, ownPage)}
	}
	class := classOf[(n+slotUnit-1)/slotUnit]
	p := s.room[class]
	if p == 0 {
		p = s.newPage(mem, pageBytes, class)
		s.link(p)
	}
	i := &s.info[p]
	var off uint16
	if i.free != 0 {
		off = i.free - 1
		i.free = binary.LittleEndian.Uint16((*mem)[p][int(off)*slotUnit:])
	} else {
		off = i.fresh * (classBytes[class] / slotUnit)
		i.fresh++
	}
	i.used++
	if i.used == slotsPerPage(class) {
		s.unlink(p)
	}
	return slot{page: p, off: off}
}

// release makes the slot available again at once.
func (s *slabs) release(mem *[][]byte, at slot) {
	if at.page == 0 {
		return
	}
	i := &s.info[at.page]
	if i.class == ownPage {
		s.dropPage(mem, at.page)
		return
	}
	if i.used == slotsPerPage(i.class) {
		s.link(at.page)
	}
	i.used--
	if i.used == 0 && (i.next != 0 || i.prev != 0) {
		s.unlink(at.page)
		s.dropPage(mem, at.page)
		return
	}
	binary.LittleEndian.PutUint16((*mem)[at.page][int(at.off)*slotUnit:], i.free)
	i.free = at.off + 1
}

// retire releases the slot once the views of before epoch are gone.
func (s *slabs) retire(mem *[][]byte, at slot, epoch uint32) {
	if at.page != 0 {
		s.waiting = append(s.waiting, freed{at, epoch})
		s.waitingBytes += s.sizeOf(*mem, at)
	}
}

// sizeOf is how many bytes a slot in use takes.
func (s *slabs) sizeOf(mem [][]byte, at slot) int64 {
	if class := s.info[at.page].class; class < classes {
		return int64(classBytes[class])
	}
	return int64(len(mem[at.page]))
}

// settle releases, of what waits only for views older than oldest (the epoch of the oldest living view, 0 if
// there is none), up to limit slots.
func (s *slabs) settle(mem *[][]byte, oldest uint32, limit int) {
	n := 0
	for n < min(limit, len(s.waiting)) && (oldest == 0 || s.waiting[n].epoch <= oldest) {
		s.waitingBytes -= s.sizeOf(*mem, s.waiting[n].slot)
		s.release(mem, s.waiting[n].slot)
		n++
	}
	if n == len(s.waiting) {
		s.waiting = nil
		return
	}
	s.waiting = s.waiting[n:]
}

func (s *slabs) newPage(mem *[][]byte, size int, class uint8) uint32 {
	b := make([]byte, size)
	s.bytes += int64(size)
	if l := len(s.freePages); l > 0 {
		p := s.freePages[l-1]
		s.freePages = s.freePages[:l-1]
		(*mem)[p], s.info[p] = b, pageInfo{class: class}
		return p
	}
	*mem = append(*mem, b)
	s.info = append(s.info, pageInfo{class: class})
	return uint32(len(*mem) - 1)
}

func (s *slabs) dropPage(mem *[][]byte, p uint32) {
	s.bytes -= int64(len((*mem)[p]))
	(*mem)[p], s.info[p] = nil, pageInfo{class: unusedPage}
	s.freePages = append(s.freePages, p)
}

// link puts a page that has room at the head of its class.
func (s *slabs) link(p uint32) {
	i := &s.info[p]
	i.prev, i.next = 0, s.room[i.class]
	if i.next != 0 {
		s.info[i.next].prev = p
	}
	s.room[i.class] = p
}

func (s *slabs) unlink(p uint32) {
	i := &s.info[p]
	if i.prev != 0 {
		s.info[i.prev].next = i.next
	} else {
		s.room[i.class] = i.next
	}
	if i.next != 0 {
		s.info[i.next].prev = i.prev
	}
	i.next, i.prev = 0, 0
}
