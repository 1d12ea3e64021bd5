package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/config"
	"paddock/server/driver"
	"paddock/server/prep"
	"paddock/server/replica"
	"paddock/storage/datadir"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

// openDir opens and locks the data directory.
func (s *server) openDir() (*datadir.Dir, error) {
	c := s.cfg
	_, err := os.Stat(filepath.Join(c.DataDir, datadir.LockName))
	s.firstHere = errors.Is(err, fs.ErrNotExist)
	dir, err := datadir.Open(datadir.Options{
		FS: vfs.OS{}, Logger: s.log, Dir: c.DataDir, LogDir: c.DataLogDir, NoAutocreate: !c.DataDirAutocreate,
		NoNewDatabase: !c.DBAutocreate, TrustEmpty: c.Snapshot.TrustEmpty, NoSync: !c.Log.ForceSync,
		PrepareBytes: prepareBytes(c.Log.PreallocBytes), PID: s.opt.PID,
	})
	if err != nil {
		return nil, s.dirProblem(err)
	}
	if c.Distributed() {
		u, err := dir.Usage()
		if err == nil {
			err = spaceError(c, u)
		}
		if err != nil {
			return nil, errors.Join(err, dir.Close())
		}
	}
	if c.WriteMyID {
		text := strconv.FormatInt(c.ServerID, 10) + "\n"
		if err := vfs.WriteFileAtomic(vfs.OS{}, c.MyIDPath(), []byte(text)); err != nil {
			return nil, errors.Join(fmt.Errorf("write %s: %w", c.MyIDPath(), err), dir.Close())
		}
	}
	return dir, nil
}

// prepareBytes turns ZooKeeper's preallocation into the first stretch of zeros; later ones grow to four times that.
func prepareBytes(prealloc int64) int64 {
	const most = 4 << 20 // more would only be zeros to write at every roll
	if prealloc <= 0 {
		return -1
	}
	return min(prealloc, most)
}

// dirProblem gives an error of opening the directory the words and the exit code of the configuration.
func (s *server) dirProblem(err error) error {
	var (
		inUse   *datadir.InUseError
		missing *datadir.MissingError
		access  *datadir.AccessError
	)
	switch {
	case errors.As(err, &inUse):
		return config.DataDirInUse(inUse.Dir, inUse.PID)
	case errors.As(err, &missing):
		return config.DataDirMissing(missing.Key, missing.Dir)
	case errors.As(err, &access):
		return config.DataDirUnusable(access.Key, access.Dir, access.Err, os.Getuid())
	default:
		return err
	}
}

// progressEvery is how often a long start says how far it is.
const progressEvery = time.Second

// paced returns what is true once per progressEvery, for the first time after one.
func paced() func() bool {
	last := time.Now()
	return func() bool {
		now := time.Now()
		if now.Sub(last) < progressEvery {
			return false
		}
		last = now
		return true
	}
}

// recover restores the state and makes the driver that will own it.
func (s *server) recover(ctx context.Context, dir *datadir.Dir) (*live, error) {
	due := paced()
	recent := -1
	if s.cfg.Distributed() {
		recent = 0
	}
	rec, err := dir.Recover(datadir.RecoverOptions{
		Seed: rand.Uint64(), RecentMax: recent, Member: s.cfg.Distributed(),
		Progress: func(stage string, done int) {
			if due() {
				text := stage + ": " + strconv.Itoa(done)
				s.progress.Store(&text)
				s.log.Info().Str("stage", stage).Int("done", done).Msg("starting")
			}
		},
	})
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, config.DataDirUnusable("dataDir", s.cfg.DataDir, err, os.Getuid())
		}
		return nil, err
	}
	s.logRecovered(rec)
	s.warnUnlogged(dir, rec)
	if err := s.checkMembers(rec.Tree); err != nil {
		return nil, err
	}
	s.metrics.recovered.Observe(time.Since(s.began))
	if rec.Uninitialised && !s.cfg.Distributed() {
		return nil, config.Problem{File: s.cfg.File, Key: "db.autocreate", Exit: config.ExitUnexpected,
			Problem: s.cfg.DataDir + " is empty and db.autocreate=false forbids to begin a new database in it",
			Fix:     "restore the data, or create the file " + filepath.Join(s.cfg.DataDir, "initialize")}
	}
	if rec.NeedsSnapshot && !rec.Uninitialised {
		v := rec.Tree.Freeze()
		_, err := dir.WriteSnapshot(ctx, v, s.snapshotOptions())
		rec.Tree.Release(v)
		if err != nil {
			return nil, fmt.Errorf("write the first snapshot: %w", err)
		}
	}
	return s.makeLive(dir, rec)
}

