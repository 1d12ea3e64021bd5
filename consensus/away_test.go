package consensus

import (
	"testing"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
)

// TestALeaderThatIsPassedOverGivesUp: server 4 of five is elected by 1 and 3, which then hear of 5 and follow it. It does not wait
// for initLimit to be over.
func TestALeaderThatIsPassedOverGivesUp(t *testing.T) {
	for _, row := range []struct {
		name  string
		votes []quorum.ServerID // who comes to vote for 5
		back  quorum.ServerID   // who connects after that
		gives bool
	}{
		{"a quorum is left", []quorum.ServerID{1}, 0, false},
		{"all but it and one vote for another", []quorum.ServerID{1, 3, 5}, 0, true},
		{"one of them comes back", []quorum.ServerID{1, 3, 5}, 3, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := &world{}
			c, err := New(Config{Self: 4, Ensemble: w.config("vvvvv", 0), Distributed: true})
			if err != nil {
				t.Fatal(err)
			}
			now := int64(1)
			lost := false
			step := func(ev Event) {
				var out Actions
				ev.NowMS = now
				c.Step(ev, &out)
				for _, a := range out.Do {
					lost = lost || a.Kind == Lose
				}
			}
			vote := func(from, leader quorum.ServerID) {
				n := &election.Notification{Role: Looking, Vote: election.Vote{Leader: leader, Round: c.Round()}, Version: election.Version, Config: c.configText}
				step(Event{Kind: Notified, Server: from, Notification: n})
			}
			step(Event{Kind: Start})
			for _, id := range []quorum.ServerID{1, 3} {
				step(Event{Kind: PeerUp, Server: id})
				vote(id, 4)
			}
			for i := 0; i < 100 && c.Role() == Looking; i++ {
				now += 20
				step(Event{Kind: Tick})
			}
			if c.Role() != Leading {
				t.Fatalf("it is %v", c.Role())
			}
			for _, id := range row.votes {
				vote(id, 5)
			}
			if row.back != 0 {
				step(Event{Kind: LinkUp, Link: 9})
				step(Event{Kind: Received, Link: 9, Message: &Message{Kind: MsgFollowerInfo, Server: row.back}})
			}
			for range 100 { // 2 s of 20
				now += 20
				step(Event{Kind: Tick})
			}
			if lost != row.gives {
				t.Errorf("it gave up: %t", lost)
			}
		})
	}
}
