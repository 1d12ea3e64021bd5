package grpcapi

import (
	"time"

	paddockv1 "paddock/gen/paddock/v1"
)

// send sends what is queued and what a catch-up finds, until the stream ends. What was found goes first: nothing is queued for a watch
// before it has caught up.
func (s *watchStream) send() {
	marks := time.NewTimer(marksNever)
	defer marks.Stop()
	var items []watchItem
	for {
		var err error
		select {
		case <-s.ended:
			return
		case list := <-s.history:
			err = s.sendHistory(list)
		default:
			var remark bool
			if items, remark = s.next(items[:0]); remark {
				marks.Reset(0)
			}
			if len(items) > 0 {
				err = s.sendItems(items)
				s.sent(items)
				clear(items)
				break
			}
			select {
			case <-s.wake:
			case list := <-s.history:
				err = s.sendHistory(list)
			case <-marks.C:
				marks.Reset(s.sendMarks())
			case <-s.ended:
			}
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// next takes from the queue what goes into one message, and tells whether there are watches that want progress marks and were not
// there before.
func (s *watchStream) next(items []watchItem) (_ []watchItem, remark bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	remark, s.remark = s.remark, false
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
	return items, remark
}

// sent gives back what items took.
func (s *watchStream) sent(items []watchItem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = 0
	for i := range items {
		s.drop(&items[i])
	}
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
		first.told = time.Now()
	}
	if first.bundle == nil {
		return s.grpc.Send(first.message(id))
	}
	var changes [][]byte
	bytes := 0
	for n := range items {
		list := items[n].bundle.changes
		for i, c := range list {
			if bytes > 0 && bytes+len(c) > watchMessageBytes {
				if err := s.grpc.Send(eventsMessage(id, changes, bytes, i > 0)); err != nil {
					return err
				}
				changes, bytes = changes[:0], 0
			}
			changes = append(changes, c)
			bytes += len(c)
		}
	}
	return s.grpc.Send(eventsMessage(id, changes, bytes, false))
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
