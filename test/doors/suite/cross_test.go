//go:build doors

package suite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// shortTimeout is that of sessions which are to expire.
const shortTimeout = 2 * time.Second

// must asks for what has to be done.
func must(t *testing.T, c caller, s step) answer {
	t.Helper()
	a, err := c.ask(&s)
	if err != nil || a.Reason != "" {
		t.Fatalf("%s %s: %v %v", s.op, s.path, a, err)
	}
	return a
}

// pairs runs a test for each door that does something and each that looks at it, all on one server.
func pairs(t *testing.T, settings []string, f func(t *testing.T, s *rig.Server, from, to string)) {
	s := rig.Start(t, settings...)
	for _, from := range names() {
		for _, to := range names() {
			t.Run(from+" to "+to, func(t *testing.T) { f(t, s, from, to) })
		}
	}
}

func TestWhatOneDoorWritesAnotherReads(t *testing.T) {
	pairs(t, nil, func(t *testing.T, s *rig.Server, from, to string) {
		here, there := doors[from].open(t, s, 30*time.Second), doors[to].open(t, s, 30*time.Second)
		root := "/" + from + "-" + to
		must(t, here, step{op: "create", path: root})
		for _, mode := range []zk.CreateMode{zk.Persistent, zk.Ephemeral, zk.PersistentSequential, zk.EphemeralSequential, zk.Container, zk.PersistentTTL} {
			st := step{op: "create", path: fmt.Sprintf("%s/%d", root, mode), data: "data of " + from, mode: mode}
			if mode.IsTTL() {
				st.ttl = 60_000
			}
			made := must(t, here, st)
			seen := must(t, there, step{op: "get", path: made.Path})
			if seen.Data != st.data || seen.Stat != made.Stat || seen.Zxid != made.Zxid {
				t.Errorf("mode %d: created %v, read %v", mode, made, seen)
			}
			if list := must(t, there, step{op: "children", path: root}); !slices.Contains(list.Children, zk.BaseName(made.Path)) {
				t.Errorf("mode %d: %s is not among %q", mode, made.Path, list.Children)
			}
			set := must(t, there, step{op: "set", path: made.Path, data: "data of " + to, at: 0})
			if seen = must(t, here, step{op: "get", path: made.Path}); seen.Data != "data of "+to || seen.Stat != set.Stat {
				t.Errorf("mode %d: set %v, read %v", mode, set, seen)
			}
		}
		there.close(t)
		if got := must(t, here, step{op: "ephemerals", path: root}); len(got.Children) != 2 {
			t.Errorf("ephemerals of the one that lives: %q", got.Children)
		}
		here.close(t)
	})
}

// changes tells what a watch sees, as "type path" in order.
type changes func() (string, error)

// watches begin to watch a znode and what is below it through each door.
var watches = map[string]func(t *testing.T, s *rig.Server, path string) changes{
	"jute":     watchJute,
	"gRPC":     watchGRPC,
	"pipeline": watchGRPC, // has no watches of its own
	"REST":     watchREST,
}

func watchJute(t *testing.T, s *rig.Server, path string) changes {
	c := dialJute(t, s, 30*time.Second)
	if rep, err := c.Do(&zk.Request{Op: zk.OpAddWatch, Path: path, Arg: int32(zk.AddPersistentRecursive)}); err != nil || rep.Err != zk.OK {
		t.Fatal(rep, err)
	}
	words := map[zk.EventType]string{zk.NodeCreated: "created", zk.NodeDeleted: "deleted", zk.NodeDataChanged: "data_changed"}
	return func() (string, error) {
		select {
		case e, ok := <-c.Events():
			if !ok {
				return "", c.Err()
			}
			return words[e.Type] + " " + e.Path, nil
		case <-time.After(callTimeout):
			return "", context.DeadlineExceeded
		}
	}
}

