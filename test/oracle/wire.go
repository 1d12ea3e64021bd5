//go:build interop

package oracle

import (
	"encoding/binary"
	"errors"
)

// errShort says that a record ran off the end of its frame, or carried an impossible length.
var errShort = errors.New("record runs past the end of the frame")

// nullString stands for a null string in arguments of the encoder.
// It holds bytes that no test path uses, so it cannot be meant otherwise.
const nullString = "\x00null\x00"

// encoder appends jute primitives: big-endian integers, length-prefixed strings and buffers, counted vectors.
type encoder struct{ b []byte }

func (e *encoder) i8(v byte) *encoder { e.b = append(e.b, v); return e }
func (e *encoder) i32(v int32) *encoder {
	e.b = binary.BigEndian.AppendUint32(e.b, uint32(v))
	return e
}
func (e *encoder) i64(v int64) *encoder {
	e.b = binary.BigEndian.AppendUint64(e.b, uint64(v))
	return e
}

// flag writes a boolean.
func (e *encoder) flag(v bool) *encoder {
	if v {
		return e.i8(1)
	}
	return e.i8(0)
}

// str writes a string; nullString is written as length -1.
func (e *encoder) str(s string) *encoder {
	if s == nullString {
		return e.i32(-1)
	}
	e.i32(int32(len(s)))
	e.b = append(e.b, s...)
	return e
}

// buf writes a buffer; nil is written as length -1.
func (e *encoder) buf(p []byte) *encoder {
	if p == nil {
		return e.i32(-1)
	}
	e.i32(int32(len(p)))
	e.b = append(e.b, p...)
	return e
}

// strs writes a vector of strings; nil is written as count -1.
func (e *encoder) strs(list []string) *encoder {
	if list == nil {
		return e.i32(-1)
	}
	e.i32(int32(len(list)))
	for _, s := range list {
		e.str(s)
	}
	return e
}

// aclEntry is one entry of an access control list as it travels.
type aclEntry struct {
	perms      int32
	scheme, id string
}

// acls writes a vector of ACL entries; nil is written as count -1.
func (e *encoder) acls(list []aclEntry) *encoder {
	if list == nil {
		return e.i32(-1)
	}
	e.i32(int32(len(list)))
	for _, a := range list {
		e.i32(a.perms).str(a.scheme).str(a.id)
	}
	return e
}

// frame returns payload with its length in front.
func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// decoder reads jute primitives from one frame. The first failure sticks; later reads return zero values.
type decoder struct {
	b   []byte
	err error
}

// take returns the next n bytes, or nil after the end.
func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.err = errShort
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) i8() byte {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) i32() int32 {
	if p := d.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (d *decoder) i64() int64 {
	if p := d.take(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

// buf returns a buffer or a string's bytes; null is nil, empty is not.
func (d *decoder) buf() []byte {
	n := d.i32()
	if n == -1 || d.err != nil {
		return nil
	}
	p := d.take(int(n))
	if p == nil && d.err == nil {
		return []byte{}
	}
	return p
}

// str returns a string, nullString for null.
func (d *decoder) str() string {
	p := d.buf()
	if p == nil {
		return nullString
	}
	return string(p)
}

// count returns the length of a vector whose elements take at least size bytes each; -1 is null.
func (d *decoder) count(size int) int {
	n := int(d.i32())
	if n < -1 || n > len(d.b)/size {
		d.err = errShort
		return 0
	}
	return n
}

// strs returns a vector of strings; null is nil.
func (d *decoder) strs() []string {
	n := d.count(4)
	if n < 0 || d.err != nil {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.str()
	}
	return list
}

// password computes the 16 bytes that ZooKeeper hands out with a session id: java.util.Random seeded from the id.
func password(session int64) []byte {
	const mask = 1<<48 - 1
	seed := (uint64(session) ^ 0xB3415C00 ^ 0x5DEECE66D) & mask
	out := make([]byte, 0, 16)
	for range 4 {
		seed = (seed*0x5DEECE66D + 0xB) & mask
		out = binary.LittleEndian.AppendUint32(out, uint32(seed>>16))
	}
	return out
}
