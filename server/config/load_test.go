package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// files is a ReadFile over a map.
func files(m map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := m[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
}

func TestServeAloneIsAStandaloneServerOnLoopback(t *testing.T) {
	c, notices, err := Load(Source{Dir: "/home/me", ReadFile: files(nil)})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %d@%s %d@%s %d@%s %v", c.DataDir, c.Client.Port, c.Client.Address, c.GRPC.Port, c.GRPC.Address, c.HTTP.Port, c.HTTP.Address, c.Distributed())
	if want := "/home/me/data 2181@127.0.0.1 7181@127.0.0.1 8080@127.0.0.1 false"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(notices) != 1 || notices[0].Level != Info || !strings.Contains(notices[0].String(), "clientPortAddress=0.0.0.0") {
		t.Errorf("notices %v", notices)
	}
}

func TestStrengthOfSources(t *testing.T) {
	const base = "dataDir=/data\nclientPort=2181\n"
	for _, tc := range []struct {
		name, file string
		src        Source
		key, want  string
		notice     string // part of a notice that must be there; "" = no notice at all
	}{
		{"an argument beats the file without a word", "snapCount=10", Source{Args: []string{"snapCount=20"}}, "snapCount", "20", ""},
		{"an argument beats a -D word", "", Source{Args: []string{"snapCount=20"}, JVMFlags: "-Dzookeeper.snapCount=5"}, "snapCount", "20", ""},
		{"an argument may have -D in front", "", Source{Args: []string{"-Dzookeeper.snapCount=20"}}, "snapCount", "20", ""},
		{"the later argument wins", "", Source{Args: []string{"snapCount=20", "snapCount=30"}}, "snapCount", "30", "overridden"},
		{"a -D word is read", "", Source{JVMFlags: "-Xmx1g -Dzookeeper.snapCount=5"}, "snapCount", "5", ""},
		{"the file beats a -D word", "snapCount=10", Source{ServerJVMFlags: "-Dzookeeper.snapCount=5"}, "snapCount", "10", "-D in SERVER_JVMFLAGS: zookeeper.snapCount is overridden by snapCount of zoo.cfg:3"},
		{"JVMFLAGS beats SERVER_JVMFLAGS", "", Source{ServerJVMFlags: "-Dzookeeper.snapCount=5", JVMFlags: "-Dzookeeper.snapCount=6"}, "snapCount", "6", ""},
		{"the -D word beats the file for keys ZooKeeper never reads from it", "jute.maxbuffer=10000", Source{JVMFlags: "-Djute.maxbuffer=20000"}, "jute.maxbuffer", "20000", "overridden"},
		{"a -D word for a key of the file only does nothing", "", Source{JVMFlags: "-Dzookeeper.tickTime=5"}, "tickTime", "3000", "-Dzookeeper.tickTime has no effect"},
		{"a -D word without prefix is Java's", "", Source{JVMFlags: "-Djava.net.preferIPv4Stack=true"}, "tickTime", "3000", "ignored: java.net.preferIPv4Stack (JVM specific)"},
		{"the property's name beats an alias, wherever it stands", "request_throttle_max_requests=5\nrequestThrottleLimit=6", Source{}, "request_throttle_max_requests", "5", "overridden by request_throttle_max_requests"},
		{"the last of two lines wins", "snapCount=10\nsnapCount=11", Source{}, "snapCount", "11", "zoo.cfg:4: snapCount given twice, this line wins over line 3"},
		{"a multi-address switch may be a -D word", "", Source{JVMFlags: "-Dzookeeper.multiAddress.enabled=true"}, "multiAddress.enabled", "true", "ignored: multiAddress.enabled"},
		{"zkServer.sh's switch for missing directories is honoured", "", Source{}.FromEnvironment(func(k string) string {
			return map[string]string{"ZOO_DATADIR_AUTOCREATE_DISABLE": "1"}[k]
		}), "datadir.autocreate", "false", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tc.src
			s.File, s.ReadFile = "zoo.cfg", files(map[string]string{"zoo.cfg": base + tc.file})
			c, notices, err := Load(s)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := c.Setting(tc.key); got.Value != tc.want {
				t.Errorf("got %s from %s, want %s", got.Value, got.Origin, tc.want)
			}
			all := fmt.Sprint(notices)
			if tc.notice == "" && len(notices) > 0 || !strings.Contains(all, tc.notice) {
				t.Errorf("notices %s, want %q", all, tc.notice)
			}
		})
	}
}

