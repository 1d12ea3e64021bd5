//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

// chain is one data directory that goes from server to server.
type chain struct {
	*testing.T
	rng    *rand.Rand
	dir    string
	mixers []*mixer
}

// TestBothWays hands one data directory from ZooKeeper to Paddock and back. Each server is killed under load, then
// restarted on a copy, while the other opens the directory: both must show the same.
func TestBothWays(t *testing.T) {
	hops := 12
	if testing.Short() {
		hops = 3
	}
	s := seed(t)
	c := &chain{T: t, rng: rand.New(rand.NewPCG(s, 0)), dir: t.TempDir()}
	for i := range 4 {
		c.mixers = append(c.mixers, &mixer{name: "mixer" + strconv.Itoa(i), rng: rand.New(rand.NewPCG(s, uint64(i)+1)), answers: map[string]int{}})
	}
	p := c.process(java, 0, "data")
	running(t, p)
	if err := prepare(p.addr()); err != nil {
		t.Fatal(err)
	}
	for hop := 1; hop <= hops; hop++ {
		p = c.hop(hop, p)
	}
	sum := map[string]int{}
	for _, m := range c.mixers {
		for k, n := range m.answers {
			sum[k] += n
		}
	}
	t.Logf("answers looked at: %v", sum)
}

// process is a server of the chain; the compression of its snapshots changes from hop to hop.
func (c *chain) process(kind string, hop int, data string) *process {
	c.Helper()
	extra := []string{"tickTime=2000", "maxSessionTimeout=3600000", "snapCount=300", "extendedTypesEnabled=true"}
	if method := []string{"", "gz", "snappy"}[hop%3]; method != "" {
		extra = append(extra, "snapshot.compression.method="+method)
	}
	if kind == paddock { // ZooKeeper takes it from its command line
		extra = append(extra, "znode.container.checkIntervalMs=86400000")
	}
	p, err := newProcess(kind, filepath.Join(c.dir, data), filepath.Join(c.dir, fmt.Sprint("work", hop, data)), extra...)
	if err != nil {
		c.Fatal(err)
	}
	return p
}

// hop loads and kills p, and compares it with a server of the other kind, which it returns.
func (c *chain) hop(hop int, p *process) *process {
	c.Helper()
	keepsakes(c.T, p.addr(), hop)
	acks := c.loadAndKill(p)
	copied := fmt.Sprint("copy", hop)
	if err := copyTree(p.data, filepath.Join(c.dir, copied)); err != nil {
		c.Fatal(err)
	}
	files := describeFiles(c.T, p.data)
	again := c.process(p.kind, hop-1, copied)
	running(c.T, again)
	want := c.look(again)
	again.end()
	wantStored := stored(c.T, again.data)

	kind := paddock
	if p.kind == paddock {
		kind = java
	}
	next := c.process(kind, hop, filepath.Base(p.data))
	took := running(c.T, next)
	got := c.look(next)
	if diff := differences(want, got); len(diff) > 0 {
		c.Fatalf("hop %d: what %s wrote (%s) is seen differently; first by %s, second by %s:\n%s", hop, p.kind, files, p.kind, kind, strings.Join(diff, "\n"))
	}
	if err := copyTree(next.data, filepath.Join(c.dir, copied+"next")); err != nil {
		c.Fatal(err)
	}
	gotStored := stored(c.T, filepath.Join(c.dir, copied+"next"))
	if diff := wantStored.differences(gotStored); len(diff) > 0 {
		c.Fatalf("hop %d: what %s wrote (%s) is stored differently; first by %s, second by %s:\n%s", hop, p.kind, files, p.kind, kind, strings.Join(diff, "\n"))
	}
	covered(c.T, got, wantStored, hop)
	c.Logf("hop %d: %s wrote %s after %d replies; %s opened it in %v: %d znodes, %d sessions, %d with ephemerals", hop, p.kind, files, acks, kind,
		took.Round(time.Millisecond), len(got.Znodes), len(got.Sessions), len(got.Ephemerals))
	for _, dir := range []string{copied, copied + "next"} {
		if err := os.RemoveAll(filepath.Join(c.dir, dir)); err != nil {
			c.Fatal(err)
		}
	}
	return next
}

