package driver

import (
	"paddock/server/replica"
	"paddock/server/request"
)

// A round goes once through the clients that wait, so that one which asks little does not wait behind all that another
// has asked: each has a turn of some requests, fewer the more clients there are.
const (
	roundRequests = 2048     // in a round, roughly
	turnMin       = 8        // requests in a turn, at least
	turnBytes     = 64 << 10 // of replies, after which a turn ends
	roundBytes    = 2 << 20  // of replies, after which a round ends before all have had their turn
)

// turns are the clients with requests to begin. Those that have just come go first: a client that only ever has little to
// ask then waits for one round at most.
type turns struct {
	fresh, rest []*conn
	round       []*conn // scratch memory of takeTurns
}

func (t *turns) len() int { return len(t.fresh) + len(t.rest) }

// add lets a client wait for its turn, unless it does already or has nothing to ask.
func (t *turns) add(c *conn) {
	if !c.ready && c.queue.len() > 0 {
		c.ready = true
		t.fresh = append(t.fresh, c)
	}
}

// takeTurns is the part of a round that steps requests.
func (d *Driver) takeTurns() {
	t := &d.turns
	if t.len() == 0 {
		return
	}
	most := max(turnMin, roundRequests/t.len())
	round := append(append(t.round[:0], t.fresh...), t.rest...)
	fresh, n, bytes := len(t.fresh), 0, 0
	for n < len(round) && bytes <= roundBytes {
		c := round[n]
		n++
		before := c.sink.Backlog()
		c.ready = d.turn(c, most)
		bytes += max(0, c.sink.Backlog()-before)
	}
	// Those that had no turn come first the next time, then those that had one and are not done.
	t.fresh = append(t.fresh[:0], round[min(n, fresh):fresh]...)
	t.rest = append(t.rest[:0], round[max(n, fresh):]...)
	for _, c := range round[:n] {
		if c.ready {
			t.rest = append(t.rest, c)
		}
	}
	clear(round)
	t.round = round[:0]
}

// turn steps up to most requests of a client. It tells whether the client has more to ask now, which it has not if it is
// gone or has too much to read first.
func (d *Driver) turn(c *conn, most int) bool {
	start := c.sink.Backlog()
	for c.queue.len() > 0 {
		l := c.queue.front()
		for len(l.requests) > 0 {
			backlog := c.sink.Backlog()
			if backlog > request.BacklogBytesMax {
				return false // Drained will follow
			}
			if most == 0 || backlog-start > turnBytes {
				return true
			}
			most--
			req := &l.requests[0]
			l.requests = l.requests[1:]
			d.step(replica.Event{Kind: replica.Request, Client: c.id, Request: req, At: l.at})
			if c.gone {
				return false // by the step
			}
		}
		d.box.done(l.weight)
		c.queue.pop()
	}
	return false
}

// letters is a queue.
type letters struct {
	items []letter
	head  int
}

func (q *letters) len() int       { return len(q.items) - q.head }
func (q *letters) front() *letter { return &q.items[q.head] }

func (q *letters) push(l letter) {
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, l)
}

// pop drops the front, and what it referred to.
func (q *letters) pop() {
	q.items[q.head] = letter{}
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
}
