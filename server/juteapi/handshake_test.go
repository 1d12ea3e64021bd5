package juteapi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/server/request"
)

const (
	pingHex  = "00000008 fffffffe 0000000b"
	closeHex = "00000008 00000007 fffffff5"
)

func TestSessionFromHandshakeToClose(t *testing.T) {
	d := open(t, Options{})
	p := d.dial(t)
	p.send(connectHex)
	p.expect("00000025 00000000 00002710 0100000000000001 00000010")
	p.expectBytes(17)
	p.send(pingHex)
	p.expect("00000010 fffffffe 0000000000000001 00000000")
	p.send(closeHex + "00000008 00000008 0000000b")
	p.expect("00000010 00000007 0000000000000002 00000000")
	if rest := p.expectEnd(); len(rest) != 0 {
		t.Fatalf("after closeSession: %x", rest)
	}
	p.Conn.Close()
	d.expectReason(t, "session_closed")
}

func TestConnectRequests(t *testing.T) {
	password := zk.SessionID(0x100000000000001).Password()
	session := "0100000000000001 00000010 " + hex.EncodeToString(password[:])
	for _, row := range []struct{ name, in, out string }{
		{"a client up to 3.3 sends no readOnly and gets none",
			"0000002c 00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000",
			"00000024 00000000 00002710 " + session},
		{"a null password and an odd protocol version do not matter",
			"0000001d 00000007 0000000000000000 00002710 0000000000000000 ffffffff 01",
			"00000025 00000000 00002710 " + session + "00"},
		{"surplus bytes are ignored",
			"0000001f 00000000 0000000000000000 00002710 0000000000000000 ffffffff 01 aabb",
			"00000025 00000000 00002710 " + session + "00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := open(t, Options{})
			p := d.dial(t)
			p.send(row.in)
			p.expect(row.out)
			p.send(pingHex)
			p.expect("00000010 fffffffe 0000000000000001 00000000")
		})
	}
}

func TestRefusedSessionIsAnsweredAndClosed(t *testing.T) {
	f := newFake()
	f.connect = func(c *fakeClient, r *zk.ConnectRequest) {
		c.Connected(&zk.ConnectResponse{})
		c.Close(request.CloseSessionRefused)
	}
	d := open(t, Options{Handler: f})
	p := d.dial(t)
	p.send(connectHex + pingHex) // what is pipelined must not destroy the answer
	p.expect("00000025 00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00")
	if rest := p.expectEnd(); len(rest) != 0 {
		t.Fatalf("after the refusal: %x", rest)
	}
	d.expectReason(t, "session_refused") // lingers no longer than it has to
}

func TestHandlerMayCloseInsteadOfAnsweringConnect(t *testing.T) {
	f := newFake()
	f.connect = func(c *fakeClient, _ *zk.ConnectRequest) { c.Close(request.CloseClientZxidAhead) }
	d := open(t, Options{Handler: f})
	p := d.dial(t)
	p.send(connectHex)
	if rest := p.expectEnd(); len(rest) != 0 {
		t.Fatalf("answered %x", rest)
	}
	p.Conn.Close()
	d.expectReason(t, "client_zxid_ahead")
}

// frame puts a length in front.
func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// longFrame is a frame of n bytes that begins like the payload in hex.
func longFrame(hex string, n int) []byte {
	b := make([]byte, n)
	copy(b, unhex(hex))
	return frame(b)
}

func TestDropsWithoutReply(t *testing.T) {
	const limit = 1000
	for _, row := range []struct {
		name, reason string
		session      bool
		in           []byte
		answered     int // requests before the bad one
	}{
		{"a negative length first", endFrame, false, unhex("ffffffff"), 0},
		{"a length above the limit first, before its bytes come", endFrame, false, unhex("000003e9"), 0},
		{"a word that nobody knows is a length", endFrame, false, []byte("quit"), 0},
		{"HTTP", endFrame, false, []byte("GET / HTTP/1.1\r\n\r\n"), 0},
		{"a connect request that is too short", endMalformed, false, unhex("00000004 00000000"), 0},
		{"an empty connect request", endMalformed, false, unhex("00000000"), 0},
		{"a connect request whose password is longer than the frame", endMalformed, false,
			unhex("0000001d 00000000 0000000000000000 00002710 0000000000000000 7fffffff 01"), 0},
		{"a negative length", endFrame, true, unhex("80000000"), 0},
		{"a length above the limit", endFrame, true, unhex("000003e9"), 0},
		{"a four-letter word within a session", endFrame, true, []byte("ruok"), 0},
		{"an empty request", endMalformed, true, unhex("00000000"), 0},
		{"a request without a whole header", endMalformed, true, unhex("00000007 00000001 000000"), 0},
		{"a short header behind good requests", endMalformed, true, unhex(pingHex + pingHex + "00000001 00"), 2},
		{"a bad length behind good requests", endFrame, true, unhex(pingHex + "ffffffff"), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake()
			seen := 0
			f.answer = func(*fakeClient, *zk.Request) { seen++ }
			d := open(t, Options{Handler: f, JuteMaxBuffer: limit})
			p := d.dial(t)
			if row.session {
				p.send(connectHex)
				p.expectBytes(41)
			}
			p.sendBytes(row.in)
			if got := p.expectEnd(); len(got) != 0 {
				t.Fatalf("answered %x", got)
			}
			d.expectReason(t, row.reason)
			f.do(func() {})
			if seen != row.answered {
				t.Fatalf("the handler saw %d requests, want %d", seen, row.answered)
			}
		})
	}
}

