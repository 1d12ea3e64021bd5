package tree

import (
	"cmp"
	"maps"
	"slices"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// SessionEntry is a session with its timeout in milliseconds.
type SessionEntry struct {
	ID        zk.SessionID
	TimeoutMS int32
}

// SessionPaths are the ephemeral znodes of a session, sorted.
type SessionPaths struct {
	ID    zk.SessionID
	Paths []string
}

// Session is the timeout of a session, in milliseconds, and whether there is such a session.
func (t *Tree) Session(id zk.SessionID) (timeoutMS int32, ok bool) {
	timeoutMS, ok = t.sessions[id]
	return timeoutMS, ok
}

// Sessions are all sessions, by id.
func (t *Tree) Sessions() []SessionEntry {
	list := t.unsortedSessions()
	sortSessions(list)
	return list
}

func (t *Tree) unsortedSessions() []SessionEntry {
	list := make([]SessionEntry, 0, len(t.sessions))
	for id, timeout := range t.sessions {
		list = append(list, SessionEntry{id, timeout})
	}
	return list
}

func sortSessions(list []SessionEntry) {
	slices.SortFunc(list, func(a, b SessionEntry) int { return cmp.Compare(a.ID, b.ID) })
}

// SessionCount is the number of sessions.
func (t *Tree) SessionCount() int { return len(t.sessions) }

// Ephemerals are the paths of the znodes that the session owns, sorted.
func (t *Tree) Ephemerals(id zk.SessionID) []string { return t.pathsOf(t.ephemerals[id]) }

// EphemeralCount is the number of ephemeral znodes.
func (t *Tree) EphemeralCount() int { return t.owned }

// EphemeralsBySession are all ephemeral znodes, by session id.
func (t *Tree) EphemeralsBySession() []SessionPaths {
	list := make([]SessionPaths, 0, len(t.ephemerals))
	for id, set := range t.ephemerals {
		list = append(list, SessionPaths{id, t.pathsOf(set)})
	}
	slices.SortFunc(list, func(a, b SessionPaths) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// pathsOf are the sorted paths of a set of znodes.
func (t *Tree) pathsOf(set map[Ref]struct{}) []string {
	return t.paths(slices.Collect(maps.Keys(set)))
}

// paths are the sorted paths of some znodes; nil for none.
func (t *Tree) paths(refs []Ref) []string {
	if len(refs) == 0 {
		return nil
	}
	list := make([]string, 0, len(refs))
	for _, r := range refs {
		list = append(list, t.Path(r))
	}
	slices.Sort(list)
	return list
}

// closeSession deletes what the txn lists, in its order and whoever owns it now, then what else the session
// owns here, and forgets the session.
func (t *Tree) closeSession(h *txn.Header, listed []string, out *Outcome) {
	for _, path := range listed {
		t.delete(h.Zxid, path, out)
	}
	for _, path := range t.Ephemerals(h.Session) {
		t.delete(h.Zxid, path, out)
	}
	delete(t.sessions, h.Session)
}

// RemoveOrphans deletes the ephemerals of sessions that do not exist, as a server does before it starts to
// serve on its own or to lead. No txn records this: it happens under the newest zxid. It returns what it
// deleted, by session id.
func (t *Tree) RemoveOrphans() []SessionPaths {
	var gone []SessionPaths
	for _, s := range t.EphemeralsBySession() {
		if _, alive := t.sessions[s.ID]; !alive {
			gone = append(gone, s)
		}
	}
	for _, s := range gone {
		t.unheard.Reset()
		for _, path := range s.Paths {
			t.delete(t.zxid, path, &t.unheard)
		}
	}
	return gone
}

// Expirable are the containers that have become useless and the TTL znodes whose time is over, sorted, at
// most limit of them. A container that never had a child counts once it is older than neverUsedMS
// milliseconds; 0 spares those.
func (t *Tree) Expirable(nowMS, neverUsedMS int64, limit int) []string {
	var due []Ref
	for r := range t.containers {
		n := t.at(r)
		unused := n.cversion == 0 && neverUsedMS > 0 && nowMS-n.mtimeMS > neverUsedMS
		if n.children == 0 && (n.cversion > 0 || unused) {
			due = append(due, r)
		}
	}
	for r := range t.ttls {
		n := t.at(r)
		ttl, _ := n.owner.TTL()
		if n.children == 0 && nowMS-n.mtimeMS > ttl {
			due = append(due, r)
		}
	}
	slices.Sort(due) // so that the same tree always gives the same ones
	return t.paths(due[:min(limit, len(due))])
}
