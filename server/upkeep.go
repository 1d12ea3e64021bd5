package server

import (
	"context"
	"fmt"
	"time"

	"paddock/storage/vfs"
)

// measureEvery is how often the size of the data directory and the space on its disk are looked at.
const measureEvery = 10 * time.Second

// Below a tenth of the disk the server purges whenever it measures, and warns every spaceWarnEvery.
const (
	spaceLowShare  = 10 // free space is low below total/spaceLowShare
	spaceWarnEvery = 10 * time.Minute
)

// keepUp measures and purges until ctx ends.
func (s *server) keepUp(ctx context.Context, l *live) {
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	var purged, warned, done time.Time // purge tried, warning given, purge completed; zero: never
	for {
		s.measure(l, done)
		now := time.Now()
		due := s.cfg.Purge.Interval > 0 && now.Sub(purged) >= s.cfg.Purge.Interval
		low := ""
		if u := s.usage.Load(); u != nil {
			low = spaceWarning(u)
		}
		if low != "" {
			due = due || s.cfg.Purge.Interval > 0 // each time: it may be low again long before the next warning
			if now.Sub(warned) >= spaceWarnEvery {
				warned = now
				s.log.Warn().Msg(low)
			}
		}
		if due {
			purged = now
			if s.purge(l) {
				done = now
				s.measure(l, done)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.upkeep:
		}
	}
}

// wakeUpkeep has the directory measured soon.
func (s *server) wakeUpkeep() {
	select {
	case s.upkeep <- struct{}{}:
	default:
	}
}

// measure sets s.usage. An error is no reason to stop: the log will find out what the disk is like.
func (s *server) measure(l *live, lastPurge time.Time) {
	u, err := l.dir.Usage()
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot measure the data directory")
		return
	}
	s.usage.Store(&usage{Usage: u, lastPurge: lastPurge})
}

// purge removes what the newest snapshots make superfluous, and tells whether it got through.
func (s *server) purge(l *live) bool {
	removed, err := l.dir.Purge(s.cfg.Purge.RetainCount)
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot purge old snapshots and logs")
	}
	if len(removed) > 0 {
		s.log.Info().Int("files", len(removed)).Msg("purged old snapshots and logs")
	}
	return err == nil
}

// spaceWarning is "" while there is room.
func spaceWarning(u *usage) string {
	for _, disk := range []struct {
		what  string
		space vfs.Space
	}{{"transaction log", u.LogSpace}, {"snapshots", u.Space}} {
		if total := disk.space.Total; total > 0 && disk.space.Free < total/spaceLowShare {
			return fmt.Sprintf("the disk of the %s is %d%% full, %d MiB are free; %d snapshots and %d logs take %d MiB: "+
				"make room, or the server will stop", disk.what, 100-disk.space.Free*100/total, disk.space.Free>>20,
				u.Snapshots, u.Logs, (u.SnapshotBytes+u.LogBytes)>>20)
		}
	}
	return ""
}
