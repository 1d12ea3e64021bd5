package tree

import (
	"encoding/binary"
	"math/bits"
)

// Odd constants with evenly spread bits: digits of e, pi and the golden ratio.
const (
	hashE   = 0xadf85458a2bb4a9b
	hashPi  = 0x243f6a8885a308d3
	hashPhi = 0x9e3779b97f4a7c15
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hash is a seeded hash of a path: folded 128-bit products of 16 bytes at a time. The seed keeps a client
// from choosing paths that collide.
func hash(seed uint64, path string) uint64 {
	p := bytesOf(path)
	h := seed ^ hashPhi
	n := len(p)
	for ; len(p) > 16; p = p[16:] {
		h = mix(binary.LittleEndian.Uint64(p)^hashE^seed, binary.LittleEndian.Uint64(p[8:])^h)
	}
	var a, b uint64
	switch {
	case len(p) >= 8:
		a, b = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[len(p)-8:])
	case len(p) >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[len(p)-4:]))
	case len(p) > 0:
		a = uint64(p[0])<<16 | uint64(p[len(p)>>1])<<8 | uint64(p[len(p)-1])
	}
	return mix(hashPi^uint64(n)^seed, mix(a^hashE^seed, b^h))
}