func watchGRPC(t *testing.T, s *rig.Server, path string) changes {
	ctx, cancel := context.WithTimeout(t.Context(), 2*callTimeout)
	t.Cleanup(cancel)
	stream, err := dialGRPC(t, s).Watch(ctx)
	if err == nil {
		err = stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
			WatchId: 7, Path: path, Kind: paddockv1.WatchKind_WATCH_KIND_RECURSIVE,
		}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetCreated() == nil {
		t.Fatalf("the watch begins with %v, %v", m, err)
	}
	var left []*paddockv1.Change
	return func() (string, error) {
		for len(left) == 0 {
			m, err := stream.Recv()
			if err != nil {
				return "", err
			}
			left = m.GetEvents().GetChanges()
		}
		c := left[0]
		left = left[1:]
		return strings.ToLower(strings.TrimPrefix(c.GetType().String(), "CHANGE_TYPE_")) + " " + c.GetPath(), nil
	}
}

func watchREST(t *testing.T, s *rig.Server, path string) changes {
	ctx, cancel := context.WithTimeout(t.Context(), 2*callTimeout)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.HTTP+at("znodes", path)+"?watch=recursive", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp.Status, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	var left []string
	next := func() (string, error) {
		for len(left) == 0 {
			if !lines.Scan() {
				return "", fmt.Errorf("the stream has ended: %w", io.ErrUnexpectedEOF)
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				left = eventsOf(t, data)
			}
		}
		first := left[0]
		left = left[1:]
		return first, nil
	}
	for !strings.HasPrefix(lines.Text(), "data: ") { // of the event that tells that it has begun
		if !lines.Scan() {
			t.Fatal("the stream has not begun")
		}
	}
	return next
}

func TestWhatOneDoorWritesAnotherIsTold(t *testing.T) {
	pairs(t, nil, func(t *testing.T, s *rig.Server, from, to string) {
		c := doors[from].open(t, s, 30*time.Second)
		path := "/w-" + from + "-" + to
		next := watches[to](t, s, path)
		must(t, c, step{op: "create", path: path})
		must(t, c, step{op: "create", path: path + "/e", mode: zk.Ephemeral})
		must(t, c, step{op: "set", path: path, data: "x", any: true})
		must(t, c, step{op: "multi", steps: []step{{op: "create", path: path + "/m"}, {op: "set", path: path + "/m", data: "y", any: true}}})
		must(t, c, step{op: "delete", path: path + "/m", any: true})
		c.close(t)
		for _, want := range []string{"created ", "created /e", "data_changed ", "created /m", "data_changed /m", "deleted /m", "deleted /e"} {
			kind, below, _ := strings.Cut(want, " ")
			if got, err := next(); err != nil || got != kind+" "+path+below {
				t.Fatalf("told %q, %v, want %q of %s", got, err, want, path)
			}
		}
	})
}

// A session that is heard of no more expires for all doors: its ephemerals go, and nobody takes it up again.
func TestASessionOfOneDoorExpiresForAnother(t *testing.T) {
	pairs(t, []string{"tickTime=200"}, func(t *testing.T, s *rig.Server, from, to string) {
		c := doors[from].open(t, s, shortTimeout)
		path := "/x-" + from + "-" + to
		next := watches[to](t, s, path)
		must(t, c, step{op: "create", path: path, mode: zk.Ephemeral})
		if j, ok := c.(*juteCaller); ok {
			j.Abandon() // so that it does not ping
		}
		for _, want := range []string{"created", "deleted"} {
			if got, err := next(); err != nil || got != want+" "+path {
				t.Fatalf("told %q, %v, want %s", got, err, want)
			}
		}
		if sc, ok := c.(*serviceCaller); ok {
			if a, err := c.ask(&step{op: "get", path: "/"}); err != nil || a.Reason != "SESSIONEXPIRED" {
				t.Errorf("the session is over, but asked it answers %v, %v (session %#x)", a, err, sc.id())
			}
		}
	})
}

