package relay

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestALoopThatIsNeverPassedOn(t *testing.T) {
	ends := 0
	Run(func(func()) (bool, string) { return true, "done" }, func(s string) {
		if ends++; s != "done" {
			t.Errorf("ended with %q", s)
		}
	})
	if ends != 1 {
		t.Errorf("ended %d times", ends)
	}
}

// A loop that is held up goes on elsewhere, more than once, and ends while the first are still held up.
func TestALoopGoesOnElsewhere(t *testing.T) {
	const turns = 3
	var steps []int
	ended, held := make(chan string), make(chan struct{})
	loop := func(pass func()) (bool, string) {
		steps = append(steps, len(steps))
		if len(steps) <= turns {
			pass() // which may come from anybody
			<-held
			return false, "of no interest"
		}
		return true, "done"
	}
	returned := make(chan struct{})
	go func() { Run(loop, func(s string) { ended <- s }); close(returned) }()
	if got := <-ended; got != "done" || len(steps) != turns+1 {
		t.Errorf("ended with %q after %d steps", got, len(steps))
	}
	select {
	case <-returned:
		t.Error("Run has returned while its goroutine is held up")
	default:
	}
	close(held)
	<-returned
}
