package server

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"paddock/server/admin"
)

// refusedMax bounds the addresses of which it is remembered that they were turned away, and why: the one that was turned away
// longest ago makes room.
const refusedMax = 256

// What status says of them.
const (
	refusedFor   = 10 * time.Minute // how long after the last time
	refusedNamed = 5                // how many are named, those with the most
)

// Why clients are turned away, beside the reasons of package juteapi.
const (
	refusedAhead     = "client_zxid_ahead"
	refusedThrottled = "connection_throttle_tokens"
)

// refusedRemedies say what to do about each reason.
var refusedRemedies = map[string]string{
	refusedAhead:       "it has seen a later zxid than this data has: restart it, or restore the data that it has seen",
	refusedThrottled:   "connections come faster than connection_throttle_tokens allows",
	"max_client_cnxns": "it has more connections than maxClientCnxns allows",
	"max_cnxns":        "all clients together have more connections than maxCnxns allows",
	"descriptors":      "no file descriptor was left: raise the limit of open files",
}

// refused counts the clients that were turned away, by address and reason. Any goroutine may call it.
type refused struct {
	mu sync.Mutex // guards by
	by map[refusal]*refusedTimes
}

type refusal struct{ address, reason string }

type refusedTimes struct {
	n    int64
	last time.Time
}

// add counts one.
func (r *refused) add(address, reason string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := refusal{address, reason}
	t := r.by[key]
	if t == nil {
		r.makeRoom()
		t = new(refusedTimes)
		r.by[key] = t
	}
	t.n++
	t.last = now
}

// makeRoom forgets the one that was turned away longest ago if there are too many. The caller holds the lock.
func (r *refused) makeRoom() {
	if r.by == nil {
		r.by = map[refusal]*refusedTimes{}
	}
	if len(r.by) < refusedMax {
		return
	}
	var oldest refusal
	for key, t := range r.by {
		if o := r.by[oldest]; o == nil || t.last.Before(o.last) {
			oldest = key
		}
	}
	delete(r.by, oldest)
}

// list is all that is remembered and was turned away since, those with the most first.
func (r *refused) list(since time.Time) []admin.Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []admin.Refused
	for key, t := range r.by {
		if t.last.After(since) {
			all = append(all, admin.Refused{Address: key.address, Reason: key.reason, Times: t.n})
		}
	}
	slices.SortFunc(all, func(a, b admin.Refused) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// warnings tell of those that were turned away lately.
func (r *refused) warnings(now time.Time) (list []string) {
	all := r.list(now.Add(-refusedFor))
	for i, a := range all {
		if i == refusedNamed {
			return append(list, fmt.Sprintf("%d more clients were turned away lately: refused_clients_total of /metrics has them", len(all)-i))
		}
		list = append(list, fmt.Sprintf("client %s was turned away, %d times so far: %s", a.Address, a.Times, refusedRemedies[a.Reason]))
	}
	return list
}
