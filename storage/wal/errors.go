package wal

import (
	"errors"
	"fmt"

	"paddock/internal/zk"
)

// CorruptionError says that a log holds something no crash can have left. A server must not start over it.
type CorruptionError struct {
	File   string // path
	Offset int64  // of the record, in bytes
	Reason string // what is wrong
	Remedy string // what an operator can do
}

// Error is one line: where, what, and what to do.
func (e *CorruptionError) Error() string {
	return fmt.Sprintf("%s: offset %d: %s; %s", e.File, e.Offset, e.Reason, e.Remedy)
}

// Torn tells of an unfinished end of a file, as a crash during an append leaves it.
type Torn struct {
	File   string // path
	Offset int64  // end of the last whole record
	Bytes  int64  // length of the unfinished part, up to its last byte that is not zero
	Reason string
	// Followed tells that a later file goes on with the very zxid that is unfinished here, so that nothing is missing.
	Followed bool
}

// String is one line for a log message.
func (t Torn) String() string {
	return fmt.Sprintf("%s: offset %d: %d bytes of an unfinished record: %s", t.File, t.Offset, t.Bytes, t.Reason)
}

// BeyondError says that a log holds records above ReadOptions.Max.
type BeyondError struct {
	First  zk.Zxid // the first of them
	Max    zk.Zxid
	File   string // path
	Offset int64  // in bytes
}

// Error names the record and its place.
func (e *BeyondError) Error() string {
	return fmt.Sprintf("%s: offset %d: zxid %v is beyond %v", e.File, e.Offset, e.First, e.Max)
}

// ErrGap is wrapped by Range when records are missing, or when nothing shows that none is.
var ErrGap = errors.New("gap in the log")

// ErrNotInLog is wrapped by Truncate when the log has no record with the wanted zxid.
var ErrNotInLog = errors.New("zxid is not in the log")

const (
	remedyDamaged = "restore the directory from a backup, or, in an ensemble, move version-2 away and let the server sync from the others"
	remedyMissing = "put the missing file back, or restore the directory from a backup, or, in an ensemble, move version-2 away and let the server sync from the others"
	remedyLegacy  = "it looks like data from before ZooKeeper 3.0: start it once with ZooKeeper 3.4 to convert it"
)

func holeReason(last, z zk.Zxid) string {
	return fmt.Sprintf("zxid %v follows %v: %s", z, last, missing(last, z))
}

func missing(last, z zk.Zxid) string {
	if z.Epoch() == last.Epoch() {
		return fmt.Sprintf("%d records are missing", int64(z-last-1))
	}
	return fmt.Sprintf("the records of epoch %d before it are missing", z.Epoch())
}
