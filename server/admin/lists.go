package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"paddock/internal/zk"
)

// dump lists what will expire, when, and which znodes go with it.
func (w *Words) dump() []byte {
	s, ok := w.src.Sessions()
	if !ok {
		return nil
	}
	var b []byte
	if s.Learner {
		b = known(s.Known)
	} else {
		b = expiries(s.Buckets)
	}
	b = fmt.Appendf(b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(s.Ephemerals))
	slices.SortFunc(s.Ephemerals, func(x, y Ephemerals) int { return cmp.Compare(x.Session, y.Session) })
	for _, e := range s.Ephemerals {
		b = append(appendHex(b, e.Session), ":\n"...)
		b = appendPaths(b, e.Paths)
	}
	return w.dumpConnections(append(b, "Connections dump:\n"...))
}

// known lists the sessions of a server that does not expire them.
func known(list []Session) []byte {
	slices.SortFunc(list, func(x, y Session) int { return cmp.Compare(x.ID, y.ID) })
	b := fmt.Appendf(nil, "SessionTracker dump:\nGlobal Sessions(%d):\n", len(list))
	for _, s := range list {
		b = fmt.Appendf(appendHex(b, s.ID), "\t%dms\n", s.TimeoutMS)
	}
	return b
}

// expiries lists sessions by when they expire.
func expiries(buckets []Bucket) []byte {
	slices.SortFunc(buckets, func(x, y Bucket) int { return x.Expires.Compare(y.Expires) })
	n := 0
	for i := range buckets {
		n += len(buckets[i].Sessions)
	}
	b := fmt.Appendf(nil, "SessionTracker dump:\nSession Sets (%d)/(%d):\n", len(buckets), n)
	for _, k := range buckets {
		b = appendExpiry(b, len(k.Sessions), k.Expires)
		slices.Sort(k.Sessions)
		for _, id := range k.Sessions {
			b = append(appendHex(append(b, '\t'), id), '\n')
		}
	}
	return b
}

// dumpConnections lists when connections are given up, those of one second together. A server that does not know says
// nothing, like a ZooKeeper whose connections are Netty's.
func (w *Words) dumpConnections(b []byte) []byte {
	list := slices.DeleteFunc(w.connections(), func(c Connection) bool { return c.IdleUntil.IsZero() })
	if len(list) == 0 {
		return b
	}
	for i := range list {
		list[i].IdleUntil = list[i].IdleUntil.Truncate(time.Second)
	}
	slices.SortStableFunc(list, func(x, y Connection) int { return x.IdleUntil.Compare(y.IdleUntil) })
	var sets [][]Connection
	for from, i := 0, 1; i <= len(list); i++ {
		if i == len(list) || !list[i].IdleUntil.Equal(list[from].IdleUntil) {
			sets, from = append(sets, list[from:i]), i
		}
	}
	b = fmt.Appendf(b, "Connections Sets (%d)/(%d):\n", len(sets), len(list))
	for _, set := range sets {
		b = appendExpiry(b, len(set), set[0].IdleUntil)
		for _, c := range set {
			b = appendAddr(append(b, "\tip: "...), c.Addr)
			b = append(appendHex(append(b, " sessionId: "...), c.Session), '\n')
		}
	}
	return b
}

func appendExpiry(b []byte, members int, at time.Time) []byte {
	b = append(strconv.AppendInt(b, int64(members), 10), " expire at "...)
	return append(appendDate(b, at), ":\n"...)
}

func appendPaths(b []byte, paths []string) []byte {
	slices.Sort(paths)
	for _, p := range paths {
		b = append(append(append(b, '\t'), p...), '\n')
	}
	return b
}

func (w *Words) wchs() []byte {
	c, ok := w.src.WatchCounts()
	if !ok {
		return nil
	}
	return fmt.Appendf(nil, "%d connections watching %d paths\nTotal watches:%d\n", c.Connections, c.Paths, c.Watches)
}

// wchp lists the sessions by the path they watch.
func (w *Words) wchp() []byte {
	list, ok := w.src.Watches()
	if !ok {
		return nil
	}
	slices.SortFunc(list, func(x, y PathWatches) int { return cmp.Compare(x.Path, y.Path) })
	var b []byte
	for _, p := range list {
		b = append(append(b, p.Path...), '\n')
		slices.Sort(p.Sessions)
		for _, id := range p.Sessions {
			b = append(appendHex(append(b, '\t'), id), '\n')
		}
	}
	return append(b, '\n')
}

// bySession are the paths that each session watches, in the order of the list.
func bySession(list []PathWatches) map[zk.SessionID][]string {
	paths := map[zk.SessionID][]string{}
	for _, p := range list {
		for _, id := range p.Sessions {
			paths[id] = append(paths[id], p.Path)
		}
	}
	return paths
}

// wchc lists the paths by the session that watches them.
func (w *Words) wchc() []byte {
	list, ok := w.src.Watches()
	if !ok {
		return nil
	}
	paths := bySession(list)
	var b []byte
	for _, id := range slices.Sorted(maps.Keys(paths)) {
		b = append(appendHex(b, id), '\n')
		b = appendPaths(b, paths[id])
	}
	return append(b, '\n')
}

// hash lists digests of the tree, by zxid. ZooKeeper prints the digest as a signed number.
func (w *Words) hash() []byte {
	list, ok := w.src.TreeDigests()
	if !ok {
		return nil
	}
	b := []byte{}
	for _, d := range list {
		b = append(strconv.AppendUint(b, uint64(d.Zxid), 16), ": "...)
		b = append(strconv.AppendInt(b, int64(d.Digest), 10), '\n')
	}
	return b
}
