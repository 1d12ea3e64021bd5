package server

import (
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/datadir"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

// TestADiskThatCannotGoBackTakesASnapshot: a snapshot that a leader sent went further than the history that was decided.
func TestADiskThatCannotGoBackTakesASnapshot(t *testing.T) {
	m := vfs.NewMem()
	dir, err := datadir.Open(datadir.Options{FS: m, Dir: "data"})
	must(t, err)
	rec, err := dir.Recover(datadir.RecoverOptions{Member: true})
	must(t, err)
	must(t, dir.SetAcceptedEpoch(1))
	must(t, dir.SetCurrentEpoch(1))
	d := &disk{dir: dir, report: func(err error) { t.Errorf("prepare: %v", err) }}
	d.open(0)
	must(t, d.Install(grown(rec.Tree, 0x100000004).Freeze()))
	if empty, ok, err := d.Truncate(0x100000004, false); !ok || err != nil || empty != nil {
		t.Fatalf("to what the snapshot has: %v, %v", ok, err)
	}
	for _, reload := range []bool{true, false} {
		empty, ok, err := d.Truncate(0x100000003, reload)
		if ok || err != nil || empty == nil || empty.Zxid() != 0 {
			t.Fatalf("reload %v: %v, %v", reload, ok, err)
		}
		if was := recovered(t, m); was != 0x100000004 {
			t.Errorf("reload %v: a restart finds %v", reload, was)
		}
	}
	must(t, d.Install(grown(tree.New(1), 0x100000003).Freeze()))
	must(t, dir.SetAcceptedEpoch(2))
	must(t, dir.SetCurrentEpoch(2))
	must(t, d.Close())
	must(t, dir.Close())
	if is := recovered(t, m); is != 0x100000003 {
		t.Errorf("after the leader's snapshot: %v", is)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// grown gives a tree a znode at a zxid.
func grown(tr *tree.Tree, z zk.Zxid) *tree.Tree {
	tr.Apply(&txn.Header{Zxid: z}, &txn.Txn{Type: zk.OpCreate, Path: "/a", ACL: zk.OpenACL, ParentCversion: 1}, nil)
	return tr
}

// recovered is where a member would go on after a crash now.
func recovered(t *testing.T, m *vfs.Mem) zk.Zxid {
	t.Helper()
	dir, err := datadir.Open(datadir.Options{FS: m.CrashClone(1), Dir: "data"})
	must(t, err)
	defer dir.Close()
	rec, err := dir.Recover(datadir.RecoverOptions{Member: true})
	must(t, err)
	return rec.LastZxid()
}
