package watch

import (
	"cmp"
	"slices"

	"paddock/server/request"
)

// PathWatches is a path and who watches it, by ascending id.
type PathWatches struct {
	Path    string
	Clients []request.ClientID
}

// ClientWatches is a connection and the paths it watches, in ascending order.
type ClientWatches struct {
	Client request.ClientID
	Paths  []string
}

// ByPath lists one table by ascending path, as wchp does that of Data. Like ByClient it is made for a human to read:
// it costs time and memory in proportion to the watches.
func (t *Table) ByPath(side Side) []PathWatches {
	list := make([]PathWatches, 0, t.counts[side].Paths)
	for path, p := range t.paths {
		info := t.path.at(p)
		if info.n[side] == 0 {
			continue
		}
		clients := make([]request.ClientID, 0, info.n[side])
		e := info.head[side]
		for range info.n[side] {
			it := t.entry.at(e)
			clients, e = append(clients, t.client.at(it.client).id), it.pathNext
		}
		slices.Sort(clients)
		list = append(list, PathWatches{path, clients})
	}
	slices.SortFunc(list, func(a, b PathWatches) int { return cmp.Compare(a.Path, b.Path) })
	return list
}

// ByClient lists one table by ascending client id, as wchc does that of Data.
func (t *Table) ByClient(side Side) []ClientWatches {
	list := make([]ClientWatches, 0, t.counts[side].Connections)
	for id, c := range t.clients {
		info := t.client.at(c)
		if info.n[side] == 0 {
			continue
		}
		paths := make([]string, 0, info.n[side])
		e := info.head
		for range info.n[Data] + info.n[Child] {
			it := t.entry.at(e)
			if it.side == side {
				paths = append(paths, t.path.at(it.path).path)
			}
			e = it.clientNext
		}
		slices.Sort(paths)
		list = append(list, ClientWatches{id, paths})
	}
	slices.SortFunc(list, func(a, b ClientWatches) int { return cmp.Compare(a.Client, b.Client) })
	return list
}
