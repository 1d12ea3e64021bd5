package transport

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// captured is one line of a capture.
type captured struct {
	file   string
	line   int
	Msg    string
	Hex    string
	Fields struct {
		Type                     int32
		Zxid                     string
		Data                     *string
		Version, Sid             int64
		Addr, State, Config      string
		Len                      int
		Leader, Round, PeerEpoch int64
		ConfigLen                int
		AuthInfo                 [][]string
		Decoded                  json.RawMessage
	}
	bytes []byte
}

func (c captured) String() string { return fmt.Sprintf("%s:%d: %s", c.file, c.line, c.Msg) }

func captures(t testing.TB) []captured {
	t.Helper()
	files, _ := filepath.Glob("testdata/captures/*.jsonl")
	if len(files) != 9 {
		t.Fatalf("%d captures", len(files))
	}
	var all []captured
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			c := captured{file: filepath.Base(file), line: n}
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
			if c.bytes, err = hex.DecodeString(c.Hex); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		f.Close()
	}
	return all
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	v, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(v)
}

// TestCapturedMessages: every message of a real ensemble reads as an independent decoder read it, and is written
// back byte for byte.
func TestCapturedMessages(t *testing.T) {
	seen := map[string]int{}
	for _, c := range captures(t) {
		seen[c.Msg]++
		switch c.Msg {
		case "CLOSE", "SNAPSHOT-STREAM":
		case "ELECTION-HANDSHAKE":
			checkHandshake(t, c)
		case "NOTIFICATION":
			checkNotification(t, c)
		default:
			checkMessage(t, c)
		}
	}
	for kind := consensus.MsgRequest; kind <= consensus.MsgInformAndActivate; kind++ {
		name := strings.ToUpper(strings.ReplaceAll(kind.String(), "-", ""))
		if seen[name] == 0 {
			t.Errorf("no capture has %s: %v", name, seen)
		}
	}
	if seen["ELECTION-HANDSHAKE"] == 0 || seen["NOTIFICATION"] == 0 {
		t.Errorf("%v", seen)
	}
}

func checkHandshake(t *testing.T, c captured) {
	t.Helper()
	h, err := readHandshake(bytes.NewReader(c.bytes))
	if err != nil || int64(h.server) != c.Fields.Sid || len(h.addresses) != 1 || h.addresses[0].String() != c.Fields.Addr {
		t.Fatalf("%v: %+v, %v", c, h, err)
	}
	if again := appendHandshake(nil, h, false); !bytes.Equal(again, c.bytes) {
		t.Fatalf("%v: written as %x", c, again)
	}
}

func checkNotification(t *testing.T, c captured) {
	t.Helper()
	f := c.Fields
	r := newReader(bytes.NewReader(c.bytes))
	if err := r.fill(); err != nil {
		t.Fatal(err)
	}
	b, ok, err := r.nextFrame()
	if !ok || err != nil || len(b) != f.Len {
		t.Fatalf("%v: %d bytes, %v", c, len(b), err)
	}
	n, err := decodeNotification(b)
	if err != nil || strings.ToUpper(n.Role.String()) != f.State || int64(n.Version) != f.Version || n.Config != f.Config || len(n.Config) != f.ConfigLen ||
		int64(n.Vote.Leader) != f.Leader || int64(n.Vote.Zxid) != number(t, f.Zxid) || n.Vote.Round != f.Round || n.Vote.Epoch != f.PeerEpoch {
		t.Fatalf("%v: %+v, %v", c, n, err)
	}
	if again := appendNotification(nil, &n); !bytes.Equal(again, c.bytes) {
		t.Fatalf("%v: written as %x", c, again)
	}
	if q, err := quorum.ParseConfig(n.Config); err != nil || q.String() != n.Config {
		t.Fatalf("%v: configuration %v, %v", c, q, err)
	}
}

