package datadir

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

// recoverMember opens a directory and recovers it as a member's, and returns what was logged too.
func recoverMember(t *testing.T, m *vfs.Mem) (*Recovered, string, error) {
	t.Helper()
	var log bytes.Buffer
	d, err := Open(Options{FS: m, Dir: "data", Logger: zerolog.New(&log)})
	must(t, err)
	rec, err := d.Recover(RecoverOptions{Member: true})
	must(t, d.Close())
	return rec, log.String(), err
}

// setFile writes a small file, or removes it if text is "-".
func setFile(t *testing.T, m *vfs.Mem, name, text string) {
	t.Helper()
	switch text {
	case "":
	case "-":
		must(t, m.Remove("data/version-2/"+name))
	default:
		must(t, vfs.WriteFileAtomic(m, "data/version-2/"+name, []byte(text)))
	}
}

// node3 has 0x10000001c in a snapshot and five txns of epoch 2; both its epochs are 2.
func TestAMemberStartsByItsEpochs(t *testing.T) {
	const last2, last1 = zk.Zxid(0x200000005), zk.Zxid(0x10000001c)
	for _, row := range []struct {
		name                   string
		accepted, current, tmp string // "" leaves the file, "-" removes it
		want                   Epochs
		last                   zk.Zxid
		log                    string // part of what is logged
		fails                  string // part of the error
	}{
		{"as ZooKeeper left it", "", "", "", Epochs{2, 2}, last2, "", ""},
		{"without epoch files", "-", "-", "", Epochs{2, 2}, last2, "", ""},
		{"without a current epoch", "5", "-", "", Epochs{5, 2}, last2, "", ""},
		{"without an accepted epoch", "-", "3", "", Epochs{3, 3}, last2, "", ""},
		{"after a later promise", "7", "", "", Epochs{7, 2}, last2, "", ""},
		{"with history that it never acknowledged", "2", "1", "", Epochs{2, 1}, last1, "dropping history of an epoch", ""},
		{"with such history, and a later promise", "4", "1", "", Epochs{4, 1}, last1, `"first":"0x200000001","last":"0x200000005","current_epoch":1,"accepted_epoch":4`, ""},
		{"with the write of its epoch interrupted", "2", "1", "2", Epochs{2, 2}, last2, "finishing an interrupted write", ""},
		{"with the write of a later epoch interrupted", "9", "1", "8", Epochs{9, 8}, last2, "finishing an interrupted write", ""},
		{"with half of that write", "12", "1", "\x00", Epochs{12, 1}, last1, "dropping", ""},
		{"with an older write left over", "2", "1", "1", Epochs{2, 1}, last1, "dropping", ""},
		{"with a write beyond its promise", "3", "1", "4", Epochs{3, 1}, last1, "dropping", ""},
		{"with history beyond its promise", "1", "1", "", Epochs{}, 0, "", "data/version-2/currentEpoch: the current epoch, 1, is older than the last zxid, 0x200000005"},
		{"with such history and no promise at all", "-", "1", "", Epochs{}, 0, "", "is older than the last zxid"},
		{"with less promised than acknowledged", "3", "4", "", Epochs{}, 0, "", "data/version-2/acceptedEpoch: the accepted epoch, 3, is less than the current epoch, 4"},
		{"with nonsense", "two", "", "", Epochs{}, 0, "", "expected an epoch in decimal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := copyOf(t, "node3")
			setFile(t, m, "acceptedEpoch", row.accepted)
			setFile(t, m, "currentEpoch", row.current)
			setFile(t, m, "currentEpoch.tmp", row.tmp)
			rec, log, err := recoverMember(t, m)
			if row.fails != "" {
				if err == nil || !strings.Contains(err.Error(), row.fails) || row.accepted != "two" && !strings.Contains(err.Error(), "move it away and let the server sync") {
					t.Fatalf("got %v", err)
				}
				return
			}
			must(t, err)
			if rec.Epochs != row.want || rec.LastZxid() != row.last || rec.DigestMismatch != 0 {
				t.Errorf("epochs %+v at %v", rec.Epochs, rec.LastZxid())
			}
			if !strings.Contains(log, row.log) || row.log == "" && log != "" {
				t.Errorf("logged %q", log)
			}
			again, log, err := recoverMember(t, m.CrashClone(1))
			must(t, err)
			if again.Epochs != row.want || again.LastZxid() != row.last || log != "" {
				t.Errorf("a second start: epochs %+v at %v, %s", again.Epochs, again.LastZxid(), log)
			}
			names, _ := m.List("data/version-2")
			if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".tmp") }) {
				t.Errorf("left over: %v", names)
			}
		})
	}
}

