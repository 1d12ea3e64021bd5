package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/vfs"
)

const dir = "version-2"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newFS(t testing.TB) *vfs.Mem {
	m := vfs.NewMem()
	must(t, vfs.MkdirAll(m, dir))
	return m
}

// zookeeperLogs returns a file system with the log files of a directory in testdata/zookeeper.
func zookeeperLogs(t testing.TB, name string) *vfs.Mem {
	t.Helper()
	m := newFS(t)
	paths, err := filepath.Glob(filepath.Join("testdata", "zookeeper", name, "log.*"))
	must(t, err)
	if len(paths) == 0 {
		t.Fatalf("no logs in %s", name)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		must(t, err)
		must(t, vfs.WriteFileAtomic(m, join(dir, filepath.Base(p)), b))
	}
	return m
}

// payload is a transaction of n bytes behind its header, none of them zero, that tells its zxid.
func payload(z zk.Zxid, n int) []byte {
	b := make([]byte, payloadBytesMin+n)
	binary.BigEndian.PutUint64(b[payloadZxid:], uint64(z))
	for i := payloadBytesMin; i < len(b); i++ {
		b[i] = byte(z)%200 + 1 + byte(i%7)
	}
	return b
}

type read struct {
	zxids []zk.Zxid
	sizes []int
}

// recoverAll recovers and checks that each payload is what payload made.
func recoverAll(fsys vfs.FS, opts ReadOptions) (read, Recovered, error) {
	var got read
	rep, err := Recover(fsys, dir, opts, func(r Record) error {
		if want := payload(r.Zxid, len(r.Payload)-payloadBytesMin); !bytes.Equal(r.Payload, want) {
			return fmt.Errorf("record %v at %s:%d has other bytes", r.Zxid, r.File, r.Offset)
		}
		got.zxids = append(got.zxids, r.Zxid)
		got.sizes = append(got.sizes, len(r.Payload))
		return nil
	})
	return got, rep, err
}

func zxids(from, to zk.Zxid) []zk.Zxid {
	var out []zk.Zxid
	for z := from; z <= to; z++ {
		out = append(out, z)
	}
	return out
}

func TestZooKeepersLogsAreRead(t *testing.T) {
	for _, row := range []struct {
		name    string
		logs    string
		from    zk.Zxid
		first   zk.Zxid
		last    zk.Zxid
		records int
	}{
		{"a standalone server's log from its beginning", "modern", 1, 1, 0xbf, 191},
		{"a log from the middle of a file", "modern", 0x60, 0x60, 0xbf, 96},
		{"from behind the end there is nothing", "modern", 0xc0, 0, 0xbf, 0},
		{"records as old as ZooKeeper 3.3 wrote, past a damaged file before the start", "invalidsnap", 0x63a, 0x63a, 0x83f, 518},
		{"a log that begins far behind zero, read alone", "fuzzy", 0, 0x353, 0x12c2, 1322 + 741 + 1374 + 515},
		{"an ensemble's log across epochs", "node3", 0x100000006, 0x100000006, 0x200000005, 0x1c - 5 + 5},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := zookeeperLogs(t, row.logs)
			before := m.Dump()
			var first zk.Zxid
			rep, err := Recover(m, dir, ReadOptions{From: row.from}, func(r Record) error {
				if first == 0 {
					first = r.Zxid
				}
				return nil
			})
			must(t, err)
			if first != row.first || rep.Last != row.last || rep.Records != row.records || len(rep.Torn) > 0 || rep.Repeated > 0 {
				t.Errorf("first %v, %+v", first, rep)
			}
			if m.Dump() != before {
				t.Error("recovering a clean log changed it")
			}
		})
	}
}

