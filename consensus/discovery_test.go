package consensus

import (
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// collectingLeader is server 1 of three, at epoch 5 of a history that ends at 4:7, waiting for promises.
func collectingLeader(t *testing.T, planted bug) *Core {
	t.Helper()
	w := &world{}
	c, err := New(Config{Self: 1, Ensemble: w.config("vvvo", 0), LastZxid: 0x400000007, AcceptedEpoch: 4, CurrentEpoch: 4, bug: planted})
	if err != nil {
		t.Fatal(err)
	}
	c.role = Leading
	var out Actions
	c.becomeLeader(&out)
	for id := quorum.ServerID(2); id <= 4; id++ {
		kind := MsgFollowerInfo
		if id == 4 {
			kind = MsgObserverInfo
		}
		c.Step(Event{Kind: LinkUp, Link: LinkID(id)}, &out)
		c.Step(Event{Kind: Received, Link: LinkID(id), Message: &Message{Kind: kind, Server: id, Zxid: 4 << 32}}, &out)
	}
	c.Step(Event{Kind: AcceptedEpochDurable, Epoch: 5}, &out)
	if c.leading.phase != collecting || c.leading.epoch != 5 {
		t.Fatal(c.leading.phase, c.leading.epoch)
	}
	return c
}

func TestWhoCountsInDiscovery(t *testing.T) {
	for _, row := range []struct {
		name    string
		from    LinkID
		epoch   int64
		last    zk.Zxid
		want    leaderPhase
		refused bool
		finds   bug
	}{
		{"a follower with an older history counts", 2, 4, 0x400000003, beginning, false, 0},
		{"a follower with the same history counts", 2, 4, 0x400000007, beginning, false, 0},
		{"a follower that joined an older epoch counts, however long its history", 3, 3, 0x400000009, beginning, false, 0},
		{"a follower with a newer history is refused", 2, 4, 0x400000008, collecting, true, bugLeadsWithOlderHistory},
		{"so is one that joined a later epoch", 2, 5, 0x400000001, collecting, true, bugLeadsWithOlderHistory},
		{"one that promised the epoch before does not count", 2, NoEpoch, 0x400000007, collecting, false, bugCountsOldPromise},
		{"one that may have lost its history does not count", 2, 0, NoZxid, collecting, false, bugCountsEmpty},
		{"an observer does not count", 4, 4, 0x400000007, collecting, false, 0},
	} {
		for _, planted := range []bug{bugNone, row.finds} {
			c := collectingLeader(t, planted)
			var out Actions
			c.Step(Event{Kind: Received, Link: row.from, Message: &Message{Kind: MsgAckEpoch, Epoch: row.epoch, Zxid: row.last}}, &out)
			want := row.want
			if planted != bugNone {
				want = beginning
			}
			if c.leading.phase != want || planted == bugNone && (c.learnerOn(row.from) == nil) != row.refused {
				t.Errorf("%s (mistake %d): phase %d, want %d; %v", row.name, planted, c.leading.phase, want, out.Do)
			}
		}
	}
}
