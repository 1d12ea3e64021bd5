package driver

import "time"

// Stats are the counters of the server since they were last reset. They belong to the owner; see Driver.Inspect.
type Stats struct {
	SnapshotErrors int64

	latencyCount int64
	latencySum   time.Duration
	latencyMin   time.Duration
	latencyMax   time.Duration
}

func (s *Stats) latency(d time.Duration) {
	if s.latencyCount == 0 || d < s.latencyMin {
		s.latencyMin = d
	}
	s.latencyMax = max(s.latencyMax, d)
	s.latencyCount++
	s.latencySum += d
}

// Latency is the shortest, mean and longest time from the arrival of a request to its reply; zeros if there was none.
func (s *Stats) Latency() (least, mean, most time.Duration) {
	if s.latencyCount == 0 {
		return 0, 0, 0
	}
	return s.latencyMin, s.latencySum / time.Duration(s.latencyCount), s.latencyMax
}

// Reset starts counting latencies anew.
func (s *Stats) Reset() {
	s.latencyCount, s.latencySum, s.latencyMin, s.latencyMax = 0, 0, 0, 0
}
