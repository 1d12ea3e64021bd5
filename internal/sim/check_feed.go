package sim

import (
	"fmt"
	"hash/fnv"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// feedRules check what a process tells of what it applies: every txn that is decided, once and in order, from its start or the last time it
// was given another tree; and of each what every other server tells.
type feedRules struct {
	last zk.Zxid   // told and compared with what was decided
	told []zk.Zxid // since
}

// applied notes a txn, and compares what it has changed with what others have told. Only what the configuration was before may differ: a server
// that adopts one shows it before its txn is applied.
func (f *feedRules) applied(p *process, h *txn.Header, changes []tree.Change) {
	f.told = append(f.told, h.Zxid)
	hash := fnv.New64a()
	for i := range changes {
		c := &changes[i]
		previous := c.Previous
		if c.Path == zk.ConfigPath {
			previous = nil
		}
		fmt.Fprintf(hash, "%d %s %v %v %q %q %v %v\n", c.Kind, c.Path, c.Zxid, c.Stat, c.Data, previous, c.ACL, c.ParentACL)
	}
	sum := hash.Sum64()
	if before, known := p.e.history.changes[h.Zxid]; known && before != sum {
		p.e.fail("one story: server %d tells other changes of %v than were told before", p.m.id, h.Zxid)
	}
	p.e.history.changes[h.Zxid] = sum
}

// jumped goes on from another zxid.
func (f *feedRules) jumped(z zk.Zxid) { f.last, f.told = z, nil }

// settle compares what was told with what is decided, once the server knows that it is.
func (f *feedRules) settle(p *process, z zk.Zxid) {
	if z <= f.last {
		return
	}
	want := p.e.model.between(f.last, z)
	for i, z := range f.told {
		if i >= len(want) || want[i].z != z {
			p.e.fail("one story: server %d tells of %v, %d txns after %v", p.m.id, z, i, f.last)
			return
		}
	}
	if len(f.told) != len(want) {
		p.e.fail("one story: server %d tells of %d txns between %v and %v, and %d were decided", p.m.id, len(f.told), f.last, z, len(want))
	}
	f.last, f.told = z, f.told[:0]
}
