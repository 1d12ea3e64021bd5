package consensus

import (
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// master is server 1 of three voters, which follows server 3 on link 3 in epoch 5, has committed 5:1 to 5:2, and serves observers.
func master(t *testing.T) (*Core, *Actions) {
	t.Helper()
	ensemble, err := quorum.NewConfig(0, []quorum.Server{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4, Observer: true}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var old []Entry
	for z := zk.Zxid(4<<32 + 1); z <= 4<<32+7; z++ {
		old = append(old, Entry{z, []byte("old")})
	}
	c, err := New(Config{Self: 1, Ensemble: ensemble, LastZxid: 4<<32 + 7, AcceptedEpoch: 4, CurrentEpoch: 4, Recent: old, ObserverMasters: true, Distributed: true})
	if err != nil {
		t.Fatal(err)
	}
	out := &Actions{}
	c.Step(Event{Kind: Start, NowMS: 1}, out)
	c.role = Following
	c.becomeLearner(3, out)
	c.Step(Event{Kind: LinkUp, Link: 3, Server: 3, Dialled: true}, out)
	hear(c, out, 3, Message{Kind: MsgLeaderInfo, Zxid: 5 << 32})
	c.Step(Event{Kind: AcceptedEpochDurable, Epoch: 5}, out)
	hear(c, out, 3, Message{Kind: MsgDiff, Zxid: 4<<32 + 7}, Message{Kind: MsgNewLeader, Zxid: 5 << 32})
	c.Step(Event{Kind: CurrentEpochDurable, Epoch: 5}, out)
	hear(c, out, 3, Message{Kind: MsgUpToDate, Zxid: NoZxid})
	for z := zk.Zxid(5<<32 + 1); z <= 5<<32+2; z++ {
		hear(c, out, 3, Message{Kind: MsgProposal, Zxid: z, Payload: []byte("x")}, Message{Kind: MsgCommit, Zxid: z})
	}
	if c.committed != 5<<32+2 || !c.Serving() {
		t.Fatalf("it does not follow: %v, %v", c.committed, told(out))
	}
	out.Reset()
	return c, out
}

func hear(c *Core, out *Actions, link LinkID, messages ...Message) {
	for i := range messages {
		c.Step(Event{Kind: Received, Link: link, Message: &messages[i]}, out)
	}
}

func TestAnObserverMasterThatIsBehindItsObserverWaits(t *testing.T) {
	for _, row := range []struct {
		name string
		last zk.Zxid
		once string // what the observer is sent at once
		then string // and once the master has the next two
	}{
		{"an observer with as much is told so", 5<<32 + 2, "diff 0x500000002", ""},
		{"one that lacks something is sent it", 5<<32 + 1, "diff 0x500000002, proposal 0x500000002", ""},
		{"one that is ahead in the epoch waits for the master", 5<<32 + 4, "", "diff 0x500000004"},
		{"one with what was never decided in an epoch before truncates it", 4<<32 + 8, "trunc 0x400000007, proposal 0x500000001", ""},
	} {
		c, out := master(t)
		c.Step(Event{Kind: LinkUp, Link: 4}, out)
		hear(c, out, 4, Message{Kind: MsgObserverInfo, Server: 4, Zxid: 5 << 32, Protocol: ProtocolVersion})
		out.Reset()
		hear(c, out, 4, Message{Kind: MsgAckEpoch, Epoch: NoEpoch, Zxid: row.last})
		if got := sentOn(out, 4); row.once == "" && got != "" || !strings.HasPrefix(got, row.once) {
			t.Errorf("%s: at once %q, want %q", row.name, got, row.once)
		}
		out.Reset()
		for z := zk.Zxid(5<<32 + 3); z <= 5<<32+4; z++ {
			hear(c, out, 3, Message{Kind: MsgProposal, Zxid: z, Payload: []byte("x")}, Message{Kind: MsgCommit, Zxid: z})
		}
		got := sentOn(out, 4)
		if want := "inform 0x500000003"; row.then == "" && !strings.HasPrefix(got, want) {
			t.Errorf("%s: then %q, want %q", row.name, got, want)
		}
		if row.then != "" && (!strings.HasPrefix(got, row.then) || strings.Contains(got, "inform")) {
			t.Errorf("%s: then %q, want %q", row.name, got, row.then)
		}
	}
}

// sentOn is what a step sent on a link: each message's kind and zxid.
func sentOn(out *Actions, link LinkID) string {
	var all []string
	for _, a := range out.Do {
		if a.Kind == Send && a.Link == link {
			all = append(all, a.Message.Kind.String()+" "+a.Message.Zxid.String())
		}
	}
	return strings.Join(all, ", ")
}
