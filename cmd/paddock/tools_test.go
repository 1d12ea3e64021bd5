package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	modern   = "../../storage/datadir/testdata/modern"
	walFiles = "../../storage/wal/testdata/zookeeper"
	snaps    = "../../storage/snapshot/testdata"
)

// paddock runs a command line.
func paddock(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// good runs a command line that must succeed.
func good(t *testing.T, args ...string) (out, errs string) {
	t.Helper()
	code, out, errs := paddock(t, args...)
	if code != 0 {
		t.Fatalf("paddock %s: exit code %d: %s", strings.Join(args, " "), code, errs)
	}
	return out, errs
}

func TestGoldenOutput(t *testing.T) {
	for name, args := range map[string][]string{
		"wal_dump":               {"wal", "dump", modern},
		"wal_dump_data_json":     {"wal", "dump", "--data", "--json", walFiles + "/modern/log.7d"},
		"wal_dump_range":         {"wal", "dump", "--from", "0x21", "--until", "40", modern + "/version-2"},
		"wal_dump_old":           {"wal", "dump", "--until", "0x20", walFiles + "/invalidsnap/log.1"},
		"snapshot_inspect":       {"snapshot", "inspect", modern},
		"snapshot_inspect_files": {"snapshot", "inspect", "--json", snaps + "/snapshot.0", snaps + "/snapshot.bf.gz", snaps + "/snapshot.bf.snappy", snaps + "/snapshot.273"},
		"snapshot_znodes":        {"snapshot", "inspect", "--znodes", "--data", snaps + "/snapshot.b8"},
		"snapshot_znodes_json":   {"snapshot", "inspect", "--znodes", "--json", snaps + "/snapshot.ac"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs := good(t, args...)
			got := out + "---- standard error\n" + errs
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; write it with go test ./cmd/paddock -update, and read it", err)
			}
			if got != string(want) {
				t.Errorf("paddock %s printed other than %s:\n%s", strings.Join(args, " "), path, got)
			}
		})
	}
}

// objects parses the lines of --json output.
func objects[T any](t *testing.T, out string) (list []T) {
	t.Helper()
	for line := range strings.Lines(out) {
		var v T
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, v)
	}
	return list
}

// restored is what Apache ZooKeeper's own restore code made of a directory.
type restored struct {
	LastZxid string           `json:"last_zxid_hex"`
	Nodes    int              `json:"node_count"`
	Digest   string           `json:"tree_digest_v2"`
	Sessions map[string]int32 `json:"sessions"`
	Znodes   map[string]struct {
		Data []byte `json:"data_b64"`
		Stat struct {
			Czxid    int64 `json:"czxid"`
			Mzxid    int64 `json:"mzxid"`
			Pzxid    int64 `json:"pzxid"`
			Ctime    int64 `json:"ctime"`
			Mtime    int64 `json:"mtime"`
			Version  int32 `json:"version"`
			Cversion int32 `json:"cversion_internal"`
			Aversion int32 `json:"aversion"`
		} `json:"stat_persisted"`
	} `json:"nodes"`
}

