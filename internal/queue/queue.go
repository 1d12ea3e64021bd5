package queue

// Queue is a first-in first-out list. Its zero value is empty.
type Queue[T any] struct {
	items []T
	head  int
}

// Len is how many items wait.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// Front is the item that waits longest; there must be one. It stays valid until the next Push or Pop.
func (q *Queue[T]) Front() *T { return &q.items[q.head] }

// At is the item that waits behind i others; there must be one. It stays valid as Front does.
func (q *Queue[T]) At(i int) *T { return &q.items[q.head+i] }

// Push adds an item at the end.
func (q *Queue[T]) Push(v T) { q.items = append(q.items, v) }

// compactFrom is how many items must have been dropped before the others are moved to the front.
const compactFrom = 32

// Pop drops the front, and what it referred to.
func (q *Queue[T]) Pop() {
	var none T
	q.items[q.head] = none
	q.head++
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > compactFrom && q.head > len(q.items)/2:
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}
