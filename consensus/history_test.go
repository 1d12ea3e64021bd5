package consensus

import (
	"testing"

	"paddock/internal/zk"
)

func TestHistoryKeepsTheNewestWithoutAHole(t *testing.T) {
	var h history
	h.init(&Config{HistoryTxns: 3, HistoryBytes: 100, LastZxid: 0x100000002, Recent: []Entry{{0x100000001, nil}, {0x100000002, nil}}})
	if h.after != 0x100000000 || h.len() != 2 {
		t.Fatal(h.after, h.len())
	}
	for z := zk.Zxid(0x100000003); z <= 0x100000064; z++ {
		h.push(Entry{z, []byte("x")}, z-2)
		if h.len() > 4 || h.after != h.entries[h.head].Zxid-1 && z > 0x100000004 {
			t.Fatalf("at %v: %d txns after %v", z, h.len(), h.after)
		}
		if e, ok := h.find(z); !ok || e.Zxid != z {
			t.Fatal("the newest is not found", z)
		}
	}
	h.push(Entry{0x300000001, []byte("y")}, 0)
	if h.len() != 5-1 || h.newest(0x2ffffffff) != 0x100000064 || len(h.since(0x100000064)) != 1 {
		t.Fatal(h.len(), h.newest(0x2ffffffff))
	}
	if _, ok := h.find(0x300000002); ok {
		t.Error("found what is not there")
	}
	h.truncate(0x100000063)
	if h.len() != 2 || h.newest(0x400000000) != 0x100000063 || h.bytes != 2 {
		t.Fatal(h.len(), h.newest(0x400000000), h.bytes)
	}
	h.truncate(0x100000001)
	if h.len() != 0 || h.after != 0x100000001 || h.bytes != 0 {
		t.Fatal(h.len(), h.after, h.bytes)
	}
}

func TestHistoryIsBoundInBytesButKeepsWhatIsInUse(t *testing.T) {
	var h history
	h.init(&Config{HistoryTxns: 1000, HistoryBytes: 10})
	for z := zk.Zxid(1); z <= 50; z++ {
		h.push(Entry{z, make([]byte, 4)}, z-5)
	}
	if h.len() != 5 || h.bytes != 20 || h.after != 45 {
		t.Fatal(h.len(), h.bytes, h.after)
	}
}

func TestWhatMayFollowInALog(t *testing.T) {
	for _, row := range []struct {
		name    string
		z, last zk.Zxid
		want    bool
	}{
		{"the next of the epoch", 0x100000003, 0x100000002, true},
		{"the first of a later epoch", 0x300000001, 0x100000002, true},
		{"the first of all", 1, 0, true},
		{"the first of all on a server without history", 0x100000001, -1, true},
		{"the first behind the start of an epoch", 0x200000001, 0x200000000, true},
		{"not the same again", 0x100000002, 0x100000002, false},
		{"not with a gap", 0x100000004, 0x100000002, false},
		{"not the second of a later epoch", 0x200000002, 0x100000002, false},
		{"not the start of an epoch, which is no txn", 0x200000000, 0x1ffffffff, false},
		{"not of an older epoch", 0x100000001, 0x200000005, false},
	} {
		if follows(row.z, row.last) != row.want {
			t.Errorf("%s: %v after %v", row.name, row.z, row.last)
		}
	}
}

func TestHowALearnerIsSynchronised(t *testing.T) {
	// The leader's history is 1:1 to 1:4, 3:1 to 3:6; memory begins after 1:2, and 3:5 and 3:6 are in flight.
	c := &Core{committed: 0x300000004, logged: 0x300000006, leading: &leading{epoch: 3}}
	c.history.init(&Config{HistoryTxns: 100, HistoryBytes: 1000, LastZxid: 0x300000006, Recent: []Entry{{0x100000003, nil},
		{0x100000004, nil}, {0x300000001, nil}, {0x300000002, nil}, {0x300000003, nil}, {0x300000004, nil}, {0x300000005, nil}, {0x300000006, nil}}})
	for _, row := range []struct {
		name string
		last zk.Zxid
		want plan
	}{
		{"one that has everything committed needs nothing", 0x300000004, plan{MsgDiff, 0x300000004}},
		{"one that is behind gets the rest", 0x300000002, plan{MsgDiff, 0x300000002}},
		{"one that stopped in an earlier epoch, too", 0x100000004, plan{MsgDiff, 0x100000004}},
		{"one at the very beginning of what is in memory, too", 0x100000002, plan{MsgDiff, 0x100000002}},
		{"for one that is older the log on disk is asked", 0x100000001, plan{}},
		{"one that logged what is in flight drops it", 0x300000006, plan{MsgTrunc, 0x300000004}},
		{"one that logged what was never decided drops it", 0x100000007, plan{MsgTrunc, 0x100000004}},
		{"one with txns of an epoch that is not in the history gets a snapshot", 0x200000001, plan{MsgSnap, 0}},
		{"one with txns of a later epoch, too", 0x400000001, plan{MsgSnap, 0}},
		{"one at the start of an epoch gets what came after", 0x300000000, plan{MsgDiff, 0x100000004}},
		{"one at the start of a later epoch has everything", 0x400000000, plan{MsgDiff, 0x300000004}},
		{"an empty one gets a snapshot", 0, plan{MsgSnap, 0}},
		{"one that lost its history, too", -1, plan{MsgSnap, 0}},
	} {
		if got := c.planSync(row.last); got != row.want {
			t.Errorf("%s: %v gets %v from %v", row.name, row.last, got.kind, got.from)
		}
	}
}
