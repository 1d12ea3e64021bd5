package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"paddock/server"
	"paddock/server/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// serving is the address of a server of this test's own, which is stopped when it ends.
func serving(t *testing.T) string {
	t.Helper()
	address, _ := servingBoth(t, false)
	return address
}

// servingBoth is a server with a gRPC port too, if that is asked for.
func servingBoth(t *testing.T, both bool, more ...string) (address, byGRPC string) {
	t.Helper()
	grpcPort := "0"
	if both {
		byGRPC, grpcPort = freeAddress(t)
	}
	address, port := freeAddress(t)
	cfg, notices, err := config.Load(config.Source{Dir: t.TempDir(), Args: append(more, "dataDir="+t.TempDir(), "clientPort="+port,
		"clientPortAddress=127.0.0.1", "grpcPort="+grpcPort, "httpPort=0", "tickTime=100", "maxSessionTimeout=60000")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Options{Config: cfg, Notices: notices, Logger: zerolog.Nop(), Version: "test", PID: os.Getpid()})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return address, byGRPC
}

// freeAddress is an address that nobody listens at.
func freeAddress(t *testing.T) (address, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address = l.Addr().String()
	_, port, _ = net.SplitHostPort(address)
	return address, port
}

// said is what came of a command line.
type said struct {
	out, errs string
	code      int
}

// text is a writer that several goroutines may use.
type text struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// run runs a command line with the input.
func run(t *testing.T, input, address string, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return runUntil(ctx, input, address, args...)
}

func runUntil(ctx context.Context, input, address string, args ...string) said {
	var out, errs text
	code := Main(ctx, append([]string{"-server", address, "-waitforconnection"}, args...), Streams{strings.NewReader(input), &out, &errs}, "test")
	return said{out.String(), errs.String(), code}
}

// must runs a command line that has to succeed, and returns what it has printed, without what ZooKeeper's banner is.
func must(t *testing.T, address string, args ...string) string {
	t.Helper()
	s := run(t, "", address, args...)
	if s.code != 0 {
		t.Fatalf("%q ended with %d: %s", args, s.code, s.errs)
	}
	_, rest, ok := strings.Cut(s.out, "type:None path:null\n")
	if !ok {
		return s.out
	}
	return rest
}

func TestCommandsOfPaddockHaveTheOutputForThemselves(t *testing.T) {
	address := serving(t)
	must(t, address, "create", "/a", "x")
	if got := must(t, address, "find", "/a"); got != "/a\n" {
		t.Errorf("find printed %q", got)
	}
	if got := must(t, address, "tree", "-d", "/a"); got != "/a  \"x\"\n\n1 znodes, 1 B\n" {
		t.Errorf("tree printed %q", got)
	}
	if got := must(t, address, "ls", "/"); got != "[a, zookeeper]\n" {
		t.Errorf("ls printed %q", got)
	}
}

func TestExportAndImportKeepWhatThereIs(t *testing.T) {
	here, there := serving(t), serving(t)
	script := strings.Join([]string{
		"create /app", `create /app/empty ""`, `create /app/text "two words"`, "set /app/text 'a \"quoted\" line'",
		"create /app/bytes", "set -b /app/bytes AAH/gA==", "create /app/mine secret ip:127.0.0.1:cdrwa,world:anyone:r",
		"create /app/mine/below x", "create -e /app/lease gone", "create /apple no", "export /app " + t.TempDir() + "/x", "quit"}, "\n")
	if s := run(t, script, here); s.code != 0 {
		t.Fatal(s.errs)
	}
	exported := must(t, here, "export", "/app")
	if n := strings.Count(exported, "\n"); n != 7 || strings.Contains(exported, "lease") {
		t.Fatalf("a header and six znodes were due: %s", exported)
	}
	for _, to := range []string{"/app", "/else/where"} {
		if s := run(t, exported, there, "import", "-to", to); s.code != 0 {
			t.Fatal(s.errs)
		}
		if s := run(t, "", here+"/app", "diff", there+to); s.code != 0 || s.out != "" {
			t.Errorf("what was imported to %s differs: %s%s", to, s.out, s.errs)
		}
	}
	if got := must(t, there, "get", "-b", "/app/bytes"); got != "AAH/gA==\n" {
		t.Errorf("bytes became %q", got)
	}
	if got := must(t, there, "get", "/app"); got != "null\n" {
		t.Errorf("null became %q", got)
	}
	if got := must(t, there, "get", "/app/empty"); got != "\n" {
		t.Errorf("empty became %q", got)
	}
}

func TestAnImportGoesOnWhereItBrokeOff(t *testing.T) {
	address := serving(t)
	file := "{\"paddock_export\":1,\"root\":\"/a\"}\n{\"path\":\"/a\",\"text\":\"new\"}\n{\"path\":\"/a/b\",\"text\":\"new\"}\n"
	must(t, address, "create", "/a", "old")
	for _, row := range []struct {
		name, exists string
		code         int
		a, b         string
	}{
		{"by default what is there is an error", "", 1, "old", ""},
		{"skip leaves it and creates the rest", "skip", 0, "old", "new"},
		{"overwrite replaces it", "overwrite", 0, "new", "new"},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := []string{"import"}
			if row.exists != "" {
				args = append(args, "-if-exists", row.exists)
			}
			if s := run(t, file, address, args...); s.code != row.code {
				t.Fatalf("ended with %d: %s", s.code, s.errs)
			}
			if got := must(t, address, "get", "/a"); got != row.a+"\n" {
				t.Errorf("/a is %q", got)
			}
			if s := run(t, "", address, "get", "/a/b"); (s.code == 0) != (row.b != "") {
				t.Errorf("/a/b: %+v", s)
			}
		})
	}
	for _, bad := range []string{"", "{}\n", "{\"paddock_export\":2,\"root\":\"/\"}\n", "{\"paddock_export\":1,\"root\":\"/a\"}\n{\"path\":\"/b\"}\n",
		"{\"paddock_export\":1,\"root\":\"/\"}\n{\"path\":\"/b\",\"mode\":\"odd\"}\n", "{\"paddock_export\":1,\"root\":\"/\"}\nnonsense\n"} {
		if s := run(t, bad, address, "import"); s.code != 1 || s.errs == "" {
			t.Errorf("%q was taken for an export: %+v", bad, s)
		}
	}
}

