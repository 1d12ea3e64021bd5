package datadir

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// fillTree creates n znodes of 100 bytes below 1,000 parents, and hands each payload to log.
func fillTree(tb testing.TB, t *tree.Tree, n int, log func(payload []byte, z zk.Zxid)) {
	data := make([]byte, 100)
	for i := range data {
		data[i] = byte(i)
	}
	var payload []byte
	for i := range n {
		z := t.Zxid() + 1
		path := fmt.Sprintf("/parent-%03d", i)
		if i >= 1000 {
			path = fmt.Sprintf("/parent-%03d/znode-%07d", i%1000, i)
		}
		rec := txn.Record{Header: txn.Header{Session: 1, Zxid: z, TimeMS: 1000, Type: zk.OpCreate}}
		rec.Txn = txn.Txn{Type: zk.OpCreate, Path: path, Data: data, ACL: zk.OpenACL, ParentCversion: int32(i/1000 + 1)}
		t.Apply(&rec.Header, &rec.Txn, nil)
		payload = rec.Append(payload[:0])
		if log != nil {
			log(payload, z)
		}
	}
}

// BenchmarkRecoverSnapshot starts from a snapshot of a million znodes of 100 bytes.
func BenchmarkRecoverSnapshot(b *testing.B) {
	for _, c := range []snapshot.Compression{snapshot.Plain, snapshot.Snappy, snapshot.Gzip} {
		b.Run("compression="+string(c), func(b *testing.B) {
			dir := b.TempDir()
			d, err := Open(Options{FS: vfs.OS{}, Dir: dir})
			must(b, err)
			t := tree.New(1)
			fillTree(b, t, 1_000_000, nil)
			v := t.Freeze()
			_, err = d.WriteSnapshot(context.Background(), v, snapshot.WriteOptions{Compression: c})
			must(b, err)
			must(b, d.Close())
			t, v = nil, nil
			runtime.GC()
			recoverOften(b, dir, 1_000_005)
		})
	}
}

// BenchmarkRecoverLog replays a log of a million creates.
func BenchmarkRecoverLog(b *testing.B) {
	dir := b.TempDir()
	d, err := Open(Options{FS: vfs.OS{}, Dir: dir, NoSync: true})
	must(b, err)
	rec, err := d.Recover(RecoverOptions{})
	must(b, err)
	w := d.Log(0)
	fillTree(b, rec.Tree, 1_000_000, func(p []byte, z zk.Zxid) {
		must(b, w.Write(wal.AppendRecord(nil, p), z, z))
	})
	must(b, w.Close())
	must(b, d.Close())
	rec = nil
	recoverOften(b, dir, 1_000_005)
}

// BenchmarkRecoverEmpty is the first start of all.
func BenchmarkRecoverEmpty(b *testing.B) {
	for b.Loop() {
		recoverOnce(b, b.TempDir(), 4)
	}
}

func recoverOften(b *testing.B, dir string, znodes int) {
	for b.Loop() {
		recoverOnce(b, dir, znodes)
	}
}

func recoverOnce(b *testing.B, dir string, znodes int) {
	d, err := Open(Options{FS: vfs.OS{}, Dir: dir})
	must(b, err)
	rec, err := d.Recover(RecoverOptions{Seed: 2})
	must(b, err)
	if n := rec.Tree.Znodes(); n < znodes-1 || n > znodes {
		b.Fatalf("%d znodes", n)
	}
	must(b, d.Close())
}