func TestFramesOfExactlyTheLimitAreAccepted(t *testing.T) {
	for _, limit := range []int{100, 4092, 4093, inputBytesBusy - 4, inputBytesBusy - 3, JuteMaxBufferDefault} {
		d := open(t, Options{JuteMaxBuffer: limit})
		p := d.dial(t)
		p.sendBytes(longFrame(strings.ReplaceAll(connectHex, "0000002d ", ""), limit))
		p.expectBytes(41)
		for range 3 {
			p.sendBytes(longFrame("00000005 0000000b", limit))
			p.sendBytes(unhex(pingHex))
			p.expectBytes(40)
		}
	}
}

func TestFourLetterWords(t *testing.T) {
	var mask int64
	opt := Options{FourLetter: func(word string, arg func() (int64, bool)) []byte {
		if word == "telnet close" {
			return nil
		}
		if word == "stmk" {
			mask, _ = arg()
		}
		return []byte("answer to " + word)
	}}
	for _, row := range []struct{ name, in, out, reason string }{
		{"a word", "ruok", "answer to ruok", endFourLetter},
		{"a word and a newline", "srvr\n", "answer to srvr", endFourLetter},
		{"a word and much more", "mntr" + strings.Repeat("x", 100000), "answer to mntr", endFourLetter},
		{"a word with an argument", "stmk\x00\x00\x00\x00\x00\x00\x01\x32", "answer to stmk", endFourLetter},
		{"a word without its argument", "stmk\x00\x00", "answer to stmk", endFourLetter},
		{"a word that is answered with nothing", "\xff\xf4\xff\xfd", "", endFrame},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := open(t, opt)
			p := d.dial(t)
			go func() { // as nc does: byte by byte here, and then it closes its side
				p.Write([]byte(row.in[:2]))
				p.Write([]byte(row.in[2:]))
				p.Conn.(interface{ CloseWrite() error }).CloseWrite()
			}()
			if got := p.expectEnd(); string(got) != row.out {
				t.Fatalf("answered %q, want %q", got, row.out)
			}
			d.expectReason(t, row.reason)
		})
	}
	if mask != 0 {
		t.Errorf("the last stmk had no argument, yet the mask is %d", mask)
	}
}

func TestEveryFourLetterWordIsKnown(t *testing.T) {
	want := strings.Fields("conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs")
	d := open(t, Options{})
	for _, w := range want {
		p := d.dial(t)
		p.sendBytes([]byte(w + "\x00\x00\x00\x00\x00\x00\x00\x00"))
		if got := p.expectEnd(); string(got) != w+"!" {
			t.Errorf("%s: %q", w, got)
		}
		p.Conn.Close()
	}
	if len(words) != len(want)+1 { // and telnet's interrupt
		t.Errorf("%d words are known, want %d", len(words), len(want)+1)
	}
}

func TestRequestsBehindTheConnectRequestWaitForTheSession(t *testing.T) {
	f := newFake()
	var held *fakeClient
	early := false
	f.connect = func(c *fakeClient, r *zk.ConnectRequest) { held = c }
	f.answer = func(c *fakeClient, r *zk.Request) {
		early = early || held != nil
		f.usual(c, r)
	}
	d := open(t, Options{Handler: f})
	p := d.dial(t)
	p.send(connectHex + pingHex + pingHex)
	until(t, "connect came", func() (ok bool) { f.do(func() { ok = held != nil }); return })
	f.do(func() {
		c := held
		held = nil
		c.Connected(&zk.ConnectResponse{TimeoutMS: 10000, Session: 5})
		c.Flush()
	})
	got := p.expectBytes(41 + 40)
	if !bytes.Equal(got[41:], unhex("00000010 fffffffe 0000000000000001 00000000 00000010 fffffffe 0000000000000002 00000000")) {
		t.Fatalf("%x", got)
	}
	if early {
		t.Fatal("a request was submitted before its session was open")
	}
}