func TestAStandaloneStartLeavesEpochsAlone(t *testing.T) {
	m := copyOf(t, "node3")
	setFile(t, m, "currentEpoch", "1")
	setFile(t, m, "currentEpoch.tmp", "2")
	rec, err := open(t, m).Recover(RecoverOptions{})
	must(t, err)
	if rec.Tree.Zxid() != 0x200000005 || rec.Epochs != (Epochs{}) {
		t.Errorf("at %v, %+v", rec.Tree.Zxid(), rec.Epochs)
	}
	for name, want := range map[string]string{"acceptedEpoch": "2", "currentEpoch": "1", "currentEpoch.tmp": "2"} {
		if got, err := vfs.ReadFile(m, "data/version-2/"+name, 10); string(got) != want || err != nil {
			t.Errorf("%s has become %q (%v)", name, got, err)
		}
	}
	m = copyOf(t, "modern")
	_, err = open(t, m).Recover(RecoverOptions{})
	must(t, err)
	if _, err := m.Stat("data/version-2/currentEpoch"); err == nil {
		t.Error("a standalone start made an epoch file")
	}
}

func TestAMemberWithoutADatabaseHasNothingToStandFor(t *testing.T) {
	m := vfs.NewMem()
	d, err := Open(Options{FS: m, Dir: "data", NoNewDatabase: true})
	must(t, err)
	rec, err := d.Recover(RecoverOptions{Member: true})
	must(t, err)
	if !rec.Uninitialised || rec.LastZxid() != -1 || rec.Epochs != (Epochs{}) {
		t.Fatalf("%+v", rec)
	}
	// It takes a leader's snapshot and crashes before it acknowledges it: again it has nothing.
	must(t, d.SetAcceptedEpoch(3))
	v := treeAt(t, 0x300000007).Freeze()
	_, err = d.Install(t.Context(), v, snapshot.WriteOptions{})
	must(t, err)
	w := d.Log(0x300000007)
	must(t, w.Append([][]byte{record(0x300000008)}))
	must(t, w.Close())
	must(t, d.Close())
	for _, autocreate := range []bool{false, true} { // a new database must not take the place of what was dropped
		d, err = Open(Options{FS: m.CrashClone(1), Dir: "data", NoNewDatabase: !autocreate})
		must(t, err)
		rec, err = d.Recover(RecoverOptions{Member: true})
		must(t, err)
		if !rec.Uninitialised || rec.LastZxid() != -1 || rec.Epochs != (Epochs{3, 0}) {
			t.Errorf("autocreate %v: at %v, %+v", autocreate, rec.LastZxid(), rec.Epochs)
		}
	}
	// Once acknowledged it is there.
	d, err = Open(Options{FS: m, Dir: "data", NoNewDatabase: true})
	must(t, err)
	must(t, d.SetCurrentEpoch(3))
	rec, err = d.Recover(RecoverOptions{Member: true})
	if err != nil || rec.LastZxid() != 0x300000008 {
		t.Errorf("acknowledged: %+v, %v", rec, err)
	}
}