func checkMessage(t *testing.T, c captured) {
	t.Helper()
	r := newReader(bytes.NewReader(c.bytes))
	if err := r.fill(); err != nil {
		t.Fatal(err)
	}
	b, ok, err := r.message(1 << 20)
	if !ok || err != nil || len(b) != len(c.bytes) {
		t.Fatalf("%v: %d of %d bytes, %v", c, len(b), len(c.bytes), err)
	}
	var m consensus.Message
	if err := new(decoder).message(b, &m); err != nil {
		t.Fatalf("%v: %v", c, err)
	}
	if name := strings.ToUpper(strings.ReplaceAll(m.Kind.String(), "-", "")); name != c.Msg || int32(m.Kind) != c.Fields.Type || int64(m.Zxid) != number(t, c.Fields.Zxid) {
		t.Fatalf("%v: %v", c, &m)
	}
	checkData(t, c, &m)
	if again := appendMessage(nil, &m); !bytes.Equal(again, c.bytes) {
		t.Fatalf("%v: written as %x", c, again)
	}
}

// checkData compares with what the capture's own decoder found.
func checkData(t *testing.T, c captured, m *consensus.Message) {
	t.Helper()
	var d struct {
		SessionID        string
		Cxid             int32
		Type             int32
		Rest             string
		Sid              int64
		ProtocolVersion  any
		ConfigVersion    int64
		Epoch            *int64
		DesignatedLeader int64
	}
	if c.Fields.Decoded != nil && c.Fields.Decoded[0] == '{' {
		if err := json.Unmarshal(c.Fields.Decoded, &d); err != nil {
			t.Fatalf("%v: %v in %s", c, err, c.Fields.Decoded)
		}
	}
	var ok bool
	switch m.Kind {
	case consensus.MsgRequest:
		r := m.Request
		ok = int64(r.Session) == number(t, d.SessionID) && r.Cxid == d.Cxid && int32(r.Op) == d.Type && hex.EncodeToString(r.Body) == d.Rest &&
			(r.AuthInfo == nil) == (c.Fields.AuthInfo == nil) && len(r.AuthInfo) == len(c.Fields.AuthInfo)
	case consensus.MsgProposal, consensus.MsgInform:
		ok = hex.EncodeToString(m.Payload) == *c.Fields.Data
	case consensus.MsgInformAndActivate:
		ok = hex.EncodeToString(m.Payload) == (*c.Fields.Data)[16:] && m.Server != 0
	case consensus.MsgPing:
		ok = (m.Touched == nil) == (c.Fields.Data == nil) && (m.Touched == nil || len(m.Touched)*24 == len(*c.Fields.Data))
	case consensus.MsgRevalidate:
		ok = int64(m.Session) == number(t, d.SessionID) && m.Answer == (len(d.Rest) == 2)
		if !m.Answer {
			ok = ok && int64(m.TimeoutMS) == number(t, d.Rest)
		} else {
			ok = ok && m.Valid == (d.Rest == "01")
		}
	case consensus.MsgCommitAndActivate:
		ok = int64(m.Server) == d.DesignatedLeader
	case consensus.MsgFollowerInfo, consensus.MsgObserverInfo:
		ok = int64(m.Server) == d.Sid && m.Protocol == consensus.ProtocolVersion && int64(m.ConfigVersion) == d.ConfigVersion
	case consensus.MsgLeaderInfo:
		ok = m.Protocol == consensus.ProtocolVersion && d.ProtocolVersion == "0x10000"
	case consensus.MsgAckEpoch:
		ok = d.Epoch != nil && m.Epoch == *d.Epoch
	case consensus.MsgNewLeader:
		q, err := quorum.ParseConfig(m.Config)
		ok = err == nil && q.String() == m.Config && hex.EncodeToString([]byte(m.Config)) == *c.Fields.Data
	default:
		ok = c.Fields.Data == nil
	}
	if !ok {
		t.Fatalf("%v: %+v, not %s (data %v)", c, m, c.Fields.Decoded, c.Fields.Data)
	}
}

