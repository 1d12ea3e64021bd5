package election

import (
	"flag"
	"strings"
	"testing"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

var (
	traceFlag = flag.Bool("election.trace", false, "print what the simulation does")
	seedFlag  = flag.Uint64("election.seed", 0, "run the simulation of this seed alone")
	runsFlag  = flag.Uint64("election.runs", 300, "how many seeds the simulation runs")
)

// storm runs a world in which things go wrong for a while, and then no more: within a time that the longest interval
// allows, everybody has the same leader and nobody says anything any more.
func storm(seed uint64, planted bug) *world {
	w := newWorld(seed, planted)
	voters := int(w.between(1, 6))
	groups := voters >= 5 && w.chance(2)
	w.build(voters, w.rng.IntN(3), w.rng.IntN(2), groups)
	switch {
	case voters < 3:
	case w.chance(3):
		w.servers[quorum.ServerID(w.between(1, int64(voters)))].zxid = uninitialized
	case !groups && w.chance(2):
		w.planReconfiguration(voters)
	}
	w.storm, w.drift = true, w.chance(4)
	for _, id := range w.ids {
		w.after(w.between(0, 3000), func() {
			if s := w.servers[id]; s.election == nil {
				s.boot()
			}
		})
	}
	end := w.between(5_000, 25_000)
	for at := int64(0); at < end; at += w.between(1, 1200) {
		w.after(at, w.disturb)
	}
	w.runUntil(end)
	w.storm = false
	clear(w.cut)
	for _, id := range w.ids {
		if s := w.servers[id]; s.election == nil {
			s.boot()
		}
	}
	w.reconnectAll()
	w.runUntil(end + 150_000)
	if len(w.failures) == 0 {
		w.checkSettled()
	}
	return w
}

// planReconfiguration has one voter replaced by an observer or a stranger, or removed.
func (w *world) planReconfiguration(voters int) {
	out := quorum.ServerID(w.between(1, int64(voters)))
	in := w.ids[len(w.ids)-1]
	var servers []quorum.Server
	for _, s := range w.configs[0].Servers {
		if s.ID != out && s.ID != in {
			servers = append(servers, s)
		}
	}
	if in != out {
		servers = append(servers, quorum.Server{ID: in})
	}
	next := w.config(zk.Zxid(1<<32+7), servers, false)
	w.configs = append(w.configs, next)
	for at := int64(1000); at < 20_000; at += 1500 {
		w.after(at, func() {
			for _, id := range w.ids {
				if s := w.servers[id]; s.election != nil {
					s.reconfigure(next)
				}
			}
		})
	}
}

// checkSettled judges the end: one leader, which everybody has, and silence.
func (w *world) checkSettled() {
	var leader quorum.ServerID
	for _, id := range w.ids {
		if w.servers[id].leads {
			if leader != 0 {
				w.fail("%d and %d both lead", leader, id)
			}
			leader = id
		}
	}
	if leader == 0 {
		w.fail("nobody leads")
		return
	}
	for _, id := range w.ids {
		if s := w.servers[id]; id != leader && (s.leader != leader || s.election.Role() == Looking || !w.servers[leader].synced[id]) {
			w.fail("%d leads and %d is %v %v; configurations %v and %v", leader, id, s.election.Role(), s.election.Vote(),
				w.servers[leader].describe(), s.describe())
		}
	}
	if w.lastSent > w.now-20_000 {
		w.fail("the last message was sent %d ms ago", w.now-w.lastSent)
	}
}

func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		for _, f := range storm(*seedFlag, bugNone).failures {
			t.Error(f)
		}
		return
	}
	messages := 0
	for seed := uint64(1); seed <= *runsFlag; seed++ {
		w := storm(seed, bugNone)
		messages += w.messages
		if len(w.failures) > 0 {
			t.Errorf("-election.seed=%d: %s", seed, strings.Join(w.failures, "\n\t"))
		}
	}
	t.Logf("%d runs, %d messages", *runsFlag, messages)
}
