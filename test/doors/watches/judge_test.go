package watches

import (
	"fmt"
	"slices"
	"testing"

	"paddock/client"
)

// written is a history with a transaction and a write that nobody was promised, and what a perfect watcher is told of it.
func written() ([]write, told) {
	var writes []write
	perfect := told{name: "planted", scope: scope{"/w", recursive}, stretches: []stretch{{}}}
	s := &perfect.stretches[0]
	do := func(zxid uint64, acknowledged bool, changes ...change) {
		w := write{changes: changes}
		if acknowledged {
			w.zxid = zxid
		}
		writes = append(writes, w)
		for _, c := range changes {
			c.zxid = zxid
			s.told = append(s.told, c)
		}
		s.upTo = zxid
	}
	do(1, true, change{kind: client.Created, path: "/w", data: 1})
	for i := range uint64(5) {
		do(10+i, i != 3, change{kind: client.Created, path: fmt.Sprint("/w/", i), data: digest(i + 1)})
	}
	do(20, true, change{kind: client.DataChanged, path: "/w/0", data: 7}, change{kind: client.Deleted, path: "/w/1"})
	do(21, true, change{kind: client.Created, path: "/w/0/x", data: 9})
	writes = append(writes, write{changes: []change{{kind: client.Created, path: "/w/never", data: 3}}})
	return writes, perfect
}

func TestTheJudgeFindsPlantedFaults(t *testing.T) {
	for name, plant := range map[string]func(s *stretch){
		"a change is dropped":              func(s *stretch) { s.told = slices.Delete(s.told, 3, 4) },
		"a change of doubt is dropped":     func(s *stretch) { s.told = slices.Delete(s.told, 4, 5) },
		"the last change is dropped":       func(s *stretch) { s.told = s.told[:len(s.told)-1] },
		"half of a transaction is dropped": func(s *stretch) { s.told = slices.Delete(s.told, 7, 8) },
		"a change comes twice":             func(s *stretch) { s.told = slices.Insert(s.told, 3, s.told[2]) },
		"the last change comes twice":      func(s *stretch) { s.told = append(s.told, s.told[len(s.told)-1]) },
		"two changes are swapped":          func(s *stretch) { s.told[2], s.told[3] = s.told[3], s.told[2] },
		"two of a transaction are swapped": func(s *stretch) { s.told[6], s.told[7] = s.told[7], s.told[6] },
		"a change comes with other data":   func(s *stretch) { s.told[2].data++ },
		"other data is said to have been":  func(s *stretch) { s.told[6].previous = 99 },
		"a change is invented":             func(s *stretch) { s.told = append(s.told, change{kind: client.Deleted, path: "/w/2", zxid: 30}) },
		"a write of doubt comes again": func(s *stretch) {
			again := s.told[4]
			again.zxid = 25
			s.told = append(s.told, again)
		},
		"a list is wrong": func(s *stretch) { s.list = map[string]znode{"/w": {1, 1}} },
		"a list has too much": func(s *stretch) {
			s.list, s.told = map[string]znode{"/w": {1, 1}, "/w/0": {1, 10}, "/w/9": {1, 10}}, s.told[2:]
			s.after = 10
		},
		"the watcher does not know how far":   func(s *stretch) { s.upTo = 20 },
		"the watcher is told what was before": func(s *stretch) { s.after = 10 },
	} {
		t.Run(name, func(t *testing.T) {
			writes, perfect := written()
			whole, planted := perfect, perfect
			planted.stretches = []stretch{perfect.stretches[0]}
			planted.stretches[0].told = slices.Clone(perfect.stretches[0].told)
			plant(&planted.stretches[0])
			if faults, _ := judge(writes, []told{whole, planted}, 0); len(faults) == 0 {
				t.Error("the judge finds nothing")
			}
		})
	}
}

func TestTheJudgeFindsNothingWhereAllIsWell(t *testing.T) {
	writes, perfect := written()
	all := perfect.stretches[0].told
	later := told{name: "later", scope: scope{"/w/0", recursive}, stretches: []stretch{
		{after: 1, upTo: 12, told: all[1:2]},
		{after: 21, upTo: 30, list: map[string]znode{"/w/0": {7, 20}, "/w/0/x": {9, 21}}},
	}}
	node := told{name: "node", scope: scope{"/w", node}, stretches: []stretch{{after: 1, upTo: 30, told: slices.Concat(all[1:6], all[7:8])}}}
	if faults, _ := judge(writes, []told{perfect, later, node}, 0); len(faults) != 0 {
		t.Error(faults)
	}
}