func TestDamagedZooKeeperLogsStopTheStart(t *testing.T) {
	for _, row := range []struct {
		name   string
		logs   string
		opts   ReadOptions
		file   string
		offset int64
		reason string
	}{
		{"a wrong checksum", "invalidsnap", ReadOptions{AnyStart: true, From: 0x42, Until: 0}, "log.42", 61, "checksum"},
		{"data from before 3.0", "legacy", ReadOptions{}, "log.100001bf0", 0, "no log file header"},
		{"a snapshot whose log is missing", "fuzzy", ReadOptions{From: 1}, "log.353", 16, "0x353 follows 0x0"},
		{"an ensemble's snapshot whose log is missing", "node3", ReadOptions{From: 1}, "log.100000006", 16, "epoch 1 before it are missing"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := zookeeperLogs(t, row.logs)
			if row.file == "log.42" {
				must(t, m.Remove(join(dir, "log.1")))
				must(t, m.Remove(join(dir, "log.274")))
				must(t, m.Remove(join(dir, "log.63b")))
			}
			_, err := Recover(m, dir, row.opts, func(Record) error { return nil })
			var bad *CorruptionError
			if !errors.As(err, &bad) || bad.File != join(dir, row.file) || bad.Offset != row.offset || !strings.Contains(bad.Reason, row.reason) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestMissingFileIsFound(t *testing.T) {
	m := zookeeperLogs(t, "modern")
	must(t, m.Remove(join(dir, "log.5e")))
	_, err := Recover(m, dir, ReadOptions{From: 1}, func(Record) error { return nil })
	var bad *CorruptionError
	if !errors.As(err, &bad) || bad.File != join(dir, "log.7d") || bad.Reason != "zxid 0x7d follows 0x5d: 31 records are missing" || bad.Remedy != remedyMissing {
		t.Fatalf("got %v", err)
	}
}

func TestTruncateLeavesExactlyZooKeepersBytes(t *testing.T) {
	m := zookeeperLogs(t, "trunc-before")
	must(t, Truncate(m, dir, 0x10000001c))
	got, err := vfs.ReadFile(m, join(dir, "log.10000000b"), 1<<20)
	must(t, err)
	want, err := os.ReadFile("testdata/zookeeper/node3/log.10000000b")
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("cut to %d bytes, ZooKeeper left %d", len(got), len(want))
	}
}

func TestTruncateNeedsTheExactRecord(t *testing.T) {
	for _, target := range []zk.Zxid{0xc0, 0x100000000, 0} {
		m := zookeeperLogs(t, "modern")
		before := m.Dump()
		if err := Truncate(m, dir, target); !errors.Is(err, ErrNotInLog) || m.Dump() != before {
			t.Errorf("truncate to %v: %v", target, err)
		}
	}
}

func TestPurgeKeepsWhatASnapshotNeeds(t *testing.T) {
	for _, row := range []struct {
		keep zk.Zxid
		left []string
	}{
		{0, []string{"log.1", "log.23", "log.5e", "log.7d", "log.ae", "log.b9"}},
		{0x5c, []string{"log.23", "log.5e", "log.7d", "log.ae", "log.b9"}},
		{0x5e, []string{"log.5e", "log.7d", "log.ae", "log.b9"}},
		{0xffff, []string{"log.b9"}},
	} {
		m := zookeeperLogs(t, "modern")
		_, err := Purge(m, dir, row.keep)
		must(t, err)
		if names, _ := m.List(dir); !slices.Equal(names, row.left) {
			t.Errorf("purge up to %v left %v", row.keep, names)
		}
	}
}

func TestLastZxidIsTheLastRecords(t *testing.T) {
	m := zookeeperLogs(t, "modern")
	if z, err := LastZxid(m, dir); z != 0xbf || err != nil {
		t.Errorf("%v, %v", z, err)
	}
	if z, err := LastZxid(newFS(t), dir); z != -1 || err != nil {
		t.Errorf("empty directory: %v, %v", z, err)
	}
}

func TestWriterWritesZooKeepersBytes(t *testing.T) {
	for _, prepare := range []bool{false, true} {
		source := zookeeperLogs(t, "modern")
		m := newFS(t)
		w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 4096}, 0)
		r, err := NewReader(source, dir, ReadOptions{})
		must(t, err)
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			if slices.Contains([]zk.Zxid{0x23, 0x5e, 0x7d, 0xae, 0xb9}, rec.Zxid) {
				must(t, w.Roll())
			}
			must(t, w.Append([][]byte{rec.Payload}))
			must(t, w.Sync())
			for prepare {
				if more, err := w.Prepare(); !more {
					must(t, err)
					break
				}
			}
		}
		must(t, w.Close())
		names, err := source.List(dir)
		must(t, err)
		ours, err := m.List(dir)
		must(t, err)
		if !slices.Equal(names, ours) {
			t.Fatalf("files %v, want %v", ours, names)
		}
		for _, name := range names {
			want, _ := vfs.ReadFile(source, join(dir, name), 1<<20)
			got, _ := vfs.ReadFile(m, join(dir, name), 1<<20)
			if !bytes.Equal(got, bytes.TrimRight(want, "\x00")) {
				t.Errorf("%s differs from ZooKeeper's (prepared %v)", name, prepare)
			}
		}
	}
}

