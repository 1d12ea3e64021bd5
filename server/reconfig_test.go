package server

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/server/juteapi"
	"paddock/storage/tree"
)

func TestAnAddressThatIsBoundIsKnownAgain(t *testing.T) {
	bound := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2181}
	for name, c := range map[string]struct {
		bound *net.TCPAddr
		want  quorum.HostPort
		same  bool
	}{
		"itself":                           {bound, quorum.HostPort{Host: "127.0.0.1", Port: 2181}, true},
		"by its name":                      {bound, quorum.HostPort{Host: "localhost", Port: 2181}, true},
		"another port":                     {bound, quorum.HostPort{Host: "127.0.0.1", Port: 2182}, false},
		"another address":                  {bound, quorum.HostPort{Host: "127.0.0.2", Port: 2181}, false},
		"all addresses where one is bound": {bound, quorum.HostPort{Host: "0.0.0.0", Port: 2181}, false},
		"all addresses of either kind":     {&net.TCPAddr{IP: net.IPv6zero, Port: 2181}, quorum.HostPort{Host: "0.0.0.0", Port: 2181}, true},
		"no host":                          {bound, quorum.HostPort{Port: 2181}, true},
	} {
		if got := sameEndpoint(c.bound, c.want); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTheFileIsLeftAloneUntilAReconfiguration: the first configuration under the version of its epoch says nothing new.
func TestTheFileIsLeftAloneUntilAReconfiguration(t *testing.T) {
	const text = "# ours\nreconfigEnabled=true\nserver.1=a:1:2;3\nserver.2=b:1:2;3\n"
	file := filepath.Join(t.TempDir(), "zoo.cfg")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := quorum.ParseConfig("server.1=a:1:2;3\nserver.2=b:1:2;3")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{log: zerolog.Nop(), cfg: &config.Config{File: file, ServerID: 1, Members: config.Members{Membership: first}}}
	k := &configuration{server: s, files: config.Files{Static: file}}
	for _, version := range []zk.Zxid{0x100000000, 0x200000000} {
		k.seen = first.WithVersion(version)
		k.keep(k.writeNext)
		k.committed, k.seen = k.seen, nil
		k.keep(k.writeCommitted)
	}
	if got := read(t, file); got != text || len(beside(t, file)) != 1 {
		t.Fatalf("%q, %q", got, beside(t, file))
	}
	k.seen = first.WithVersion(0x200000001)
	k.keep(k.writeNext)
	if got := beside(t, file); len(got) != 2 || !strings.HasSuffix(got[1], ".dynamic.next") {
		t.Fatalf("%q", got)
	}
	k.committed, k.seen = k.seen, nil
	k.keep(k.writeCommitted)
	if got := read(t, file); !strings.Contains(got, "# ours\n") || !strings.Contains(got, "dynamicConfigFile=") || strings.Contains(got, "server.1") {
		t.Errorf("%q", got)
	}
	if got := beside(t, file); len(got) != 3 || read(t, file+".bak") != text || got[2] != file+".dynamic.200000001" {
		t.Errorf("%q", got)
	}
	k.committed = first.WithVersion(0x300000000)
	k.keep(k.writeCommitted) // now that the file names another, every version counts
	if got := read(t, file); !strings.Contains(got, "300000000") || read(t, file+".bak") != text {
		t.Errorf("%q", got)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// beside are the files of which the names begin with file, sorted.
func beside(t *testing.T, file string) []string {
	t.Helper()
	names, err := filepath.Glob(file + "*")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestTheMembersOfTheFilesAreComparedWithTheData at the start, before anybody is served.
func TestTheMembersOfTheFilesAreComparedWithTheData(t *testing.T) {
	dir := t.TempDir()
	dynamic := filepath.Join(dir, "zoo.cfg.dynamic.100000016")
	const whole = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant"
	begin := func(text string, known string) ([]string, error) {
		t.Helper()
		write(t, dynamic, text)
		write(t, filepath.Join(dir, "myid"), "1")
		write(t, filepath.Join(dir, "zoo.cfg"), "dataDir="+dir+"\nclientPort=2181\ninitLimit=10\nsyncLimit=5\ndynamicConfigFile="+dynamic+"\n")
		c, _, err := config.Load(config.Source{File: filepath.Join(dir, "zoo.cfg")})
		if err != nil {
			t.Fatal(err)
		}
		data := tree.New(1)
		data.SetConfig(known, 0x100000016, 0)
		s := &server{log: zerolog.Nop(), cfg: c}
		err = s.checkMembers(data)
		return s.warnings(), err
	}
	if _, err := begin(strings.TrimSuffix(whole, "\nserver.3=c:1:2:participant"), whole+"\nversion=100000016"); config.ExitCode(err) != config.ExitConfig {
		t.Errorf("cut: %v", err)
	}
	if _, err := begin("server.1=a:1:2:participant", whole+"\nversion=100000016"); config.ExitCode(err) != config.ExitConfig {
		t.Errorf("cut to a server alone: %v", err)
	}
	if w, err := begin(whole, whole+"\nversion=100000016"); len(w) > 0 || err != nil {
		t.Errorf("whole: %q, %v", w, err)
	}
	if w, err := begin(whole, ""); len(w) > 0 || err != nil {
		t.Errorf("without any in the data: %q, %v", w, err)
	}
	if w, err := begin(strings.Replace(whole, "server.2=b", "server.2=d", 1), whole+"\nversion=100000016"); len(w) != 1 || err != nil || !strings.Contains(w[0], "differs from what the data know") {
		t.Errorf("edited: %q, %v", w, err)
	}
	if w, err := begin("server.1=a:1:2:participant", whole+"\nversion=100000015"); len(w) != 1 || err != nil || !strings.Contains(w[0], "these data are of the ensemble of servers 1,2,3") {
		t.Errorf("alone: %q, %v", w, err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAClientPortThatCannotBeMovedIsTriedAgain: status warns until it is where the configuration says, and the log is told once.
func TestAClientPortThatCannotBeMovedIsTriedAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port, err := juteapi.Listen("127.0.0.1:0", juteapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	before, want := port.Addr().String(), taken.Addr().String()
	log := newJournal()
	s := &server{log: zerolog.New(log), cfg: &config.Config{}}
	k := &configuration{server: s, live: &live{client: port}, client: quorum.HostPort{Host: "127.0.0.1", Port: taken.Addr().(*net.TCPAddr).Port}}
	for range 2 {
		k.move()
	}
	lines, _ := log.with("cannot be moved")
	if w := s.warnings(); port.Addr().String() != before || len(w) != 1 || !strings.Contains(w[0], "the client port stays at "+before) || len(lines) != 1 {
		t.Fatalf("at %s, warns %q, says %q", port.Addr(), w, lines)
	}
	taken.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	var again sync.WaitGroup
	again.Go(func() { k.moveAgain(ctx) })
	for port.Addr().String() != want && ctx.Err() == nil {
		<-time.After(time.Millisecond)
	}
	cancel()
	again.Wait()
	if w := s.warnings(); port.Addr().String() != want || len(w) != 0 {
		t.Errorf("at %s, warns %q", port.Addr(), w)
	}
}
