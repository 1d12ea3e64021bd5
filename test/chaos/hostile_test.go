//go:build chaos

package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	hostileClients = 200
	healthyClients = 8
	healthyPause   = 2 * time.Millisecond // between two requests of one healthy client
	memoryGrowth   = 200 << 20            // bytes that an attack may cost
	waitMax        = 3 * time.Second      // at p99: whoever waits longer is not served; how much less is it in the log
	back           = time.Minute          // until everything that an attack took is given back
)

// costs is what a process holds.
type costs struct {
	rss        int64 // bytes
	sockets    int
	files      int
	goroutines int
}

var hostileFlag = flag.String("hostile", "", "part of the name of the only kinds of hostile clients to let loose")

// TestBadClients lets hostile clients at a server that healthy ones use: these are served, memory stays bounded, and
// nothing is left behind. All share one machine, so the same attack is also made on another server, with which the healthy
// clients have nothing to do but the processors: what that costs them is not the doing of the server they use.
func TestBadClients(t *testing.T) {
	quiet, attack := 10*time.Second, time.Minute
	if testing.Short() {
		quiet, attack = 2*time.Second, 5*time.Second
	}
	s := seed(t)
	p, other := victim(t), victim(t)
	clients := healthy(t, p)
	healthy(t, other)
	before := latencies(t, clients, quiet)
	stray := unleash(t, other.addr(), s)
	beside := latencies(t, clients, attack/2)
	stray()
	other.end()
	rest := measure(t, p)

	stop := make(chan struct{})
	enough := unleash(t, p.addr(), s)
	peak := make(chan costs, 1)
	go func() { peak <- watchCosts(t, p, stop) }() // received below
	during := latencies(t, clients, attack)
	close(stop)
	most := <-peak
	counts := enough()
	settled(t, p, rest)

	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d connections of a client that %s", counts[name], name)
	}
	for _, m := range []struct {
		when   string
		sorted []time.Duration
	}{{"without an attack", before}, {"while another server is attacked", beside}, {"while theirs is attacked", during}} {
		t.Logf("healthy clients, %s: p99 %v, median %v of %d requests", m.when, p99(m.sorted), m.sorted[len(m.sorted)/2], len(m.sorted))
	}
	a, b := p99(before), p99(during)
	t.Logf("p99 of healthy clients is %.1f times the quiet one, %.1f times the one beside an attack on another server",
		float64(b)/float64(a), float64(b)/float64(p99(beside)))
	t.Logf("quiet %+v, most %+v, log of %d bytes", rest, most, len(p.output()))
	if b > waitMax {
		t.Errorf("healthy clients waited %v at p99, %v without the attack", b, a)
	}
	if grown := most.rss - rest.rss; grown > memoryGrowth {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	if most.sockets < rest.sockets+hostileClients/4 || most.goroutines < rest.goroutines+hostileClients/4 {
		t.Error("hardly any hostile connection was seen: the measurement cannot tell what is left behind")
	}
	if bad := p.complaints(); len(bad) > 0 {
		t.Errorf("the server complained: %q", bad)
	}
}

// victim is a running server for hostile clients.
func victim(t *testing.T) *process {
	p := described(t, paddock, "tickTime=500", "minSessionTimeout=1000", "nio.sessionlessCnxnTimeout=3000")
	p.flags = []string{"--pprof", "127.0.0.1:0"}
	running(t, p)
	return p
}

// unleash runs the hostile clients, and returns what stops them and tells how often they connected. They are a process of
// their own, nicer than the others: it is the server that may make the healthy ones wait, not the company they keep.
func unleash(t *testing.T, addr string, seed uint64) (enough func() map[string]int) {
	t.Helper()
	cmd := exec.Command("nice", "-n", "5", os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=harass", fmt.Sprint("CHAOS_SEED=", seed), "CHAOS_ADDR="+addr, "CHAOS_KINDS="+*hostileFlag)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() map[string]int {
		counts := map[string]int{}
		if err := errors.Join(in.Close(), cmd.Wait(), json.Unmarshal(out.Bytes(), &counts)); err != nil {
			t.Fatalf("hostile clients: %v: %s", err, out.Bytes())
		}
		return counts
	}
}