func expected(t *testing.T) (want restored) {
	t.Helper()
	data, err := os.ReadFile(modern + "/expected-restore.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func TestTheLogIsWhatZooKeeperMakesOfIt(t *testing.T) {
	want := expected(t)
	out, errs := good(t, "wal", "dump", "--json", modern)
	records := objects[logRecord](t, out)
	for i := range records {
		if records[i].Zxid != fmt.Sprintf("%#x", i+1) {
			t.Fatalf("record %d has zxid %s", i, records[i].Zxid)
		}
	}
	last := records[len(records)-1]
	if last.Zxid != want.LastZxid || last.Digest.Tree != want.Digest {
		t.Errorf("the last record is %s with digest %s, want %s and %s", last.Zxid, last.Digest.Tree, want.LastZxid, want.Digest)
	}
	if errs != fmt.Sprintf("%d records\n", len(records)) {
		t.Errorf("the standard error says %q", errs)
	}
	open := map[string]int32{}
	for _, r := range records {
		switch r.Txn.Type {
		case "createSession":
			open[r.Session] = r.Txn.TimeoutMS
		case "closeSession":
			delete(open, r.Session)
		}
	}
	if fmt.Sprint(open) != fmt.Sprint(want.Sessions) {
		t.Errorf("sessions %v, want %v", open, want.Sessions)
	}
}

// The compressed snapshot is of the moment that ZooKeeper restores the directory to.
func TestTheSnapshotIsWhatZooKeeperMakesOfIt(t *testing.T) {
	want := expected(t)
	for _, file := range []string{"snapshot.bf.gz", "snapshot.bf.snappy"} {
		out, _ := good(t, "snapshot", "inspect", "--znodes", "--data", "--json", filepath.Join(snaps, file))
		lines := strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
		summary := objects[snapshotSummary](t, lines[len(lines)-1])[0]
		if summary.Zxid != want.LastZxid || summary.Digest != want.Digest || summary.Sessions != len(want.Sessions) || summary.Znodes != len(want.Znodes) {
			t.Errorf("%s: %+v", file, summary)
		}
		seen := 0
		for _, line := range lines[:len(lines)-1] {
			if strings.HasPrefix(line, `{"session"`) {
				s := objects[struct {
					Session   string
					TimeoutMs int32
				}](t, line)[0]
				if want.Sessions[s.Session] != s.TimeoutMs {
					t.Errorf("%s: session %+v", file, s)
				}
				continue
			}
			z := objects[snapshotZnode](t, line)[0]
			w, ok := want.Znodes[z.Path]
			if !ok {
				t.Errorf("%s: %s is not there in ZooKeeper", file, z.Path)
				continue
			}
			seen++
			hex := func(v int64) string { return fmt.Sprintf("%#x", v) }
			s := w.Stat
			got := fmt.Sprint(z.Data, z.DataBytes, z.Czxid, z.Mzxid, z.Pzxid, z.CtimeMS, z.MtimeMS, z.Version, z.Cversion, z.Aversion)
			if text := fmt.Sprint(w.Data, len(w.Data), hex(s.Czxid), hex(s.Mzxid), hex(s.Pzxid), s.Ctime, s.Mtime, s.Version, s.Cversion, s.Aversion); got != text {
				t.Errorf("%s: %s is %s, want %s", file, z.Path, got, text)
			}
		}
		if seen != len(want.Znodes) {
			t.Errorf("%s: %d znodes, want %d", file, seen, len(want.Znodes))
		}
	}
}

func TestARangeIsCutOutOfTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		first string
		n     int
	}{
		"from":                 {[]string{"--from", "0xb0"}, "0xb0", 16},
		"until":                {[]string{"--until", "0x10"}, "0x1", 16},
		"both, decimal":        {[]string{"--from", "20", "--until", "20"}, "0x14", 1},
		"behind the end":       {[]string{"--from", "0x100"}, "", 0},
		"until nothing":        {[]string{"--until", "0"}, "", 0},
		"until before from":    {[]string{"--from", "9", "--until", "8"}, "", 0},
		"all":                  {nil, "0x1", 191},
		"one file of the many": {[]string{modern + "/version-2/log.ae"}, "0xae", 11},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"wal", "dump", "--json"}, c.args...)
			if !strings.Contains(name, "file") {
				args = append(args, modern)
			}
			out, errs := good(t, args...)
			records := objects[logRecord](t, out)
			if len(records) != c.n || c.n > 0 && records[0].Zxid != c.first {
				t.Errorf("%d records: %.100s", len(records), out)
			}
			if errs != fmt.Sprintf("%d records\n", c.n) {
				t.Errorf("the standard error says %q", errs)
			}
		})
	}
}

