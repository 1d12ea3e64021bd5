package datadir

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"paddock/internal/zk"
	"paddock/storage/snapshot"
	"paddock/storage/tree"
	"paddock/storage/vfs"
	"paddock/storage/wal"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyOf returns a file system with a directory of testdata as "data".
func copyOf(t testing.TB, name string) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	must(t, vfs.MkdirAll(m, "data"))
	root := filepath.Join("testdata", name)
	must(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join("data", strings.TrimPrefix(path, root))
		if err := vfs.MkdirAll(m, filepath.Dir(to)); err != nil {
			return err
		}
		return vfs.WriteFileAtomic(m, to, b)
	}))
	return m
}

func open(t testing.TB, fsys vfs.FS) *Dir {
	t.Helper()
	d, err := Open(Options{FS: fsys, Dir: "data", PID: 7, PrepareBytes: 1024})
	must(t, err)
	return d
}

type expectedACL struct {
	Perms  zk.Perms `json:"perms"`
	Scheme string   `json:"scheme"`
	ID     string   `json:"id"`
}

type expectedStat struct {
	Czxid    zk.Zxid `json:"czxid"`
	Mzxid    zk.Zxid `json:"mzxid"`
	Ctime    int64   `json:"ctime"`
	Mtime    int64   `json:"mtime"`
	Version  int32   `json:"version"`
	Cversion int32   `json:"cversion_internal"`
	Aversion int32   `json:"aversion"`
	Owner    int64   `json:"ephemeralOwner_raw"`
	Pzxid    zk.Zxid `json:"pzxid"`
}

type expectedNode struct {
	Data *string       `json:"data_b64"`
	ACL  []expectedACL `json:"acl"`
	Stat expectedStat  `json:"stat_persisted"`
}

type expected struct {
	LastZxid   zk.Zxid                 `json:"last_zxid"`
	Replayed   int                     `json:"txns_replayed_after_snapshot"`
	Nodes      map[string]expectedNode `json:"nodes"`
	Sessions   map[string]int32        `json:"sessions"`
	Ephemerals map[string][]string     `json:"ephemerals"`
}

func expectation(t *testing.T, name string) expected {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name, "expected-restore.json"))
	must(t, err)
	var want expected
	must(t, json.Unmarshal(b, &want))
	return want
}

// restored is a tree in the form of the expectations.
func restored(t *testing.T, tr *tree.Tree) expected {
	t.Helper()
	got := expected{LastZxid: tr.Zxid(), Nodes: map[string]expectedNode{}, Sessions: map[string]int32{}, Ephemerals: map[string][]string{}}
	v := tr.Freeze()
	defer tr.Release(v)
	for _, s := range v.Sessions() {
		got.Sessions[s.ID.String()] = s.TimeoutMS
	}
	for _, s := range tr.EphemeralsBySession() {
		got.Ephemerals[s.ID.String()] = s.Paths
	}
	acls := map[int64][]expectedACL{tree.OpenKey: {{zk.PermAll, "world", "anyone"}}}
	for _, a := range v.ACLs() {
		for _, e := range a.List {
			acls[a.Key] = append(acls[a.Key], expectedACL{e.Perms, e.ID.Scheme, e.ID.ID})
		}
	}
	must(t, v.Walk(func(path string, data []byte, key int64, s *zk.StoredStat) error {
		n := expectedNode{ACL: acls[key], Stat: expectedStat{s.Czxid, s.Mzxid, s.CtimeMS, s.MtimeMS, s.Version, s.Cversion, s.Aversion, int64(s.Owner), s.Pzxid}}
		if data != nil {
			text := base64.StdEncoding.EncodeToString(data)
			n.Data = &text
		}
		if path == "" {
			path = "/"
		}
		got.Nodes[strings.Clone(path)] = n
		return nil
	}))
	return got
}

func compare(t *testing.T, got, want expected) {
	t.Helper()
	if got.LastZxid != want.LastZxid {
		t.Errorf("last zxid %v, want %v", got.LastZxid, want.LastZxid)
	}
	if !reflect.DeepEqual(got.Sessions, want.Sessions) || !reflect.DeepEqual(got.Ephemerals, want.Ephemerals) {
		t.Errorf("sessions %v %v, want %v %v", got.Sessions, got.Ephemerals, want.Sessions, want.Ephemerals)
	}
	for path, n := range want.Nodes {
		if g, ok := got.Nodes[path]; !ok || !reflect.DeepEqual(g, n) {
			t.Errorf("%s: %+v (there: %v), want %+v", path, g, ok, n)
		}
	}
	const added = "/zookeeper/config" // missing in snapshots of servers before 3.5
	if _, old := want.Nodes[added]; !old {
		delete(got.Nodes, added)
	}
	if len(got.Nodes) != len(want.Nodes) {
		t.Errorf("%d znodes, want %d", len(got.Nodes), len(want.Nodes))
	}
}

