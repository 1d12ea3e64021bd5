package driver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/storage/tree"
)

func TestStoppingMakesDurableAndAnswersWhatWasAppended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		r.let(nil)
		p.expect("connected")
		p.send(create(1, "/a"))
		p.send(create(2, "/b"), exists(3, "/b"))
		r.cancel()
		if !r.runs() {
			t.Fatal("Run returned before everything was durable")
		}
		p.expect()
		r.let(nil)
		p.expect("1 OK")
		if !r.runs() {
			t.Fatal("Run returned before everything was durable")
		}
		r.let(nil)
		p.expect("2 OK", "3 OK")
		r.stop()
	})
}

func TestStoppingDoesNotWaitForRequestsThatWereNotTaken(t *testing.T) {
	for range 20 { // Run chooses at random whether it sees them first
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, &fakeLog{hold: make(chan error)}).run()
			p := r.open()
			r.let(nil)
			p.send(create(1, "/a"))
			goOn := make(chan struct{})
			go r.d.Inspect(context.Background(), func(*replica.Replica, *Stats) { <-goOn })
			synctest.Wait()
			r.d.Submit(p.id, []zk.Request{ping()}, nil)
			r.cancel()
			close(goOn)
			r.let(nil)
			if r.runs() {
				t.Error("Run goes on although everything is durable")
				r.d.box.signal() // so that the test ends
			}
			if err := r.result(); err != nil {
				t.Error(err)
			}
		})
		if t.Failed() {
			return
		}
	}
}

func TestAFailureWhileStoppingIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the disk is broken")
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		r.cancel()
		r.let(broken)
		if err := r.result(); !errors.Is(err, broken) {
			t.Errorf("Run returned %v", err)
		}
		p.expect()
	})
}

func TestBytesThatWaitForTheDiskHoldRequestsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p, q := r.open(), r.open()
		r.let(nil)
		r.let(nil)
		p.expect("connected")
		q.expect("connected")
		data := make([]byte, 1<<20)
		sent := int32(0)
		for range logWaitingMax>>20 + 8 {
			req := create(sent, fmt.Sprint("/", sent))
			req.Data = data
			p.send(req)
			sent++
		}
		q.send(exists(1, "/zookeeper"))
		q.expect() // though it would not have to wait
		ran := false
		if !r.d.Inspect(context.Background(), func(*replica.Replica, *Stats) { ran = true }) || !ran {
			t.Error("the server does not answer inspections")
		}
		if r.d.log.waiting > logWaitingMax+2<<20 {
			t.Errorf("%d bytes wait for the disk", r.d.log.waiting)
		}
		for range 3 { // the first record, what gathered, the rest
			r.let(nil)
		}
		q.expect("1 OK")
		if len(p.sent) != int(sent) {
			t.Errorf("%d of %d writes are answered", len(p.sent), sent)
		}
		r.stop()
	})
}

func TestStoppingInterruptsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) {
			o.Snapshot = func(ctx context.Context, _ *tree.View) error { <-ctx.Done(); return ctx.Err() }
		}).run()
		r.d.Do(replica.Event{Kind: replica.SnapshotNow})
		if !r.runs() {
			t.Fatal("Run has ended")
		}
		r.stop()
		if r.lines.Len() > 0 {
			t.Errorf("logged %s", r.lines.String())
		}
	})
}

// When the last bytes are durable no other letter may come that would wake the owner.
func TestRequestsThatWereHeldBackAreTakenOnceTheDiskIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		r.let(nil)
		huge := create(1, "/huge")
		huge.Data = make([]byte, logWaitingMax+1)
		p.send(huge)
		p.send(exists(2, "/huge"))
		if len(r.d.box.requests) != 1 {
			t.Error("a request was taken while the disk had too much to do")
		}
		r.let(nil)
		p.expect("connected", "1 OK", "2 OK")
		r.stop()
	})
}
