package replica

import (
	"paddock/internal/jute"
	"paddock/internal/txn"
)

// arenaBytes is how much memory for payloads is taken at a time.
const arenaBytes = 128 << 10

// arena encodes records into shared blocks, so that a txn costs no allocation of its own. A block is freed when the
// last payload in it is.
type arena struct {
	block []byte
	enc   jute.Coder
}

// encode returns the payload of rec; it is never modified.
func (a *arena) encode(rec *txn.Record) []byte {
	if cap(a.block)-len(a.block) < 1024 {
		a.block = make([]byte, 0, arenaBytes)
	}
	start := len(a.block)
	a.enc = *jute.Writer(a.block)
	rec.Encode(&a.enc)
	grown := a.enc.Bytes()
	if cap(grown) != cap(a.block) {
		return grown[start:] // did not fit and moved: it has a block of its own
	}
	a.block = grown
	return grown[start:len(grown):len(grown)]
}
