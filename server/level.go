package server

import (
	"sync/atomic"

	"github.com/rs/zerolog"
)

// LogLevel is the least level that a logger logs, which may change while it is in use: a logger takes it by Sample, and
// itself has the level trace. Its methods may be called from any goroutine; the nil LogLevel lets everything through.
type LogLevel struct{ least atomic.Int32 }

// NewLogLevel returns a level that begins at l.
func NewLogLevel(l zerolog.Level) *LogLevel {
	level := &LogLevel{}
	level.least.Store(int32(l))
	return level
}

// Sample implements zerolog.Sampler.
func (l *LogLevel) Sample(of zerolog.Level) bool { return l == nil || int32(of) >= l.least.Load() }

// Swap changes the level and returns the one before.
func (l *LogLevel) Swap(to zerolog.Level) (before zerolog.Level) {
	return zerolog.Level(l.least.Swap(int32(to)))
}
