package tree

import (
	"slices"
	"strings"
	"unsafe"

	"paddock/internal/zk"
)

// View is a Tree at one moment. Nothing about it changes until it is released, so other goroutines may read it
// while the owner goes on; it costs memory only for what changes meanwhile. Refs mean in it what they mean in the tree then.
type View struct {
	nodes
	epoch    uint32
	znodes   int
	zxid     zk.Zxid
	digest   uint64
	sessions []SessionEntry // in no order
	acls     []aclUse
	copied   int64 // chunks that the tree had copied by then
}

// Freeze returns a view of the tree as it is now. The owner must Release it.
func (t *Tree) Freeze() *View {
	v := t.FreezeZnodes()
	v.sessions = t.unsortedSessions()
	return v
}

// FreezeZnodes is Freeze without the sessions: of those the view shows none. It costs the owner 8 bytes of memory to copy for
// every 32 znodes.
func (t *Tree) FreezeZnodes() *View {
	v := &View{
		nodes:  nodes{chunks: slices.Clone(t.chunks), mem: t.mem[:len(t.mem):len(t.mem)]},
		epoch:  t.epoch,
		znodes: t.znodes,
		zxid:   t.zxid,
		digest: t.digest,
		acls:   slices.Clone(t.acls.entries),
		copied: t.copied,
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

// ViewBytes is the memory, roughly, that is kept only since living views may read it: znodes that have changed since the
// oldest of them, and slots that have been given up.
func (t *Tree) ViewBytes() int64 {
	n := t.slabs.waitingBytes
	if len(t.views) > 0 {
		n += (t.copied - t.views[0].copied) * chunkNodes * nodeBytes
	}
	return n
}

// Find returns the znode with the given path. "" and "/" are both the root; a malformed path names no znode. It looks through the siblings on
// the way, since a view has no index: where there may be very many, find the Ref in the tree at the moment of the view.
func (v *View) Find(path string) (Ref, bool) {
	r := rootRef
	if path == zk.RootPath || path == "" {
		return r, true
	}
	if path[0] != '/' {
		return None, false
	}
	for name := range strings.SplitSeq(path[1:], "/") {
		r = v.at(r).firstChild
		for r != None && string(v.name(v.at(r))) != name {
			r = v.at(r).next
		}
		if r == None {
			return None, false
		}
	}
	return r, true
}

// ACL is the znode's access list, shared and not to be modified. It stays valid.
func (v *View) ACL(r Ref) []zk.ACL { return v.acls[v.at(r).acl].list }

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
// which Walk returns. The root's path is empty. path, data and stat are valid during the call only and may not be
// modified; data is nil for null. aclKey is a key of ACLs or OpenKey.
func (v *View) Walk(f func(path string, data []byte, aclKey int64, stat *zk.StoredStat) error) error {
	var path []byte
	var stat zk.StoredStat
	for r := rootRef; ; {
		n := v.at(r)
		stat = n.stored()
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
