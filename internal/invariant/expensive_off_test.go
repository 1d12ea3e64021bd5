//go:build !invariants

package invariant

import "testing"

func TestExpensiveDoesNothingWithoutTheTag(t *testing.T) {
	Expensive("snapshot-replay-idempotent", func() error {
		t.Error("called in a build without the tag")
		return nil
	})
}
