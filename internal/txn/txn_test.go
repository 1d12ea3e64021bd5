package txn_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

// payloads cuts a log file into its payloads; the log reader proper is tested elsewhere.
func payloads(t testing.TB, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for b = b[16:]; len(b) >= 12; {
		n := int(binary.BigEndian.Uint32(b[8:]))
		if n == 0 || len(b) < 13+n {
			break
		}
		list = append(list, b[12:12+n])
		b = b[13+n:]
	}
	return list
}

func logs(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/log.*")
	if err != nil || len(files) == 0 {
		t.Fatal("no logs", err)
	}
	return files
}

func TestRecordsOfRealServersSurviveARoundTrip(t *testing.T) {
	seen := map[zk.OpCode]int{}
	for _, f := range logs(t) {
		for _, p := range payloads(t, f) {
			var r txn.Record
			if err := r.Decode(p); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			seen[r.Header.Type]++
			got := r.Append(nil)
			if old := r.Header.Type == zk.OpCreate && r.Txn.ParentCversion == -1; old {
				got = got[:len(got)-4]
			}
			if !bytes.Equal(got, p) {
				t.Fatalf("%s: zxid %v\ngot  %x\nwant %x", f, r.Header.Zxid, got, p)
			}
		}
	}
	for _, op := range []zk.OpCode{zk.OpCreate, zk.OpCreate2, zk.OpCreateContainer, zk.OpCreateTTL, zk.OpDelete, zk.OpSetData,
		zk.OpSetACL, zk.OpMulti, zk.OpError, zk.OpCreateSession, zk.OpCloseSession} {
		if seen[op] == 0 {
			t.Errorf("no %v in the logs", op)
		}
	}
}

func TestFailedMultiIsRecognised(t *testing.T) {
	p, _ := hex.DecodeString(strings.ReplaceAll("0000000000000001 00000001 0000000000000023 0000000000000000 0000000e"+
		"00000002 00000002 00000006 00000002 2f61 ffffffff 00000004 ffffff99 00000002 0000000b291fd1b1", " ", ""))
	var r txn.Record
	if err := r.Decode(p); err != nil || !r.Txn.Failed() || r.Txn.Ops[1].Err != zk.BadVersion || r.Digest.Tree != 0xb291fd1b1 {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestCloseSessionWithoutBody(t *testing.T) {
	head := strings.Repeat("00", 28) + "fffffff5"
	for name, c := range map[string]struct {
		rest   string
		paths  int
		digest bool
	}{
		"header only":                    {"", -1, false},
		"digest only":                    {"00000002 0000000011223344", -1, true},
		"an empty list and a digest":     {"00000000 00000002 0000000011223344", 0, true},
		"one path and no digest":         {"00000001 00000002 2f61", 1, false},
		"two paths of a byte and digest": {"00000002 00000002 2f61 00000002 2f62 00000002 0000000000000001", 2, true},
	} {
		p, _ := hex.DecodeString(head + strings.ReplaceAll(c.rest, " ", ""))
		var r txn.Record
		err := r.Decode(p)
		paths := len(r.Txn.Paths)
		if r.Txn.Paths == nil {
			paths = -1
		}
		if err != nil || paths != c.paths || r.HasDigest != c.digest || !bytes.Equal(r.Append(nil), p) {
			t.Errorf("%s: %+v %v", name, r, err)
		}
	}
}

// FuzzRecord: the decoder never panics, and what it accepts is stable once written.
func FuzzRecord(f *testing.F) {
	for _, file := range logs(f) {
		for i, p := range payloads(f, file) {
			if i < 40 && len(p) < 400 {
				f.Add(p)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var r, again txn.Record
		if r.Decode(in) != nil {
			return
		}
		out := r.Append(nil)
		if err := again.Decode(out); err != nil {
			t.Fatalf("%x became %x: %v", in, out, err)
		}
		if !bytes.Equal(again.Append(nil), out) {
			t.Fatalf("%x is not stable", out)
		}
	})
}