func TestTruncationThatIsNotPossibleLeavesAMemberWithNothing(t *testing.T) {
	m := copyOf(t, "trunc-before")
	must(t, m.Remove("data/version-2/snapshot.0"))
	d := open(t, m)
	before := m.Dump()
	for _, row := range []struct {
		target zk.Zxid
		why    error
	}{
		{0x100000003, ErrNoSnapshotBelow},
		{0x10000001f, wal.ErrNotInLog},
		{0x100000004, ErrNoSnapshotBelow},
	} {
		rec, err := d.TruncateAndRecover(row.target, RecoverOptions{Member: true})
		must(t, err)
		if !rec.Uninitialised || rec.LastZxid() != -1 || !errors.Is(rec.Untruncated, row.why) || rec.Epochs != (Epochs{1, 1}) {
			t.Errorf("to %v: %+v", row.target, rec)
		}
		if m.Dump() != before {
			t.Errorf("to %v: the directory has changed", row.target)
		}
	}
	rec, err := d.TruncateAndRecover(0x10000001c, RecoverOptions{Member: true, Seed: 3})
	must(t, err)
	if rec.Uninitialised || rec.Untruncated != nil || rec.LastZxid() != 0x10000001c || rec.Epochs != (Epochs{1, 1}) {
		t.Errorf("%+v", rec)
	}
	w := d.Log(rec.LastZxid())
	must(t, w.Append([][]byte{record(0x10000001d)}))
	must(t, w.Close())
	must(t, d.Close())
	rec, _, err = recoverMember(t, m)
	if err != nil || rec.LastZxid() != 0x10000001d {
		t.Errorf("after going on: %+v, %v", rec, err)
	}
}

func TestTruncationToTheSnapshotThatALogBeginsBehind(t *testing.T) {
	m := vfs.NewMem()
	d := open(t, m)
	_, err := d.Recover(RecoverOptions{Member: true})
	must(t, err)
	must(t, d.SetAcceptedEpoch(3))
	v := treeAt(t, 0x300000007).Freeze()
	_, err = d.Install(t.Context(), v, snapshot.WriteOptions{})
	must(t, err)
	w := d.Log(0x300000007)
	must(t, w.Append([][]byte{record(0x300000008), record(0x300000009)}))
	must(t, w.Close())
	rec, err := d.TruncateAndRecover(0x300000007, RecoverOptions{})
	if err != nil || rec.LastZxid() != 0x300000007 || rec.Untruncated != nil {
		t.Errorf("%+v, %v", rec, err)
	}
	if rec, err = d.TruncateAndRecover(0x300000003, RecoverOptions{}); err != nil || !errors.Is(rec.Untruncated, wal.ErrNotInLog) {
		t.Errorf("%+v, %v", rec, err)
	}
	if rec, err = d.TruncateAndRecover(0, RecoverOptions{}); err != nil || rec.LastZxid() != 0 || rec.Untruncated != nil {
		t.Errorf("%+v, %v", rec, err)
	}
}

// A leader's snapshot at the beginning of an epoch leaves no gap in the numbers. Should it be damaged, the log behind it must
// not be taken for the continuation of the one before.
func TestADamagedSnapshotOfALeaderIsNotPassedOver(t *testing.T) {
	for _, linked := range []bool{true, false} {
		m := copyOf(t, "trunc-before") // up to 0x10000001d
		d := open(t, m)
		must(t, d.SetAcceptedEpoch(3))
		path, err := d.Install(t.Context(), treeAt(t, 0x300000000).Freeze(), snapshot.WriteOptions{})
		must(t, err)
		w := d.Log(0x300000000)
		must(t, w.Append([][]byte{record(0x300000001)}))
		must(t, w.Close())
		must(t, d.SetCurrentEpoch(3))
		if f, err := m.OpenReadWrite("data/version-2/log.300000001"); !linked { // as ZooKeeper writes it
			must(t, err)
			_, err = f.WriteAt(make([]byte, 8), 8)
			must(t, err)
		}
		rec, err := d.Recover(RecoverOptions{Member: true})
		must(t, err)
		if rec.LastZxid() != 0x300000001 {
			t.Fatalf("at %v", rec.LastZxid())
		}
		if _, ok, err := d.FindHistory(0x10000001c, 0x300000001, 0); ok || err != nil {
			t.Errorf("linked %v: history is told to have no gap: %v", linked, err)
		}
		if span, ok, err := d.FindHistory(0x300000000, 0x300000001, 0); ok != linked || err != nil || ok && span.Records != 1 {
			t.Errorf("linked %v: history behind the snapshot: %+v, %v, %v", linked, span, ok, err)
		}
		r, err := d.OpenHistory(0x300000000, 0x300000001)
		must(t, err)
		if got, err := r.Next(); (err == nil) != linked || linked && got.Zxid != 0x300000001 {
			t.Errorf("linked %v: %v, %v", linked, got.Zxid, err)
		}
		must(t, r.Close())
		f, err := m.OpenReadWrite(path)
		must(t, err)
		_, err = f.WriteAt([]byte("spoilt"), 30)
		must(t, err)
		_, err = d.Recover(RecoverOptions{Member: true})
		_, gap := errors.AsType[*wal.CorruptionError](err)
		_, doubt := errors.AsType[*NoSnapshotError](err)
		if gap != linked || doubt == linked {
			t.Errorf("linked %v: %v", linked, err)
		}
	}
}

