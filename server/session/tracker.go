package session

import (
	"cmp"
	"slices"

	"paddock/internal/invariant"
	"paddock/internal/zk"
)

// Owner names the connection or the learner that a session is attached through. It is opaque here; 0 is none.
type Owner uint64

// Tracker knows the live sessions, when each expires, and who owns it. Not safe for concurrent use.
//
// Sessions are filed in buckets by the tick at whose end they expire. A touch only raises the session's own
// deadline; the session moves to a later bucket when the one it is filed in comes up. So a session is never filed
// later than its deadline, and one that is closing is not filed at all.
type Tracker struct {
	tickMS   int64
	sessions map[zk.SessionID]*entry
	recent   *entry         // touched last; requests of one session come in runs
	buckets  []filing       // ascending by atMS; some may have become empty
	spare    []*entry       // storage of a bucket that came up
	expired  []zk.SessionID // storage of what Expired returned
}

// entry is one session.
type entry struct {
	id         zk.SessionID
	deadlineMS int64 // when the session expires if it is not touched again; a multiple of the tick
	filedMS    int64 // the bucket it is filed in
	place      int   // its index there
	owner      Owner
	closing    bool
}

// filing is the sessions to look at once the clock reaches atMS.
type filing struct {
	atMS    int64
	members []*entry
}

// New returns a tracker without sessions that expires them at multiples of tickMS milliseconds, at least 1.
func New(tickMS int64) *Tracker {
	return &Tracker{tickMS: max(tickMS, 1), sessions: make(map[zk.SessionID]*entry)}
}

// Open starts to track a session, with no owner. A session that is tracked already is touched instead, unless
// it is closing.
func (t *Tracker) Open(id zk.SessionID, timeoutMS int32, nowMS int64) {
	if _, ok := t.sessions[id]; ok {
		t.Touch(id, timeoutMS, nowMS)
		return
	}
	s := &entry{id: id, deadlineMS: t.deadline(nowMS + int64(timeoutMS))}
	t.sessions[id] = s
	t.file(s)
}

// Touch keeps a session alive for timeoutMS from now, whatever its timeout was before. It returns false for a
// session that is unknown or closing.
func (t *Tracker) Touch(id zk.SessionID, timeoutMS int32, nowMS int64) bool {
	s := t.recent
	if s == nil || s.id != id {
		if s = t.sessions[id]; s == nil {
			return false
		}
		t.recent = s
	}
	if s.closing {
		return false
	}
	end := nowMS + int64(timeoutMS)
	if end < s.deadlineMS && end >= s.deadlineMS-t.tickMS {
		return true // the same tick as before
	}
	s.deadlineMS = t.deadline(end)
	if s.deadlineMS < s.filedMS {
		t.unfile(s)
		t.file(s)
	}
	return true
}

// Expired marks every session whose time is over as closing and returns their ids in ascending order. The
// slice is valid until the next call.
func (t *Tracker) Expired(nowMS int64) []zk.SessionID {
	t.expired = t.expired[:0]
	for len(t.buckets) > 0 && t.buckets[0].atMS <= nowMS {
		due := t.buckets[0]
		t.buckets = slices.Delete(t.buckets, 0, 1)
		for _, s := range due.members {
			if s.deadlineMS > nowMS {
				t.file(s)
				continue
			}
			s.closing = true
			t.expired = append(t.expired, s.id)
		}
		clear(due.members)
		t.spare = due.members[:0]
	}
	slices.Sort(t.expired)
	return t.expired
}

// NextMS is the earliest time at which Expired may have something to do; false if there is none.
func (t *Tracker) NextMS() (int64, bool) {
	if len(t.buckets) == 0 {
		return 0, false
	}
	return t.buckets[0].atMS, true
}

// SetClosing notes that the session's end has been proposed: it can no longer be touched and does not expire.
// It returns false for a session that is unknown.
func (t *Tracker) SetClosing(id zk.SessionID) bool {
	s := t.sessions[id]
	if s == nil {
		return false
	}
	if !s.closing {
		s.closing = true
		t.unfile(s)
	}
	return true
}

// IsClosing tells whether the session is known and its end has been proposed.
func (t *Tracker) IsClosing(id zk.SessionID) bool {
	s := t.sessions[id]
	return s != nil && s.closing
}

// Remove forgets a session, known or not.
func (t *Tracker) Remove(id zk.SessionID) {
	t.SetClosing(id)
	delete(t.sessions, id)
	if t.recent != nil && t.recent.id == id {
		t.recent = nil
	}
}

// Known tells whether the session is tracked, closing or not.
func (t *Tracker) Known(id zk.SessionID) bool { return t.sessions[id] != nil }

// Len is the number of sessions tracked, those that are closing included.
func (t *Tracker) Len() int { return len(t.sessions) }

// Bucket is the sessions that expire at the same time unless they are touched.
type Bucket struct {
	ExpiresAtMS int64 // on the caller's clock
	Sessions    []zk.SessionID
}

// Buckets lists every session that is not closing by the time it expires, both ascending. It is made for a
// human to read: it costs time and memory in proportion to the sessions.
func (t *Tracker) Buckets() []Bucket {
	type due struct {
		atMS int64
		id   zk.SessionID
	}
	all := make([]due, 0, len(t.sessions))
	for id, s := range t.sessions {
		if !s.closing {
			all = append(all, due{s.deadlineMS, id})
		}
	}
	slices.SortFunc(all, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.atMS, b.atMS), cmp.Compare(a.id, b.id))
	})
	var list []Bucket
	for _, d := range all {
		if len(list) == 0 || list[len(list)-1].ExpiresAtMS != d.atMS {
			list = append(list, Bucket{ExpiresAtMS: d.atMS})
		}
		last := &list[len(list)-1]
		last.Sessions = append(last.Sessions, d.id)
	}
	return list
}

// deadline is the end of the tick that endMS lies in; always later than endMS.
func (t *Tracker) deadline(endMS int64) int64 { return (endMS/t.tickMS + 1) * t.tickMS }

// file puts a session that is in no bucket into that of its deadline.
func (t *Tracker) file(s *entry) {
	s.filedMS = s.deadlineMS
	i, found := t.bucket(s.filedMS)
	if !found {
		t.buckets = slices.Insert(t.buckets, i, filing{atMS: s.filedMS, members: t.spare})
		t.spare = nil
	}
	b := &t.buckets[i]
	s.place = len(b.members)
	b.members = append(b.members, s)
}

// unfile takes a session out of its bucket; the last of the bucket gets its place.
func (t *Tracker) unfile(s *entry) {
	i, found := t.bucket(s.filedMS)
	invariant.Check(found, "a session that is not closing is in a bucket", int64(s.id), s.filedMS)
	b := &t.buckets[i]
	last := len(b.members) - 1
	b.members[s.place] = b.members[last]
	b.members[s.place].place = s.place
	b.members[last] = nil
	b.members = b.members[:last]
}

// bucket is where the bucket of atMS is, or would be.
func (t *Tracker) bucket(atMS int64) (int, bool) {
	return slices.BinarySearchFunc(t.buckets, atMS, func(f filing, atMS int64) int {
		return cmp.Compare(f.atMS, atMS)
	})
}
