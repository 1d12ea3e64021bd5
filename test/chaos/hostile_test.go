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
	attackRounds   = 6                    // of which an attack is made: a disk is not equally fast from one minute to the next
	memoryGrowth   = 200 << 20            // bytes that an attack may cost
	waitMax        = 3 * time.Second      // at p99: whoever waits longer is not served; how much less is it in the log
	back           = time.Minute          // until everything that an attack took is given back
	lookEvery      = time.Second          // at what a server holds, which costs it something as well
	clockTicks     = 100                  // a second, in which /proc counts processor time
)

// costs is what a process holds.
type costs struct {
	rss        int64 // bytes
	rssMost    int64 // bytes, since the process began
	sockets    int
	files      int
	goroutines int
}

var (
	hostileFlag = flag.String("hostile", "", "part of the name of the only kinds of hostile clients to let loose")
	attackFlag  = flag.Duration("attack", time.Minute, "how long hostile clients attack, in all rounds together")
)

// attacks are how hard they work: as hard as the machine lets them, or at a rate. A short run has the first.
var attacks = []struct {
	name string
	rate rate
}{
	{"without a rate", rate{Pause: 250 * time.Millisecond}},
	{"at a high rate", rate{Pause: 250 * time.Millisecond, Flood: 1000}},
	{"at a low rate", rate{Pause: time.Second, Flood: 100}},
}

// TestBadClients lets hostile clients at a server that healthy ones use: these are served, memory stays bounded, and
// nothing is left behind. All share one machine, so the same attack is also made on another server, with which the healthy
// clients have nothing to do but the processors and the disk: what that costs them is not the doing of the server they use.
func TestBadClients(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) { badClients(t, a.rate) })
		if testing.Short() {
			return
		}
	}
}

func badClients(t *testing.T, r rate) {
	attack, rounds := *attackFlag, attackRounds
	if testing.Short() {
		attack, rounds = 5*time.Second, 1
	}
	slice := attack / time.Duration(rounds)
	s := seed(t)
	p, other := victim(t), victim(t)
	clients := healthy(t, p)
	healthy(t, other)
	during(t, p, clients, attack/8) // until all is warm
	rest := measure(t, p)

	var quiet, beside, under latencies
	var most costs
	var worked time.Duration
	kinds := map[string]int{}
	for i := range uint64(rounds) {
		took, _ := during(t, p, clients, slice)
		quiet = append(quiet, took...)

		enough := unleash(t, other.addr(), s+i, r)
		took, _ = during(t, p, clients, slice)
		beside = append(beside, took...)
		enough(slice)

		enough = unleash(t, p.addr(), s+i, r)
		began := processorTime(t, p)
		took, peak := during(t, p, clients, slice)
		under, most = append(under, took...), most.or(peak)
		worked += processorTime(t, p) - began
		for name, n := range enough(slice) {
			kinds[name] += n
		}
		settled(t, p, rest)
	}

	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%5d connections of a client that %s", kinds[name], name)
	}
	for _, m := range []struct {
		when string
		took latencies
	}{{"without an attack", quiet}, {"while another server is attacked", beside}, {"while theirs is attacked", under}} {
		t.Logf("healthy clients, %s: p99 %v (%.1f times the quiet one), median %v of %d requests", m.when,
			m.took.at(99), float64(m.took.at(99))/float64(quiet.at(99)), m.took.at(50), len(m.took))
	}
	t.Logf("their server worked at %d%% of a processor under attack", 100*worked/attack)
	t.Logf("quiet %+v, most %+v, log of %d bytes", rest, most, len(p.output()))
	if under.at(99) > waitMax {
		t.Errorf("healthy clients waited %v at p99, %v without the attack", under.at(99), quiet.at(99))
	}
	if grown := most.rssMost - rest.rss; grown > memoryGrowth {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	if most.sockets < rest.sockets+hostileClients/4 || most.goroutines < rest.goroutines+hostileClients/4 {
		t.Error("hardly any hostile connection was seen: the measurement cannot tell what is left behind")
	}
	if bad := p.complaints(); len(bad) > 0 {
		t.Errorf("the server complained: %q", bad)
	}
}

