package election

import (
	"fmt"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// begun is the election of server 1 of three voters, looking.
func begun(t testing.TB) *Election {
	t.Helper()
	e, err := New(Config{Self: 1, Committed: members(t, 0, []int64{1, 2, 3}, nil, "", nil)})
	if err != nil {
		t.Fatal(err)
	}
	e.Step(Event{Kind: Start}, new(Actions))
	return e
}

func TestAnElectionNeedsAConfiguration(t *testing.T) {
	if _, err := New(Config{Self: 1}); err == nil {
		t.Fatal("made without one")
	}
}

func TestTheSameEventsGiveTheSameActions(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		a, b := storm(seed, bugNone), storm(seed, bugNone)
		if a.messages != b.messages || a.lastSent != b.lastSent || a.epoch != b.epoch {
			t.Errorf("seed %d: %d messages, the last at %d; again %d, the last at %d", seed, a.messages, a.lastSent, b.messages, b.lastSent)
		}
		for _, id := range a.ids {
			x, y := a.servers[id].election, b.servers[id].election
			if x.Vote() != y.Vote() || x.Role() != y.Role() || x.Round() != y.Round() {
				t.Errorf("seed %d: %d ends %v %v and %v %v", seed, id, x.Role(), x.Vote(), y.Role(), y.Vote())
			}
		}
	}
}

// However many ids a hostile peer makes up, what is remembered of them stays bounded; voters are answered nevertheless.
func TestStrangersAreAnsweredUpToABound(t *testing.T) {
	e := begun(t)
	tell := func(now int64, from quorum.ServerID) int {
		var out Actions
		e.Step(Event{Kind: Notified, NowMS: now, From: from, Notification: Notification{Vote: Vote{Leader: None}}}, &out)
		e.Step(Event{Kind: PeerUp, NowMS: now, From: -from}, new(Actions))
		e.Step(Event{Kind: PeerDown, NowMS: now, From: -from}, new(Actions))
		return len(out.Send)
	}
	answers := 0
	for id := quorum.ServerID(100); id < 10_100; id++ {
		answers += tell(0, id)
	}
	if limit := strangersMax + len(e.voters); answers < strangersMax || answers > limit || len(e.answered) > limit || len(e.up) > 3 ||
		len(e.looking.asked) > strangersMax {
		t.Fatalf("%d answers, %d remembered, %d connections", answers, len(e.answered), len(e.up))
	}
	if tell(0, 2) != 1 {
		t.Error("a voter behind this round is not answered")
	}
	if tell(IntervalMinMS, 20_000) != 1 {
		t.Error("a stranger that comes later is not answered")
	}
}

// What was decided is sent before anybody is told that it is; the actions keep their order and their memory.
func TestActionsAreAddedToWhatIsThere(t *testing.T) {
	e := begun(t)
	var out Actions
	vote := Notification{Role: Looking, Vote: Vote{Leader: 3, Round: 1}}
	e.Step(Event{Kind: Notified, From: 3, Notification: vote}, &out)
	e.Step(Event{Kind: Notified, From: 2, Notification: vote}, &out)
	if len(out.Send) != 2 || out.Decided == nil || *out.Decided != (Decision{Following, Vote{3, 0, 1, 0}}) {
		t.Fatalf("%+v", out)
	}
	out.Reset()
	if len(out.Send) != 0 || cap(out.Send) == 0 || out.Decided != nil {
		t.Fatalf("%+v", out)
	}
}

func TestTextOfEventsAndDecisions(t *testing.T) {
	cfg := members(t, 7, []int64{1}, nil, "", nil)
	for _, row := range []struct {
		of   fmt.Stringer
		want string
	}{
		{Event{Kind: Start, Zxid: 0x100000001, Epoch: 1}, "start 0x100000001 e1"},
		{Event{Kind: Notified, From: 2, Notification: Notification{Following, Vote{3, 5, 2, 1}, 2, ""}}, "notified 2: following 3 0x5 e1 r2"},
		{Event{Kind: PeerDown, From: 2}, "peer down 2"},
		{Event{Kind: SetConfig, Committed: cfg}, "config 0x7"},
		{Event{Kind: SetConfig, Committed: cfg, LastSeen: cfg.WithVersion(8)}, "config 0x7 then 0x8"},
		{Event{Kind: SetEpoch, Epoch: 3}, "epoch 3"},
		{Event{Kind: Join, Role: Leading, Vote: Vote{Leader: 1, Zxid: uninitialized}}, "join leading 1 -1 e0 r0"},
		{Decision{Observing, Vote{Leader: 3}}, "observing 3 0x0 e0 r0"},
		{Vote{Leader: None, Round: 4}, "nobody r4"},
		{Role(9), "role(9)"},
	} {
		if got := row.of.String(); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

// FuzzStep: no sequence of notifications makes an election panic, send more than a broadcast and an answer at a time,
// or vote for somebody whose history is older than its own.
func FuzzStep(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		e := begun(t)
		e.Step(Event{Kind: Start, Zxid: 5, Epoch: 1}, new(Actions))
		for now := int64(0); len(in) >= 6; in, now = in[6:], now+int64(in[5]) {
			var out Actions
			e.Step(Event{
				Kind: Notified, NowMS: now, From: quorum.ServerID(in[0]), ConfigVersion: zk.Zxid(in[5] & 1),
				Notification: Notification{
					Role: Role(int8(in[1])), Version: int32(in[5] >> 1), Config: "config",
					Vote: Vote{quorum.ServerID(int8(in[2])), zk.Zxid(int8(in[3])), int64(int8(in[4])) << (in[5] & 63), int64(in[5])},
				},
			}, &out)
			e.Step(Event{Kind: Tick, NowMS: now}, &out)
			if len(out.Send) > 3*(2+1) {
				t.Fatalf("%d messages", len(out.Send))
			}
			for _, m := range out.Send {
				if v := m.Vote; m.To == 1 || m.Role == Looking && newer(Vote{Zxid: 5, Epoch: 1}, Vote{Zxid: v.Zxid, Epoch: v.Epoch}) {
					t.Fatalf("sent %v to %d", m.Notification, m.To)
				}
			}
		}
	})
}
