package snapshot

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"unsafe"

	"paddock/internal/zk"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

// Info is what a snapshot says of itself.
type Info struct {
	File        string
	Zxid        zk.Zxid // from the file's name: what the tree holds for certain
	Compression Compression
	Znodes      int
	Sessions    int
	ACLs        int
	Bytes       int64 // content, uncompressed

	// HasDigest tells that there is a digest section of version 2: the tree had Digest at DigestZxid, the newest zxid
	// that had been applied when the dump ended.
	HasDigest  bool
	DigestZxid zk.Zxid
	Digest     uint64

	HasLastZxid bool
	LastZxid    zk.Zxid
}

// Znode is one entry of a snapshot; Path and Data are valid during the call only.
type Znode struct {
	Path   string // "" for the root
	Data   []byte // nil for null
	ACLKey int64  // -1 for the open list
	Stat   zk.StoredStat
}

// Sink takes the content of a snapshot, in file order.
type Sink interface {
	Session(id zk.SessionID, timeoutMS int32)
	ACL(key int64, list []zk.ACL)
	Znode(*Znode) error
}

// treeSink builds a tree.
type treeSink struct{ *tree.Loader }

func (s treeSink) Znode(n *Znode) error { return s.Loader.Node(n.Path, n.Data, n.ACLKey, &n.Stat) }

// Load reads the snapshot file of the given name in dir into a tree at the zxid of its name. Errors about the content
// wrap ErrCorrupt. progress is called now and then with the znodes read so far; it may be nil.
func Load(fsys vfs.FS, dir, name string, seed uint64, progress func(znodes int)) (*tree.Tree, Info, error) {
	l := tree.NewLoader(seed)
	info, err := Read(fsys, dir, name, treeSink{l}, progress)
	if err != nil {
		return nil, info, err
	}
	t, err := l.Finish(info.Zxid)
	if err != nil {
		return nil, info, &CorruptError{File: filepath.Join(dir, name), Offset: info.Bytes, Reason: err.Error()}
	}
	return t, info, nil
}

// Read hands the content of a snapshot to sink and checks every seal.
func Read(fsys vfs.FS, dir, name string, sink Sink, progress func(znodes int)) (Info, error) {
	z, c, ok := ParseName(name)
	path := filepath.Join(dir, name)
	info := Info{File: path, Zxid: z, Compression: c}
	if !ok {
		return info, fmt.Errorf("%s is not the name of a snapshot (snapshot.<zxid in hex>)", path)
	}
	f, err := fsys.Open(path)
	if err != nil {
		return info, fmt.Errorf("open snapshot: %w", err)
	}
	defer f.Close()
	s, err := openStream(path, f, c)
	if err != nil {
		return info, err
	}
	defer s.close()
	err = s.read(&info, sink, progress)
	if err == io.EOF {
		err = s.corrupt("the file ends early")
	}
	info.Bytes = s.offset()
	return info, err
}

func (s *stream) read(info *Info, sink Sink, progress func(int)) error {
	if err := s.head(); err != nil {
		return err
	}
	if err := s.body(info, sink, progress); err != nil {
		return err
	}
	if err := s.seal(); err != nil {
		return err
	}
	return s.sections(info)
}

// head reads what a file begins with.
func (s *stream) head() error {
	b, err := s.next(16)
	if err != nil {
		return err
	}
	if string(b[:4]) != magic {
		return s.corrupt("the file begins with %x instead of %x: no snapshot, or one from before ZooKeeper 3.0", b[:4], magic)
	}
	if b[7] != version {
		return s.corrupt("format version %d, only %d is known", b[7], version)
	}
	return nil
}

// body reads sessions, access lists and znodes.
func (s *stream) body(info *Info, sink Sink, progress func(int)) error {
	n, err := s.count()
	if err != nil {
		return err
	}
	for ; info.Sessions < n; info.Sessions++ {
		b, err := s.next(12)
		if err != nil {
			return err
		}
		r := reader(b)
		var id zk.SessionID
		var timeout int32
		id.Jute(r)
		r.Int32(&timeout)
		sink.Session(id, timeout)
	}
	if n, err = s.count(); err != nil {
		return err
	}
	for ; info.ACLs < n; info.ACLs++ {
		key, err := s.int64()
		if err != nil {
			return err
		}
		list, err := s.acl()
		if err != nil {
			return err
		}
		sink.ACL(key, list)
	}
	return s.znodes(info, sink, progress)
}

// count reads a number of things that follow.
func (s *stream) count() (int, error) {
	n, err := s.int32()
	if err == nil && n < 0 {
		err = s.corrupt("a count of %d", n)
	}
	return int(n), err
}

// acl reads an access list into memory of its own.
func (s *stream) acl() ([]zk.ACL, error) {
	n, err := s.int32()
	if err != nil || n == -1 {
		return nil, err
	}
	list := []zk.ACL{}
	for range n {
		perms, err := s.int32()
		if err != nil {
			return nil, err
		}
		scheme, err := s.bytes()
		if err != nil {
			return nil, err
		}
		a := zk.ACL{Perms: zk.Perms(perms), ID: zk.ID{Scheme: string(scheme)}}
		id, err := s.bytes()
		if err != nil {
			return nil, err
		}
		a.ID.ID = string(id)
		list = append(list, a)
	}
	return list, nil
}

const statBytes = 60

// znodes reads up to the path "/", which ends them.
func (s *stream) znodes(info *Info, sink Sink, progress func(int)) error {
	var n Znode
	var path []byte
	for {
		p, err := s.bytes()
		if err != nil {
			return err
		}
		if len(p) == 1 && p[0] == '/' {
			return nil
		}
		path = append(path[:0], p...)
		n.Path = unsafe.String(unsafe.SliceData(path), len(path))
		size, err := s.int32()
		if err != nil {
			return err
		}
		if size < -1 || int(size) > s.fieldMax {
			return s.corrupt("znode %q has %d bytes of data", path, size)
		}
		b, err := s.next(max(int(size), 0) + 8 + statBytes)
		if err != nil {
			return err
		}
		n.Data = nil
		if size >= 0 {
			n.Data, b = b[:size:size], b[size:]
		}
		r := reader(b)
		r.Int64(&n.ACLKey)
		n.Stat.Jute(r)
		if err := sink.Znode(&n); err != nil {
			if errors.Is(err, tree.ErrInvalidTree) {
				err = s.corrupt("%v", err)
			}
			return err
		}
		if info.Znodes++; info.Znodes%progressEvery == 0 && progress != nil {
			progress(info.Znodes)
		}
	}
}

// seal compares the checksum of everything before it.
func (s *stream) seal() error {
	want := s.checksum()
	got, err := s.int64()
	if err != nil {
		return err
	}
	if uint64(got) != uint64(want) {
		return s.corrupt("checksum %x does not match the content (%x)", got, want)
	}
	end, err := s.bytes()
	if err == nil && string(end) != "/" {
		err = s.corrupt("%q after a checksum", end)
	}
	return err
}

// sections reads what newer servers add; each may be missing.
func (s *stream) sections(info *Info) error {
	z, err := s.int64()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	version, err := s.int32()
	if err != nil {
		return err
	}
	if version < digestVersion {
		_, err = s.bytes() // the digest was text then
	} else {
		var d int64
		d, err = s.int64()
		info.HasDigest = version == digestVersion
		info.DigestZxid, info.Digest = zk.Zxid(z), uint64(d)
	}
	if err != nil {
		return err
	}
	if err := s.seal(); err != nil {
		return err
	}
	z, err = s.int64()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	info.HasLastZxid, info.LastZxid = true, zk.Zxid(z)
	return s.seal()
}
