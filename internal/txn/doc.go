// Package txn is what a ZooKeeper server logs, proposes and applies: a header, a body, and the digest that
// the tree has afterwards.
//
// server/prep makes txns, consensus carries their encoded bytes, storage/wal stores those bytes, and
// storage/tree applies the decoded form. The bytes are made once, by the server that decided, and copied
// from then on.
//
// Decoding aliases its input (see package jute). The package decides nothing: a txn that decodes may still
// not apply.
//
// Source: the transaction log format of ZooKeeper 3.4 to 3.10, version 2.
package txn
