package server

import (
	"bytes"
	"testing"

	"github.com/rs/zerolog"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/datadir"
	"paddock/storage/snapshot"
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
	var log bytes.Buffer
	d := &disk{dir: dir, log: zerolog.New(&log), report: func(err error) { t.Errorf("prepare: %v", err) }}
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
	if want := `{"level":"info","zxid":"0x100000004","was":"0x0","message":"took the data of the leader in place of this server's"}
{"level":"info","zxid":"0x100000003","was":"0x100000003","message":"took the data of the leader in place of this server's"}
`; log.String() != want {
		t.Errorf("logged %s", &log)
	}
}

// TestWhatIsTruncatedIsTold: transactions that only this server had are gone.
func TestWhatIsTruncatedIsTold(t *testing.T) {
	dir, err := datadir.Open(datadir.Options{FS: vfs.NewMem(), Dir: "data"})
	must(t, err)
	rec, err := dir.Recover(datadir.RecoverOptions{Member: true})
	must(t, err)
	must(t, dir.SetAcceptedEpoch(1))
	must(t, dir.SetCurrentEpoch(1))
	_, err = dir.WriteSnapshot(t.Context(), rec.Tree.Freeze(), snapshot.WriteOptions{})
	must(t, err)
	var log bytes.Buffer
	d := &disk{dir: dir, log: zerolog.New(&log), report: func(err error) { t.Errorf("prepare: %v", err) }}
	d.open(0)
	for z := range zk.Zxid(3) {
		record := txn.Record{Header: txn.Header{Zxid: 0x100000001 + z, Type: zk.OpError}, Txn: txn.Txn{Type: zk.OpError}}
		must(t, d.Append([][]byte{record.Append(nil)}))
	}
	must(t, d.Sync())
	for range 2 { // the second time there is nothing behind it
		if _, ok, err := d.Truncate(0x100000001, true); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	must(t, d.Close())
	must(t, dir.Close())
	if want := `{"level":"warn","zxid":"0x100000001","was":"0x100000003","message":"dropped what is after this zxid, which the leader has not committed"}
`; log.String() != want {
		t.Errorf("logged %s", &log)
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