func TestBeginAndEndFrameLikeAppendRecord(t *testing.T) {
	p := payload(5, 77)
	buf := []byte("before")
	buf = EndRecord(append(BeginRecord(buf), p...), len("before"))
	if want := AppendRecord([]byte("before"), p); !bytes.Equal(buf, want) {
		t.Errorf("%x, want %x", buf, want)
	}
}

func TestZerosAreWrittenBesideTheOwner(t *testing.T) {
	fsys := vfs.OS{}
	d := t.TempDir()
	w := NewWriter(Options{FS: fsys, Dir: d, PrepareBytes: 64 << 10}, 0)
	var wg sync.WaitGroup
	wg.Go(func() { w.KeepPrepared(func(err error) { t.Error(err) }) })
	const records = 3000
	for z := zk.Zxid(1); z <= records; z++ {
		must(t, w.Append([][]byte{payload(z, int(z)%2000)}))
		if z%50 == 0 {
			must(t, w.Sync())
		}
		if z%700 == 0 {
			must(t, w.Roll())
		}
	}
	must(t, w.Close())
	wg.Wait()
	r, err := NewReader(fsys, d, ReadOptions{From: 1})
	must(t, err)
	for z := zk.Zxid(1); z <= records; z++ {
		rec, err := r.Next()
		if err != nil || rec.Zxid != z || !bytes.Equal(rec.Payload, payload(z, int(z)%2000)) {
			t.Fatalf("record %v: %v, %v", z, rec.Zxid, err)
		}
	}
	if _, err := r.Next(); err != io.EOF || len(r.Torn()) > 0 {
		t.Fatal(err, r.Torn())
	}
}

// While zeros are being written the owner appends over the place they are for: the records must win.
func TestRecordsThatOvertakeZerosStay(t *testing.T) {
	m := newFS(t)
	w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 4096}, 0)
	must(t, w.Append([][]byte{payload(1, 10)}))
	appended := make(chan error, 1)
	m.SetHook(func(_ int, op vfs.Op) {
		if op.Kind != vfs.KindWrite || op.Len != 4096 {
			return
		}
		m.SetHook(nil)
		started := make(chan struct{})
		go func() { // ends with the append, which the test waits for
			close(started)
			appended <- w.Append([][]byte{payload(2, 2000)})
		}()
		<-started
		for range 100 {
			runtime.Gosched() // let it run as far as it can, which is up to the wait
		}
	})
	_, err := w.Prepare()
	must(t, err)
	must(t, <-appended)
	must(t, w.Sync())
	got, _, err := recoverAll(m, ReadOptions{From: 1})
	must(t, err)
	if !slices.Equal(got.zxids, zxids(1, 2)) {
		t.Errorf("got %v", got.zxids)
	}
}

