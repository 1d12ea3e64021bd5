package tree

import (
	"slices"
	"unsafe"

	"paddock/internal/zk"
)

// View is a Tree at one moment. Nothing about it changes until it is released, so one goroutine may read it
// while the owner goes on; it costs memory only for what changes meanwhile.
type View struct {
	nodes
	epoch    uint32
	znodes   int
	zxid     zk.Zxid
	digest   uint64
	sessions []SessionEntry // in no order
	acls     []aclUse
}

// Freeze returns a view of the tree as it is now. The owner must Release it.
func (t *Tree) Freeze() *View {
	v := &View{
		nodes:    nodes{chunks: slices.Clone(t.chunks), mem: t.mem[:len(t.mem):len(t.mem)]},
		epoch:    t.epoch,
		znodes:   t.znodes,
		zxid:     t.zxid,
		digest:   t.digest,
		sessions: t.unsortedSessions(),
		acls:     slices.Clone(t.acls.entries),
	}
	t.views = append(t.views, v)
	t.frozen = t.epoch
	t.epoch++
	return v
}

// Release ends a view. Only the owner of the tree may call it, once nobody reads the view any more.
func (t *Tree) Release(v *View) {
	i := slices.Index(t.views, v)
	if i < 0 {
		return
	}
	t.views = slices.Delete(t.views, i, i+1)
	*v = View{}
	t.frozen = 0
	if len(t.views) > 0 {
		t.frozen = t.views[len(t.views)-1].epoch
	}
	t.settle(settledPerRelease)
}

// Slots that waited for a view go back little by little, so that the end of a long-lived view is no pause.
const (
	settledPerRelease = 1024
	settledPerChange  = 2
)

// settle releases up to limit slots that no living view can see any more.
func (t *Tree) settle(limit int) {
	if len(t.slabs.waiting) == 0 {
		return
	}
	var oldest uint32
	if len(t.views) > 0 {
		oldest = t.views[0].epoch
	}
	t.slabs.settle(&t.mem, oldest, limit)
}

// Zxid is that of the newest txn in the view.
func (v *View) Zxid() zk.Zxid { return v.zxid }

// Digest is the digest of the view, version 2.
func (v *View) Digest() uint64 { return v.digest }

// Znodes is the number of znodes, root included.
func (v *View) Znodes() int { return v.znodes }

// Sessions are all sessions, by id.
func (v *View) Sessions() []SessionEntry {
	list := slices.Clone(v.sessions)
	sortSessions(list)
	return list
}

// ACLs are the access lists that znodes use, by key, without the open list (OpenKey).
func (v *View) ACLs() []ACLEntry { return inUse(v.acls) }

// Walk calls f for every znode, parents first, siblings in no particular order, until f returns an error,
// which Walk returns. The root's path is empty. path and data are valid during the call only and may not be
// modified; data is nil for null. aclKey is a key of ACLs or OpenKey.
func (v *View) Walk(f func(path string, data []byte, aclKey int64, stat *zk.StoredStat) error) error {
	var path []byte
	for r := rootRef; ; {
		n := v.at(r)
		stat := n.stored()
		if err := f(unsafe.String(unsafe.SliceData(path), len(path)), v.data(n), v.acls[n.acl].key, &stat); err != nil {
			return err
		}
		if n.firstChild != None {
			r = n.firstChild
		} else {
			for n.next == None {
				if r == rootRef {
					return nil
				}
				path = path[:len(path)-len(v.name(n))-1]
				r = n.parent
				n = v.at(r)
			}
			path = path[:len(path)-len(v.name(n))-1]
			r = n.next
		}
		path = append(append(path, '/'), v.name(v.at(r))...)
	}
}
