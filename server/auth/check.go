package auth

import (
	"strings"

	"paddock/internal/zk"
)

// Check tells whether somebody with these identities has any of the permissions in perm on what the list guards.
// A null or empty list lets everybody do everything.
func (a *Authority) Check(acl []zk.ACL, perm zk.Perms, ids []zk.ID) bool {
	if len(acl) == 0 || acl[0].Perms&perm != 0 && acl[0].ID == zk.AnyoneID || a.cfg.SkipACL {
		return true
	}
	for i := range ids {
		if ids[i].Scheme == SchemeSuper {
			return true
		}
	}
	for i := range acl {
		if acl[i].Perms&perm != 0 && a.matchesAny(&acl[i].ID, ids) {
			return true
		}
	}
	return false
}

// matchesAny tells whether an entry is for one of the identities.
func (a *Authority) matchesAny(entry *zk.ID, ids []zk.ID) bool {
	switch entry.Scheme {
	case SchemeWorld:
		return entry.ID == zk.AnyoneID.ID
	case SchemeDigest:
		if a.cfg.NoDigest {
			return false
		}
		for i := range ids {
			if ids[i].Scheme == SchemeDigest && ids[i].ID == entry.ID {
				return true
			}
		}
	case SchemeIP:
		network, ok := parseNetwork(entry.ID)
		if !ok {
			return false
		}
		for i := range ids {
			if ids[i].Scheme != SchemeIP {
				continue
			}
			if addr, ok := parseAddr(ids[i].ID); ok && network.Contains(addr) {
				return true
			}
		}
	}
	return false
}

// Redact hides the hashes of digest entries, as getACL does from those who may read but not administer: what
// follows the first colon becomes x. A list without any comes back as it is.
func Redact(acl []zk.ACL) []zk.ACL {
	out := acl
	for i := range acl {
		if acl[i].ID.Scheme != SchemeDigest {
			continue
		}
		user, _, found := strings.Cut(acl[i].ID.ID, ":")
		if !found {
			continue
		}
		if &out[0] == &acl[0] {
			out = append([]zk.ACL(nil), acl...)
		}
		out[i].ID.ID = user + ":x"
	}
	return out
}