// Zeros save some time of each sync and cost as much as the records: syncs that cover much have none.
func TestLargeBatchesAreWrittenWithoutZeros(t *testing.T) {
	w := NewWriter(Options{FS: newFS(t), Dir: dir, PrepareBytes: 4096}, 0)
	z := zk.Zxid(0)
	ahead := func(size, syncs int) int64 {
		for range syncs {
			z++
			must(t, w.Append([][]byte{payload(z, size)}))
			must(t, w.Sync())
			for more, err := true, error(nil); more; {
				more, err = w.Prepare()
				must(t, err)
			}
		}
		return w.cur.zeroed - w.cur.pos
	}
	if n := ahead(100, 50); n == 0 {
		t.Error("small batches have no zeros ahead")
	}
	if n := ahead(2*bulkBytes, 50); n != 0 {
		t.Errorf("large batches have %d bytes of zeros ahead", n)
	}
	if n := ahead(100, 50); n == 0 {
		t.Error("small batches have no zeros ahead after large ones")
	}
}

func TestALogIsReadWhileItIsWritten(t *testing.T) {
	m := newFS(t)
	w := NewWriter(Options{FS: m, Dir: dir, PrepareBytes: 4096}, 0)
	r, err := NewReader(m, dir, ReadOptions{From: 1, Until: 1})
	must(t, err)
	next := zk.Zxid(1)
	for z := zk.Zxid(1); z <= 200; z++ {
		must(t, w.Append([][]byte{payload(z, 50)}))
		if z%3 == 0 {
			_, err := w.Prepare()
			must(t, err)
		}
		if z%70 == 0 {
			must(t, w.Roll())
		}
		if z%5 != 0 {
			continue
		}
		must(t, w.Sync())
		if z == 5 { // the reader was opened before there was a file
			r.Close()
			r, err = NewReader(m, dir, ReadOptions{From: 1, Until: 5})
			must(t, err)
		}
		r.Continue(z)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			must(t, err)
			if rec.Zxid != next {
				t.Fatalf("read %v, want %v", rec.Zxid, next)
			}
			next++
		}
		if next != z+1 {
			t.Fatalf("read up to %v of %v", next-1, z)
		}
	}
}

func TestAFailedWriterStaysFailed(t *testing.T) {
	for _, row := range []struct {
		name string
		kind vfs.Kind
		nth  int
	}{
		{"creating the file fails", vfs.KindCreate, 1},
		{"writing the header fails", vfs.KindWrite, 1},
		{"writing records fails halfway", vfs.KindWrite, 3},
		{"a sync fails once", vfs.KindSync, 1},
		{"syncing the directory fails once", vfs.KindSyncDir, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newFS(t)
			fsys := vfs.NewFaulty(m, vfs.FailNth(row.kind, row.nth, syscall.EIO, false))
			w := NewWriter(Options{FS: fsys, Dir: dir, PrepareBytes: -1}, 0)
			var first error
			for z := zk.Zxid(1); z <= 5; z++ {
				err := w.Append([][]byte{payload(z, 10)})
				if err == nil {
					err = w.Sync()
				}
				if first == nil {
					first = err
				} else if err != first {
					t.Fatalf("after %v: %v", first, err)
				}
			}
			if !errors.Is(first, syscall.EIO) {
				t.Fatalf("first error %v", first)
			}
			_ = w.Close()
			if _, _, err := recoverAll(m, ReadOptions{From: 1}); err != nil {
				t.Errorf("the log does not open: %v", err)
			}
		})
	}
}

func TestAFullDiskOnlyStopsThePreparing(t *testing.T) {
	m := newFS(t)
	fsys := vfs.NewFaulty(m, func(op vfs.Op) *vfs.Fault {
		if op.Kind == vfs.KindWrite && op.Len >= 4096 {
			return &vfs.Fault{Err: syscall.ENOSPC, Short: 100}
		}
		return nil
	})
	w := NewWriter(Options{FS: fsys, Dir: dir, PrepareBytes: 4096}, 0)
	must(t, w.Append([][]byte{payload(1, 10)}))
	if _, err := w.Prepare(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("prepare: %v", err)
	}
	if more, err := w.Prepare(); more || err != nil {
		t.Fatalf("prepare again: %v, %v", more, err)
	}
	must(t, w.Append([][]byte{payload(2, 10)}))
	must(t, w.Sync())
	got, _, err := recoverAll(m, ReadOptions{From: 1})
	must(t, err)
	if !slices.Equal(got.zxids, zxids(1, 2)) {
		t.Errorf("got %v", got.zxids)
	}
}
