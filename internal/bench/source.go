package bench

import "math/rand/v2"

// znodes names the data znodes of a run, and what is in them.
type znodes struct {
	prefix string // of the path, before the number
	data   []byte
}

// get and set are the templates of requests for one of them.
func (z znodes) get() template { return newTemplate(kindGet, z.prefix, z.data, false) }
func (z znodes) set() template { return newTemplate(kindSet, z.prefix, z.data, false) }

// random asks for znodes at random, forever: reads, and writes at a rate.
type random struct {
	read, write template
	readPercent uint64
	keys        uint64
	rng         *rand.PCG
}

// newRandom makes the source of one lane; the seed tells lanes apart.
func newRandom(z znodes, readPercent, keys int, seed uint64) *random {
	return &random{read: z.get(), write: z.set(), readPercent: uint64(readPercent), keys: uint64(keys), rng: rand.NewPCG(seed, 2)}
}

func (s *random) next() (*template, int) {
	v := s.rng.Uint64()
	key := int((v >> 32) * s.keys >> 32)
	if uint64(uint32(v))*100>>32 < s.readPercent {
		return &s.read, key
	}
	return &s.write, key
}

// cycle creates znodes up to a limit, deletes them in the same order, and begins again.
type cycle struct {
	create, delete template
	limit          int
	at             int
	deleting       bool
	top            int // no znode from here on was ever asked for
}

// newCycle makes the source of one lane. The znodes are its own.
func newCycle(z znodes, limit int) *cycle {
	return &cycle{create: newTemplate(kindCreate, z.prefix, z.data, false), delete: newTemplate(kindDelete, z.prefix, nil, false),
		limit: limit}
}

func (s *cycle) next() (*template, int) {
	if s.at == s.limit {
		s.at, s.deleting = 0, !s.deleting
	}
	key := s.at
	s.at++
	if s.deleting {
		return &s.delete, key
	}
	s.top = max(s.top, s.at)
	return &s.create, key
}

// sequence asks the same of the znodes from at to end, once.
type sequence struct {
	what    template
	at, end int
}

func (s *sequence) next() (*template, int) {
	if s.at == s.end {
		return nil, 0
	}
	s.at++
	return &s.what, s.at - 1
}
