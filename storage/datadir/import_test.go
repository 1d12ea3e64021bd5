package datadir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/tree"
	"paddock/storage/vfs"
)

const importAbove = zk.Zxid(0x9_0000_0007)

func imports(t testing.TB, m vfs.FS, change func(*ImportOptions)) (*Imported, error) {
	t.Helper()
	must(t, vfs.MkdirAll(m, "new"))
	opts := ImportOptions{FS: m, From: "data", To: "new", PID: 7, Seed: 3}
	if change != nil {
		change(&opts)
	}
	return Import(t.Context(), opts)
}

// imported opens what was imported as a member of the new ensemble does.
func imported(t *testing.T, m vfs.FS) *Recovered {
	t.Helper()
	d, err := Open(Options{FS: m, Dir: "new", PID: 7})
	must(t, err)
	defer d.Close() //nolint:errcheck // only its lock
	rec, err := d.Recover(RecoverOptions{Member: true})
	must(t, err)
	return rec
}

// below is what the lines of a dump say that are about a directory.
func below(m *vfs.Mem, dir string) string {
	var b strings.Builder
	for line := range strings.Lines(m.Dump()) {
		if strings.Contains(line, dir+"/") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestImportKeepsWhatTheDirectoryHolds(t *testing.T) {
	for _, name := range []string{"modern", "modern-gz", "modern-snappy", "fuzzy", "invalidsnap", "buffersize-create", "buffersize-set",
		"buffersize-snapshot", "node1", "node3"} {
		t.Run(name, func(t *testing.T) {
			m := copyOf(t, name)
			before := below(m, "data")
			out, err := imports(t, m, func(o *ImportOptions) { o.Above = importAbove })
			must(t, err)
			if now := below(m, "data"); now != before || before == "" {
				t.Errorf("the old directory was changed from\n%s\nto\n%s", before, now)
			}
			rec := imported(t, m)
			want := expectation(t, strings.TrimSuffix(strings.TrimSuffix(name, "-gz"), "-snappy"))
			if out.Last != want.LastZxid || out.Zxid != 0xa_0000_0000 || rec.Epochs != (Epochs{10, 10}) {
				t.Errorf("%v became %v, epochs %+v", out.Last, out.Zxid, rec.Epochs)
			}
			want.LastZxid = out.Zxid
			delete(want.Nodes, zk.ConfigPath)
			got := restored(t, rec.Tree)
			if n := got.Nodes[zk.ConfigPath]; n.Data == nil || *n.Data != "" {
				t.Errorf("the old configuration is still there: %+v", n)
			}
			delete(got.Nodes, zk.ConfigPath)
			compare(t, got, want)
			if rec.DigestMismatch != 0 || out.Sessions != len(want.Sessions) || out.Znodes != rec.Tree.Znodes() {
				t.Errorf("%+v", out)
			}
			if text := below(m, "new"); strings.Contains(text, stagingName) {
				t.Errorf("the copy is still there:\n%s", text)
			}
		})
	}
}

func TestImportNumbersFromTheHighestZxidKnown(t *testing.T) {
	for _, row := range []struct {
		name  string
		above zk.Zxid
		want  zk.Zxid
	}{
		{"the epoch that the directory has accepted if no other is given", 0, 0x3_0000_0000},
		{"the same if the other is lower", 5, 0x3_0000_0000},
		{"another in the same epoch", 0x2_ffff_ffff, 0x3_0000_0000},
		{"another of a later epoch", 0x6_0000_0000, 0x7_0000_0000},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, err := imports(t, copyOf(t, "node3"), func(o *ImportOptions) { o.Above = row.above })
			must(t, err)
			if out.Zxid != row.want || out.Epoch != row.want.Epoch() {
				t.Errorf("%v, epoch %d; want %v", out.Zxid, out.Epoch, row.want)
			}
		})
	}
	if _, err := imports(t, copyOf(t, "node3"), func(o *ImportOptions) { o.Above = 0x7fffffff_00000000 }); err == nil {
		t.Error("there is no epoch above that")
	}
}

