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
	for i, p := range q.ring {
		if waits := (i-q.head)&(len(q.ring)-1) < q.n; p != nil && !waits {
			t.Fatalf("place %d of %d still refers to %d", i, len(q.ring), *p)
		}
	}
	if len(q.ring) > 2048 {
		t.Errorf("room for %d items although few ever waited", len(q.ring))
	}
}

// What Add returns is empty, also where something was before, and At counts from the front.
func TestWhatIsAddedIsEmpty(t *testing.T) {
	var q Queue[int]
	for i := range 100 {
		p := q.Add()
		if *p != 0 {
			t.Fatalf("%d was left at %d", *p, i)
		}
		*p = i + 1
		if i%3 == 2 {
			q.Pop()
		}
	}
	for i := range q.Len() {
		if got := *q.At(i); got != 34+i {
			t.Fatalf("%d behind %d others, want %d", got, i, 34+i)
		}
	}
}
