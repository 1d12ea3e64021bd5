package watches

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"paddock/client"
)

// digest stands for data: its hash, never 0. 0 is for none.
type digest uint64

// unknown is the data of one of several writes in doubt, of which nobody was told which it was. No hash is even.
const unknown = ^digest(0) - 1

// change is one change of one znode, as it was written or as it was told.
type change struct {
	kind     client.ChangeType
	path     string
	zxid     uint64
	data     digest // of a creation or a change of data
	previous digest // 0 where it is not known
	secret   bool   // of a creation or accessSet: strangers may not read it from here on
	list     digest // of a creation or accessSet: the access list; 0 where it is not told
	oldList  digest // of a deletion or accessSet: the one before; 0 where it is not known
	access          // of what was written, once all is known
}

// accessSet is the kind of a change that is told to watchers of access lists alone: who may read the znode is set.
const accessSet = client.ACLChanged

func (c change) String() string {
	return fmt.Sprintf("%v %s at %#x (%x, was %x; list %x, was %x)", c.kind, c.path, c.zxid, c.data, c.previous, c.list, c.oldList)
}

// what is what is known of a change before its zxid is.
func (c change) what() change {
	if c.kind == accessSet {
		return change{kind: c.kind, path: c.path, list: c.list}
	}
	return change{kind: c.kind, path: c.path, data: c.data} // which is told to all who may read it
}

// write is one transaction that was asked for.
type write struct {
	changes []change // without zxids
	zxid    uint64   // 0 if it was not acknowledged: it may have happened, or not
}

// znode is what a list says of one.
type znode struct {
	data  digest
	mzxid uint64
}

// kind is what a watch is told of a path.
type kind int

const (
	node kind = iota
	recursive
	dataOnce     // is begun again whenever it is over
	childrenOnce // so is this
)

func (k kind) once() bool { return k == dataOnce || k == childrenOnce }

// scope is what a watch sees.
type scope struct {
	path string
	kind kind
}

func (s scope) sees(c change) bool {
	switch {
	case s.ofParent(c):
		return s.kind == node || s.kind == childrenOnce
	case s.kind == childrenOnce:
		return c.path == s.path && c.kind == client.Deleted
	case c.path == s.path:
		return true
	}
	return s.kind == recursive && strings.HasPrefix(c.path, s.path+"/")
}

// ofParent tells that the watch sees a change because a child has come or gone.
func (s scope) ofParent(c change) bool {
	return s.kind != recursive && path.Dir(c.path) == s.path && (c.kind == client.Created || c.kind == client.Deleted)
}

// stretch is what a watcher was told after a zxid, up to another. The first is followed by others if history was gone.
type stretch struct {
	list        map[string]znode // what there was at after, below the watched path; nil if it was not asked for
	after, upTo uint64
	told        []change
}

// told is what one watcher was told.
type told struct {
	name     string
	stranger bool // may not read what is secret
	lists    bool // is told access lists, which all may administer and thus see
	scope
	stretches []stretch
}

// sees tells whether it is to know of a change, if it may.
func (t told) sees(c change) bool {
	return (c.kind != accessSet || t.lists && !t.kind.once()) && t.scope.sees(c)
}

// judgement compares what watchers were told with what was written.
type judgement struct {
	at     map[uint64]*write // by zxid
	doubt  map[change]*write // those that may have happened, by each of their changes
	zxids  []uint64          // of at, in order
	faults []string

	vanished map[string]bool // znodes whose deletion nobody was told or promised
	accesses accesses
	live     uint64 // after this zxid all watchers are told from memory
	denied   int    // changes that strangers were rightly not told
}

