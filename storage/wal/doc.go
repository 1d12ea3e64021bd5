// Package wal reads and writes ZooKeeper's transaction log files, log.<first zxid in hex>, bit for bit but for the link in
// the header, which ZooKeeper does not look at.
//
// Called by server/driver (one log syncer goroutine owns a [Writer]), by storage/datadir ([Recover], [Truncate],
// [Purge]), by the command line ([Reader]) and by the sync of a learner ([Find], [OpenRange]). Records are opaque bytes to
// this package, except that the zxid stands at offset 12 of each.
//
// A Writer belongs to one goroutine; only [Writer.Prepare] and [Writer.KeepPrepared] may run beside it, on one other. A
// Reader belongs to one goroutine.
//
// What it guarantees:
//
//   - When Sync returns nil, every record written before it survives a crash, file name included.
//   - After any failed write or sync the Writer is useless: every later call returns the first error. It never retries.
//   - Reading stops with a [CorruptionError] at anything that a crash cannot have left: a wrong checksum, a hole in the
//     zxids, a missing file. What a crash can leave, an unfinished end, ends the log and is told as a [Torn].
//   - A [Range] gives each record of a stretch, in order, or an error: never a record with a gap before it.
//   - Memory is bounded by the largest record of a file, never by a length a damaged file claims.
//
// What it does not do: decode transactions, decide when to roll, lock the directory.
//
// Format: docs/format/txn-log.md; the layout is drawn in format.go.
package wal