// TestOldServersIntroduceThemselves: what learners send that are older than the fields.
func TestOldServersIntroduceThemselves(t *testing.T) {
	head := "0000000b0000000100000000"
	for _, tc := range []struct {
		name, data string
		want       consensus.Message
	}{
		{"an anonymous observer gives nothing", "ffffffff", consensus.Message{Server: consensus.NoServer, Protocol: 1}},
		{"an id alone", "00000008" + "0000000000000003", consensus.Message{Server: 3, Protocol: 1}},
		{"an id and a version", "0000000c" + "0000000000000003" + "00010000", consensus.Message{Server: 3, Protocol: 0x10000}},
		{"everything", "00000014" + "0000000000000003" + "00010000" + "0000000200000001", consensus.Message{Server: 3, Protocol: 0x10000, ConfigVersion: 0x200000001}},
		{"fields of a later version are passed over", "00000015" + "0000000000000003" + "00010000" + "0000000200000001" + "ff",
			consensus.Message{Server: 3, Protocol: 0x10000, ConfigVersion: 0x200000001}},
	} {
		b, err := hex.DecodeString(head + tc.data + "ffffffff")
		if err != nil {
			t.Fatal(err)
		}
		tc.want.Kind, tc.want.Zxid = consensus.MsgFollowerInfo, 1<<32
		var m consensus.Message
		if err := new(decoder).message(b, &m); err != nil || !reflect.DeepEqual(m, tc.want) {
			t.Errorf("%s: %+v, %v", tc.name, m, err)
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, hex string }{
		{"a request without its head", "00000001ffffffffffffffff" + "00000004" + "00000000" + "ffffffff"},
		{"a request without anything", "00000001ffffffffffffffff" + "ffffffff" + "ffffffff"},
		{"a proposal without a txn", "000000020000000100000001" + "ffffffff" + "ffffffff"},
		{"half a session in a ping", "000000050000000100000001" + "00000006" + "000000000001" + "ffffffff"},
		{"a session without timeout or answer", "00000006ffffffffffffffff" + "00000008" + "0000000000000001" + "ffffffff"},
		{"an activation without a leader", "000000090000000100000001" + "ffffffff" + "ffffffff"},
		{"an epoch of two bytes", "000000120000000100000001" + "00000002" + "0001" + "ffffffff"},
		{"no protocol version", "000000110000000100000000" + "ffffffff" + "ffffffff"},
		{"bytes behind the end", "000000030000000100000001" + "ffffffff" + "ffffffff" + "00"},
	} {
		b, err := hex.DecodeString(tc.hex)
		if err != nil {
			t.Fatal(err)
		}
		var m consensus.Message
		if err := new(decoder).message(b, &m); err == nil {
			t.Errorf("%s: read as %v", tc.name, &m)
		}
	}
}

// TestMessagesInPieces: messages are found wherever the network cuts the stream.
func TestMessagesInPieces(t *testing.T) {
	request := consensus.Message{Kind: consensus.MsgRequest, Zxid: -1, Request: &consensus.ForwardedRequest{Session: 1, Op: zk.OpCreate, Body: make([]byte, 100_000),
		AuthInfo: []zk.ID{{Scheme: "ip", ID: "127.0.0.1"}, {Scheme: "digest", ID: "a:b"}}}}
	unknown := consensus.Message{Kind: 100, Zxid: 7, Payload: []byte("more")}
	ack := consensus.Message{Kind: consensus.MsgAck, Zxid: 9}
	want := []consensus.Message{ack, request, unknown, ack}
	var stream []byte
	for i := range want {
		stream = appendMessage(stream, &want[i])
	}
	for _, piece := range []int{1, 2, 7, 20, 4096, 65536, len(stream)} {
		r := newReader(&pieces{stream, piece})
		var got []consensus.Message
		for {
			b, ok, err := r.message(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				if err := r.fill(); err != nil {
					break
				}
				continue
			}
			var m consensus.Message
			if err := new(decoder).message(bytes.Clone(b), &m); err != nil {
				t.Fatal(err)
			}
			got = append(got, m)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("in pieces of %d: %d messages", piece, len(got))
		}
	}
}

// pieces gives out at most n bytes at a time.
type pieces struct {
	left []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.left[:min(p.n, len(p.left))])
	p.left = p.left[n:]
	if n == 0 {
		return 0, os.ErrClosed
	}
	return n, nil
}

