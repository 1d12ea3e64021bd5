package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paddock/consensus/quorum"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "rewritten", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func written(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

// inDir returns Files in a new directory with a static file.
func inDir(t testing.TB, static []byte) Files {
	t.Helper()
	f := Files{Static: filepath.Join(t.TempDir(), "zoo.cfg")}
	must(t, os.WriteFile(f.Static, static, 0o640))
	return f
}

func proposed(t testing.TB) *quorum.Config {
	t.Helper()
	c, err := quorum.ParseConfig(string(fixture(t, "zoo.cfg.dynamic.next")))
	must(t, err)
	return c
}

// settings are the properties of a file, without the one that names the dynamic file.
func settings(t testing.TB, data []byte) (map[string]string, string) {
	t.Helper()
	props, problems := parseProperties(data)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	out := map[string]string{}
	for _, p := range props {
		out[p.key] = p.value
	}
	dynamic := out["dynamicConfigFile"]
	delete(out, "dynamicConfigFile")
	return out, dynamic
}

func TestDynamicFilesAreZooKeepersToTheByte(t *testing.T) {
	f := inDir(t, fixture(t, "before.cfg"))
	c := proposed(t)
	must(t, f.WriteNext(c))
	must(t, f.WriteCommitted(c, 1))
	for path, want := range map[string]string{f.Next(): "zoo.cfg.dynamic.next", f.Committed(c.Version): "zoo.cfg.dynamic.100000016"} {
		if got := written(t, path); filepath.Base(path) != want || got != string(fixture(t, want)) {
			t.Errorf("%s:\n%s", path, got)
		}
	}
	got, gotDynamic := settings(t, []byte(written(t, f.Static)))
	want, _ := settings(t, fixture(t, "java.cfg"))
	if len(got) != len(want) || gotDynamic != f.Committed(c.Version) {
		t.Errorf("%v naming %s, want %v", got, gotDynamic, want)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
	}
	if text := written(t, f.Static); !strings.HasPrefix(text, "# our ensemble\ntickTime=1000\ndataDir = /var/lib/zk/d1\n") || !strings.Contains(text, "! the members\n") {
		t.Errorf("comments, order or spelling are lost:\n%s", text)
	}
	if info, err := os.Stat(f.Static); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("permissions: %v, %v", info.Mode(), err)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(f.Static), "*.tmp")); len(names) > 0 {
		t.Errorf("left over: %v", names)
	}
}

func TestARewrittenConfigurationLoads(t *testing.T) {
	f := inDir(t, bytes.Replace(fixture(t, "before.cfg"), []byte("/var/lib/zk/d1"), []byte(t.TempDir()), 1))
	c := proposed(t)
	must(t, f.WriteCommitted(c, 1))
	src := Source{File: f.Static, ReadFile: func(path string) ([]byte, error) {
		if filepath.Base(path) == "myid" {
			return []byte("1"), nil
		}
		return os.ReadFile(path)
	}}
	loaded, _, err := Load(src)
	must(t, err)
	m := loaded.Members.Membership
	if !m.Equal(c) || m.Version != c.Version || loaded.Client.Port != 2181 {
		t.Errorf("client port %d, members\n%s\nwant\n%s", loaded.Client.Port, m, c)
	}
	// The next change takes the place of this one.
	next := c.WithVersion(0x200000003)
	must(t, f.WriteCommitted(next, 1))
	if loaded, _, err = Load(src); err != nil || loaded.Members.Membership.Version != 0x200000003 || strings.Count(written(t, f.Static), "dynamicConfigFile") != 1 {
		t.Errorf("%v\n%s", err, written(t, f.Static))
	}
}

