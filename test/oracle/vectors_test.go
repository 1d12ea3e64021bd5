//go:build interop

package oracle

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPasswords checks the password algorithm against ids and passwords seen on live servers.
func TestPasswords(t *testing.T) {
	for id, want := range map[uint64]string{
		0x0000000000000001: "054cc74a37327db215e702e20c73f005",
		0x0100000000000000: "f22acd4a97e69d6d20a49bb638eadb38",
		0x01000a1b2c3d0001: "ac75fb1452f812e09482a8e51fc23bd8",
		0x010000200dba0000: "149eea711178f0291231effc42592806",
		0xff00000000000001: "054cc74a37327db215e702e20c73f005",
	} {
		if got := hex.EncodeToString(password(int64(id))); got != want {
			t.Errorf("password of %#x is %s, want %s", id, got, want)
		}
	}
}

// TestFrames checks what this package sends against packets written down by hand.
func TestFrames(t *testing.T) {
	create := reqCreate(opCreate, "/a", nil, openACL, 0)
	create.xid = 1
	create.body = append(append([]byte{}, create.body[:6]...), append([]byte{0, 0, 0, 0}, create.body[10:]...)...) // empty data
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"a new session": {(&connectSpec{session: sessionNew, timeout: 10_000}).bytes(0), "0000002d 00000000 0000000000000000 00002710" +
			"0000000000000000 00000010 00000000000000000000000000000000 00"},
		"a ping": {(&request{xid: -2, op: opPing}).bytes(), "00000008 fffffffe 0000000b"},
		"a create": {create.bytes()[4:], "00000001 00000001 00000002 2f61 00000000 00000001 0000001f" +
			"00000005 776f726c64 00000006 616e796f6e65 00000000"},
	} {
		if !bytes.Equal(c.got, unhex(t, c.want)) {
			t.Errorf("%s is %x, want %s", name, c.got, c.want)
		}
	}
}

// TestRender checks what this package reads out of packets written down by hand.
func TestRender(t *testing.T) {
	n := newNormal()
	e := n.event(unhex(t, "ffffffff 0000000000000007 00000000 00000003 00000003 00000002 2f61"))
	if want := `event zxid=7 err=0 type=3 state=3 "/a"`; e.text != want {
		t.Errorf("event: %s, want %s", e.text, want)
	}
	l := n.reply(unhex(t, "00000003 0000000000000009 00000000 ffffffff 00 00000000 00000000 ffffffff 00 ffffff9b ffffff9b ffffffff 01 ffffffff"),
		&request{xid: 3, op: opMulti})
	if want := "multi zxid=9 xid=3 err=0(ok) [op-1/0(ok) 0(ok); op-1/-101(NoNode) -101(NoNode); end(-1,1,-1)]"; l.text != want {
		t.Errorf("multi: %s, want %s", l.text, want)
	}
	l, _ = n.connectReply(unhex(t, "00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00"))
	if want := "connected proto=0 timeout=0 session=0 passwd=00000000000000000000000000000000 readOnly=00"; l.text != want {
		t.Errorf("refusal: %s, want %s", l.text, want)
	}
	now := n.started.UnixMilli() + 5
	if a, b, c := n.time(4, now), n.time(4, now), n.time(4, now+1); a != "ok" || b != "ok" || c == "ok" {
		t.Errorf("a time that contradicts its zxid must not be ok: %s %s %s", a, b, c)
	}
}

// TestExplanationsAreNarrow checks that what is nearly an explained difference is none.
func TestExplanationsAreNarrow(t *testing.T) {
	event := func(zxid int64, rest string) line { return line{event: true, zxid: zxid, rest: rest} }
	multi := reqMulti(opMulti, []subOp{subCreate(reqCreate(opCreateContainer, "/a", nil, openACL, 0), openACL, 0)})
	plain := line{req: &multi, zxid: 5, multi: []result{{kind: opCreate, path: "/a", text: "create"}}}
	full := line{req: &multi, zxid: 5, multi: []result{{kind: opCreate2, path: "/a", text: "create2", hasStat: true, stat: stat{czxid: 5, mzxid: 5}}}}
	stale := line{req: &multi, zxid: 5, multi: []result{{kind: opCreate2, path: "/a", text: "create2", hasStat: true, stat: stat{czxid: 4, mzxid: 5}}}}
	exists := reqRead(opExists, "/a", true)
	m := moment{before: 3, after: 5}
	for name, c := range map[string]struct {
		a, b line
		want string
	}{
		"an event with the zxid of a txn of this step":        {event(-1, "x"), event(5, "x"), "event-zxid"},
		"an event with the zxid of an earlier txn":            {event(-1, "x"), event(3, "x"), ""},
		"an event with a zxid from the future":                {event(-1, "x"), event(6, "x"), ""},
		"an event of another path":                            {event(-1, "x"), event(5, "y"), ""},
		"an event whose zxid only ZooKeeper knows":            {event(5, "x"), event(-1, "x"), ""},
		"a container in a multi with its stat":                {plain, full, "multi-container"},
		"a container in a multi with a stale stat":            {plain, stale, ""},
		"a container in a multi where Paddock lacks the stat": {full, plain, ""},
		"exists refused":   {line{req: &exists, raw: make([]byte, 84)}, line{req: &exists, err: -102, raw: make([]byte, 16)}, "exists-read"},
		"exists not found": {line{req: &exists, raw: make([]byte, 84)}, line{req: &exists, err: -101, raw: make([]byte, 16)}, ""},
	} {
		if got := explain(m, c.a, c.b); got != c.want {
			t.Errorf("%s is explained by %q, want %q", name, got, c.want)
		}
	}
}

// FuzzReply: whatever a server sends is put into words without a panic.
func FuzzReply(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00"), int32(opMulti))
	f.Add(make([]byte, 100), int32(opGetChildren2))
	f.Add(make([]byte, 100), int32(opGetACL))
	f.Fuzz(func(t *testing.T, in []byte, op int32) {
		n := newNormal()
		if n.event(in).text == "" || n.reply(in, &request{op: op}).text == "" {
			t.Fatal("no words")
		}
		if l, _ := n.connectReply(in); l.text == "" {
			t.Fatal("no words")
		}
	})
}
