package juteapi

import (
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/zk"
)

// passing is a handler whose first Submit has somebody else read on, and is held up until the gate opens.
type passing struct {
	*fake
	calls atomic.Int32
	gate  chan struct{}
}

func (h *passing) Submit(id clientID, r []zk.Request, pass func()) bool {
	h.fake.Submit(id, r, nil)
	if h.calls.Add(1) > 1 {
		return true
	}
	pass()
	<-h.gate
	return false
}

// A connection whose reader is held up is read on, in order, and ends when its client leaves.
func TestAConnectionIsReadOnWhileItsReaderIsHeldUp(t *testing.T) {
	var c clock
	h := &passing{fake: newFake(), gate: make(chan struct{})}
	d := open(t, Options{Handler: h.fake, Clock: c.now})
	d.opt.Handler = h
	p := d.session(t)
	p.send(pingHex)
	p.expectBytes(20)
	until(t, "the client is waited for again", func() bool { return !d.snapshot()[0].busy.Load() })
	for range 100 {
		p.send(pingHex + pingHex)
		p.expectBytes(40)
	}
	p.Conn.Close()
	d.expectReason(t, endEOF)
	until(t, "the connection is gone", func() bool { return d.Len() == 0 })
	stopped := make(chan struct{})
	go func() { d.Server.Close(); close(stopped) }()
	select {
	case <-stopped:
		t.Error("the server has stopped while a goroutine of its own is held up")
	case <-time.After(20 * time.Millisecond):
	}
	close(h.gate)
	<-stopped
}

// What cannot be read any more ends the connection, whoever is held up.
func TestAMalformedRequestBehindOneIsNotReadOn(t *testing.T) {
	h := &passing{fake: newFake(), gate: make(chan struct{})}
	d := open(t, Options{Handler: h.fake})
	passed := make(chan bool, 1)
	d.opt.Handler = submits{h.fake, func(pass func()) { passed <- pass != nil }}
	p := d.session(t)
	p.send(pingHex + "00000003 000000")
	d.expectReason(t, endMalformed)
	if <-passed {
		t.Error("a reader that has nothing more to read may be relieved")
	}
}

// submits is a handler that notes what its Submit may pass on.
type submits struct {
	*fake
	note func(pass func())
}

func (s submits) Submit(id clientID, r []zk.Request, pass func()) bool {
	s.note(pass)
	return s.fake.Submit(id, r, nil)
}
