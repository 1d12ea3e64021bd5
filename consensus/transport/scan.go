package transport

import (
	"encoding/binary"
	"fmt"
	"io"

	"paddock/internal/jute"
)

// scanner finds where a message ends while its bytes arrive. Its zero value is at the start of a message.
type scanner struct {
	off    int  // everything before is known
	inAuth bool // data is behind; strings of authinfo follow
	left   int  // strings of authinfo still to come
}

// next looks at b, the bytes from the start of the message that are there so far. done: the message is b[:need].
// Otherwise at least need bytes are wanted, more than b has. max bounds a message.
func (s *scanner) next(b []byte, max int) (need int, done bool, err error) {
	const head = 12
	if s.off == 0 {
		s.off = head
	}
	if !s.inAuth {
		if len(b) < head+4 {
			return packetBytesMin, false, nil
		}
		n, err := lengthAt(b, head, max)
		if err != nil {
			return 0, false, err
		}
		after := head + 4 + n
		if len(b) < after+4 {
			return after + 4, false, nil
		}
		count, err := lengthAt(b, after, max)
		if err != nil {
			return 0, false, err
		}
		s.inAuth, s.off, s.left = true, after+4, 2*count
	}
	for ; s.left > 0; s.left-- {
		if least := s.off + 4*s.left; least > max {
			return 0, false, tooLong(least, max)
		}
		if len(b) < s.off+4 {
			return s.off + 4*s.left, false, nil
		}
		n, err := lengthAt(b, s.off, max)
		if err != nil {
			return 0, false, err
		}
		if len(b) < s.off+4+n {
			return s.off + 4*s.left + n, false, nil
		}
		s.off += 4 + n
	}
	return s.off, true, nil
}

// lengthAt reads a length or count: -1 is 0. off+4 bytes are there.
func lengthAt(b []byte, off, max int) (int, error) {
	n := int(int32(binary.BigEndian.Uint32(b[off:])))
	switch {
	case n == -1:
		return 0, nil
	case n < 0:
		return 0, fmt.Errorf("%w: length %d at offset %d", jute.ErrMalformed, n, off)
	case off+4+n > max:
		return 0, tooLong(off+4+n, max)
	}
	return n, nil
}

func tooLong(n, max int) error {
	return fmt.Errorf("%w: a message of %d bytes, more than %d", jute.ErrMalformed, n, max)
}

// Sizes of a reader's buffer.
const (
	readBytes     = 64 << 10  // as long as messages are small
	readBytesKept = 256 << 10 // a larger one goes once it is empty
)

// reader cuts a stream into messages. Its buffer is never more than twice what has arrived, and readBytes.
type reader struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is read and not used
	scan scanner
}

func newReader(src io.Reader) *reader { return &reader{src: src, buf: make([]byte, 4<<10)} }

// message returns the next message if it is in the buffer whole. It aliases the buffer until the next call of fill.
func (r *reader) message(max int) (b []byte, ok bool, err error) {
	if r.r == r.w {
		return nil, false, nil
	}
	need, done, err := r.scan.next(r.buf[r.r:r.w], max)
	if err != nil || !done {
		return nil, false, err
	}
	b = r.buf[r.r : r.r+need : r.r+need]
	r.r += need
	r.scan = scanner{}
	return b, true, nil
}

// fill reads once, at least a byte.
func (r *reader) fill() error {
	switch {
	case r.r == r.w:
		r.r, r.w = 0, 0
		if len(r.buf) > readBytesKept {
			r.buf = make([]byte, readBytes)
		}
	case r.r > 0:
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	if r.w == len(r.buf) {
		r.buf = append(r.buf, make([]byte, max(len(r.buf), readBytes-len(r.buf)))...)
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	if err == io.EOF && r.w > r.r {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read gives out the bytes that follow the last message: those of a stream. It never reads further than asked.
func (r *reader) Read(b []byte) (int, error) {
	if r.r < r.w {
		n := copy(b, r.buf[r.r:r.w])
		r.r += n
		return n, nil
	}
	if len(b) >= readBytes {
		return r.src.Read(b)
	}
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(b, r.buf[r.r:r.w])
	r.r += n
	return n, nil
}
