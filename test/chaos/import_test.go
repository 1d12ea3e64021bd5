//go:build chaos

package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// imported is what migrate import --json says.
type imported struct {
	LastZxid string `json:"lastZxid"`
	Zxid     string `json:"zxid"`
	Sessions int    `json:"sessions"`
}

func parseZxid(t *testing.T, text string) zk.Zxid {
	t.Helper()
	z, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return zk.Zxid(z)
}

// importDir runs migrate import.
func importDir(args ...string) (out imported, err error) {
	bin, err := program()
	if err != nil {
		return out, err
	}
	var errs strings.Builder
	cmd := exec.Command(bin, append([]string{"migrate", "import", "--json"}, args...)...)
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%w: %s", err, errs.String())
	}
	return out, json.Unmarshal(text, &out)
}

// TestImportUnderClients stops a ZooKeeper ensemble, imports its data, and starts Paddock on the same client ports. Clients that
// hold locks notice nothing but a pause.
func TestImportUnderClients(t *testing.T) {
	clients := 100
	if testing.Short() {
		clients = 10
	}
	settings := []string{"tickTime=1000", "initLimit=10", "syncLimit=10", "maxSessionTimeout=60000"}
	old := assemble(t, []string{java, java, java}, settings...)
	old.launch(t)
	old.await(t)
	r := newRoller(t, old, clients)
	if err := r.w.await(200); err != nil {
		t.Fatal(err)
	}
	r.w.end()

	leader := old.leader(t)
	if out, err := importDir("--from", leader.data, "--to", filepath.Join(t.TempDir(), "new")); err == nil || !strings.Contains(err.Error(), "is in use by pid") {
		t.Fatalf("a directory in use was imported: %+v, %v", out, err)
	}
	for _, p := range append(without(old.members, leader), leader) {
		if _, err := p.signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	source, last := longestHistory(t, old)
	fresh := assemble(t, []string{paddock, paddock, paddock}, settings...)
	above := last + 1<<33
	for i, p := range fresh.members {
		out, err := importDir("--from", source.data, "--to", p.data, "--above", above.String(), "--myid", strconv.Itoa(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if parseZxid(t, out.Zxid) <= above || out.Sessions < 2*clients {
			t.Fatalf("%+v", out)
		}
		p.port = old.members[i].port
	}
	r.e = fresh
	fresh.launch(t)
	fresh.await(t)
	r.w.start()
	if err := r.w.await(50); err != nil {
		t.Fatal(err)
	}
	for path, z := range r.check().Znodes {
		if strings.HasPrefix(path, failoverPath+"/") && z.Stat.Mzxid <= above {
			t.Errorf("%s was written at %v, not above %v", path, z.Stat.Mzxid, above)
		}
	}
	r.finish()
}

// longestHistory is the member with the longest history, found as an operator would: by importing each, to nowhere.
func longestHistory(t *testing.T, e *ensemble) (source *process, last zk.Zxid) {
	t.Helper()
	for _, p := range e.members {
		out, err := importDir("--from", p.data, "--to", filepath.Join(t.TempDir(), "trial"))
		if err != nil {
			t.Fatal(err)
		}
		if z := parseZxid(t, out.LastZxid); z > last {
			source, last = p, z
		}
	}
	return source, last
}

// TestImportOfABackup imports data that ends before what clients have seen: only --above makes the server take them.
func TestImportOfABackup(t *testing.T) {
	dir := t.TempDir()
	old, err := newProcess(java, filepath.Join(dir, "old"), dir)
	if err != nil {
		t.Fatal(err)
	}
	running(t, old)
	c, err := dial(old.addr(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	do(t, c, &zk.Request{Op: zk.OpCreate, Path: "/kept", ACL: zk.OpenACL, TTLMS: -1})
	do(t, c, &zk.Request{Op: zk.OpCreate, Path: "/mine", ACL: zk.OpenACL, Mode: zk.Ephemeral, TTLMS: -1})
	if err := old.kill(); err != nil {
		t.Fatal(err)
	}
	const seen = zk.Zxid(0x7_0000_0123) // by a client, after the backup was made
	for _, row := range []struct {
		name        string
		args        []string
		taken, mine bool
	}{
		{"without --above", nil, false, false},
		{"above what clients have seen", []string{"--above", seen.String()}, true, true},
		{"without the sessions", []string{"--above", seen.String(), "--sessions", "drop"}, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := newProcess(paddock, filepath.Join(t.TempDir(), "new"), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := importDir(append([]string{"--from", old.data, "--to", p.data}, row.args...)...); err != nil {
				t.Fatal(err)
			}
			running(t, p)
			again, err := dial(p.addr(), client.Options{LastZxid: seen})
			if (err == nil) != row.taken {
				t.Fatalf("a client that has seen %v: %v", seen, err)
			}
			if !row.taken {
				return
			}
			if r, err := again.Do(&zk.Request{Op: zk.OpExists, Path: "/mine"}); err != nil || (r.Err == zk.OK) != row.mine {
				t.Errorf("the ephemeral znode: %v, %v", r, err)
			}
			do(t, again, &zk.Request{Op: zk.OpExists, Path: "/kept"})
			resumed, err := dial(p.addr(), client.Options{LastZxid: seen, Session: c.Session(), Password: c.Password()})
			if (err == nil) != row.mine || !row.mine && !errors.Is(err, client.ErrExpired) {
				t.Errorf("the session of the old server: %v", err)
			}
			if err == nil {
				resumed.Abandon()
			}
			backToJava(t, p, seen)
		})
	}
}

// backToJava starts ZooKeeper on what was imported, as one who goes back does.
func backToJava(t *testing.T, p *process, seen zk.Zxid) {
	t.Helper()
	if _, err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.kind = java
	running(t, p)
	c, err := dial(p.addr(), client.Options{LastZxid: seen})
	if err != nil {
		t.Fatalf("a client that has seen %v, of ZooKeeper: %v", seen, err)
	}
	do(t, c, &zk.Request{Op: zk.OpExists, Path: "/kept"})
	c.Abandon()
}
