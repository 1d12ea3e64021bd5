package watch

import (
	"strings"

	"paddock/internal/zk"
	"paddock/server/request"
)

// Kind is a set of ways to watch a path.
type Kind uint8

// The kinds. Each belongs to one of the two tables; recursive watches are data watches.
const (
	DataOneShot     Kind = 1 << iota // exists and getData: the next change of the znode itself
	ChildOneShot                     // getChildren: the next change of its children, or its end
	DataPersistent                   // half of Persistent
	ChildPersistent                  // half of Persistent
	Recursive                        // addWatch, recursive: changes of the znode and of all below it

	Persistent = DataPersistent | ChildPersistent // addWatch

	dataKinds  = DataOneShot | DataPersistent | Recursive
	childKinds = ChildOneShot | ChildPersistent
)

// Side names one of the two tables of watches.
type Side uint8

// The tables.
const (
	Data Side = iota
	Child
	sides = 2
)

// Table holds the watches of one server. Not safe for concurrent use.
//
// A watch is an entry in two rings at once: those of its path and side, and those of its client. Entries are found
// by walking the ring of the path, or, where many watch a path, by an index. In the ring of data watches the
// recursive ones come first, so that a change further down need not look at the others.
type Table struct {
	paths   map[string]uint32
	clients map[request.ClientID]uint32
	path    slab[pathInfo]
	client  slab[clientInfo]
	entry   slab[entry]

	counts     [sides]Counts
	recursive  []lengthCount // lengths of recursively watched paths, longest first
	pathBytes  int
	indexSlots int      // in the indexes of all paths
	peak       int      // most paths or clients since the maps were made
	round      uint32   // the event being collected; see clientInfo.told
	firings    []Firing // storage for Trigger
}

// Counts are the figures of one table.
type Counts struct {
	Paths, Connections, Watches int // a watch is one pair of path and connection, whatever its kinds
}

// pathInfo is a path that somebody watches.
type pathInfo struct {
	path  string
	index *index        // of both rings, once there are many entries
	head  [sides]uint32 // first entry of each ring
	n     [sides]uint32 // entries in each ring
}

// clientInfo is a connection that watches something.
type clientInfo struct {
	id   request.ClientID
	head uint32
	n    [sides]uint32
	told uint32 // the last round this connection was collected in
}

// entry is one connection watching one path in one table.
type entry struct {
	path, client           uint32
	pathNext, pathPrev     uint32 // ring; never 0
	clientNext, clientPrev uint32 // ring; never 0
	side                   Side
	kinds                  Kind // never empty, and of this side only
}

// lengthCount is how many recursive watches there are on paths of one length.
type lengthCount struct{ length, n int }

// New returns an empty table.
func New() *Table {
	return &Table{paths: map[string]uint32{}, clients: map[request.ClientID]uint32{}}
}

// Add makes the client watch the path in the given ways, beside those it does already. The path may be any string
// and is copied if it is new to the table.
func (t *Table) Add(client request.ClientID, path string, kind Kind) {
	if kind&(dataKinds|childKinds) == 0 {
		return
	}
	p, ok := t.paths[path]
	if !ok {
		path = strings.Clone(path)
		p = t.path.take(pathInfo{path: path})
		t.paths[path] = p
		t.pathBytes += len(path)
	}
	c, ok := t.clients[client]
	if !ok {
		c = t.client.take(clientInfo{id: client})
		t.clients[client] = c
	}
	t.peak = max(t.peak, len(t.paths), len(t.clients))
	if k := kind & dataKinds; k != 0 {
		t.add(p, c, Data, k)
	}
	if k := kind & childKinds; k != 0 {
		t.add(p, c, Child, k)
	}
}

// Check tells whether the client has a watch of the given type at exactly this path. A type that does not exist
// matches nothing.
func (t *Table) Check(client request.ClientID, path string, typ zk.WatcherType) bool {
	p, c := t.paths[path], t.clients[client]
	if p == 0 || c == 0 {
		return false
	}
	switch typ {
	case zk.WatcherChildren:
		return t.kinds(p, c, Child)&ChildOneShot != 0
	case zk.WatcherData:
		return t.kinds(p, c, Data)&DataOneShot != 0
	case zk.WatcherAny:
		return t.kinds(p, c, Data) != 0 || t.kinds(p, c, Child) != 0
	case zk.WatcherPersistent:
		return t.kinds(p, c, Data)&DataPersistent != 0
	case zk.WatcherPersistentRecursive:
		return t.kinds(p, c, Data)&Recursive != 0
	default:
		return false
	}
}

// Remove ends the client's watches of the given type at exactly this path, and tells whether Check found any.
func (t *Table) Remove(client request.ClientID, path string, typ zk.WatcherType) bool {
	if !t.Check(client, path, typ) {
		return false
	}
	p, c := t.paths[path], t.clients[client]
	var gone Kind
	switch typ {
	case zk.WatcherChildren:
		gone = ChildOneShot
	case zk.WatcherData:
		gone = DataOneShot
	case zk.WatcherAny:
		gone = dataKinds | childKinds
	case zk.WatcherPersistent:
		gone = Persistent
	case zk.WatcherPersistentRecursive:
		gone = Recursive
	}
	data, child := t.find(p, c, Data), t.find(p, c, Child)
	if data != 0 {
		t.clear(data, gone)
	}
	if child != 0 {
		t.clear(child, gone)
	}
	return true
}

// Drop ends up to most watches of a client, and tells whether there are more.
func (t *Table) Drop(client request.ClientID, most int) (more bool) {
	c := t.clients[client]
	if c == 0 {
		return false
	}
	info := t.client.at(c)
	n := int(info.n[Data] + info.n[Child])
	for range min(n, most) {
		t.clear(info.head, dataKinds|childKinds)
	}
	return n > most
}

// Counts are the figures of one table, as wchs shows those of Data. It costs nothing.
func (t *Table) Counts(side Side) Counts { return t.counts[side] }

// Bytes estimates the memory that the table holds.
func (t *Table) Bytes() int {
	const (
		pathSlotBytes, clientSlotBytes = 45, 30 // of the maps, at their usual load
		indexSlotBytes                 = 4
	)
	return t.entry.bytes() + t.path.bytes() + t.client.bytes() + t.pathBytes +
		len(t.paths)*pathSlotBytes + len(t.clients)*clientSlotBytes + t.indexSlots*indexSlotBytes
}
