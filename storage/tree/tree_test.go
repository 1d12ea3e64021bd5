package tree

import (
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
)

func TestANewTreeHasTheDigestOfANewServer(t *testing.T) {
	tr := New(1)
	if got := tr.Digest(); got != 0x51c6d660 {
		t.Fatalf("digest %#x", got)
	}
	tr.Apply(&txn.Header{Zxid: 2, TimeMS: 1700000000000, Type: zk.OpCreate},
		&txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("hello"), ACL: zk.OpenACL, ParentCversion: 1}, nil)
	if got := tr.Digest(); got != 0xf5db6395 {
		t.Fatalf("digest after /a is %#x", got)
	}
}
