package queue

// Queue is a first-in first-out list. Its zero value is empty.
type Queue[T any] struct {
	ring []T // as long as a power of two, or empty
	head int // where the front is
	n    int // how many wait
}

// Len is how many items wait.
func (q *Queue[T]) Len() int { return q.n }

// Front is the item that waits longest; there must be one. It stays valid until it is dropped or the next is added.
func (q *Queue[T]) Front() *T { return &q.ring[q.head] }

// At is the item that waits behind i others; there must be one. It stays valid as Front does.
func (q *Queue[T]) At(i int) *T { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

// Push adds an item at the end.
func (q *Queue[T]) Push(v T) { *q.Add() = v }

// Add adds an empty item at the end, for the caller to fill in. It stays valid as Front does.
func (q *Queue[T]) Add() *T {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.n++
	return q.At(q.n - 1)
}

// ringMin is the room of a queue that has had an item.
const ringMin = 8

// grow doubles the room.
func (q *Queue[T]) grow() {
	ring := make([]T, max(ringMin, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

// Pop drops the front, and what it referred to.
func (q *Queue[T]) Pop() {
	var none T
	q.ring[q.head] = none
	q.head = (q.head + 1) & (len(q.ring) - 1)
	if q.n--; q.n == 0 {
		q.head = 0 // where memory is likely to be at hand
	}
}
