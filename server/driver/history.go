package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"paddock/consensus"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/feed"
	"paddock/server/replica"
)

// ErrHistoryGone tells that neither memory nor the log goes back to the zxid that was asked for.
var ErrHistoryGone = feed.ErrHistoryGone

// Changes calls f for every change after a zxid, in order, up to what is applied at some moment after the call, which it
// returns: the zxid to go on from, with Feed().After. It is for what Feed holds no more: changes are as a log tells them, from memory and from
// the log on disk. The error is ErrHistoryGone (mostly a *feed.GoneError), ErrNotServing, f's, or why the server cannot tell; f may have been called
// by then, and upTo is what it has been told completely. f may keep what a change refers to.
func (d *Driver) Changes(ctx context.Context, after zk.Zxid, f func(feed.Change) error) (upTo zk.Zxid, err error) {
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
			return after, &feed.GoneError{Oldest: m.oldest}
		}
		told := after
		err = d.opt.ReadLog(ctx, after, m.oldest, func(z zk.Zxid, payload []byte) error {
			if err := changesOf(slices.Clone(payload), f); err != nil {
				return err
			}
			told = z
			return nil
		})
		if gone := (*feed.GoneError)(nil); errors.Is(err, ErrHistoryGone) && !errors.As(err, &gone) {
			err = &feed.GoneError{Oldest: m.oldest}
		}
		if err != nil {
			return told, err
		}
		after = m.oldest // and memory has gone on meanwhile
	}
}

// memory is what the owner remembers of the history.
type memory struct {
	serving bool
	entries []consensus.Entry // nil if it does not go back far enough
	oldest  zk.Zxid           // from which on it does; durable
	applied zk.Zxid
}

// since asks the owner for what memory holds after z. A server without a role cannot tell what of its log is committed.
func (d *Driver) since(ctx context.Context, z zk.Zxid) (memory, error) {
	m, err := ask(ctx, d, func(r *replica.Replica) memory {
		m := memory{serving: r.Consensus().Serving(), oldest: r.Oldest(), applied: r.Tree().Zxid()}
		if list, reaches := r.Since(z); reaches {
			m.entries = append([]consensus.Entry{}, list...)
		}
		return m
	})
	if err == nil && !m.serving {
		err = ErrNotServing
	}
	return m, err
}

// ask has the owner answer a question about the replica.
func ask[T any](ctx context.Context, d *Driver, question func(*replica.Replica) T) (answer T, err error) {
	got := make(chan T, 1)
	if !d.Inspect(ctx, func(r *replica.Replica, _ *Stats) { got <- question(r) }) {
		return answer, fmt.Errorf("the server does not answer: %w", cmp.Or(context.Cause(ctx), ErrNotServing))
	}
	return <-got, nil
}

func changesOf(payload []byte, f func(feed.Change) error) (err error) {
	var rec txn.Record
	if err := rec.Decode(payload); err != nil {
		return err
	}
	for l := range rec.Changes {
		c, ok := feed.FromLog(&l)
		if !ok {
			return &feed.GoneError{Oldest: l.Zxid}
		}
		if err = f(c); err != nil {
			return err
		}
	}
	return nil
}
