package server

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/zk"
	"paddock/server/driver"
	"paddock/server/grpcapi"
	"paddock/server/replica"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
)

// written tells who waits for a snapshot of the ones that have ended. Its zero value is ready.
type written struct {
	mu   sync.Mutex // guards what follows
	zxid zk.Zxid
	err  error
	next chan struct{} // closed when the next one ends; nil if nobody waits
}

// done tells that a snapshot is durable, or has failed.
func (w *written) done(z zk.Zxid, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.zxid, w.err = z, err
	if w.next != nil {
		close(w.next)
		w.next = nil
	}
}

// wait is closed when the next snapshot ends.
func (w *written) wait() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == nil {
		w.next = make(chan struct{})
	}
	return w.next
}

// last is the snapshot that ended last.
func (w *written) last() (zk.Zxid, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.zxid, w.err
}

// snapshotAgain is how long it takes until a snapshot is asked for again. One that is being written already is no answer, and a
// server that is given another history drops one.
const snapshotAgain = 5 * time.Second

// TakeSnapshot implements grpcapi.Operator.
func (o operator) TakeSnapshot(ctx context.Context) (zk.Zxid, error) {
	l := o.live.Load()
	if l == nil {
		return 0, &grpcapi.Refusal{Reason: "the server is still starting"}
	}
	var least zk.Zxid
	unfilled := false
	if !l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) { least, unfilled = r.Tree().Zxid(), r.Unfilled() }) {
		return 0, stopped(ctx)
	}
	if unfilled {
		return 0, &grpcapi.Refusal{Reason: "this server's database is empty: it has no data to write before a leader has filled it"}
	}
	for {
		ended := o.written.wait()
		l.driver.Do(replica.Event{Kind: replica.SnapshotNow})
		select {
		case <-ended:
			switch z, err := o.written.last(); {
			case err != nil:
				return 0, &grpcapi.Refusal{Reason: "the snapshot is not written: " + err.Error() + "; see to the disk of " + l.dir.SnapshotPath(), Aborted: true}
			case z >= least:
				return z, nil
			}
		case <-time.After(snapshotAgain):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// StreamSnapshot implements grpcapi.Operator.
func (o operator) StreamSnapshot(ctx context.Context, open func(zk.Zxid) io.Writer) error {
	l := o.live.Load()
	if l == nil {
		return &grpcapi.Refusal{Reason: "the server is still starting"}
	}
	select {
	case o.streaming <- struct{}{}:
		defer func() { <-o.streaming }()
	default:
		return &grpcapi.Refusal{Reason: "another snapshot is being sent; ask again once it has ended"}
	}
	var of *tree.Tree
	var v *tree.View
	if !l.driver.Inspect(ctx, func(r *replica.Replica, _ *driver.Stats) { of, v = r.Tree(), r.Tree().Freeze() }) {
		return stopped(ctx)
	}
	defer l.driver.Inspect(context.WithoutCancel(ctx), func(*replica.Replica, *driver.Stats) { of.Release(v) })
	options := o.snapshotOptions()
	options.Compression = snapshot.Plain
	return snapshot.WriteTo(ctx, open(v.Zxid()), v, options)
}

// SetLogLevel implements grpcapi.Operator.
func (o operator) SetLogLevel(level string) (previous string, err error) {
	if o.opt.Level == nil {
		return "", &grpcapi.Refusal{Reason: "this server logs at one level as long as it runs"}
	}
	to, err := zerolog.ParseLevel(level)
	if err != nil {
		return "", &grpcapi.Refusal{Reason: err.Error()}
	}
	before := o.opt.Level.Swap(to)
	o.log.WithLevel(zerolog.InfoLevel).Str("level", level).Stringer("before", before).Msg("log level changed")
	return before.String(), nil
}

// ResetStatistics implements grpcapi.Operator.
func (o operator) ResetStatistics() {
	if w := o.liveWords(); w != nil {
		w.ResetServer()
		w.ResetConnections()
	}
}
