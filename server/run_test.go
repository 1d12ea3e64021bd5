package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"paddock/internal/client"
	"paddock/internal/freeport"
	"paddock/internal/zk"
	"paddock/server/config"
	"paddock/server/grpcapi"
	"paddock/storage/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// journal keeps the lines of a server's log.
type journal struct {
	mu    sync.Mutex // guards the fields below
	lines []string
	more  chan struct{} // closed at the next line
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(line))
	close(j.more)
	j.more = make(chan struct{})
	return len(line), nil
}

// with are the lines that have the text in them.
func (j *journal) with(text string) (found []string, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.Contains(l, text) {
			found = append(found, l)
		}
	}
	return found, j.more
}

// running is a server in this process.
type running struct {
	t      *testing.T
	dir    string
	port   int
	log    *journal
	cancel context.CancelFunc
	ended  chan error
	err    error
	over   bool
}

// load is the configuration of a server in dir with a free client port and no other, changed by args.
func load(t *testing.T, dir string, args ...string) (*config.Config, []config.Notice) {
	t.Helper()
	all := args
	for _, other := range []string{"dataDir=" + dir, "clientPort=" + strconv.Itoa(freeport.Take(t)), "clientPortAddress=127.0.0.1", "grpcPort=0", "httpPort=0"} {
		key, _, _ := strings.Cut(other, "=")
		if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, key+"=") }) {
			all = append(all, other)
		}
	}
	cfg, notices, err := config.Load(config.Source{Args: all, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, notices
}

// start runs a server and waits until it serves.
func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	cfg, notices := load(t, dir, args...)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, dir: dir, port: cfg.Client.Port, log: newJournal(), cancel: cancel, ended: make(chan error, 1)}
	go func() {
		r.ended <- Run(ctx, Options{Config: cfg, Notices: notices, Logger: zerolog.New(r.log), Version: "1.2.3", PID: os.Getpid()})
	}()
	t.Cleanup(func() {
		if !r.over {
			r.stop()
		}
	})
	if slices.Contains(args, "standaloneEnabled=false") {
		r.await(`"message":"serving in the ensemble"`)
	} else {
		r.await(`"message":"serving"`)
	}
	return r
}

// await waits for a line of the log.
func (r *running) await(text string) string {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		found, more := r.log.with(text)
		if len(found) > 0 {
			return found[0]
		}
		select {
		case <-more:
		case err := <-r.ended:
			r.over = true
			r.t.Fatalf("the server ended with %v and never logged %q: %s", err, text, r.log.lines)
		case <-deadline:
			r.t.Fatalf("the server never logged %q: %s", text, r.log.lines)
		}
	}
}

// stop ends the server and returns what Run returned.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	return r.wait()
}

func (r *running) wait() error {
	r.t.Helper()
	if r.over {
		return r.err
	}
	select {
	case r.err = <-r.ended:
		r.over = true
		r.cancel()
	case <-time.After(patience):
		r.t.Fatal("the server does not stop")
	}
	return r.err
}

func (r *running) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

func (r *running) dial(opt client.Options) *client.Conn {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, r.address(), opt)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Abandon)
	return c
}

func do(t *testing.T, c *client.Conn, req zk.Request) *zk.Reply {
	t.Helper()
	if req.Op.IsCreate() {
		req.ACL, req.TTLMS = zk.OpenACL, -1
	}
	rep, err := c.Do(&req)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// word asks a four-letter word.
func (r *running) word(text string) string {
	r.t.Helper()
	c, err := net.Dial("tcp", r.address())
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprint(c, text)
	answer, err := io.ReadAll(c)
	if err != nil {
		r.t.Fatal(text, err)
	}
	return string(answer)
}

// files are the names in the directory that have a prefix, by zxid.
func files(t *testing.T, dir, prefix string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "version-2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		za, _, _ := snapshot.ParseName(a)
		zb, _, _ := snapshot.ParseName(b)
		return int(za - zb)
	})
	return names
}

