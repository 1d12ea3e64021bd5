package auth

import (
	"strings"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// entriesMax bounds what the expansion of auth may grow a list to: more entries than any request can carry.
const entriesMax = 1 << 17

// FixACL turns the list of a create or setACL into the one to store: duplicates go, and each auth entry becomes
// one entry per identity of the asker that counts as authenticated. The list itself is never changed, and comes
// back as it is if there is nothing to do. Outcomes: OK, InvalidACL, and MarshallingError for a null id.
func (a *Authority) FixACL(acl []zk.ACL, ids []zk.ID) ([]zk.ACL, zk.Code) {
	if zk.IsOpen(acl) {
		return acl, zk.OK
	}
	acl, code := withoutDuplicates(acl)
	if code != zk.OK {
		return nil, code
	}
	if len(acl) == 0 {
		return nil, zk.InvalidACL
	}
	expanded := false
	var out []zk.ACL // what to store, once it differs from acl
	for i := range acl {
		entry := &acl[i]
		if entry.ID.Scheme == SchemeAuth {
			if !expanded {
				expanded, out = true, append(make([]zk.ACL, 0, len(acl)+len(ids)), acl[:i]...)
			}
			before := len(out)
			if out = a.expand(out, entry.Perms, ids); len(out) == before || len(out) > entriesMax {
				return nil, zk.InvalidACL
			}
			continue
		}
		if code := a.judge(&entry.ID); code != zk.OK {
			return nil, code
		}
		if expanded {
			out = append(out, *entry)
		}
	}
	if !expanded {
		out = acl
	}
	return out, zk.OK
}

// expand appends what an auth entry stands for.
func (a *Authority) expand(out []zk.ACL, perms zk.Perms, ids []zk.ID) []zk.ACL {
	for _, id := range ids {
		if a.authenticates(id.Scheme) {
			out = append(out, zk.ACL{Perms: perms, ID: id})
		}
	}
	return out
}

// judge tells whether an entry other than auth may be for this id.
//
// ZooKeeper compatibility: a null id stops Java's judgement with an exception where it is looked at, which the
// client sees as a marshalling error; a null scheme is only an invalid list.
func (a *Authority) judge(id *zk.ID) zk.Code {
	switch {
	case id.Scheme == SchemeWorld:
		if jute.IsNull(id.ID) {
			return zk.MarshallingError
		}
		if id.ID == zk.AnyoneID.ID {
			return zk.OK
		}
		return zk.InvalidACL
	case !a.provides(id.Scheme):
		return zk.InvalidACL
	case jute.IsNull(id.ID):
		return zk.MarshallingError
	case id.Scheme == SchemeDigest && validDigest(id.ID):
		return zk.OK
	case id.Scheme == SchemeIP:
		if _, ok := parseNetwork(id.ID); ok {
			return zk.OK
		}
	}
	return zk.InvalidACL
}

// validDigest tells whether an id has exactly two parts, as Java splits at colons: empty parts at the end do not count.
func validDigest(id string) bool { return strings.Count(strings.TrimRight(id, ":"), ":") == 1 }
