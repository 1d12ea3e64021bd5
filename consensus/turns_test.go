package consensus

import (
	"slices"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// observe has an observer come to the leader on a link of its number.
func observe(c *Core, out *Actions, link LinkID, last zk.Zxid) {
	c.Step(Event{Kind: LinkUp, Link: link}, out)
	hear(c, out, link, Message{Kind: MsgObserverInfo, Server: quorum.ServerID(link), Zxid: 5 << 32, Protocol: ProtocolVersion})
	hear(c, out, link, Message{Kind: MsgAckEpoch, Epoch: 4, Zxid: last})
}

// begun are the links on which a history was begun to be sent, in order.
func begun(out *Actions) (links []LinkID) {
	for _, a := range out.Do {
		if a.Kind == SendSnap || a.Kind == Send && (a.Message.Kind == MsgDiff || a.Message.Kind == MsgTrunc) {
			links = append(links, a.Link)
		}
	}
	out.Reset()
	return links
}

func TestObserversBeyondTheBoundWaitTheirTurn(t *testing.T) {
	for _, row := range []struct {
		name  string
		bound func(*Config)
		whole bool
	}{
		{"snapshots", func(c *Config) { c.SnapSyncsMax = 2 }, true},
		{"parts of the log", func(c *Config) { c.DiffSyncsMax = 2 }, false},
	} {
		c, out := servingLeader(t)
		row.bound(&c.cfg)
		last := zk.Zxid(0)
		if !row.whole {
			last = c.committed
		}
		expect := func(when string, want ...LinkID) {
			t.Helper()
			if got := begun(out); !slices.Equal(got, want) {
				t.Errorf("%s, %s: %v are sent a history, want %v", row.name, when, got, want)
			}
		}
		for link := LinkID(10); link < 15; link++ {
			observe(c, out, link, last)
		}
		expect("as many as may be at once", 10, 11)
		hear(c, out, 10, Message{Kind: MsgAck, Zxid: 5 << 32})
		expect("one has done", 12)
		c.Step(Event{Kind: LinkDown, Link: 13}, out)
		expect("one that waits is gone")
		c.Step(Event{Kind: LinkDown, Link: 11}, out)
		expect("one is gone half way", 14)
		hear(c, out, 12, Message{Kind: MsgAck, Zxid: 5 << 32})
		expect("nobody waits any more")
	}
}

func TestVotersDoNotWait(t *testing.T) {
	c, out := servingLeader(t)
	c.cfg.SnapSyncsMax = 1
	observe(c, out, 10, 0)
	begun(out)
	c.Step(Event{Kind: LinkDown, Link: 2}, out)
	c.Step(Event{Kind: LinkUp, Link: 20}, out)
	hear(c, out, 20, Message{Kind: MsgFollowerInfo, Server: 2, Zxid: 5 << 32, Protocol: ProtocolVersion})
	hear(c, out, 20, Message{Kind: MsgAckEpoch, Epoch: 4, Zxid: 0})
	if got := begun(out); !slices.Equal(got, []LinkID{20}) {
		t.Errorf("the voter is not synchronised: %v", got)
	}
}
