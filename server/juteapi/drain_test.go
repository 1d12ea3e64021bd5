package juteapi

import (
	"context"
	"testing"
	"time"

	"paddock/internal/zk"
)

func TestDrainWaitsForAnswersAndTakesNothingNew(t *testing.T) {
	f := newFake()
	var waiting []zk.Request
	f.answer = func(_ *fakeClient, r *zk.Request) { waiting = append(waiting, *r) }
	d := open(t, Options{Handler: f})
	p := d.session(t)
	p.send(pingHex)
	until(t, "the request is taken", func() bool { return d.Connections()[0].Outstanding == 1 })

	drained := make(chan struct{})
	go func() { // ends with the answer
		d.Drain(context.Background())
		close(drained)
	}()
	until(t, "it drains", d.draining.Load)
	p.send(pingHex)
	select {
	case <-drained:
		t.Fatal("drained with a request unanswered")
	default:
	}
	f.do(func() {
		for _, c := range f.clients {
			f.usual(c, &waiting[0])
			c.Flush()
		}
	})
	p.expectBytes(20)
	<-drained
	if len(waiting) != 1 {
		t.Errorf("%d requests were taken", len(waiting))
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	f := newFake()
	f.answer = func(*fakeClient, *zk.Request) {}
	d := open(t, Options{Handler: f})
	p := d.session(t)
	p.send(pingHex)
	until(t, "the request is taken", func() bool { return d.Connections()[0].Outstanding == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	d.Drain(ctx)
	if ctx.Err() == nil {
		t.Error("drained with a request unanswered")
	}
}