// What is read is created many at a time: the line that is named is that of the znode that could not be.
func TestAnImportNamesTheLineThatFailed(t *testing.T) {
	address := serving(t)
	const head = "{\"paddock_export\":1,\"root\":\"/a\"}\n{\"path\":\"/a\"}\n{\"path\":\"/a/b\"}\n"
	for _, row := range []struct{ name, there, file, line string }{
		{"a znode that is there", "/a/c", head + "{\"path\":\"/a/c\"}\n{\"path\":\"/a/d\"}\n{\"path\":\"/a/e\"}\n", "4"},
		{"one without a parent", "", head + "{\"path\":\"/a/d\"}\n{\"path\":\"/a/x/y\"}\n{\"path\":\"/a/e\"}\n", "5"},
		{"one of elsewhere", "", head + "{\"path\":\"/c\"}\n{\"path\":\"/a/e\"}\n", "4"},
		{"a line that is none", "", head + "nonsense\n", "4"},
		{"a znode that is there, before a line that is none", "/a/b", head + "nonsense\n", "3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			must(t, address, "create", "/a")
			if row.there != "" {
				must(t, address, "create", row.there)
			}
			if row.there != "" { // /a is there then
				row.file = strings.Replace(row.file, "{\"path\":\"/a\"}", "", 1)
			} else {
				must(t, address, "delete", "/a")
			}
			s := run(t, row.file, address, "import")
			if s.code != 1 || !strings.Contains(s.errs, "failed at line "+row.line+";") {
				t.Errorf("line %s is at fault: %+v", row.line, s)
			}
			if s := run(t, "", address, "get", "/a/b"); s.code != 0 {
				t.Errorf("what is before the line that failed is not there: %+v", s)
			}
			must(t, address, "deleteall", "/a")
		})
	}
}