// loadAndKill lets the mixers write and kills the server at random.
func (c *chain) loadAndKill(p *process) int64 {
	c.Helper()
	var acks atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	errs := make([]error, len(c.mixers))
	for i, m := range c.mixers {
		wg.Go(func() { errs[i] = m.run(p.addr(), stop, &acks) }) // waited for below
	}
	goal := 500 + c.rng.Int64N(3000)
	for deadline := time.Now().Add(startDeadline); acks.Load() < goal && time.Now().Before(deadline) && p.alive(); {
		<-time.After(pollEvery)
	}
	<-time.After(time.Duration(c.rng.Int64N(int64(20 * time.Millisecond)))) // any moment will do
	if err := p.kill(); err != nil {
		c.Fatal(err)
	}
	close(stop)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		c.Fatal(err)
	}
	if acks.Load() < goal {
		c.Fatalf("%s gave %d replies, want %d; its log ends:\n%s", p.kind, acks.Load(), goal, p.logTail())
	}
	return acks.Load()
}

// look reads a server that has just started, and takes up the sessions of the mixers: what cannot be taken up counts as a
// difference from one that can.
func (c *chain) look(p *process) *image {
	c.Helper()
	if bad := p.complaints(); p.kind == paddock && len(bad) > 0 {
		c.Fatalf("paddock complained: %q", bad)
	}
	for line := range strings.Lines(p.output()) {
		if strings.Contains(line, "not matching") || strings.Contains(line, "igest mismatch") {
			c.Fatalf("%s finds other digests than were logged: %s", p.kind, line)
		}
	}
	img, err := take(p)
	if err != nil {
		c.Fatal(err)
	}
	for _, m := range c.mixers {
		if m.session == 0 {
			continue
		}
		conn, err := dial(p.addr(), client.Options{Timeout: mixerTimeout, Session: m.session, Password: m.password})
		lives := err == nil
		if lives {
			conn.Abandon()
		}
		if lives != slices.Contains(img.Sessions, m.session) {
			c.Errorf("%s lists %v, yet %v taken up: %v", p.kind, img.Sessions, m.session, err)
		}
		if !lives { // closed by a request that was in doubt
			m.session, m.password = 0, nil
		}
	}
	return img
}

// describeFiles counts the files of a directory by kind.
func describeFiles(t *testing.T, data string) string {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(data, "version-2"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, f := range list {
		kind, _, _ := strings.Cut(f.Name(), ".")
		if ext := filepath.Ext(f.Name()); ext == ".gz" || ext == ".snappy" {
			kind += ext
		}
		count[kind]++
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprint(count[k], " ", k))
	}
	return strings.Join(out, ", ")
}

// copyTree copies the snapshots and logs of a data directory. A server that has just started may be purging it: then all
// is copied once more.
func copyTree(from, to string) error {
	const version, tries = "version-2", 10
	var err error
	for range tries {
		err = os.CopyFS(filepath.Join(to, version), os.DirFS(filepath.Join(from, version)))
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	return err
}

// TestDifferencesAreSeen changes one thing at a time in what a server shows.
func TestDifferencesAreSeen(t *testing.T) {
	build := func(change func(*image)) *image {
		i := &image{Znodes: map[string]*entry{"/": {Children: []string{"a"}}, "/a": {Data: []byte{}, ACL: slices.Clone(zk.OpenACL)}},
			Sessions: []zk.SessionID{1, 2}, Ephemerals: map[zk.SessionID][]string{1: {"/a"}}}
		change(i)
		return i
	}
	same := build(func(*image) {})
	if diff := differences(same, build(func(*image) {})); len(diff) > 0 {
		t.Errorf("nothing differs, yet %q", diff)
	}
	for name, change := range map[string]func(*image){
		"a znode is missing":         func(i *image) { delete(i.Znodes, "/a") },
		"a znode is new":             func(i *image) { i.Znodes["/b"] = &entry{} },
		"null instead of empty data": func(i *image) { i.Znodes["/a"].Data, i.Znodes["/a"].Null = nil, true },
		"other data":                 func(i *image) { i.Znodes["/a"].Data = []byte("x") },
		"another stat":               func(i *image) { i.Znodes["/a"].Stat.Pzxid = 7 },
		"another ACL":                func(i *image) { i.Znodes["/a"].ACL[0].Perms = zk.PermRead },
		"a child is missing":         func(i *image) { i.Znodes["/"].Children = nil },
		"a session is missing":       func(i *image) { i.Sessions = i.Sessions[:1] },
		"an ephemeral is missing":    func(i *image) { i.Ephemerals = map[zk.SessionID][]string{} },
	} {
		if len(differences(same, build(change))) == 0 {
			t.Errorf("%s, and it is not seen", name)
		}
	}
}
