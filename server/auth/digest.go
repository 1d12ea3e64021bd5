package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"unicode/utf8"
)

// digestHash makes the hash of digest ids.
type digestHash func() hash.Hash

// digestHashes are Java's names, upper case. MD2 is left out.
var digestHashes = map[string]digestHash{
	"MD5":         md5.New,
	"SHA":         sha1.New,
	"SHA1":        sha1.New,
	"SHA-1":       sha1.New,
	"SHA-224":     sha256.New224,
	"SHA-256":     sha256.New,
	"SHA-384":     sha512.New384,
	"SHA-512":     sha512.New,
	"SHA-512/224": sha512.New512_224,
	"SHA-512/256": sha512.New512_256,
	"SHA3-224":    func() hash.Hash { return sha3.New224() },
	"SHA3-256":    func() hash.Hash { return sha3.New256() },
	"SHA3-384":    func() hash.Hash { return sha3.New384() },
	"SHA3-512":    func() hash.Hash { return sha3.New512() },
}

// digestByName finds the hash for a Java name in any case; "" is ZooKeeper's default.
func digestByName(name string) (digestHash, error) {
	if name == "" {
		return sha1.New, nil
	}
	h, ok := digestHashes[strings.ToUpper(name)]
	if !ok {
		return nil, fmt.Errorf("digest algorithm %q: unknown; SHA1, SHA-256, SHA-512 and SHA3-256 are among those known", name)
	}
	return h, nil
}

// DigestID is the digest id of a credential user:password: the user, a colon, and the base64 of the hash of the
// whole credential. The user ends at the first colon; without one, the credential is user and password in one.
//
// ZooKeeper compatibility: Java reads the credential as UTF-8 and puts U+FFFD where it is not; the hash is of
// the result. A password in another encoding keeps working.
func (a *Authority) DigestID(credential []byte) string {
	text := toUTF8(credential)
	h := a.digest()
	h.Write(text)
	user, _, _ := strings.Cut(string(text), ":")
	return user + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// toUTF8 returns b if it is UTF-8, else a copy in which each ill-formed part has become one U+FFFD.
func toUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	var out []byte
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = illFormed(b)
		}
		out = utf8.AppendRune(out, r)
		b = b[n:]
	}
	return out
}

// illFormed is how many bytes at the start of b, which is no character, Java replaces by a single U+FFFD: as much as
// could have begun a character, and the whole of an encoded surrogate.
func illFormed(b []byte) int {
	continues := func(i int) bool { return i < len(b) && b[i]&0xc0 == 0x80 }
	second := func(least, most byte) bool { return len(b) > 1 && b[1] >= least && b[1] <= most }
	switch lead := b[0]; {
	case lead == 0xed && second(0xa0, 0xbf) && continues(2):
		return 3
	case lead == 0xe0 && second(0xa0, 0xbf), lead > 0xe0 && lead <= 0xef && continues(1):
		return 2
	case lead == 0xf0 && second(0x90, 0xbf), lead > 0xf0 && lead < 0xf4 && continues(1), lead == 0xf4 && second(0x80, 0x8f):
		if continues(2) {
			return 3
		}
		return 2
	default:
		return 1
	}
}
