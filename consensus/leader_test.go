package consensus

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// servingLeader is a leader of epoch 5 with the followers 2 and 3 and the observer 4, on links of their ids, to which
// two txns were proposed, none of them durable anywhere.
func servingLeader(t *testing.T) (*Core, *Actions) {
	t.Helper()
	c, out := collectingLeader(t, bugNone), &Actions{}
	follow(c, out)
	for id := LinkID(3); id <= 4; id++ {
		c.Step(Event{Kind: Received, Link: id, Message: &Message{Kind: MsgAckEpoch, Epoch: 4, Zxid: c.logged}}, out)
		c.Step(Event{Kind: Received, Link: id, Message: &Message{Kind: MsgAck, Zxid: 5 << 32}}, out)
	}
	for range 2 {
		c.Step(Event{Kind: Propose, Zxid: c.NextZxid(), Payload: []byte("x")}, out)
	}
	out.Reset()
	return c, out
}

// told is what a step sent, in short.
func told(out *Actions) string {
	var all []string
	for _, a := range out.Do {
		switch a.Kind {
		case Send:
			all = append(all, fmt.Sprintf("%d:%v", a.Link, a.Message))
		default:
			all = append(all, a.String())
		}
	}
	return strings.Join(all, ", ")
}

// A learner with a later configuration may have other voters: what a leader of the former decides without them would not be theirs. It does
// not matter that the leader takes part in no reconfiguration itself.
func TestALearnerWithALaterConfigurationIsTurnedAway(t *testing.T) {
	for _, kind := range []MessageKind{MsgFollowerInfo, MsgObserverInfo} {
		for version, ahead := range map[zk.Zxid]bool{0: false, 7: true} {
			c, out := servingLeader(t)
			c.Step(Event{Kind: LinkUp, Link: 9}, out)
			c.Step(Event{Kind: Received, Link: 9, Message: &Message{Kind: kind, Server: 3, Zxid: 5 << 32, ConfigVersion: version}}, out)
			if got := told(out); strings.Contains(got, "drop 9: the learner's configuration is ahead") != ahead {
				t.Errorf("%v with version %v: %s", kind, version, got)
			}
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	const z = zk.Zxid(5<<32 + 1)
	for _, row := range []struct {
		name string
		acks []zk.Zxid // of server 2
		own  zk.Zxid   // the leader's log is durable up to here
		want zk.Zxid
		drop string
	}{
		{"a follower alone does not decide", []zk.Zxid{z}, 0, 0, ""},
		{"the leader alone does not decide", nil, z, 0, ""},
		{"the leader and a follower decide", []zk.Zxid{z}, z, z, ""},
		{"an acknowledgement counts for all before it", []zk.Zxid{z + 1}, z + 1, z + 1, ""},
		{"only what both have is decided", []zk.Zxid{z + 1}, z, z, ""},
		{"NEWLEADER may be acknowledged again", []zk.Zxid{5 << 32, z}, z, z, ""},
		{"what was decided before may be acknowledged", []zk.Zxid{4<<32 + 3, z, z}, z, z, ""},
		{"what was never sent may not", []zk.Zxid{z + 2}, z + 1, 0, "drop 2: ACK of 0x500000003, which it was not sent"},
	} {
		c, out := servingLeader(t)
		for _, ack := range row.acks {
			c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgAck, Zxid: ack}}, out)
		}
		if row.own != 0 {
			c.Step(Event{Kind: Durable, Zxid: row.own}, out)
		}
		if out.Commit != row.want {
			t.Errorf("%s: commit %v, want %v", row.name, out.Commit, row.want)
		}
		if got := told(out); row.drop != "" && !strings.Contains(got, row.drop) {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

func TestAnAcknowledgementThatOvertakesThatOfNewLeaderCounts(t *testing.T) {
	c, out := servingLeader(t)
	c.Step(Event{Kind: LinkDown, Link: 2}, out)
	c.Step(Event{Kind: LinkDown, Link: 3}, out)
	c.Step(Event{Kind: Durable, Zxid: 5<<32 + 2}, out)
	c.Step(Event{Kind: LinkUp, Link: 9}, out)
	for _, m := range []*Message{
		{Kind: MsgFollowerInfo, Server: 2, Zxid: 5 << 32}, {Kind: MsgAckEpoch, Epoch: NoEpoch, Zxid: 4<<32 + 7}, {Kind: MsgAck, Zxid: 5<<32 + 2},
	} {
		c.Step(Event{Kind: Received, Link: 9, Message: m}, out)
	}
	if out.Commit != 0 {
		t.Fatal("it counts before the follower has joined the epoch")
	}
	c.Step(Event{Kind: Received, Link: 9, Message: &Message{Kind: MsgAck, Zxid: 5 << 32}}, out)
	if out.Commit != 5<<32+2 {
		t.Fatal("it never counts: ", told(out))
	}
}

func TestSyncIsAnsweredBehindTheCommit(t *testing.T) {
	c, out := servingLeader(t)
	c.Step(Event{Kind: SyncAsked, Link: 3}, out)
	c.Step(Event{Kind: Received, Link: 3, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
	if got := told(out); strings.Contains(got, "sync") {
		t.Fatal(got)
	}
	out.Reset()
	c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgAck, Zxid: 5<<32 + 2}}, out)
	c.Step(Event{Kind: Durable, Zxid: 5<<32 + 2}, out)
	want := "2:commit 0x500000001, 3:commit 0x500000001, 4:inform 0x500000001 (1 bytes), 2:commit 0x500000002, 3:commit 0x500000002, " +
		"4:inform 0x500000002 (1 bytes), 3:sync"
	if got := told(out); got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	out.Reset()
	c.Step(Event{Kind: SyncAsked, Link: 2}, out)
	for range 2 { // the first answers the ping for the sync before
		c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
	}
	if got := told(out); strings.Count(got, "2:sync") != 1 {
		t.Error("with nothing in flight: ", got)
	}
}

func TestWhoIsSilentOrDoesNotAcknowledgeIsDropped(t *testing.T) {
	c, out := servingLeader(t)
	for ms := int64(100); ms <= 10_500; ms += 100 {
		for _, link := range []LinkID{2, 4} {
			c.Step(Event{Kind: Received, NowMS: ms, Link: link, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
		}
		if ms == 5000 {
			c.Step(Event{Kind: Received, NowMS: ms, Link: 2, Message: &Message{Kind: MsgAck, Zxid: 5<<32 + 1}}, out)
		}
		c.Step(Event{Kind: Tick, NowMS: ms}, out)
	}
	if got := told(out); !strings.Contains(got, "drop 3: the learner is silent, left 3 on 3") || strings.Contains(got, "drop 2") || strings.Contains(got, "drop 4") {
		t.Fatal(got)
	}
	for ms := int64(10_600); ms <= 16_000; ms += 100 {
		c.Step(Event{Kind: Received, NowMS: ms, Link: 2, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
		c.Step(Event{Kind: Tick, NowMS: ms}, out)
	}
	if got := told(out); !strings.Contains(got, "drop 2: the learner does not acknowledge proposals") || !strings.Contains(got, "lose: a quorum") {
		t.Fatal(got)
	}
}

func TestConfirmedByAQuorumThatWasAskedAfterwards(t *testing.T) {
	c, out := servingLeader(t)
	pong := func(link LinkID) {
		c.Step(Event{Kind: Received, Link: link, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
	}
	c.ping(out)
	c.Step(Event{Kind: ConfirmAsked, Token: 7}, out)
	pong(2)
	pong(4)
	pong(4)
	if strings.Contains(told(out), "confirmed") {
		t.Fatal("by an answer to an older ping, or by an observer")
	}
	c.Step(Event{Kind: ConfirmAsked, Token: 8}, out)
	c.Step(Event{Kind: ConfirmAsked, Token: 9}, out)
	pong(2)
	if got := told(out); !strings.Contains(got, "confirmed 7") || strings.Contains(got, "confirmed 8") {
		t.Fatal(got)
	}
	pong(3)
	pong(3)
	if got := told(out); strings.Contains(got, "confirmed 8") {
		t.Fatal(got)
	}
	pong(3)
	if got := told(out); !strings.Contains(got, "confirmed 8, confirmed 9") {
		t.Fatal(got)
	}
}

func TestSyncIsAnsweredOnceTheLeaderIsConfirmed(t *testing.T) {
	c, out := servingLeader(t)
	c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgAck, Zxid: 5<<32 + 2}}, out)
	c.Step(Event{Kind: Durable, Zxid: 5<<32 + 2}, out)
	out.Reset()
	sync := func() { c.Step(Event{Kind: SyncAsked, Link: 4}, out) }
	pong := func(link LinkID) {
		c.Step(Event{Kind: Received, Link: link, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
	}
	sync()
	sync()
	sync()
	if got := told(out); strings.Contains(got, "sync") {
		t.Fatal("nobody was asked: ", got)
	}
	pong(2)
	if got := told(out); strings.Count(got, "4:sync") != 1 {
		t.Fatal("the first was asked for before that ping left, the others were not: ", got)
	}
	pong(2)
	if got := told(out); strings.Count(got, "4:sync") != 3 {
		t.Fatal("one answer does for all that waited: ", got)
	}
}

// A follower that comes back while a round is under way would otherwise hold all questions up for ever.
func TestAFollowerThatHasComeSinceMayConfirm(t *testing.T) {
	c, out := servingLeader(t)
	c.Step(Event{Kind: ConfirmAsked, Token: 7}, out)
	c.Step(Event{Kind: LinkDown, Link: 2}, out)
	c.Step(Event{Kind: LinkDown, Link: 3}, out)
	c.Step(Event{Kind: LinkUp, Link: 9}, out)
	for _, m := range []*Message{
		{Kind: MsgFollowerInfo, Server: 2, Zxid: 5 << 32}, {Kind: MsgAckEpoch, Epoch: NoEpoch, Zxid: c.logged}, {Kind: MsgAck, Zxid: 5 << 32},
	} {
		c.Step(Event{Kind: Received, Link: 9, Message: m}, out)
	}
	if got := told(out); !strings.Contains(got, "9:uptodate") || strings.Contains(got, "confirmed") {
		t.Fatal(got)
	}
	c.Step(Event{Kind: Tick, NowMS: 2000}, out)
	c.Step(Event{Kind: Received, NowMS: 2000, Link: 9, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
	if got := told(out); !strings.Contains(got, "confirmed 7") {
		t.Fatal(got)
	}
}

// Whatever peers say, and in whatever order, costs them their connection and nothing else.
func TestNothingThatPeersSayStopsTheServer(t *testing.T) {
	for seed := uint64(1); seed <= 3000; seed++ {
		rng := rand.New(rand.NewPCG(seed, 2))
		c, out := servingLeader(t)
		if seed%2 == 0 {
			c.leave("test", out)
			c.role = Following
			if seed%4 == 0 {
				c.role = Observing
			}
			c.becomeLearner(3, out)
			c.Step(Event{Kind: LinkUp, Link: 2, Server: 3, Dialled: true}, out)
		}
		var log []string
		func() {
			defer func() {
				if r := recover(); r != nil {
					t.Fatalf("seed %d: %v\n%s", seed, r, strings.Join(log, "\n"))
				}
			}()
			for range 60 {
				m := hostile(rng)
				out.Reset()
				ev := Event{Kind: Received, NowMS: c.nowMS + 1, Link: LinkID(rng.IntN(5)), Message: m}
				log = append(log, ev.String())
				c.Step(ev, out)
				disk := slices.Clone(out.Do)
				for _, a := range disk {
					answerDisk(c, a, out)
				}
				if c.learning == nil && c.leading == nil {
					c.role = Following
					c.becomeLearner(quorum.ServerID(3), out)
					c.Step(Event{Kind: LinkUp, Link: 2, Server: 3, Dialled: true}, out)
				}
			}
		}()
	}
}

// answerDisk reports what an action asks of the disk.
func answerDisk(c *Core, a Action, out *Actions) {
	switch a.Kind {
	case SetAcceptedEpoch:
		c.Step(Event{Kind: AcceptedEpochDurable, Epoch: a.Epoch}, out)
	case SetCurrentEpoch:
		c.Step(Event{Kind: CurrentEpochDurable, Epoch: a.Epoch}, out)
	case Truncate:
		c.Step(Event{Kind: Truncated, Zxid: a.Zxid}, out)
	case Install:
		c.Step(Event{Kind: Installed, Zxid: a.Zxid}, out)
	}
}

// hostile is a message that makes sense by accident only.
func hostile(rng *rand.Rand) *Message {
	kinds := []MessageKind{MsgLeaderInfo, MsgDiff, MsgNewLeader, MsgUpToDate, MessageKind(rng.IntN(22) - 1)}
	m := &Message{Kind: kinds[rng.IntN(len(kinds))], Zxid: zk.Zxid(rng.Int64N(4)<<32+4<<32) + zk.Zxid(rng.IntN(10)), Server: quorum.ServerID(rng.IntN(6) - 1),
		Epoch: rng.Int64N(8) - 1, Payload: []byte("x"), ConfigVersion: zk.Zxid(rng.IntN(2))}
	switch rng.IntN(10) {
	case 0:
		m.Zxid = zk.Zxid(rng.Uint64())
	case 1:
		m.Zxid &^= 0xffffffff
	}
	if rng.IntN(3) == 0 {
		m.Config = "server.1=a:1:2\nserver.3=b:1:2:observer\nversion=500000001"
	}
	return m
}

func TestOneCommitForManyBetweenServersOfThisMake(t *testing.T) {
	c, out := servingLeader(t)
	c.Step(Event{Kind: LinkUp, Link: 9}, out)
	for _, m := range []*Message{
		{Kind: MsgFollowerInfo, Server: 3, Zxid: 5 << 32, Protocol: protocolCumulative}, {Kind: MsgAckEpoch, Epoch: NoEpoch, Zxid: 4<<32 + 7},
		{Kind: MsgAck, Zxid: 5 << 32},
	} {
		c.Step(Event{Kind: Received, Link: 9, Message: m}, out)
	}
	if got := told(out); !strings.Contains(got, "9:leaderinfo epoch=5") || out.Do[2].Message.Protocol != protocolCumulative {
		t.Fatal(got)
	}
	c.Step(Event{Kind: Propose, Zxid: c.NextZxid(), Payload: []byte("x")}, out)
	c.Step(Event{Kind: SyncAsked, Link: 9}, out)
	c.Step(Event{Kind: Received, Link: 9, Message: &Message{Kind: MsgPing, Touched: []Touch{}}}, out)
	out.Reset()
	c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgAck, Zxid: 5<<32 + 3}}, out)
	c.Step(Event{Kind: Durable, Zxid: 5<<32 + 3}, out)
	want := "2:commit 0x500000001, 4:inform 0x500000001 (1 bytes), 2:commit 0x500000002, 4:inform 0x500000002 (1 bytes), " +
		"2:commit 0x500000003, 4:inform 0x500000003 (1 bytes), 9:commit 0x500000003, 9:sync"
	if got := told(out); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAFollowerAcknowledgesOneByOneWhereItMust(t *testing.T) {
	for _, row := range []struct {
		name     string
		protocol int32
		want     string
	}{
		{"to ZooKeeper, each proposal", ProtocolVersion, "7:ack 0x500000001, 7:ack 0x500000002, 7:ack 0x500000003"},
		{"to a leader of this make, the last", protocolCumulative, "7:ack 0x500000003"},
	} {
		w, out := &world{}, &Actions{}
		c, err := New(Config{Self: 1, Ensemble: w.config("vvv", 0), LastZxid: 4<<32 + 7, AcceptedEpoch: 4, CurrentEpoch: 4})
		if err != nil {
			t.Fatal(err)
		}
		c.role = Following
		c.becomeLearner(2, out)
		c.Step(Event{Kind: LinkUp, Link: 7, Server: 2, Dialled: true}, out)
		say := func(m *Message) { c.Step(Event{Kind: Received, Link: 7, Message: m}, out) }
		say(&Message{Kind: MsgLeaderInfo, Zxid: 5 << 32, Protocol: row.protocol})
		c.Step(Event{Kind: AcceptedEpochDurable, Epoch: 5}, out)
		say(&Message{Kind: MsgDiff, Zxid: 4<<32 + 7})
		say(&Message{Kind: MsgNewLeader, Zxid: 5 << 32})
		for z := zk.Zxid(5<<32 + 1); z <= 5<<32+3; z++ {
			say(&Message{Kind: MsgProposal, Zxid: z})
		}
		c.Step(Event{Kind: CurrentEpochDurable, Epoch: 5}, out)
		if got := told(out); !strings.HasSuffix(got, "7:ack 0x500000000") {
			t.Fatalf("%s: %s", row.name, got)
		}
		out.Reset()
		c.Step(Event{Kind: Durable, Zxid: 5<<32 + 3}, out)
		if got := told(out); got != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

func TestWhoCountsForANewConfiguration(t *testing.T) {
	const three = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n"
	for _, row := range []struct {
		name, committed, next string
		want                  zk.Code
	}{
		{"followers do", three, three, zk.OK},
		{"followers without a vote do", "server.1=a:1:2\n", three, zk.OK},
		{"an observer does not", three + "server.4=d:1:2:observer\n", "server.1=a:1:2\nserver.4=d:1:2\n", zk.NewConfigNoQuorum},
		{"who has just become an observer does not, though it still follows", "server.1=a:1:2\nserver.2=b:1:2:observer\nserver.3=c:1:2:observer\n", three, zk.NewConfigNoQuorum},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := servingLeader(t)
			committed, err := quorum.ParseConfig(row.committed)
			if err != nil {
				t.Fatal(err)
			}
			next, err := quorum.ParseConfig(row.next)
			if err != nil {
				t.Fatal(err)
			}
			c.ensemble, c.lastSeen = committed, nil
			if got := c.CheckReconfig(next); got != row.want {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}
