package prep

import (
	"fmt"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/storage/tree"
)

// A txn that is larger than what a server reads back would keep every server from starting again.
func TestTxnsStayReadable(t *testing.T) {
	const limit = 4096
	authority, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tr := tree.New(1)
	p := New(Config{TxnBytesMax: limit}, authority, tr)
	zxid := zk.Zxid(1)
	asker := func() Asker {
		zxid++
		return Asker{Session: 7, State: zk.OK, Zxid: zxid, IDs: []zk.ID{{Scheme: "world", ID: "anyone"}}}
	}
	apply := func(rec *txn.Record) {
		if n := int64(len(rec.Append(nil))); n > limit || n > rec.Txn.SizeMax() {
			t.Fatalf("%d bytes, counted as %d", n, rec.Txn.SizeMax())
		}
		tr.Apply(&rec.Header, &rec.Txn, nil)
		p.Applied(rec.Header.Zxid)
		if rec.HasDigest && rec.Digest.Tree != tr.Digest() {
			t.Fatalf("digest of %v", rec.Header.Zxid)
		}
	}
	var rec txn.Record

	by := asker()
	by.IDs = nil
	for i := range 100 {
		by.IDs = append(by.IDs, zk.ID{Scheme: "digest", ID: fmt.Sprintf("user%d:0123456789012345678901234567", i)})
	}
	everyone := []zk.ACL{{Perms: zk.PermAll, ID: zk.ID{Scheme: "auth"}}}
	p.Judge(&zk.Request{Op: zk.OpCreate, Path: "/a", ACL: everyone, TTLMS: -1}, by, &rec)
	if rec.Txn.Err != zk.InvalidACL {
		t.Fatalf("create with a list that grows to 6 KB: %v", rec.Txn.Err)
	}
	apply(&rec)
	large := zk.Request{Op: zk.OpCreate, Path: "/large", Data: make([]byte, limit+1), ACL: zk.OpenACL, TTLMS: -1}
	for name, req := range map[string]zk.Request{
		"a create": large, "a multi": {Op: zk.OpMulti, Ops: []zk.Request{large}}, "a setData": {Op: zk.OpSetData, Path: "/", Data: large.Data, Version: -1},
	} {
		p.Judge(&req, asker(), &rec)
		if rec.Txn.Err != zk.BadArguments {
			t.Fatalf("%s that is larger than a txn may be: %v", name, rec.Txn.Err)
		}
		apply(&rec)
	}
	by = asker()
	p.Judge(&zk.Request{Op: zk.OpMulti, Ops: []zk.Request{{Op: zk.OpCreate, Path: "/a", ACL: everyone, TTLMS: -1}}}, Asker{
		State: zk.OK, Zxid: by.Zxid, IDs: append([]zk.ID{}, zk.ID{Scheme: "digest", ID: "one:x"})}, &rec)
	if rec.Txn.Failed() {
		t.Fatalf("a list that stays small: %+v", rec.Txn)
	}
	apply(&rec)

	for i := range 100 {
		p.Judge(&zk.Request{Op: zk.OpCreate, Path: fmt.Sprintf("/an-ephemeral-with-a-name-of-fifty-letters-or-so-%d", i), ACL: zk.OpenACL,
			Mode: zk.Ephemeral, TTLMS: -1}, asker(), &rec)
		apply(&rec)
	}
	p.CloseSession(asker(), &rec)
	if rec.Txn.Paths != nil || rec.HasDigest {
		t.Fatal("the list of 100 ephemerals is in the txn")
	}
	apply(&rec)
	if n := tr.EphemeralCount(); n != 0 {
		t.Fatalf("%d ephemerals left", n)
	}
}
