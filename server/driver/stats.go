package driver

import (
	"sync/atomic"
	"time"
)

// Stats are the counters of the server since they were last reset. They belong to the owner; see Driver.Inspect.
type Stats struct {
	Received, Sent int64 // requests, and replies plus events
	SnapshotErrors int64

	latencyCount      int64
	latencySum        time.Duration
	latencyMin        time.Duration
	latencyMax        time.Duration
	fsyncs, fsyncNano atomic.Int64 // written by the syncer
	fsyncMaxNano      atomic.Int64
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

func (s *Stats) fsync(d time.Duration) {
	s.fsyncs.Add(1)
	s.fsyncNano.Add(int64(d))
	if int64(d) > s.fsyncMaxNano.Load() {
		s.fsyncMaxNano.Store(int64(d))
	}
}

// Fsync is how many fsyncs of the log there were, and their total and longest time.
func (s *Stats) Fsync() (count int64, total, most time.Duration) {
	return s.fsyncs.Load(), time.Duration(s.fsyncNano.Load()), time.Duration(s.fsyncMaxNano.Load())
}

// Reset starts counting packets and latencies anew.
func (s *Stats) Reset() {
	s.Received, s.Sent = 0, 0
	s.latencyCount, s.latencySum, s.latencyMin, s.latencyMax = 0, 0, 0, 0
}