func TestTheJudgeFindsAWatcherSentBack(t *testing.T) {
	writes, perfect := written()
	first := perfect.stretches[0]
	perfect.stretches = append(perfect.stretches, stretch{after: first.upTo - 1, upTo: first.upTo, told: first.told[len(first.told)-1:]})
	if faults, _ := judge(writes, []told{perfect}, 0); len(faults) == 0 {
		t.Error("the judge finds nothing")
	}
}

// What nobody was told and nobody promised shows in lists.
func TestTheJudgeFindsWhatNobodyWasTold(t *testing.T) {
	for name, c := range map[string]change{
		"a change":   {kind: client.DataChanged, path: "/w/2", data: 99},
		"a deletion": {kind: client.Deleted, path: "/w/2"},
	} {
		t.Run(name, func(t *testing.T) {
			writes, perfect := written()
			perfect.stretches[0].upTo = 40
			list := map[string]znode{
				"/w": {1, 1}, "/w/0": {7, 20}, "/w/0/x": {9, 21}, "/w/2": {99, 25}, "/w/3": {4, 13}, "/w/4": {5, 14},
			}
			if c.kind == client.Deleted {
				delete(list, "/w/2")
			}
			lister := told{name: "lister", scope: scope{"/w", recursive}, stretches: []stretch{{list: list, after: 30, upTo: 30}}}
			writes = append(writes, write{changes: []change{c}})
			if faults, _ := judge(slices.Clone(writes), []told{lister}, 0); len(faults) != 0 {
				t.Errorf("without a watcher: %q", faults)
			}
			if faults, _ := judge(slices.Clone(writes), []told{lister, perfect}, 0); len(faults) == 0 {
				t.Error("the judge finds nothing")
			}
		})
	}
}

// hidden is a history with secrets: /w/s is one, /w/p becomes one, /w/o is one no longer and /w/d is deleted; and what a stranger is told
// of it from memory.
func hidden() ([]write, told) {
	var writes []write
	told := told{name: "stranger", stranger: true, scope: scope{"/w", recursive}, stretches: []stretch{{}}}
	s := &told.stretches[0]
	state := map[string]digest{}
	do := func(seen bool, changes ...change) {
		s.upTo++
		writes = append(writes, write{changes: changes, zxid: s.upTo})
		for _, c := range changes {
			c.zxid, c.previous = s.upTo, state[c.path]
			if c.secret = false; seen && c.kind != accessSet {
				s.told = append(s.told, c)
			}
			if c.kind != accessSet {
				state[c.path] = c.data
			}
		}
	}
	do(true, change{kind: client.Created, path: "/w", data: 1})
	do(false, change{kind: client.Created, path: "/w/s", data: 2, secret: true})                                                            // 2
	do(false, change{kind: client.DataChanged, path: "/w/s", data: 3})                                                                      // 3
	do(true, change{kind: client.Created, path: "/w/p", data: 4})                                                                           // 4
	do(true, change{kind: client.DataChanged, path: "/w/p", data: 5})                                                                       // 5
	do(false, change{kind: accessSet, path: "/w/p", secret: true}, change{kind: client.DataChanged, path: "/w/p", data: 6})                 // 6
	do(false, change{kind: client.Created, path: "/w/o", data: 7, secret: true})                                                            // 7
	do(false, change{kind: client.DataChanged, path: "/w/o", data: 8}, change{kind: accessSet, path: "/w/o"})                               // 8
	do(true, change{kind: client.DataChanged, path: "/w/o", data: 9})                                                                       // 9
	do(false, change{kind: client.Created, path: "/w/d", data: 10, secret: true}, change{kind: client.DataChanged, path: "/w/d", data: 11}) // 10
	do(false, change{kind: client.Deleted, path: "/w/d"})                                                                                   // 11
	return writes, told
}

