//go:build apps

package patroni

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/freeport"
	"paddock/test/apps/ensemble"
)

const (
	// deadline is how long anything may take that is waited for, on a busy machine: far beyond the time to live of the leader's key.
	deadline  = 4 * time.Minute
	pollEvery = 100 * time.Millisecond
	restLimit = 10 * time.Second // one request to a member's REST interface
)

// member is one Patroni with its PostgreSQL.
type member struct {
	t        *testing.T
	name     string
	dir      string
	rest     string // host:port of its REST interface
	postgres string // host:port of its PostgreSQL
	gates    []*gate
	process  *ensemble.Process // nil while none runs
}

// newMember describes a member with ways of its own to the servers; it does not run.
func newMember(t *testing.T, number int, servers []string, settings string) *member {
	t.Helper()
	m := &member{t: t, name: fmt.Sprint("m", number), dir: t.TempDir(), rest: fmt.Sprint("127.0.0.1:", freeport.Take(t)),
		postgres: fmt.Sprint("127.0.0.1:", freeport.Take(t))}
	var hosts []string
	for _, server := range servers {
		g := newGate(t, server)
		m.gates, hosts = append(m.gates, g), append(hosts, strconv.Quote(g.address()))
	}
	text := strings.NewReplacer("NAME", m.name, "HOSTS", strings.Join(hosts, ", "), "REST", m.rest, "POSTGRES", m.postgres, "DIR", m.dir,
		"BIN", postgresBin(t), "SETTINGS", settings).Replace(configuration)
	if err := os.WriteFile(m.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if id := unprivileged(t); id != nil {
		enterable(t, m.dir)
		for _, path := range []string{m.dir, m.config()} {
			if err := os.Chown(path, int(id.Uid), int(id.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(m.end)
	return m
}

// enterable lets every user into a directory of the test's.
func enterable(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
}

// configuration is that of a member. All data may be lost with the machine, but nothing with a process: the files need no syncing.
const configuration = `scope: paddock
namespace: /service/
name: NAME
log: {level: INFO}
restapi: {listen: REST, connect_address: REST}
zookeeper:
  hosts: [HOSTS]
SETTINGS
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 8
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 20, shared_buffers: 16MB, fsync: 'off', wal_keep_size: 128MB}
  initdb: [encoding: UTF8, no-sync]
postgresql:
  listen: POSTGRES
  connect_address: POSTGRES
  data_dir: DIR/data
  bin_dir: BIN
  pgpass: DIR/pgpass
  parameters: {unix_socket_directories: ''}
  pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']
  authentication:
    superuser: {username: postgres, password: secret}
    replication: {username: replicator, password: secret}
    rewind: {username: rewinder, password: secret}
`

func (m *member) config() string { return filepath.Join(m.dir, "patroni.yml") }
func (m *member) log() string    { return filepath.Join(m.dir, "patroni.log") }

// postgresBin is where Debian's package has the programs of PostgreSQL.
func postgresBin(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		t.Fatalf("no PostgreSQL (%v); test/apps/patroni/install.sh installs it", err)
	}
	return filepath.Dir(found[len(found)-1])
}

// program is the path of a program of the virtual environment.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/apps/patroni/bin/" + name)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v; test/apps/patroni/install.sh installs it", err)
	}
	return path
}

// unprivileged is the user that PostgreSQL runs as; nil for the user who runs the test.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("%v; test/apps/patroni/install.sh installs PostgreSQL, which makes it", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// launch starts the member, which must not run.
func (m *member) launch() {
	m.t.Helper()
	log, err := os.OpenFile(m.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(program(m.t, "patroni"), m.config())
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = m.dir, log, log, append(os.Environ(), "HOME="+m.dir)
	// Patroni that is asked to end stops its PostgreSQL, too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(m.t), Pdeathsig: syscall.SIGTERM}
	if m.process, err = ensemble.Run(cmd); err != nil {
		m.t.Fatalf("%v: can the user who is to run it enter the checkout?", err)
	}
}

// kill ends Patroni and its PostgreSQL as a crash of their machine would.
func (m *member) kill() {
	if m.process == nil {
		return
	}
	m.process.End(m.t, m.name, syscall.SIGKILL, deadline)
	m.process = nil
	if pid := m.postmaster(); pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// stop has the member end in good order.
func (m *member) stop() {
	m.t.Helper()
	m.process.Signal(syscall.SIGTERM)
	select {
	case <-m.process.Exited:
		m.process = nil
	case <-time.After(deadline):
		m.t.Fatalf("%s does not end", m.name)
	}
}

// postmaster is the process id of the member's PostgreSQL, 0 if there is none.
func (m *member) postmaster() int {
	text, err := os.ReadFile(filepath.Join(m.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return pid
}

// end kills what runs when the test is over, and shows the end of the log if it failed.
func (m *member) end() {
	m.kill()
	if m.t.Failed() {
		m.t.Logf("end of the log of %s:\n%s", m.name, ensemble.Tail(m.log()))
	}
}

// state is what a member says of itself.
type state struct {
	State    string `json:"state"`
	Role     string `json:"role"`
	Timeline int    `json:"timeline"`
	Started  string `json:"postmaster_start_time"`
	Seen     int64  `json:"dcs_last_seen"` // seconds since 1970
	Pause    bool   `json:"pause"`
}

// state asks the member; an empty one if it does not answer.
func (m *member) state() (s state) {
	_ = m.get("/patroni", &s) // a member that does not answer has no state
	return s
}

// get decodes what the member's REST interface answers.
func (m *member) get(path string, into any) error {
	client := http.Client{Timeout: restLimit}
	response, err := client.Get("http://" + m.rest + path)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	return json.NewDecoder(response.Body).Decode(into)
}

// shut cuts the member off from all servers.
func (m *member) shut() {
	for _, g := range m.gates {
		g.shut()
	}
}

// open ends that.
func (m *member) open() {
	for _, g := range m.gates {
		g.open()
	}
}

// killPostgres ends the member's PostgreSQL alone.
func (m *member) killPostgres() {
	m.t.Helper()
	pid := m.postmaster()
	if pid <= 1 {
		m.t.Fatalf("%s has no PostgreSQL", m.name)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		m.t.Fatal(err)
	}
}
