package tree

import (
	"encoding/binary"
	"hash/crc32"
	"strings"

	"paddock/internal/zk"
)

// What a znode's digest is a CRC-32 (IEEE) of:
//
//	path    bytes; none for the root
//	data    bytes; none if null
//	int64   czxid, mzxid, pzxid, ctime, mtime
//	int32   version, cversion, aversion
//	int64   owner                               the last nine as stored, big-endian: 60 bytes

const (
	statDigestBytes  = 60
	joinedDigestMax  = 4 << 10 // longer data is summed where it lies
	digestLogEvery   = 128     // zxids
	digestLogEntries = 1024
	systemPrefix     = zk.SystemPath + "/"
)

// Digester computes the digests of znodes. It only keeps a buffer, so that nothing is allocated per digest.
// The zero value is ready.
type Digester struct {
	buf []byte
}

// Node is the digest of a znode: 32 bits, which the digest of a tree sums up modulo 2^64. "" and "/" are the
// root; znodes below /zookeeper count 0.
func (d *Digester) Node(path string, data []byte, s *zk.StoredStat) uint64 {
	if path == zk.RootPath {
		path = ""
	}
	if strings.HasPrefix(path, systemPrefix) {
		return 0
	}
	b := append(d.buf[:0], path...)
	var crc uint32
	if len(data) <= joinedDigestMax {
		b = append(b, data...)
	} else {
		crc = crc32.Update(crc32.Update(0, crc32.IEEETable, b), crc32.IEEETable, data)
		b = b[:0]
	}
	b = binary.BigEndian.AppendUint64(b, uint64(s.Czxid))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Mzxid))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Pzxid))
	b = binary.BigEndian.AppendUint64(b, uint64(s.CtimeMS))
	b = binary.BigEndian.AppendUint64(b, uint64(s.MtimeMS))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Version))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Cversion))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Aversion))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Owner))
	d.buf = b
	return uint64(crc32.Update(crc, crc32.IEEETable, b))
}

// NodeDigest is Digester.Node for those who need it rarely.
func NodeDigest(path string, data []byte, s *zk.StoredStat) uint64 {
	var d Digester
	return d.Node(path, data, s)
}

// ZxidDigest is the digest that the tree had after a txn.
type ZxidDigest struct {
	Zxid   zk.Zxid
	Digest uint64
}

// digestLog keeps the digests of the newest zxids that are divisible by 128.
type digestLog struct {
	ring [digestLogEntries]ZxidDigest
	n    int // entries ever added
}

func (l *digestLog) add(z zk.Zxid, digest uint64) {
	if z%digestLogEvery == 0 {
		l.ring[l.n%digestLogEntries] = ZxidDigest{z, digest}
		l.n++
	}
}

// DigestLog returns the digests after the newest zxids divisible by 128, at most 1024, oldest first. Servers
// of an ensemble compare them.
func (t *Tree) DigestLog() []ZxidDigest {
	l := t.digests
	first := max(0, l.n-digestLogEntries)
	list := make([]ZxidDigest, 0, l.n-first)
	for i := first; i < l.n; i++ {
		list = append(list, l.ring[i%digestLogEntries])
	}
	return list
}