// damaged is a copy of a file with one bit changed.
func damaged(t *testing.T, path string, at int) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0x10
	copied := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestWhatCannotBeReadIsSaidInOneLine(t *testing.T) {
	log, snap := damaged(t, modern+"/version-2/log.23", 900), damaged(t, snaps+"/snapshot.ac", 3000)
	empty := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"a damaged record":                 {[]string{"wal", "dump", log}, 1, []string{log + ": offset 875: ", "the checksum does not match; restore the directory from a backup"}},
		"a log from before 3.0":            {[]string{"wal", "dump", walFiles + "/legacy/log.100001bf0"}, 1, []string{"log.100001bf0: offset 0: no log file header", "; it looks like data from before ZooKeeper 3.0"}},
		"a damaged snapshot":               {[]string{"snapshot", "inspect", snap}, 1, []string{snap, "offset ", "; keep a copy"}},
		"a snapshot that was cut":          {[]string{"snapshot", "inspect", snaps + "/snapshot.83f"}, 1, []string{"snapshot.83f", "offset 4819", "; keep a copy"}},
		"a snapshot from before 3.0":       {[]string{"snapshot", "inspect", snaps + "/snapshot.100001bec"}, 1, []string{"snapshot.100001bec", "offset 16", "from before ZooKeeper 3.0"}},
		"a file that is missing":           {[]string{"wal", "dump", "/no/such"}, 1, []string{"/no/such", "pass a data directory or a log file"}},
		"a snapshot that is missing":       {[]string{"snapshot", "inspect", "/no/snapshot.5"}, 1, []string{"/no/snapshot.5", "pass a data directory or a snapshot"}},
		"a name that no snapshot has":      {[]string{"snapshot", "inspect", log}, 1, []string{log + " is not the name of a snapshot"}},
		"no directory of snapshots":        {[]string{"snapshot", "inspect", "/no/such"}, 1, []string{"/no/such: no such file", "pass a data directory or a snapshot"}},
		"a directory without logs":         {[]string{"wal", "dump", empty}, 1, []string{empty + ": no log files", "dataLogDir"}},
		"a directory without snapshots":    {[]string{"snapshot", "inspect", empty}, 1, []string{empty + ": no snapshots"}},
		"a range that is none":             {[]string{"wal", "dump", "--from", "first", empty}, 2, []string{`--from "first" is not a zxid: write for example`}},
		"the other end of it":              {[]string{"wal", "dump", "--until", "-1", empty}, 2, []string{`--until "-1" is not a zxid`}},
		"a load of nothing":                {[]string{"bench", "--connections", "0"}, 2, []string{"--connections is empty or 0; give at least 1"}},
		"a load of an unnamed server":      {[]string{"bench", "--server", ""}, 2, []string{"--server is empty or 0; give a server"}},
		"a load that is too large":         {[]string{"bench", "--connections", "30000"}, 2, []string{"connections is 30000; give 1 to 20000"}},
		"a word behind version":            {[]string{"version", "now"}, 2, []string{"see paddock version --help"}},
		"a word behind status":             {[]string{"status", "now"}, 2, []string{"see paddock status --help"}},
		"a word that is no setting":        {[]string{"serve", "zoo.cfg"}, 2, []string{`"zoo.cfg" is not key=value`, "--config"}},
		"a level there is not":             {[]string{"serve", "--log-level", "loud"}, 2, []string{`--log-level "loud": write debug, info, warn or error`}},
		"a format there is not":            {[]string{"serve", "--log-format", "xml"}, 2, []string{`--log-format "xml": write json, text or auto`}},
		"a configuration that is missing":  {[]string{"serve", "--config", "/no/zoo.cfg"}, 2, []string{"/no/zoo.cfg: no such file"}},
		"a port that is none":              {[]string{"serve", "clientPort=x"}, 2, []string{`clientPort: "x" is not a port`}},
		"profiles on an address of others": {[]string{"serve", "--pprof", "192.0.2.1:0", "dataDir=" + empty, "clientPort=1", "grpcPort=0", "httpPort=0"}, 2, []string{"--pprof 192.0.2.1:0: "}},
		"two ways to name a server":        {[]string{"status", "--address", "x:1", "--data-dir", empty}, 2, []string{"--address", "--data-dir"}},
		"a check of a path of znodes":      {[]string{"migrate", "check", "127.0.0.1:1/app"}, 2, []string{"127.0.0.1:1/app", "servers have no path"}},
		"a status of an empty name":        {[]string{"status", "--data-dir", ""}, 2, []string{"--data-dir is empty; name one, or leave it out"}},
		"a status of an empty address":     {[]string{"status", "--address", ""}, 2, []string{"--address is empty"}},
		"a stop of an empty name":          {[]string{"stop", "--data-dir", ""}, 2, []string{"--data-dir is empty"}},
		"a stop in no time":                {[]string{"stop", "--timeout", "0", "--data-dir", empty}, 2, []string{"--timeout 0s leaves no time"}},
		"a transfer by an empty name":      {[]string{"transfer", "--config", ""}, 2, []string{"--config is empty"}},
		"an empty data directory":          {[]string{"serve", "dataDir="}, 2, []string{"argument: dataDir is empty; write for example dataDir=/var/lib/zookeeper"}},
		"an empty configuration":           {[]string{"serve", "--config", ""}, 2, []string{"--config is empty"}},
		"a transfer to id 0":               {[]string{"transfer", "--to", "0", "--data-dir", empty}, 2, []string{"--to 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := paddock(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "paddock: ") {
				t.Errorf("not one line: %q", errs)
			}
			for _, text := range c.says {
				if !strings.Contains(errs, text) {
					t.Errorf("%q does not say %q", errs, text)
				}
			}
		})
	}
}

// fullDisk takes no bytes.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestOutputThatIsLostFails(t *testing.T) {
	for name, args := range map[string][]string{
		"version":          {"version"},
		"status":           {"status", "--json", "--data-dir", t.TempDir()},
		"wal dump":         {"wal", "dump", modern},
		"snapshot inspect": {"snapshot", "inspect", modern},
		"help":             {"--help"},
	} {
		t.Run(name, func(t *testing.T) {
			var errs bytes.Buffer
			code := run(t.Context(), args, fullDisk{}, &errs)
			if want := "paddock: standard output: no space left on device\n"; code != 1 || !strings.HasSuffix(errs.String(), want) {
				t.Errorf("exit code %d, standard error %q", code, errs.String())
			}
		})
	}
}

func TestVersion(t *testing.T) {
	text, _ := good(t, "version")
	if f := strings.Fields(text); len(f) != 5 || f[0] != "paddock" || f[1] != version {
		t.Errorf("%q", text)
	}
	out, _ := good(t, "version", "--json")
	v := objects[versionInfo](t, out)
	if len(v) != 1 || v[0].Version != version || v[0].Commit == "" || !strings.HasPrefix(v[0].Go, "go1.") || !strings.Contains(v[0].Platform, "/") {
		t.Errorf("%q", out)
	}
}
