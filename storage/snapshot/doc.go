// Package snapshot writes and reads ZooKeeper's snapshot files.
//
// storage/datadir reads them when a server starts and removes old ones; the driver's snapshot goroutine writes them
// from a frozen view of the tree; consensus/transport sends and takes the same content as a stream. Nothing here has
// state: each call opens, works and closes, in the caller's goroutine and, for reading a file, one more that runs ahead.
//
// It guarantees that a file under its final name is whole and durable: it is written under another name, fsynced,
// renamed, and the directory is fsynced. A file is only accepted if every seal in it is right.
//
// It does not choose among snapshots and does not replay the log; that is storage/datadir.
//
// Format: see format.go and docs/format/snapshot.md. Source: ZooKeeper 3.4 to 3.10.
package snapshot
