package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"paddock/storage/vfs"
	"paddock/storage/wal"
)

func put(t testing.TB, m *vfs.Mem, path, text string) {
	t.Helper()
	must(t, vfs.MkdirAll(m, path[:strings.LastIndex(path, "/")]))
	must(t, vfs.WriteFileAtomic(m, path, []byte(text)))
}

func TestDirectoriesThatCannotBeOpened(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(t *testing.T, m *vfs.Mem) vfs.FS
		opts  Options
		want  string
	}{
		{"another server has it", func(t *testing.T, m *vfs.Mem) vfs.FS {
			open(t, m)
			return m
		}, Options{}, "data is in use by pid 7"},
		{"another server has the log directory", func(t *testing.T, m *vfs.Mem) vfs.FS {
			_, err := Open(Options{FS: m, Dir: "other", LogDir: "log", PID: 8})
			must(t, err)
			return m
		}, Options{LogDir: "log"}, "log is in use by pid 8"},
		{"it is missing and may not be created", nil, Options{NoAutocreate: true}, "dataDir: data/version-2 does not exist and autocreate is off"},
		{"it cannot be created", func(_ *testing.T, m *vfs.Mem) vfs.FS {
			return vfs.NewFaulty(m, vfs.FailNth(vfs.KindMkdir, 1, syscall.EACCES, true))
		}, Options{}, "dataDir data: mkdir data: permission denied"},
		{"it cannot be written", func(_ *testing.T, m *vfs.Mem) vfs.FS {
			return vfs.NewFaulty(m, vfs.FailNth(vfs.KindLock, 1, syscall.EROFS, true))
		}, Options{}, "dataDir data: lock data/paddock.lock: read-only file system"},
		{"the log directory holds snapshots", func(t *testing.T, m *vfs.Mem) vfs.FS {
			put(t, m, "log/version-2/snapshot.0", "")
			return m
		}, Options{LogDir: "log"}, "dataLogDir: log/version-2/snapshot.0 does not belong here; are dataDir and dataLogDir swapped? If dataDir is new, move the snapshot.* files to its version-2"},
		{"the snapshot directory holds logs", func(t *testing.T, m *vfs.Mem) vfs.FS {
			put(t, m, "data/version-2/log.1", "")
			return m
		}, Options{LogDir: "log"}, "dataDir: data/version-2/log.1 does not belong here; are dataDir and dataLogDir swapped? If dataLogDir is new, move the log.* files to its version-2"},
		{"it is from before ZooKeeper 3.0", func(t *testing.T, _ *vfs.Mem) vfs.FS { return copyOf(t, "legacy") }, Options{}, "is from before ZooKeeper 3.0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := vfs.NewMem()
			row.opts.FS, row.opts.Dir = m, "data"
			if row.setup != nil {
				row.opts.FS = row.setup(t, m)
			}
			d, err := Open(row.opts)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, %v", d, err)
			}
		})
	}
}

func TestAFailedOpenKeepsNoLock(t *testing.T) {
	m := vfs.NewMem()
	put(t, m, "log/version-2/snapshot.0", "")
	if _, err := Open(Options{FS: m, Dir: "data", LogDir: "log"}); err == nil {
		t.Fatal("opened")
	}
	must(t, m.Remove("log/version-2/snapshot.0"))
	_, err := Open(Options{FS: m, Dir: "data", LogDir: "log"})
	must(t, err)
}

