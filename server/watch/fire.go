package watch

import (
	"strings"

	"paddock/internal/zk"
	"paddock/server/request"
)

// Firing is one event for one connection.
type Firing struct {
	Client request.ClientID
	Type   zk.EventType
	Path   string // the path of the change, or its parent's: not what the client watches
	// OfParent tells whose access list decides whether the client may hear of it: that of the parent of what was
	// changed, or that of the changed znode itself (for a deleted one, as it was).
	OfParent bool
}

// Fire appends to dst the events of one change, in the order in which they are sent, and ends the one-shot watches
// among them. What happened to the path is Created, Deleted or DataChanged; other types fire nothing. Events
// alike follow one another. Their paths alias the one given.
func (t *Table) Fire(dst []Firing, what zk.EventType, path string) []Firing {
	if len(t.paths) == 0 {
		return dst
	}
	switch what {
	case zk.NodeDataChanged:
		return t.collect(dst, Data, what, path)
	case zk.NodeCreated:
		dst = t.collect(dst, Data, what, path)
	case zk.NodeDeleted:
		dst = t.collect(dst, Data, what, path)
		// Who heard of it as the watcher of data does not hear of it again as the watcher of children.
		dst = t.collectMore(dst, Child, what, path)
	default:
		return dst
	}
	parent := path[:max(strings.LastIndexByte(path, '/'), 0)]
	if parent == "" {
		parent = zk.RootPath
	}
	first := len(dst)
	dst = t.collect(dst, Child, zk.NodeChildrenChanged, parent)
	for i := first; i < len(dst); i++ {
		dst[i].OfParent = true
	}
	return dst
}

// Trigger appends to dst who watches the path on one side, each connection once and none of those in suppress, and
// ends their one-shot watches there, those of the suppressed too.
func (t *Table) Trigger(dst []request.ClientID, side Side, path string, suppress []request.ClientID) []request.ClientID {
	t.nextRound()
	for _, id := range suppress {
		if c := t.clients[id]; c != 0 {
			t.client.at(c).told = t.round
		}
	}
	t.firings = t.collectMore(t.firings[:0], side, 0, path)
	for i := range t.firings {
		dst = append(dst, t.firings[i].Client)
	}
	return dst
}

// collect appends an event for everybody who watches the path on one side.
func (t *Table) collect(dst []Firing, side Side, what zk.EventType, path string) []Firing {
	t.nextRound()
	return t.collectMore(dst, side, what, path)
}

// collectMore is collect without those who were collected in the current round before.
func (t *Table) collectMore(dst []Firing, side Side, what zk.EventType, path string) []Firing {
	f := Firing{Type: what, Path: path}
	if p := t.paths[path]; p != 0 {
		dst = t.collectHere(dst, f, side, p)
	}
	if side != Data || len(t.recursive) == 0 {
		return dst
	}
	nearest, _ := t.lengthPlace(len(path) - 1)
	for _, r := range t.recursive[nearest:] {
		// The root is the one ancestor whose path ends with the slash.
		if n := r.length; n == 1 || n > 1 && path[n] == '/' {
			if p := t.paths[path[:n]]; p != 0 {
				dst = t.collectRecursive(dst, f, p)
			}
		}
	}
	return dst
}

// collectHere collects from one ring of one path, whatever the kinds, and takes the one-shots away.
func (t *Table) collectHere(dst []Firing, f Firing, side Side, p uint32) []Firing {
	info := t.path.at(p)
	e := info.head[side]
	for n := info.n[side]; n > 0; n-- { // counted, since the ring and info may be gone after the last entry
		it := t.entry.at(e)
		next := it.pathNext
		dst = t.tell(dst, f, it.client)
		t.clear(e, DataOneShot|ChildOneShot)
		e = next
	}
	return dst
}

// collectRecursive collects the recursive watches of one path.
func (t *Table) collectRecursive(dst []Firing, f Firing, p uint32) []Firing {
	head := t.path.at(p).head[Data]
	for e := head; e != 0; {
		it := t.entry.at(e)
		if it.kinds&Recursive == 0 {
			break // so are all that follow
		}
		dst = t.tell(dst, f, it.client)
		if e = it.pathNext; e == head {
			break
		}
	}
	return dst
}

// tell appends the event for a client that has not been collected in this round.
func (t *Table) tell(dst []Firing, f Firing, c uint32) []Firing {
	client := t.client.at(c)
	if client.told == t.round {
		return dst
	}
	client.told = t.round
	f.Client = client.id
	return append(dst, f)
}

// nextRound begins an event of which nobody has been told.
func (t *Table) nextRound() {
	if t.round++; t.round != 0 {
		return
	}
	t.round = 1
	for _, chunk := range t.client.chunks { // the numbers start over: forget who was told under which
		for i := range chunk {
			chunk[i].told = 0
		}
	}
}
