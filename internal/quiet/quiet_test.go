package quiet

import (
	"fmt"
	"testing"
	"time"
)

func TestRepeatedLinesAreHeldBack(t *testing.T) {
	var q Lines
	step := func(key string, now time.Duration, times uint64, ok bool) {
		t.Helper()
		if n, got := q.Allow(key, int64(now)); n != times || got != ok {
			t.Errorf("%s at %v: %d %v, want %d %v", key, now, n, got, times, ok)
		}
	}
	step("a", 0, 1, true)
	step("b", time.Second, 1, true)
	step("a", 59*time.Second, 0, false)
	step("a", 59*time.Second, 0, false)
	step("a", 60*time.Second, 3, true)
	for i := range 2 * causesMax {
		q.Allow(fmt.Sprint(i), int64(61*time.Second))
	}
	if len(q.seen) > causesMax+1 {
		t.Errorf("%d keys are remembered", len(q.seen))
	}
	step("new", 62*time.Second, 0, false) // too many: they share a line
	step("new", 200*time.Second, 1, true)
}
