package keystore

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"unicode/utf16"
)

// Why a private key does not come out of its encryption.
var (
	errScheme = errors.New("its scheme is not known")
	errLocked = errors.New("the password is not the one")
)

// scheme is a way of PBES1 to encrypt a private key with a password. None is safe by now, but those with MD5 and with three DES are what
// Java's ZooKeeper can read: SecretKeyFactory of Java 17 knows no PBES2.
type scheme struct {
	id     asn1.ObjectIdentifier
	derive func(password string, salt []byte, rounds int) (key, iv []byte)
	block  func(key []byte) (cipher.Block, error)
}

// The schemes, by RFC 8018, appendix A.3, and RFC 7292, appendix C. Those with RC2 and RC4 are left out.
var schemes = []scheme{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3}, pbkdf1(md5.New), des.NewCipher},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 10}, pbkdf1(sha1.New), des.NewCipher},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, derivePKCS12, des.NewTripleDESCipher},
}

// roundsMax is how often a password is hashed at most: a file that asks for more is not meant to be opened. It is Java's bound as well.
const roundsMax = 5_000_000

// openPBES1 decrypts an EncryptedPrivateKeyInfo of PKCS#8. The error is errScheme, errLocked, or what is wrong with the file.
func openPBES1(der []byte, password string) (key any, err error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, err
	}
	for _, s := range schemes {
		if s.id.Equal(info.Algorithm.Algorithm) {
			return s.open(info.Algorithm.Parameters.FullBytes, info.Data, password)
		}
	}
	return nil, errScheme
}

func (s *scheme) open(parameters, data []byte, password string) (any, error) {
	var p struct {
		Salt   []byte
		Rounds int
	}
	if _, err := asn1.Unmarshal(parameters, &p); err != nil {
		return nil, err
	}
	if p.Rounds < 1 || p.Rounds > roundsMax {
		return nil, fmt.Errorf("the password is to be hashed %d times; %d is the most", p.Rounds, roundsMax)
	}
	key, iv := s.derive(password, p.Salt, p.Rounds)
	block, err := s.block(key)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%block.BlockSize() != 0 {
		return nil, fmt.Errorf("%d encrypted bytes are no whole blocks", len(data))
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > block.BlockSize() || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errLocked
	}
	out, err := x509.ParsePKCS8PrivateKey(plain[:len(plain)-pad])
	if err != nil {
		return nil, errLocked // one in 256 wrong passwords leaves what looks like padding
	}
	return out, nil
}

// pbkdf1 is PBKDF1 of RFC 8018, section 5.1, with a hash: half of 16 bytes is the key, half the IV.
func pbkdf1(newHash func() hash.Hash) func(password string, salt []byte, rounds int) (key, iv []byte) {
	return func(password string, salt []byte, rounds int) (key, iv []byte) {
		h, sum := newHash(), append([]byte(password), salt...)
		for range rounds {
			h.Reset()
			h.Write(sum)
			sum = h.Sum(sum[:0])
		}
		return sum[:8], sum[8:16]
	}
}

// What derivePKCS12 makes bytes for.
const (
	forKey = 1
	forIV  = 2
)

// derivePKCS12 makes the key of three DES and the IV as RFC 7292, appendix B, does with SHA-1.
func derivePKCS12(password string, salt []byte, rounds int) (key, iv []byte) {
	var text []byte // big-endian UTF-16 that ends with a zero
	for _, unit := range append(utf16.Encode([]rune(password)), 0) {
		text = append(text, byte(unit>>8), byte(unit))
	}
	return hashPKCS12(forKey, text, salt, rounds, 24), hashPKCS12(forIV, text, salt, rounds, des.BlockSize)
}

// hashPKCS12 makes size bytes for a purpose.
func hashPKCS12(purpose byte, password, salt []byte, rounds, size int) (out []byte) {
	d := bytes.Repeat([]byte{purpose}, sha1.BlockSize)
	i := append(wholeBlocks(salt), wholeBlocks(password)...)
	for len(out) < size {
		sum := sha1.Sum(append(d[:len(d):len(d)], i...))
		for range rounds - 1 {
			sum = sha1.Sum(sum[:])
		}
		out = append(out, sum[:]...)
		for at := 0; at < len(i); at += sha1.BlockSize { // each block of i is a number, to which sum, repeated, and 1 are added
			carry := 1
			for n := sha1.BlockSize - 1; n >= 0; n-- {
				carry += int(i[at+n]) + int(sum[n%len(sum)])
				i[at+n] = byte(carry)
				carry >>= 8
			}
		}
	}
	return out[:size]
}

// wholeBlocks repeats b until it fills whole blocks of the hash, as few as it can.
func wholeBlocks(b []byte) []byte {
	size := (len(b) + sha1.BlockSize - 1) / sha1.BlockSize * sha1.BlockSize
	out := make([]byte, size)
	for n := range out {
		out[n] = b[n%len(b)]
	}
	return out
}