// warnUnlogged warns at the first start on another server's data that there is no log: with ZooKeeper it may be in a dataLogDir that this
// configuration does not name.
func (s *server) warnUnlogged(dir *datadir.Dir, rec *datadir.Recovered) {
	if u, err := dir.Usage(); err != nil || !s.firstHere || u.Logs > 0 || rec.Snapshot.Zxid <= 0 {
		return
	}
	text := fmt.Sprintf("%s has a snapshot of zxid %v and %s no log: if the server before this one had dataLogDir, stop this one at once and set it, "+
		"or the writes that came after the snapshot are lost", s.cfg.DataDir, rec.Snapshot.Zxid, s.cfg.DataLogDir)
	if s.warned.set(aboutLogDir, text) {
		s.log.Warn().Msg(text)
	}
}

// makeLive builds replica, log and driver.
func (s *server) makeLive(dir *datadir.Dir, rec *datadir.Recovered) (*live, error) {
	cfg, err := s.replicaConfig(rec)
	if err != nil {
		return nil, err
	}
	r, err := replica.New(cfg, rec.Tree, 0, time.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	l := &live{dir: dir, disk: &disk{dir: dir, log: s.log, options: s.snapshotOptions(), report: s.reportPrepare}}
	l.disk.open(rec.Tree.Zxid())
	opt := driver.Options{
		Logger: s.log, Replica: r, Log: l.disk, Observe: s.notes.observe, Latency: s.metrics.latency, Synced: s.notes.synced(s.cfg.Log.FsyncWarning),
		Propagated: func(took time.Duration) { s.metrics.propagated(s.mode(), took) },
		TickEvery:  min(max(s.cfg.TickTime/ticksPerTick, tickEveryMin), tickEveryMax),
		FeedBytes:  s.cfg.History.Bytes, FeedTime: s.cfg.History.Time,
		Snapshot: func(ctx context.Context, v *tree.View) error { return s.writeSnapshot(ctx, dir, v) },
	}
	opt.ReadLog = func(ctx context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
		return readHistory(ctx, dir, after, to, f)
	}
	if s.cfg.Distributed() {
		if l.peers, err = s.newEnsemble(dir); err != nil {
			return nil, errors.Join(err, l.disk.Close())
		}
		l.peers.members.empty = rec.Uninitialised
		l.configuration = s.newConfiguration(l.peers, cfg.Core.LastSeen)
		s.warnUnwritable()
		opt.Disk, opt.Peers, opt.Configured = l.disk, l.peers, l.configuration.changed
		opt.FindInLog = func(z, until zk.Zxid) (zk.Zxid, bool) { return s.findInLog(dir, z, until) }
		opt.Observe = func(n replica.Note) { s.roleChanged(l.peers, n); s.notes.observe(n) }
		opt.TickEvery = memberTickEvery
	}
	l.driver = driver.New(opt)
	if l.peers != nil {
		l.peers.driver = l.driver
	}
	if rec.Log.Records > 0 {
		l.driver.Do(replica.Event{Kind: replica.SnapshotNow}) // so that the next start is quick
	}
	return l, nil
}

// The replica is told the time ten times per tickTime, within bounds.
const (
	ticksPerTick = 10
	tickEveryMin = 10 * time.Millisecond
	tickEveryMax = 100 * time.Millisecond

	memberTickEvery = 20 * time.Millisecond // consensus asks for one every 50 ms
)

// readOnlyAfterMin is how long a member looks for a leader at least before it serves reads alone, as ZooKeeper does.
const readOnlyAfterMin = 2 * time.Second

// standaloneID is what ZooKeeper makes session ids with when it serves alone, whatever myid says.
const standaloneID = 1

func (s *server) replicaConfig(rec *datadir.Recovered) (replica.Config, error) {
	c := s.cfg
	authority, err := newAuthority(&c.Auth)
	if err != nil {
		return replica.Config{}, err
	}
	out := replica.Config{
		ServerID: standaloneID,
		Prep: prep.Config{ExtendedTypes: c.Znodes.ExtendedTypes, EnforceQuota: c.Znodes.EnforceQuota,
			NoDigest: !c.Znodes.DigestEnabled, NoClosePaths: !c.Znodes.CloseSessionTxn,
			TxnBytesMax: int64(c.Client.FrameBytesMax) + int64(c.Client.TxnExtraBytes),
			Reconfig:    c.Members.ReconfigEnabled, StandaloneEnabled: c.Members.StandaloneEnabled},
		Auth:         authority,
		TickMS:       c.TickTime.Milliseconds(),
		MinSessionMS: int32(c.MinSessionTimeout.Milliseconds()), MaxSessionMS: int32(c.MaxSessionTimeout.Milliseconds()),
		Throttle:     throttleConfig(&c.Connect),
		SnapshotTxns: int64(c.Log.SnapCount), SnapshotBytes: c.Log.SnapSizeBytes, SnapshotLogPercent: int64(c.Log.SnapLogPercent), SnapshotLogBytes: c.Log.SnapLogBytes, LogFileBytes: c.Log.FileSizeBytes, Seed: rand.Uint64(),
		ContainerCheckMS:     c.Znodes.ContainerInterval.Milliseconds(),
		ContainerNeverUsedMS: c.Znodes.ContainerNeverUsed.Milliseconds(),
		ContainerPerMinute:   int64(c.Znodes.ContainerPerMinute),
	}
	if c.Distributed() {
		out.ServerID, out.Core = quorum.ServerID(c.ServerID), coreConfig(c, rec)
		out.LocalSessions, out.UpgradeSessions = c.Sessions.Local, c.Sessions.LocalUpgrading
		if c.Sessions.ReadOnlyMode {
			out.ReadOnlyAfterMS = max(readOnlyAfterMin, c.TickTime).Milliseconds()
		}
		out.LeaderApart = !c.Members.LeaderServes
	}
	if c.Auth.Enforce {
		out.EnforceSchemes = c.Auth.EnforceSchemes
	}
	return out, nil
}

// newAuthority makes who judges credentials.
func newAuthority(c *config.Auth) (*auth.Authority, error) {
	return auth.New(auth.Config{SuperDigest: c.SuperDigest, DigestAlg: c.DigestAlg, NoDigest: !c.DigestEnabled, SkipACL: c.SkipACL})
}

func throttleConfig(c *config.ConnectThrottle) replica.ThrottleConfig {
	out := replica.ThrottleConfig{
		Tokens: int32(c.Tokens), FillMS: c.FillTime.Milliseconds(), FillCount: int32(c.FillCount), FreezeMS: c.FreezeTime.Milliseconds(),
		DropIncrease: c.DropIncrease, DropDecrease: c.DropDecrease, DecreaseRatio: c.DecreaseRatio,
	}
	if c.WeightEnabled {
		out.NewTokens, out.RenewTokens = int32(c.GlobalWeight), int32(c.RenewWeight)
	}
	return out
}

func (s *server) snapshotOptions() snapshot.WriteOptions {
	return snapshot.WriteOptions{
		Compression: snapshot.Compression(s.cfg.Snapshot.Compression), NoDigest: !s.cfg.Znodes.DigestEnabled,
		NoLastZxid: !s.cfg.Snapshot.SerializeLastProcessed,
	}
}

// writeSnapshot is the driver's way to the disk.
func (s *server) writeSnapshot(ctx context.Context, dir *datadir.Dir, v *tree.View) error {
	began := time.Now()
	opts := s.snapshotOptions()
	due := paced()
	opts.Progress = func(done int) {
		if due() {
			s.log.Info().Int("znodes", done).Msg("writing a snapshot")
		}
	}
	path, err := dir.WriteSnapshot(ctx, v, opts)
	s.written.done(v.Zxid(), err)
	s.wakeUpkeep() // what failed for want of room may find some
	if err != nil {
		return err
	}
	s.metrics.snapshot.Observe(time.Since(began))
	s.log.Info().Str("file", path).Dur("took_ms", time.Since(began)).Msg("snapshot written")
	return nil
}

// logRecovered says what was found, and what of it an operator should know.
func (s *server) logRecovered(rec *datadir.Recovered) {
	for _, bad := range rec.Bad {
		s.log.Warn().Str("snapshot", bad.String()).Str("used", rec.Snapshot.File).
			Msg("passed over a damaged snapshot; the older one and the log hold everything")
	}
	for _, torn := range rec.Log.Torn {
		s.log.Warn().Str("log", torn.String()).Msg("cut off a record that was never finished, so never acknowledged")
	}
	for _, file := range rec.Log.Removed {
		s.log.Info().Str("file", file).Msg("removed a log file that held nothing")
	}
	if rec.Log.Repeated > 0 {
		s.log.Warn().Int("records", rec.Log.Repeated).Msg("left out log records that had come before")
	}
	if rec.DigestMismatch != 0 {
		s.log.Error().Stringer("zxid", rec.DigestMismatch).Msg("the tree differs from the digest that was logged with it; compare with another copy of the data")
	}
	if rec.FuzzyUntil != 0 {
		s.log.Warn().Stringer("snapshot_until", rec.FuzzyUntil).Stringer("log_until", rec.Tree.Zxid()).
			Msg("the snapshot may hold effects of transactions that the log no longer has")
	}
	s.log.Info().Str("snapshot", rec.Snapshot.File).Int("records", rec.Log.Records).Stringer("zxid", rec.Tree.Zxid()).
		Int("znodes", rec.Tree.Znodes()).Int("sessions", rec.Tree.SessionCount()).Dur("took_ms", time.Since(s.began)).Msg("state recovered")
}
