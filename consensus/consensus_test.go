package consensus_test

import (
	"testing"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// members is an ensemble of voters without addresses.
func members(t *testing.T, ids ...quorum.ServerID) *quorum.Config {
	t.Helper()
	var servers []quorum.Server
	for _, id := range ids {
		servers = append(servers, quorum.Server{ID: id})
	}
	c, err := quorum.NewConfig(0, servers, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func alone(t *testing.T, last zk.Zxid) *consensus.Core {
	t.Helper()
	c, err := consensus.New(consensus.Config{Self: 1, Ensemble: members(t, 1), LastZxid: last})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnEnsembleOfOneLeadsAtOnce(t *testing.T) {
	c := alone(t, 0x500000007)
	if c.Role() != consensus.Leading || c.NextZxid() != 0x500000008 || c.Committed() != 0x500000007 {
		t.Fatal(c.Role(), c.NextZxid(), c.Committed())
	}
}

func TestNothingCommitsBeforeItIsDurable(t *testing.T) {
	c := alone(t, 0)
	var out consensus.Actions
	for z := zk.Zxid(1); z <= 3; z++ {
		c.Step(consensus.Event{Kind: consensus.Propose, Zxid: z, Payload: []byte{byte(z)}}, &out)
	}
	if len(out.Append) != 3 || out.Commit != 0 || c.Committed() != 0 {
		t.Fatalf("%+v", out)
	}
	out.Reset()
	c.Step(consensus.Event{Kind: consensus.Durable, Zxid: 2}, &out)
	if len(out.Append) != 0 || out.Commit != 2 || c.Committed() != 2 {
		t.Fatalf("%+v", out)
	}
	out.Reset()
	c.Step(consensus.Event{Kind: consensus.Durable, Zxid: 2}, &out)
	if out.Commit != 0 {
		t.Fatalf("the same durability again commits nothing: %+v", out)
	}
	c.Step(consensus.Event{Kind: consensus.Durable, Zxid: 3}, &out)
	if out.Commit != 3 {
		t.Fatalf("%+v", out)
	}
}

func TestImpossibleEventsPanic(t *testing.T) {
	for name, ev := range map[string]consensus.Event{
		"a proposal that leaves a gap":          {Kind: consensus.Propose, Zxid: 2},
		"a proposal that repeats a zxid":        {Kind: consensus.Propose, Zxid: 0},
		"durability of what was never proposed": {Kind: consensus.Durable, Zxid: 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			alone(t, 0).Step(ev, new(consensus.Actions))
		}()
	}
}
