package replica

import "paddock/internal/txn"

// queue is a first-in first-out list that reuses its memory.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int  { return len(q.items) - q.head }
func (q *queue[T]) front() *T { return &q.items[q.head] }
func (q *queue[T]) push(v T)  { q.items = append(q.items, v) }

// pop drops the front, and what it referred to.
func (q *queue[T]) pop() {
	var none T
	q.items[q.head] = none
	q.head++
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head > 256 && q.head > len(q.items)/2:
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}

// arenaBytes is how much memory for payloads is taken at a time.
const arenaBytes = 128 << 10

// arena encodes records into shared blocks, so that a txn costs no allocation of its own. A block is freed when the
// last payload in it is.
type arena struct{ block []byte }

// encode returns the payload of rec; it is never modified.
func (a *arena) encode(rec *txn.Record) []byte {
	if cap(a.block)-len(a.block) < 1024 {
		a.block = make([]byte, 0, arenaBytes)
	}
	start := len(a.block)
	grown := rec.Append(a.block)
	if cap(grown) != cap(a.block) {
		return grown[start:] // did not fit and moved: it has a block of its own
	}
	a.block = grown
	return grown[start:len(grown):len(grown)]
}
