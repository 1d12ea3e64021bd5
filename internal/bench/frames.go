package bench

import (
	"encoding/binary"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

// Frames are made once per connection and operation; sending one copies it and patches the xid and the digits of
// the path:
//
//	offset  0  length of what follows   4 bytes, big endian
//	        4  xid                      4 bytes, patched
//	        8  opcode                   4 bytes
//	       12  length of the path       4 bytes
//	       16  path                     ends with keyDigits decimal digits, patched
//	           the rest of the body
const (
	frameHeaderBytes = 4
	xidOffset        = 4
	pathOffset       = 16
	// keyDigits is how many digits number a znode.
	keyDigits = 8
)

// kind is what was asked, as far as the tally and the length of the reply go.
type kind uint8

const (
	kindCreate kind = iota
	kindDelete
	kindGet
	kindSet
	kindWatch // getData that leaves a watch, or addWatch
	kindsMax
)

// kindNames are the names in a Result.
var kindNames = [kindsMax]string{"create", "delete", "get", "set", "watch"}

// template is a frame to be patched.
type template struct {
	kind       kind
	frame      []byte
	digits     int // offset of the path's digits
	replyBytes int // length of a successful reply without its length field
}

// statBytes is the size of a Stat on the wire.
const statBytes = 68

// newTemplate makes the frame of a request whose path is prefix and keyDigits digits, or prefix alone for -1 digits.
func newTemplate(k kind, prefix string, data []byte, ephemeral bool) template {
	req := zk.Request{Path: prefix + "00000000", Data: data, Version: -1}
	t := template{kind: k, digits: pathOffset + len(prefix)}
	switch k {
	case kindCreate:
		req.Op, req.ACL = zk.OpCreate, zk.OpenACL
		if ephemeral {
			req.Mode = zk.Ephemeral
		}
		t.replyBytes = zk.ReplyHeaderBytes + 4 + len(req.Path)
	case kindDelete:
		req.Op, t.replyBytes = zk.OpDelete, zk.ReplyHeaderBytes
	case kindGet, kindWatch:
		req.Op, req.Watch = zk.OpGetData, k == kindWatch
		t.replyBytes = zk.ReplyHeaderBytes + 4 + len(data) + statBytes
	case kindSet:
		req.Op, t.replyBytes = zk.OpSetData, zk.ReplyHeaderBytes+statBytes
	}
	t.frame = appendFrame(nil, &req)
	return t
}

// append appends the frame with an xid and the number of a znode.
func (t *template) append(b []byte, xid int32, key int) []byte {
	n := len(b)
	b = append(b, t.frame...)
	binary.BigEndian.PutUint32(b[n+xidOffset:], uint32(xid))
	putDigits(b[n+t.digits:n+t.digits+keyDigits], uint32(key))
	return b
}

// putDigits writes v with len(b) digits.
func putDigits(b []byte, v uint32) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
}

// record is anything with a wire form.
type record interface{ Jute(*jute.Coder) }

// appendFrame appends the length and the bytes of a record.
func appendFrame(b []byte, r record) []byte {
	start := len(b)
	w := jute.Writer(append(b, 0, 0, 0, 0))
	r.Jute(w)
	b = w.Bytes()
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-frameHeaderBytes))
	return b
}
