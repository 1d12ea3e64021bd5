package election

import (
	"fmt"
	"testing"

	"paddock/consensus/quorum"
)

// calm starts all servers within skewMS of each other on a network that loses nothing, and returns the world after a
// second with what was decided first by each.
func calm(seed uint64, voters int, skewMS int64) (*world, map[quorum.ServerID]Vote) {
	w := newWorld(seed, bugNone)
	w.patient = true
	w.build(voters, 1, 0, false)
	for _, id := range w.ids {
		w.after(w.between(0, skewMS), w.servers[id].boot)
	}
	decided := map[quorum.ServerID]Vote{}
	for ms := int64(1); ms <= 1000; ms++ {
		w.runUntil(ms)
		for _, id := range w.ids {
			if e := w.servers[id].election; e != nil && e.Role() != Looking && decided[id] == (Vote{}) {
				decided[id] = e.Vote()
			}
		}
		if len(decided) == len(w.ids) {
			break
		}
	}
	return w, decided
}

// On a network whose delays are shorter than the wait for better votes, whoever decides in a round decides the same.
// On one that delays longer this cannot be had: a voter may change its mind after a quorum with it was counted.
func TestServersThatDecideInOneRoundAgree(t *testing.T) {
	for voters := 1; voters <= 7; voters++ {
		for seed := uint64(1); seed <= 60; seed++ {
			w, decided := calm(seed, voters, 150)
			byRound := map[int64]quorum.ServerID{}
			for _, id := range w.ids {
				v, ok := decided[id]
				if !ok {
					t.Fatalf("%d voters, seed %d: %d is undecided after a second", voters, seed, id)
				}
				if l := byRound[v.Round]; l != 0 && l != v.Leader {
					t.Errorf("%d voters, seed %d: round %d has the leaders %d and %d", voters, seed, v.Round, l, v.Leader)
				}
				byRound[v.Round] = v.Leader
			}
			for _, f := range w.failures {
				t.Errorf("%d voters, seed %d: %s", voters, seed, f)
			}
		}
	}
}

// Servers that start together elect the one with the newest history, without waiting: in less time than the wait for
// better votes alone takes, with at most a broadcast for each vote that each gives.
func TestAFirstElectionTakesNoWaiting(t *testing.T) {
	for voters := 1; voters <= 7; voters++ {
		t.Run(fmt.Sprintf("%d voters", voters), func(t *testing.T) {
			for seed := uint64(1); seed <= 40; seed++ {
				w, decided := calm(seed, voters, 20)
				best := Vote{Zxid: -1, Epoch: -1}
				for _, id := range w.ids[:voters] {
					if s := w.servers[id]; newer(Vote{id, s.zxid, 0, s.epoch}, best) && s.epoch <= 2 {
						best = Vote{id, s.zxid, 0, s.epoch}
					}
				}
				for _, id := range w.ids {
					if decided[id].Leader == 0 {
						t.Errorf("seed %d: %d is undecided", seed, id)
					}
				}
				if w.now >= finalizeWaitMS {
					t.Errorf("seed %d: the last decision came after %d ms", seed, w.now)
				}
				if limit := 3 * len(w.ids) * len(w.ids) * len(w.ids); w.messages > limit {
					t.Errorf("seed %d: %d messages, more than %d", seed, w.messages, limit)
				}
			}
		})
	}
}
