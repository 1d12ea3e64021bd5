package driver

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"paddock/consensus"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// ErrHistoryGone tells that neither memory nor the log goes back to the zxid that was asked for.
var ErrHistoryGone = request.ErrHistoryGone

// Changes calls f for every change after a zxid, in order, up to what is applied at some moment after the call, which it
// returns: the zxid to go on from. What memory no longer holds comes from the log on disk. The error is ErrHistoryGone, f's, or
// why the server cannot tell; f may have been called by then. The paths and data of a change are its caller's to keep.
func (d *Driver) Changes(ctx context.Context, after zk.Zxid, f func(txn.Change) error) (upTo zk.Zxid, err error) {
	for {
		m, err := d.since(ctx, after)
		if err != nil {
			return after, err
		}
		if m.entries != nil || after >= m.applied {
			for _, e := range m.entries {
				if err := changesOf(e.Payload, f); err != nil {
					return after, err
				}
				after = e.Zxid
			}
			return max(after, m.applied), nil
		}
		if d.opt.ReadLog == nil {
			return after, ErrHistoryGone
		}
		err = d.opt.ReadLog(ctx, after, m.oldest, func(_ zk.Zxid, payload []byte) error { return changesOf(slices.Clone(payload), f) })
		if err != nil {
			return after, err
		}
		after = m.oldest // and memory has gone on meanwhile
	}
}

// memory is what the owner remembers of the history.
type memory struct {
	entries []consensus.Entry // nil if it does not go back far enough
	oldest  zk.Zxid           // from which on it does; durable
	applied zk.Zxid
}

// since asks the owner for what memory holds after z.
func (d *Driver) since(ctx context.Context, z zk.Zxid) (memory, error) {
	return ask(ctx, d, func(r *replica.Replica) memory {
		m := memory{oldest: r.Oldest(), applied: r.Tree().Zxid()}
		if list, reaches := r.Since(z); reaches {
			m.entries = append([]consensus.Entry{}, list...)
		}
		return m
	})
}

// ask has the owner answer a question about the replica.
func ask[T any](ctx context.Context, d *Driver, question func(*replica.Replica) T) (answer T, err error) {
	got := make(chan T, 1)
	if !d.Inspect(ctx, func(r *replica.Replica, _ *Stats) { got <- question(r) }) {
		return answer, fmt.Errorf("the server does not answer: %w", cmp.Or(context.Cause(ctx), ErrNotServing))
	}
	return <-got, nil
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

// TxnAt is the txn with a zxid, from memory or from the log on disk. The error is ErrHistoryGone if neither goes back that far or there
// is no such txn, ErrNotServing, or why the server cannot tell.
func (d *Driver) TxnAt(ctx context.Context, z zk.Zxid) (*txn.Record, error) {
	m, err := d.since(ctx, z-1)
	if err != nil {
		return nil, err
	}
	var payload []byte
	for _, e := range m.entries {
		if e.Zxid == z {
			payload = e.Payload
			break
		}
	}
	if payload == nil && m.entries == nil && z <= m.oldest && d.opt.ReadLog != nil {
		err = d.opt.ReadLog(ctx, z-1, z, func(at zk.Zxid, p []byte) error {
			if at == z {
				payload = slices.Clone(p)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if payload == nil {
		return nil, ErrHistoryGone
	}
	rec := new(txn.Record)
	return rec, rec.Decode(payload)
}
