package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// Feed tells those who follow the changes what was applied; see its methods, which any goroutine may call.
type Feed struct{ d *Driver }

// Feed returns the feed of changes.
func (d *Driver) Feed() Feed { return Feed{d} }

// Now is the present state, and a channel that is closed once that is another.
func (f Feed) Now() (request.FeedState, <-chan struct{}) { return f.d.feed.now() }

// Read calls fn for each txn after the given zxid that has changed something and is in memory, oldest first, for no more than most
// txns, with all the changes of the txn. upTo is where to go on: nothing else has changed up to there. ok is false if memory does
// not go back to after; fn has not been called then. fn must not keep the slice.
func (f Feed) Read(after zk.Zxid, most int, fn func([]request.Change)) (upTo zk.Zxid, ok bool) {
	return f.d.feed.read(after, most, fn)
}

// ReadLog does so for what memory no longer holds, from the log on disk: for those changes that want asks for, and up to where Read
// can go on. The error is a *request.HistoryGoneError, fn's, or why the log cannot be read; fn may have been called by then.
func (f Feed) ReadLog(ctx context.Context, after zk.Zxid, want func(zk.EventType, string) bool, fn func([]request.Change) error) (upTo zk.Zxid, err error) {
	state, _ := f.Now()
	if after >= state.Oldest {
		return after, nil
	}
	if f.d.opt.ReadLog == nil {
		return after, &request.HistoryGoneError{Oldest: state.Oldest}
	}
	l := logFollower{ctx: ctx, d: f.d, want: want, fn: fn}
	err = f.d.opt.ReadLog(ctx, after, state.Oldest, l.record)
	if err == nil {
		err = l.flush()
	}
	switch {
	case errors.Is(err, errUnlisted):
		return after, &request.HistoryGoneError{Oldest: l.at}
	case err == ErrHistoryGone: // and nothing of the caller's
		return after, &request.HistoryGoneError{Oldest: state.Oldest}
	case err != nil:
		return after, err
	}
	return state.Oldest, nil
}

// errUnlisted tells of the end of a session whose ephemerals the log does not list.
var errUnlisted = errors.New("the log does not tell what a session that ended has left behind")

// How many changes from the log are judged by the tree at once, and how many bytes wait for it.
const (
	followBatch      = 128
	followBatchBytes = 1 << 20
)

// logFollower turns records of the log into changes.
type logFollower struct {
	ctx  context.Context
	d    *Driver
	want func(zk.EventType, string) bool
	fn   func([]request.Change) error
	at   zk.Zxid          // of the record that was read last
	list []request.Change // that are wanted, of whole txns
	size int              // of their data
}

// record takes one txn.
func (l *logFollower) record(z zk.Zxid, payload []byte) error {
	l.at = z
	var rec txn.Record
	if err := rec.Decode(payload); err != nil {
		return fmt.Errorf("transaction log: %w", err)
	}
	for c := range rec.Changes {
		if c.Inferred {
			return errUnlisted
		}
		if l.want(c.Event, c.Path) {
			l.list = append(l.list, request.Change{Kind: c.Event, Path: strings.Clone(c.Path), Zxid: c.Zxid, Session: c.Session, Data: clone(c.Data)})
			l.size += len(c.Data)
		}
	}
	if len(l.list) < followBatch && l.size < followBatchBytes {
		return nil
	}
	return l.flush()
}

// clone keeps the difference between null and empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// flush hands over what has gathered.
func (l *logFollower) flush() error {
	if len(l.list) == 0 {
		return nil
	}
	list := l.list
	if !l.d.Inspect(l.ctx, func(r *replica.Replica, _ *Stats) {
		for i := range list {
			c := &list[i]
			c.ACL, c.ParentACL = nearestACL(r.Tree(), c.Path), nearestACL(r.Tree(), zk.ParentPath(c.Path))
		}
	}) {
		return fmt.Errorf("the server does not answer: %w", context.Cause(l.ctx))
	}
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Zxid == list[0].Zxid {
			n++
		}
		if err := l.fn(list[:n:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	l.list, l.size = nil, 0 // what was handed over may be kept
	return nil
}

// nearestACL is the access list of a znode, or of its nearest ancestor if there is none.
func nearestACL(t *tree.Tree, path string) []zk.ACL {
	for {
		if ref, ok := t.Find(path); ok {
			return t.ACL(ref)
		}
		path = zk.ParentPath(path)
	}
}
