package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"

	"paddock/internal/jute"
	"paddock/storage/vfs"
)

// readBytes is how much is read at a time, and how far the reading goroutine may be ahead in all (three blocks).
const readBytes = 1 << 20

// firstBytes is how much is read first: most snapshots are small.
const firstBytes = 64 << 10

// stream reads content in order: fields are returned as slices of its buffer, valid until the next call.
type stream struct {
	file   string
	blocks chan block
	stop   chan struct{}
	spare  chan []byte

	buf  []byte
	r    int   // next byte in buf
	base int64 // offset in the content of buf[0]
	sum  uint32
	sums int   // buf up to here is in sum
	err  error // of the source, after the last block
	eof  bool

	// A stream from a peer is read without blocks: exactly what is asked for, from exact.
	exact    io.Reader
	fieldMax int   // bytes
	max      int64 // bytes in all
}

type block struct {
	b   []byte
	err error // io.EOF after the last
}

// openStream starts the goroutine that reads and unpacks f ahead; close stops it.
func openStream(file string, f vfs.File, c Compression) (*stream, error) {
	var src io.Reader = &fileReader{f: f}
	switch c {
	case Gzip:
		z, err := gzip.NewReader(src)
		if err != nil {
			return nil, &CorruptError{File: file, Reason: err.Error(), Cause: fileError(err)}
		}
		src = z
	case Snappy:
		src = &snappyReader{from: src}
	}
	s := &stream{file: file, sum: 1, fieldMax: fieldBytesMax, blocks: make(chan block, 1), stop: make(chan struct{}), spare: make(chan []byte, 2)}
	go s.ahead(src) // ends with the source, or when close is called
	return s, nil
}

// fileReader reads a file from its start on.
type fileReader struct {
	f   vfs.File
	off int64
}

func (r *fileReader) Read(b []byte) (int, error) {
	n, err := r.f.ReadAt(b, r.off)
	r.off += int64(n)
	return n, err
}

func (s *stream) ahead(src io.Reader) {
	defer close(s.blocks)
	for size := firstBytes; ; size = readBytes {
		var b []byte
		select {
		case b = <-s.spare:
		default:
			b = make([]byte, size)
		}
		n, err := io.ReadFull(src, b)
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		select {
		case s.blocks <- block{b[:n], err}:
		case <-s.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// close ends the reading goroutine and waits for it.
func (s *stream) close() {
	close(s.stop)
	for range s.blocks {
	}
}

// offset is where the next byte lies in the content.
func (s *stream) offset() int64 { return s.base + int64(s.r) }

// corrupt is an error about the content at the current offset.
func (s *stream) corrupt(format string, args ...any) error {
	return &CorruptError{File: s.file, Offset: s.offset(), Reason: fmt.Sprintf(format, args...)}
}

// fileError is err if the file system failed, and nil if what it read cannot be unpacked.
func fileError(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return nil
}

// more gets another block. What has been consumed is summed up and dropped.
func (s *stream) more() error {
	if s.eof {
		return s.err
	}
	s.checksum()
	left := copy(s.buf, s.buf[s.r:])
	s.base += int64(s.r)
	s.buf, s.r, s.sums = s.buf[:left], 0, 0
	b, ok := <-s.blocks
	if !ok {
		s.eof, s.err = true, io.EOF
		return s.err
	}
	s.buf = append(s.buf, b.b...)
	if cap(b.b) == readBytes {
		select {
		case s.spare <- b.b[:readBytes]:
		default:
		}
	}
	if b.err != nil {
		s.eof, s.err = true, b.err
		if b.err != io.EOF {
			s.err = &CorruptError{File: s.file, Offset: s.offset(), Reason: b.err.Error(), Cause: fileError(b.err)}
		}
	}
	return nil
}

// next returns the next n bytes. io.EOF if the content ends right here; a CorruptError if it ends within them.
func (s *stream) next(n int) ([]byte, error) {
	for len(s.buf)-s.r < n {
		had := len(s.buf) - s.r
		var err error
		if s.exact != nil {
			err = s.exactly(n - had)
		} else {
			err = s.more()
		}
		if err != nil {
			if err == io.EOF && had > 0 {
				err = s.corrupt("it ends within a field of %d bytes", n)
			}
			return nil, err
		}
	}
	b := s.buf[s.r : s.r+n]
	s.r += n
	return b, nil
}

func (s *stream) int32() (int32, error) {
	b, err := s.next(4)
	if err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(b)), nil
}

func (s *stream) int64() (int64, error) {
	b, err := s.next(8)
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// bytes returns a buffer or string: nil for null. It fails before it reads on a length no record can have.
func (s *stream) bytes() ([]byte, error) {
	n, err := s.int32()
	switch {
	case err != nil || n == -1:
		return nil, err
	case n < -1 || int(n) > s.fieldMax:
		return nil, s.corrupt("a field of %d bytes", n)
	case n == 0:
		return []byte{}, nil
	}
	return s.next(int(n))
}

// fieldBytesMax is larger than any frame that a server can have accepted; the buffer only grows as bytes arrive.
const fieldBytesMax = 1 << 30

// checksum brings sum up to the current offset.
func (s *stream) checksum() uint32 {
	s.sum = adlerUpdate(s.sum, s.buf[s.sums:s.r])
	s.sums = s.r
	return s.sum
}

// snappyReader undoes snappyWriter.
type snappyReader struct {
	from    io.Reader
	started bool
	packed  []byte
	plain   []byte
	rest    []byte
}

func (s *snappyReader) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		if err := s.block(); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *snappyReader) block() error {
	if !s.started {
		var head [16]byte
		if _, err := io.ReadFull(s.from, head[:]); err != nil || string(head[:8]) != snappyMagic {
			return fmt.Errorf("not a snappy stream")
		}
		s.started = true
	}
	var size [4]byte
	if _, err := io.ReadFull(s.from, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > snappyPackedMax {
		return fmt.Errorf("a snappy block of %d bytes", n)
	}
	s.packed = append(s.packed[:0], make([]byte, n)...)
	if _, err := io.ReadFull(s.from, s.packed); err != nil {
		return fmt.Errorf("snappy block: %w", err)
	}
	plain, err := snappy.DecodedLen(s.packed)
	if err != nil || plain > snappyPlainMax {
		return fmt.Errorf("a snappy block of %d bytes unpacked: %v", plain, err)
	}
	s.plain, err = snappy.Decode(s.plain[:cap(s.plain)], s.packed)
	s.rest = s.plain
	return err
}

// Bounds of one block; the block size is up to the writer.
const (
	snappyPackedMax = 8 << 20
	snappyPlainMax  = 16 << 20
)

// reader decodes a fixed part.
func reader(b []byte) *jute.Coder { return jute.Reader(b) }
