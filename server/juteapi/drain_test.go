package juteapi

import (
	"context"
	"net"
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

// TestMoveKeepsConnections: who is connected stays, who comes finds the port at its new place and not at the old one.
func TestMoveKeepsConnections(t *testing.T) {
	d := open(t, Options{Handler: newFake()})
	p := d.session(t)
	before := d.Addr().String()
	if err := d.Move("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if after := d.Addr().String(); after == before {
		t.Fatalf("it is still at %s", after)
	}
	if c, err := net.Dial("tcp", before); err == nil {
		c.Close()
		t.Error("the old address is still open")
	}
	p.send(pingHex)
	p.expectBytes(20)
	q := d.session(t)
	q.send(pingHex)
	q.expectBytes(20)
}

// TestMoveToAnotherAddressOfTheSamePort: the wildcard contains the address that is bound.
func TestMoveToAnotherAddressOfTheSamePort(t *testing.T) {
	d := open(t, Options{Handler: newFake()})
	_, port, err := net.SplitHostPort(d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Move("0.0.0.0:" + port); err != nil {
		t.Fatal(err)
	}
	p := d.session(t)
	p.send(pingHex)
	p.expectBytes(20)
}

// TestMoveToATakenPortChangesNothing: the port stays where it is, and is served.
func TestMoveToATakenPortChangesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := open(t, Options{Handler: newFake()})
	before, listens := d.Addr().String(), d.l.Load()
	if err := d.Move(l.Addr().String()); err == nil || d.Addr().String() != before {
		t.Fatalf("%v, at %s", err, d.Addr())
	}
	if d.l.Load() != listens {
		t.Error("it was closed meanwhile, and who was about to connect was turned away")
	}
	p := d.session(t)
	p.send(pingHex)
	p.expectBytes(20)
}
