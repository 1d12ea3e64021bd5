package juteapi

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// naive is cut, told slowly: frame after frame.
func naive(b []byte, lengthMax, most int) (n, end int, bad bool) {
	for {
		if len(b)-end < 4 {
			return n, end, false
		}
		length := int32(binary.BigEndian.Uint32(b[end:]))
		if length < 0 || int64(length) > int64(lengthMax) {
			return n, end, true
		}
		if n == most || int64(len(b)-end-4) < int64(length) {
			return n, end, false
		}
		n, end = n+1, end+4+int(length)
	}
}

// FuzzCut: whatever comes, frames lie within the input, are complete, and none is longer than allowed.
func FuzzCut(f *testing.F) {
	f.Add([]byte{}, 10, 5)
	f.Add(unhex(pingHex+pingHex+"000000"), 8, 9)
	f.Add(unhex(pingHex+"ffffffff"), 8, 9)
	f.Add(unhex("00000000 00000000 00000009"), 8, 1)
	f.Fuzz(func(t *testing.T, b []byte, lengthMax, most int) {
		lengthMax, most = lengthMax&0x7fffffff, most&0xffff
		n, end, next, err := cut(b, lengthMax, most)
		wantN, wantEnd, bad := naive(b, lengthMax, most)
		if n != wantN || end != wantEnd || (err != nil) != bad {
			t.Fatalf("%d frames to %d, %v; want %d to %d, %v", n, end, err, wantN, wantEnd, bad)
		}
		if next != 0 && (next < 4 || next > lengthMax+4) {
			t.Fatalf("the next frame takes %d bytes", next)
		}
	})
}

// FuzzInput: frames come out of a receive buffer as they went in, however they arrive, and the buffer never grows to
// more than twice what has come, or its common size.
func FuzzInput(f *testing.F) {
	f.Add(unhex(pingHex), []byte{1, 2, 3}, uint32(10))
	f.Add(bytes.Repeat(unhex(pingHex), 1000), []byte{255, 1, 0, 9}, uint32(70000))
	f.Add(unhex("00000002 aabb 00000000"), []byte{0}, uint32(1<<20))
	f.Fuzz(func(t *testing.T, small []byte, pieces []byte, big uint32) {
		stream := append(frame(small), frame(make([]byte, big%(300<<10)))...)
		stream = append(stream, frame(small)...)
		var in input
		var got []byte
		need, at := 0, 0
		for rest := stream; len(rest) > 0; at++ {
			room := in.room(need)
			if len(room) == 0 {
				t.Fatal("no room")
			}
			if have := in.w; len(in.buf) > max(inputBytesBusy, 2*have) {
				t.Fatalf("%d bytes of buffer for %d", len(in.buf), have)
			}
			n := len(room)
			if len(pieces) > 0 {
				n = min(n, 1+int(pieces[at%len(pieces)])*200)
			}
			n = copy(room[:n], rest)
			rest = rest[n:]
			in.arrived(n)
			k, end, next, err := cut(in.bytes(), 4<<20, 7)
			if err != nil {
				t.Fatal(err)
			}
			if k > 0 {
				got = append(got, in.take(end)...)
			}
			need = next
		}
		for {
			k, end, _, _ := cut(in.bytes(), 4<<20, 7)
			if k == 0 {
				break
			}
			got = append(got, in.take(end)...)
		}
		in.release()
		if !bytes.Equal(got, stream) {
			t.Fatalf("%d bytes came out, %d went in", len(got), len(stream))
		}
	})
}

func TestReceiveBufferGrowsUnderLoadAndShrinksAfterIt(t *testing.T) {
	var in input
	take := func(n int) {
		room := in.room(0)
		n = min(n, len(room))
		in.arrived(n)
		in.r = in.w // all taken
	}
	take(100)
	if len(in.buf) != inputBytesMin {
		t.Fatalf("%d bytes for little", len(in.buf))
	}
	take(inputBytesMin)
	take(10 * inputBytesMin)
	if len(in.buf) != inputBytesBusy {
		t.Fatalf("%d bytes under load", len(in.buf))
	}
	for range lowReadsMax + 1 {
		take(10)
	}
	if len(in.buf) != inputBytesMin {
		t.Fatalf("%d bytes after the load", len(in.buf))
	}
	in.release()
}

func TestLongFrameIsGivenAwayUncopied(t *testing.T) {
	var in input
	const size = 1 << 20
	for in.w < size {
		in.arrived(len(in.room(size)))
	}
	if len(in.buf) != size {
		t.Fatalf("the buffer of a frame of %d bytes has %d", size, len(in.buf))
	}
	first := &in.buf[0]
	if b := in.take(size); &b[0] != first || in.buf != nil {
		t.Error("the frame was copied or is kept")
	}
}
