package quorum

import "slices"

// ServerID is the id of a server: the N of server.N, the content of its myid file.
type ServerID int64

// Voters is a set of voting servers in which any majority is a quorum. Make it with New.
type Voters struct{ ids []ServerID }

// New returns the set of the given ids; an id given twice counts once.
func New(ids ...ServerID) Voters {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	return Voters{slices.Compact(sorted)}
}

// IDs are the voters in ascending order. The slice must not be modified.
func (v Voters) IDs() []ServerID { return v.ids }

// Has tells whether id votes.
func (v Voters) Has(id ServerID) bool {
	_, ok := slices.BinarySearch(v.ids, id)
	return ok
}

// Met tells whether the voters for which has is true are a quorum. An empty set never has one.
func (v Voters) Met(has func(ServerID) bool) bool {
	return majority(v.ids, has)
}

// majority tells whether more than half of ids have it.
func majority(ids []ServerID, has func(ServerID) bool) bool {
	n := 0
	for _, id := range ids {
		if has(id) {
			n++
		}
	}
	return len(ids) > 0 && n > len(ids)/2
}
