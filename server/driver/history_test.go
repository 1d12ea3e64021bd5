package driver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
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

func TestChangesComeFromMemoryAndFromTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writes = 3000 // more than memory holds
		fake := &fakeLog{}
		log := &rememberingLog{fakeLog: fake}
		var read []string
		r := newRig(t, fake, func(o *Options, _ *replica.Config) {
			o.Log = log
			o.ReadLog = func(_ context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
				read = append(read, fmt.Sprintf("%d-%d", after, to))
				if after == 1 {
					return ErrHistoryGone
				}
				for z := after + 1; z <= to; z++ {
					if err := f(z, log.payloads[z-1]); err != nil {
						return err
					}
				}
				return nil
			}
		}).run()
		c := r.open() // which is zxid 1
		for i := range writes {
			c.send(create(int32(i), fmt.Sprint("/n", i)))
		}
		for after := zk.Zxid(0); after <= writes+1; after += 500 {
			next := after
			upTo, err := r.d.Changes(t.Context(), after, func(ch txn.Change) error {
				if want := max(next+1, 2); ch.Zxid != want || ch.Path != fmt.Sprint("/n", int64(want-2)) || ch.Event != zk.NodeCreated {
					return fmt.Errorf("%+v comes after %v", ch, next)
				}
				next = ch.Zxid
				return nil
			})
			if err != nil || upTo != writes+1 || next != writes+1 && after < writes+1 {
				t.Errorf("after %v: up to %v, last %v, %v", after, upTo, next, err)
			}
		}
		if fmt.Sprint(read) != fmt.Sprintf("[0-%d 500-%d 1000-%d 1500-%d 2000-%d]", 2001, 2001, 2001, 2001, 2001) {
			t.Errorf("read from the log: %v", read)
		}
		stop := errors.New("enough")
		if _, err := r.d.Changes(t.Context(), writes, func(txn.Change) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("the caller's error: %v", err)
		}
		if _, err := r.d.Changes(t.Context(), 1, func(txn.Change) error { return nil }); !errors.Is(err, ErrHistoryGone) {
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