func TestImportDropsSessions(t *testing.T) {
	m := copyOf(t, "modern")
	want := expectation(t, "modern")
	owned := 0
	for _, paths := range want.Ephemerals {
		owned += len(paths)
	}
	if owned == 0 || len(want.Sessions) == 0 {
		t.Fatal("there is nothing to drop")
	}
	out, err := imports(t, m, func(o *ImportOptions) { o.DropSessions = true })
	must(t, err)
	if out.DroppedSessions != len(want.Sessions) || out.DroppedEphemerals != owned || out.Sessions != 0 || out.Owned != 0 {
		t.Errorf("%+v", out)
	}
	rec := imported(t, m)
	if rec.Tree.SessionCount() != 0 || rec.Tree.EphemeralCount() != 0 || rec.Tree.Znodes() != len(want.Nodes)-owned {
		t.Errorf("%d sessions, %d ephemerals, %d znodes of %d", rec.Tree.SessionCount(), rec.Tree.EphemeralCount(), rec.Tree.Znodes(), len(want.Nodes))
	}
	if rec.Tree.Zxid() != out.Zxid || out.Zxid <= 0x1_0000_0000 {
		t.Errorf("zxid %v, want %v", rec.Tree.Zxid(), out.Zxid)
	}
}

func TestImportTwiceGivesTheSame(t *testing.T) {
	var dumps []string
	for range 2 {
		m := copyOf(t, "modern")
		_, err := imports(t, m, nil)
		must(t, err)
		dumps = append(dumps, below(m, "new"))
	}
	if dumps[0] != dumps[1] || dumps[0] == "" {
		t.Errorf("first\n%s\nthen\n%s", dumps[0], dumps[1])
	}
}

func TestImportRefuses(t *testing.T) {
	for _, row := range []struct {
		name   string
		dir    string
		before func(t *testing.T, m *vfs.Mem)
		change func(*ImportOptions)
		want   string
	}{
		{name: "a directory that a server has open", dir: "modern", want: "data is in use by another server",
			before: func(t *testing.T, m *vfs.Mem) { open(t, m) }},
		{name: "to write over data", dir: "modern", want: "new is not empty: it has version-2/snapshot.0",
			before: func(t *testing.T, m *vfs.Mem) {
				must(t, vfs.MkdirAll(m, "new/version-2"))
				must(t, vfs.WriteFileAtomic(m, "new/version-2/snapshot.0", []byte("x")))
			}},
		{name: "to write beside other files", dir: "modern", want: "new is not empty: it has notes",
			before: func(t *testing.T, m *vfs.Mem) {
				must(t, vfs.MkdirAll(m, "new"))
				must(t, vfs.WriteFileAtomic(m, "new/notes", []byte("x")))
			}},
		{name: "to read and write the same directory", dir: "modern", want: "data is not empty",
			change: func(o *ImportOptions) { o.To = "data" }},
		{name: "data from before version-2", dir: "legacy", want: "is from before ZooKeeper 3.0"},
		{name: "version-2 itself", dir: "modern", want: "data/version-2 is what a data directory has inside; name the one above, data",
			change: func(o *ImportOptions) { o.From = "data/version-2" }},
		{name: "a directory without data", dir: "modern", want: "other/version-2 has no snapshot",
			before: func(t *testing.T, m *vfs.Mem) { must(t, vfs.MkdirAll(m, "other")) },
			change: func(o *ImportOptions) { o.From = "other" }},
		{name: "a log without a snapshot", dir: "modern", want: "no snapshot found, but there are log entries",
			before: func(t *testing.T, m *vfs.Mem) {
				names, err := m.List("data/version-2")
				must(t, err)
				for _, name := range names {
					if strings.HasPrefix(name, "snapshot.") {
						must(t, m.Remove(filepath.Join("data/version-2", name)))
					}
				}
			}},
		{name: "epochs that do not fit the history", dir: "node3", want: "is older than the last zxid",
			before: func(t *testing.T, m *vfs.Mem) {
				must(t, vfs.WriteFileAtomic(m, "data/version-2/currentEpoch", []byte("0")))
				must(t, vfs.WriteFileAtomic(m, "data/version-2/acceptedEpoch", []byte("0")))
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := copyOf(t, row.dir)
			if row.before != nil {
				row.before(t, m)
			}
			_, err := imports(t, m, row.change)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v, want %q", err, row.want)
			}
			if strings.Contains(m.Dump(), stagingName+"/"+versionDir) {
				t.Errorf("the copy is still there:\n%s", m.Dump())
			}
		})
	}
}

