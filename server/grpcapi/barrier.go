package grpcapi

import (
	"context"
	"math"
	"sync"
	"time"

	"paddock/internal/zk"
	"paddock/server/request"
)

// level is how fresh an answer must be.
type level uint8

const (
	levelLocal level = iota
	levelSynced
	levelLinearizable
	levels
)

// barrierPath is what a barrier writes to where the leader does not confirm by itself that it still leads. There is no such znode,
// and if there were it would not have that version: the write fails, but in its turn and with a quorum.
const (
	barrierPath    = "/zookeeper/paddock/none"
	barrierVersion = math.MinInt32
	barrierTimeout = 10 * time.Second
)

// barriers lets calls wait until this server has caught up. Those that come while a round to the leader is under way share the
// next.
type barriers struct {
	door  *door
	mu    sync.Mutex // guards the fields below
	guest *line      // asks for syncs
	next  [levels]*round
	busy  [levels]bool // somebody runs
}

// round is one way to the leader and back.
type round struct {
	done chan struct{}
	zxid zk.Zxid
	err  error
}

// pass returns once this server has what the level asks for, and how far it is then.
func (b *barriers) pass(ctx context.Context, at level) (zk.Zxid, error) {
	if at == levelLocal {
		return 0, nil
	}
	b.mu.Lock()
	mine := b.next[at]
	if mine == nil {
		mine = &round{done: make(chan struct{})}
		b.next[at] = mine
	}
	if !b.busy[at] {
		b.busy[at] = true
		b.door.wg.Go(func() { b.run(at) }) // ends when nobody waits; the door waits for it when it stops
	}
	b.mu.Unlock()
	select {
	case <-mine.done:
		return mine.zxid, mine.err
	case <-ctx.Done():
		return 0, contextStatus(ctx)
	}
}

// run does rounds as long as somebody waits for one.
func (b *barriers) run(at level) {
	for {
		b.mu.Lock()
		r := b.next[at]
		b.next[at] = nil
		b.busy[at] = r != nil
		b.mu.Unlock()
		if r == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), barrierTimeout)
		r.zxid, r.err = b.round(ctx, at)
		cancel()
		close(r.done)
	}
}

// round goes to the leader once.
func (b *barriers) round(ctx context.Context, at level) (zk.Zxid, error) {
	h, err := b.door.handler()
	if err != nil {
		return 0, err
	}
	l, err := b.reader(h)
	if err != nil {
		return 0, err
	}
	// The line was there before the question: if the leader changes after the answer the line ends.
	confirmed := b.door.opt.SyncConfirmed
	if at == levelLinearizable && (confirmed == nil || !confirmed()) {
		return b.write(ctx, h)
	}
	rep, err := l.ask(ctx, &zk.Request{Op: zk.OpSync, Path: zk.RootPath})
	return rep.Zxid, firstError(err, rep.Err)
}

// write has the leader refuse a write.
func (b *barriers) write(ctx context.Context, h request.Handler) (zk.Zxid, error) {
	l, err := b.door.own.writer(ctx, h)
	if err != nil {
		return 0, err
	}
	rep, err := l.ask(ctx, &zk.Request{Op: zk.OpSetData, Path: barrierPath, Version: barrierVersion, IDs: itself})
	if rep.Err == zk.NoNode || rep.Err == zk.BadVersion {
		rep.Err = zk.OK
	}
	return rep.Zxid, firstError(err, rep.Err)
}

// firstError is err, or the refusal of a request about no znode in particular.
func firstError(err error, code zk.Code) error {
	if err == nil && code != zk.OK {
		err = refusal(code, "", 0)
	}
	return err
}

// reader is the guest that asks for syncs.
func (b *barriers) reader(h request.Handler) (*line, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.door.stopping.Load() {
		return nil, closedBy(request.CloseShutdown)
	}
	if b.guest == nil || b.guest.gone() {
		b.guest = openLine(h, request.Origin{}, nil)
	}
	return b.guest, nil
}

// close ends the guest.
func (b *barriers) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.guest != nil {
		b.guest.close(request.CloseShutdown)
	}
}