// TestLengthsAreNotBelieved: a length beyond the bound fails at once, and one within it costs no memory before its
// bytes have come.
func TestLengthsAreNotBelieved(t *testing.T) {
	const most = 1 << 20
	for _, tc := range []struct{ name, hex string }{
		{"data beyond the bound", "000000020000000100000001" + "7fffffff"},
		{"data of negative length", "000000020000000100000001" + "80000000"},
		{"more identities than fit", "000000010000000100000001" + "ffffffff" + "00080000"},
		{"a negative number of identities", "000000010000000100000001" + "ffffffff" + "fffffffe"},
		{"an identity beyond the bound", "000000010000000100000001" + "ffffffff" + "00000001" + "00200000"},
	} {
		b, _ := hex.DecodeString(tc.hex)
		r := newReader(&pieces{append(b, make([]byte, 12)...), 1 << 20})
		if err := r.fill(); err != nil {
			t.Fatal(err)
		}
		if b, ok, err := r.message(most); err == nil {
			t.Errorf("%s: %x %v", tc.name, b, ok)
		}
	}
	b, _ := hex.DecodeString("000000020000000100000001" + "000fff00")
	r := newReader(&pieces{append(b, make([]byte, 5000)...), 1000})
	for r.fill() == nil {
		if _, ok, err := r.message(most); ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if len(r.buf) > readBytes {
		t.Errorf("%d bytes of memory for 5,016 received", len(r.buf))
	}
}

// TestNotificationsOfAllVersions: how long a notification is tells its age.
func TestNotificationsOfAllVersions(t *testing.T) {
	full := election.Notification{Role: election.Leading, Version: 2, Config: "server.1=a:1:2",
		Vote: election.Vote{Leader: 3, Zxid: 0x500000001, Round: 7, Epoch: 9}}
	b := appendNotification(nil, &full)[lengthBytes:]
	with := func(version int32) []byte {
		c := bytes.Clone(b)
		c[39] = byte(version)
		return c
	}
	vote := func(epoch int64) election.Vote { v := full.Vote; v.Epoch = epoch; return v }
	for _, tc := range []struct {
		name string
		b    []byte
		want election.Notification
		ok   bool
	}{
		{"today's", b, full, true},
		{"28 bytes have no epoch: it is the zxid's", b[:28], election.Notification{Role: election.Leading, Vote: vote(5)}, true},
		{"40 bytes have an epoch and no version", b[:40], election.Notification{Role: election.Leading, Vote: vote(9)}, true},
		{"version 1 has no configuration, whatever follows", with(1), election.Notification{Role: election.Leading, Vote: vote(9), Version: 1}, true},
		{"version 3 is read as 2", with(3), election.Notification{Role: election.Leading, Vote: vote(9), Version: 3, Config: full.Config}, true},
		{"an empty configuration", append(bytes.Clone(b[:40]), 0, 0, 0, 0), election.Notification{Role: election.Leading, Vote: vote(9), Version: 2}, true},
		{"a length and nothing behind it", append(bytes.Clone(b[:40]), 0, 0, 0, 1), election.Notification{}, false},
		{"a length of 2 GiB", append(bytes.Clone(b[:40]), 0x7f, 0xff, 0xff, 0xff), election.Notification{}, false},
		{"a negative length", append(bytes.Clone(b[:40]), 0xff, 0xff, 0xff, 0xff), election.Notification{}, false},
		{"27 bytes", b[:27], election.Notification{}, false},
		{"29 bytes end within the epoch", b[:29], election.Notification{}, false},
		{"39 bytes end within the version", b[:39], election.Notification{}, false},
		{"42 bytes end within the length", b[:42], election.Notification{}, false},
		{"nothing", nil, election.Notification{}, false},
	} {
		if n, err := decodeNotification(tc.b); (err == nil) != tc.ok || n != tc.want {
			t.Errorf("%s: %+v, %v", tc.name, n, err)
		}
	}
}

func TestHandshakes(t *testing.T) {
	at := func(host string, port int) quorum.HostPort { return quorum.HostPort{Host: host, Port: port} }
	for _, tc := range []struct {
		name, in string
		want     []quorum.HostPort
		ok       bool
	}{
		{"one address", "ffffffffffff0000" + "0000000000000003" + "00000006" + text("a:3888"), []quorum.HostPort{at("a", 3888)}, true},
		{"several addresses", "ffffffffffff0001" + "0000000000000003" + "00000013" + text("a:3888|[2001::1]:39"), []quorum.HostPort{at("a", 3888), at("2001::1", 39)}, true},
		{"an address that is everywhere", "ffffffffffff0000" + "0000000000000003" + "0000000c" + text("0.0.0.0:3888"), nil, true},
		{"the same in IPv6", "ffffffffffff0000" + "0000000000000003" + "00000007" + text("[::]:39"), nil, true},
		{"an old server gives its id alone", "0000000000000003", nil, true},
		{"another version", "ffffffffffff0002" + "0000000000000003" + "00000006" + text("a:3888"), nil, false},
		{"no address", "ffffffffffff0000" + "0000000000000003" + "00000000", nil, false},
		{"an address of negative length", "ffffffffffff0000" + "0000000000000003" + "ffffffff", nil, false},
		{"an address of 2049 bytes", "ffffffffffff0000" + "0000000000000003" + "00000801" + strings.Repeat("61", 2049), nil, false},
		{"a port that is no number", "ffffffffffff0000" + "0000000000000003" + "00000003" + text("a:b"), nil, false},
		{"a missing port", "ffffffffffff0000" + "0000000000000003" + "00000001" + text("a"), nil, false},
		{"an end within the address", "ffffffffffff0000" + "0000000000000003" + "00000006" + text("a:38"), nil, false},
		{"an end within the id", "ffffffffffff0000" + "00000000", nil, false},
		{"nothing", "", nil, false},
	} {
		b, err := hex.DecodeString(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		h, err := readHandshake(bytes.NewReader(b))
		if (err == nil) != tc.ok || tc.ok && (h.server != 3 || !reflect.DeepEqual(h.addresses, tc.want)) {
			t.Errorf("%s: %+v, %v", tc.name, h, err)
		}
	}
	several := handshake{server: 7, addresses: []quorum.HostPort{at("a", 1), at("::1", 2)}}
	for _, many := range []bool{true, false} {
		h, err := readHandshake(bytes.NewReader(appendHandshake(nil, several, many)))
		if want := several.addresses[:map[bool]int{true: 2, false: 1}[many]]; err != nil || h.server != 7 || !reflect.DeepEqual(h.addresses, want) {
			t.Errorf("several %v: %+v, %v", many, h, err)
		}
	}
}

func text(s string) string { return hex.EncodeToString([]byte(s)) }

// FuzzMessage: the decoder never panics, the scanner agrees with it on where a message ends, and what is accepted
// survives a round trip.
func FuzzMessage(f *testing.F) {
	seen := map[string]int{}
	for _, c := range captures(f) {
		if seen[c.Msg]++; seen[c.Msg] <= 2 && len(c.bytes) < 1000 && c.Msg != "NOTIFICATION" && c.Msg != "ELECTION-HANDSHAKE" {
			f.Add(c.bytes)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var s scanner
		need, done, err := s.next(in, 1<<16)
		if err != nil || !done {
			return
		}
		var m, again consensus.Message
		if err := new(decoder).message(in[:need], &m); err != nil {
			return
		}
		b := appendMessage(nil, &m)
		used := new(decoder)
		for range 2 { // what came before makes no difference
			if err := used.message(b, &again); err != nil || !reflect.DeepEqual(m, again) {
				t.Fatalf("%+v became %+v (%v)", m, again, err)
			}
		}
		_ = m.String()
	})
}

// FuzzScanner: wherever the stream is cut, the scanner finds the same message.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x01b\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, cut scanner
		need, done, err := whole.next(in, 1<<12)
		for i := range in {
			n, d, e := cut.next(in[:i], 1<<12)
			if e != nil {
				if err == nil {
					t.Fatalf("refused at %d: %v", i, e)
				}
				return
			}
			if d {
				if n > i || !done || n != need {
					t.Fatalf("ends at %d of %d, not %d (%v)", n, i, need, err)
				}
				return
			}
			if n <= i {
				t.Fatalf("wants %d bytes and has %d", n, i)
			}
		}
	})
}

