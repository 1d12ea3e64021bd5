package tree

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
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
	digestLogEvery   = 128 // zxids
	digestLogEntries = 1024
	systemPrefix     = zk.SystemPath + "/"
	shortBytesMax    = 64 // the standard library goes byte by byte below this
)

// NodeDigest is the digest of a znode: 32 bits, which the digest of a tree sums up modulo 2^64. "" and "/" are the
// root; znodes below /zookeeper count 0.
func NodeDigest(path string, data []byte, s *zk.StoredStat) uint64 {
	return DigestOf(path, prefixOf(path, data), s)
}

// DigestPrefix is the part of a znode's digest that only its path and data decide. Whoever changes nothing but the
// stat of a znode keeps it, and saves going over the data again.
func DigestPrefix(path string, data []byte) uint32 {
	if path == zk.RootPath {
		path = ""
	}
	return crcBytes(crcBytes(0, bytesOf(path)), data)
}

// isSystem tells whether a path is below /zookeeper, where znodes have no digest.
func isSystem(path string) bool { return strings.HasPrefix(path, systemPrefix) }

// DigestOf is the digest of a znode whose DigestPrefix is known.
func DigestOf(path string, prefix uint32, s *zk.StoredStat) uint64 {
	if isSystem(path) {
		return 0
	}
	// Each step waits for the one before it, so that there are two rows of steps at the same time: of the first 32 bytes, and of the other 28 as if
	// zeros came before them.
	crc, rest := ^prefix, uint32(0)
	crc, rest = crcLong(crc, uint64(s.Czxid)), crcLong(rest, uint64(s.MtimeMS))
	crc, rest = crcLong(crc, uint64(s.Mzxid)), crcLong(rest, uint64(uint32(s.Version))<<32|uint64(uint32(s.Cversion)))
	crc, rest = crcLong(crc, uint64(s.Pzxid)), crcLong(rest, uint64(uint32(s.Aversion))<<32|uint64(s.Owner)>>32)
	crc, rest = crcLong(crc, uint64(s.CtimeMS)), rest^bits.ReverseBytes32(uint32(s.Owner))
	rest = crcTables[3][rest&0xff] ^ crcTables[2][rest>>8&0xff] ^ crcTables[1][rest>>16&0xff] ^ crcTables[0][rest>>24]
	crc = crcZeros[0][crc&0xff] ^ crcZeros[1][crc>>8&0xff] ^ crcZeros[2][crc>>16&0xff] ^ crcZeros[3][crc>>24]
	return uint64(^(crc ^ rest))
}

// crcZeros take a sum over 28 bytes of zeros: table i is for its byte i, the lowest first.
var crcZeros = func() (t [4]crc32.Table) {
	for i := range t {
		for b := range t[i] {
			crc := uint32(b) << (8 * i)
			for range 28 {
				crc = crcTables[0][crc&0xff] ^ crc>>8
			}
			t[i][b] = crc
		}
	}
	return t
}()

// crcTables take eight bytes at a time: table i is for a byte that i more bytes follow.
var crcTables = func() (t [8]crc32.Table) {
	t[0] = *crc32.IEEETable
	for b := range t[0] {
		crc := t[0][b]
		for i := 1; i < len(t); i++ {
			crc = t[0][crc&0xff] ^ crc>>8
			t[i][b] = crc
		}
	}
	return t
}()

// crcLong adds the eight bytes of v, big-endian, to an inverted sum.
func crcLong(crc uint32, v uint64) uint32 {
	v = bits.ReverseBytes64(v) ^ uint64(crc)
	return crcTables[7][v&0xff] ^ crcTables[6][v>>8&0xff] ^ crcTables[5][v>>16&0xff] ^ crcTables[4][v>>24&0xff] ^
		crcTables[3][v>>32&0xff] ^ crcTables[2][v>>40&0xff] ^ crcTables[1][v>>48&0xff] ^ crcTables[0][v>>56]
}

// crcBytes adds b to a sum.
func crcBytes(crc uint32, b []byte) uint32 {
	if len(b) >= shortBytesMax {
		return crc32.Update(crc, crc32.IEEETable, b)
	}
	crc = ^crc
	for ; len(b) >= 8; b = b[8:] {
		crc = crcLong(crc, binary.BigEndian.Uint64(b))
	}
	for _, c := range b {
		crc = crcTables[0][byte(crc)^c] ^ crc>>8
	}
	return ^crc
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
