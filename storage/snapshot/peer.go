package snapshot

import (
	"context"
	"fmt"
	"io"

	"paddock/internal/zk"
	"paddock/storage/tree"
)

// What a leader sends behind its SNAP packet is the middle of a snapshot file: sessions, access lists, znodes and the
// string "/". The signature behind it belongs to the protocol, not to the stream.

const (
	streamName      = "from the leader" // in place of a file's path in errors
	streamFieldMax  = 64 << 20          // bytes; above any frame that servers let pass
	streamStepBytes = 64 << 10          // how much memory a claimed length gets before its bytes have come
)

// WriteStream writes the stream of v to w, in pieces of about 256 KiB, until ctx ends. It may run in any goroutine while
// the owner of the tree goes on.
func WriteStream(ctx context.Context, w io.Writer, v *tree.View) error {
	e := &encoder{ctx: ctx, plain: true, buf: make([]byte, 0, startBytes), to: w}
	err := e.body(v, nil)
	if err == nil {
		err = e.drain()
	}
	if err != nil {
		return fmt.Errorf("write snapshot stream: %w", err)
	}
	return nil
}

// StreamOptions bound what ReadStream takes.
type StreamOptions struct {
	Seed       uint64 // for tree.NewLoader
	FieldBytes int    // longest path, data or access list entry; 0 stands for 64 MiB
	Bytes      int64  // longest stream; 0 for no bound
	// Progress is called now and then with the znodes read so far; may be nil.
	Progress func(znodes int)
}

// ReadStream reads a stream from r into a tree at the zxid z of the SNAP packet, and not a byte more: what follows stays
// in r. It reads a few bytes at a time, so r should have a buffer. Memory grows with what has come, whatever the counts
// and lengths in the stream say. Errors about the content wrap ErrCorrupt, and those of r are wrapped.
//
// The stream of a ZooKeeper server is not of one moment: it may hold effects of txns behind z, which that server sends
// afterwards. Digests agree once they have been applied.
func ReadStream(r io.Reader, z zk.Zxid, opt StreamOptions) (*tree.Tree, Info, error) {
	s := &stream{file: streamName, sum: 1, exact: r, fieldMax: opt.FieldBytes, max: opt.Bytes}
	if s.fieldMax <= 0 {
		s.fieldMax = streamFieldMax
	}
	info := Info{File: streamName, Zxid: z}
	l := tree.NewLoader(opt.Seed)
	err := s.body(&info, treeSink{l}, opt.Progress)
	info.Bytes = s.offset()
	if err == io.EOF {
		err = s.corrupt("it ends early")
	}
	if err != nil {
		return nil, info, fmt.Errorf("read snapshot stream: %w", err)
	}
	t, err := l.Finish(z)
	if err != nil {
		return nil, info, s.corrupt("%v", err)
	}
	return t, info, nil
}

// exactly gets some of the next n bytes, and none behind them.
func (s *stream) exactly(n int) error {
	if s.max > 0 && s.base+int64(len(s.buf)+n) > s.max {
		return s.corrupt("it is longer than %d bytes", s.max)
	}
	if s.r > 0 {
		left := copy(s.buf, s.buf[s.r:])
		s.base += int64(s.r)
		s.buf, s.r = s.buf[:left], 0
	}
	n = min(n, max(streamStepBytes, len(s.buf))) // at most double what has come
	had := len(s.buf)
	s.buf = append(s.buf, make([]byte, n)...)
	got, err := io.ReadFull(s.exact, s.buf[had:])
	s.buf = s.buf[:had+got]
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
		if had == 0 {
			err = s.corrupt("it ends within a field")
		}
	}
	return err
}
