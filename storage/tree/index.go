package tree

// index finds znodes by the hash of their full path: 256 open-addressing tables with linear probing, so that
// growing one rehashes a 256th of the tree. An entry's home is its 32-bit hash scaled to the table's length,
// which therefore need not be a power of two.
type index struct {
	shards [256]shard
}

type shard struct {
	entries []entry
	used    int
}

// entry is empty if ref is None.
type entry struct {
	hash uint32
	ref  Ref
}

const (
	shardEntriesMin = 8
	loadMaxNum      = 13 // a table is at most 13/16 full
	loadMaxDen      = 16
)

func (ix *index) shard(h uint64) *shard { return &ix.shards[h>>56] }

func home(h uint32, size int) int { return int(uint64(h) * uint64(size) >> 32) }

// insert adds r, which must not be there.
func (ix *index) insert(h uint64, r Ref) {
	s := ix.shard(h)
	if (s.used+1)*loadMaxDen > len(s.entries)*loadMaxNum {
		s.resize(max(shardEntriesMin, len(s.entries)*3/2))
	}
	s.put(entry{uint32(h), r})
	s.used++
}

func (s *shard) put(e entry) {
	i := home(e.hash, len(s.entries))
	for s.entries[i].ref != None {
		if i++; i == len(s.entries) {
			i = 0
		}
	}
	s.entries[i] = e
}

func (s *shard) resize(size int) {
	old := s.entries
	s.entries = make([]entry, size)
	for _, e := range old {
		if e.ref != None {
			s.put(e)
		}
	}
}

// remove takes r out and closes the gap, so that probing never meets a grave.
func (ix *index) remove(h uint64, r Ref) {
	s := ix.shard(h)
	size := len(s.entries)
	if size == 0 {
		return
	}
	gap := home(uint32(h), size)
	for s.entries[gap].ref != r {
		if s.entries[gap].ref == None {
			return
		}
		if gap++; gap == size {
			gap = 0
		}
	}
	for i := gap; ; {
		if i++; i == size {
			i = 0
		}
		e := s.entries[i]
		if e.ref == None {
			break
		}
		// e may move into the gap unless its home lies behind the gap.
		if at := home(e.hash, size); distance(at, i, size) >= distance(gap, i, size) {
			s.entries[gap] = e
			gap = i
		}
	}
	s.entries[gap] = entry{}
	s.used--
}

// distance is the number of steps from a on to b in a ring of the given size.
func distance(a, b, size int) int {
	if b >= a {
		return b - a
	}
	return b - a + size
}

// find returns the znode with the path whose hash is h, or None.
func (ix *index) find(s *nodes, h uint64, path string) Ref {
	sh := ix.shard(h)
	size := len(sh.entries)
	if size == 0 {
		return None
	}
	for i := home(uint32(h), size); ; {
		e := sh.entries[i]
		if e.ref == None {
			return None
		}
		if e.hash == uint32(h) && s.pathIs(e.ref, path) {
			return e.ref
		}
		if i++; i == size {
			i = 0
		}
	}
}

// guess returns the first znode whose path has as much of h as an entry keeps, or None.
func (ix *index) guess(h uint64) Ref {
	sh := ix.shard(h)
	for i := home(uint32(h), len(sh.entries)); ; {
		e := sh.entries[i]
		if e.ref == None || e.hash == uint32(h) {
			return e.ref
		}
		if i++; i == len(sh.entries) {
			i = 0
		}
	}
}

// first is the entry where the search for a path with hash h begins.
func (ix *index) first(h uint64) entry {
	sh := ix.shard(h)
	if len(sh.entries) == 0 {
		return entry{}
	}
	return sh.entries[home(uint32(h), len(sh.entries))]
}

func (ix *index) bytes() (n int64) {
	for i := range ix.shards {
		n += int64(cap(ix.shards[i].entries)) * 8
	}
	return n
}
