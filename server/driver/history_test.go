package driver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// rememberingLog is a log whose payloads can be read again.
type rememberingLog struct {
	*fakeLog
	payloads [][]byte
}

func (l *rememberingLog) Frame(dst, payload []byte) []byte {
	l.payloads = append(l.payloads, payload)
	return l.fakeLog.Frame(dst, payload)
}

// read is Options.ReadLog of a log whose first record is zxid 1.
func (l *rememberingLog) read(_ context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
	for z := after + 1; z <= to; z++ {
		if err := f(z, l.payloads[z-1]); err != nil {
			return err
		}
	}
	return nil
}

// changes calls f for every change after a zxid, as those do who follow the feed, and tells where to go on.
func changes(ctx context.Context, feed Feed, after zk.Zxid, f func(request.Change) error) (zk.Zxid, error) {
	each := func(list []request.Change) (err error) {
		for i := 0; i < len(list) && err == nil; i++ {
			err = f(list[i])
		}
		return err
	}
	all := func(zk.EventType, string) bool { return true }
	after, err := feed.ReadLog(ctx, after, all, each)
	for err == nil {
		upTo, ok := feed.Read(after, 100, func(list []request.Change) {
			if err == nil {
				err = each(list)
			}
		})
		if !ok {
			return after, ErrHistoryGone
		}
		if upTo == after {
			break
		}
		after = upTo
	}
	return after, err
}

func TestChangesComeFromMemoryAndFromTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writes = 3000 // more than memory holds
		fake := &fakeLog{}
		log := &rememberingLog{fakeLog: fake}
		var read []string
		r := newRig(t, fake, func(o *Options, _ *replica.Config) {
			o.Log, o.FeedBytes = log, 40<<10
			o.ReadLog = func(ctx context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
				read = append(read, fmt.Sprintf("%d-%d", after, to))
				if after == 1 {
					return ErrHistoryGone
				}
				return log.read(ctx, after, to, f)
			}
		}).run()
		c := r.open() // which is zxid 1
		for i := range writes {
			c.send(create(int32(i), fmt.Sprint("/n", i)))
		}
		for after := zk.Zxid(0); after <= writes+1; after += 500 {
			next := after
			upTo, err := changes(t.Context(), r.d.Feed(), after, func(ch request.Change) error {
				if want := max(next+1, 2); ch.Zxid != want || ch.Path != fmt.Sprint("/n", int64(want-2)) || ch.Kind != zk.NodeCreated {
					return fmt.Errorf("%+v comes after %v", ch, next)
				}
				next = ch.Zxid
				return nil
			})
			if err != nil || upTo != writes+1 || next != writes+1 && after < writes+1 {
				t.Errorf("after %v: up to %v, last %v, %v", after, upTo, next, err)
			}
		}
		s, _ := r.d.Feed().Now()
		if o := s.Oldest; o <= 2000 || o >= 2500 || fmt.Sprint(read) != fmt.Sprintf("[0-%d 500-%d 1000-%d 1500-%d 2000-%d]", o, o, o, o, o) {
			t.Errorf("read from the log: %v; memory begins at %v", read, o)
		}
		stop := errors.New("enough")
		for _, after := range []zk.Zxid{2, writes} {
			if _, err := changes(t.Context(), r.d.Feed(), after, func(request.Change) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("the caller's error after %v: %v", after, err)
			}
		}
		if _, err := changes(t.Context(), r.d.Feed(), 1, func(request.Change) error { return nil }); !errors.Is(err, ErrHistoryGone) {
			t.Errorf("history that is gone: %v", err)
		}
		r.stop()
	})
}

func TestATxnIsFoundByItsZxid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writes = 3000 // more than memory holds
		fake := &fakeLog{}
		log := &rememberingLog{fakeLog: fake}
		r := newRig(t, fake, func(o *Options, _ *replica.Config) {
			o.Log = log
			o.ReadLog = log.read
		}).run()
		c := r.open() // which is zxid 1
		for i := range writes {
			c.send(create(int32(i), fmt.Sprint("/n", i)))
		}
		for _, z := range []zk.Zxid{2, 3, writes / 2, writes + 1} {
			rec, err := r.d.TxnAt(t.Context(), z)
			if err != nil || rec.Header.Zxid != z || rec.Txn.Path != fmt.Sprint("/n", int64(z-2)) {
				t.Errorf("%v: %+v, %v", z, rec, err)
			}
		}
		if _, err := r.d.TxnAt(t.Context(), writes+2); !errors.Is(err, ErrHistoryGone) {
			t.Errorf("a zxid to come: %v", err)
		}
		r.stop()
	})
}
