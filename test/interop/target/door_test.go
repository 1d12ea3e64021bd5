package target

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo serves connections that send back what they get, until the test ends.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // ends when the listener is closed
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // ends when the other side closes
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

// dial connects to address and returns the connection after a word went there and back.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(startDeadline)); err != nil {
		t.Fatal(err)
	}
	if got, err := exchange(conn, "ruok"); err != nil || got != "ruok" {
		t.Fatalf("got %q back, %v", got, err)
	}
	return conn
}

func exchange(conn net.Conn, word string) (string, error) {
	if _, err := conn.Write([]byte(word)); err != nil {
		return "", err
	}
	answer := make([]byte, len(word))
	_, err := io.ReadFull(conn, answer)
	return string(answer), err
}

func TestDoorLetsNobodyInOnceBarredAndKeepsThoseInside(t *testing.T) {
	d := door{address: loopback(FreePort(t)), server: echo(t)}
	if _, err := net.Dial("tcp", d.address); err == nil {
		t.Fatal("somebody came in before the door was open")
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	inside := dial(t, d.address)
	d.bar()
	if _, err := net.Dial("tcp", d.address); err == nil {
		t.Fatal("somebody came in through the barred door")
	}
	if got, err := exchange(inside, "stat"); err != nil || got != "stat" {
		t.Fatalf("who was inside got %q, %v", got, err)
	}
	d.clear()
	if _, err := exchange(inside, "stat"); err == nil {
		t.Fatal("somebody is still inside the cleared door")
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	dial(t, d.address)
	d.bar()
	d.clear()
}

func TestDoorTurnsAwayWhoeverComesWhileTheServerIsGone(t *testing.T) {
	d := door{address: loopback(FreePort(t)), server: loopback(FreePort(t))}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatalf("read %d bytes from nobody", n)
	}
	d.bar()
	d.clear()
}
