//go:build chaos

package chaos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/freeport"
	"paddock/internal/zk"
)

// scene is what a start that fails is made in.
type scene struct {
	*testing.T
	work string // an empty directory that anyone may write
	data string // work/data
	port int
	pids map[int]string // process ids that a line may name
	uid  int            // to run as, unless 0

	logs    []string // the log files that fill left
	flipped int64    // offset of the record that was damaged
	damaged string   // snapshot
}

// startErrors are starts that must fail: the whole of what begins with "paddock: ", and the exit code. {W} is the working
// directory with zoo.cfg in it, {D} the data directory, {P} the client port.
var startErrors = []struct {
	name   string
	args   string // of the program; "" for serve --config {W}/zoo.cfg
	cfg    string // zoo.cfg; "" for one that is right
	before func(*scene)
	code   int
	says   []string
}{
	{name: "the command does not exist", args: "server", code: 2, says: []string{`unknown command "server"; did you mean paddock serve?`}},
	{name: "the flag does not exist", args: "serve --confg {W}/zoo.cfg", code: 2, says: []string{"unknown flag: --confg; see paddock serve --help"}},
	{name: "an argument is no setting", args: "serve {W}/zoo.cfg", code: 2,
		says: []string{`argument "{W}/zoo.cfg" is not key=value; write for example clientPort=2181, and pass the path of zoo.cfg with --config`}},
	{name: "the configuration is missing", args: "serve --config {W}/none.cfg", code: 2, says: []string{"{W}/none.cfg: no such file; pass the path of zoo.cfg"}},
	{name: "the configuration is a directory", args: "serve --config {W}", code: 2, says: []string{"{W}: cannot be read: is a directory; pass a readable zoo.cfg"}},
	{name: "the data directory is not named", cfg: "clientPort={P}\n", code: 2,
		says: []string{"{W}/zoo.cfg: dataDir is required; add for example dataDir=/var/lib/zookeeper"}},
	{name: "a number is none", cfg: "tickTime=abc\ndataDir={D}\nclientPort={P}\n", code: 2,
		says: []string{`{W}/zoo.cfg:1: tickTime: "abc" is not an integer; write a number of milliseconds`}},
	{name: "a number in an argument is none", args: "serve dataDir={D} tickTime=abc", code: 2,
		says: []string{`argument: tickTime: "abc" is not an integer; write a number of milliseconds`}},
	{name: "a port is out of range", args: "serve dataDir={D} clientPort=70000", code: 2,
		says: []string{"argument: clientPort: 70000 is not a port (1 to 65535); write a number from 1 to 65535"}},
	{name: "two things are wrong", cfg: "tickTime=0\ndataDir={D}\nclientPort={P}\nreconfigEnabled=yes\n", code: 2, says: []string{
		"{W}/zoo.cfg:1: tickTime must be > 0; use tickTime=2000", `{W}/zoo.cfg:4: reconfigEnabled: "yes" is neither true nor false; write true or false`}},
	{name: "the session timeouts cross", cfg: "dataDir={D}\nclientPort={P}\nminSessionTimeout=70000\n", code: 2, says: []string{
		"{W}/zoo.cfg:3: minSessionTimeout 70000 ms ({W}/zoo.cfg:3) must not be larger than maxSessionTimeout 60000 ms (20 × tickTime); change one of them"}},
	{name: "an address has no port", cfg: "dataDir={D}\nclientPortAddress=127.0.0.1\n", code: 2,
		says: []string{"{W}/zoo.cfg:2: clientPortAddress is set but clientPort is not set; add clientPort=2181"}},
	{name: "an ensemble's myid is missing", cfg: ensembleLines, code: 2,
		says: []string{"{D}/myid is missing; write this server's id, one of 1,2,3: echo N > {D}/myid"}},
	{name: "TLS is asked for without a key", cfg: "dataDir={D}\nclientPort={P}\nsecureClientPort=2281\n", code: 2,
		says: []string{"{W}/zoo.cfg:3: secureClientPort needs ssl.keyStore.location, which is not set; write ssl.keyStore.location=FILE, a PEM, PKCS12 or JKS store of the server's key and certificate"}},

	{name: "the data directory is a file", before: func(s *scene) { s.write(s.data, "a file") }, code: 3,
		says: []string{"dataDir {D}: stat: not a directory (running as uid 0); remove that file, or correct dataDir"}},
	{name: "the data directory may not be written", before: func(s *scene) { s.mkdir(s.data, 0o755); s.uid = nobody }, code: 3,
		says: []string{"dataDir {D}: mkdir version-2: permission denied (running as uid 65534); give it to this user with all that is in it (chown -R 65534), or correct dataDir"}},
	{name: "the data directory may not be entered", before: func(s *scene) { s.mkdir(s.data, 0o700); s.uid = nobody }, code: 3,
		says: []string{"{D}/myid cannot be read: permission denied; check owner and mode of the file and of its directory"}},
	{name: "the data directory may not be created", before: func(s *scene) { s.chmod(s.work, 0o755); s.uid = nobody }, code: 3,
		says: []string{"dataDir {D}: mkdir: permission denied (running as uid 65534); create it for this user, or correct dataDir"}},
	{name: "a snapshot may not be read", before: unreadableSnapshot, code: 3,
		says: []string{"dataDir {D}: open version-2/snapshot.0: permission denied (running as uid 65534); give it to this user with all that is in it (chown -R 65534), or correct dataDir"}},
	{name: "the data directory is missing and must not be created", cfg: right + "datadir.autocreate=false\n", code: 3,
		says: []string{"dataDir {D}/version-2 does not exist and autocreate is off; wrong path, or create it"}},
	{name: "another server has the data directory", before: (*scene).serve, args: "serve dataDir={D} clientPort=0 grpcPort=0 httpPort=0", code: 3,
		says: []string{"{D} is in use by pid {OTHER}; stop it, or give this server its own dataDir"}},
	{name: "the database must not be begun", cfg: right + "db.autocreate=false\n", code: 1, says: []string{
		"{W}/zoo.cfg: {D} is empty and db.autocreate=false forbids to begin a new database in it; restore the data, or create the file {D}/initialize"}},

	{name: "the client port is taken", before: (*scene).listen, code: 1,
		says: []string{"{W}/zoo.cfg:2: client port {P} is taken by pid {TEST} (chaos.test); stop that process, or set another clientPort"}},
	{name: "the client port given as an argument is taken", before: (*scene).listen, args: "serve dataDir={D} clientPort={P} grpcPort=0 httpPort=0", code: 1,
		says: []string{"client port {P} is taken by pid {TEST} (chaos.test); stop that process, or set another clientPort"}},
	{name: "the gRPC port is taken", before: (*scene).listen, args: "serve dataDir={D} clientPort=0 grpcPort={P} httpPort=0", code: 1,
		says: []string{"gRPC port {P} is taken by pid {TEST} (chaos.test); stop that process, or set another grpcPort"}},
	{name: "the address is not of this host", cfg: right + "clientPortAddress=192.0.2.1\n", code: 1, says: []string{
		"{W}/zoo.cfg: port {P} cannot be opened: client port 192.0.2.1:{P}: listen tcp 192.0.2.1:{P}: bind: cannot assign requested address; " +
			"correct the address, or choose a port that this user may open"}},

	{name: "there are logs and no snapshot", before: func(s *scene) { s.fill(); s.remove(s.files("snapshot.")...) }, code: 1,
		says: []string{"{D}/version-2: no snapshot found, but there are log entries in {D}/version-2; put the snapshots back, or " + restore +
			"; snapshot.trust.empty=true only when upgrading from 3.4"}},
	{name: "every snapshot is damaged", before: func(s *scene) { s.fill(); s.oldestSnapshotOnly(); s.flip(s.newest("snapshot."), 100) }, code: 1,
		says: []string{"{D}/version-2: every snapshot is damaged ({D}/version-2/snapshot.0: offset {N}: checksum {N} does not match the content ({N})); " + restore}},
	{name: "a bit is flipped in the middle of the log", before: func(s *scene) { s.fill(); s.oldestSnapshotOnly(); s.flipRecord(s.files("log.")[1]) }, code: 1,
		says: []string{"{D}/version-2/{LOG1}: offset {FLIPPED}: unfinished record (the checksum does not match) after zxid {N}, but {D}/version-2/{LOG2} goes on with {N}; " + restore}},
	{name: "a bit is flipped in the middle of the last log file", before: func(s *scene) { s.fill(); s.oldestSnapshotOnly(); s.flipRecord(s.newest("log.")) }, code: 1,
		says: []string{"{D}/version-2/{LOG}: offset {FLIPPED}: a flipped bit in a complete record: the checksum does not match; " + restore}},
	{name: "a log file is missing", before: func(s *scene) { s.fill(); s.oldestSnapshotOnly(); s.remove(s.files("log.")[1]) }, code: 1,
		says: []string{"{D}/version-2/{LOG2}: offset 16: zxid {N} follows {N}: {N} records are missing; put the missing file back, or " + restore}},
	{name: "the first log file is missing", before: func(s *scene) { s.fill(); s.oldestSnapshotOnly(); s.remove(s.files("log.")[0]) }, code: 1,
		says: []string{"{D}/version-2/{LOG1}: offset 16: zxid {N} follows {N}: {N} records are missing; put the missing file back, or " + restore}},
	{name: "a log file is no log", code: 1, says: []string{`{D}/version-2/{LOG1}: offset 0: not a log file: starts with "this"; ` + restore},
		before: func(s *scene) {
			s.fill()
			s.oldestSnapshotOnly()
			s.write(s.files("log.")[1], "this is not a log, whatever its name says\n")
		}},
	{name: "a directory has the name of a snapshot", before: func(s *scene) { s.fill(); s.mkdir(filepath.Join(s.data, "version-2", "snapshot.5"), 0o755) }, code: 1,
		says: []string{"{D}/version-2/snapshot.5 is a directory instead of a file; no server has made it under this name: move it away"}},
	{name: "the log lies in the directory of snapshots", before: (*scene).fill, args: "serve dataDir={W}/other dataLogDir={D} clientPort=0", code: 1,
		says: []string{"dataLogDir: {D}/version-2/snapshot.0 does not belong here; are dataDir and dataLogDir swapped? If dataDir is new, move the snapshot.* files to its version-2"}},
}

