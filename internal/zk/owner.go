package zk

import "paddock/internal/jute"

// Owner is the stored ephemeralOwner of a znode, which also tells containers and TTL nodes:
//
//	0                       persistent
//	0x8000000000000000      container
//	0xff00 | ttl (40 bits)  persistent with a time to live, in milliseconds
//	anything else           ephemeral; the id of the session that owns it
type Owner uint64

const (
	// ContainerOwner marks a container.
	ContainerOwner Owner = 0x8000000000000000
	ttlOwner       Owner = 0xff00000000000000
	// TTLMaxMS is the longest time to live a znode can have, in milliseconds.
	TTLMaxMS = 1<<40 - 1
)

// TTLOwner is the owner that stores a time to live of ms milliseconds, 1 to TTLMaxMS.
func TTLOwner(ms int64) Owner { return ttlOwner | Owner(ms) }

// TTL is the time to live in milliseconds, and whether the owner means one at all.
func (o Owner) TTL() (ms int64, ok bool) {
	if o&0xffffff0000000000 != ttlOwner {
		return 0, false
	}
	return int64(o & TTLMaxMS), true
}

// Session is the session that owns an ephemeral znode, and whether the owner means one.
func (o Owner) Session() (SessionID, bool) {
	if o == 0 || o == ContainerOwner {
		return 0, false
	}
	if _, ttl := o.TTL(); ttl {
		return 0, false
	}
	return SessionID(o), true
}

// Wire is the owner as clients see it: 0 unless the znode is ephemeral.
func (o Owner) Wire() int64 {
	s, _ := o.Session()
	return int64(s)
}

// Jute codes a long.
func (o *Owner) Jute(c *jute.Coder) {
	v := int64(*o)
	c.Int64(&v)
	*o = Owner(v)
}
