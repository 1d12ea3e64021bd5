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
