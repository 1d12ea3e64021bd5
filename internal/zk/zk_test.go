package zk_test

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSessionPasswordsAreZooKeepers(t *testing.T) {
	for id, want := range map[zk.SessionID]string{
		0x0000000000000001:  "054cc74a37327db215e702e20c73f005",
		0x0100000000000000:  "f22acd4a97e69d6d20a49bb638eadb38",
		0x0100012345670000:  "4be494d27cc739baa123244a251a7415",
		0x01000a1b2c3d0001:  "ac75fb1452f812e09482a8e51fc23bd8",
		0x010000200dba0000:  "149eea711178f0291231effc42592806",
		-0x00ffffffffffffff: "054cc74a37327db215e702e20c73f005",
	} {
		p := id.Password()
		if got := hex.EncodeToString(p[:]); got != want {
			t.Errorf("%v: %s, want %s", id, got, want)
		}
	}
}

func TestRequestAndReplyBytes(t *testing.T) {
	in := unhex(t, "00000001 00000001 00000002 2f61 00000000 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000")
	var req zk.Request
	req.Jute(jute.Reader(in))
	want := zk.Request{Xid: 1, Op: zk.OpCreate, Path: "/a", Data: []byte{}, ACL: zk.OpenACL, TTLMS: -1}
	if !reflect.DeepEqual(req, want) {
		t.Fatalf("%+v", req)
	}
	w := jute.Writer(nil)
	req.Jute(w)
	if !bytes.Equal(w.Bytes(), in) {
		t.Errorf("written back as %x", w.Bytes())
	}
	w = jute.Writer(nil)
	(&zk.Event{Zxid: 7, Type: zk.NodeDataChanged, Path: "/a"}).Jute(w)
	if want := unhex(t, "ffffffff 0000000000000007 00000000 00000003 00000003 00000002 2f61"); !bytes.Equal(w.Bytes(), want) {
		t.Errorf("event %x", w.Bytes())
	}
	w = jute.Writer(nil)
	failed := zk.Reply{Op: zk.OpMulti, Results: []zk.Reply{
		{Op: zk.OpError}, {Op: zk.OpError, Err: zk.NoNode}, {Op: zk.OpError, Err: zk.RuntimeInconsistency}}}
	failed.Jute(w)
	if want := unhex(t, "ffffffff 00 00000000 00000000 ffffffff 00 ffffff9b ffffff9b ffffffff 00 fffffffe fffffffe ffffffff 01 ffffffff"); !bytes.Equal(w.Bytes()[16:], want) {
		t.Errorf("failed multi %x", w.Bytes())
	}
}

// TestReconfigBytes: what is not asked for is null, and stays it.
func TestReconfigBytes(t *testing.T) {
	in := unhex(t, "00000007 00000010 00000001 61 ffffffff ffffffff ffffffffffffffff")
	var req zk.Request
	req.Jute(jute.Reader(in))
	m := req.Members
	if req.Malformed || m == nil || m.Joining != "a" || !jute.IsNull(m.Leaving) || !jute.IsNull(m.Whole) || m.Version != -1 {
		t.Fatalf("%+v %+v", req, m)
	}
	w := jute.Writer(nil)
	req.Jute(w)
	if !bytes.Equal(w.Bytes(), in) {
		t.Errorf("written back as %x", w.Bytes())
	}
	w = jute.Writer(nil)
	(&zk.Reply{Xid: 7, Op: zk.OpReconfig, Data: []byte("b"), Stat: zk.Stat{Version: -1}}).Jute(w)
	if want := unhex(t, "00000007 0000000000000000 00000000 00000001 62"+strings.Repeat("00", 32)+"ffffffff"+strings.Repeat("00", 32)); !bytes.Equal(w.Bytes(), want) {
		t.Errorf("reply %x", w.Bytes())
	}
}

func TestConnectRecords(t *testing.T) {
	var req zk.ConnectRequest
	modern := unhex(t, "00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000 00")
	if c := jute.Reader(modern); true {
		req.Jute(c)
		if c.Err() != nil || req.TimeoutMS != 10000 || req.Old {
			t.Fatalf("%+v %v", req, c.Err())
		}
	}
	req = zk.ConnectRequest{}
	c := jute.Reader(modern[:44])
	if req.Jute(c); c.Err() != nil || !req.Old {
		t.Fatalf("a request without the read-only byte is an old client's: %+v %v", req, c.Err())
	}
	w := jute.Writer(nil)
	(&zk.ConnectResponse{}).Jute(w)
	if len(w.Bytes()) != 37 {
		t.Errorf("refusal has %d bytes", len(w.Bytes()))
	}
}

func TestPathRules(t *testing.T) {
	for p, ok := range map[string]bool{
		"": false, "/": true, "a": false, "/a/": false, "//": false, "/a//b": false, "/a/..": false, "/../a": false, "/./a": false, "/a/.": false,
		"/...": true, "/a..b": true, "/.a": true, "/a.": true, "/a/..b": true, "/a b": true, "/\x00": false, "/a\x1f": false, "/a\x7f": false, "/a\u009f": false,
		"/a\u00a0": true, "/é": true, "/\ud7ff": true, "/\ue000": false, "/\uf8ff": false, "/\uf900": true, "/\uffef": true, "/\ufff0": false, "/😀": false, "/\xff": false,
	} {
		if zk.ValidPath(p) != ok {
			t.Errorf("%q: %s", p, zk.PathProblem(p))
		}
	}
}