// TestImportIsSafeToRepeat crashes an import before each of its operations. Whoever repeats it gets the same, unless all was done.
func TestImportIsSafeToRepeat(t *testing.T) {
	m := copyOf(t, "modern")
	var clones []*vfs.Mem
	m.SetHook(func(n int, _ vfs.Op) { clones = append(clones, m.CrashClone(uint64(n))) })
	want, err := imports(t, m, nil)
	must(t, err)
	m.SetHook(nil)
	digest := imported(t, m).Tree.Digest()
	if len(clones) < 20 {
		t.Fatalf("%d operations", len(clones))
	}
	refused := 0
	for i, clone := range clones {
		d, err := Open(Options{FS: clone.CrashClone(1), Dir: "new", PID: 7, NoAutocreate: true})
		if err == nil {
			rec, err := d.Recover(RecoverOptions{Member: true})
			if unfinished, ok := errors.AsType[*UnfinishedImportError](err); ok && unfinished.Dir == "new" {
				refused++
			} else if err != nil || rec.Tree.Zxid() != want.Zxid && refused > 0 {
				t.Fatalf("crash %d: a server begins with zxid %v, %v", i, rec.LastZxid(), err)
			}
			d.Close() //nolint:errcheck // only its lock
		}
		_, err = imports(t, clone, nil)
		if _, done := errors.AsType[*NotEmptyError](err); err != nil && !done {
			t.Fatalf("crash %d: %v", i, err)
		}
		if rec := imported(t, clone); rec.Tree.Zxid() != want.Zxid || rec.Tree.Digest() != digest || rec.Epochs.Current != want.Epoch {
			t.Fatalf("crash %d: %v %x, epochs %+v", i, rec.Tree.Zxid(), rec.Tree.Digest(), rec.Epochs)
		}
	}
	if refused < 10 {
		t.Errorf("%d crashes in the middle of an import", refused)
	}
}

// An import that goes on has the lock of the directory, and what it has copied is left alone.
func TestImportsDoNotMeet(t *testing.T) {
	m := copyOf(t, "modern")
	must(t, vfs.MkdirAll(m, "new"))
	first, err := Open(Options{FS: m, Dir: "new", PID: 8})
	must(t, err)
	defer first.Close() //nolint:errcheck // only its lock
	must(t, vfs.MkdirAll(m, first.staging()+"/version-2"))
	put(t, m, first.staging()+"/version-2/log.1", "a copy")
	before := below(m, "new")
	if _, err := imports(t, m, nil); err == nil {
		t.Error("two at a time")
	} else if _, ok := errors.AsType[*InUseError](err); !ok {
		t.Error(err)
	}
	if after := below(m, "new"); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// TestImportReadsOnlyWhatItNeeds has more snapshots and logs than matter.
func TestImportReadsOnlyWhatItNeeds(t *testing.T) {
	m := vfs.NewMem()
	must(t, vfs.MkdirAll(m, "data"))
	d := open(t, m)
	_, err := d.Recover(RecoverOptions{})
	must(t, err)
	life := membership{rng: rand.New(rand.NewPCG(1, 1))}
	tr := tree.New(0)
	for z := zk.Zxid(1); z <= 6; z++ {
		w := d.Log(tr.Zxid())
		must(t, w.Append([][]byte{life.apply(tr, z)}))
		must(t, w.Sync())
		must(t, w.Close())
		v := tr.Freeze()
		_, err := d.WriteSnapshot(t.Context(), v, ImportOptions{}.Write)
		must(t, err)
		tr.Release(v)
	}
	must(t, d.Close())
	var stages []string
	out, err := imports(t, m, func(o *ImportOptions) {
		o.Progress = func(stage string, _ int) { stages = append(stages, stage) }
	})
	must(t, err)
	if text := fmt.Sprint(stages); !strings.Contains(text, "copying 5 files") || out.Last != 6 {
		t.Errorf("%v, last %v", text, out.Last)
	}
}
