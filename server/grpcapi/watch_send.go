package grpcapi

import (
	"time"

	"google.golang.org/grpc/mem"

	paddockv1 "paddock/gen/paddock/v1"
)

// work is what the sender does next.
type work struct {
	items  []watchItem // one message of what is queued
	found  []watchItem // by a catch-up
	remark bool        // progress marks may be due
	over   bool
}

// send sends what is queued and what a catch-up finds, until the stream ends. What was found goes first: nothing is queued for a watch
// before it has caught up.
func (s *watchStream) send() {
	marks := time.AfterFunc(marksNever, func() {
		s.mu.Lock()
		s.remark = true
		s.mu.Unlock()
		s.kick()
	})
	defer marks.Stop()
	var todo work
	for {
		s.next(&todo)
		var err error
		switch {
		case todo.over:
			return
		case todo.remark:
			marks.Reset(s.sendMarks())
		case todo.found != nil:
			err = s.sendHistory(todo.found)
		case len(todo.items) > 0:
			err = s.sendItems(todo.items)
		default:
			<-s.wake
		}
		if err != nil {
			s.end(err)
		}
	}
}

// next gives back what was sent, and takes what is to be done: one of the things that work has.
func (s *watchStream) next(w *work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range w.items {
		s.drop(&w.items[i])
	}
	clear(w.items)
	w.items, w.found, w.over, w.remark = w.items[:0], nil, s.over, s.remark
	s.sending, s.remark = 0, false
	switch {
	case w.over || w.remark:
	case s.found != nil:
		w.found, s.found = s.found, nil
		s.taken <- struct{}{} // one at a time is found
	default:
		w.items = s.message(w.items)
	}
}

// message takes from the queue what goes into one message.
func (s *watchStream) message(items []watchItem) []watchItem {
	bytes := 0
	for s.queue.Len() > 0 {
		i := s.queue.Front()
		if len(items) > 0 && (i.bundle == nil || i.watching != items[0].watching || bytes+i.bundle.bytes > watchMessageBytes) {
			break
		}
		items = append(items, *i)
		s.queue.Pop()
		if i = &items[len(items)-1]; i.bundle == nil {
			break
		}
		bytes += i.bundle.bytes
	}
	if len(items) > 0 {
		s.sending = max(items[0].zxidOf(), 1)
	}
	return items
}

// sendHistory sends what a catch-up has found.
func (s *watchStream) sendHistory(list []watchItem) error {
	for i := range list {
		s.mu.Lock()
		over := list[i].watching != nil && list[i].cancelled
		s.mu.Unlock()
		if over {
			continue
		}
		if err := s.sendItems(list[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// sendItems sends items: bundles of one watch, or one item of another kind.
func (s *watchStream) sendItems(items []watchItem) error {
	first := &items[0]
	id := first.id
	if first.watching != nil {
		id = first.watching.id
		if first.every > 0 {
			first.told = time.Now()
		}
	}
	switch {
	case first.bundle == nil:
		return s.grpc.Send(first.message(id))
	case len(items) == 1 && first.bundle.events != nil:
		if id == 0 {
			return s.grpc.SendMsg(encoded{first.bundle.events})
		}
		if first.head == nil {
			first.head = mem.SliceBuffer(appendUint(nil, fieldResponseWatch, uint64(id)))
		}
		return s.grpc.SendMsg(encoded{first.head, first.bundle.events})
	}
	var changes [][]byte
	bytes := 0
	for n := range items {
		list := items[n].bundle.changes
		for i, c := range list {
			if bytes > 0 && bytes+len(c) > watchMessageBytes {
				if err := s.grpc.SendMsg(eventsMessage(id, changes, bytes, i > 0)); err != nil {
					return err
				}
				changes, bytes = changes[:0], 0
			}
			changes = append(changes, c)
			bytes += len(c)
		}
	}
	return s.grpc.SendMsg(eventsMessage(id, changes, bytes, false))
}

var cancelReasons = map[saying]paddockv1.WatchCancelReason{
	sayFired:   paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_FIRED,
	sayAsked:   paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ASKED,
	sayGone:    paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE,
	sayAhead:   paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ZXID_AHEAD,
	sayInvalid: paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_INVALID,
}

// message is what an item without events says.
func (i *watchItem) message(id int64) *paddockv1.WatchResponse {
	m := &paddockv1.WatchResponse{WatchId: id}
	switch i.say {
	case sayCreated:
		m.Response = &paddockv1.WatchResponse_Created{Created: &paddockv1.WatchCreated{AfterZxid: uint64(i.zxid)}}
	case sayProgress:
		m.Response = &paddockv1.WatchResponse_Progress{Progress: &paddockv1.WatchProgress{Zxid: uint64(i.zxid)}}
	default:
		m.Response = &paddockv1.WatchResponse_Cancelled{Cancelled: &paddockv1.WatchCancelled{
			Reason: cancelReasons[i.say], Message: i.text, Zxid: uint64(i.zxid),
		}}
	}
	return m
}

// marksNever is how long the sender waits when no watch wants progress marks.
const marksNever = time.Hour

// sendMarks queues the progress marks that are due, and returns when the next is.
func (s *watchStream) sendMarks() (next time.Duration) {
	h := s.hub
	now := time.Now()
	next = marksNever
	var due []watchItem
	h.mu.Lock()
	defer h.mu.Unlock()
	s.mu.Lock()
	for _, w := range s.watches {
		if w.every == 0 {
			continue
		}
		wait := w.told.Add(w.every).Sub(now)
		if wait <= 0 {
			w.told, wait = now, w.every
			if w.live {
				due = append(due, watchItem{watching: w, say: sayProgress, zxid: max(h.pos, w.after)})
			}
		}
		next = min(next, wait)
	}
	s.mu.Unlock()
	for _, i := range due {
		s.push(i)
	}
	return max(next, time.Millisecond)
}
