package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"paddock/consensus"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
)

// ErrHistoryGone tells that neither memory nor the log goes back to the zxid that was asked for.
var ErrHistoryGone = errors.New("the history does not go back that far")

// Changes calls f for every change after a zxid, in order, up to what is applied at some moment after the call, which it
// returns: the zxid to go on from. What memory no longer holds comes from the log on disk. The error is ErrHistoryGone, f's, or
// why the server cannot tell; f may have been called by then. The paths and data of a change are its caller's to keep.
func (d *Driver) Changes(ctx context.Context, after zk.Zxid, f func(txn.Change) error) (upTo zk.Zxid, err error) {
	for {
		entries, oldest, applied, err := d.since(ctx, after)
		if err != nil {
			return after, err
		}
		if entries != nil || after >= applied {
			for _, e := range entries {
				if err := changesOf(e.Payload, f); err != nil {
					return after, err
				}
				after = e.Zxid
			}
			return max(after, applied), nil
		}
		if d.opt.ReadLog == nil {
			return after, ErrHistoryGone
		}
		err = d.opt.ReadLog(ctx, after, oldest, func(_ zk.Zxid, payload []byte) error { return changesOf(slices.Clone(payload), f) })
		if err != nil {
			return after, err
		}
		after = oldest // and memory has gone on meanwhile
	}
}

// since asks the owner for what memory holds after z. If it does not go back to z entries is nil, and oldest is the zxid from
// which on it does.
func (d *Driver) since(ctx context.Context, z zk.Zxid) (entries []consensus.Entry, oldest, applied zk.Zxid, err error) {
	ok := d.Inspect(ctx, func(r *replica.Replica, _ *Stats) {
		applied = r.Tree().Zxid()
		if list, reaches := r.Since(z); reaches {
			entries = append([]consensus.Entry{}, list...)
			return
		}
		oldest = r.Oldest() // which is durable
	})
	if !ok {
		return nil, 0, 0, fmt.Errorf("the server does not answer: %w", context.Cause(ctx))
	}
	return entries, oldest, applied, nil
}

func changesOf(payload []byte, f func(txn.Change) error) (err error) {
	var rec txn.Record
	if err := rec.Decode(payload); err != nil {
		return err
	}
	for c := range rec.Changes {
		if err = f(c); err != nil {
			return err
		}
	}
	return nil
}
