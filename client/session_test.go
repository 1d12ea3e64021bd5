package client

import (
	"testing"
	"time"
)

// TestWhoWasAsleepIsToldAtOnce has a program ask for what it holds before the timers run that were due while it was asleep.
func TestWhoWasAsleepIsToldAtOnce(t *testing.T) {
	for name, lost := range map[string]func(*Session) <-chan struct{}{
		"a session":    func(s *Session) <-chan struct{} { return s.InDoubt() },
		"a lock":       func(s *Session) <-chan struct{} { return (&Lock{s: s, lost: s.doubt}).Lost() },
		"a leadership": func(s *Session) <-chan struct{} { return (&Leadership{s: s, lost: s.doubt}).Lost() },
	} {
		for heard, want := range map[time.Duration]bool{0: false, time.Hour: true} {
			s := &Session{timeout: time.Minute, heardAt: time.Now().Add(-heard), doubt: make(chan struct{})}
			told := false
			select {
			case <-lost(s):
				told = true
			default:
			}
			if told != want {
				t.Errorf("%s of a minute, heard of %v ago: in doubt %t", name, heard, told)
			}
		}
	}
}
