package auth

import (
	"cmp"
	"slices"
	"unicode/utf16"

	"paddock/internal/zk"
)

// Add returns the identities of a connection with ids among them, each once; have is not changed.
//
// ZooKeeper compatibility: the identities come in the order of Java's ConcurrentHashMap, which clients see in whoAmI
// and in what an auth entry of an access list expands to.
func Add(have []zk.ID, ids ...zk.ID) []zk.ID {
	out := slices.Clone(have)
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	table := tableSize(len(out))
	slices.SortStableFunc(out, func(a, b zk.ID) int { return cmp.Compare(place(a, table), place(b, table)) })
	return out
}

// tableSize is how many bins Java's map has with n entries: it doubles once it is three quarters full.
func tableSize(n int) uint32 {
	size := 16
	for n >= size*3/4 {
		size *= 2
	}
	return uint32(size)
}

// place is the bin of an identity.
func place(id zk.ID, table uint32) uint32 {
	h := uint32(17)
	h = 37*h + javaHash(id.Scheme)
	h = 37*h + javaHash(id.ID)
	return (h ^ h>>16) & (table - 1)
}

// javaHash is Java's String.hashCode.
func javaHash(s string) (h uint32) {
	for _, unit := range utf16.Encode([]rune(s)) {
		h = 31*h + uint32(unit)
	}
	return h
}