func TestHostFactsAreFound(t *testing.T) {
	s := Source{}.FromHost()
	if !filepath.IsAbs(s.Dir) || s.Hostname == "" {
		t.Errorf("%q, %q", s.Dir, s.Hostname)
	}
	if found, err := s.LookupHost("127.0.0.1"); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	for _, a := range s.LocalAddrs {
		if a.IsLoopback() {
			t.Errorf("%s is loopback", a)
		}
	}
}

func TestNearestKey(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"clinetPort", "clientPort"}, {"ticktime", "tickTime"}, {"datadir", "dataDir"}, {"autopurge.purgeIntervall", "autopurge.purgeInterval"},
		{"maxClientConnxns", "maxClientCnxns"}, {"zookeeper.snapcount", "snapCount"}, {"hello", ""}, {"x", ""}, {"", ""}, {strings.Repeat("a", 1000), ""},
	} {
		if got := nearest(tc.in); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestAFileOfUnknownKeysDoesNotFillTheLog(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "key%d=1\n", i)
	}
	_, notices, _ := load(t, "dataDir=/data\nclientPort=2181\n"+b.String(), "")
	if len(notices) != unknownNoticesMax+1 || notices[0].Message != "4980 more unknown keys" {
		t.Errorf("%d notices, the first %s", len(notices), notices[0])
	}
}

