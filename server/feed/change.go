package feed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// ErrHistoryGone tells that what is known does not go back to the zxid that was asked for. Errors that are it are GoneErrors where it
// is known since when there is a history.
var ErrHistoryGone = errors.New("the history does not go back that far; read what there is now, and go on from its zxid")

// GoneError is ErrHistoryGone with the oldest zxid that one can go on from.
type GoneError struct {
	Oldest zk.Zxid // everything after it is known
}

// Error implements error.
func (e *GoneError) Error() string {
	return fmt.Sprintf("%v; it begins after %v", ErrHistoryGone, e.Oldest)
}

// Is tells that it is ErrHistoryGone.
func (e *GoneError) Is(target error) bool { return target == ErrHistoryGone }

// Change is one change of one znode. Strings, data and lists are shared: they never change and may be kept, but not modified.
type Change struct {
	Kind     tree.ChangeKind
	Zxid     zk.Zxid
	TimeMS   int64        // of the leader's clock, milliseconds since 1970
	Session  zk.SessionID // that asked for it; 0 for the server itself
	Path     string
	Data     []byte // what it holds now; nil for null and for a deleted znode
	Previous []byte // what it held before; nil for null and for a created znode
	Stat     zk.Stat
	// ACL is of the znode, ParentACL of its parent, as they were when it happened; of a deleted znode as they were before.
	ACL, ParentACL []zk.ACL
	// Logged tells of a change that comes from a log, where Previous, Stat, ACL and ParentACL are not known.
	Logged bool
}

// Layout of a record, little-endian:
//
//	  0  uint32  length of the record
//	  4  uint8   kind
//	  5  uint8   flags: 1 data is null, 2 previous is null
//	  8  zxid, time, session: int64 each
//	 32  stat: czxid, mzxid, ctime, mtime, pzxid, owner: int64; version, cversion, aversion, length, children: int32
//	100  uint32  access list and the parent's: places in the block's table
//	108  uint32  lengths of path, data and previous
//	120  path, data, previous
const recordBytes = 120

const (
	flagNullData uint8 = 1 << iota
	flagNullPrevious
)

// size is the length of the record of a change.
func size(c *tree.Change) int { return recordBytes + len(c.Path) + len(c.Data) + len(c.Previous) }

// encode writes a record into b, which has its size.
func encode(b []byte, h *txn.Header, c *tree.Change, acl, parentACL uint32) {
	le := binary.LittleEndian
	le.PutUint32(b, uint32(len(b)))
	b[4], b[5] = uint8(c.Kind), 0
	if c.Data == nil {
		b[5] |= flagNullData
	}
	if c.Previous == nil {
		b[5] |= flagNullPrevious
	}
	s := &c.Stat
	for i, v := range [...]int64{int64(c.Zxid), h.TimeMS, int64(h.Session), int64(s.Czxid), int64(s.Mzxid), s.CtimeMS, s.MtimeMS, int64(s.Pzxid), s.EphemeralOwner} {
		le.PutUint64(b[8+8*i:], uint64(v))
	}
	for i, v := range [...]uint32{uint32(s.Version), uint32(s.Cversion), uint32(s.Aversion), uint32(s.DataLength), uint32(s.NumChildren),
		acl, parentACL, uint32(len(c.Path)), uint32(len(c.Data)), uint32(len(c.Previous))} {
		le.PutUint32(b[80+4*i:], v)
	}
	n := recordBytes
	n += copy(b[n:], c.Path)
	n += copy(b[n:], c.Data)
	copy(b[n:], c.Previous)
}

// decode reads the record at the beginning of b and returns what follows. The change aliases b.
func decode(b []byte, acls [][]zk.ACL) (c Change, rest []byte) {
	le := binary.LittleEndian
	long := func(i int) int64 { return int64(le.Uint64(b[8+8*i:])) }
	word := func(i int) uint32 { return le.Uint32(b[80+4*i:]) }
	c = Change{
		Kind: tree.ChangeKind(b[4]), Zxid: zk.Zxid(long(0)), TimeMS: long(1), Session: zk.SessionID(long(2)), ACL: acls[word(5)], ParentACL: acls[word(6)],
		Stat: zk.Stat{
			Czxid: zk.Zxid(long(3)), Mzxid: zk.Zxid(long(4)), CtimeMS: long(5), MtimeMS: long(6), Pzxid: zk.Zxid(long(7)), EphemeralOwner: long(8),
			Version: int32(word(0)), Cversion: int32(word(1)), Aversion: int32(word(2)), DataLength: int32(word(3)), NumChildren: int32(word(4)),
		},
	}
	at := recordBytes
	cut := func(n uint32) []byte {
		part := b[at : at+int(n) : at+int(n)]
		at += int(n)
		return part
	}
	path := cut(word(7))
	c.Path = unsafe.String(unsafe.SliceData(path), len(path))
	if data := cut(word(8)); b[5]&flagNullData == 0 {
		c.Data = data
	}
	if previous := cut(word(9)); b[5]&flagNullPrevious == 0 {
		c.Previous = previous
	}
	return c, b[at:]
}

// FromLog is a change as a log tells it. ok is false for one that stands for deletions which the log leaves to the tree: nobody can tell them.
func FromLog(l *txn.Change) (c Change, ok bool) {
	c = Change{Zxid: l.Zxid, TimeMS: l.TimeMS, Session: l.Session, Path: l.Path, Data: l.Data, Logged: true}
	switch l.Event {
	case zk.NodeCreated:
		c.Kind = tree.Created
	case zk.NodeDeleted:
		c.Kind = tree.Deleted
	default:
		c.Kind = tree.DataChanged
	}
	return c, !l.Inferred
}