func TestZooKeepersDirectoriesRestore(t *testing.T) {
	for _, row := range []struct {
		name     string
		dir      string
		want     string // directory with the expectation, if another
		snapshot string
		bad      int
		fuzzy    bool
	}{
		{name: "a standalone server killed twice", dir: "modern", snapshot: "snapshot.b8"},
		{name: "a gzip snapshot alone", dir: "modern-gz", want: "modern", snapshot: "snapshot.bf.gz"},
		{name: "a snappy snapshot alone", dir: "modern-snappy", want: "modern", snapshot: "snapshot.bf.snappy"},
		{name: "a snapshot taken while thousands of writes went on", dir: "fuzzy", snapshot: "snapshot.7de"},
		{name: "a damaged newest snapshot is passed over", dir: "invalidsnap", snapshot: "snapshot.639", bad: 1},
		{name: "large records, created", dir: "buffersize-create", snapshot: "snapshot.0"},
		{name: "large records, set", dir: "buffersize-set", snapshot: "snapshot.0"},
		{name: "large records, in a snapshot", dir: "buffersize-snapshot", snapshot: "snapshot.2"},
		{name: "the leader of an ensemble", dir: "node1", snapshot: "snapshot.0"},
		{name: "a member that was truncated", dir: "node3", snapshot: "snapshot.10000001c"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := copyOf(t, row.dir)
			d := open(t, m)
			rec, err := d.Recover(RecoverOptions{Seed: 1})
			must(t, err)
			if row.want == "" {
				row.want = row.dir
			}
			want := expectation(t, row.want)
			compare(t, restored(t, rec.Tree), want)
			if filepath.Base(rec.Snapshot.File) != row.snapshot || len(rec.Bad) != row.bad || rec.DigestMismatch != 0 || rec.NeedsSnapshot {
				t.Errorf("from %s, bad %v, digest mismatch at %v", rec.Snapshot.File, rec.Bad, rec.DigestMismatch)
			}
			if n := len(rec.Recent); n != min(rec.Log.Records, 500) || n > 0 && rec.Recent[n-1].Zxid != want.LastZxid {
				t.Errorf("%d recent records of %d", n, rec.Log.Records)
			}
			restartAfterWrites(t, m, d, rec, want)
		})
	}
}

// restartAfterWrites goes on in a directory and opens it again.
func restartAfterWrites(t *testing.T, m *vfs.Mem, d *Dir, rec *Recovered, want expected) {
	t.Helper()
	v := rec.Tree.Freeze()
	_, err := d.WriteSnapshot(t.Context(), v, snapshot.WriteOptions{Compression: snapshot.Snappy})
	must(t, err)
	rec.Tree.Release(v)
	must(t, d.Close())
	d = open(t, m.CrashClone(1))
	again, err := d.Recover(RecoverOptions{Seed: 2})
	must(t, err)
	if again.Log.Records != 0 || again.Snapshot.Zxid != want.LastZxid {
		t.Errorf("second start replayed %d records from %s", again.Log.Records, again.Snapshot.File)
	}
	compare(t, restored(t, again.Tree), want)
	must(t, d.Close())
}

func TestEverySnapshotOfADirectoryLeadsToTheSameState(t *testing.T) {
	want := expectation(t, "modern")
	m := copyOf(t, "modern")
	for _, newest := range []string{"b8", "ac", "7b", "5c", "21", "0"} {
		d := open(t, m)
		rec, err := d.Recover(RecoverOptions{})
		must(t, err)
		if filepath.Base(rec.Snapshot.File) != "snapshot."+newest {
			t.Fatalf("from %s", rec.Snapshot.File)
		}
		compare(t, restored(t, rec.Tree), want)
		must(t, d.Close())
		must(t, m.Remove("data/version-2/snapshot."+newest))
	}
	d := open(t, m)
	_, err := d.Recover(RecoverOptions{})
	if _, ok := errors.AsType[*NoSnapshotError](err); !ok {
		t.Fatalf("without any snapshot: %v", err)
	}
}

func TestTruncateLeadsToTheStateBefore(t *testing.T) {
	m := copyOf(t, "trunc-before")
	d := open(t, m)
	must(t, d.Truncate(0x10000001c))
	rec, err := d.Recover(RecoverOptions{})
	must(t, err)
	if rec.Tree.Zxid() != 0x10000001c || rec.DigestMismatch != 0 {
		t.Errorf("at %v", rec.Tree.Zxid())
	}
	if _, ok := rec.Tree.Find("/bogus"); ok {
		t.Error("the truncated znode is there")
	}
	if err := d.Truncate(0x100000020); !errors.Is(err, wal.ErrNotInLog) {
		t.Errorf("truncate to what is not there: %v", err)
	}
}

func TestTruncateDropsSnapshotsOfWhatIsCutOff(t *testing.T) {
	m := copyOf(t, "fuzzy") // its only snapshot is named 7de and holds effects up to b5f
	d := open(t, m)
	if err := d.Truncate(0x900); !errors.Is(err, ErrNoSnapshotBelow) {
		t.Errorf("a fuzzy snapshot counted as one from before: %v", err)
	}
	must(t, d.Truncate(0xb62))
	must(t, d.Close())

	m = copyOf(t, "modern")
	d = open(t, m)
	must(t, d.Truncate(0x80))
	rec, err := d.Recover(RecoverOptions{})
	must(t, err)
	if rec.Tree.Zxid() != 0x80 || filepath.Base(rec.Snapshot.File) != "snapshot.7b" {
		t.Errorf("at %v from %s", rec.Tree.Zxid(), rec.Snapshot.File)
	}
}
