package grpcapi

import (
	"fmt"
	"strings"
	"testing"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/request"
)

// scriptedFeed holds changes of data of /a with the zxids up to last, but for those up to oldest.
type scriptedFeed struct {
	Feed
	oldest, last zk.Zxid
}

// dataSet is the txn with a zxid.
func dataSet(z zk.Zxid) []request.Change {
	return []request.Change{{Kind: zk.NodeDataChanged, Path: "/a", Zxid: z, Data: []byte("x")}}
}

// Read implements Feed.
func (f *scriptedFeed) Read(after zk.Zxid, most int, fn func([]request.Change)) (zk.Zxid, bool) {
	if after < f.oldest {
		return after, false
	}
	for ; after < f.last && most > 0; most-- {
		after++
		fn(dataSet(after))
	}
	return after, true
}

// A watch that has caught up joins the hub in the very moment of changes: some the hub has told others already, some it will tell.
func TestAWatchThatJoinsInTheMomentOfAChangeIsToldItOnce(t *testing.T) {
	persistent, once := paddockv1.WatchKind_WATCH_KIND_PERSISTENT, paddockv1.WatchKind_WATCH_KIND_DATA_ONCE
	for _, row := range []struct {
		name   string
		kind   paddockv1.WatchKind
		caught zk.Zxid // what the catch-up has told
		hub    zk.Zxid // what the hub has told others
		feed   zk.Zxid // what is applied
		oldest zk.Zxid // what memory has forgotten
		gone   bool    // it was cancelled meanwhile
		joins  bool
		told   string // once the hub has told all up to 10
	}{
		{"nothing was told meanwhile", persistent, 5, 5, 5, 0, false, true, "6 7 8 9 10"},
		{"changes were told meanwhile", persistent, 5, 8, 8, 0, false, true, "6 7 8 9 10"},
		{"more is applied than the hub has told", persistent, 5, 8, 10, 0, false, true, "6 7 8 9 10"},
		{"the catch-up has come further than the hub", persistent, 9, 8, 9, 0, false, true, "10"},
		{"a watch of one change has it by joining", once, 5, 8, 8, 0, false, true, "6 over"},
		{"a watch of one change has it afterwards", once, 8, 8, 8, 0, false, true, "9 over"},
		{"one that was cancelled is told nothing", persistent, 5, 8, 8, 0, true, true, ""},
		{"what is between is forgotten", persistent, 5, 8, 8, 6, false, false, ""},
		{"there is too much between", persistent, 5, 5 + joinTxns + 1, 5 + joinTxns + 1, 0, false, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHub(&Options{Allowed: func([]zk.ACL, zk.Perms, []zk.ID) bool { return true }})
			s := &watchStream{hub: h, feed: &scriptedFeed{last: row.feed, oldest: row.oldest}, wake: make(chan struct{}, 1),
				ended: make(chan struct{}), watches: map[int64]*watching{}}
			w := &watching{stream: s, id: 1, path: "/a", kind: row.kind, after: 3}
			s.watches[w.id], h.watches = w, 1
			own := newWatchIndex() // of the catch-up
			own.add(w)
			h.pos = row.hub
			if row.gone {
				s.remove(w)
			}
			fans := &fanner{may: h.fans.may}
			if got := h.join(s, own, []*watching{w}, row.caught, fans); got != row.joins {
				t.Fatalf("joins: %v, want %v", got, row.joins)
			}
			if row.joins {
				for z := row.hub + 1; z <= 10; z++ {
					h.fan(dataSet(z))
				}
			} else if w.live || w.index != own {
				t.Error("it has not joined, and is no more with the catch-up")
			}
			var told []string
			for items := s.message(nil); len(items) > 0; items = s.message(nil) {
				for _, i := range items {
					switch {
					case i.bundle != nil:
						told = append(told, fmt.Sprint(uint64(i.bundle.zxid)))
					case i.say == sayFired:
						told = append(told, "over")
					}
				}
			}
			if got := strings.Join(told, " "); got != row.told {
				t.Errorf("told %q, want %q", got, row.told)
			}
		})
	}
}
