package driver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/zk"
	"paddock/server/feed"
	"paddock/server/replica"
)

// follow tells every change after z, from wherever it is known, until its context ends: as a door does.
func follow(ctx context.Context, d *Driver, z zk.Zxid, f func(feed.Change) error) error {
	rd := d.Feed().After(z)
	for {
		b, err := rd.Next()
		if errors.Is(err, ErrHistoryGone) {
			upTo, err := d.Changes(ctx, rd.Zxid(), f)
			if err != nil {
				return err
			}
			rd = d.Feed().After(upTo)
			continue
		}
		for c := range b.Changes {
			if err := f(c); err != nil {
				return err
			}
		}
		select {
		case <-rd.Wait():
		case <-ctx.Done():
			return nil
		}
	}
}

// TestWhoFollowsIsToldEveryChangeOnce: from any zxid, over the log, memory and what happens meanwhile.
func TestWhoFollowsIsToldEveryChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writes = 3000
		fake := &fakeLog{}
		log := &rememberingLog{fakeLog: fake}
		r := newRig(t, fake, func(o *Options, _ *replica.Config) {
			o.Log = log
			o.ReadLog = func(_ context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
				for z := after + 1; z <= to; z++ {
					if err := f(z, log.payloads[z-1]); err != nil {
						return err
					}
				}
				return nil
			}
		}).run()
		c := r.open() // which is zxid 1
		ctx, cancel := context.WithCancel(t.Context())
		type end struct {
			after, next zk.Zxid
			logged      int
			err         error
		}
		ends := make(chan end, 10)
		begun := 0
		for i := range zk.Zxid(writes) {
			c.send(zk.Request{Xid: int32(i), Op: zk.OpCreate, Path: fmt.Sprint("/n", int64(i)), Data: make([]byte, 1000), ACL: zk.OpenACL, TTLMS: -1})
			if i%600 != 0 {
				continue
			}
			for _, after := range []zk.Zxid{1, i} {
				begun++
				go func() { // ends with ctx; ends takes all
					e := end{after: after, next: max(after+1, 2)}
					e.err = follow(ctx, r.d, after, func(ch feed.Change) error {
						if ch.Zxid != e.next || ch.Path != fmt.Sprint("/n", int64(e.next-2)) || len(ch.Data) != 1000 {
							return fmt.Errorf("%v %s comes instead of %v", ch.Zxid, ch.Path, e.next)
						}
						if e.next++; ch.Logged {
							e.logged++
						}
						return nil
					})
					ends <- e
				}()
			}
		}
		synctest.Wait()
		cancel()
		fromLog := 0
		for range begun {
			e := <-ends
			if e.err != nil || e.next != writes+2 {
				t.Errorf("after %v: up to %v, %v", e.after, e.next-1, e.err)
			}
			fromLog += e.logged
		}
		if fromLog == 0 || r.d.Feed().Oldest() <= 1 {
			t.Errorf("%d were read from the log; the ring begins after %v", fromLog, r.d.Feed().Oldest())
		}
		r.stop()
	})
}

func TestAnAnswerIsInTheFeedWhenItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) { o.TickEvery, o.HistoryAge = time.Second, time.Minute }).run()
		c := r.open()
		c.send(create(1, "/a"))
		c.expect("connected", "1 OK")
		if z := r.d.Feed().Zxid(); z != 2 {
			t.Errorf("the feed is at %v", z)
		}
		r.stop()
	})
}

func TestOnlyAServerWithARoleTellsItsHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		c := r.open()
		for i := range int32(3000) {
			c.send(create(i, fmt.Sprint("/n", i)))
		}
		gone := (*feed.GoneError)(nil)
		if _, err := r.d.Changes(t.Context(), 1, nil); !errors.As(err, &gone) || gone.Oldest <= 1 {
			t.Errorf("without a log: %v", err)
		}
		r.stop()
		if _, err := r.d.Changes(t.Context(), 1, nil); !errors.Is(err, ErrNotServing) {
			t.Errorf("after its end: %v", err)
		}
	})
}
