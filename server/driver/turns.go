package driver

import (
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
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
	if !c.ready && c.queue.Len() > 0 {
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
		c.ready = d.turn(c, most, before)
		bytes += max(0, c.sink.Backlog()-before)
	}
	// Those that had no turn come first the next time, then those that had one and are not done.
	clear(t.fresh)
	clear(t.rest)
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

// turn steps up to most requests of a client with the given backlog. It tells whether the client has more to ask now, which it has not if it is
// gone or has too much to read first.
func (d *Driver) turn(c *conn, most, start int) bool {
	for c.queue.Len() > 0 {
		l := c.queue.Front()
		for n := 0; len(l.requests) > 0; n++ {
			if n%tree.GuessMax == 0 {
				d.opt.Replica.Expect(l.requests[:min(tree.GuessMax, most, len(l.requests))])
			}
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
			if req.Trace != nil {
				d.traces.begin(c.id, req, d.wall(l.at))
			}
			d.step(replica.Event{Kind: replica.Request, Client: c.id, Request: req, At: l.at})
			if c.gone {
				return false // by the step
			}
		}
		d.box.done(l.weight)
		c.queue.Pop()
	}
	return false
}