// or is the most of either.
func (c costs) or(d costs) costs {
	return costs{
		rss: max(c.rss, d.rss), rssMost: max(c.rssMost, d.rssMost), sockets: max(c.sockets, d.sockets), files: max(c.files, d.files),
		goroutines: max(c.goroutines, d.goroutines),
	}
}

// latencies are how long requests took.
type latencies []time.Duration

// at is the duration that so many percent did not exceed.
func (l latencies) at(percent int) time.Duration {
	slices.Sort(l)
	return l[len(l)*percent/100]
}

// during has the healthy clients work for a while, and returns how long each request took and the most that their server held.
func during(t *testing.T, p *process, clients []*client.Conn, lasts time.Duration) (latencies, costs) {
	t.Helper()
	stop, peak := make(chan struct{}), make(chan costs, 1)
	go func() { peak <- watchCosts(t, p, stop) }() // received below
	took := work(t, clients, lasts)
	close(stop)
	return took, <-peak
}

// processorTime is how long processors have worked for a process.
func processorTime(t *testing.T, p *process) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):])) // the n-th of proc(5) is at n-2
	user, _ := strconv.Atoi(fields[14-2])
	system, _ := strconv.Atoi(fields[15-2])
	return time.Duration(user+system) * time.Second / clockTicks
}

// victim is a running server for hostile clients.
func victim(t *testing.T) *process {
	p := described(t, paddock, "tickTime=500", "minSessionTimeout=1000", "nio.sessionlessCnxnTimeout=3000")
	p.flags = []string{"--pprof", "127.0.0.1:0"}
	running(t, p)
	return p
}

// unleash runs the hostile clients, and returns what stops them and tells how often each kind connected. They are a process of
// their own that has a processor when nobody else wants it: an attacker would be on another machine, and not take from this
// one what the healthy clients need. A short run, which does not measure, has them get on in any company.
func unleash(t *testing.T, addr string, seed uint64, r rate) (enough func(lasted time.Duration) map[string]int) {
	t.Helper()
	asJSON, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chrt", "--idle", "0", os.Args[0])
	if testing.Short() {
		cmd = exec.Command("nice", "-n", "5", os.Args[0])
	}
	cmd.Env = append(os.Environ(), childVariable+"=harass", fmt.Sprint("CHAOS_SEED=", seed), "CHAOS_ADDR="+addr,
		"CHAOS_KINDS="+*hostileFlag, "CHAOS_RATE="+string(asJSON))
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
	return func(lasted time.Duration) map[string]int {
		var did report
		if err := errors.Join(in.Close(), cmd.Wait(), json.Unmarshal(out.Bytes(), &did)); err != nil {
			t.Fatalf("hostile clients: %v: %s", err, out.Bytes())
		}
		d, s := &did.Deeds, lasted.Seconds()
		t.Logf("hostile clients, a second: %.0f connections, %.0f requests, %.0f writes, %.0f kB sent, %.0f kB read; at %.0f%% of a processor",
			float64(d.Connections.Load())/s, float64(d.Requests.Load())/s, float64(d.Writes.Load())/s, float64(d.Sent.Load())/s/1e3,
			float64(d.Read.Load())/s/1e3, 100*(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds()/s)
		return did.Kinds
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

// work has the healthy clients ask for a while, and returns how long each request took.
func work(t *testing.T, clients []*client.Conn, lasts time.Duration) latencies {
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
	return slices.Concat(all...)
}

var (
	profilesAddr   = regexp.MustCompile(`"addr":"([^"]+)".*profiles are open`)
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	residentKiB    = regexp.MustCompile(`VmHWM:\s+(\d+) kB\s+VmRSS:\s+(\d+) kB`)
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
		return c, fmt.Errorf("no total in %.100q, or no VmHWM and VmRSS in %.100q", text, status)
	}
	c.goroutines, _ = strconv.Atoi(string(total[1]))
	most, _ := strconv.ParseInt(string(resident[1]), 10, 64)
	now, _ := strconv.ParseInt(string(resident[2]), 10, 64)
	c.rssMost, c.rss = most<<10, now<<10
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
		most = most.or(c)
		select {
		case <-stop:
			return most
		case <-time.After(lookEvery):
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
