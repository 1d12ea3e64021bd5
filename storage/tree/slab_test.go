package tree

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestEverySizeGetsASlotThatHoldsIt(t *testing.T) {
	if len(classBytes) != classes || classBytes[classes-1] != slotBytesMax {
		t.Fatalf("%d classes up to %d", len(classBytes), classBytes[len(classBytes)-1])
	}
	for n := 1; n <= slotBytesMax; n++ {
		class := classOf[(n+slotUnit-1)/slotUnit]
		size := int(classBytes[class])
		if size < n || size%slotUnit != 0 || class > 0 && int(classBytes[class-1]) >= n {
			t.Fatalf("%d bytes are put into slots of %d", n, size)
		}
		if n <= fineBytesMax && size-n >= slotUnit || n > fineBytesMax && size > n*13/10 {
			t.Fatalf("%d bytes waste a slot of %d", n, size)
		}
	}
}

func TestSlotsNeverOverlapAndKeepTheirContent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var mem [][]byte
	s := newSlabs(&mem)
	type blob struct {
		slot
		want []byte
	}
	var blobs []blob
	at := func(b slot, n int) []byte { return mem[b.page][int(b.off)*slotUnit:][:n] }
	for step := range 20_000 {
		if len(blobs) > 0 && (r.IntN(5) < 2 || step > 15_000) {
			i := r.IntN(len(blobs))
			b := blobs[i]
			if !bytes.Equal(at(b.slot, len(b.want)), b.want) {
				t.Fatalf("step %d: a blob of %d bytes changed", step, len(b.want))
			}
			s.release(&mem, b.slot)
			blobs[i] = blobs[len(blobs)-1]
			blobs = blobs[:len(blobs)-1]
			continue
		}
		n := []int{r.IntN(64), r.IntN(1200), r.IntN(1200), r.IntN(40_000)}[r.IntN(4)]
		b := blob{s.alloc(&mem, n), make([]byte, n)}
		for i := range b.want {
			b.want[i] = byte(step)
		}
		copy(at(b.slot, n), b.want)
		blobs = append(blobs, b)
	}
	for _, b := range blobs {
		s.release(&mem, b.slot)
	}
	inUse := 0
	for _, i := range s.info {
		inUse += int(i.used)
	}
	if inUse != 0 || s.bytes > classes*pageBytes {
		t.Fatalf("%d slots in use, %d bytes kept after everything was released", inUse, s.bytes)
	}
}

func TestThePageOfALargeBlobIsGivenBackAndItsNumberUsedAgain(t *testing.T) {
	var mem [][]byte
	s := newSlabs(&mem)
	a, b := s.alloc(&mem, 1<<20), s.alloc(&mem, slotBytesMax+1)
	if len(mem[a.page]) != 1<<20 || len(mem[b.page]) != slotBytesMax+1 {
		t.Fatalf("%d and %d bytes", len(mem[a.page]), len(mem[b.page]))
	}
	s.release(&mem, a)
	if mem[a.page] != nil || s.bytes != slotBytesMax+1 {
		t.Fatalf("%d bytes kept", s.bytes)
	}
	if c := s.alloc(&mem, 100); c.page != a.page {
		t.Fatalf("page %d, want %d", c.page, a.page)
	}
}

func TestAnEmptyPageGoesBackUnlessItIsTheLastOfItsClass(t *testing.T) {
	var mem [][]byte
	s := newSlabs(&mem)
	var slots []slot
	for range 3 * 64 { // three pages of 1 KiB slots
		slots = append(slots, s.alloc(&mem, 1024))
	}
	if s.bytes != 3*pageBytes {
		t.Fatalf("%d bytes", s.bytes)
	}
	for _, at := range slots {
		s.release(&mem, at)
	}
	if s.bytes != pageBytes {
		t.Fatalf("%d bytes kept", s.bytes)
	}
}

func TestARetiredSlotIsReusedOnceNoOlderViewLives(t *testing.T) {
	cases := map[string]struct {
		freed, oldest uint32
		reused        bool
	}{
		"no view lives":                          {5, 0, true},
		"a view from before the slot was freed":  {5, 4, false},
		"only views from after it was freed":     {5, 5, true},
		"views from long after it was freed":     {5, 9, true},
		"a view from long before it was freed":   {5, 1, false},
		"freed in the first epoch, with no view": {1, 0, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var mem [][]byte
			s := newSlabs(&mem)
			at := s.alloc(&mem, 50)
			s.retire(&mem, at, c.freed)
			s.settle(&mem, c.oldest, 10)
			if got := s.alloc(&mem, 50); (got == at) != c.reused {
				t.Fatalf("slot %v, retired %v", got, at)
			}
			if (len(s.waiting) == 0) != c.reused || (s.waitingBytes == 0) != c.reused {
				t.Fatalf("%d slots wait, of %d bytes", len(s.waiting), s.waitingBytes)
			}
		})
	}
}

func TestEverythingIsGivenBackOnceATreeIsEmptied(t *testing.T) {
	tr := New(1)
	r := rand.New(rand.NewPCG(4, 4))
	var paths []string
	for round := range 3 {
		paths = paths[:0]
		for i := range 3000 {
			path := fmt.Sprintf("/n%d", i)
			if i > 10 {
				path = fmt.Sprintf("%s/%d", paths[r.IntN(10)], i)
			}
			paths = append(paths, path)
			do(tr, 1, create(path, string(make([]byte, r.IntN(3000))), -1))
		}
		v := tr.Freeze()
		for i := len(paths) - 1; i >= 0; i-- {
			do(tr, 1, remove(paths[i]))
		}
		if round == 1 {
			do(tr, 1, create("/while-frozen", "x", -1))
			do(tr, 1, remove("/while-frozen"))
		}
		if tr.Release(v); tr.Znodes() != 4 {
			t.Fatalf("%d znodes", tr.Znodes())
		}
		checkTree(t, tr)
		used := 0
		for _, i := range tr.slabs.info {
			used += int(i.used)
		}
		if used != 3 || tr.slabs.bytes > classes*pageBytes {
			t.Fatalf("%d slots in use (3 znodes have names), %d bytes", used, tr.slabs.bytes)
		}
		if nodes := int(tr.fresh); nodes > 3005 {
			t.Fatalf("%d nodes were taken for 3004 at a time", nodes)
		}
	}
}