func TestDescribeCanBeLoadedAgain(t *testing.T) {
	for _, file := range []string{"busy_production.cfg", "debian_sample.cfg", "hierarchical.cfg"} {
		t.Run(file, func(t *testing.T) {
			read := func(text string) *Config {
				data := map[string]string{"zoo.cfg": text}
				if file == "hierarchical.cfg" {
					data["/data/myid"] = "2"
				}
				c, _, err := Load(Source{File: "zoo.cfg", Dir: "/work dir\\é", ReadFile: files(data)})
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			original, err := readBounded(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			first := read(string(original))
			second := read(first.Describe())
			first.Auth.SuperDigest = "" // never shown
			for _, c := range []*Config{first, second} {
				c.settings = nil
				c.Members.Origins = nil
			}
			if !reflect.DeepEqual(first, second) {
				t.Errorf("got %+v\nwant %+v", second, first)
			}
		})
	}
}

func TestDescribeHidesSecrets(t *testing.T) {
	c, _, _ := load(t, "dataDir=/data\nclientPort=1\nDigestAuthenticationProvider.superDigest=super:abc\nssl.keyStore.password=hunter2\n", "")
	if text := c.Describe(); strings.Contains(text, "super:abc") || strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}

func TestHintForMissingMyID(t *testing.T) {
	const text = "dataDir=/data\nclientPort=1\ninitLimit=1\nsyncLimit=1\nserver.1=zk1.example.org:1:2\nserver.2=10.0.0.2:1:2\nserver.3=zk3:1:2\n"
	lookup := func(host string) ([]netip.Addr, error) {
		if host == "zk3" {
			return []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.3")}, nil
		}
		return nil, errors.New("no such host")
	}
	for _, tc := range []struct {
		name   string
		change func(*Source)
		want   string
	}{
		{"the address matches", func(s *Source) { s.LocalAddrs = []netip.Addr{netip.MustParseAddr("10.0.0.2")} }, "this host's addresses match server.2, so: echo 2 > /data/myid"},
		{"the host name matches", func(s *Source) { s.Hostname = "ZK1" }, "this host's addresses match server.1, so: echo 1 > /data/myid"},
		{"the looked-up address matches", func(s *Source) {
			s.LocalAddrs, s.LookupHost = []netip.Addr{netip.MustParseAddr("10.0.0.3")}, lookup
		}, "this host's addresses match server.3, so: echo 3 > /data/myid"},
		{"two match", func(s *Source) {
			s.Hostname, s.LocalAddrs = "zk1", []netip.Addr{netip.MustParseAddr("10.0.0.2")}
		}, "write this server's id, one of 1,2,3: echo N > /data/myid"},
		{"none matches", func(s *Source) {}, "write this server's id, one of 1,2,3: echo N > /data/myid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, problems := load(t, text, "", tc.change)
			if want := "/data/myid is missing; " + tc.want; problems.Error() != want {
				t.Errorf("got %s, want %s", problems.Error(), want)
			}
		})
	}
}

func TestMyIDGivenOnTheCommandLine(t *testing.T) {
	const text = "dataDir=/data\nclientPort=1\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n"
	arg := func(v string) func(*Source) { return func(s *Source) { s.Args = []string{"myid=" + v} } }
	for _, tc := range []struct {
		name, id string
		change   func(*Source)
		want     string
	}{
		{"it is written when the file is missing", "", arg("2"), "2 true"},
		{"the file agrees", "2\n", arg("2"), "2 false"},
		{"the file is never overwritten", "1\n", arg("2"), "argument: myid 2 was asked for, but /data/myid is 1; the file is never overwritten: remove the setting, or the file if it is wrong"},
		{"auto takes the ordinal of the host name plus one", "", func(s *Source) { arg("auto")(s); s.Hostname = "zk-2.zk.svc" }, "3 true"},
		{"auto prefers the environment", "", func(s *Source) { arg("auto")(s); s.Hostname, s.MyID = "zk-2", "1" }, "1 true"},
		{"auto yields to the file", "1", func(s *Source) { arg("auto")(s); s.Hostname = "zk-2" }, "1 false"},
		{"the environment alone is enough", "", func(s *Source) { s.MyID = "3" }, "3 true"},
		{"auto without an ordinal is refused", "", func(s *Source) { arg("auto")(s); s.Hostname = "host" }, `argument: myid=auto, but the host name "host" does not end in -<number>; set PADDOCK_MYID, or write the number`},
		{"anything else is refused", "", arg("two"), `argument: myid: "two" is neither a number nor auto; write this server's id`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _, problems := load(t, text, tc.id, tc.change)
			got := fmt.Sprint(c.ServerID, c.WriteMyID)
			if problems != nil {
				got = problems.Error()
			}
			if got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestMembershipIsRenderedAsZooKeeperDoes(t *testing.T) {
	c, _, problems := load(t, "dataDir=/data\ninitLimit=1\nsyncLimit=1\nserver.10=c:1:2;2181\nserver.2=b:1:2:observer\nserver.1=a:1:2\n", "10")
	if problems != nil {
		t.Fatal(problems)
	}
	m := c.Members.Membership
	want := "server.1=a:1:2:participant\nserver.2=b:1:2:observer\nserver.10=c:1:2:participant;0.0.0.0:2181\nversion=0"
	if m.String() != want {
		t.Errorf("got %s", m)
	}
	if c.Client.Port != 2181 || c.Client.Address != "0.0.0.0" || !c.Distributed() {
		t.Errorf("client door %+v", c.Client.Door)
	}
}

// FuzzParse: no configuration makes Load panic or say more than a bounded amount per line, and one
// that is accepted describes itself in a way that is accepted again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"dataDir=/data\nclientPort=2181\n", "server.1=a:1:2\nserver.2=b:1:2;2181\ngroup.1=1:2\nweight.1=0", "tickTime=0x10\nssl.keyStore.location=x",
		"dynamicConfigFile=zoo.cfg\nserver.1=a:1:2", "authProvider.1=a.b.C\nsuperUser=x\nmyid=auto", "4lw.commands.whitelist=*,ruok\nautopurge.purgeInterval=5m",
	} {
		f.Add(seed, "1", "-Dzookeeper.snapCount=1 -Djute.maxbuffer=5", "tickTime=5")
	}
	f.Fuzz(func(t *testing.T, text, id, flags, arg string) {
		s := Source{File: "zoo.cfg", JVMFlags: flags, Args: []string{arg}, ReadFile: func(name string) ([]byte, error) {
			if filepath.Base(name) == "myid" {
				return []byte(id), nil
			}
			return []byte(text), nil
		}}
		c, notices, err := Load(s)
		lines := 2*strings.Count(text+"\r"+flags, "\n") + len(text) + len(flags) + 100
		if len(notices) > 4*lines {
			t.Fatalf("%d notices from %d bytes", len(notices), len(text))
		}
		for _, n := range notices {
			if strings.ContainsAny(n.String(), "\n\r") {
				t.Fatalf("notice of two lines: %q", n)
			}
		}
		described := c.Describe()
		if err != nil || c.Members.DynamicFile != "" || c.Members.ReconfigEnabled {
			return
		}
		s.Args, s.JVMFlags = nil, ""
		s.ReadFile = func(name string) ([]byte, error) {
			if filepath.Base(name) == "myid" {
				return []byte(id), nil
			}
			return []byte(described), nil
		}
		if _, _, err := Load(s); err != nil {
			t.Fatalf("%v\n%s", err, described)
		}
	})
}
