package juteapi

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"paddock/server/secure"
)

func TestUnifiedPortServesBothKinds(t *testing.T) {
	chooses(t)
	d := open(t, Options{TLS: newTLS(t, secure.Options{}), Unified: true})
	plain := d.session(t)
	sealed := &peer{tls.Client(d.dial(t).Conn, tlsClient(t)), t}
	sealed.send(connectHex)
	sealed.expectBytes(41)
	for _, p := range []*peer{plain, sealed} {
		p.send(pingHex)
		p.expectBytes(20)
	}
	kinds := map[bool]int{}
	for _, c := range d.Connections() {
		kinds[c.Secure]++
	}
	if kinds[true] != 1 || kinds[false] != 1 {
		t.Errorf("%v", kinds)
	}
	word := d.dial(t)
	word.sendBytes([]byte("r"))
	word.sendBytes([]byte("uok"))
	if got := word.expectEnd(); string(got) != "ruok!" {
		t.Errorf("answered %q", got)
	}
	sealedWord := &peer{tls.Client(d.dial(t).Conn, tlsClient(t)), t}
	sealedWord.sendBytes([]byte("ruok"))
	if got := sealedWord.expectEnd(); string(got) != "ruok!" {
		t.Errorf("answered %q over TLS", got)
	}
}

func TestSilenceOnAPortWithTLSEnds(t *testing.T) {
	chooses(t)
	d := open(t, Options{TLS: newTLS(t, secure.Options{}), Unified: true, SessionlessTimeout: 500 * time.Millisecond})
	silent, half := d.dial(t), d.dial(t)
	half.sendBytes([]byte{0x16})
	silent.expectEnd()
	half.expectEnd()
	for range 2 {
		d.expectReason(t, endIdle)
	}
}

func TestBadHandshakeEndsItsConnectionAlone(t *testing.T) {
	chooses(t)
	d := open(t, Options{TLS: newTLS(t, secure.Options{ClientAuth: tls.RequireAndVerifyClientCert})})
	pair, err := tls.LoadX509KeyPair(stores+"client.pem", stores+"client.pem")
	if err != nil {
		t.Fatal(err)
	}
	cfg := tlsClient(t)
	cfg.Certificates = []tls.Certificate{pair}
	good := &peer{tls.Client(d.dial(t).Conn, cfg), t}
	good.send(connectHex)
	good.expectBytes(41)
	for _, first := range []string{"ruok", connectHex, "\x16\x03\x01\x00\x05hello"} {
		bad := d.dial(t)
		bad.sendBytes([]byte(first))
		bad.expectEnd()
		d.expectReason(t, endHandshake)
	}
	nobody := tls.Client(d.dial(t).Conn, tlsClient(t))
	if _, err := io.ReadAll(nobody); err == nil {
		t.Error("a client without a certificate was let in")
	}
	d.expectReason(t, endHandshake)
	good.send(pingHex)
	good.expectBytes(20)
}

func TestConnectionsAreDroppedBeforeTheHandshakeIfAsked(t *testing.T) {
	chooses(t)
	d := open(t, Options{TLS: newTLS(t, secure.Options{}), DropEarly: func() bool { return true }})
	p := d.dial(t)
	p.send("1603")
	p.expectEnd()
	d.expectReason(t, endHandshake)
}

// TestNewKeysWithoutEndEndTheConnection: what TLS has to say by itself is gathered up to a bound.
func TestNewKeysWithoutEndEndTheConnection(t *testing.T) {
	l := &line{gather: true}
	record := make([]byte, 1000)
	for written := 0; ; written += len(record) {
		if _, err := l.Write(record); err != nil {
			if written > sealedBytesMax {
				t.Errorf("%d bytes were gathered", written)
			}
			break
		}
		if written > 10*sealedBytesMax {
			t.Fatal("there is no bound")
		}
	}
	l.take().recycle()
	if _, err := l.Write(record); err != nil {
		t.Errorf("after all was taken: %v", err)
	}
}

// chooses lets a test say itself who speaks TLS.
func chooses(t *testing.T) {
	before := overTLS
	overTLS = false
	t.Cleanup(func() { overTLS = before })
}
