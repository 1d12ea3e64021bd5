package zk

import "paddock/internal/jute"

// Perms is a set of permissions. ZooKeeper stores whatever bits a client sends.
type Perms int32

// The permissions.
const (
	PermRead   Perms = 1
	PermWrite  Perms = 2
	PermCreate Perms = 4
	PermDelete Perms = 8
	PermAdmin  Perms = 16
	PermAll    Perms = 31
)

// String is ZooKeeper's short form, such as cdrwa.
func (p Perms) String() string {
	var b []byte
	for _, f := range [...]struct {
		bit Perms
		c   byte
	}{{PermCreate, 'c'}, {PermDelete, 'd'}, {PermRead, 'r'}, {PermWrite, 'w'}, {PermAdmin, 'a'}} {
		if p&f.bit != 0 {
			b = append(b, f.c)
		}
	}
	return string(b)
}

// ID is an identity, or whom an access list entry is for. Null strings are kept (see jute.IsNull).
type ID struct {
	Scheme string
	ID     string
}

// Jute codes the two strings.
func (i *ID) Jute(c *jute.Coder) {
	c.String(&i.Scheme)
	c.String(&i.ID)
}

// ACL is one entry of an access list.
type ACL struct {
	Perms Perms
	ID    ID
}

// Jute codes an int and an ID.
func (a *ACL) Jute(c *jute.Coder) {
	c.Int32((*int32)(&a.Perms))
	a.ID.Jute(c)
}

// aclBytesMin is the size of an entry whose strings are empty.
const aclBytesMin = 12

// AnyoneID is world:anyone.
var AnyoneID = ID{Scheme: "world", ID: "anyone"}

// OpenACL is the list that lets anyone do anything; ReadOnlyACL lets anyone read. Neither may be modified.
var (
	OpenACL     = []ACL{{Perms: PermAll, ID: AnyoneID}}
	ReadOnlyACL = []ACL{{Perms: PermRead, ID: AnyoneID}}
)

// IsOpen tells whether the list is exactly OpenACL.
func IsOpen(acl []ACL) bool { return len(acl) == 1 && acl[0] == OpenACL[0] }

// openBytes is OpenACL as nearly every client sends it.
const openBytes = "\x00\x00\x00\x01\x00\x00\x00\x1f\x00\x00\x00\x05world\x00\x00\x00\x06anyone"

// CodeACL codes an access list; nil is null. The list every client uses reads as OpenACL itself.
func CodeACL(c *jute.Coder, list *[]ACL) {
	if c.Reading() && c.Skip(openBytes) {
		*list = OpenACL
		return
	}
	jute.Vector(c, list, aclBytesMin, func(c *jute.Coder, a *ACL) { a.Jute(c) })
}
