package sim

import "paddock/server/replica"

// step lets one thing happen, and a little time pass.
func (w *world) step(s *server) {
	if w.rng.IntN(3) > 0 {
		w.pass(int64(w.rng.IntN(12)))
	}
	switch k := w.rng.IntN(100); {
	case k < 30:
		w.clientActs(s)
	case k < 58:
		s.runSync()
	case k < 70:
		s.runUpkeep()
	case k < 78:
		s.runPrepare()
	case k < 93:
		s.deliver()
	case k < 97:
		w.tick(s)
	default:
		w.rarely(s)
	}
	if s.failed == nil && !s.disk.dead {
		s.handOver()
	}
}

// pass lets time pass. The wall clock is set now and then, forth and back.
func (w *world) pass(ms int64) {
	w.nowMS += ms
	w.wallMS += ms
	if w.rng.IntN(150) == 0 {
		w.wallMS = max(wallStart/2, w.wallMS+w.rng.Int64N(20_000_000)-10_000_000)
		w.trace.add("the wall clock is set to %d", w.wallMS)
	}
}

func (w *world) tick(s *server) {
	w.pass(int64(w.rng.IntN(2 * tickMS)))
	s.step(replica.Event{Kind: replica.Tick})
	w.sessions.ticked()
}

// clientActs lets a client connect, send or hang up.
func (w *world) clientActs(s *server) {
	c := w.clients[w.rng.IntN(len(w.clients))]
	switch {
	case c.id == 0:
		c.connect(s)
	case w.rng.IntN(40) == 0:
		c.disconnect(s)
	case len(c.sent) < 20:
		c.submit(s, 1+w.rng.IntN(4))
	}
}

// rarely is what happens now and then: an operator does something, a purge is due, a client's other connection takes over.
func (w *world) rarely(s *server) {
	c := w.clients[w.rng.IntN(len(w.clients))]
	switch w.rng.IntN(6) {
	case 0:
		s.step(replica.Event{Kind: replica.SnapshotNow})
	case 1:
		s.purge()
	case 2:
		w.sessions.asks = c.session
		s.step(replica.Event{Kind: replica.ExpireNow, Session: c.session})
		w.sessions.asks = 0
	case 3, 4:
		c.takeOver(s)
	default:
		w.pass(int64(w.rng.IntN(2000)))
	}
}
