package driver

import (
	"testing"
	"testing/synctest"
	"time"

	"paddock/internal/zk"
	"paddock/server/request"
)

func TestATraceTellsWhenEachPartWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		r.let(nil)
		write, read := create(1, "/a"), exists(2, "/a")
		write.Trace, read.Trace = &zk.Trace{}, &zk.Trace{}
		began := time.Now().UnixNano()
		p.send(write)
		p.send(read) // waits behind the write
		const fsync = int64(30 * time.Millisecond)
		time.Sleep(time.Duration(fsync))
		r.let(nil)
		p.expect("connected", "1 OK", "2 OK")
		// Time stands still while the server works, so that only the fsync takes any.
		done := began + fsync
		if want := (zk.Trace{Queued: began, Taken: began, Appended: began, Durable: done, Decided: done, Applied: done, Replied: done}); *write.Trace != want {
			t.Errorf("of the write: %+v, want %+v", *write.Trace, want)
		}
		if want := (zk.Trace{Queued: began, Taken: began, Replied: done}); *read.Trace != want {
			t.Errorf("of the read: %+v, want %+v", *read.Trace, want)
		}
		if !r.d.traces.none() || len(r.d.traces.txns) != 0 {
			t.Errorf("left behind: %+v", r.d.traces)
		}
		r.stop()
	})
}

func TestTheTracesOfAClientThatIsGoneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{hold: make(chan error)}).run()
		p := r.open()
		r.let(nil)
		write := create(1, "/a")
		write.Trace = &zk.Trace{}
		p.send(write)
		if r.d.traces.none() {
			t.Error("the write is not traced")
		}
		r.d.Close(p.id)
		synctest.Wait()
		if !r.d.traces.none() {
			t.Error("its trace is kept")
		}
		r.let(nil)
		r.stop()
	})
}

func TestATxnThatIsAppliedBeforeItIsDurableHereHasBothTimes(t *testing.T) {
	var x traces
	one := zk.Request{Xid: 1, Op: zk.OpSetData, Trace: &zk.Trace{}}
	x.begin(7, &one, 5)
	for z := zk.Zxid(1); z <= 3; z++ {
		x.appended(z)
	}
	x.durable(1, 100)
	x.stepping()
	x.applied(1)
	x.applied(2)
	x.durable(3, 200)
	if a, b := x.txn(1), x.txn(2); a.durable != 100 || b.durable != 200 || b.decided != a.applied {
		t.Errorf("%+v %+v", a, b)
	}
	x.replied(7, &zk.Reply{Xid: 1, Op: zk.OpSetData, Zxid: 2})
	if got := one.Trace; got.Durable != 200 || got.Queued != 5 || got.Applied == 0 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsTracedAtATimeIsBounded(t *testing.T) {
	var x traces
	for i := range int32(2 * tracedMax) {
		x.begin(1, &zk.Request{Xid: i, Trace: &zk.Trace{}}, 0)
	}
	for z := range zk.Zxid(3 * tracedTxnsMax) {
		x.appended(z + 1)
		x.applied(z + 1)
	}
	if len(x.open) != tracedMax || len(x.txns) > tracedTxnsMax {
		t.Errorf("%d requests and %d txns", len(x.open), len(x.txns))
	}
	x.appended(5) // the log was cut
	if len(x.txns) != 1 || x.txn(5) == nil || x.txn(4) != nil {
		t.Errorf("%+v", x.txns)
	}
	x.forget(request.ClientID(1))
	if !x.none() || len(x.txns) != 0 {
		t.Errorf("%d requests and %d txns are kept", len(x.open), len(x.txns))
	}
}
