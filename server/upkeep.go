package server

import (
	"context"
	"fmt"
	"time"

	"paddock/storage/snapshot"
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
	var purged, warned time.Time // zero: never
	for {
		s.measure(l)
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
			s.purge(l, now)
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
func (s *server) measure(l *live) {
	next := &usage{}
	if before := s.usage.Load(); before != nil {
		next.lastPurge = before.lastPurge
	}
	var err error
	if next.Usage, err = l.dir.Usage(); err != nil {
		s.log.Warn().Err(err).Msg("cannot measure the data directory")
		return
	}
	names, err := vfs.OS{}.List(l.dir.SnapshotPath())
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot list the snapshots")
		return
	}
	for _, name := range names {
		if z, _, ok := snapshot.ParseName(name); ok && z > next.newest {
			next.newest = z
		}
	}
	s.usage.Store(next)
}

// purge removes what the newest snapshots make superfluous.
func (s *server) purge(l *live, now time.Time) {
	removed, err := l.dir.Purge(s.cfg.Purge.RetainCount)
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot purge old snapshots and logs")
	}
	if len(removed) > 0 {
		s.log.Info().Int("files", len(removed)).Msg("purged old snapshots and logs")
	}
	if err != nil {
		return
	}
	s.measure(l)
	if u := s.usage.Load(); u != nil {
		next := *u
		next.lastPurge = now
		s.usage.Store(&next)
	}
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