func TestManyZnodesAreExportedImportedCopiedAndMoved(t *testing.T) {
	const many = 1500
	address := serving(t)
	var lines strings.Builder
	fmt.Fprintln(&lines, `{"paddock_export":1,"root":"/m"}`+"\n"+`{"path":"/m"}`)
	for i := range many {
		fmt.Fprintf(&lines, "{\"path\":\"/m/%05d\",\"text\":\"%d\"}\n", i, i)
	}
	if s := run(t, lines.String(), address, "import"); s.code != 0 {
		t.Fatal(s.errs)
	}
	for _, args := range [][]string{{"cp", "/m", "/n"}, {"cp", "-batches", "-p", "/n", "/x/o"}, {"mv", "/n", "/p"}, {"mv", "-batches", "/p", "/q"}} {
		must(t, address, args...)
	}
	for _, other := range []string{"/q", "/x/o"} {
		if s := run(t, "", address+"/m", "diff", address+other); s.code != 0 {
			t.Errorf("%s differs: %s", other, s.out)
		}
	}
	if got := must(t, address, "find", "-depth", "1"); got != "/\n/m\n/q\n/x\n/zookeeper\n" {
		t.Errorf("left are %q", got)
	}
	must(t, address, "set", "/q/00007", "other")
	if s := run(t, "", address+"/m", "diff", address+"/q"); s.code != exitDiffers || s.out != "~ /00007  data \"7\" here, \"other\" there\n" {
		t.Errorf("diff: %+v", s)
	}
	if s := run(t, "", address, "mv", "/m", "/m/below"); s.code != 1 {
		t.Errorf("a znode was moved below itself: %+v", s)
	}
	must(t, address, "create", "-s", "-e", "/m/e-")
	if s := run(t, "", address, "mv", "/m", "/r"); s.code != 1 || !strings.Contains(s.errs, "ephemeral") {
		t.Errorf("an ephemeral was moved: %+v", s)
	}
}

func TestCopyFailsWhenTheDestinationIsThere(t *testing.T) {
	address := serving(t)
	for _, args := range [][]string{{"create", "/a"}, {"create", "/a/b"}, {"create", "/c"}} {
		must(t, address, args...)
	}
	if s := run(t, "", address, "cp", "/a", "/c"); s.code != 1 || s.errs != "Node already exists: /c\n" {
		t.Errorf("%+v", s)
	}
	if got := must(t, address, "ls", "/c"); got != "[]\n" {
		t.Errorf("half of it was copied: %s", got)
	}
}

func TestFindKeepsToWhatIsAsked(t *testing.T) {
	address := serving(t)
	script := "create /a 12345\ncreate /a/one 1\ncreate /a/two 22\ncreate -e /a/lease x\ncreate /ab\n"
	for _, row := range []struct {
		name, args, want string
	}{
		{"a glob is about the last name", "-name [ot]* /a", "/a/one /a/two"},
		{"a path glob is about all of it", "-path /a/* /", "/a/lease /a/one /a/two"},
		{"a prefix need not end at a slash", "-prefix /a/t /", "/a/two"},
		{"more bytes than", "-size +1 /a", "/a /a/two"},
		{"fewer bytes than, null being none", "-size -1 -name ab /", "/ab"},
		{"just as many", "-size 2 /", "/a/two"},
		{"ephemerals", "-kind ephemeral /", "/a/lease"},
		{"what has no children", "-kind leaf -prefix /a /", "/a/lease /a/one /a/two /ab"},
		{"older than", "-age +1h /", "/ /zookeeper /zookeeper/config /zookeeper/quota"},
		{"younger than", "-age -1h -depth 0 /a", "/a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := run(t, script+"find "+row.args+"\nquit\n", address)
			script = "create -e /a/lease x\n"
			_, out, _ := strings.Cut(s.out, "disabled\n")
			if got := strings.Join(strings.Fields(out[:max(0, strings.Index(out+"\nWATCHER", "\nWATCHER"))]), " "); got != row.want {
				t.Errorf("found %q, not %q: %s", got, row.want, s.errs)
			}
		})
	}
	for _, bad := range [][]string{{"-name", "["}, {"-size", "many"}, {"-age", "old"}, {"-kind", "odd"}, {"-kind", "ttl"}, {"-depth", "-1"}} {
		if s := run(t, "", address, append([]string{"find"}, bad...)...); s.code != 1 || s.errs == "" {
			t.Errorf("%q: %+v", bad, s)
		}
	}
}

func TestWatchTellsEachChange(t *testing.T) {
	address := serving(t)
	must(t, address, "create", "/w")
	got := make(chan said, 1)
	var out, errs text
	go func() {
		code := Main(t.Context(), []string{"-server", address, "watch", "-r", "-json", "-d", "-n", "3", "/w"}, Streams{strings.NewReader(""), &out, &errs}, "test")
		got <- said{out.String(), errs.String(), code}
	}()
	for deadline := time.Now().Add(patience); !strings.Contains(errs.String(), "watching"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not watch: %s", errs.String())
		}
	}
	for _, args := range [][]string{{"create", "/w/a", "1"}, {"set", "/w", "2"}, {"delete", "/w/a"}} {
		must(t, address, args...)
	}
	s := <-got
	if lines := strings.Split(strings.TrimSpace(s.out), "\n"); s.code != 0 || len(lines) != 3 ||
		!strings.Contains(lines[0], `"type":"NodeCreated","path":"/w/a"`) ||
		!strings.Contains(lines[1], `"type":"NodeDataChanged","path":"/w"`) || !strings.Contains(lines[2], `"type":"NodeDeleted","path":"/w/a"`) {
		t.Errorf("%+v", s)
	}
}

