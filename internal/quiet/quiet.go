package quiet

import (
	"sync"
	"time"
)

const (
	// For is how long a line is not repeated.
	For = time.Minute
	// causesMax bounds how many different lines are remembered.
	causesMax = 1024
)

// Lines remembers which lines were written. The zero value is ready.
type Lines struct {
	mu   sync.Mutex // guards seen
	seen map[string]*seen
}

// seen is when a line was last written, and how often it was not since.
type seen struct {
	at   int64
	more uint64
}

// Allow tells whether the line named key may be written now, and if so for how many times it stands.
func (q *Lines) Allow(key string, now int64) (times uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.seen[key]
	if e != nil && now-e.at < int64(For) {
		e.more++
		return 0, false
	}
	if e != nil {
		times = e.more
	}
	if q.seen == nil || len(q.seen) >= causesMax {
		q.forget(now)
	}
	if len(q.seen) >= causesMax {
		key = "" // too many causes: they share one line
		if e = q.seen[key]; e != nil && now-e.at < int64(For) {
			e.more++
			return 0, false
		}
	}
	q.seen[key] = &seen{at: now}
	return times + 1, true
}

// forget drops what is over a minute old.
func (q *Lines) forget(now int64) {
	if q.seen == nil {
		q.seen = make(map[string]*seen)
	}
	for k, e := range q.seen {
		if now-e.at >= int64(For) {
			delete(q.seen, k)
		}
	}
}
