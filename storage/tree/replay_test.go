package tree

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"paddock/internal/jute"
	"paddock/internal/txn"
	"paddock/internal/zk"
)

// hexName is the zxid in the name of a log or snapshot file.
func hexName(file string) zk.Zxid {
	_, ext, _ := strings.Cut(filepath.Base(file), ".")
	n, _ := strconv.ParseInt(ext, 16, 64)
	return zk.Zxid(n)
}

func byName(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(hexName(a), hexName(b)) })
	return files
}

// records are all txns in the logs of a directory; the log reader proper is tested elsewhere.
func records(t testing.TB, dir string) (list []txn.Record) {
	t.Helper()
	for _, file := range byName(t, dir+"/log.*") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for b = b[16:]; len(b) >= 12; {
			n := int(binary.BigEndian.Uint32(b[8:]))
			var r txn.Record
			if err := r.Decode(b[12 : 12+n]); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			list = append(list, r)
			b = b[13+n:]
		}
	}
	return list
}

// loadFile reads a plain snapshot, without checking its sums, and tells the zxid of its digest section.
func loadFile(t testing.TB, file string, seed uint64) (tr *Tree, digestZxid zk.Zxid, digest uint64) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l, c := NewLoader(seed), jute.Reader(b[16:])
	var count int32
	c.Int32(&count)
	for range count {
		var id zk.SessionID
		var timeout int32
		id.Jute(c)
		c.Int32(&timeout)
		l.Session(id, timeout)
	}
	c.Int32(&count)
	for range count {
		var key int64
		var acl []zk.ACL
		c.Int64(&key)
		zk.CodeACL(c, &acl)
		l.ACL(key, acl)
	}
	for {
		var path string
		if c.String(&path); path == "/" || c.Err() != nil {
			break
		}
		var data []byte
		var key int64
		var stat zk.StoredStat
		c.Buffer(&data)
		c.Int64(&key)
		stat.Jute(c)
		if err := l.Node(path, data, key, &stat); err != nil {
			t.Fatal(err)
		}
	}
	var sum int64
	var end string
	var version int32
	c.Int64(&sum)
	c.String(&end)
	digestZxid.Jute(c)
	c.Int32(&version)
	c.Int64(&sum)
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	tr, err = l.Finish(hexName(file))
	if err != nil {
		t.Fatal(err)
	}
	return tr, digestZxid, uint64(sum)
}

func TestEveryDigestInALogOfZooKeeperIsMet(t *testing.T) {
	for seed := range uint64(3) {
		tr, checked := New(seed), 0
		for _, r := range records(t, "testdata/modern") {
			tr.Apply(&r.Header, &r.Txn, nil)
			if tr.Zxid() != r.Header.Zxid {
				t.Fatalf("zxid %v after %v", tr.Zxid(), r.Header.Zxid)
			}
			if r.HasDigest {
				checked++
				if tr.Digest() != r.Digest.Tree {
					t.Fatalf("%v at %v: digest %#x, want %#x", r.Header.Type, r.Header.Zxid, tr.Digest(), r.Digest.Tree)
				}
			}
		}
		if checked < 100 {
			t.Fatalf("only %d digests", checked)
		}
		checkTree(t, tr)
		matchRestored(t, tr, "testdata/modern/expected-restore.json")
	}
}

func TestReplayingFromAnySnapshotOfZooKeeperEndsInTheSameTree(t *testing.T) {
	all := records(t, "testdata/modern")
	for _, file := range byName(t, "testdata/modern/snapshot.*") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			tr, at, digest := loadFile(t, file, 7)
			if at == hexName(file) && at != 0 && tr.Digest() != digest { // a new server writes zeros
				t.Fatalf("digest %#x after loading, want %#x", tr.Digest(), digest)
			}
			checkTree(t, tr)
			for _, r := range all {
				if r.Header.Zxid <= hexName(file) {
					continue
				}
				tr.Apply(&r.Header, &r.Txn, nil)
				if r.HasDigest && r.Header.Zxid >= at && tr.Digest() != r.Digest.Tree {
					t.Fatalf("digest %#x at %v, want %#x", tr.Digest(), r.Header.Zxid, r.Digest.Tree)
				}
			}
			checkTree(t, tr)
			matchRestored(t, tr, "testdata/modern/expected-restore.json")
		})
	}
}

func TestReplayingOverAFuzzySnapshotRepairsIt(t *testing.T) {
	file := "testdata/fuzzy/snapshot.7de"
	tr, at, digest := loadFile(t, file, 7)
	if at <= hexName(file) {
		t.Fatalf("the snapshot is not fuzzy: %v", at)
	}
	refused, out := 0, &Outcome{}
	for _, r := range records(t, "testdata/fuzzy") {
		if r.Header.Zxid <= hexName(file) {
			continue
		}
		out.Reset()
		tr.Apply(&r.Header, &r.Txn, out)
		for _, res := range out.Results {
			if res.Type != zk.OpError && res.Err != zk.OK {
				refused++
			}
		}
		if r.Header.Zxid == at && tr.Digest() != digest {
			t.Fatalf("digest %#x at %v, the snapshot says %#x", tr.Digest(), at, digest)
		}
		if r.HasDigest && r.Header.Zxid >= at && tr.Digest() != r.Digest.Tree {
			t.Fatalf("digest %#x at %v, want %#x", tr.Digest(), r.Header.Zxid, r.Digest.Tree)
		}
	}
	if tr.Digest() != 0x16ea69f9312 || tr.Znodes() != 732 || tr.Zxid() != 0x12c2 {
		t.Fatalf("%d znodes at %v, digest %#x", tr.Znodes(), tr.Zxid(), tr.Digest())
	}
	if refused == 0 {
		t.Fatal("no txn met a state from after it")
	}
	checkTree(t, tr)
}

