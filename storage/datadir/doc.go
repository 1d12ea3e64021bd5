// Package datadir is the data directory of one server: dataDir and dataLogDir, as ZooKeeper lays them out.
//
// server opens a [Dir] when it starts, recovers the tree from it, and closes it last. server/driver writes its log with
// the writer that [Dir.Log] returns and its snapshots through [Dir.WriteSnapshot].
//
// A Dir is locked against other servers while it is open. Open, Recover, Truncate, Install and Close belong to the goroutine
// that owns the log writer, while no writer is open and nobody else uses the Dir; WriteSnapshot, Purge and Usage may run
// beside the log writer, one at a time, and so may the epochs be set. History may be read from any goroutine.
//
// What it guarantees:
//
//   - Recover returns the state after the last whole record of the log, or an error that names file, offset and remedy.
//     It never returns less than what was acknowledged: a damaged snapshot is passed over only if the log makes up for it.
//   - Epochs, once set, survive a crash, and never go back.
//   - A member of an ensemble comes back with all the history that it acknowledged and with none that it did not.
//   - Installing a leader's snapshot leads, over a crash at any point, to the state before or after; truncating to history that
//     ends at the target or somewhere behind it.
//   - Purge leaves every kept snapshot all the log that it needs.
//   - A directory that a Java server left opens here, and one that is closed here opens there.
//
// What it does not do: decide when to take a snapshot or to purge, read myid (server/config does).
//
// Source: ZooKeeper 3.4 to 3.10; docs/format/data-directory.md.
package datadir
