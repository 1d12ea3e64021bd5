package session

import "paddock/internal/zk"

// Owner is who the session is attached through; 0 if nobody yet or the session is unknown.
func (t *Tracker) Owner(id zk.SessionID) Owner {
	if s := t.sessions[id]; s != nil {
		return s.owner
	}
	return 0
}

// SetOwner makes o the owner of the session: from now on Check refuses everybody else. It returns false for a
// session that is unknown or closing.
func (t *Tracker) SetOwner(id zk.SessionID, o Owner) bool {
	s := t.sessions[id]
	if s == nil || s.closing {
		return false
	}
	s.owner = o
	return true
}

// Check judges a request of the session that came through o. A session without an owner is taken over by o.
// Outcomes: OK; UnknownSession; SessionExpired when the session is closing; SessionMoved when it has another
// owner.
func (t *Tracker) Check(id zk.SessionID, o Owner) zk.Code {
	s := t.sessions[id]
	switch {
	case s == nil:
		return zk.UnknownSession
	case s.closing:
		return zk.SessionExpired
	case s.owner == 0:
		s.owner = o
	case s.owner != o:
		return zk.SessionMoved
	}
	return zk.OK
}
