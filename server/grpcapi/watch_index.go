package grpcapi

import (
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// watchSide is what of a path a watch looks at.
type watchSide uint8

const (
	sideSelf  watchSide = iota // the znode
	sideChild                  // its children come and go
	sideBelow                  // the znode and everything below it
)

// sidesOf are the sides of each kind of watch; a kind that has none does not exist.
var sidesOf = map[paddockv1.WatchKind][]watchSide{
	paddockv1.WatchKind_WATCH_KIND_DATA_ONCE:     {sideSelf},
	paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE: {sideSelf, sideChild},
	paddockv1.WatchKind_WATCH_KIND_PERSISTENT:    {sideSelf, sideChild},
	paddockv1.WatchKind_WATCH_KIND_RECURSIVE:     {sideBelow},
}

type watchPlace struct {
	path string
	side watchSide
}

// watchIndex finds the watches that a change is for, by the paths it is told at.
type watchIndex struct {
	at    map[watchPlace][]*watching
	below int // watches with sideBelow
	lists int // watches that are told of access lists
	size  int
}

func newWatchIndex() *watchIndex { return &watchIndex{at: map[watchPlace][]*watching{}} }

// add adds a watch that is in no index.
func (x *watchIndex) add(w *watching) {
	for i, side := range sidesOf[w.kind] {
		p := watchPlace{w.path, side}
		w.slots[i] = len(x.at[p])
		x.at[p] = append(x.at[p], w)
		if side == sideBelow {
			x.below++
		}
	}
	if w.ofLists() {
		x.lists++
	}
	w.index = x
	x.size++
}

// remove takes a watch out, if it is here.
func (x *watchIndex) remove(w *watching) {
	if w.index != x {
		return
	}
	for i, side := range sidesOf[w.kind] {
		p := watchPlace{w.path, side}
		list := x.at[p]
		last := len(list) - 1
		moved := list[last]
		list[w.slots[i]], list[last] = moved, nil
		for j, other := range sidesOf[moved.kind] {
			if other == side {
				moved.slots[j] = w.slots[i]
			}
		}
		if x.at[p] = list[:last]; last == 0 {
			delete(x.at, p)
		}
		if side == sideBelow {
			x.below--
		}
	}
	if w.ofLists() {
		x.lists--
	}
	w.index = nil
	x.size--
}

// watchHit is a watch that a change is for. ofParent tells that it is told as a child of what it watches: whoever may list the
// children may know of it.
type watchHit struct {
	*watching
	ofParent bool
}

// match appends the watches that a change is for, each once.
func (x *watchIndex) match(hits []watchHit, kind zk.EventType, path string) []watchHit {
	if kind == zk.NodeACLChanged && x.lists == 0 {
		return hits
	}
	for _, w := range x.at[watchPlace{path, sideSelf}] {
		if kind == zk.NodeDeleted || w.kind != paddockv1.WatchKind_WATCH_KIND_CHILDREN_ONCE {
			hits = append(hits, watchHit{w, false})
		}
	}
	if comesOrGoes(kind) {
		for _, w := range x.at[watchPlace{parentOf(path), sideChild}] {
			hits = append(hits, watchHit{w, true})
		}
	}
	if x.below == 0 {
		return hits
	}
	for p := path; ; p = parentOf(p) {
		for _, w := range x.at[watchPlace{p, sideBelow}] {
			hits = append(hits, watchHit{w, false})
		}
		if p == zk.RootPath {
			return hits
		}
	}
}

// wants tells whether a change is for any watch.
func (x *watchIndex) wants(kind zk.EventType, path string) bool {
	switch {
	case kind == zk.NodeACLChanged && x.lists == 0:
		return false
	case len(x.at[watchPlace{path, sideSelf}]) > 0:
		return true
	case comesOrGoes(kind) && len(x.at[watchPlace{parentOf(path), sideChild}]) > 0:
		return true
	case x.below == 0:
		return false
	}
	for p := path; ; p = parentOf(p) {
		if len(x.at[watchPlace{p, sideBelow}]) > 0 {
			return true
		}
		if p == zk.RootPath {
			return false
		}
	}
}

// comesOrGoes tells whether a change is one of the parent's children too.
func comesOrGoes(kind zk.EventType) bool { return kind == zk.NodeCreated || kind == zk.NodeDeleted }

// parentOf is the path of the parent; that of the root is the root.
func parentOf(path string) string {
	if p := zk.ParentPath(path); p != "" {
		return p
	}
	return zk.RootPath
}
