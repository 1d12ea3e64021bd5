package snapshot

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// Layout of a snapshot, before compression; all integers are big-endian:
//
//	"ZKSN" | int32 version 2 | int64 dbid -1
//	int32 sessions, each:      int64 id | int32 timeout in ms
//	int32 access lists, each:  int64 key | vector of ACL
//	znodes, parents first:     string path ("" for the root) | buffer data | int64 access list key | stored stat (60)
//	string "/"                 end of the znodes
//	seal
//	[int64 zxid | int32 2 | int64 digest | seal]    3.6 and later
//	[int64 last processed zxid | seal]              3.9 and later
//
// A seal is an int64, the Adler-32 of every byte of the file before it, and the string "/".

const (
	magic         = "ZKSN"
	version       = 2
	dbid          = -1
	digestVersion = 2
	openACLKey    = -1 // world:anyone may do anything; not in the table
	tail          = "\x00\x00\x00\x01/"
	plainBytesMin = 10
	filePrefix    = "snapshot."
	// tmpPrefix is of a file being written. ZooKeeper takes every name that starts with "snapshot." for a snapshot.
	tmpPrefix = "writing."
)

// Compression is how a snapshot file is packed; the file name's suffix tells.
type Compression string

// The compressions, named as in snapshot.compression.method.
const (
	Plain  Compression = ""
	Gzip   Compression = "gz"
	Snappy Compression = "snappy"
)

// snappyMagic opens a file of snappy-java's framing; the two versions follow.
const snappyMagic = "\x82SNAPPY\x00"

// ErrCorrupt is wrapped by every error about the content of a snapshot.
var ErrCorrupt = errors.New("corrupt snapshot")

// CorruptError tells where a snapshot is damaged.
type CorruptError struct {
	File   string
	Offset int64 // in the uncompressed content
	Reason string
	Cause  error // of the file system, if that is why the content cannot be read; else nil
}

// Error names file, offset and reason.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt snapshot %s: offset %d: %s", e.File, e.Offset, e.Reason)
}

// Unwrap makes errors.Is find ErrCorrupt, and the cause.
func (e *CorruptError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrCorrupt}
	}
	return []error{ErrCorrupt, e.Cause}
}

// Name is the file name of the snapshot of a tree at z.
func Name(z zk.Zxid, c Compression) string {
	name := filePrefix + strconv.FormatUint(uint64(z), 16)
	if c != Plain {
		name += "." + string(c)
	}
	return name
}

// ParseName tells the zxid and compression of a file name, and whether it is one of a snapshot. As in ZooKeeper the
// zxid is the second of the parts between dots, and an unknown suffix means plain.
func ParseName(name string) (z zk.Zxid, c Compression, ok bool) {
	rest, ok := strings.CutPrefix(name, filePrefix)
	if !ok {
		return 0, Plain, false
	}
	parts := strings.Split(rest, ".")
	v, err := strconv.ParseInt(parts[0], 16, 64)
	if err != nil || strings.HasPrefix(parts[0], "-") || strings.HasPrefix(parts[0], "+") {
		return 0, Plain, false
	}
	switch last := Compression(parts[len(parts)-1]); {
	case len(parts) > 1 && (last == Gzip || last == Snappy):
		c = last
	}
	return zk.Zxid(v), c, true
}

// IsUnfinished tells whether a name is of a file that a crash left half-written.
func IsUnfinished(name string) bool { return strings.HasPrefix(name, tmpPrefix) }

// Plausible is the cheap look that ZooKeeper takes before it tries a snapshot or counts it as one to keep: the end of
// a plain file, the beginning of a compressed one. It returns "" or what is wrong.
func Plausible(fsys vfs.FS, path string, c Compression) (problem string, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	want, off := tail, size-int64(len(tail))
	switch c {
	case Gzip:
		want, off = "\x1f\x8b", 0
	case Snappy:
		want, off = snappyMagic, 0
	}
	if size < int64(len(want)) || c == Plain && size < plainBytesMin {
		return fmt.Sprintf("only %d bytes long", size), nil
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, off); err != nil {
		return "", fmt.Errorf("read %s at %d: %w", path, off, err)
	}
	if string(got) != want {
		return fmt.Sprintf("bytes %x at offset %d instead of %x", got, off, want), nil
	}
	return "", nil
}
