//go:build doors

package hostile

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

const (
	residentMax = 700 << 20        // that the process may take, under the race of all attacks
	back        = 40 * time.Second // until everything must be given back
	patience    = 20 * time.Second // of a healthy client
)

// costs are what a process holds.
type costs struct {
	resident                   int64
	files, sockets, goroutines int
}

var (
	profilesAddr   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	residentKiB    = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

// start runs a server whose profiles are open, with a znode to read.
func start(t *testing.T) *rig.Server {
	t.Helper()
	s := rig.Start(t, "--pprof=127.0.0.1:0", "--log-format=json")
	if resp, body := send(t, s, http.MethodPut, "/v1/znodes/healthy", "well"); resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status, body)
	}
	// The first stream of events opens a connection that the server keeps.
	resp, err := http.Get("http://" + s.HTTP + "/v1/znodes/healthy?watch")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return s
}

// measure looks at what the process holds.
func measure(t *testing.T, s *rig.Server) (c costs) {
	t.Helper()
	var addr string
	for _, line := range rig.Lines(s.Log()) {
		if strings.Contains(line, "profiles are open") {
			addr = profilesAddr.FindString(line)
		}
	}
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := once.Get("http://" + addr + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err1 := io.ReadAll(r.Body)
	status, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	total, resident := goroutineTotal.FindSubmatch(text), residentKiB.FindSubmatch(status)
	if total == nil || resident == nil {
		t.Fatalf("no total in %.100q (%v), or no VmRSS in %.100q (%v)", text, err1, status, err2)
	}
	c.goroutines, _ = strconv.Atoi(string(total[1]))
	kib, _ := strconv.ParseInt(string(resident[1]), 10, 64)
	c.resident = kib << 10
	dir := fmt.Sprintf("/proc/%d/fd", s.PID())
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		switch target, err := os.Readlink(dir + "/" + f.Name()); {
		case err != nil: // closed meanwhile
		case strings.HasPrefix(target, "socket:"):
			c.sockets++
		default:
			c.files++
		}
	}
	return c
}

// What a server at rest may hold more at one moment than at another: the log may be at another file and have the next one ready, a timer may be at
// work. What an attack leaves behind it leaves behind many times.
const (
	filesMore      = 2
	goroutinesMore = 3
)

// settled waits until the process holds no more than before.
func settled(t *testing.T, s *rig.Server, rest costs) {
	t.Helper()
	for end := time.Now().Add(back); ; <-time.After(200 * time.Millisecond) {
		now := measure(t, s)
		if now.sockets <= rest.sockets && now.files <= rest.files+filesMore && now.goroutines <= rest.goroutines+goroutinesMore {
			t.Logf("before %+v, after %+v", rest, now)
			return
		}
		if time.Now().After(end) {
			t.Errorf("%v after the attack the server holds %+v, before it %+v", back, now, rest)
			return
		}
	}
}

// under runs an attack and checks that the server is well meanwhile, and afterwards.
func under(t *testing.T, s *rig.Server, attack func(t *testing.T)) {
	t.Helper()
	conn := dial(t, s)
	healthy(t, s, conn)
	http.DefaultClient.CloseIdleConnections()
	rest := measure(t, s)
	over := make(chan struct{})
	go func() { // ends with the attack
		defer close(over)
		attack(t)
	}()
	var most costs
	for done := false; !done; {
		select {
		case <-over:
			done = true
		case <-time.After(100 * time.Millisecond):
		}
		healthy(t, s, conn)
		now := measure(t, s)
		most.resident, most.goroutines, most.sockets = max(most.resident, now.resident), max(most.goroutines, now.goroutines), max(most.sockets, now.sockets)
	}
	t.Logf("at most %d MiB, %d goroutines, %d sockets", most.resident>>20, most.goroutines, most.sockets)
	if most.resident > residentMax {
		t.Errorf("the process took %d MiB", most.resident>>20)
	}
	http.DefaultClient.CloseIdleConnections()
	settled(t, s, rest)
}

// dial connects to the gRPC port.
func dial(t *testing.T, s *rig.Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// healthy checks that somebody who behaves is served through both doors.
func healthy(t *testing.T, s *rig.Server, conn *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	calls := paddockv1.NewZnodeServiceClient(conn)
	if out, err := calls.Get(ctx, &paddockv1.GetRequest{Path: "/healthy"}); err != nil || string(out.GetData()) != "well" {
		t.Errorf("a healthy client of gRPC gets %v, %v", out, err)
	}
	if _, err := calls.Set(ctx, &paddockv1.SetRequest{Path: "/healthy", Data: []byte("well")}); err != nil {
		t.Errorf("a healthy client of gRPC writes: %v", err)
	}
	if resp, body := send(t, s, http.MethodGet, "/v1/znodes/healthy", ""); resp.StatusCode != http.StatusOK || body != "well" {
		t.Errorf("a healthy client of REST gets %s %q", resp.Status, body)
	}
}

// send makes a request with headers in pairs.
func send(t *testing.T, s *rig.Server, method, target, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.HTTP, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	req.URL.Opaque, req.URL.RawQuery = path, query // as it is
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}
