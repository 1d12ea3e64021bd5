//go:build invariants

package invariant

import (
	"errors"
	"testing"
)

func TestExpensivePanicsWithTheRuleAndTheError(t *testing.T) {
	if got := panicOf(func() { Expensive("snapshot-replay-idempotent", func() error { return nil }) }); got != nil {
		t.Fatalf("panic %v, want none", got)
	}
	got := panicOf(func() { Expensive("snapshot-replay-idempotent", func() error { return errors.New("/a differs") }) })
	if want := "invariant broken: snapshot-replay-idempotent: /a differs"; got != want {
		t.Fatalf("panic %v, want %v", got, want)
	}
}