// restore is the remedy for data that are not whole.
const restore = "restore the directory from a backup, or, in an ensemble, move version-2 away and let the server sync from the others"

const (
	nobody        = 65534
	right         = "dataDir={D}\nclientPort={P}\nclientPortAddress=127.0.0.1\ngrpcPort=0\nhttpPort=0\n"
	ensembleLines = "dataDir={D}\nclientPort={P}\ninitLimit=10\nsyncLimit=5\nserver.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n"
)

// TestStartErrors starts the program where it cannot serve: one line says why and what to do, the exit code says of what
// kind it is (2 configuration, 3 data directory, 1 anything else).
func TestStartErrors(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("some rows run the server as another user: run this as root")
	}
	for _, row := range startErrors {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t)
			if row.cfg == "" {
				row.cfg = right
			}
			if row.args == "" {
				row.args = "serve --config {W}/zoo.cfg"
			}
			s.write(filepath.Join(s.work, "zoo.cfg"), s.expand(row.cfg))
			if row.before != nil {
				row.before(s)
			}
			code, out := s.run(s.expand(row.args))
			var lines []string
			for line := range strings.Lines(out) {
				if says, ok := strings.CutPrefix(line, "paddock: "); ok {
					lines = append(lines, s.contract(strings.TrimSuffix(says, "\n")))
				} else if !strings.HasPrefix(line, "{") {
					t.Errorf("stray output: %s", line)
				}
			}
			if code != row.code || !slices.Equal(lines, row.says) {
				t.Errorf("exit code %d, want %d\nsays %q\nwant %q\nof\n%s", code, row.code, lines, row.says, out)
			}
		})
	}
}

