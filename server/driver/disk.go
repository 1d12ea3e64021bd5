package driver

import (
	"time"

	"paddock/consensus"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

// Disk is what the syncer does besides the log. A server on its own never asks for it.
type Disk interface {
	// SetAcceptedEpoch and SetCurrentEpoch make an epoch durable.
	SetAcceptedEpoch(epoch int64) error
	SetCurrentEpoch(epoch int64) error
	// Truncate drops what is newer than z from log and snapshots; the log goes on after z. With reload it returns the tree as
	// the disk has it then. If it cannot go back to z it is as before, ok is false and the tree empty; nothing is appended
	// before Install.
	Truncate(z zk.Zxid, reload bool) (t *tree.Tree, ok bool, err error)
	// Install makes the view the durable state; the log goes on after it.
	Install(*tree.View) error
}

// task is one thing for the syncer that is no record. It comes after everything that was asked for before it.
type task struct {
	kind   consensus.ActionKind // SetAcceptedEpoch, SetCurrentEpoch, Truncate or Install
	epoch  int64
	zxid   zk.Zxid
	reload bool
	view   *tree.View
}

// changesSnapshots tells of a task that must not happen while a snapshot is being written.
func (t *task) changesSnapshots() bool {
	return t.kind == consensus.Truncate || t.kind == consensus.Install
}

// assign puts a task behind all that was appended.
func (s *logState) assign(t task) { s.pending.parts = append(s.pending.parts, logPart{task: &t}) }

// run carries a task out and returns what the replica is told of it.
func (d *Driver) run(t *task) (ev replica.Event, err error) {
	ev = replica.Event{Kind: replica.Consensus, View: t.view, Core: &consensus.Event{Epoch: t.epoch, Zxid: t.zxid}}
	if t.changesSnapshots() {
		d.snapshotting <- struct{}{} // waits for the one that is being written
		defer func() { <-d.snapshotting }()
	}
	switch t.kind {
	case consensus.SetAcceptedEpoch:
		ev.Core.Kind = consensus.AcceptedEpochDurable
		err = d.opt.Disk.SetAcceptedEpoch(t.epoch)
	case consensus.SetCurrentEpoch:
		ev.Core.Kind = consensus.CurrentEpochDurable
		err = d.opt.Disk.SetCurrentEpoch(t.epoch)
	case consensus.Truncate:
		var ok bool
		ev.Core.Kind = consensus.Truncated
		if ev.Tree, ok, err = d.opt.Disk.Truncate(t.zxid, t.reload); !ok {
			ev.Core.Kind = consensus.Untruncated
		}
	case consensus.Install:
		ev.Core.Kind = consensus.Installed
		err = d.opt.Disk.Install(t.view)
	}
	return ev, err
}

// syncBatch writes and fsyncs what a batch holds, in its order. events is what the replica is told once it is durable.
//
// INVARIANT(ack-after-durable): an event is in the list only if it, and all before it, is durable.
func (d *Driver) syncBatch(batch logBatch) (events []replica.Event, err error) {
	var written zk.Zxid
	sync := func() error {
		if written == 0 {
			return nil
		}
		start := time.Now()
		err := d.opt.Log.Sync()
		if d.opt.Synced != nil {
			d.opt.Synced(time.Since(start))
		}
		events = append(events, replica.Event{Kind: replica.Durable, Zxid: written})
		written = 0
		return err
	}
	for i := range batch.parts {
		p := &batch.parts[i]
		if p.task != nil {
			if err := sync(); err != nil {
				return nil, err
			}
			ev, err := d.run(p.task)
			if err != nil {
				return nil, err
			}
			events = append(events, ev)
			continue
		}
		if p.roll {
			if err := d.opt.Log.Roll(); err != nil {
				return nil, err
			}
		}
		if err := d.opt.Log.Write(p.framed, p.first, p.last); err != nil {
			return nil, err
		}
		written = p.last
	}
	if err := sync(); err != nil {
		return nil, err
	}
	return events, nil
}
