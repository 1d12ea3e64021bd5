package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"paddock/internal/zk"
)

// fanout is the load of watch: one session sets a znode that many sessions watch, and sets it again when each of them got
// its event and, unless watches are persistent, has set its watch again.
type fanout struct {
	*site
	path     string
	watchers []*watcher
	opened   []*link
	setter   *link
	get, set template
	counted  tally         // the setter's
	setAt    atomic.Int64  // when the last set was sent
	missing  atomic.Int64  // watchers that are not done with this round
	closing  atomic.Bool   // the events of this round are the last
	round    chan struct{} // one token when missing becomes 0
}

// watcher is one session that watches.
type watcher struct {
	*link
	f     *fanout
	stage *stage
	asked uint32
	sent  int64 // when something was last sent
	out   []byte
	tally tally
}

// pingEveryNS is when a persistent watcher, which has nothing to ask, says that it is alive.
const pingEveryNS = sessionTimeoutMS * 1_000_000 / 3

func (f *fanout) prepare(ctx context.Context) error {
	z := znodes{prefix: f.dir + "/k", data: data(f.opt.DataBytes)}
	f.path = z.prefix + "00000000"
	f.set, f.get = z.set(), newTemplate(kindWatch, z.prefix, z.data, false)
	f.round = make(chan struct{}, 1)
	if err := f.fill(ctx, kindCreate, z, 1); err != nil {
		return err
	}
	links, err := openLinks(ctx, f.opt, f.opt.Watchers+1)
	if err != nil {
		return err
	}
	f.setter, f.opened = links[f.opt.Watchers], links
	return nil
}

func (f *fanout) start(g *group) {
	f.missing.Store(int64(f.opt.Watchers))
	list := make([]polled, f.opt.Watchers)
	for i, l := range f.opened[:f.opt.Watchers] {
		f.watchers = append(f.watchers, &watcher{link: l, f: f, stage: g.stage})
		list[i] = f.watchers[i]
	}
	g.drive(list)                             // each ends with the events of the last round
	g.run(func() error { return f.drive(g) }) // ends when the stage stops
}

// drive sets the znode, round after round. The events of the last one tell the watchers to close their sessions.
func (f *fanout) drive(g *group) error {
	var out []byte
	for xid := uint32(0); ; xid++ {
		select { // the watches are set
		case <-f.round:
		case <-g.ctx.Done():
			return nil
		}
		last := g.stage.phase.Load() == phaseStop
		f.closing.Store(last)
		f.missing.Store(int64(f.opt.Watchers))
		f.setAt.Store(g.stage.now())
		out = f.set.append(out[:0], xidOf(xid), 0)
		if _, err := f.setter.nc.Write(out); err != nil {
			return lost(f.setter.server, int64(xid), err)
		}
		frame, err := f.setter.next()
		if err != nil {
			return lost(f.setter.server, int64(xid), err)
		}
		if code := replyCode(frame); code != zk.OK {
			return fmt.Errorf("set %s: %v", f.path, code)
		}
		if last {
			return f.setter.close()
		}
		if g.stage.phase.Load() == phaseMeasure {
			f.counted.kinds[kindSet]++
		}
	}
}

// ready sets the watch at first, then counts the events that were read. It tells when the reply to closeSession has come.
func (w *watcher) ready() (done bool, err error) {
	if w.asked == 0 {
		if err := w.watch(); err != nil {
			return false, w.lost(err)
		}
	}
	for {
		frame, err := w.buffered()
		if frame == nil || err != nil {
			return false, err
		}
		switch xid := replyXid(frame); {
		case xid == zk.XidNotification:
			if err := w.event(); err != nil {
				return false, w.lost(err)
			}
		case xid == closeXid:
			return true, nil
		case xid < 0: // a ping
		case replyCode(frame) != zk.OK:
			return false, fmt.Errorf("watch %s: %v", w.f.path, replyCode(frame))
		default:
			w.done()
		}
	}
}

// lost describes the end of the connection.
func (w *watcher) lost(err error) error { return lost(w.server, int64(w.asked), err) }

// event counts an event and sets the watch again, or is done with the round.
func (w *watcher) event() error {
	now := w.stage.now()
	if w.stage.phase.Load() == phaseMeasure {
		w.tally.events++
		w.tally.latencies.add(now-w.f.setAt.Load(), 1)
	}
	w.stage.live.Add(1)
	if w.f.closing.Load() {
		return w.sendClose()
	}
	if !w.f.opt.Persistent {
		return w.watch()
	}
	if now-w.sent > pingEveryNS {
		w.sent = now
		if err := w.write(appendFrame(nil, &zk.Request{Xid: zk.XidPing, Op: zk.OpPing})); err != nil {
			return err
		}
	}
	w.done()
	return nil
}

// watch asks for the data with a watch, or adds a persistent watch.
func (w *watcher) watch() error {
	w.asked++
	w.sent = w.stage.now()
	if w.f.opt.Persistent {
		w.out = appendFrame(w.out[:0], &zk.Request{Xid: xidOf(w.asked), Op: zk.OpAddWatch, Path: w.f.path, Arg: int32(zk.AddPersistent)})
	} else {
		w.out = w.f.get.append(w.out[:0], xidOf(w.asked), 0)
	}
	return w.write(w.out)
}

// done tells that this watcher's part of the round is over.
func (w *watcher) done() {
	if w.f.missing.Add(-1) == 0 {
		w.f.round <- struct{}{}
	}
}

func (f *fanout) release() {
	for _, l := range f.opened {
		if l != nil {
			l.abandon()
		}
	}
	f.opened = nil
}

func (f *fanout) tally() *tally {
	t := new(tally)
	t.merge(&f.counted)
	for _, w := range f.watchers {
		t.merge(&w.tally)
	}
	return t
}

func (f *fanout) clear(ctx context.Context) error {
	return f.fill(ctx, kindDelete, znodes{prefix: f.dir + "/k"}, 1)
}