func TestTheJudgeKnowsWhoMayBeTold(t *testing.T) {
	insert := func(s *stretch, c change) {
		at, _ := slices.BinarySearchFunc(s.told, c.zxid, func(c change, z uint64) int { return int(c.zxid) - int(z) })
		s.told = slices.Insert(s.told, at, c)
	}
	for name, c := range map[string]struct {
		plant func(s *stretch)
		live  uint64 // 0: all are told from memory
		fault bool
	}{
		"from memory":      {func(*stretch) {}, 99, false},
		"all from memory":  {func(*stretch) {}, 0, false},
		"a secret is told": {func(s *stretch) { insert(s, change{kind: client.Created, path: "/w/s", zxid: 2, data: 2}) }, 99, true},
		"a change of a secret is told, without its data":  {func(s *stretch) { insert(s, change{kind: client.DataChanged, path: "/w/s", zxid: 3}) }, 99, true},
		"what is public is not told":                      {func(s *stretch) { s.told = s.told[:len(s.told)-1] }, 99, true},
		"a creation before the secret is not told":        {func(s *stretch) { s.told = slices.Delete(s.told, 1, 2) }, 99, true},
		"a change before the secret is not told from log": {func(s *stretch) { s.told = slices.Delete(s.told, 2, 3) }, 99, false},
		"a change before the secret is not told live":     {func(s *stretch) { s.told = slices.Delete(s.told, 2, 3) }, 0, true},
		"a change that was secret is told from the log":   {func(s *stretch) { insert(s, change{kind: client.DataChanged, path: "/w/o", zxid: 8}) }, 99, false},
		"a change that was secret is told with its data":  {func(s *stretch) { insert(s, change{kind: client.DataChanged, path: "/w/o", zxid: 8, data: 8}) }, 99, true},
		"a change that was secret is told live":           {func(s *stretch) { insert(s, change{kind: client.DataChanged, path: "/w/o", zxid: 8, previous: 7}) }, 99, true},
		"a secret that is gone is told with its data":     {func(s *stretch) { insert(s, change{kind: client.DataChanged, path: "/w/d", zxid: 10, data: 11}) }, 99, true},
		"the end of a secret is told from the log":        {func(s *stretch) { insert(s, change{kind: client.Deleted, path: "/w/d", zxid: 11}) }, 99, false},
		"the end of a secret is told live":                {func(s *stretch) { insert(s, change{kind: client.Deleted, path: "/w/d", zxid: 11}) }, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			writes, stranger := hidden()
			c.plant(&stranger.stretches[0])
			faults, denied := judge(writes, []told{stranger}, c.live)
			if c.fault != (len(faults) > 0) || !c.fault && denied == 0 {
				t.Errorf("%q, %d denied", faults, denied)
			}
		})
	}
}

func TestTheJudgeKnowsWatchesThatAreOverAfterOneChange(t *testing.T) {
	writes, perfect := written()
	all := perfect.stretches[0].told
	data := told{name: "data", scope: scope{"/w/0", dataOnce}, stretches: []stretch{{after: 1, upTo: 30, told: []change{all[1], all[6]}}}}
	children := told{name: "children", scope: scope{"/w", childrenOnce}, stretches: []stretch{{after: 1, upTo: 30, told: slices.Concat(all[1:6], all[7:8])}}}
	if faults, _ := judge(slices.Clone(writes), []told{perfect, data, children}, 0); len(faults) != 0 {
		t.Error(faults)
	}
	data.stretches[0].told = all[1:2]
	children.stretches[0].told = all[1:6]
	if faults, _ := judge(writes, []told{perfect, data, children}, 0); len(faults) != 2 {
		t.Errorf("the judge finds %q", faults)
	}
}

// A list that was set in doubt may have been set: a log tells the data of no change of a znode whose list may have been another.
func TestTheJudgeKnowsListsInDoubt(t *testing.T) {
	for doubt, fault := range map[bool]bool{false: true, true: false} {
		writes := []write{
			{changes: []change{{kind: client.Created, path: "/w/q", data: 5}}, zxid: 2},
			{changes: []change{{kind: client.DataChanged, path: "/w/q", data: 6}}, zxid: 3},
		}
		if doubt {
			writes = append(writes, write{changes: []change{{kind: accessSet, path: "/w/q", list: 7}}})
		}
		reader := told{name: "reader", scope: scope{"/w", recursive},
			stretches: []stretch{{after: 2, upTo: 3, told: []change{{kind: client.DataChanged, path: "/w/q", zxid: 3}}}}}
		if faults, _ := judge(writes, []told{reader}, 99); fault != (len(faults) > 0) {
			t.Errorf("a list in doubt: %v; %q", doubt, faults)
		}
	}
}