// FuzzNotification: never panics, and what is accepted survives a round trip.
func FuzzNotification(f *testing.F) {
	n := 0
	for _, c := range captures(f) {
		if c.Msg == "NOTIFICATION" && n < 5 {
			n++
			f.Add(c.bytes[lengthBytes:])
			f.Add(c.bytes[lengthBytes : lengthBytes+28])
			f.Add(c.bytes[lengthBytes : lengthBytes+40])
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n, err := decodeNotification(in)
		if err != nil {
			return
		}
		again, err := decodeNotification(appendNotification(nil, &n)[lengthBytes:])
		n.Version = again.Version
		if err != nil || n != again {
			t.Fatalf("%+v became %+v (%v)", n, again, err)
		}
	})
}

// FuzzHandshake: never panics, and what is accepted survives a round trip.
func FuzzHandshake(f *testing.F) {
	for _, c := range captures(f) {
		if c.Msg == "ELECTION-HANDSHAKE" {
			f.Add(c.bytes)
		}
	}
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x03"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x09[::1]:1|a:2"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := readHandshake(bytes.NewReader(in))
		if err != nil || len(h.addresses) == 0 {
			return
		}
		again, err := readHandshake(bytes.NewReader(appendHandshake(nil, h, true)))
		if err != nil || !reflect.DeepEqual(h, again) {
			t.Fatalf("%+v became %+v (%v)", h, again, err)
		}
	})
}

