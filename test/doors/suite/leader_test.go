//go:build doors

package suite

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/client"
	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// leaderOf is the server that leads; nil if nobody does.
func leaderOf(t *testing.T, servers []*rig.Server) *rig.Server {
	t.Helper()
	for _, s := range servers {
		out := new(paddockv1.Status)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := dialREST(t, s).do(ctx, http.MethodGet, "/v1/status", nil, out)
		cancel()
		if err == nil && out.GetMode() == paddockv1.ServerMode_SERVER_MODE_LEADER {
			return s
		}
	}
	return nil
}

// writer writes numbers, in order, in sequential znodes of its own, and knows which were acknowledged.
type writer struct {
	door    string
	servers []*rig.Server
	root    string
	acked   map[int]string // the path that the number was acknowledged with
	last    int            // the highest number that was sent
}

// write goes on until stop is closed. What is not acknowledged may be there or not; each number is sent once. After a failure it goes on on
// another server, with another session.
func (w *writer) write(t *testing.T, stop <-chan struct{}, more func()) {
	at := 0
	var c caller
	for {
		select {
		case <-stop:
			return
		default:
		}
		if c == nil {
			if c = tryOpen(t, w.door, w.servers[at%len(w.servers)]); c == nil {
				at++
				<-time.After(20 * time.Millisecond)
				continue
			}
		}
		w.last++
		a, err := c.ask(&step{op: "create", path: w.root + "/n-", data: strconv.Itoa(w.last), mode: zk.PersistentSequential})
		if err != nil || a.Reason != "" {
			if j, ok := c.(*juteCaller); ok {
				j.Abandon()
			}
			at, c = at+1, nil
			continue
		}
		w.acked[w.last] = a.Path
		more()
	}
}

// tryOpen opens a session if the server is of use.
func tryOpen(t *testing.T, door string, s *rig.Server) caller {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if door == "jute" {
		c, err := client.Dial(ctx, s.Jute, client.Options{Timeout: 30 * time.Second, Silence: 50})
		if err != nil {
			return nil
		}
		t.Cleanup(c.Abandon)
		return &juteCaller{c}
	}
	calls := servicesOf(t, door, s)
	opened, err := calls.OpenSession(ctx, &paddockv1.OpenSessionRequest{TimeoutMs: 30_000})
	if err != nil {
		return nil
	}
	return &serviceCaller{calls, withSession(t.Context(), opened), opened}
}

// check compares what a server has with what was acknowledged: nothing is lost, no number is there twice, and the order of the names is that in
// which a client wrote.
func (w *writer) check(t *testing.T, c caller) error {
	t.Helper()
	var errs []error
	there := map[int]string{}
	var before int
	names := must(t, c, step{op: "children", path: w.root}).Children
	slices.Sort(names)
	for _, name := range names {
		n, err := strconv.Atoi(must(t, c, step{op: "get", path: w.root + "/" + name}).Data)
		switch {
		case err != nil:
			errs = append(errs, err)
		case there[n] != "":
			errs = append(errs, fmt.Errorf("%d is at %s and at %s", n, there[n], name))
		case n < before:
			errs = append(errs, fmt.Errorf("%d comes after %d", n, before))
		}
		there[n], before = w.root+"/"+name, n
	}
	for n, path := range w.acked {
		if there[n] != path {
			errs = append(errs, fmt.Errorf("%d was acknowledged at %s and is at %q", n, path, there[n]))
		}
	}
	return errors.Join(errs...)
}

func TestNothingIsLostWhenTheLeaderIsKilled(t *testing.T) {
	servers := rig.Ensemble(t, 3)
	stop := make(chan struct{})
	acked := make(chan string, 1<<16)
	var writers []*writer
	var all sync.WaitGroup
	first := tryOpen(t, "gRPC", servers[0])
	for _, door := range names() {
		w := &writer{door: door, servers: servers, root: "/by-" + door, acked: map[int]string{}}
		must(t, first, step{op: "create", path: w.root})
		writers = append(writers, w)
		all.Go(func() { // ends with stop
			w.write(t, stop, func() {
				select {
				case acked <- w.door:
				default: // it has done enough
				}
			})
		})
	}
	progress := func(what string) {
		t.Helper()
		seen := map[string]int{}
		deadline := time.After(2 * callTimeout)
		for slices.ContainsFunc(names(), func(door string) bool { return seen[door] < 20 }) {
			select {
			case door := <-acked:
				seen[door]++
			case <-deadline:
				t.Fatalf("%s: writes that were acknowledged within %v: %v", what, 2*callTimeout, seen)
			}
		}
	}
	progress("before the leader is killed")
	var killed *rig.Server
	until(t, "there is a leader", func() bool { killed = leaderOf(t, servers); return killed != nil })
	killed.Kill()
	for len(acked) > 0 {
		<-acked
	}
	progress("after the leader was killed")
	killed.Run(t)
	killed.Ready(t)
	progress("after it is back")
	close(stop)
	all.Wait()
	for _, s := range servers {
		for _, door := range names() {
			c := doors[door].open(t, s, 30*time.Second)
			must(t, c, step{op: "sync", path: "/"})
			for _, w := range writers {
				if err := w.check(t, c); err != nil {
					t.Errorf("what %s wrote, read through %s at %s: %v", w.door, door, s.GRPC, err)
				}
			}
		}
	}
	for _, w := range writers {
		t.Logf("%s: %d writes acknowledged of %d", w.door, len(w.acked), w.last)
	}
}

// An ensemble answers the same through all doors, at whichever member: the zxids of one ensemble differ from those of another by its epochs only,
// which begin alike.
func TestAllDoorsOfAnEnsembleAnswerTheSame(t *testing.T) {
	var first []string
	for _, name := range names() {
		servers := rig.Ensemble(t, 3)
		var leader *rig.Server
		until(t, "there is a leader", func() bool { leader = leaderOf(t, servers); return leader != nil })
		member := servers[0]
		if member == leader {
			member = servers[1]
		}
		got := relatively(t, doors[name], member, tour)
		if first == nil {
			first = got
		}
		for i := range got {
			if got[i] != first[i] {
				t.Errorf("a follower answers %s with\n  %s\nand jute with\n  %s", name, got[i], first[i])
			}
		}
		for _, s := range servers {
			s.Kill()
		}
	}
}

// relative counts zxids from that of the first znode.
func relative(a answer, base uint64) answer {
	for _, z := range []*zk.Zxid{&a.Stat.Czxid, &a.Stat.Mzxid, &a.Stat.Pzxid} {
		if uint64(*z) >= base {
			*z -= zk.Zxid(base)
		}
	}
	if a.Zxid >= base {
		a.Zxid -= base
	}
	for i := range a.Results {
		a.Results[i] = relative(a.Results[i], base)
	}
	return a
}

// relatively asks all steps at a member of a new ensemble through one door, and returns what each was answered, with zxids counted from
// that of the first znode.
func relatively(t *testing.T, d door, member *rig.Server, steps []step) (got []string) {
	t.Helper()
	base := uint64(0)
	for i, a := range play(t, d, member, steps) {
		if steps[i].op == "close" {
			continue
		}
		if base == 0 {
			base = uint64(a.Stat.Czxid) // of the first znode
		}
		got = append(got, steps[i].name+": "+relative(a, base).String())
	}
	return got
}
