package tree

import (
	"encoding/binary"
	"hash/crc32"
	"strings"

	"paddock/internal/zk"
)

// DigestPrefix is the part of a znode's digest that only its path and data decide. Whoever changes nothing but the
// stat of a znode keeps it, and saves going over the data again.
func DigestPrefix(path string, data []byte) uint32 {
	if path == zk.RootPath {
		path = ""
	}
	var room [128]byte
	return crc32.Update(crc32.Update(0, crc32.IEEETable, append(room[:0], path...)), crc32.IEEETable, data)
}

// DigestOf is the digest of a znode whose DigestPrefix is known.
func DigestOf(path string, prefix uint32, s *zk.StoredStat) uint64 {
	if strings.HasPrefix(path, systemPrefix) {
		return 0
	}
	var b [statDigestBytes]byte
	for i, v := range [...]int64{int64(s.Czxid), int64(s.Mzxid), int64(s.Pzxid), s.CtimeMS, s.MtimeMS} {
		binary.BigEndian.PutUint64(b[8*i:], uint64(v))
	}
	for i, v := range [...]int32{s.Version, s.Cversion, s.Aversion} {
		binary.BigEndian.PutUint32(b[40+4*i:], uint32(v))
	}
	binary.BigEndian.PutUint64(b[52:], uint64(s.Owner))
	return uint64(crc32.Update(prefix, crc32.IEEETable, b[:]))
}
