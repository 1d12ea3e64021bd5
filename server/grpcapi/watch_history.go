package grpcapi

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"paddock/internal/zk"
	"paddock/server/request"
)

// Bounds of a catch-up.
const (
	catchUpTxns  = 512              // that are read from memory at once
	catchUpBytes = 64 << 10         // of what was found, after which it is sent
	catchUpSlow  = 20 * time.Second // that the client may take to read so much
)

// catchUp brings watches of a stream that begin in the past to where the hub is.
type catchUp struct {
	*watchStream
	index *watchIndex
	group []*watching // that are in index, by where they begin
	fans  fanner
	pos   zk.Zxid // told up to here
	items []watchItem
	bytes int
	turn  bool // it reads the log
	read  bool // something has come from the log
	err   error
}

// errEnded tells that the stream is over.
var errEnded = errors.New("the stream is over")

// catchUp takes up watches as long as there are any that are behind.
func (s *watchStream) catchUp() {
	for {
		s.mu.Lock()
		group := s.behind
		s.behind = nil
		s.catching = len(group) > 0 && !s.over
		goOn := s.catching
		s.mu.Unlock()
		if !goOn {
			return
		}
		c := &catchUp{watchStream: s, index: newWatchIndex(), group: group, fans: fanner{may: s.hub.fans.may}}
		if err := c.run(); err != nil {
			s.end(err)
			return
		}
	}
}

func (c *catchUp) run() error {
	if err := c.begin(); err != nil {
		return err
	}
	for c.index.size > 0 {
		err := c.step()
		var gone *request.HistoryGoneError
		if errors.As(err, &gone) {
			err = c.gone(gone.Oldest)
		}
		if err != nil {
			return err
		}
		if err := c.flush(); err != nil {
			return err
		}
		state, _ := c.feed.Now()
		if c.pos >= state.Last && c.hub.join(c.watchStream, c.index, c.group, c.pos, &c.fans) {
			return nil
		}
	}
	return c.flush()
}

// begin gathers who is to be told that watches have begun, save those that want to begin where nobody has been yet. That is sent once
// it is known that history goes back so far, so that the first answer to a watch is a refusal if it does not.
func (c *catchUp) begin() error {
	slices.SortStableFunc(c.group, func(a, b *watching) int { return int(min(max(a.after-b.after, -1), 1)) })
	newest := c.group[len(c.group)-1].after
	state, _ := c.feed.Now()
	if newest > state.Last {
		at, err := c.door.barriers.pass(c.grpc.Context(), levelSynced)
		if err != nil {
			return err
		}
		state, _ = c.feed.Now()
		state.Last = min(at, state.Last)
	}
	c.pos = c.group[0].after
	for _, w := range c.group {
		if w.after <= state.Last {
			c.index.add(w)
			c.items = append(c.items, watchItem{watching: w, say: sayCreated, zxid: w.after})
			continue
		}
		c.over(w, watchItem{watching: w, say: sayAhead, zxid: state.Last,
			text: fmt.Sprintf("start_after_zxid %v is ahead of the ensemble, which is at %v: it is from another one, or was lost with its disks", w.after, state.Last)})
	}
	return nil
}

// over ends a watch with an item.
func (c *catchUp) over(w *watching, i watchItem) {
	c.index.remove(w)
	c.hub.mu.Lock()
	c.hub.forget(w)
	c.hub.mu.Unlock()
	c.items = append(c.items, i)
}

// step reads on, from memory if it goes back that far.
func (c *catchUp) step() error {
	var failed error
	upTo, ok := c.feed.Read(c.pos, catchUpTxns, func(changes []request.Change) {
		if failed == nil {
			failed = c.found(changes)
		}
	})
	if !ok {
		if err := c.takeTurn(); err != nil {
			return err
		}
		c.read = false
		upTo, failed = c.feed.ReadLog(c.grpc.Context(), c.pos, c.wants, c.found)
		c.giveTurn()
		if failed == nil {
			failed = c.err
		}
	}
	if failed == nil {
		c.pos = upTo
	}
	return failed
}

// takeTurn waits until it may read the log.
func (c *catchUp) takeTurn() error {
	select {
	case c.hub.slots <- struct{}{}:
		c.turn = true
		return nil
	case <-c.ended:
		return errEnded
	}
}

// giveTurn lets others read the log, if it was its turn.
func (c *catchUp) giveTurn() {
	if c.turn {
		<-c.hub.slots
	}
	c.turn = false
}

// wants tells whether anybody is to be told of a change in the log.
func (c *catchUp) wants(kind zk.EventType, path string) bool {
	if !c.read {
		c.read = true
		c.err = c.flush() // the watches have begun
	}
	return c.index.wants(kind, path)
}

// found takes the changes of a txn.
func (c *catchUp) found(changes []request.Change) error {
	if c.err != nil {
		return c.err
	}
	c.fans.fan(c.index, changes, func(w *watching, b *bundle) {
		c.items = append(c.items, watchItem{watching: w, bundle: b})
		c.bytes += b.bytes
		if w.once() {
			c.over(w, watchItem{watching: w, say: sayFired, zxid: b.zxid})
		}
	})
	if c.bytes < catchUpBytes {
		return nil
	}
	return c.flush()
}

// flush gives the sender what was found, and waits until it begins to send that; meanwhile others may read the log.
func (c *catchUp) flush() error {
	if len(c.items) == 0 {
		return nil
	}
	reading := c.turn
	c.giveTurn()
	if err := c.hand(); err != nil || !reading {
		return err
	}
	return c.takeTurn()
}

func (c *catchUp) hand() error {
	slow := time.NewTimer(catchUpSlow)
	defer slow.Stop()
	c.mu.Lock()
	c.watchStream.found = c.items
	c.mu.Unlock()
	c.items, c.bytes = nil, 0
	c.kick()
	select {
	case <-c.taken:
		return nil
	case <-c.ended:
		return errEnded
	case <-slow.C:
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.slow()
	}
}

// gone ends the watches that begin before history does. If nothing was read the log may still reach back to where others begin.
func (c *catchUp) gone(oldest zk.Zxid) error {
	limit := c.pos
	if c.read {
		limit = oldest - 1
	}
	for _, w := range c.group {
		switch {
		case w.index != c.index:
		case w.after <= limit:
			if !c.read {
				c.items = slices.DeleteFunc(c.items, func(i watchItem) bool { return i.watching == w }) // it has not begun
			}
			c.over(w, watchItem{watching: w, say: sayGone, zxid: oldest,
				text: fmt.Sprintf("the history does not go back to %v: list again at %v or later, and watch from there", w.after, oldest)})
		default:
			c.pos = w.after
			return c.flush()
		}
	}
	return c.flush()
}
