// Package jute reads and writes the primitives of ZooKeeper's wire and disk format.
//
// Every record in the program has one method, Jute(*Coder), that names its fields once, in order; the
// Coder decides whether a field is read or written. The doors, the transaction log, snapshots and the
// peer protocol all use it.
//
// A Coder belongs to the goroutine that made it. When it reads, strings and buffers alias the input:
// the input must stay unmodified for as long as anything decoded from it lives. Reading never panics
// and never allocates more than a small multiple of the bytes that are left in the input.
//
// The package does not know records, frames or limits on their size; those belong to its callers.
//
// Format: ZooKeeper's jute binary archive. Big-endian, no tags, no padding; a buffer, string or vector
// is preceded by a 4-byte length, of which -1 means null.
package jute
