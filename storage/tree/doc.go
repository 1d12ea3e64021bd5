// Package tree is the state of one replica: the znodes, their access lists, the sessions and the quotas.
//
// server/replica owns a Tree and applies txns to it; server/prep judges requests by it; storage/snapshot
// writes a View of it and fills a Loader; storage/datadir replays logs into it.
//
// A Tree belongs to one goroutine. Freeze gives a View of one moment, which one other goroutine may read
// while the owner goes on; Release, called by the owner once that goroutine is done, ends it.
//
// Guarantees: Apply is a pure function of the tree and the txn, never panics on a txn that decodes, and may
// be repeated over a state that already contains later effects (fuzzy snapshots). The digest is that of
// ZooKeeper at every zxid. Nothing here holds a pointer per znode, so the garbage collector does not see
// them: nodes live in chunks, names and data in slabs, the index in flat tables, all free of pointers.
//
// It does not check permissions, versions or paths: a txn has been decided. It fires no watches: Apply
// reports changes in the order in which watches must see them.
//
// Source: the apply rules, the digest (version 2) and the quota rules of ZooKeeper 3.8 to 3.10.
package tree