// healthy opens the sessions of those who only want to work, and makes what they and the others use.
func healthy(t *testing.T, p *process) []*client.Conn {
	t.Helper()
	var out []*client.Conn
	for i := range healthyClients {
		c, err := dial(p.addr(), client.Options{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Abandon)
		if i == 0 {
			do(t, c, &zk.Request{Op: zk.OpCreate, Path: busyPath, ACL: zk.OpenACL, TTLMS: -1})
			do(t, c, &zk.Request{Op: zk.OpCreate, Path: fatPath, Data: make([]byte, fatBytes), ACL: zk.OpenACL, TTLMS: -1})
		}
		do(t, c, &zk.Request{Op: zk.OpCreate, Path: fmt.Sprint(busyPath, "/", i), ACL: zk.OpenACL, TTLMS: -1})
		out = append(out, c)
	}
	return out
}

// latencies has the healthy clients work for a while, and returns how long each request took, sorted.
func latencies(t *testing.T, clients []*client.Conn, lasts time.Duration) []time.Duration {
	t.Helper()
	all := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	end := time.Now().Add(lasts)
	for i, c := range clients {
		wg.Go(func() { // waited for below
			path := fmt.Sprint(busyPath, "/", i)
			for n := 0; time.Now().Before(end); n++ {
				req := &zk.Request{Op: zk.OpGetData, Path: path}
				if n%2 == 0 {
					req = &zk.Request{Op: zk.OpSetData, Path: path, Data: []byte(strconv.Itoa(n)), Version: int32(-1)}
				}
				began := time.Now()
				r, err := c.Do(req)
				if err == nil && r.Err != zk.OK {
					err = fmt.Errorf("%v %s: %v", req.Op, path, r.Err)
				}
				if err != nil {
					errs[i] = err
					return
				}
				all[i] = append(all[i], time.Since(began))
				<-time.After(healthyPause)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("a healthy client: %v", err)
		}
	}
	out := slices.Concat(all...)
	slices.Sort(out)
	return out
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

var (
	profilesAddr   = regexp.MustCompile(`"addr":"([^"]+)".*profiles are open`)
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	residentKiB    = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

// measure looks at what the process holds.
func measure(t *testing.T, p *process) costs {
	t.Helper()
	c, err := measured(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func measured(p *process) (c costs, err error) {
	addr := profilesAddr.FindStringSubmatch(p.output())
	if addr == nil {
		return c, fmt.Errorf("no address of profiles in\n%s", p.logTail())
	}
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wordDeadline}
	r, err := once.Get("http://" + addr[1] + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return c, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return c, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return c, err
	}
	total, resident := goroutineTotal.FindSubmatch(text), residentKiB.FindSubmatch(status)
	if total == nil || resident == nil {
		return c, fmt.Errorf("no total in %.100q, or no VmRSS in %.100q", text, status)
	}
	c.goroutines, _ = strconv.Atoi(string(total[1]))
	kib, _ := strconv.ParseInt(string(resident[1]), 10, 64)
	c.rss = kib << 10
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	list, err := os.ReadDir(dir)
	for _, f := range list {
		switch target, err := os.Readlink(dir + "/" + f.Name()); {
		case err != nil: // closed meanwhile
		case strings.HasPrefix(target, "socket:"):
			c.sockets++
		default:
			c.files++
		}
	}
	return c, err
}

// watchCosts returns the most of everything that the process held until stop was closed.
func watchCosts(t *testing.T, p *process, stop <-chan struct{}) (most costs) {
	for {
		c, err := measured(p)
		if err != nil {
			t.Errorf("measure under attack: %v", err)
			return most
		}
		most.rss, most.sockets = max(most.rss, c.rss), max(most.sockets, c.sockets)
		most.files, most.goroutines = max(most.files, c.files), max(most.goroutines, c.goroutines)
		select {
		case <-stop:
			return most
		case <-time.After(dropByte):
		}
	}
}

// filesMore is how many more files than before may be open: the log may be at another file and have the next one ready.
const filesMore = 2

// settled waits until the process holds no more descriptors and goroutines than before.
func settled(t *testing.T, p *process, rest costs) {
	t.Helper()
	began := time.Now()
	for {
		now := measure(t, p)
		if now.sockets <= rest.sockets && now.files <= rest.files+filesMore && now.goroutines <= rest.goroutines {
			t.Logf("everything was given back after %v: %+v", time.Since(began).Round(time.Millisecond), now)
			return
		}
		if time.Since(began) > back {
			t.Errorf("%v after the attack the server holds %+v, before it %+v", back, now, rest)
			return
		}
		<-time.After(dropByte)
	}
}
