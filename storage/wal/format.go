package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

// A log file, all integers big-endian:
//
//	 0  "ZKLG"                magic
//	 4  int32  2              version
//	 8  int64  link           0, or 1<<63 | the zxid before the first record; ZooKeeper writes 0 and does not look
//	16  record, record, …
//	    zeros                 any number: space prepared for records to come
//
// A record:
//
//	 0  int64  Adler-32 of the payload
//	 8  int32  n > 0
//	12  payload               n bytes; header, body, digest (package txn); the zxid is at payload offset 12
//	12+n  'B'                 end mark
//
// Worked example, the first record that ZooKeeper 3.8 wrote into a log.1 (createSession, 48 bytes of payload):
//
//	10  00000000ec2e0d0b 00000030
//	1c  0100001fa7040000 00000000 0000000000000001 000001a1fbdffbf0 fffffff6 0001d4c0 00000002 0000000051c6d660
//	4c  42

// HeaderBytes is the size of a file's header.
const HeaderBytes = 16

const (
	frameBytes       = 12 // checksum and length
	markBytes        = 1
	mark             = 'B'
	payloadBytesMin  = 32 // a transaction header
	payloadZxid      = 12 // offset of the zxid in a payload
	filePrefix       = "log."
	spareName        = "paddock.spare" // a file prepared for the next roll; no name ZooKeeper looks at
	recordBytesMax   = 1 << 30         // payload bytes a reader believes; the file's own size bounds what is read
	unsyncedBytesMax = 4 << 20         // bytes a Writer leaves un-synced at most, so what a crash can damage
)

var fileHeader = [HeaderBytes]byte{'Z', 'K', 'L', 'G', 0, 0, 0, 2}

const (
	linkOffset = 8
	linkFlag   = 1 << 63
)

// unlinked is the predecessor of a record of which the log does not tell.
const unlinked zk.Zxid = -1

// linked returns the header of a file whose first record, first, follows the state at last. A negative last is not told,
// and nothing is in epoch 0, a standalone server's: its files are ZooKeeper's to the byte.
//
// Zxids show a gap within an epoch, and none between epochs: 0x300000001 may follow any record of epochs 1 and 2. A member
// whose state was replaced by a leader's snapshot goes on behind it, and its log must not pass for one without a gap.
func linked(last, first zk.Zxid) [HeaderBytes]byte {
	head := fileHeader
	if last >= 0 && first.Epoch() > 0 {
		binary.BigEndian.PutUint64(head[linkOffset:], uint64(last)|linkFlag)
	}
	return head
}

// link is what a header of at least HeaderBytes tells of the zxid before the first record, or unlinked.
func link(head []byte) zk.Zxid {
	v := binary.BigEndian.Uint64(head[linkOffset:])
	if v&linkFlag == 0 {
		return unlinked
	}
	return zk.Zxid(v &^ linkFlag)
}

// AppendRecord appends payload, framed as a record, to dst and returns it. A payload is an encoded transaction, so at
// least 32 bytes.
func AppendRecord(dst, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(adler32.Checksum(payload)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, payload...)
	return append(dst, mark)
}

// BeginRecord appends room for a record's frame to dst. The caller appends the payload behind it and calls EndRecord,
// and so encodes into the log buffer without a copy:
//
//	start := len(buf)
//	buf = rec.Append(wal.BeginRecord(buf))
//	buf = wal.EndRecord(buf, start)
func BeginRecord(dst []byte) []byte {
	return append(dst, make([]byte, frameBytes)...)
}

// EndRecord fills in the frame of the record that BeginRecord began when len(buf) was start.
func EndRecord(buf []byte, start int) []byte {
	payload := buf[start+frameBytes:]
	binary.BigEndian.PutUint64(buf[start:], uint64(adler32.Checksum(payload)))
	binary.BigEndian.PutUint32(buf[start+8:], uint32(len(payload)))
	return append(buf, mark)
}

// RecordBytes is the size in a file of a record with a payload of n bytes.
func RecordBytes(n int) int64 { return int64(frameBytes + n + markBytes) }

// FileName is the name of the log file whose first record has the given zxid.
func FileName(first zk.Zxid) string { return filePrefix + strconv.FormatUint(uint64(first), 16) }

// ParseName returns the zxid in a log file's name. As in ZooKeeper the second part between dots counts.
func ParseName(name string) (zk.Zxid, bool) {
	rest, ok := strings.CutPrefix(name, filePrefix)
	if !ok {
		return 0, false
	}
	hex, _, _ := strings.Cut(rest, ".")
	z, err := strconv.ParseInt(hex, 16, 64)
	if err != nil || z < 0 {
		return 0, false
	}
	return zk.Zxid(z), true
}

// File is a log file in a directory.
type File struct {
	Name string  // without the directory
	Zxid zk.Zxid // from the name; records tell more exactly
}

// List returns the log files of a directory, lowest zxid first. A directory that does not exist has none.
func List(fsys vfs.FS, dir string) ([]File, error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list log files: %w", err)
	}
	var files []File
	for _, name := range names {
		if z, ok := ParseName(name); ok {
			files = append(files, File{Name: name, Zxid: z})
		}
	}
	slices.SortStableFunc(files, func(a, b File) int { return int(min(max(a.Zxid-b.Zxid, -1), 1)) })
	return files, nil
}

// startAt drops the files that hold nothing from zxid on: those before the last one named below it.
func startAt(files []File, from zk.Zxid) []File {
	for len(files) > 1 && files[1].Zxid < from {
		files = files[1:]
	}
	return files
}

// contiguous tells whether z can follow last: the next number, or the first of a later epoch.
func contiguous(last, z zk.Zxid) bool {
	return z == last+1 || z.Epoch() > last.Epoch() && z.Counter() == 1
}

func join(dir, name string) string { return filepath.Join(dir, name) }
