package watches

import (
	"path"

	"paddock/client"
)

// access is who may know of a change: whether the znode and its parent are secret at that moment, and the place of the change among all.
type access struct {
	own, parent bool
	seq         int
}

// accesses are the access lists of all znodes at all times. No path is used twice.
type accesses struct {
	of   map[string][]access // by path, oldest first; own alone counts
	gone map[string]bool     // znodes that are deleted, or may be
	dark map[string]bool     // znodes whose lists are not known, since one was set in doubt
	seq  int
}

func newAccesses() accesses {
	return accesses{of: map[string][]access{}, gone: map[string]bool{}, dark: map[string]bool{}}
}

// next takes the change that follows.
func (a *accesses) next(c change) access {
	a.seq++
	switch c.kind {
	case client.Created, accessSet:
		a.of[c.path] = append(a.of[c.path], access{own: c.secret, seq: a.seq})
	case client.Deleted:
		a.gone[c.path] = true
	}
	return access{own: a.at(c.path, a.seq), parent: a.at(path.Dir(c.path), a.seq), seq: a.seq}
}

// at tells whether a znode is secret at a moment.
func (a *accesses) at(path string, seq int) (secret bool) {
	for _, s := range a.of[path] {
		if s.seq <= seq {
			secret = s.own
		}
	}
	return secret
}

// later tells whether a znode is secret, or is not, at some time after a moment; once it is gone its ancestors count.
func (a *accesses) later(of string, seq int, secret bool) bool {
	if a.dark[of] {
		return true
	}
	for _, s := range a.of[of] {
		if s.seq > seq && s.own == secret {
			return true
		}
	}
	if !a.gone[of] || of == "/" {
		return false
	}
	of = path.Dir(of)
	return a.at(of, seq) == secret || a.later(of, seq, secret)
}

// verdict is whether a watcher is told.
type verdict int

const (
	never verdict = iota
	perhaps
	must
)

// may judges whether a watcher is told a change that it sees. What comes from the log may be judged by a later access list, unless the
// log tells what it was then, as it always does of a creation.
func (j *judgement) may(t told, c change) verdict {
	of, secret := c.path, c.own
	if t.ofParent(c) {
		of, secret = t.path, c.parent
	}
	sure := c.zxid > j.live && !j.accesses.dark[of] || c.kind == client.Created && !t.ofParent(c)
	switch {
	case !t.stranger || c.kind == accessSet:
		return must
	case !sure && j.accesses.later(of, c.seq, !secret):
		return perhaps
	case secret:
		return never
	}
	return must
}

// same tells that what was told is of a change.
func (c change) same(want change) bool {
	return c.kind == want.kind && c.path == want.path && c.zxid == want.zxid
}

// wrong is what is wrong with what a watcher was told of a change; "" if nothing is.
func (j *judgement) wrong(t told, got, want change, may verdict) string {
	if wrong := j.wrongLists(t, got, want); wrong != "" || want.kind == accessSet {
		return wrong
	}
	fromMemory := got.previous != 0 || want.zxid > j.live
	dark := t.stranger && j.accesses.dark[want.path]
	hidden := t.stranger && want.own && !dark
	secret := hidden
	if t.ofParent(want) {
		secret = t.stranger && want.parent && !j.accesses.dark[t.path]
	}
	lists := len(j.accesses.of[want.path]) != 1 || j.accesses.gone[want.path] || j.accesses.dark[want.path] // it may have had more than one
	switch {
	case may == never || fromMemory && secret:
		return "it is secret"
	case got.previous != 0 && (got.previous != want.previous && want.previous != unknown || hidden):
		return "what was there before"
	case got.data != 0 && (got.data != want.data || hidden):
		return "the data"
	case got.data == 0 && want.data != 0 && want.data != unknown && !hidden && !dark && (fromMemory || !lists || want.kind != client.DataChanged):
		return "without data"
	}
	return ""
}

// wrongLists is what is wrong with the access lists that a watcher was told.
func (j *judgement) wrongLists(t told, got, want change) string {
	fromMemory := got.previous != 0 || want.zxid > j.live
	now, before := want.kind == client.Created || want.kind == accessSet, want.kind == client.Deleted || want.kind == accessSet
	switch {
	case !t.lists || !now && !before:
		now, before = false, false
	case now && got.list != want.list:
		return "the access list"
	case before && got.oldList == 0 && fromMemory:
		return "without the access list before"
	case before && got.oldList != 0 && got.oldList != want.oldList && !j.accesses.dark[want.path]:
		return "the access list before"
	}
	if !now && got.list != 0 || !before && got.oldList != 0 {
		return "an access list"
	}
	return ""
}