func TestRecentRecordsAreTheNewestWithinBothBounds(t *testing.T) {
	for _, row := range []struct {
		name  string
		max   int
		bytes int64
		first zk.Zxid
		n     int
	}{
		{"all there are", 0, 0, 0xb9, 7},
		{"the newest three", 3, 0, 0xbd, 3},
		{"as many as fit", 100, 200, 0, -1},
		{"none fits", 100, 10, 0, 0},
		{"none wanted", -1, 0, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			rec, err := open(t, copyOf(t, "modern")).Recover(RecoverOptions{RecentMax: row.max, RecentBytes: row.bytes})
			must(t, err)
			size := int64(0)
			for i, r := range rec.Recent {
				size += int64(len(r.Payload))
				if r.Zxid != rec.Tree.Zxid()-zk.Zxid(len(rec.Recent)-1-i) {
					t.Errorf("%v at %d of %d", r.Zxid, i, len(rec.Recent))
				}
			}
			if row.n >= 0 && (len(rec.Recent) != row.n || row.n > 0 && rec.Recent[0].Zxid != row.first) {
				t.Errorf("%d from %v", len(rec.Recent), rec.Recent[0].Zxid)
			}
			if row.bytes > 0 && size > row.bytes || row.n < 0 && len(rec.Recent) == 0 {
				t.Errorf("%d records of %d bytes", len(rec.Recent), size)
			}
		})
	}
}

func TestAnInstallationThatIsCalledOffChangesNothing(t *testing.T) {
	m := copyOf(t, "node3")
	d := open(t, m)
	before := m.Dump()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Install(ctx, treeAt(t, 0x300000007).Freeze(), snapshot.WriteOptions{})
	if err == nil || m.Dump() != before {
		t.Errorf("%v\n%s", err, m.Dump())
	}
}

// treeAt is a small tree at a zxid.
func treeAt(t *testing.T, z zk.Zxid) *tree.Tree {
	t.Helper()
	tr := tree.New(1)
	l := &membership{rng: rand.New(rand.NewPCG(1, 1))}
	l.apply(tr, z)
	return tr
}

// record is a txn without a digest, which sets no znode.
func record(z zk.Zxid) []byte {
	rec := txn.Record{Header: txn.Header{Session: 1, Zxid: z, TimeMS: 1000, Type: zk.OpCreateSession}}
	rec.Txn = txn.Txn{Type: zk.OpCreateSession, TimeoutMS: 4000}
	return rec.Append(nil)
}

// A snapshot of the history from before, still being written when a leader's takes its place, must not end up as the newest.
func TestASnapshotBeingWrittenDoesNotOutliveTheHistoryItIsOf(t *testing.T) {
	m := copyOf(t, "trunc-before")
	d := open(t, m)
	rec, err := d.Recover(RecoverOptions{Member: true})
	must(t, err)
	must(t, d.SetAcceptedEpoch(2))
	old := rec.Tree.Freeze()
	begun, done := make(chan struct{}), make(chan error, 1)
	m.SetHook(func(_ int, op vfs.Op) {
		if op.Kind == vfs.KindCreate && strings.HasSuffix(op.Path, "writing.snapshot.10000001d") {
			close(begun)
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the snapshot
		_, err := d.WriteSnapshot(context.Background(), old, snapshot.WriteOptions{})
		done <- err
	})
	<-begun
	_, err = d.Install(t.Context(), treeAt(t, 0x10000001a).Freeze(), snapshot.WriteOptions{})
	must(t, err)
	wg.Wait()
	must(t, <-done)
	must(t, d.Close())
	if rec, _, err := recoverMember(t, m); err != nil || rec.LastZxid() != 0x10000001a {
		t.Errorf("came back with %v, %v", rec, err)
	}
}