func TestAServerKeepsItsDataAndItsSessions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet", "there")
	r := start(t, dir)
	c := r.dial(client.Options{})
	if rep := do(t, c, zk.Request{Op: zk.OpCreate, Path: "/a", Data: []byte("kept")}); rep.Err != zk.OK {
		t.Fatal(rep.Err)
	}
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/e", Mode: zk.Ephemeral})
	rep := do(t, c, zk.Request{Op: zk.OpSetData, Path: "/a", Data: []byte("kept well"), Version: 0})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()

	r = start(t, dir)
	again := r.dial(client.Options{Session: c.Session(), Password: c.Password(), LastZxid: rep.Zxid})
	if again.Session() != c.Session() {
		t.Errorf("session %v instead of %v", again.Session(), c.Session())
	}
	got := do(t, again, zk.Request{Op: zk.OpGetData, Path: "/a"})
	if string(got.Data) != "kept well" || got.Stat.Mzxid != rep.Zxid || got.Stat.Version != 1 {
		t.Errorf("%+v", got)
	}
	if got := do(t, again, zk.Request{Op: zk.OpExists, Path: "/e"}); got.Stat.EphemeralOwner != int64(c.Session()) {
		t.Errorf("%+v", got)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	r.await("snapshot written") // so that the next start is quick
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	if got := do(t, r.dial(client.Options{}), zk.Request{Op: zk.OpExists, Path: "/e"}); got.Err != zk.NoNode {
		t.Error("the ephemeral of a closed session is back:", got.Err)
	}
}

func TestStoppingAnswersWhatHasBeenAsked(t *testing.T) {
	r := start(t, t.TempDir())
	c := r.dial(client.Options{})
	const n = 500
	answers := make(chan error, n)
	for i := range n {
		req := zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", i), ACL: zk.OpenACL, TTLMS: -1}
		c.Send(&req, func(_ *zk.Reply, err error) { answers <- err })
	}
	first := <-answers
	if err := r.stop(); first != nil || err != nil {
		t.Fatal(first, err)
	}
	acknowledged := 1
	for range n - 1 {
		if <-answers == nil {
			acknowledged++
		}
	}
	r = start(t, r.dir)
	rep := do(t, r.dial(client.Options{}), zk.Request{Op: zk.OpGetChildren, Path: "/"})
	if len(rep.Names)-1 < acknowledged {
		t.Errorf("%d creates were acknowledged, %d znodes are there", acknowledged, len(rep.Names)-1)
	}
}

func TestAStopDuringTheStartIsNoError(t *testing.T) {
	cfg, notices := load(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Run(ctx, Options{Config: cfg, Notices: notices, Logger: zerolog.Nop()}); err != nil {
		t.Error(err)
	}
}

// busy is a port that somebody listens on.
func busy(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestProblemsOfAStart(t *testing.T) {
	taken := strconv.Itoa(busy(t))
	used := start(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pid := fmt.Sprintf("pid %d", os.Getpid())
	for name, c := range map[string]struct {
		args []string
		code int
		text []string
	}{
		"the client port is taken":                    {[]string{"clientPort=" + taken}, config.ExitUnexpected, []string{"client port " + taken + " is taken by " + pid, "set another clientPort"}},
		"the gRPC port is taken":                      {[]string{"grpcPort=" + taken}, config.ExitUnexpected, []string{"gRPC port " + taken + " is taken by " + pid, "set another grpcPort"}},
		"the address is not of this host":             {[]string{"clientPortAddress=192.0.2.1"}, config.ExitUnexpected, []string{"cannot be opened", "correct the address"}},
		"the directory is in use":                     {[]string{"dataDir=" + used.dir}, config.ExitDataDir, []string{used.dir, "is in use by " + pid}},
		"the directory is missing and not to be made": {[]string{"dataDir=" + filepath.Join(t.TempDir(), "no"), "zookeeper.datadir.autocreate=false"}, config.ExitDataDir, []string{"does not exist and autocreate is off"}},
		"the directory is a file":                     {[]string{"dataDir=" + file}, config.ExitDataDir, []string{file, "not a directory"}},
		"a new database is not to be made":            {[]string{"db.autocreate=false"}, config.ExitUnexpected, []string{"is empty and db.autocreate=false", "initialize"}},
		"the election port is taken":                  {[]string{"server.1=127.0.0.1:28881:" + taken, "server.2=127.0.0.1:3:4", "myid=1", "initLimit=5", "syncLimit=5", "electionPortBindRetry=1"}, config.ExitElectionPort, []string{"election port 127.0.0.1:" + taken + " is taken by " + pid}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, notices := load(t, t.TempDir(), c.args...)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := Run(ctx, Options{Config: cfg, Notices: notices, Logger: zerolog.Nop(), PID: os.Getpid()})
			if err == nil {
				t.Fatal("the server starts")
			}
			if code := config.ExitCode(err); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, text := range c.text {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			if cfg.DataDir != used.dir && !strings.Contains(name, "missing") && !strings.Contains(name, "file") && !strings.Contains(name, "election") {
				again, _ := load(t, cfg.DataDir) // nothing is left locked
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := Run(ctx, Options{Config: again, Logger: zerolog.Nop()}); err != nil {
					t.Errorf("and with the problem solved: %v", err)
				}
			}
		})
	}
}

func TestANewDatabaseMayBeMadeWhereAnInitializeFileSaysSo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "initialize"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, dir, "db.autocreate=false").stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "initialize")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file would let the next start lose data unnoticed:", err)
	}
	if err := start(t, dir, "db.autocreate=false").stop(); err != nil {
		t.Error(err)
	}
}