func TestOwnerForms(t *testing.T) {
	for _, c := range []struct {
		name    string
		owner   zk.Owner
		wire    int64
		ttl     int64
		session zk.SessionID
	}{
		{"a persistent znode", 0, 0, 0, 0},
		{"a container", zk.ContainerOwner, 0, 0, 0},
		{"a TTL of one millisecond", zk.TTLOwner(1), 0, 1, 0},
		{"the longest TTL", zk.TTLOwner(zk.TTLMaxMS), 0, zk.TTLMaxMS, 0},
		{"an ephemeral", 0x0100000000000001, 0x0100000000000001, 0, 0x0100000000000001},
		{"an ephemeral of server 200", 0xc800000000000001, -0x37ffffffffffffff, 0, -0x37ffffffffffffff},
	} {
		ttl, _ := c.owner.TTL()
		session, _ := c.owner.Session()
		if c.owner.Wire() != c.wire || ttl != c.ttl || session != c.session {
			t.Errorf("%s: wire %x ttl %d session %v", c.name, c.owner.Wire(), ttl, session)
		}
	}
}

func TestMultiIsNormalizedWhenDecoded(t *testing.T) {
	encode := func(op zk.OpCode, ops ...zk.Request) []byte {
		w := jute.Writer(nil)
		(&zk.Request{Xid: 1, Op: op, Ops: ops}).Jute(w)
		return w.Bytes()
	}
	create := func(op zk.OpCode, mode zk.CreateMode) zk.Request {
		return zk.Request{Op: op, Path: "/a", ACL: zk.OpenACL, Mode: mode, TTLMS: 5}
	}
	for _, c := range []struct {
		name string
		in   []byte
		op   zk.OpCode // 0: malformed
	}{
		{"a plain create stays", encode(zk.OpMulti, create(zk.OpCreate, 0)), zk.OpCreate},
		{"a container flag makes a container", encode(zk.OpMulti, create(zk.OpCreate2, zk.Container)), zk.OpCreateContainer},
		{"createContainer stays a container whatever its flag", encode(zk.OpMulti, create(zk.OpCreateContainer, 0)), zk.OpCreateContainer},
		{"createTTL without a TTL flag is a create", encode(zk.OpMulti, create(zk.OpCreateTTL, 1)), zk.OpCreate},
		{"createTTL with a TTL flag stays", encode(zk.OpMulti, create(zk.OpCreateTTL, 5)), zk.OpCreateTTL},
		{"a TTL flag in a create is malformed", encode(zk.OpMulti, create(zk.OpCreate, 5)), 0},
		{"an unknown flag is malformed", encode(zk.OpMulti, create(zk.OpCreate, 7)), 0},
		{"a null access list is malformed", encode(zk.OpMulti, zk.Request{Op: zk.OpCreate, Path: "/a"}), 0},
		{"reads and writes do not mix", encode(zk.OpMulti, zk.Request{Op: zk.OpDelete}, zk.Request{Op: zk.OpGetData}), 0},
		{"a multi in a multi is malformed", encode(zk.OpMulti, zk.Request{Op: zk.OpMulti}), 0},
	} {
		var got zk.Request
		got.Jute(jute.Reader(c.in))
		if got.Malformed != (c.op == 0) || c.op != 0 && got.Ops[0].Op != c.op {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// FuzzRequest: the decoder never panics, and what it accepts is stable once written: encoding what was decoded
// and decoding that again gives the same bytes.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"00000001 00000001 00000002 2f61 00000000 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000",
		"00000001 00000065 0000000000000000 00000000 00000001 00000002 2f61 00000000",
		"00000001 0000000e 00000002 00 ffffffff 00000002 2f61 ffffffff ffffffff 01 ffffffff",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var got, again zk.Request
		r := jute.Reader(in)
		if got.Jute(r); r.Err() != nil || got.Malformed {
			return
		}
		w := jute.Writer(nil)
		got.Jute(w)
		again.Jute(jute.Reader(w.Bytes()))
		w2 := jute.Writer(nil)
		again.Jute(w2)
		if again.Malformed || !bytes.Equal(w.Bytes(), w2.Bytes()) {
			t.Fatalf("%x became %x", w.Bytes(), w2.Bytes())
		}
	})
}

// FuzzReply does the same for what a client reads; the first byte picks the opcode.
func FuzzReply(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		got, again := zk.Reply{Op: zk.OpCode(in[0])}, zk.Reply{Op: zk.OpCode(in[0])}
		r := jute.Reader(in[1:])
		if got.Jute(r); r.Err() != nil {
			return
		}
		w := jute.Writer(nil)
		got.Jute(w)
		r = jute.Reader(w.Bytes())
		again.Jute(r)
		w2 := jute.Writer(nil)
		again.Jute(w2)
		if r.Err() != nil || !bytes.Equal(w.Bytes(), w2.Bytes()) {
			t.Fatalf("%x became %x", w.Bytes(), w2.Bytes())
		}
	})
}
