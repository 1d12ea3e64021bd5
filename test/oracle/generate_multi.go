//go:build interop

package oracle

import "strings"

// multi draws a transaction. Without alone it holds only what is deterministic in a burst.
func (g *game) multi(alone bool) request {
	var subs []subOp
	g.gentle = g.chance(700)
	defer func() { g.gentle = false }()
	for range g.rng.IntN(6) {
		// ZooKeeper logs a multi with a null path behind a failing operation, and then cannot apply it.
		if s := g.writeSub(alone); !strings.HasPrefix(s.text, "null") {
			subs = append(subs, s)
		}
	}
	if g.chance(40) {
		if s := g.strangeSub(); !strings.HasPrefix(s.text, "null") {
			subs = append(subs, s)
		}
	}
	r := reqMulti(opMulti, subs)
	for _, s := range subs {
		// A null where ZooKeeper needs a string is an unchecked exception there, after which the sub-ops before it still
		// count for requests in flight.
		if strings.Contains(s.text, ":null:") {
			r.pace = paceAlone
		}
	}
	return r
}

// writeSub draws a sub-op of a transaction.
func (g *game) writeSub(alone bool) subOp {
	switch n := g.rng.IntN(100); {
	case n < 14:
		return sub(reqVersion(opDelete, g.path(), g.version()))
	case n < 35:
		return sub(reqSetData(g.nodePath(), g.data(), g.version()))
	case n < 50:
		return sub(reqVersion(opCheck, g.path(), g.version()))
	}
	op := pick[int32](g, opCreate, opCreate, opCreate2, opCreateContainer, opCreateTTL)
	flags := pick[int32](g, 0, 0, 0, 1, 2, 3)
	switch {
	case op == opCreateContainer:
		flags = pick[int32](g, 4, 4, 0, 2) // 1 and 3 make an ephemeral in 3.8 and a container since
	case op == opCreateTTL:
		flags = pick[int32](g, 5, 6, 5, 6, 0, 4)
	case g.chance(40):
		flags = 4
	case alone && g.chance(60):
		flags = pick[int32](g, 5, 6, 7, -1, 99)
	}
	acl := g.acl()
	path := g.newPath()
	if flags == 2 || flags == 3 || flags == 6 {
		path = g.seqPath()
	}
	if op == opCreateTTL {
		ttl := pick[int64](g, 1, 1000, 1<<40-1, 86_400_000, 86_400_000, 0, 1<<40)
		return subOp{op: op, flags: flags, body: reqCreateTTL(path, g.data(), acl, flags, ttl).body,
			text: reqCreateTTL(path, nil, acl, flags, ttl).text}
	}
	return subCreate(reqCreate(op, path, g.data(), acl, flags), acl, flags)
}

// strangeSub draws a sub-op that has no place in a transaction.
func (g *game) strangeSub() subOp {
	switch g.rng.IntN(4) {
	case 0:
		return sub(reqRead(pick[int32](g, opGetData, opGetChildren), g.path(), false))
	case 1:
		return sub(reqSetACL(g.path(), openACL, -1))
	case 2:
		return sub(reqPath(opSync, g.path()))
	}
	return sub(reqRead(pick[int32](g, opExists, opGetChildren2, 0, 99), g.path(), false))
}

// multiRead draws several reads in one request.
func (g *game) multiRead() request {
	var subs []subOp
	for range g.rng.IntN(6) {
		subs = append(subs, sub(reqRead(pick[int32](g, opGetData, opGetChildren), g.path(), g.chance(300))))
	}
	if g.chance(60) {
		subs = append(subs, pick(g, sub(reqRead(opExists, g.path(), false)), sub(reqVersion(opDelete, g.path(), -1)),
			sub(reqRead(77, g.path(), false))))
	}
	return reqMulti(opMultiRead, subs)
}