// judge returns what was told wrongly, nothing if all is well. A change that nobody was promised, was told or found in a list has not
// happened. After live nothing is told from logs. denied counts what strangers were rightly not told.
func judge(writes []write, all []told, live uint64) (faults []string, denied int) {
	j := judgement{at: map[uint64]*write{}, doubt: map[change]*write{}, vanished: map[string]bool{}, live: live, accesses: newAccesses()}
	for i := range writes {
		w := &writes[i]
		switch {
		case w.zxid == 0:
			for _, c := range w.changes {
				j.doubt[c.what()] = w
			}
		case j.at[w.zxid] != nil:
			j.fault("two writes are acknowledged with zxid %#x", w.zxid)
		default:
			j.at[w.zxid] = w
		}
	}
	for _, whole := range []bool{true, false} { // what is told without its data is mostly told with it to others, or listed
		for _, t := range all {
			for _, s := range t.stretches {
				j.settle(t.name, s.told, whole)
			}
		}
		for _, t := range all {
			for _, s := range t.stretches {
				j.settleList(s.list)
			}
		}
	}
	j.replay()
	j.deletions(all)
	for _, t := range all {
		j.watcher(t)
	}
	return j.faults, j.denied
}

func (j *judgement) fault(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

// settle gives zxids to writes in doubt that a watcher was told of, with their data or, unless whole, without.
func (j *judgement) settle(name string, list []change, whole bool) {
	for _, c := range list {
		withheld := c.data == 0 && c.kind == client.DataChanged
		if j.at[c.zxid] != nil || whole == withheld {
			continue
		}
		w := j.doubt[c.what()]
		if withheld {
			w = j.withheld(c)
		}
		switch {
		case w == nil:
			j.fault("%s was told what nobody wrote: %v", name, c)
		case w.zxid != 0:
			j.fault("%s was told of a write at %#x that others were told of at %#x: %v", name, c.zxid, w.zxid, c)
		default:
			w.zxid = c.zxid
			j.at[c.zxid] = w
		}
	}
}

// withheld is the write in doubt of which somebody was told without the data. If it can be one of several the data is unknown.
func (j *judgement) withheld(told change) (found *write) {
	for c, w := range j.doubt {
		if c.kind != told.kind || c.path != told.path || w.zxid != 0 {
			continue
		}
		if found != nil {
			return &write{changes: []change{{kind: told.kind, path: told.path, data: unknown}}}
		}
		found = w
	}
	return found
}

// settleList gives zxids to writes in doubt whose data a list has.
func (j *judgement) settleList(list map[string]znode) {
	for p, n := range list {
		for _, kind := range []client.ChangeType{client.Created, client.DataChanged} {
			if w := j.doubt[change{kind: kind, path: p, data: n.data}]; w != nil && w.zxid == 0 {
				w.zxid = n.mzxid
				j.at[n.mzxid] = w
			}
		}
	}
}

// replay fills in zxids and what was there before.
func (j *judgement) replay() {
	for c, w := range j.doubt {
		switch {
		case w.zxid != 0:
		case c.kind == client.Deleted:
			j.accesses.gone[c.path] = true
		case c.kind == accessSet:
			j.accesses.dark[c.path] = true
		}
	}
	for z := range j.at {
		j.zxids = append(j.zxids, z)
	}
	slices.Sort(j.zxids)
	state, lists := map[string]digest{}, map[string]digest{}
	for _, z := range j.zxids {
		list := slices.Clone(j.at[z].changes)
		for i := range list {
			if c := &list[i]; c.kind != client.DataChanged {
				c.oldList, lists[c.path] = lists[c.path], c.list
			}
			list[i].zxid, list[i].previous = z, state[list[i].path]
			list[i].access = j.accesses.next(list[i])
			advance(state, list[i])
		}
		j.at[z] = &write{changes: list, zxid: z}
	}
}

func advance(state map[string]digest, c change) {
	switch c.kind {
	case client.Deleted:
		delete(state, c.path)
	case client.Created, client.DataChanged:
		state[c.path] = c.data
	}
}

// deletions judges those in doubt that lists show to have happened though nobody was told: nobody may have been told all that lies
// between the last zxid at which the znode is known to be there and the first list without it.
func (j *judgement) deletions(all []told) {
	for c, w := range j.doubt {
		if c.kind != client.Deleted || w.zxid != 0 {
			continue
		}
		after, before := j.vanishing(c, all)
		if before == 0 {
			continue
		}
		j.vanished[c.path] = true
		for _, t := range all {
			for _, s := range t.stretches {
				if t.sees(c) && !t.stranger && s.after <= after && s.upTo >= before {
					j.fault("%s, told all after %#x up to %#x, was not told that %s was deleted between %#x and %#x", t.name, s.after, s.upTo, c.path, after, before)
				}
			}
		}
	}
}

// vanishing is when the znode of a deletion was there last, and the zxid of the first list without it; 0 if there is none.
func (j *judgement) vanishing(c change, all []told) (after, before uint64) {
	for _, z := range j.zxids {
		if slices.ContainsFunc(j.at[z].changes, func(made change) bool { return made.path == c.path }) {
			after = z
		}
	}
	if after == 0 {
		return 0, 0 // it never was
	}
	for _, t := range all {
		for _, s := range t.stretches {
			if _, there := s.list[c.path]; there {
				after = max(after, s.after)
			}
		}
	}
	for _, t := range all {
		for _, s := range t.stretches {
			_, there := s.list[c.path]
			if s.list != nil && !there && (scope{t.path, recursive}).sees(c) && s.after >= after && (before == 0 || s.after < before) {
				before = s.after
			}
		}
	}
	return after, before
}

// watcher judges what one watcher was told.
func (j *judgement) watcher(t told) {
	last := uint64(0)
	for _, s := range t.stretches {
		if s.after < last {
			j.fault("%s had been told up to %#x and was to list at %#x", t.name, last, s.after)
		}
		last = s.upTo
		if s.list != nil {
			j.list(t, s)
		}
		j.stretch(t, s)
	}
}

// list judges what a watcher found when it listed.
func (j *judgement) list(t told, s stretch) {
	state := map[string]digest{}
	for _, z := range j.zxids {
		if z > s.after {
			break
		}
		for _, c := range j.at[z].changes {
			advance(state, c)
		}
	}
	below := scope{t.path, recursive}
	for p, d := range state {
		n, there := s.list[p]
		if below.sees(change{path: p}) && n.data != d && d != unknown && (there || !j.vanished[p]) {
			j.fault("%s listed at %#x: %s is %x of %#x, want %x", t.name, s.after, p, n.data, n.mzxid, d)
			return
		}
	}
	for p := range s.list {
		if state[p] == 0 {
			j.fault("%s listed at %#x: there is no %s", t.name, s.after, p)
			return
		}
	}
}

// stretch judges what a watcher was told in one go; it stops at the first fault.
func (j *judgement) stretch(t told, s stretch) {
	from, found := slices.BinarySearch(j.zxids, s.after)
	if found {
		from++
	}
	n := 0
	for _, z := range j.zxids[from:] {
		if z > s.upTo {
			break
		}
		for _, want := range j.at[z].changes {
			if !t.sees(want) {
				continue
			}
			may := j.may(t, want)
			if n == len(s.told) || !s.told[n].same(want) {
				if may == must {
					j.fault("%s, told all up to %#x, was not told %v, but %v", t.name, s.upTo, want, s.told[max(0, n-2):min(n+1, len(s.told))])
					return
				}
				j.denied++
				continue
			}
			if wrong := j.wrong(t, s.told[n], want, may); wrong != "" {
				j.fault("%s was told %v, want %v: %s; before that %v", t.name, s.told[n], want, wrong, s.told[max(0, n-2):n])
				return
			}
			if n++; t.kind.once() {
				break // it is begun again after this transaction
			}
		}
	}
	if n < len(s.told) {
		j.fault("%s was told too much: %v", t.name, s.told[n])
	}
	if !slices.IsSortedFunc(s.told, func(a, b change) int { return cmp.Compare(a.zxid, b.zxid) }) {
		j.fault("%s was told zxids out of order", t.name)
	}
}
