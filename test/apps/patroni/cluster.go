//go:build apps

package patroni

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paddock/test/apps/ensemble"
)

// The roles that members have in what a cluster tells of itself.
const (
	primary = "leader"
	standby = "sync_standby" // has all that was acknowledged
	replica = "replica"
)

// cluster is three members on one ensemble, and the writer.
type cluster struct {
	t       *testing.T
	members []*member
	acks    *acks
}

// begin starts a cluster whose first member sets it up, and returns when all three serve. The settings are lines of Patroni's
// configuration of ZooKeeper.
func begin(t *testing.T, servers []string, settings string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for i := range 3 {
		c.members = append(c.members, newMember(t, i+1, servers, settings))
	}
	for _, m := range c.members {
		m.launch()
	}
	c.settle()
	c.acks = c.write()
	c.acks.more(t, 20)
	return c
}

// within has what fails from now on fail a subtest.
func (c *cluster) within(t *testing.T, e *ensemble.Ensemble) {
	c.t = t
	for _, m := range c.members {
		m.t = t
	}
	e.For(t)
}

// view is what a member says of the cluster, and which it has from ZooKeeper.
type view struct {
	Members []struct {
		Name     string `json:"name"`
		Role     string `json:"role"`
		State    string `json:"state"`
		Timeline int    `json:"timeline"`
	} `json:"members"`
	Pause bool `json:"pause"`
}

// roles are the members by role, nil unless all three serve, on one timeline, in the same roles as they all see it.
func (c *cluster) roles() map[string]*member {
	var all map[string]*member
	for _, m := range c.members {
		var v view
		if err := m.get("/cluster", &v); err != nil {
			return nil
		}
		roles, timelines := map[string]*member{}, map[int]bool{}
		for _, said := range v.Members {
			if said.State == "running" && said.Role == primary || said.State == "streaming" {
				roles[said.Role], timelines[said.Timeline] = c.named(said.Name), true
			}
		}
		if len(roles) != 3 || len(timelines) != 1 {
			return nil
		}
		if all == nil {
			all = roles
		}
		for role := range roles {
			if all[role] != roles[role] {
				return nil
			}
		}
	}
	if all[primary].state().Role != "primary" {
		return nil
	}
	return all
}

func (c *cluster) named(name string) *member {
	for _, m := range c.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

// settle waits until there is a primary, one standby with all that was acknowledged, and one more.
func (c *cluster) settle() map[string]*member {
	c.t.Helper()
	var roles map[string]*member
	c.await("a primary and two standbys", func() bool { roles = c.roles(); return roles != nil })
	return roles
}

// await waits until something is so.
func (c *cluster) await(what string, so func() bool) {
	c.t.Helper()
	for until := time.Now().Add(deadline); !so(); <-time.After(pollEvery) {
		if time.Now().After(until) {
			c.t.Fatalf("not after %v: %s\n%s", deadline, what, c.ctl("list"))
		}
	}
}

// ctl runs patronictl to the end and returns what it says.
func (c *cluster) ctl(args ...string) string {
	c.t.Helper()
	return c.ask("", args...)
}

// ask is ctl for a command that asks for answers.
func (c *cluster) ask(answers string, args ...string) string {
	c.t.Helper()
	cmd := exec.Command(program(c.t, "patronictl"), append([]string{"-c", c.members[0].config()}, args...)...)
	cmd.Stdin, cmd.SysProcAttr = strings.NewReader(answers), &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	stopwatch := time.AfterFunc(deadline, func() { _ = cmd.Process.Kill() })
	defer stopwatch.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("patronictl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// addresses are the members' PostgreSQL servers, as their clients take them.
func (c *cluster) addresses() (hosts, ports string) {
	var hostList, portList []string
	for _, m := range c.members {
		host, port, _ := strings.Cut(m.postgres, ":")
		hostList, portList = append(hostList, host), append(portList, port)
	}
	return strings.Join(hostList, ","), strings.Join(portList, ",")
}

// query asks the PostgreSQL of a member.
func (c *cluster) query(m *member, sql string) string {
	c.t.Helper()
	host, port, _ := strings.Cut(m.postgres, ":")
	cmd := exec.Command(filepath.Join(postgresBin(c.t), "psql"), "-X", "-A", "-t", "-h", host, "-p", port, "-U", "postgres", "-d", "postgres", "-c", sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", sql, err, out)
	}
	return strings.TrimSpace(string(out))
}

// acks is what the writer was told.
type acks struct {
	mu     sync.Mutex // guards rows and errors
	rows   []string
	errors bytes.Buffer
}

// Write takes what the writer says of errors.
func (a *acks) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.errors.Write(b)
}

// write runs the writer until the test ends.
func (c *cluster) write() *acks {
	c.t.Helper()
	hosts, ports := c.addresses()
	a := &acks{}
	cmd := exec.Command(program(c.t, "python"), "-B", "writer.py", hosts, ports)
	cmd.Stderr, cmd.SysProcAttr = a, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			a.mu.Lock()
			a.rows = append(a.rows, lines.Text())
			a.mu.Unlock()
		}
	}()
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
		if c.t.Failed() {
			text := a.errors.String()
			c.t.Logf("end of what the writer said:\n%s", text[max(0, len(text)-4<<10):])
		}
	})
	return a
}

