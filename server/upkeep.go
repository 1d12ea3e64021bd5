package server

import (
	"context"
	"fmt"
	"time"

	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/storage/datadir"
	"paddock/storage/vfs"
)

// measureEvery is how often the size of the data directory and the space on its disk are looked at.
const measureEvery = 10 * time.Second

// Below a tenth of the disk the server purges whenever it measures, and warns every spaceWarnEvery.
const (
	spaceLowShare  = 10 // free space is low below total/spaceLowShare
	spaceWarnEvery = 10 * time.Minute
	spaceLowEvery  = time.Second // instead of measureEvery
)

// A member of an ensemble stops before its disk is full, while there is still room to start again: the others go on.
// It does below total/spaceLeastShare, or spaceLeastMax where that is less.
const (
	spaceLeastShare = 100
	spaceLeastMax   = 64 << 20
)

// keepUp measures and purges until ctx ends.
func (s *server) keepUp(ctx context.Context, l *live) {
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	var purged, warned, done time.Time // purge tried, warning given, purge completed; zero: never
	var snapshot zk.Zxid               // the newest when purge was tried
	queue, purge := newOverflows(s.metrics, s.log), s.cfg.Purge
	for {
		s.measure(l, done)
		now := time.Now()
		queue.look(readNetstat(), now)
		newest, _ := s.written.last()
		due := purge.Interval > 0 && now.Sub(purged) >= purge.Interval || purge.EachSnapshot && (purged.IsZero() || newest != snapshot)
		low := ""
		if u := s.usage.Load(); u != nil {
			low = spaceWarning(u)
		}
		if low != "" {
			due = due || purge.On() // each time: it may be low again long before the next warning
			if now.Sub(warned) >= spaceWarnEvery {
				warned = now
				s.log.Warn().Msg(low)
			}
			ticker.Reset(spaceLowEvery)
		} else if !warned.IsZero() {
			warned = time.Time{}
			ticker.Reset(measureEvery)
		}
		if due {
			purged, snapshot = now, newest
			history := s.cfg.History.LogBytes
			if low != "" {
				history = 0 // it is worth less than to go on
			}
			if s.purge(l, history) {
				done = now
				s.measure(l, done)
			}
		}
		if u := s.usage.Load(); u != nil && l.peers != nil {
			if err := spaceError(s.cfg, u.Usage); err != nil {
				s.fail(err)
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
func (s *server) purge(l *live, history int64) bool {
	removed, err := l.dir.Purge(s.cfg.Purge.RetainCount, history)
	if err != nil {
		s.log.Warn().Err(err).Msg("cannot purge old snapshots and logs")
	}
	if len(removed) > 0 {
		s.log.Info().Int("files", len(removed)).Msg("purged old snapshots and logs")
	}
	return err == nil
}

// spaceError is why a member may not go on with so little room; nil if it may.
func spaceError(c *config.Config, u datadir.Usage) error {
	for _, disk := range []struct {
		key, dir string
		space    vfs.Space
	}{{"dataLogDir", c.DataLogDir, u.LogSpace}, {"dataDir", c.DataDir, u.Space}} {
		least := min(disk.space.Total/spaceLeastShare, spaceLeastMax)
		if disk.space.Total > 0 && disk.space.Free < least {
			return config.DiskFull(disk.key, disk.dir, disk.space.Free, least)
		}
	}
	return nil
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