// What is told without its data may be one of several writes in doubt; a change that nobody asked for is none of them.
func TestTheJudgeKnowsWritesInDoubtToldWithoutData(t *testing.T) {
	for name, c := range map[string]struct {
		doubt []digest // of writes of one znode, one of which happened
		fault bool
	}{
		"it is one of two": {[]digest{21, 23}, false},
		"it is the one":    {[]digest{21}, false},
		"nobody asked":     {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			writes, later := hidden()
			later.stranger = false
			writes = append(writes, write{changes: []change{{kind: client.DataChanged, path: "/w/p", data: 9}}, zxid: 13})
			for _, d := range c.doubt {
				writes = append(writes, write{changes: []change{{kind: client.DataChanged, path: "/w/p", data: d}}})
			}
			later.stretches = []stretch{{after: 11, upTo: 13, told: []change{
				{kind: client.DataChanged, path: "/w/p", zxid: 12}, {kind: client.DataChanged, path: "/w/p", zxid: 13, data: 9, previous: 23},
			}}}
			if len(c.doubt) == 1 {
				later.stretches[0].told[1].previous = c.doubt[0]
			}
			if faults, _ := judge(writes, []told{later}, 99); c.fault != (len(faults) > 0) {
				t.Errorf("%q", faults)
			}
		})
	}
}

// listed is a history of access lists, one of them set in doubt, and what who is told of lists is told of it from memory.
func listed() ([]write, told) {
	t := told{name: "lister", lists: true, scope: scope{"/w", recursive}, stretches: []stretch{{}}}
	s := &t.stretches[0]
	var writes []write
	do := func(acknowledged bool, c change) {
		s.upTo++
		c.zxid = s.upTo
		s.told = append(s.told, c)
		w := write{changes: []change{c}}
		w.changes[0].zxid, w.changes[0].oldList, w.changes[0].previous = 0, 0, 0
		if acknowledged {
			w.zxid = s.upTo
		}
		writes = append(writes, w)
	}
	do(true, change{kind: client.Created, path: "/w", data: 1, list: 11})
	do(true, change{kind: accessSet, path: "/w", list: 13, oldList: 11})
	do(false, change{kind: accessSet, path: "/w", list: 15, oldList: 13})
	do(true, change{kind: client.DataChanged, path: "/w", data: 3, previous: 1})
	do(true, change{kind: client.Created, path: "/w/x", data: 5, list: 17})
	do(true, change{kind: accessSet, path: "/w/x", list: 19, oldList: 17})
	do(true, change{kind: client.Deleted, path: "/w/x", previous: 5, oldList: 19})
	return writes, t
}

func TestTheJudgeKnowsAccessLists(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(w *told, told []change)
		fault bool
	}{
		"all is well":                               {func(*told, []change) {}, false},
		"a list of a creation is another":           {func(_ *told, s []change) { s[4].list++ }, true},
		"a list of a creation is not told":          {func(_ *told, s []change) { s[4].list = 0 }, true},
		"a list that was set is another":            {func(_ *told, s []change) { s[1].list += 2 }, true},
		"the list before is another":                {func(_ *told, s []change) { s[2].oldList = 11 }, true},
		"the list before is not told":               {func(_ *told, s []change) { s[2].oldList = 0 }, true},
		"a list in doubt is not told":               {func(w *told, s []change) { w.stretches[0].told = slices.Delete(s, 2, 3) }, true},
		"a list that was set is not told":           {func(w *told, s []change) { w.stretches[0].told = slices.Delete(s, 5, 6) }, true},
		"the list of what is deleted is another":    {func(_ *told, s []change) { s[6].oldList = 17 }, true},
		"the list of what is deleted is not told":   {func(_ *told, s []change) { s[6].oldList = 0 }, true},
		"a change of data has a list":               {func(_ *told, s []change) { s[3].list = 15 }, true},
		"who has not asked is told that one is set": {func(w *told, _ []change) { w.lists = false }, true},
		"who has not asked is told of lists": {func(w *told, s []change) {
			w.lists = false
			w.stretches[0].told = slices.DeleteFunc(s, func(c change) bool { return c.kind == accessSet })
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			writes, lister := listed()
			whole := lister
			lister.stretches = []stretch{lister.stretches[0]}
			lister.stretches[0].told = slices.Clone(lister.stretches[0].told)
			c.plant(&lister, lister.stretches[0].told)
			if faults, _ := judge(writes, []told{whole, lister}, 0); c.fault != (len(faults) > 0) {
				t.Errorf("%q", faults)
			}
		})
	}
}
