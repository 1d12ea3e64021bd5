package watch

import "unsafe"

// chunkItems is how many items a slab grows by.
const chunkItems = 256

// slab hands out numbered places for items, in chunks that never move. Number 0 means none.
type slab[T any] struct {
	chunks [][]T
	used   uint32   // places ever handed out, and the unused place 0
	free   []uint32 // places given back
}

// at is the item with number i.
func (s *slab[T]) at(i uint32) *T { return &s.chunks[i/chunkItems][i%chunkItems] }

// take hands out a place that holds v.
func (s *slab[T]) take(v T) uint32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		*s.at(i) = v
		return i
	}
	s.used = max(s.used, 1)
	if int(s.used) >= len(s.chunks)*chunkItems {
		s.chunks = append(s.chunks, make([]T, chunkItems))
	}
	i := s.used
	s.used++
	*s.at(i) = v
	return i
}

// give takes a place back. When none is left in use, all but the first chunk is let go.
func (s *slab[T]) give(i uint32) {
	var zero T
	*s.at(i) = zero
	if len(s.free)+2 == int(s.used) {
		*s = slab[T]{chunks: s.chunks[:1:1]}
		return
	}
	s.free = append(s.free, i)
}

// bytes is the memory that the slab holds.
func (s *slab[T]) bytes() int {
	var item T
	return len(s.chunks)*chunkItems*int(unsafe.Sizeof(item)) + cap(s.free)*int(unsafe.Sizeof(s.used))
}
