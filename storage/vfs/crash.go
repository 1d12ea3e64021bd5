package vfs

import (
	"math/rand/v2"
	"slices"
)

// CrashClone returns the file system as it might be found after the power failed at this moment: everything synced is
// there; of the rest, what the seed chooses. All of it is durable in the clone, and nothing is locked. The same state and
// seed give the same clone. m itself is unchanged.
func (m *Mem) CrashClone(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := crash{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), done: map[*node]*node{}}
	out := NewMem()
	out.space = m.space
	out.root = c.node(m.root)
	return out
}

type crash struct {
	rng  *rand.Rand
	done map[*node]*node
}

// keep is a way to choose which un-synced things survive, in the order in which they were made.
type keep struct {
	rng    *rand.Rand
	prefix int     // things that surely survive, counted down
	p      float64 // chance of each after those
}

func (c crash) keep(n int) *keep {
	k := &keep{rng: c.rng}
	switch c.rng.IntN(6) {
	case 0: // nothing
	case 1: // everything
		k.prefix = n
	case 2, 3: // in order, up to some point
		k.prefix = c.rng.IntN(n + 1)
	case 4:
		k.p = 0.5
	case 5:
		k.p = []float64{0.1, 0.9}[c.rng.IntN(2)]
	}
	return k
}

func (k *keep) next() bool {
	if k.prefix > 0 {
		k.prefix--
		return true
	}
	return k.p > 0 && k.rng.Float64() < k.p
}

func (c crash) node(n *node) *node {
	if out, ok := c.done[n]; ok {
		return out
	}
	out := &node{dir: n.dir}
	c.done[n] = out
	if !n.dir {
		out.content = c.content(&n.content)
		return out
	}
	survived := make(map[string]*node, len(n.durable))
	for name, child := range n.durable {
		survived[name] = child
	}
	k := c.keep(len(n.pending))
	for _, op := range n.pending {
		if k.next() {
			applyTo(survived, op)
		}
	}
	out.entries, out.durable = map[string]*node{}, map[string]*node{}
	for _, name := range sortedNames(survived) {
		child := c.node(survived[name])
		out.entries[name], out.durable[name] = child, child
	}
	return out
}

func (c crash) content(n *content) content {
	size := c.size(n)
	out := content{size: size, durableSize: size, pages: make([]*page, pagesFor(size))}
	copy(out.pages, n.durable)

	unsynced := make([]int, 0, len(n.dirty)+len(n.lost))
	total := 0
	for i := range n.dirty {
		unsynced = append(unsynced, i)
	}
	for i := range n.lost {
		if _, both := n.dirty[i]; !both {
			unsynced = append(unsynced, i)
		}
	}
	slices.Sort(unsynced)
	for _, i := range unsynced {
		total += sectors(n.dirty[i] | n.lost[i])
	}
	k := c.keep(total)
	for _, i := range unsynced {
		mask, survived := n.dirty[i]|n.lost[i], uint8(0)
		for s := range pageSize / SectorSize {
			if mask&(1<<s) != 0 && k.next() {
				survived |= 1 << s
			}
		}
		now, before := n.pages[i], pageAt(n.durable, i)
		if i < len(out.pages) && (now != nil || before != nil) {
			out.pages[i] = mix(now, before, survived)
		}
	}
	out.cutTail()
	out.durable = slices.Clone(out.pages)
	return out
}

// size chooses the size a crash leaves: the synced one, the current one or, for a file that grew, one between.
func (c crash) size(n *content) int64 {
	switch k := c.rng.IntN(4); {
	case n.size == n.durableSize || k == 0:
		return n.durableSize
	case k == 1 || n.size < n.durableSize:
		return n.size
	default:
		return n.durableSize + c.rng.Int64N(n.size-n.durableSize)
	}
}

// cutTail makes sure that nothing lies behind the end, ready to appear when the file grows.
func (c *content) cutTail() {
	from := int(c.size % pageSize)
	if from == 0 || c.pages[len(c.pages)-1] == nil {
		return
	}
	p := *c.pages[len(c.pages)-1]
	clear(p[from:])
	c.pages[len(c.pages)-1] = &p
}

func sectors(mask uint8) int {
	n := 0
	for ; mask != 0; mask &= mask - 1 {
		n++
	}
	return n
}
