package tree

import (
	"errors"
	"fmt"

	"paddock/internal/zk"
)

// ErrInvalidTree is wrapped by the errors of a Loader: what it was given is no tree.
var ErrInvalidTree = errors.New("invalid tree")

// Loader builds a Tree from what a snapshot holds. Sessions and access lists come before znodes, and each
// znode after its parent. It keeps nothing of what it is given.
type Loader struct {
	t          *Tree
	root       bool
	parent     Ref
	parentPath []byte           // of parent
	aclByKey   map[int64]uint32 // places in the access list table
	lastKey    int64            // of lastACL
	lastACL    uint32
}

// NewLoader returns an empty Loader. See New for the seed.
func NewLoader(seed uint64) *Loader {
	return &Loader{
		t: bare(seed), parent: rootRef, aclByKey: map[int64]uint32{OpenKey: openIndex}, lastKey: OpenKey,
	}
}

// Session adds a session.
func (l *Loader) Session(id zk.SessionID, timeoutMS int32) { l.t.sessions[id] = timeoutMS }

// ACL adds an access list under the key that znodes name it by. Of a key that comes twice the first list stays.
func (l *Loader) ACL(key int64, list []zk.ACL) {
	if _, known := l.aclByKey[key]; known {
		return
	}
	a := &l.t.acls
	l.aclByKey[key], _ = a.place(list, key)
	a.nextKey = max(a.nextKey, key+1)
}

// Node adds a znode; the root's path is "". An access list that was not given lets nobody do anything. It
// fails if the znode's parent or the root has not come before, or the znode has.
func (l *Loader) Node(path string, data []byte, aclKey int64, s *zk.StoredStat) error {
	if path == "" {
		return l.rootNode(data, aclKey, s)
	}
	parentPath, _, ok := split(path)
	if !ok || !l.root {
		return fmt.Errorf("%w: znode %q without a parent", ErrInvalidTree, path)
	}
	if parentPath != string(l.parentPath) {
		parent := l.t.lookup(parentPath)
		if parent == None {
			return fmt.Errorf("%w: znode %q comes before its parent", ErrInvalidTree, path)
		}
		l.parent, l.parentPath = parent, append(l.parentPath[:0], parentPath...)
	}
	r, h := l.t.lookupHash(path)
	if r != None {
		return fmt.Errorf("%w: znode %q comes twice", ErrInvalidTree, path)
	}
	l.t.attach(l.parent, path, h, data, l.acl(aclKey), s)
	return nil
}

func (l *Loader) rootNode(data []byte, aclKey int64, s *zk.StoredStat) error {
	if l.root {
		return fmt.Errorf("%w: the root comes twice", ErrInvalidTree)
	}
	l.root = true
	t := l.t
	t.setBlob(rootRef, data, prefixOf("", data))
	n := t.edit(rootRef)
	n.setStored(s)
	n.acl = l.acl(aclKey)
	t.own(rootRef, s.Owner)
	t.sum(n, "")
	return nil
}

// acl is the place of the list with the key, with one more use.
func (l *Loader) acl(key int64) uint32 {
	if key != l.lastKey {
		i, known := l.aclByKey[key]
		if !known {
			i = l.t.acls.missing(key)
			l.aclByKey[key] = i
			l.t.acls.nextKey = max(l.t.acls.nextKey, key+1)
		}
		l.lastKey, l.lastACL = key, i
	}
	if l.lastACL != openIndex {
		l.t.acls.entries[l.lastACL].uses++
	}
	return l.lastACL
}

// Finish returns the tree at the given zxid; the Loader must not be used again. Built-in znodes that are
// missing are added, quotas are counted afresh, and access lists that no znode has are dropped.
func (l *Loader) Finish(zxid zk.Zxid) (*Tree, error) {
	if !l.root {
		return nil, fmt.Errorf("%w: no root", ErrInvalidTree)
	}
	t := l.t
	l.t = nil
	t.acls.purge()
	t.addSystem()
	t.loadQuotas()
	t.zxid = zxid
	return t, nil
}