func TestStatesThatCannotBeRecovered(t *testing.T) {
	remove := func(names ...string) func(t *testing.T, m *vfs.Mem) {
		return func(t *testing.T, m *vfs.Mem) {
			for _, n := range names {
				must(t, m.Remove("data/version-2/"+n))
			}
		}
	}
	for _, row := range []struct {
		name string
		dir  string
		edit func(t *testing.T, m *vfs.Mem)
		want string
	}{
		{"logs without any snapshot", "buffersize-create", remove("snapshot.0"), "no snapshot found, but there are log entries in data/version-2"},
		{"only a damaged snapshot", "invalidsnap", remove("snapshot.0", "snapshot.272", "snapshot.273", "snapshot.639"), "every snapshot is damaged (data/version-2/snapshot.83f: offset"},
		{"a damaged newest snapshot that the log does not make up for", "invalidsnap", remove("log.63b"), "reach only 0x63a"},
		{"a missing log", "modern", remove("log.b9"), ""},
		{"a missing log in the middle", "fuzzy", remove("log.b62"), "zxid 0x10c0 follows 0xb61"},
		{"a damaged record", "modern", func(t *testing.T, m *vfs.Mem) {
			f, err := m.OpenReadWrite("data/version-2/log.b9")
			must(t, err)
			_, err = f.WriteAt([]byte("!"), 100)
			must(t, err)
		}, "data/version-2/log.b9: offset"},
		{"a snapshot from before 3.0", "modern", func(t *testing.T, m *vfs.Mem) {
			old, err := vfs.ReadFile(copyOf(t, "legacy"), "data/snapshot.100000000", 1<<20)
			must(t, err)
			put(t, m, "data/version-2/snapshot.100000000", string(old))
		}, "before ZooKeeper 3.0"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := copyOf(t, row.dir)
			row.edit(t, m)
			rec, err := open(t, m).Recover(RecoverOptions{})
			switch {
			case row.want == "" && err == nil && rec.Tree.Zxid() == 0xb8: // nothing tells that more was there
			case row.want == "" || err == nil || !strings.Contains(err.Error(), row.want):
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestAnEmptyDirectoryBecomesANewDatabase(t *testing.T) {
	for _, row := range []struct {
		name   string
		files  []string
		opts   Options
		uninit bool
		want   []string
	}{
		{"by default", nil, Options{}, false, []string{"snapshot.0"}},
		{"not with db.autocreate off", nil, Options{NoNewDatabase: true}, true, []string{}},
		{"with the marker", []string{"data/initialize"}, Options{NoNewDatabase: true}, false, []string{"snapshot.0"}},
		{"after a first start that was interrupted", []string{"data/version-2/snapshot.0", "data/version-2/writing.snapshot.0", "data/version-2/snapshot.0.tmp"}, Options{}, false, []string{"snapshot.0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := vfs.NewMem()
			for _, f := range row.files {
				put(t, m, f, "")
			}
			row.opts.FS, row.opts.Dir = m, "data"
			d, err := Open(row.opts)
			must(t, err)
			rec, err := d.Recover(RecoverOptions{})
			must(t, err)
			names, _ := m.List("data/version-2")
			if rec.Uninitialised != row.uninit || rec.Tree.Zxid() != 0 || !slices.Equal(names, row.want) {
				t.Errorf("uninitialised %v, zxid %v, files %v", rec.Uninitialised, rec.Tree.Zxid(), names)
			}
			if _, err := m.Stat("data/initialize"); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the marker is still there")
			}
		})
	}
}

func TestALogWithoutSnapshotIsTrustedOnDemand(t *testing.T) {
	m := copyOf(t, "buffersize-create")
	must(t, m.Remove("data/version-2/snapshot.0"))
	d, err := Open(Options{FS: m, Dir: "data", TrustEmpty: true})
	must(t, err)
	rec, err := d.Recover(RecoverOptions{})
	must(t, err)
	if !rec.NeedsSnapshot {
		t.Error("no snapshot asked for")
	}
	compare(t, restored(t, rec.Tree), expectation(t, "buffersize-create"))
}

func TestEpochFilesAreZooKeepers(t *testing.T) {
	d := open(t, copyOf(t, "node3"))
	if e, ok, err := d.CurrentEpoch(); e != 2 || !ok || err != nil {
		t.Errorf("current epoch %d, %v, %v", e, ok, err)
	}
	if e, ok, err := d.AcceptedEpoch(); e != 2 || !ok || err != nil {
		t.Errorf("accepted epoch %d, %v, %v", e, ok, err)
	}
	must(t, d.SetAcceptedEpoch(3))
	if err := d.SetAcceptedEpoch(2); err == nil || !strings.Contains(err.Error(), "epochs never go back") {
		t.Errorf("an epoch went back: %v", err)
	}
	must(t, vfs.WriteFileAtomic(d.opts.FS, "data/version-2/currentEpoch", []byte("-1")))
	if e, ok, err := d.CurrentEpoch(); e != 0 || !ok || err != nil {
		t.Errorf("ZooKeeper's epoch of no database: %d, %v, %v", e, ok, err)
	}
	must(t, vfs.WriteFileAtomic(d.opts.FS, "data/version-2/currentEpoch", []byte("x\n")))
	if _, _, err := d.CurrentEpoch(); err == nil {
		t.Error("a damaged epoch file was read")
	}
	if _, ok, err := open(t, copyOf(t, "modern")).CurrentEpoch(); ok || err != nil {
		t.Errorf("a standalone server has an epoch: %v, %v", ok, err)
	}
}

func TestPurgeKeepsThreeSnapshotsAndTheirLogs(t *testing.T) {
	m := copyOf(t, "modern")
	d := open(t, m)
	before, err := d.Usage()
	must(t, err)
	removed, err := d.Purge(1, 1<<20)
	must(t, err)
	if len(removed) != 3 || slices.ContainsFunc(removed, func(name string) bool { return !strings.Contains(name, "snapshot.") }) {
		t.Errorf("history within a mebibyte stays, but removed %v", removed)
	}
	logs, err := d.Purge(1, 0)
	must(t, err)
	removed = append(removed, logs...)
	names, _ := m.List("data/version-2")
	want := []string{"log.5e", "log.7d", "log.ae", "log.b9", "snapshot.7b", "snapshot.ac", "snapshot.b8"}
	if !slices.Equal(names, want) || len(removed) != 5 {
		t.Errorf("left %v, removed %v", names, removed)
	}
	after, err := d.Usage()
	must(t, err)
	if before.Snapshots != 6 || before.NewestBytes == 0 || before.NewestBytes >= before.SnapshotBytes || after.Snapshots != 3 || after.Logs != 4 || after.LogBytes != 4*16400 || after.SnapshotBytes >= before.SnapshotBytes {
		t.Errorf("%+v, then %+v", before, after)
	}
	for _, damaged := range []string{"b8", "ac"} { // the oldest one that was kept must still do
		f, err := m.OpenReadWrite("data/version-2/snapshot." + damaged)
		must(t, err)
		_, err = f.WriteAt([]byte("????"), 300)
		must(t, err)
	}
	rec, err := d.Recover(RecoverOptions{})
	must(t, err)
	if len(rec.Bad) != 2 {
		t.Errorf("bad: %v", rec.Bad)
	}
	compare(t, restored(t, rec.Tree), expectation(t, "modern"))
}

func TestDamageNamesFileOffsetAndRemedy(t *testing.T) {
	m := copyOf(t, "fuzzy")
	must(t, m.Remove("data/version-2/log.10c0"))
	must(t, m.Rename("data/version-2/log.b62", "data/version-2/log.b63"))
	f, err := m.OpenReadWrite("data/version-2/log.b63")
	must(t, err)
	_, err = f.WriteAt([]byte{'x'}, 60)
	must(t, err)
	_, err = open(t, m).Recover(RecoverOptions{})
	bad, ok := errors.AsType[*wal.CorruptionError](err)
	if !ok || bad.File != "data/version-2/log.b63" || bad.Offset != 16 || bad.Remedy == "" {
		t.Fatalf("got %v", err)
	}
}

// TestWhatIsNoFileIsNamed before anything is read: nobody waits for a pipe.
func TestWhatIsNoFileIsNamed(t *testing.T) {
	for _, name := range []string{"snapshot.5", "snapshot.5.gz", "log.5", "acceptedEpoch", "currentEpoch"} {
		for is, make := range map[string]func(string) error{
			"a directory":                  func(path string) error { return os.Mkdir(path, 0o755) },
			"a link to nothing":            func(path string) error { return os.Symlink(filepath.Join(filepath.Dir(path), "none"), path) },
			"a pipe, a socket or a device": func(path string) error { return syscall.Mkfifo(path, 0o644) },
		} {
			dir := t.TempDir()
			path := filepath.Join(dir, "version-2", name)
			if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), make(path)); err != nil {
				t.Fatal(err)
			}
			d, err := Open(Options{FS: vfs.OS{}, Dir: dir})
			no, ok := errors.AsType[*NoFileError](err)
			if !ok || no.Path != path || no.Is != is || !strings.Contains(err.Error(), "; ") {
				t.Errorf("%s, %s: %v", name, is, err)
			}
			if err == nil {
				d.Close()
			}
			if _, err := Import(t.Context(), ImportOptions{FS: vfs.OS{}, From: dir, To: filepath.Join(t.TempDir(), "new")}); !errors.As(err, &no) || no.Path != path {
				t.Errorf("import: %s, %s: %v", name, is, err)
			}
		}
	}
	dir := t.TempDir() // a link to a file is one
	real := filepath.Join(t.TempDir(), "elsewhere")
	d, err := Open(Options{FS: vfs.OS{}, Dir: dir})
	if err == nil {
		_, err = d.Recover(RecoverOptions{})
	}
	if err == nil {
		err = d.Close()
	}
	path := filepath.Join(dir, "version-2", "snapshot.0")
	if err = errors.Join(err, os.Rename(path, real), os.Symlink(real, path)); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(Options{FS: vfs.OS{}, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
