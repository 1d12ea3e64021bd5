package zk_test

import (
	"bytes"
	"reflect"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/zk"
)

func aTransact() zk.Request {
	return zk.Request{
		Xid: 7, Op: zk.OpTransact,
		Guards: []zk.Guard{{Kind: zk.GuardData, Path: "/a", Version: 3, Zxid: 9, Data: []byte("x")}, {Kind: zk.GuardAbsent, Path: "/b", Data: []byte{}}},
		Ops:    []zk.Request{{Op: zk.OpCreate, Path: "/c", Data: []byte{}, ACL: zk.OpenACL, TTLMS: -1}, {Op: zk.OpDelete, Path: "/a", Version: -1}},
		Else:   []zk.Request{{Op: zk.OpCheck, Path: "/d", Version: 1}},
	}
}

func TestATransactTravelsBetweenServersOnly(t *testing.T) {
	want := aTransact()
	w := jute.Writer(nil)
	want.Jute(w)
	got := zk.Request{Xid: 7, Op: zk.OpTransact}
	if got.Body(jute.Reader(w.Bytes()[zk.HeaderBytes:])); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v became %+v", want, got)
	}
	var asked zk.Request
	if asked.Jute(jute.Reader(w.Bytes())); asked.Op.ClientWrites() || asked.Op.FromClient() || asked.Guards != nil || asked.Op == zk.OpTransact {
		t.Errorf("a client of ZooKeeper's protocol asks for %+v", asked)
	}
	if !zk.OpTransact.ClientWrites() || !zk.OpTransact.IsWrite() || zk.OpTransact.FromClient() || !zk.OpMulti.ClientWrites() || zk.OpCheck.ClientWrites() || zk.OpGetData.ClientWrites() {
		t.Error("who may write what")
	}
}

func TestATransactAsAMulti(t *testing.T) {
	then := []zk.Request{{Op: zk.OpDelete, Path: "/a"}}
	for name, c := range map[string]struct {
		guards []zk.Guard
		other  []zk.Request
		ok     bool
	}{
		"existence and a version": {[]zk.Guard{{Kind: zk.GuardExists, Path: "/a"}, {Kind: zk.GuardVersion, Path: "/b", Version: 2}}, nil, true},
		"another branch":          {nil, then, false},
		"data":                    {[]zk.Guard{{Kind: zk.GuardData, Path: "/a"}}, nil, false},
		"a zxid":                  {[]zk.Guard{{Kind: zk.GuardMzxid, Path: "/a"}}, nil, false},
		"absence":                 {[]zk.Guard{{Kind: zk.GuardAbsent, Path: "/a"}}, nil, false},
	} {
		req := zk.Request{Xid: 3, Op: zk.OpTransact, Guards: c.guards, Ops: then, Else: c.other}
		multi, ok := req.AsMulti()
		if ok != c.ok {
			t.Errorf("%s: %t", name, ok)
		}
		if ok && (multi.Op != zk.OpMulti || multi.Xid != 3 || len(multi.Ops) != 3 || multi.Ops[0].Version != -1 || multi.Ops[1].Version != 2 || multi.Ops[1].Op != zk.OpCheck || multi.Ops[2].Op != zk.OpDelete) {
			t.Errorf("%s: %+v", name, multi)
		}
	}
}

// FuzzTransact is FuzzRequest for what only servers say to each other.
func FuzzTransact(f *testing.F) {
	req := aTransact()
	w := jute.Writer(nil)
	req.Jute(w)
	f.Add(w.Bytes()[zk.HeaderBytes:])
	f.Fuzz(func(t *testing.T, in []byte) {
		got, again := zk.Request{Op: zk.OpTransact}, zk.Request{Op: zk.OpTransact}
		if got.Body(jute.Reader(in)); got.Malformed {
			return
		}
		w := jute.Writer(nil)
		got.Body(w)
		again.Body(jute.Reader(w.Bytes()))
		w2 := jute.Writer(nil)
		again.Body(w2)
		if again.Malformed || !bytes.Equal(w.Bytes(), w2.Bytes()) {
			t.Fatalf("%x became %x", w.Bytes(), w2.Bytes())
		}
	})
}
