package snapshot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"

	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

// WriteOptions say how a snapshot is written.
type WriteOptions struct {
	Compression Compression
	NoDigest    bool // leave out the digest section, and with it the last zxid
	NoLastZxid  bool // leave out the last processed zxid, as servers before 3.9 do
	// Progress is called now and then with the znodes written so far; may be nil.
	Progress func(znodes int)
}

const (
	blockBytes = 256 << 10 // written at a time
	startBytes = 16 << 10  // what a buffer begins with; most trees are small
	// syncEveryBytes is how much is written before it is pushed to the disk, so that the fsync at the end, during which
	// the log's own fsyncs are slow, is short.
	syncEveryBytes = 8 << 20
	progressEvery  = 1 << 14 // znodes
)

// Write writes v into dir and returns the name of the file, durable and whole. If ctx ends first, or anything fails,
// no file is left.
func Write(ctx context.Context, fsys vfs.FS, dir string, v *tree.View, opt WriteOptions) (name string, err error) {
	name = Name(v.Zxid(), opt.Compression)
	return name, WriteAs(ctx, fsys, dir, name, v, opt)
}

// WriteAs is Write with a name of the caller's choice.
func WriteAs(ctx context.Context, fsys vfs.FS, dir, name string, v *tree.View, opt WriteOptions) error {
	tmp := filepath.Join(dir, tmpPrefix+Name(v.Zxid(), opt.Compression))
	f, err := fsys.Create(tmp)
	if err != nil {
		return fmt.Errorf("create snapshot: %w", err)
	}
	if err = write(ctx, f, v, opt); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, filepath.Join(dir, name))
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write snapshot %s: %w", name, err), fsys.Remove(tmp))
	}
	return nil
}

// encoder gathers the uncompressed content.
type encoder struct {
	ctx   context.Context
	plain bool // nobody asks for sum
	buf   []byte
	sum   uint32 // Adler-32 up to buf[:sums]
	sums  int
	to    io.Writer
	flush func() error // ends the compressed stream
}

// fileWriter writes a file from its start on and pushes it to the disk as it goes.
type fileWriter struct {
	f      vfs.File
	off    int64
	synced int64
}

func (w *fileWriter) Write(b []byte) (int, error) {
	n, err := w.f.WriteAt(b, w.off)
	w.off += int64(n)
	if err == nil && w.off-w.synced >= syncEveryBytes {
		w.synced = w.off
		err = w.f.SyncData()
	}
	return n, err
}

func write(ctx context.Context, f vfs.File, v *tree.View, opt WriteOptions) error {
	return WriteTo(ctx, &fileWriter{f: f}, v, opt)
}

// WriteTo writes what a file would hold. It stops when ctx ends.
func WriteTo(ctx context.Context, file io.Writer, v *tree.View, opt WriteOptions) error {
	e := &encoder{ctx: ctx, buf: make([]byte, 0, startBytes), sum: 1}
	switch opt.Compression {
	case Gzip:
		z, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
		if err != nil {
			return err
		}
		e.to, e.flush = z, z.Close
	case Snappy:
		s := &snappyWriter{to: file}
		e.to, e.flush = s, s.close
	default:
		e.to, e.flush = file, func() error { return nil }
	}
	e.header()
	if err := e.body(v, opt.Progress); err != nil {
		return err
	}
	e.seal()
	if !opt.NoDigest {
		e.int64(int64(v.Zxid()))
		e.int32(digestVersion)
		e.int64(int64(v.Digest()))
		e.seal()
		if !opt.NoLastZxid {
			e.int64(int64(v.Zxid()))
			e.seal()
		}
	}
	if err := e.drain(); err != nil {
		return err
	}
	return e.flush()
}

func (e *encoder) int32(v int32) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v)) }
func (e *encoder) int64(v int64) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }

// header writes what a file begins with.
func (e *encoder) header() {
	e.buf = append(e.buf, magic...)
	e.int32(version)
	e.int64(dbid)
}

// body writes sessions, access lists and znodes, which a file and a stream have in common.
func (e *encoder) body(v *tree.View, progress func(int)) error {
	sessions, acls := v.Sessions(), v.ACLs()
	e.int32(int32(len(sessions)))
	for _, s := range sessions {
		e.int64(int64(s.ID))
		e.int32(s.TimeoutMS)
	}
	e.int32(int32(len(acls)))
	for _, a := range acls {
		e.int64(a.Key)
		w := jute.Writer(e.buf)
		list := a.List
		zk.CodeACL(w, &list)
		e.buf = w.Bytes()
	}
	return e.znodes(v, progress)
}

// znodes writes the tree.
func (e *encoder) znodes(v *tree.View, progress func(int)) error {
	n, w := 0, new(jute.Coder)
	err := v.Walk(func(path string, data []byte, aclKey int64, s *zk.StoredStat) error {
		e.int32(int32(len(path)))
		e.buf = append(e.buf, path...)
		if data == nil {
			e.int32(-1)
		} else {
			e.int32(int32(len(data)))
			e.buf = append(e.buf, data...)
		}
		e.int64(aclKey)
		*w = *jute.Writer(e.buf)
		s.Jute(w)
		e.buf = w.Bytes()
		if n++; n%progressEvery == 0 && progress != nil {
			progress(n)
		}
		if len(e.buf) < blockBytes {
			return nil
		}
		return e.drain()
	})
	e.buf = append(e.buf, tail...)
	return err
}

// seal writes the checksum of everything so far.
func (e *encoder) seal() {
	e.add()
	e.int64(int64(e.sum))
	e.buf = append(e.buf, tail...)
}

// add takes what has gathered into the checksum.
func (e *encoder) add() {
	e.sum = adlerUpdate(e.sum, e.buf[e.sums:])
	e.sums = len(e.buf)
}

// drain hands on what has gathered.
func (e *encoder) drain() error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if !e.plain {
		e.add()
	}
	_, err := e.to.Write(e.buf)
	e.buf, e.sums = e.buf[:0], 0
	return err
}

// adlerUpdate continues an Adler-32 checksum: that of A followed by B is computed from both parts' own.
func adlerUpdate(sum uint32, b []byte) uint32 {
	const mod = 65521
	part := adler32.Checksum(b)
	a1, b1 := sum&0xffff, sum>>16
	a2, b2 := part&0xffff, part>>16
	n := uint32(len(b) % mod)
	lo := (a1 + a2 + mod - 1) % mod
	hi := (b1 + b2 + n*((a1+mod-1)%mod)%mod) % mod
	return hi<<16 | lo
}

// snappyBlockBytes is the size of snappy-java's blocks.
const snappyBlockBytes = 32 << 10

// snappyWriter makes snappy-java's framing: magic, two versions, then blocks of int32 length and raw snappy.
type snappyWriter struct {
	to      io.Writer
	started bool
	in, out []byte
}

func (s *snappyWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), snappyBlockBytes-len(s.in))
		s.in, b = append(s.in, b[:k]...), b[k:]
		if len(s.in) == snappyBlockBytes {
			if err := s.block(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (s *snappyWriter) block() error {
	s.out = s.out[:0]
	if !s.started {
		s.started = true
		s.out = append(s.out, snappyMagic...)
		s.out = append(s.out, 0, 0, 0, 1, 0, 0, 0, 1)
	}
	if len(s.in) > 0 {
		packed := snappy.Encode(nil, s.in)
		s.out = binary.BigEndian.AppendUint32(s.out, uint32(len(packed)))
		s.out = append(s.out, packed...)
	}
	s.in = s.in[:0]
	_, err := s.to.Write(s.out)
	return err
}

func (s *snappyWriter) close() error { return s.block() }
