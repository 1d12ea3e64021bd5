package driver

import (
	"time"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// effects is the Driver as its replica sees it.
type effects struct{ *Driver }

var _ replica.Effects = effects{}

// touch returns the client to tell something, and sees to it that it is flushed at the end of the round.
func (d *Driver) touch(id request.ClientID) *conn {
	c := d.recent
	if c == nil || c.id != id {
		if c = d.clients[id]; c == nil {
			return nil
		}
		d.recent = c
	}
	if !c.dirty {
		c.dirty = true
		d.dirty = append(d.dirty, c)
	}
	return c
}

// Connected implements replica.Effects.
func (d effects) Connected(id request.ClientID, r *zk.ConnectResponse) {
	if c := d.touch(id); c != nil {
		c.sink.Connected(r)
		c.asked = true
	}
}

// Reply implements replica.Effects.
func (d effects) Reply(id request.ClientID, at int64, r *zk.Reply) {
	c := d.touch(id)
	if c == nil {
		return
	}
	if !d.traces.none() {
		d.traces.replied(id, r)
	}
	c.sink.Reply(r)
	c.asked = true
	took := time.Duration(max(d.now-at, 0)) // it may have come after the clock was read for this round
	d.stats.latency(took)
	if d.opt.Latency != nil {
		d.opt.Latency(r.Op, took)
	}
}

// Event implements replica.Effects.
func (d effects) Event(id request.ClientID, e *zk.Event) {
	if c := d.touch(id); c != nil {
		c.sink.Event(e)
	}
}

// Close implements replica.Effects.
func (d effects) Close(id request.ClientID, why request.CloseReason) {
	if c := d.touch(id); c != nil {
		c.sink.Close(why)
		d.drop(c)
	}
}

// Snapshot implements replica.Effects.
func (d effects) Snapshot(v *tree.View) {
	select {
	case d.snapshotting <- struct{}{}:
	default: // the disk is being given another history; a snapshot of this one is not wanted
		d.box.post(letter{kind: snapshotDone, view: v})
		return
	}
	// Ends with the file; Run waits for it, having cancelled its context.
	d.wg.Go(func() {
		err := d.opt.Snapshot(d.ctx, v)
		<-d.snapshotting
		d.box.post(letter{kind: snapshotDone, view: v, err: err})
	})
}

// Applied implements replica.Effects.
func (d effects) Applied(a *replica.Applied) {
	if !d.traces.none() {
		d.traces.applied(a.Zxid)
	}
	if a.Zxid == d.log.last && d.log.busy {
		d.log.applied = max(d.now, 1)
	}
	d.feed.add(a)
	d.proposedMS = a.TimeMS
}

// Note implements replica.Effects.
func (d effects) Note(n replica.Note) {
	if n.Kind == replica.RoleLost {
		d.feed.tenure++
	}
	if d.opt.Observe != nil {
		d.opt.Observe(n)
	}
}