func TestLockRunsOneCommandAtATime(t *testing.T) {
	address := serving(t)
	file := t.TempDir() + "/count"
	if err := os.WriteFile(file, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	const holders = 4
	var all sync.WaitGroup
	for range holders {
		all.Go(func() {
			s := runUntil(t.Context(), "", address, "lock", "/locks/one", "--", "sh", "-c", `n=$(cat "$0"); echo $((n+1)) > "$0"; test -n "$PADDOCK_LOCK_TOKEN"`, file)
			if s.code != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	all.Wait()
	if b, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(holders) {
		t.Errorf("counted %s, %v", b, err)
	}
	if got := must(t, address, "find", "-prefix", "/locks/one/", "/"); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

func TestLockEndsAsItsCommandDoes(t *testing.T) {
	address := serving(t)
	for _, row := range []struct {
		name string
		args []string
		code int
	}{
		{"its exit code", []string{"lock", "/l", "--", "sh", "-c", "exit 7"}, 7},
		{"its signal", []string{"elect", "/l", "--", "sh", "-c", "kill -9 $$"}, 137},
		{"a program that is not there", []string{"lock", "/l", "--", "no-such-program"}, 127},
		{"a program that cannot be run", []string{"lock", "/l", "--", "/dev/null"}, 126},
		{"no command", []string{"lock", "/l"}, exitHoldFailed},
		{"a path that cannot be", []string{"lock", "l", "--", "true"}, exitHoldFailed},
	} {
		t.Run(row.name, func(t *testing.T) {
			if s := run(t, "", address, row.args...); s.code != row.code {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What goes on while its lock is somebody else's is what locks are there to prevent.
func TestACommandIsToldWhenItsTerminalHangsUp(t *testing.T) {
	address := serving(t)
	if signal.Ignored(syscall.SIGHUP) { // by who runs the test
		if s := run(t, "", address, "lock", "/l", "--", "sh", "-c", "kill -HUP $PPID; exit 9"); s.code != 9 {
			t.Errorf("it was told although hangups are ignored: %+v", s)
		}
		return
	}
	if s := run(t, "", address, "lock", "/l", "--", "sh", "-c", "kill -HUP $PPID; exec sleep 300"); s.code != 128+int(syscall.SIGTERM) {
		t.Errorf("%+v", s)
	}
	if s := run(t, "", address, "lock", "-w", "0", "/l", "--", "true"); s.code != 0 {
		t.Errorf("the lock is not given back: %+v", s)
	}
}

func TestACommandIsToldWhenItsLockIsLost(t *testing.T) {
	address := serving(t)
	got := make(chan said, 1)
	go func() {
		got <- runUntil(t.Context(), "", address, "lock", "/l", "--", "sh", "-c", `trap 'exit 3' TERM; while :; do sleep 0.05; done`)
	}()
	var held string
	for deadline := time.Now().Add(patience); held == ""; {
		if time.Now().After(deadline) {
			t.Fatal("the lock is not taken")
		}
		held = strings.TrimSpace(run(t, "", address, "find", "-name", "_c_*", "/").out)
	}
	if s := run(t, "", address, "lock", "-w", "0", "/l", "--", "true"); s.code != exitWaited {
		t.Errorf("a lock that is held was given: %+v", s)
	}
	must(t, address, "delete", held)
	if s := <-got; s.code != exitHoldFailed || !strings.Contains(s.errs, "lost") {
		t.Errorf("%+v", s)
	}
}

func TestRefusedCredentialsEndTheSession(t *testing.T) {
	s := run(t, "addauth nosuchscheme x\nwhoami\n", serving(t))
	if s.code != 0 || s.errs != "KeeperErrorCode = AuthFailed\n" || !strings.Contains(s.out, "Not connected\n") {
		t.Errorf("%+v", s)
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	var out, errs text
	code := Main(t.Context(), []string{"-server", "127.0.0.1:1", "ls", "/"}, Streams{strings.NewReader(""), &out, &errs}, "test")
	if code != 1 || !strings.HasPrefix(errs.String(), "KeeperErrorCode = ConnectionLoss for /\n") || !strings.Contains(errs.String(), "127.0.0.1:1") {
		t.Errorf("%d: %s", code, errs.String())
	}
}