func newScene(t *testing.T) *scene {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp("", "chaos") // t.TempDir is below a directory that only its owner may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	s := &scene{T: t, work: work, data: filepath.Join(work, "data"), port: port, pids: map[int]string{os.Getpid(): "{TEST}"}}
	s.chmod(work, 0o777)
	return s
}

func (s *scene) expand(text string) string {
	return strings.NewReplacer("{W}", s.work, "{D}", s.data, "{P}", strconv.Itoa(s.port)).Replace(text)
}

// contract puts the names of the table into what the program said.
func (s *scene) contract(text string) string {
	pairs := []string{s.data, "{D}", s.work, "{W}"}
	for pid, name := range s.pids {
		pairs = append(pairs, fmt.Sprint("pid ", pid, " "), "pid "+name+" ", fmt.Sprint("pid ", pid, ";"), "pid "+name+";")
	}
	pairs = append(pairs, fmt.Sprint("port ", s.port, " "), "port {P} ")
	pairs = append(pairs, fmt.Sprintf(":%d:", s.port), ":{P}:")
	for i, log := range s.logs {
		if i == len(s.logs)-1 {
			pairs = append(pairs, filepath.Base(log)+":", "{LOG}:")
		}
		pairs = append(pairs, filepath.Base(log)+":", fmt.Sprintf("{LOG%d}:", i), filepath.Base(log)+" ", fmt.Sprintf("{LOG%d} ", i))
	}
	if s.flipped > 0 {
		pairs = append(pairs, fmt.Sprintf("offset %d:", s.flipped), "offset {FLIPPED}:")
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	for _, v := range varying {
		text = v.ReplaceAllString(text, "$1{N}$2")
	}
	return text
}

// varying are numbers that differ from run to run, and that the tests of other packages look at.
var varying = []*regexp.Regexp{regexp.MustCompile(`()0x[0-9a-f]+()`), regexp.MustCompile(`()\b[0-9]+( records are missing)`),
	regexp.MustCompile(`(checksum |content \()[0-9a-f]{5,8}()`), regexp.MustCompile(`(snapshot\.0: offset )[0-9]+()`)}

// run runs the program to its end.
func (s *scene) run(args string) (int, string) {
	s.Helper()
	bin, err := program()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(bin, strings.Fields(args)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.work, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.uid != 0 {
		own := filepath.Join(s.work, "program") // where this user may reach it
		bytes, err := os.ReadFile(bin)
		if err == nil {
			err = os.WriteFile(own, bytes, 0o755)
		}
		if err != nil {
			s.Fatal(err)
		}
		cmd.Path = own
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.uid)}
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	stuck := time.AfterFunc(stopDeadline, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	if !stuck.Stop() {
		s.Fatalf("still ran after %v:\n%s", stopDeadline, out.String())
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		s.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) write(path, text string) {
	s.Helper()
	s.must(os.MkdirAll(filepath.Dir(path), 0o755))
	s.must(os.WriteFile(path, []byte(text), 0o644))
}

func (s *scene) mkdir(path string, mode os.FileMode) { s.Helper(); s.must(os.Mkdir(path, mode)) }
func (s *scene) chmod(path string, mode os.FileMode) { s.Helper(); s.must(os.Chmod(path, mode)) }

// chown gives a file, or all of a directory, to a user.
func (s *scene) chown(path string, uid int) {
	s.Helper()
	s.must(filepath.WalkDir(path, func(p string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(p, uid, uid))
	}))
}

func (s *scene) remove(paths ...string) {
	s.Helper()
	for _, p := range paths {
		s.must(os.Remove(p))
	}
}

// listen takes the client port.
func (s *scene) listen() {
	s.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	s.must(err)
	s.Cleanup(func() { l.Close() })
}

// serve runs a server on the data directory.
func (s *scene) serve() {
	s.Helper()
	p, err := newProcess(paddock, s.data, filepath.Join(s.work, "other"))
	s.must(err)
	running(s.T, p)
	s.pids[p.cmd.Process.Pid] = "{OTHER}"
}

// writes is how many fill makes, each with a znode of its own, and writesLast how many more to the last log file.
const writes, writesLast = 100, 10

// fill leaves the data of a server that was killed: several snapshots and logs.
func (s *scene) fill() {
	s.Helper()
	p, err := newProcess(paddock, s.data, filepath.Join(s.work, "filler"), "snapCount=20", "autopurge.purgeInterval=0")
	s.must(err)
	running(s.T, p)
	c, err := dial(p.addr(), client.Options{})
	s.must(err)
	defer c.Abandon()
	for i := range writes {
		do(s.T, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/z", i), Data: make([]byte, 200), ACL: zk.OpenACL, TTLMS: -1})
	}
	for deadline := time.Now().Add(startDeadline); len(s.files("snapshot.")) < 4; <-time.After(pollEvery) {
		if time.Now().After(deadline) {
			s.Fatalf("no snapshots were written: %q", s.files(""))
		}
	}
	s.must(p.kill())
	p.extra = p.extra[1:] // the last log file gets as many records as there are writes
	running(s.T, p)
	last, err := dial(p.addr(), client.Options{})
	s.must(err)
	defer last.Abandon()
	for i := range writesLast {
		do(s.T, last, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint("/z", writes+i), Data: make([]byte, 200), ACL: zk.OpenACL, TTLMS: -1})
	}
	s.must(p.kill())
	s.must(os.RemoveAll(p.work))
	s.logs = s.files("log.")
}

// files lists files of version-2 by the zxids in their names.
func (s *scene) files(prefix string) []string {
	s.Helper()
	list, err := filepath.Glob(filepath.Join(s.data, "version-2", prefix+"*"))
	s.must(err)
	slices.SortFunc(list, func(a, b string) int {
		return int(parseID(filepath.Ext(a)[1:]) - parseID(filepath.Ext(b)[1:]))
	})
	return list
}

func (s *scene) newest(prefix string) string {
	s.Helper()
	list := s.files(prefix)
	return list[len(list)-1]
}

// oldestSnapshotOnly leaves the snapshot of the empty tree, so that the whole log is needed.
func (s *scene) oldestSnapshotOnly() { s.Helper(); s.remove(s.files("snapshot.")[1:]...) }

// flip flips a bit of a file.
func (s *scene) flip(path string, offset int64) {
	s.Helper()
	b, err := os.ReadFile(path)
	s.must(err)
	b[offset] ^= 0x10
	s.must(os.WriteFile(path, b, 0o644))
}

// records returns where the records of a log file begin, and the end of the last one.
func (s *scene) records(path string) []int64 {
	s.Helper()
	b, err := os.ReadFile(path)
	s.must(err)
	at := int64(16)
	out := []int64{at}
	for at+12 < int64(len(b)) {
		n := int64(binary.BigEndian.Uint32(b[at+8:]))
		if n == 0 {
			break
		}
		at += 8 + 4 + n + 1
		out = append(out, at)
	}
	return out
}

// flipRecord flips a bit in the data of a record in the middle of a log file.
func (s *scene) flipRecord(log string) {
	s.Helper()
	at := s.records(log)
	s.flipped = at[3]
	s.flip(log, s.flipped+100)
}

// unreadableSnapshot leaves a data directory of another user, with one file that is still root's.
func unreadableSnapshot(s *scene) {
	s.fill()
	s.oldestSnapshotOnly()
	s.chown(s.data, nobody)
	s.chown(s.newest("snapshot."), 0)
	s.chmod(s.newest("snapshot."), 0o600)
	s.uid = nobody
}
