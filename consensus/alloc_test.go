package consensus

import (
	"testing"

	"paddock/consensus/quorum"
)

// A server on its own pays nothing for what it does not need, and a leader two messages for each proposal.
func TestAProposalCostsFewAllocations(t *testing.T) {
	one, err := quorum.NewConfig(0, []quorum.Server{{ID: 1}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := New(Config{Self: 1, Ensemble: one})
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte("x")
	var out Actions
	write := func(c *Core, links ...LinkID) func() {
		return func() {
			z := c.NextZxid()
			out.Reset()
			c.Step(Event{Kind: Propose, Zxid: z, Payload: payload}, &out)
			for _, l := range links {
				c.Step(Event{Kind: Received, Link: l, Message: &ack}, &out)
			}
			c.Step(Event{Kind: Durable, Zxid: z}, &out)
			if c.Committed() != z {
				t.Fatal("not committed", z)
			}
		}
	}
	if n := testing.AllocsPerRun(1000, write(alone)); n != 0 {
		t.Errorf("%v allocations for a proposal of a server on its own", n)
	}
	leader := collectingLeader(t, bugNone)
	follow(leader, &out)
	step := write(leader, 2)
	if n := testing.AllocsPerRun(1000, func() {
		ack = Message{Kind: MsgAck, Zxid: leader.NextZxid()}
		step()
	}); n > 3 {
		t.Errorf("%v allocations for a proposal of a leader with a follower", n)
	}
}

// ack is what the follower answers next.
var ack Message

// follow brings the follower 2 of a leader that collects promises up to date.
func follow(c *Core, out *Actions) {
	c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgAckEpoch, Epoch: 4, Zxid: c.logged}}, out)
	c.Step(Event{Kind: CurrentEpochDurable, Epoch: 5}, out)
	c.Step(Event{Kind: Received, Link: 2, Message: &Message{Kind: MsgAck, Zxid: 5 << 32}}, out)
}

func BenchmarkProposeAlone(b *testing.B) {
	one, _ := quorum.NewConfig(0, []quorum.Server{{ID: 1}}, nil, nil)
	c, _ := New(Config{Self: 1, Ensemble: one})
	var out Actions
	payload := []byte("x")
	for b.Loop() {
		z := c.NextZxid()
		out.Reset()
		c.Step(Event{Kind: Propose, Zxid: z, Payload: payload}, &out)
		c.Step(Event{Kind: Durable, Zxid: z}, &out)
	}
}