// known are the rows that were acknowledged so far.
func (a *acks) known() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows[:len(a.rows):len(a.rows)]
}

// more waits until so many more rows are acknowledged.
func (a *acks) more(t *testing.T, rows int) {
	t.Helper()
	before := len(a.known())
	for until := time.Now().Add(deadline); len(a.known()) < before+rows; <-time.After(pollEvery) {
		if time.Now().After(until) {
			t.Fatalf("no %d rows were acknowledged in %v", rows, deadline)
		}
	}
}

// check finds that what was acknowledged is there, and that writing goes on. It returns the members by role.
func (c *cluster) check() map[string]*member {
	c.t.Helper()
	roles := c.settle()
	c.acks.more(c.t, 20)
	known := c.acks.known()
	there := map[string]bool{}
	for row := range strings.Lines(c.query(roles[primary], "SELECT number FROM rows")) {
		there[strings.TrimSpace(row)] = true
	}
	var lost []string
	for _, row := range known {
		if !there[row] {
			lost = append(lost, row)
		}
	}
	if lost != nil {
		c.t.Errorf("%d of %d rows that were acknowledged are not there: %.200q", len(lost), len(known), lost)
	}
	return roles
}

// unmoved runs f, and finds that the primary is who it was, without having been restarted or demoted meanwhile.
func (c *cluster) unmoved(f func()) {
	c.t.Helper()
	roles := c.settle()
	before := roles[primary].state()
	f()
	after := c.check()
	if after[primary] != roles[primary] {
		c.t.Errorf("%s was the primary, now it is %s", roles[primary].name, after[primary].name)
	}
	now := after[primary].state()
	if now.Timeline != before.Timeline || now.Started != before.Started {
		c.t.Errorf("the primary was started %s with timeline %d, and before %s with %d", now.Started, now.Timeline, before.Started, before.Timeline)
	}
}

// moved finds that another member than before is the primary, on a later timeline.
func (c *cluster) moved(before map[string]*member, timeline int) map[string]*member {
	c.t.Helper()
	after := c.check()
	if after[primary] == before[primary] {
		c.t.Errorf("%s is still the primary", after[primary].name)
	}
	if now := after[primary].state().Timeline; now <= timeline {
		c.t.Errorf("the timeline is %d, it was %d before", now, timeline)
	}
	return after
}

// loops waits until each of the members has been round so many seconds longer.
func (c *cluster) loops(seconds int64, members ...*member) {
	c.t.Helper()
	for _, m := range members {
		from := m.state().Seen
		c.await(fmt.Sprintf("%s looks at ZooKeeper", m.name), func() bool { return m.state().Seen >= from+seconds && from > 0 })
	}
}

// each are the addresses of an ensemble's servers.
func each(e *ensemble.Ensemble, address func(*ensemble.Server) string) []string {
	var list []string
	for _, s := range e.Servers {
		list = append(list, address(s))
	}
	return list
}