// TestIdentitiesThatComeAgain: they may be shared, others may not take their place, and what comes behind them is still surplus.
func TestIdentitiesThatComeAgain(t *testing.T) {
	message := func(ids ...zk.ID) []byte {
		return appendMessage(nil, &consensus.Message{Kind: consensus.MsgRequest, Zxid: consensus.NoZxid,
			Request: &consensus.ForwardedRequest{Session: 7, Op: zk.OpDelete, Body: []byte("x"), AuthInfo: ids}})
	}
	one, other := []zk.ID{{Scheme: "ip", ID: "10.0.0.1"}}, []zk.ID{{Scheme: "ip", ID: "10.0.0.2"}, {Scheme: "x509", ID: "CN=a"}}
	d := new(decoder)
	var kept []*consensus.ForwardedRequest
	for i, ids := range [][]zk.ID{one, one, other, one, nil, {}, one, other, other} {
		var m consensus.Message
		if err := d.message(message(ids...), &m); err != nil || !reflect.DeepEqual(m.Request.AuthInfo, ids) {
			t.Fatalf("message %d: %v %v, want %v", i, m.Request.AuthInfo, err, ids)
		}
		if err := d.message(append(message(ids...), 0), new(consensus.Message)); err == nil {
			t.Errorf("message %d: surplus bytes were accepted", i)
		}
		kept = append(kept, m.Request)
	}
	for i, q := range kept {
		if want := [][]zk.ID{one, one, other, one, nil, {}, one, other, other}[i]; !reflect.DeepEqual(q.AuthInfo, want) || q.Session != 7 || string(q.Body) != "x" {
			t.Errorf("request %d has become %+v", i, q)
		}
	}
}
