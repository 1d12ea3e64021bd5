package nonblock

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// pair is both ends of a connection.
func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

func TestWhatFitsIsTakenAndNoMore(t *testing.T) {
	a, b := pair(t)
	w := New(a)
	big := make([]byte, 64<<20) // more than any socket buffer
	for i := range big {
		big[i] = byte(i >> 12)
	}
	n := w.Write(big)
	if n <= 0 || n == len(big) {
		t.Fatalf("%d of %d bytes taken by a socket that nobody reads", n, len(big))
	}
	if again := w.Write(big[n:]); n+again == len(big) {
		t.Fatalf("%d more", again)
	} else {
		n += again
	}
	a.CloseWrite()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, big[:n]) {
		t.Errorf("%d bytes arrived of %d: %v", len(got), n, err)
	}
}

func TestADeadlineThatHasPassedMeansNothing(t *testing.T) {
	a, b := pair(t)
	a.SetWriteDeadline(time.Unix(1, 0))
	if n := New(a).Write([]byte("there")); n != 5 {
		t.Fatalf("%d bytes taken", n)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "there" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAClosedSocketTakesNothing(t *testing.T) {
	a, _ := pair(t)
	w := New(a)
	a.Close()
	if n := w.Write([]byte("x")); n != 0 {
		t.Errorf("%d bytes taken", n)
	}
}

func TestThereIsNoneForWhatIsNoSocket(t *testing.T) {
	a, _ := pair(t)
	p, _ := net.Pipe()
	if New(p) != nil || New(tls.Client(a, &tls.Config{InsecureSkipVerify: true})) != nil {
		t.Error("a writer for what is no socket")
	}
}
