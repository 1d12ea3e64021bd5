package bench

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// TestPolledSocketWaitsForAPeerThatReadsLate checks that nothing is lost when a socket takes less than is written, and that a
// connection works on after a poller had it.
func TestPolledSocketWaitsForAPeerThatReadsLate(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	l := newLink(listener.Addr().String(), nil)
	if l.nc, err = net.Dial("tcp", l.server); err != nil {
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := l.detach(); err != nil {
		t.Fatal(err)
	}
	if err := l.fillNow(); err != nil || l.w != 0 {
		t.Fatalf("read %d bytes of nothing: %v", l.w, err)
	}
	sent := data(16 << 20) // more than the buffers of both sides
	written := make(chan error, 1)
	go func() { written <- l.write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("read %v", err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if err := l.attach(); err != nil {
		t.Fatal(err)
	}
	defer l.nc.Close()
	if _, err := peer.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := l.fill(); err != nil || l.w == 0 {
		t.Errorf("read %d bytes: %v", l.w, err)
	}
}

func TestPolledSocketThatThePeerClosed(t *testing.T) {
	f := newFake(t)
	l, err := dial(t.Context(), f.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.abandon()
	if err := l.detach(); err != nil {
		t.Fatal(err)
	}
	defer l.closeFD()
	if err := l.sendClose(); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		err = l.fillNow()
	}
	if !hungUp(err) {
		t.Errorf("%v", err)
	}
}
