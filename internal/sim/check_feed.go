package sim

import (
	"slices"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

// feedRules checks feed-once: one life of a server tells every change that is decided, once and in order, from some moment on; only a
// leader's snapshot may be jumped over.
type feedRules struct {
	begun bool
	at    zk.Zxid // told up to here
	told  []fed   // and not compared yet: the model comes to know of it when a leader decides it
}

// fed is what was told of one txn.
type fed struct {
	after, z zk.Zxid
	partial  bool
	changes  []change
}

// interrupt tells that the tree is another. What was told and is not decided was part of a history that no quorum took up; nobody is
// served, nor told of changes, by a server with such a history.
func (f *feedRules) interrupt() { f.begun, f.told = false, nil }

var fedKinds = map[tree.ChangeKind]zk.EventType{tree.Created: zk.NodeCreated, tree.Deleted: zk.NodeDeleted, tree.DataChanged: zk.NodeDataChanged,
	tree.ACLChanged: zk.NodeACLChanged}

// applied takes what a server tells. It counts once there is anybody to be told: one that has just been elected applies the history it
// has, which may turn out not to be the one.
func (f *feedRules) applied(st *stage, who int, a *replica.Applied, serves bool) {
	if jump := a.After.Counter() == 0 && a.After > f.at; f.begun && a.After != f.at && !jump {
		st.fail("feed-once: server %d tells of %v after %v, and was at %v", who, a.Zxid, a.After, f.at)
	}
	f.begun, f.at = true, a.Zxid
	t := fed{after: a.After, z: a.Zxid, partial: a.Partial}
	for i := range a.Changes {
		if a.Changes[i].Path == zk.ConfigPath {
			continue // the model does not know of reconfigurations
		}
		t.changes = append(t.changes, change{fedKinds[a.Changes[i].Kind], a.Changes[i].Path})
	}
	f.told = append(f.told, t)
	if serves {
		f.compare(st, who)
	}
}

// compare holds what was told against the model, as far as that goes.
func (f *feedRules) compare(st *stage, who int) {
	for len(f.told) > 0 && f.told[0].z <= st.model.last() {
		t := f.told[0]
		f.told = f.told[1:]
		between := st.model.between(t.after, t.z)
		switch {
		case len(between) != 1 || between[0].z != t.z:
			st.fail("feed-once: server %d tells of %v after %v, and between them the model has %+v", who, t.z, t.after, between)
		case !t.partial && !slices.Equal(between[0].changes, t.changes):
			st.fail("feed-once: server %d tells at %v of %v, the model of %v", who, t.z, t.changes, between[0].changes)
		}
	}
}
