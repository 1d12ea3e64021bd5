package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

const readBytes = 1 << 20 // read ahead

// scanner reads the records of one file. Its buffer is used again by the next file.
type scanner struct {
	f    vfs.File
	path string
	size int64
	pos  int64   // offset of the next record
	link zk.Zxid // from the header, or unlinked

	buf    []byte // buf[:filled] is the file from offset bufOff
	bufOff int64
	filled int

	bug bug
}

// ending is how a file's records end.
type ending struct {
	torn   bool
	short  bool // the file ends before the record does
	reason string
	end    int64 // offset behind what the unfinished record claims to be
}

// open starts to read a file. A nil ending means that records may follow.
func (s *scanner) open(fsys vfs.FS, path string) (*ending, error) {
	if err := s.close(); err != nil {
		return nil, err
	}
	f, err := fsys.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	s.f, s.path = f, path
	s.filled, s.bufOff, s.pos = 0, 0, HeaderBytes
	if s.size, err = f.Size(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	head, err := s.view(0, HeaderBytes)
	if err != nil {
		return nil, err
	}
	if len(head) == HeaderBytes && string(head[:4]) == string(fileHeader[:4]) {
		s.link = link(head)
		return nil, nil
	}
	s.pos, s.link = 0, unlinked
	known := min(len(head), linkOffset)
	if allZero(head) || len(head) < HeaderBytes && string(head[:known]) == string(fileHeader[:known]) {
		return &ending{torn: true, short: len(head) < HeaderBytes, reason: "the file has no header yet", end: HeaderBytes}, nil
	}
	if head[0] == 0 { // a bare record: its first number is small
		return nil, s.corrupt(0, "no log file header", remedyLegacy)
	}
	return nil, s.corrupt(0, fmt.Sprintf("not a log file: starts with %q", head[:min(4, len(head))]), remedyDamaged)
}

func (s *scanner) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f = nil
	return err
}

func (s *scanner) corrupt(off int64, reason, remedy string) *CorruptionError {
	return &CorruptionError{File: s.path, Offset: off, Reason: reason, Remedy: remedy}
}

// view returns up to n bytes at off, fewer only at the end of the file. They stay until the next call.
func (s *scanner) view(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.size-off))
	if n <= 0 {
		return nil, nil
	}
	if off < s.bufOff || off+int64(n) > s.bufOff+int64(s.filled) {
		if err := s.fill(off, n); err != nil {
			return nil, err
		}
	}
	at := int(off - s.bufOff)
	return s.buf[at:min(at+n, s.filled)], nil
}

// fill reads at least n bytes at off into the buffer, unless the file is shorter than it was.
func (s *scanner) fill(off int64, n int) error {
	want := int(min(int64(max(n, readBytes)), s.size-off))
	if len(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.bufOff, s.filled = off, 0
	got, err := s.f.ReadAt(s.buf[:want], off)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s at %d: %w", s.path, off, err)
	}
	s.filled = got
	if got < want {
		s.size = off + int64(got)
	}
	return nil
}

// next returns the payload of the next record, or how the file ends. The payload stays until the next call.
func (s *scanner) next() ([]byte, *ending, error) {
	head, err := s.view(s.pos, frameBytes)
	if err != nil {
		return nil, nil, err
	}
	if len(head) < frameBytes {
		return nil, &ending{torn: !allZero(head), short: true, reason: "the file ends in a record's header", end: s.size}, nil
	}
	sum, n := binary.BigEndian.Uint64(head), int(int32(binary.BigEndian.Uint32(head[8:])))
	if n == 0 {
		return nil, &ending{torn: sum != 0, reason: "the length was not written", end: s.pos + frameBytes}, nil
	}
	if n < 0 || n > recordBytesMax {
		return nil, nil, s.corrupt(s.pos, fmt.Sprintf("unreasonable record length %d", n), remedyDamaged)
	}
	end := s.pos + RecordBytes(n)
	rec, err := s.view(s.pos, int(end-s.pos))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(rec)) < end-s.pos {
		return nil, &ending{torn: true, short: true, reason: "the file ends within the record", end: s.size}, nil
	}
	payload := rec[frameBytes : frameBytes+n]
	if rec[frameBytes+n] != mark && s.bug != bugTornAccepted {
		return nil, &ending{torn: true, reason: "the end mark was not written", end: end}, nil
	}
	if uint64(adler32.Checksum(payload)) != sum && s.bug != bugTornAccepted {
		return nil, &ending{torn: true, reason: "the checksum does not match", end: end}, nil
	}
	if n < payloadBytesMin {
		return nil, nil, s.corrupt(s.pos, fmt.Sprintf("record of %d bytes is shorter than a transaction header", n), remedyDamaged)
	}
	s.pos = end
	return payload, nil, nil
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
