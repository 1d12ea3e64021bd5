package server

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/rs/zerolog"

	"paddock/internal/zk"
	"paddock/server/driver"
	"paddock/storage/datadir"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/wal"
)

// disk is the data directory as the syncer uses it. The log's writer is another one after the history has been replaced.
type disk struct {
	*wal.Writer
	dir     *datadir.Dir
	log     zerolog.Logger
	options snapshot.WriteOptions // of a snapshot that a leader has sent
	report  func(error)           // of what keeps the log from being prepared
	// preparing is the goroutine that keeps the log prepared. It ends with the log, and before the next one begins: both would
	// prepare a file of the same name.
	preparing sync.WaitGroup
}

var (
	_ driver.Log  = (*disk)(nil)
	_ driver.Disk = (*disk)(nil)
)

// SetAcceptedEpoch implements driver.Disk.
func (d *disk) SetAcceptedEpoch(epoch int64) error { return d.dir.SetAcceptedEpoch(epoch) }

// SetCurrentEpoch implements driver.Disk.
func (d *disk) SetCurrentEpoch(epoch int64) error { return d.dir.SetCurrentEpoch(epoch) }

// Truncate implements driver.Disk.
func (d *disk) Truncate(z zk.Zxid, reload bool) (*tree.Tree, bool, error) {
	if err := d.Writer.Close(); err != nil {
		return nil, false, err
	}
	rec, err := d.dir.TruncateAndRecover(z, datadir.RecoverOptions{Seed: rand.Uint64(), RecentMax: -1, NoTree: !reload})
	if err != nil {
		return nil, false, err
	}
	if was := d.Last(); was > z && rec.Untruncated == nil {
		d.log.Warn().Stringer("zxid", z).Stringer("was", was).Msg("dropped what is after this zxid, which the leader has not committed")
	}
	d.open(z)
	return rec.Tree, rec.Untruncated == nil, nil
}

// Install implements driver.Disk.
func (d *disk) Install(v *tree.View) error {
	if err := d.Writer.Close(); err != nil {
		return err
	}
	if _, err := d.dir.Install(context.Background(), v, d.options); err != nil {
		return err
	}
	d.log.Info().Stringer("zxid", v.Zxid()).Stringer("was", d.Last()).Msg("took the data of the leader in place of this server's")
	d.open(v.Zxid())
	return nil
}

// open begins a log that goes on after z.
func (d *disk) open(z zk.Zxid) {
	d.preparing.Wait()
	w := d.dir.Log(z)
	d.Writer = w
	d.preparing.Go(func() { w.KeepPrepared(d.report) }) // ends when the log is closed
}

// Close ends the log.
func (d *disk) Close() error {
	err := d.Writer.Close()
	d.preparing.Wait()
	return err
}
