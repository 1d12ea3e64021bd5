package juteapi

import (
	"sync"
	"time"
)

const (
	// quietFor is how long a line is not repeated.
	quietFor = time.Minute
	// quietKeysMax bounds how many different lines are remembered.
	quietKeysMax = 1024
)

// quiet keeps log lines that strangers can cause down to one a minute for each cause.
type quiet struct {
	mu   sync.Mutex // guards seen
	seen map[string]*seen
}

// seen is when a line was last written, and how often it was not since.
type seen struct {
	at   int64
	more uint64
}

// allow tells whether the line named key may be written now, and if so for how many times it stands.
func (q *quiet) allow(key string, now int64) (times uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.seen[key]
	if e != nil && now-e.at < int64(quietFor) {
		e.more++
		return 0, false
	}
	if e != nil {
		times = e.more
	}
	if q.seen == nil || len(q.seen) >= quietKeysMax {
		q.forget(now)
	}
	if len(q.seen) >= quietKeysMax {
		key = "" // too many causes: they share one line
		if e = q.seen[key]; e != nil && now-e.at < int64(quietFor) {
			e.more++
			return 0, false
		}
	}
	q.seen[key] = &seen{at: now}
	return times + 1, true
}

// forget drops what is over a minute old.
func (q *quiet) forget(now int64) {
	if q.seen == nil {
		q.seen = make(map[string]*seen)
	}
	for k, e := range q.seen {
		if now-e.at >= int64(quietFor) {
			delete(q.seen, k)
		}
	}
}
