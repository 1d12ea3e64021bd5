package sim

import "container/heap"

// agenda is what is going to happen, by time and then by the order in which it was arranged.
type agenda struct {
	list appointments
	seq  int
}

type appointment struct {
	atMS int64
	seq  int
	do   func()
}

type appointments []appointment

// Len implements heap.Interface.
func (a appointments) Len() int { return len(a) }

// Less implements heap.Interface.
func (a appointments) Less(i, j int) bool {
	return a[i].atMS < a[j].atMS || a[i].atMS == a[j].atMS && a[i].seq < a[j].seq
}

// Swap implements heap.Interface.
func (a appointments) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *appointments) Push(x any) { *a = append(*a, x.(appointment)) }

// Pop implements heap.Interface.
func (a *appointments) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = appointment{}
	*a = old[:len(old)-1]
	return x
}

func (a *agenda) add(atMS int64, do func()) {
	a.seq++
	heap.Push(&a.list, appointment{atMS, a.seq, do})
}

// next takes what is due by then; nil if nothing is.
func (a *agenda) next(byMS int64) *appointment {
	if len(a.list) == 0 || a.list[0].atMS > byMS {
		return nil
	}
	x := heap.Pop(&a.list).(appointment)
	return &x
}
