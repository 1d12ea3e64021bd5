package tree_test

import (
	"fmt"
	"slices"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// apply carries out one txn of session 7 and prints what watches would hear of.
func apply(t *tree.Tree, z zk.Zxid, body txn.Txn) {
	var out tree.Outcome
	t.Apply(&txn.Header{Session: 7, Zxid: z, TimeMS: 1700000000000, Type: body.Type}, &body, &out)
	for _, c := range out.Changes {
		fmt.Println(z, [...]string{"created", "deleted", "changed"}[c.Kind], c.Path, "below", c.ParentPath)
	}
	for _, r := range out.Results {
		if r.Err != zk.OK {
			fmt.Println(z, r.Type, r.Path, r.Err)
		}
	}
}

func ExampleTree_Apply() {
	t := tree.New(1)
	apply(t, 2, txn.Txn{Type: zk.OpCreate, Path: "/app", Data: []byte("v1"), ACL: zk.OpenACL, ParentCversion: 1})
	apply(t, 3, txn.Txn{Type: zk.OpMulti, Ops: []txn.Txn{
		{Type: zk.OpSetData, Path: "/app", Data: []byte("v2"), Version: 1},
		{Type: zk.OpCreate2, Path: "/app/lock", ACL: zk.OpenACL, Ephemeral: true, ParentCversion: 1},
	}})
	apply(t, 4, txn.Txn{Type: zk.OpDelete, Path: "/none"})
	apply(t, 5, txn.Txn{Type: zk.OpCloseSession, Paths: []string{"/app/lock"}})

	app, _ := t.Find("/app")
	stat := t.Stat(app)
	fmt.Printf("%s version %d cversion %d pzxid %v\n", t.Data(app), stat.Version, stat.Cversion, stat.Pzxid)
	// Output:
	// 0x2 created /app below /
	// 0x3 changed /app below /
	// 0x3 created /app/lock below /app
	// 0x4 delete /none NoNode
	// 0x5 deleted /app/lock below /app
	// v2 version 1 cversion 2 pzxid 0x5
}

// A view is saved by one goroutine while the owner goes on; a Loader makes a tree of what was saved.
func ExampleTree_Freeze() {
	t := tree.New(1)
	apply(t, 2, txn.Txn{Type: zk.OpCreate, Path: "/a", Data: []byte("then"), ParentCversion: 1})
	v := t.Freeze()
	apply(t, 3, txn.Txn{Type: zk.OpSetData, Path: "/a", Data: []byte("now"), Version: 1})

	l := tree.NewLoader(2)
	for _, s := range v.Sessions() {
		l.Session(s.ID, s.TimeoutMS)
	}
	for _, a := range v.ACLs() {
		l.ACL(a.Key, a.List)
	}
	if err := v.Walk(l.Node); err != nil {
		fmt.Println(err)
		return
	}
	loaded, err := l.Finish(v.Zxid())
	t.Release(v)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, _ := loaded.Find("/a")
	fmt.Printf("%s at %v, %d znodes\n", loaded.Data(a), loaded.Zxid(), loaded.Znodes())
	// Output:
	// 0x2 created /a below /
	// 0x3 changed /a below /
	// then at 0x2, 5 znodes
}

func ExampleTree_AppendChildNames() {
	t := tree.New(1)
	system, _ := t.Find("/zookeeper")
	names := t.AppendChildNames(nil, system)
	slices.Sort(names)
	fmt.Println(names)
	// Output: [config quota]
}

func ExampleTree_Quota() {
	t := tree.New(1)
	for i, n := range [][2]string{
		{"/zookeeper/quota/a", ""},
		{"/zookeeper/quota/a/zookeeper_limits", "count=1,bytes=-1=;byteHardLimit=-1;countHardLimit=2"},
		{"/zookeeper/quota/a/zookeeper_stats", ""},
		{"/a", "the quota counts its own znode"},
		{"/a/b", ""},
	} {
		t.Apply(&txn.Header{Zxid: zk.Zxid(i + 1)}, &txn.Txn{Type: zk.OpCreate, Path: n[0], Data: []byte(n[1]), ParentCversion: -1}, nil)
	}
	q, ok := t.Quota("/a/c")
	fmt.Println(ok, q.Path, q.Used.Count, q.Used.Bytes, q.Check(1, 0) == tree.QuotaHardExceeded)
	// Output: true /a 2 30 true
}