func TestReplayingLogsOfOtherServersEndsInTheTreeTheyEndedIn(t *testing.T) {
	cases := map[string]struct {
		dir     string
		zxid    zk.Zxid
		znodes  int
		digest  uint64
		digests int // in the logs
	}{
		"a member of an ensemble, with a reconfig and a change of epoch": {"testdata/quorum", 0x200000005, 18, 0x8584cdcb3, 20},
		// ZooKeeper's reader counts one less: that server knew no /zookeeper/config.
		"an old server that did not log what cversion parents get": {"testdata/old", 0x83f, 2114, 0x41ffbde21e5, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tr, checked := New(1), 0
			for _, r := range records(t, c.dir) {
				tr.Apply(&r.Header, &r.Txn, nil)
				if r.HasDigest {
					if checked++; tr.Digest() != r.Digest.Tree {
						t.Fatalf("%v at %v: digest %#x, want %#x", r.Header.Type, r.Header.Zxid, tr.Digest(), r.Digest.Tree)
					}
				}
			}
			if tr.Zxid() != c.zxid || tr.Znodes() != c.znodes || tr.Digest() != c.digest || checked < c.digests {
				t.Fatalf("%d znodes at %v, digest %#x, %d digests", tr.Znodes(), tr.Zxid(), tr.Digest(), checked)
			}
			checkTree(t, tr)
		})
	}
}

// restored is what ZooKeeper's own code makes of a directory.
type restored struct {
	Digest     string                   `json:"tree_digest_v2"`
	Count      int                      `json:"node_count"`
	Sessions   map[string]int32         `json:"sessions"`
	Ephemerals map[string][]string      `json:"ephemerals"`
	Containers []string                 `json:"containers"`
	TTLs       []string                 `json:"ttls"`
	Nodes      map[string]*restoredNode `json:"nodes"`
}

type restoredNode struct {
	Data *string `json:"data_b64"`
	ACL  []struct {
		Perms  zk.Perms
		Scheme string
		ID     string
	} `json:"acl"`
	Stored map[string]int64 `json:"stat_persisted"`
	Stat   map[string]int64 `json:"client_stat"`
}

func matchRestored(t *testing.T, tr *Tree, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want restored
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%#x", tr.Digest()); got != want.Digest || tr.Znodes() != want.Count {
		t.Errorf("%d znodes, digest %s; want %d, %s", tr.Znodes(), got, want.Count, want.Digest)
	}
	sessions, ephemerals := map[string]int32{}, map[string][]string{}
	for _, s := range tr.Sessions() {
		sessions[s.ID.String()] = s.TimeoutMS
	}
	for _, s := range tr.EphemeralsBySession() {
		ephemerals[s.ID.String()] = s.Paths
	}
	slices.Sort(want.Containers)
	slices.Sort(want.TTLs)
	for what, pair := range map[string][2]any{
		"sessions": {sessions, want.Sessions}, "ephemerals": {ephemerals, want.Ephemerals},
		"containers": {tr.pathsOf(tr.containers), want.Containers}, "TTLs": {tr.pathsOf(tr.ttls), want.TTLs},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
		}
	}
	for path, n := range want.Nodes {
		matchNode(t, tr, path, n)
	}
}

func matchNode(t *testing.T, tr *Tree, path string, want *restoredNode) {
	t.Helper()
	r, ok := tr.Find(path)
	if !ok {
		t.Errorf("%s is missing", path)
		return
	}
	var data []byte
	if want.Data != nil {
		data, _ = base64.StdEncoding.DecodeString(*want.Data)
	}
	if got := tr.Data(r); string(got) != string(data) || (got == nil) != (want.Data == nil) {
		t.Errorf("%s: data %q, want %q", path, got, data)
	}
	var acl []zk.ACL
	for _, a := range want.ACL {
		acl = append(acl, zk.ACL{Perms: a.Perms, ID: zk.ID{Scheme: a.Scheme, ID: a.ID}})
	}
	if !reflect.DeepEqual(tr.ACL(r), acl) {
		t.Errorf("%s: access list %v, want %v", path, tr.ACL(r), acl)
	}
	s, c := tr.Stored(r), tr.Stat(r)
	stored := map[string]int64{
		"czxid": int64(s.Czxid), "mzxid": int64(s.Mzxid), "pzxid": int64(s.Pzxid), "ctime": s.CtimeMS, "mtime": s.MtimeMS,
		"version": int64(s.Version), "cversion_internal": int64(s.Cversion), "aversion": int64(s.Aversion),
		"ephemeralOwner_raw": int64(s.Owner),
	}
	if !reflect.DeepEqual(stored, want.Stored) {
		t.Errorf("%s: stored %v, want %v", path, stored, want.Stored)
	}
	stat := map[string]int64{
		"czxid": int64(c.Czxid), "mzxid": int64(c.Mzxid), "pzxid": int64(c.Pzxid), "ctime": c.CtimeMS, "mtime": c.MtimeMS,
		"version": int64(c.Version), "cversion": int64(c.Cversion), "aversion": int64(c.Aversion),
		"ephemeralOwner": c.EphemeralOwner, "dataLength": int64(c.DataLength), "numChildren": int64(c.NumChildren),
	}
	if !reflect.DeepEqual(stat, want.Stat) {
		t.Errorf("%s: stat %v, want %v", path, stat, want.Stat)
	}
}
