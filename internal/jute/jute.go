package jute

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// ErrMalformed is wrapped by every error of a reading Coder: the input ended early, or a length in it
// is negative (other than -1) or larger than what is left.
var ErrMalformed = errors.New("malformed record")

// Coder is one pass over a record, in either direction. The zero value is a writer with no buffer.
// After the first error every further call is a no-op, so a record is checked once, at its end.
type Coder struct {
	buf     []byte
	off     int // reading: offset of the next byte
	reading bool
	err     error
}

// Reader returns a Coder that decodes b. It keeps b, and what it decodes aliases it.
func Reader(b []byte) *Coder { return &Coder{buf: b, reading: true} }

// Writer returns a Coder that appends to b, which may be nil.
func Writer(b []byte) *Coder { return &Coder{buf: b} }

// Reset makes c a reader of b, so that a loop over records needs one Coder only.
func (c *Coder) Reset(b []byte) { *c = Coder{buf: b, reading: true} }

// Reading tells the direction; records whose shape depends on it (optional tails) ask.
func (c *Coder) Reading() bool { return c.reading }

// Err is the first error met; nil as long as all went well. Writers never fail.
func (c *Coder) Err() error { return c.err }

// Left is the number of bytes not yet read.
func (c *Coder) Left() int { return len(c.buf) - c.off }

// Offset is the number of bytes read so far.
func (c *Coder) Offset() int { return c.off }

// Bytes is what has been written, appended to the buffer the Coder was made with.
func (c *Coder) Bytes() []byte { return c.buf }

// Fail marks the input as malformed for a reason that only the record knows.
func (c *Coder) Fail(reason string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s at offset %d", ErrMalformed, reason, c.off)
	}
}

// take returns the next n bytes of the input, or nil after a failure.
func (c *Coder) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n > len(c.buf)-c.off {
		c.Fail("input ends")
		return nil
	}
	b := c.buf[c.off : c.off+n : c.off+n]
	c.off += n
	return b
}

// Byte codes one byte.
func (c *Coder) Byte(v *byte) {
	if !c.reading {
		c.buf = append(c.buf, *v)
		return
	}
	if b := c.take(1); b != nil {
		*v = b[0]
	}
}

// Bool codes one byte: written as 0 or 1, any non-zero byte reads as true.
func (c *Coder) Bool(v *bool) {
	if !c.reading {
		var b byte
		if *v {
			b = 1
		}
		c.buf = append(c.buf, b)
		return
	}
	if b := c.take(1); b != nil {
		*v = b[0] != 0
	}
}

// Int32 codes four bytes, two's complement.
func (c *Coder) Int32(v *int32) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(*v))
		return
	}
	if b := c.take(4); b != nil {
		*v = int32(binary.BigEndian.Uint32(b))
	}
}

// Int64 codes eight bytes, two's complement.
func (c *Coder) Int64(v *int64) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(*v))
		return
	}
	if b := c.take(8); b != nil {
		*v = int64(binary.BigEndian.Uint64(b))
	}
}

// length reads a length prefix: n >= 0, or -1 for null. ok is false after a failure.
func (c *Coder) length() (n int, ok bool) {
	var v int32
	c.Int32(&v)
	if c.err != nil {
		return 0, false
	}
	return int(v), true
}

// Buffer codes a byte slice; nil is null, which differs from empty.
func (c *Coder) Buffer(v *[]byte) {
	if !c.reading {
		if *v == nil {
			c.buf = append(c.buf, 0xff, 0xff, 0xff, 0xff)
			return
		}
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(len(*v)))
		c.buf = append(c.buf, *v...)
		return
	}
	n, ok := c.length()
	switch {
	case !ok:
	case n == -1:
		*v = nil
	case n < -1:
		c.Fail("negative length")
	default:
		*v = c.take(n)
	}
}

// nullMark is what a null string points at; see IsNull.
var nullMark byte

// Null is the string that is written as null and that a null reads as. It equals "".
func Null() string { return unsafe.String(&nullMark, 0) }

// IsNull tells a string that was null on the wire from an empty one. The difference is kept in the
// string's (never followed) pointer, so it survives assignment, but no operation on the string.
func IsNull(s string) bool { return len(s) == 0 && unsafe.StringData(s) == &nullMark }

// String codes a UTF-8 string. Bytes are kept as received, valid or not.
func (c *Coder) String(v *string) {
	if !c.reading {
		if IsNull(*v) {
			c.buf = append(c.buf, 0xff, 0xff, 0xff, 0xff)
			return
		}
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(len(*v)))
		c.buf = append(c.buf, *v...)
		return
	}
	n, ok := c.length()
	switch {
	case !ok:
	case n == -1:
		*v = Null()
	case n < -1:
		c.Fail("negative length")
	case n == 0:
		*v = ""
	default:
		if b := c.take(n); b != nil {
			*v = unsafe.String(&b[0], n)
		}
	}
}

// Vector codes a list of records, each of which takes at least minBytes (1 or more) on the wire. nil is
// null. A negative count other than -1 reads as empty, as in ZooKeeper; a count that the bytes left
// cannot hold fails before anything is allocated.
func Vector[T any](c *Coder, v *[]T, minBytes int, one func(*Coder, *T)) {
	if !c.reading {
		if *v == nil {
			c.buf = append(c.buf, 0xff, 0xff, 0xff, 0xff)
			return
		}
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(len(*v)))
		for i := range *v {
			one(c, &(*v)[i])
		}
		return
	}
	n, ok := c.length()
	switch {
	case !ok:
		return
	case n == -1:
		*v = nil
		return
	case n < 0:
		n = 0
	case n > c.Left()/minBytes:
		c.Fail("vector longer than the input")
		return
	}
	list := make([]T, n)
	for i := range list {
		if one(c, &list[i]); c.err != nil {
			return
		}
	}
	*v = list
}

// Strings codes a vector of strings.
func (c *Coder) Strings(v *[]string) {
	Vector(c, v, 4, (*Coder).String)
}

// Skip moves past s if it is what comes next, and tells whether it did. It only makes sense when reading.
func (c *Coder) Skip(s string) bool {
	if c.err != nil || len(s) > c.Left() || string(c.buf[c.off:c.off+len(s)]) != s {
		return false
	}
	c.off += len(s)
	return true
}

// Nested codes a buffer whose content is itself a record, without a copy. Bytes of it that f leaves unread
// are skipped; a null or short buffer fails as any input that ends early does.
func (c *Coder) Nested(f func(*Coder)) {
	if !c.reading {
		start := len(c.buf)
		c.buf = append(c.buf, 0, 0, 0, 0)
		f(c)
		binary.BigEndian.PutUint32(c.buf[start:], uint32(len(c.buf)-start-4))
		return
	}
	n, ok := c.length()
	if !ok {
		return
	}
	b := c.take(max(n, 0))
	if c.err != nil {
		return
	}
	inner := Reader(b)
	if f(inner); inner.err != nil {
		c.err = inner.err
	}
}
