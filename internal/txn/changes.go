package txn

import "paddock/internal/zk"

// Change is what a txn does to one znode.
type Change struct {
	Event zk.EventType // NodeCreated, NodeDeleted, NodeDataChanged or NodeACLChanged
	Path  string
	Data  []byte   // created and changed: what the znode holds then
	ACL   []zk.ACL // created, or its access list is another: that list
	Zxid  zk.Zxid
	// Inferred tells of a deletion that the txn leaves to the tree: a closeSession that does not list what it deletes has a
	// single change, whose Path is "" and which stands for all ephemerals of Session.
	Inferred bool
	Session  zk.SessionID
}

// Changes yields what the txn changes, in the order in which it does, until yield says no. A txn that failed changes nothing.
// A change of children is not told apart: creating and deleting a znode are one of its parent.
func (r *Record) Changes(yield func(Change) bool) {
	if r.Txn.Failed() {
		return
	}
	if r.Txn.Type != zk.OpMulti {
		r.changes(&r.Txn, yield)
		return
	}
	for i := range r.Txn.Ops {
		if !r.changes(&r.Txn.Ops[i], yield) {
			return
		}
	}
}

func (r *Record) changes(t *Txn, yield func(Change) bool) bool {
	c := Change{Path: t.Path, Zxid: r.Header.Zxid, Session: r.Header.Session}
	switch {
	case t.Type.IsCreate():
		c.Event, c.Data, c.ACL = zk.NodeCreated, t.Data, t.ACL
	case t.Type == zk.OpSetACL:
		c.Event, c.ACL = zk.NodeACLChanged, t.ACL
	case t.Type == zk.OpDelete || t.Type == zk.OpDeleteContainer:
		c.Event = zk.NodeDeleted
	case t.Type == zk.OpSetData || t.Type == zk.OpReconfig:
		c.Event, c.Data = zk.NodeDataChanged, t.Data
	case t.Type == zk.OpCloseSession && t.Paths == nil:
		c.Event, c.Inferred = zk.NodeDeleted, true
	case t.Type == zk.OpCloseSession:
		c.Event = zk.NodeDeleted
		for _, c.Path = range t.Paths {
			if !yield(c) {
				return false
			}
		}
		return true
	default: // checks, sessions that begin
		return true
	}
	return yield(c)
}
