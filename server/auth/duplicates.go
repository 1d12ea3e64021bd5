package auth

import (
	"paddock/internal/jute"
	"paddock/internal/zk"
)

// quadraticMax is the length of a list up to which comparing every two entries is the quickest.
const quadraticMax = 16

// withoutDuplicates keeps the first of equal entries. A list without any comes back as it is.
//
// ZooKeeper compatibility: Java compares an entry with those kept before it, permissions first, then scheme, then
// id, and stops with an exception (a marshalling error) when what it compares of the later entry is null.
func withoutDuplicates(acl []zk.ACL) ([]zk.ACL, zk.Code) {
	var seen *seenEntries
	if len(acl) > quadraticMax {
		seen = &seenEntries{map[zk.Perms]bool{}, map[seenScheme]bool{}, map[seenID]bool{}}
	}
	out, same := acl[:0:0], true
	for i := range acl {
		kept := out
		if same {
			kept = acl[:i]
		}
		var duplicate bool
		code := zk.OK
		if seen != nil {
			duplicate, code = seen.add(&acl[i])
		} else {
			duplicate, code = among(kept, &acl[i])
		}
		switch {
		case code != zk.OK:
			return nil, code
		case duplicate && same:
			out, same = append(make([]zk.ACL, 0, len(acl)), kept...), false
		case !duplicate && !same:
			out = append(out, acl[i])
		}
	}
	if same {
		return acl, zk.OK
	}
	return out, zk.OK
}

// among compares an entry with each of those kept.
func among(kept []zk.ACL, e *zk.ACL) (duplicate bool, code zk.Code) {
	for i := range kept {
		k := &kept[i]
		switch {
		case k.Perms != e.Perms:
		case jute.IsNull(e.ID.Scheme):
			return false, zk.MarshallingError
		case k.ID.Scheme != e.ID.Scheme || jute.IsNull(k.ID.Scheme):
		case jute.IsNull(e.ID.ID):
			return false, zk.MarshallingError
		case k.ID.ID == e.ID.ID && !jute.IsNull(k.ID.ID):
			return true, zk.OK
		}
	}
	return false, zk.OK
}

// seenEntries answers as among does, for long lists.
type seenEntries struct {
	perms   map[zk.Perms]bool
	schemes map[seenScheme]bool
	ids     map[seenID]bool
}

type seenScheme struct {
	perms  zk.Perms
	scheme string
}

type seenID struct {
	seenScheme
	id string
}

// add notes an entry unless it is a duplicate of one noted before.
func (s *seenEntries) add(e *zk.ACL) (duplicate bool, code zk.Code) {
	if jute.IsNull(e.ID.Scheme) {
		if s.perms[e.Perms] {
			return false, zk.MarshallingError
		}
		s.perms[e.Perms] = true
		return false, zk.OK
	}
	scheme := seenScheme{e.Perms, e.ID.Scheme}
	id := seenID{scheme, e.ID.ID}
	switch {
	case jute.IsNull(e.ID.ID):
		if s.schemes[scheme] {
			return false, zk.MarshallingError
		}
	case s.ids[id]:
		return true, zk.OK
	default:
		s.ids[id] = true
	}
	s.perms[e.Perms], s.schemes[scheme] = true, true
	return false, zk.OK
}