// A session is the same through all doors: who has its id and password goes on with it where it likes.
func TestASessionGoesOnThroughAnotherDoor(t *testing.T) {
	s := rig.Start(t)
	calls := dialGRPC(t, s)
	first := openSession(t, calls, 30*time.Second)
	must(t, first, step{op: "create", path: "/mine", mode: zk.Ephemeral})
	byREST := &serviceCaller{dialREST(t, s), first.ctx, first.session}
	if got := must(t, byREST, step{op: "ephemerals", path: "/"}); !slices.Equal(got.Children, []string{"/mine"}) {
		t.Errorf("through REST it has %q", got.Children)
	}
	must(t, byREST, step{op: "create", path: "/mine2", mode: zk.Ephemeral})
	j := resumeJute(t, s, first)
	if rep, err := j.Do(&zk.Request{Op: zk.OpGetEphemerals, Path: "/"}); err != nil || len(rep.Names) != 2 {
		t.Errorf("through jute it has %v, %v", rep, err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if a, err := first.ask(&step{op: "get", path: "/"}); err != nil || a.Reason != "SESSIONEXPIRED" {
		t.Errorf("it was closed through jute, but answers gRPC with %v, %v", a, err)
	}
}

// The queue of a lock is the same for recipes of ZooKeeper's clients and for the service.
func TestALockQueuesRecipesAndServices(t *testing.T) {
	s := rig.Start(t)
	recipe := dialJute(t, s, 30*time.Second)
	for _, path := range []string{"/lock"} {
		if rep, err := recipe.Do(&zk.Request{Op: zk.OpCreate2, Path: path, ACL: zk.OpenACL, TTLMS: -1}); err != nil || rep.Err != zk.OK {
			t.Fatal(rep, err)
		}
	}
	claim, err := recipe.Do(&zk.Request{Op: zk.OpCreate2, Path: "/lock/_c_01234567-89ab-cdef-0123-456789abcdef-lock-", ACL: zk.OpenACL, TTLMS: -1, Mode: zk.EphemeralSequential, Data: []byte("recipe")})
	if err != nil || claim.Err != zk.OK {
		t.Fatal(claim, err)
	}
	calls := dialGRPC(t, s)
	second := openSession(t, calls, 30*time.Second)
	held := make(chan *paddockv1.LockResponse, 1)
	failed := make(chan error, 1)
	go func() { // ends with the call, which the test's context bounds
		out, err := calls.Lock(second.ctx, &paddockv1.LockRequest{Path: "/lock", Owner: []byte("service")})
		failed <- err
		held <- out
	}()
	byREST := dialREST(t, s)
	claims := func() *paddockv1.GetLockResponse {
		out := new(paddockv1.GetLockResponse)
		if _, err := byREST.do(t.Context(), http.MethodGet, "/v1/locks/lock", nil, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	until(t, "the service queues behind the recipe", func() bool { return len(claims().GetClaims()) == 2 })
	if got := claims().GetClaims(); string(got[0].GetOwner()) != "recipe" || got[0].GetLockPath() != claim.Path || string(got[1].GetOwner()) != "service" {
		t.Errorf("the queue is %v", got)
	}
	select {
	case err := <-failed:
		t.Fatalf("the lock was given while the recipe had it: %v", err)
	default:
	}
	if err := recipe.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	got := <-held
	third := dialJute(t, s, 30*time.Second)
	rep, err := third.Do(&zk.Request{Op: zk.OpGetChildren2, Path: "/lock"})
	if err != nil || len(rep.Names) != 1 || "/lock/"+rep.Names[0] != got.GetLockPath() || got.GetFencingToken() <= uint64(claim.Zxid) {
		t.Errorf("the service holds %v, the znode has %v, %v; the recipe's token was %d", got, rep, err, claim.Zxid)
	}
	if err := unlock(second, byREST, url.PathEscape("lock")); err != nil {
		t.Error(err)
	}
	if got := claims().GetClaims(); len(got) != 0 {
		t.Errorf("it is free, but %v", got)
	}
}

// unlock gives a lock up through REST.
func unlock(c *serviceCaller, r *rest, path string) error {
	_, err := r.do(c.ctx, http.MethodDelete, "/v1/locks/"+path, nil, new(paddockv1.UnlockResponse))
	return err
}