func TestABusyHTTPPortOnlyWarns(t *testing.T) {
	port := busy(t)
	r := start(t, t.TempDir(), fmt.Sprint("httpPort=", port))
	line := r.await("HTTP port")
	if !strings.Contains(line, `"level":"warn"`) || !strings.Contains(line, fmt.Sprintf("HTTP port %d is taken by pid %d", port, os.Getpid())) {
		t.Error(line)
	}
	if st := r.fetch(); !slices.ContainsFunc(st.Warnings, func(w string) bool { return strings.Contains(w, "HTTP port") }) {
		t.Errorf("status warns of %q", st.Warnings)
	}
	if got := r.word("ruok"); got == "" {
		t.Error("the server does not serve")
	}
	if err := r.stop(); err != nil { // at once, though the port is tried again for ever
		t.Error(err)
	}
}

func TestTheServersIDIsWrittenWhenItIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, "myid=7", "4lw.commands.whitelist=conf")
	text, err := os.ReadFile(filepath.Join(dir, "myid"))
	if err != nil || string(text) != "7\n" {
		t.Errorf("%q %v", text, err)
	}
	if conf := r.word("conf"); !strings.Contains(conf, "serverId=7") {
		t.Error(conf)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if r := start(t, dir); !bytes.Contains([]byte(r.fetch().DataDir), []byte(dir)) || r.fetch().ServerID != 7 {
		t.Errorf("%+v", r.fetch())
	}
}

