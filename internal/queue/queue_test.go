package queue

import (
	"math/rand/v2"
	"testing"
)

// Whatever the order of pushes and pops, items come out as they went in, and nothing that was dropped is kept.
func TestItemsComeOutAsTheyWentIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q Queue[*int]
	in, out := 0, 0
	for range 100_000 {
		if q.Len() != in-out {
			t.Fatalf("%d items, want %d", q.Len(), in-out)
		}
		if q.Len() > 0 && rng.IntN(100) < 40+q.Len()/4 {
			if got := **q.Front(); got != out {
				t.Fatalf("got %d, want %d", got, out)
			}
			q.Pop()
			out++
			continue
		}
		v := in
		q.Push(&v)
		in++
	}
	for i, p := range q.items[:cap(q.items)] {
		if p != nil && (i < q.head || i >= len(q.items)) {
			t.Fatalf("place %d of %d still refers to %d", i, len(q.items), *p)
		}
	}
	if cap(q.items) > 2048 {
		t.Errorf("room for %d items although few ever waited", cap(q.items))
	}
}