func TestTheStaticFileIsRewrittenLineByLine(t *testing.T) {
	const named = "dynamicConfigFile=/d\n"
	withClient := quorum.Server{Client: quorum.HostPort{Host: "0.0.0.0", Port: 2181}}
	withSecure := quorum.Server{Secure: quorum.HostPort{Host: "0.0.0.0", Port: 2182}}
	for _, row := range []struct {
		name, in string
		own      quorum.Server
		want     string
	}{
		{"nothing", "", quorum.Server{}, named},
		{"no end of line", "a=b", quorum.Server{}, "a=b\n" + named},
		{"a continued member", "a=b\nserver.1=\\\n  x:1:2\nc=d\n", quorum.Server{}, "a=b\nc=d\n" + named},
		{"a comment between members", "server.1=x:1:2\n# two\nserver.2=y:1:2\n", quorum.Server{}, "# two\n" + named},
		{"other line ends", "a=b\r\nserver.1=x:1:2\r\nc=d\r\n", quorum.Server{}, "a=b\r\nc=d\r\n" + named},
		{"an escaped key", "a=b\nserv\\u0065r.1=x:1:2\n", quorum.Server{}, "a=b\n" + named},
		{"an older name of the dynamic file", "dynamicConfigFile=/e\na=b\n", quorum.Server{}, "a=b\n" + named},
		{"keys that only look like members", "serverCnxnFactory=x\nclientPortListenBacklog=9\n", withClient, "serverCnxnFactory=x\nclientPortListenBacklog=9\n" + named},
		{"client ports that the configuration has", "clientPort=1\nclientPortAddress=h\nsecureClientPort=2\n", withClient, "secureClientPort=2\n" + named},
		{"client ports that it does not have", "clientPort=1\nsecureClientPort=2\nsecureClientPortAddress=h\n", withSecure, "clientPort=1\n" + named},
		{"a backslash at the end", "a=b\\", quorum.Server{}, "a=b\\\n\n" + named},
		{"a key that cannot be read", "a\\u00=b\nserver.1=x:1:2\n", quorum.Server{}, "a\\u00=b\n" + named},
	} {
		if got := string(staticText([]byte(row.in), "/d", row.own)); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestTheProposedConfigurationIsKeptUntilItIsCommitted(t *testing.T) {
	f := inDir(t, nil)
	if c, err := f.ReadNext(); c != nil || err != nil {
		t.Errorf("without one: %v, %v", c, err)
	}
	must(t, f.RemoveNext())
	c := proposed(t)
	must(t, f.WriteNext(c))
	got, err := f.ReadNext()
	must(t, err)
	if !got.Equal(c) || got.Version != c.Version {
		t.Errorf("read back as\n%s", got)
	}
	must(t, f.RemoveNext())
	if c, err := f.ReadNext(); c != nil || err != nil {
		t.Errorf("after it was removed: %v, %v", c, err)
	}
	must(t, os.WriteFile(f.Next(), []byte("server.1=nonsense"), 0o600))
	if _, err := f.ReadNext(); err == nil || !strings.Contains(err.Error(), f.Next()) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestTheBackupIsACopy(t *testing.T) {
	f := inDir(t, fixture(t, "before.cfg"))
	must(t, f.WriteBackup())
	if written(t, f.Backup()) != string(fixture(t, "before.cfg")) {
		t.Error("it differs")
	}
}

func TestAStaticFileBehindALinkIsRewrittenWhereItIs(t *testing.T) {
	real := inDir(t, []byte("a=b\n"))
	link := Files{Static: filepath.Join(t.TempDir(), "zoo.cfg")}
	must(t, os.Symlink(real.Static, link.Static))
	must(t, link.WriteCommitted(proposed(t), 1))
	if info, err := os.Lstat(link.Static); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
	if text := written(t, real.Static); !strings.Contains(text, "dynamicConfigFile="+link.Static) {
		t.Errorf("got %q", text)
	}
}

func TestAFailedWriteLeavesTheStaticFile(t *testing.T) {
	f := inDir(t, []byte("a=b\n"))
	must(t, os.Mkdir(f.Committed(0x100000016), 0o755)) // in the way
	must(t, os.WriteFile(filepath.Join(f.Committed(0x100000016), "x"), nil, 0o600))
	if err := f.WriteCommitted(proposed(t), 1); err == nil || written(t, f.Static) != "a=b\n" {
		t.Errorf("%v, %q", err, written(t, f.Static))
	}
}

// FuzzStaticText: what a rewritten file says is what it said, without the members and with the name of the dynamic file.
func FuzzStaticText(f *testing.F) {
	f.Add(fixture(f, "before.cfg"), "/etc/zoo.cfg.dynamic.1")
	f.Add([]byte("a=b\\"), "/tmp/a b\\c\u00e9\U0001f600")
	f.Add([]byte("\\\nserver.1=x\n#\\\n"), " =:")
	f.Fuzz(func(t *testing.T, in []byte, path string) {
		if strings.ToValidUTF8(path, "") != path || javaTrim(path) != path {
			return // no path that is ever written
		}
		before, _ := parseProperties(in)
		after, _ := parseProperties(staticText(in, path, quorum.Server{}))
		var want []property
		for _, p := range before {
			if !dropped(p.key, quorum.Server{}) {
				want = append(want, p)
			}
		}
		if len(after) != len(want)+1 || after[len(want)].key != "dynamicConfigFile" || after[len(want)].value != path {
			t.Fatalf("%q for %q became %+v", in, path, after)
		}
		for i, p := range want {
			if after[i].key != p.key || after[i].value != p.value {
				t.Fatalf("%+v became %+v", p, after[i])
			}
		}
	})
}

// TestADynamicFileThatWasCutIsNoSmallerEnsemble: wherever the file ends, the server starts with all members or not at all.
func TestADynamicFileThatWasCutIsNoSmallerEnsemble(t *testing.T) {
	static := "dataDir=/data\nclientPort=2181\ninitLimit=10\nsyncLimit=5\ndynamicConfigFile=zoo.cfg.dynamic.100000016\n"
	known, err := quorum.ParseConfig("server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:participant\nserver.3=c:2888:3888:observer;0.0.0.0:2181\nversion=100000016")
	must(t, err)
	text := dynamicText(known, false)
	begin := func(text string) (*Notice, error) {
		c, _, err := Load(Source{File: "zoo.cfg", ReadFile: files(map[string]string{"zoo.cfg": static, "/data/myid": "1", "zoo.cfg.dynamic.100000016": text})})
		if err != nil {
			return nil, err
		}
		if n, err := c.CheckDynamic(known.WithVersion(0x100000017)); n != nil || err != nil {
			t.Errorf("of another version: %v, %v", n, err)
		}
		return c.CheckDynamic(known)
	}
	for n := range text {
		for _, end := range []string{"", "\n", "\r\n"} {
			if _, err := begin(text[:n] + end); err == nil || ExitCode(err) != ExitConfig || !strings.Contains(err.Error(), "zoo.cfg.dynamic.100000016") {
				t.Errorf("%q: %v", text[:n]+end, err)
			}
		}
	}
	for _, whole := range []string{text, text + "\n", strings.ReplaceAll(text, "\n", "\r\n") + "\r\n", "# copied\n" + text} {
		if n, err := begin(whole); n != nil || err != nil {
			t.Errorf("%q: %v, %v", whole, n, err)
		}
	}
	if n, err := begin(strings.Replace(text, "b:2888", "d:2888", 1)); n == nil || err != nil || !strings.Contains(n.String(), "servers 1,2,3") {
		t.Errorf("edited: %v, %v", n, err)
	}
	_, err = begin(text[:strings.Index(text, "server.3")])
	want := "zoo.cfg.dynamic.100000016: the end of the file is missing: the data know version 100000016 with servers 1,2,3; copy the file of this name from another member; " +
		"if servers were taken out on purpose, rename it to end in .100000017, correct dynamicConfigFile, and do the same on every server"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if _, err = begin(""); err == nil || !strings.Contains(err.Error(), "lists no servers") {
		t.Errorf("empty: %v", err)
	}
}