// fetch asks for the status as paddock status does.
func (r *running) fetch() grpcapi.Status {
	r.t.Helper()
	conn, err := grpcapi.DialLocal(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	st, err := grpcapi.FetchStatus(ctx, conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

func TestStatus(t *testing.T) {
	r := start(t, t.TempDir(), fmt.Sprint("grpcPort=", freeport.Take(t)), "snapCount=1")
	c := r.dial(client.Options{})
	do(t, c, zk.Request{Op: zk.OpCreate, Path: "/e", Data: []byte("1234"), Mode: zk.Ephemeral})
	zxid := do(t, c, zk.Request{Op: zk.OpExists, Path: "/e", Watch: true}).Zxid
	st := r.fetch()
	if st.State != grpcapi.StateServing || st.Mode != grpcapi.ModeStandalone || st.Version != "1.2.3" || st.PID != os.Getpid() || st.DataDir != r.dir {
		t.Errorf("%+v", st)
	}
	if st.Zxid != zxid || st.Znodes != 5 || st.Ephemerals != 1 || st.Sessions != 1 || st.Connections != 1 || st.Watches != 1 || st.Refusal != "" {
		t.Errorf("%+v", st)
	}
	if !slices.Equal(st.ClientAddresses, []string{r.address()}) || st.PacketsReceived < 2 || st.PacketsSent < 2 || st.Latency.Max < st.Latency.Min {
		t.Errorf("%+v", st)
	}
	if len(st.Warnings) != 1 || !strings.Contains(st.Warnings[0], "snapCount") {
		t.Errorf("warnings %q", st.Warnings)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	conn, err := grpcapi.DialLocal(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if st, err := grpcapi.FetchStatus(ctx, conn); err == nil {
		t.Errorf("a server that has stopped says %+v", st)
	}
}

func TestTheHTTPPortAnswers(t *testing.T) {
	port := freeport.Take(t)
	r := start(t, t.TempDir(), fmt.Sprint("httpPort=", port))
	r.await("HTTP port open")
	for _, path := range []string{"/livez", "/readyz", "/v1/status", "/metrics"} {
		rep, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(rep.Body)
		rep.Body.Close()
		if rep.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, rep.StatusCode, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// A configuration of ZooKeeper's that has its Prometheus provider is scraped where it says.
func TestTheMetricsPortAnswers(t *testing.T) {
	const provider = "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
	for lines, want := range map[string]bool{"metricsProvider.exportJvmInfo=true": true, "metricsProvider.exportJvmInfo=false": false} {
		port := freeport.Take(t)
		r := start(t, t.TempDir(), provider, fmt.Sprint("metricsProvider.httpPort=", port), "metricsProvider.httpHost=127.0.0.1", lines)
		r.await("metrics port open")
		for path, status := range map[string]int{"/metrics": http.StatusOK, "/livez": http.StatusNotFound, "/": http.StatusNotFound} {
			rep, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(rep.Body)
			rep.Body.Close()
			if rep.StatusCode != status {
				t.Errorf("%s: %d %s", path, rep.StatusCode, body)
			}
			if got := bytes.Contains(body, []byte("\nznode_count ")); path == "/metrics" && !got {
				t.Errorf("no znode_count in %s", body)
			}
			if got := bytes.Contains(body, []byte("\ngo_goroutines ")); path == "/metrics" && got != want {
				t.Errorf("%s: go_goroutines is there: %v", lines, got)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestADamagedSnapshotIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		r := start(t, dir)
		if i > 0 {
			r.await("snapshot written")
		}
		do(t, r.dial(client.Options{}), zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", i), Data: []byte("kept")})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	snaps := files(t, dir, "snapshot.")
	if len(snaps) < 2 {
		t.Fatalf("snapshots %q", snaps)
	}
	newest := filepath.Join(dir, "version-2", snaps[len(snaps)-1])
	data, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x40
	if err := os.WriteFile(newest, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir)
	if line := r.await("passed over a damaged snapshot"); !strings.Contains(line, filepath.Base(newest)) || !strings.Contains(line, snaps[len(snaps)-2]) {
		t.Error(line)
	}
	c := r.dial(client.Options{})
	for i := range 3 {
		if rep := do(t, c, zk.Request{Op: zk.OpGetData, Path: fmt.Sprint("/", i)}); string(rep.Data) != "kept" {
			t.Errorf("/%d: %v %q", i, rep.Err, rep.Data)
		}
	}
}

func TestADamagedLogStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir)
	c := r.dial(client.Options{})
	for i := range 20 {
		do(t, c, zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", i), Data: make([]byte, 100)})
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	logs := files(t, dir, "log.")
	path := filepath.Join(dir, "version-2", logs[0])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[1000] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _ := load(t, dir)
	err = Run(t.Context(), Options{Config: cfg, Logger: zerolog.Nop()})
	if err == nil || config.ExitCode(err) != config.ExitUnexpected || !strings.Contains(err.Error(), logs[0]) {
		t.Errorf("%d: %v", config.ExitCode(err), err)
	}
}

func TestOldSnapshotsArePurged(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		r := start(t, dir, "autopurge.purgeInterval=0")
		if i > 0 {
			r.await("snapshot written")
		}
		do(t, r.dial(client.Options{}), zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", i)})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, dir, "snapshot.")
	r := start(t, dir, "autopurge.purgeInterval=1", "autopurge.snapRetainCount=3", "historyLogBytes=0")
	r.await("purged old snapshots and logs")
	after := files(t, dir, "snapshot.")
	if len(before) < 5 || len(after) > 4 || len(after) < 3 || !slices.Contains(after, before[len(before)-1]) {
		t.Errorf("before %q, after %q", before, after)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, dir)
	if rep := do(t, r.dial(client.Options{}), zk.Request{Op: zk.OpGetChildren, Path: "/"}); len(rep.Names) != 7 {
		t.Errorf("%q", rep.Names)
	}
}

// Under load the disk has a few snapshots, not those of an hour.
func TestEachSnapshotIsPurgedBehind(t *testing.T) {
	dir := t.TempDir()
	r := start(t, dir, "snapCount=10", "historyLogBytes=0")
	c := r.dial(client.Options{})
	for n, written := 0, 0; written < 12; n++ {
		do(t, c, zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/", n), ACL: zk.OpenACL})
		found, _ := r.log.with("snapshot written")
		written = len(found)
	}
	deadline := time.Now().Add(patience)
	for len(files(t, dir, "snapshot.")) > 3 {
		if time.Now().After(deadline) {
			t.Fatalf("%q are left: %s", files(t, dir, "snapshot."), r.log.lines)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestTheServerRestoresZooKeepersDirectories(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../storage/datadir/testdata/modern")); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir)
	if rep := do(t, r.dial(client.Options{}), zk.Request{Op: zk.OpGetChildren, Path: "/"}); rep.Err != zk.OK || len(rep.Names) < 2 {
		t.Errorf("%v %q", rep.Err, rep.Names)
	}
}

// TestDataWithoutALogAreWarnedOfOnce: with ZooKeeper they may be in a dataLogDir that the configuration has forgotten.
func TestDataWithoutALogAreWarnedOfOnce(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join("..", "storage", "datadir", "testdata", "modern", "version-2")
	if err := os.CopyFS(filepath.Join(dir, "version-2"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, log := range files(t, dir, "log.") {
		if err := os.Remove(filepath.Join(dir, "version-2", log)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{1, 0} {
		r := start(t, dir)
		st := r.fetch()
		if lines, _ := r.log.with("has a snapshot of zxid 0xb8"); len(lines) != want || len(st.Warnings) != want {
			t.Errorf("warns %q, says %q; want %d", st.Warnings, lines, want)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
