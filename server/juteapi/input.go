package juteapi

import (
	"encoding/binary"
	"errors"
	"sync"
)

// Sizes of a receive buffer: what an idle connection holds, and what a busy one grows to at once. A frame longer than
// that gets a buffer of its own, which grows with the bytes that have come and ends as long as the frame.
const (
	inputBytesMin  = 4 << 10
	inputBytesBusy = 64 << 10
)

// lowReadsMax is the number of reads in a row that a large buffer was too large for before it is given back.
const lowReadsMax = 16

// frameHeader is the length in front of every frame.
const frameHeader = 4

// errFrameLength is a frame length that is negative or above jute.maxbuffer.
var errFrameLength = errors.New("frame length out of range")

// frameLength is the length that four bytes announce.
func frameLength(b []byte) int32 { return int32(binary.BigEndian.Uint32(b)) }

// cut finds the complete frames at the start of b, most at the most. It returns their number, where the last one ends,
// and how many bytes the frame after it takes with its header (0 if b does not tell yet). The error is about that
// next frame: the n frames before it are good.
func cut(b []byte, lengthMax, most int) (n, end, next int, err error) {
	for {
		left := b[end:]
		if len(left) < frameHeader {
			return n, end, 0, nil
		}
		length := int(frameLength(left))
		if length < 0 || length > lengthMax {
			return n, end, 0, errFrameLength
		}
		next = frameHeader + length
		if len(left) < next || n == most {
			return n, end, next, nil
		}
		n, end = n+1, end+next
	}
}

// busyBuffers holds buffers of inputBytesBusy.
var busyBuffers = sync.Pool{New: func() any { return new([inputBytesBusy]byte) }}

// input is the receive buffer of one connection; its reader owns it. Bytes from r to w have come and are not yet
// taken.
type input struct {
	buf      []byte
	r, w     int
	lowReads int
	full     bool // the last read filled all the room there was
}

// bytes is what has come and is not taken.
func (in *input) bytes() []byte { return in.buf[in.r:in.w] }

// room returns where the next read goes, never empty. need is the size of the frame that is being received, 0 if unknown.
func (in *input) room(need int) []byte {
	if in.buf == nil {
		in.buf = make([]byte, inputBytesMin)
	}
	if in.r > 0 {
		copy(in.buf, in.buf[in.r:in.w])
		in.r, in.w = 0, in.w-in.r
	}
	switch {
	case in.w == 0 && in.lowReads >= lowReadsMax:
		in.shrink()
	case len(in.buf) < inputBytesBusy && (in.full || in.w == len(in.buf)):
		in.move(busyBuffers.Get().(*[inputBytesBusy]byte)[:])
	case in.w == len(in.buf): // then need is larger, or the frame would have been taken
		in.move(make([]byte, min(2*len(in.buf), max(need, len(in.buf)+1))))
	}
	return in.buf[in.w:]
}

// arrived says that n bytes were read into room.
func (in *input) arrived(n int) {
	in.w += n
	in.full = in.w == len(in.buf)
	if in.w <= inputBytesMin {
		in.lowReads++
	} else {
		in.lowReads = 0
	}
}

// large tells whether the buffer is more than an idle connection should hold.
func (in *input) large() bool { return len(in.buf) > inputBytesMin }

// shrink gives a large buffer back if nothing is in it.
func (in *input) shrink() {
	if in.r == in.w && in.large() {
		in.recycle()
		in.buf, in.r, in.w, in.lowReads, in.full = make([]byte, inputBytesMin), 0, 0, 0, false
	}
}

// move goes on in a larger buffer.
func (in *input) move(to []byte) {
	copy(to, in.buf[:in.w])
	in.recycle()
	in.buf = to
}

// recycle gives a buffer of the common large size back.
func (in *input) recycle() {
	if len(in.buf) == inputBytesBusy {
		busyBuffers.Put((*[inputBytesBusy]byte)(in.buf))
	}
}

// take returns the next n bytes in a slice that nobody else will write to. A buffer that was made for one frame is
// given away instead of being copied.
func (in *input) take(n int) []byte {
	if n > inputBytesBusy && n == len(in.buf) && in.r == 0 {
		b := in.buf
		in.buf, in.w, in.lowReads, in.full = nil, 0, 0, false
		return b
	}
	b := make([]byte, n)
	copy(b, in.buf[in.r:])
	in.r += n
	return b
}

// release gives the buffer back at the end of the connection.
func (in *input) release() {
	in.recycle()
	*in = input{}
}
