package server

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
)

func TestTwoServersWithOneIDAreWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newJournal()
		s := &server{}
		w := twins{log: zerolog.New(log), warned: &s.warned, addr: func(l consensus.LinkID) string { return fmt.Sprintf("h%d:1", l%2) }}
		next := consensus.LinkID(1)
		fight := func(times int, every time.Duration) {
			for range times {
				w.up(next, 3)
				w.down(next - 1)
				next++
				time.Sleep(every)
			}
		}
		quiet := func(when string) {
			if list := s.warned.list(); len(list) > 0 {
				t.Errorf("%s: %q", when, list)
			}
		}
		for range 100 {
			w.up(next, 2)
			w.down(next)
			next++
		}
		quiet("a server that comes and goes")
		for range 100 {
			w.up(next, consensus.NoServer)
			next++
		}
		quiet("servers without an id")
		fight(100, 10*time.Second)
		quiet("a server whose network fails every ten seconds")
		time.Sleep(2 * twinSpan)
		const want = "two servers seem to have id 3, at h0:1 and at h1:1: each takes the place of the other; stop one of them, and give it an id of its own"
		fight(100, 100*time.Millisecond)
		if list := s.warned.list(); !slices.Equal(list, []string{want}) {
			t.Errorf("two that fight: %q", list)
		}
		if lines, _ := log.with("seem to have id"); len(lines) != 1 {
			t.Errorf("logged %q", lines)
		}
		time.Sleep(2 * twinSpan)
		quiet("once one is stopped")
	})
}
