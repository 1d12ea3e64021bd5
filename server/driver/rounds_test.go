package driver

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"paddock/internal/zk"
	"paddock/server/replica"
	"paddock/server/request"
)

// where notes in whose goroutine its client was told something.
type where struct {
	sink
	mu  sync.Mutex // guards the field below
	put []bool     // for each Flush, whether it was that of who had left a letter
}

func (w *where) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put = append(w.put, strings.Contains(string(debug.Stack()), "(*Driver).put("))
}

// flushes is what was noted since the last call.
func (w *where) flushes() string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	out := fmt.Sprint(w.put)
	w.put = nil
	return out
}

// Who asks has the round, unless somebody has one, or rounds append so much that gathering pays.
func TestWhoHasARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		w := &where{}
		id := r.d.Open(w, request.Origin{IP: "127.0.0.1"})
		r.d.Connect(id, &zk.ConnectRequest{TimeoutMS: 10_000})
		w.flushes()
		expect := func(what, want string, reqs ...zk.Request) {
			t.Helper()
			r.d.Submit(id, reqs, nil)
			if got := w.flushes(); got != want {
				t.Errorf("%s: sent by who asked: %s, want %s", what, got, want)
			}
		}
		expect("a read", "[true]", exists(1, "/a"))
		expect("a write, answered after its sync", "[true]", create(2, "/a"))
		r.d.own.Lock()
		r.d.Submit(id, []zk.Request{exists(3, "/a")}, nil)
		r.d.own.Unlock()
		if got := w.flushes(); got != "[false]" {
			t.Errorf("while somebody had a round: sent by who asked: %s, want [false]", got)
		}
		var many []zk.Request
		for i := range 2 * gatherRate * roundsWeighed {
			many = append(many, create(int32(4+i), fmt.Sprintf("/a/%d", i)))
		}
		r.d.Submit(id, many, nil)
		w.flushes()
		expect("while much is appended", "[false]", exists(1000, "/a"))
		for range 10 * roundsWeighed {
			r.d.Submit(id, []zk.Request{exists(1001, "/a")}, nil)
			w.flushes()
		}
		expect("when that is over", "[true]", exists(1002, "/a"))
		r.stop()
		r.d.Submit(id, []zk.Request{exists(1003, "/a")}, nil)
		if got := w.flushes(); got != "[]" {
			t.Errorf("after Run: %s", got)
		}
	})
}

// counter is told by everybody; the race detector sees whether one after the other.
type counter struct {
	sink
	last    int32
	replies *int
	wrong   *int
}

func (c *counter) Connected(*zk.ConnectResponse) {}
func (c *counter) Event(*zk.Event)               {}
func (c *counter) Flush()                        {}
func (c *counter) Reply(r *zk.Reply) {
	if r.Xid != c.last+1 {
		*c.wrong++
	}
	c.last = r.Xid
	*c.replies++
}

// Many who ask at once are each answered once, in order, whoever has the rounds.
func TestManyHaveRounds(t *testing.T) {
	const clients, batches, each = 16, 200, 3
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeLog{}).run()
		replies, wrong := 0, 0
		var all sync.WaitGroup
		for n := range clients {
			id := r.d.Open(&counter{replies: &replies, wrong: &wrong}, request.Origin{IP: "127.0.0.1"})
			r.d.Connect(id, &zk.ConnectRequest{TimeoutMS: 10_000})
			all.Go(func() {
				xid := int32(0)
				for b := range batches {
					var reqs []zk.Request
					for range each {
						xid++
						req := exists(xid, "/a")
						if (n+b)%5 == 0 {
							req = create(xid, fmt.Sprintf("/%d-%d", n, xid))
						}
						reqs = append(reqs, req)
					}
					r.d.Submit(id, reqs, nil)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		r.d.own.Lock()
		if replies != clients*batches*each || wrong > 0 {
			t.Errorf("%d replies, %d out of order; want %d and none", replies, wrong, clients*batches*each)
		}
		r.d.own.Unlock()
		r.stop()
	})
}

// A panic in a round ends the process though the caller of Submit goes on after panics.
func TestAPanicInARoundEndsTheProcess(t *testing.T) {
	const child = "PADDOCK_TEST_PANIC"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: the replica is lost, in a round:") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	synctest.Test(t, func(t *testing.T) {
		armed := false
		r := newRig(t, &fakeLog{}, func(o *Options, _ *replica.Config) {
			o.Observe = func(replica.Note) {
				if armed {
					panic("the replica is lost")
				}
			}
		}).run()
		p := r.open()
		armed = true
		func() {
			defer func() { _ = recover() }()
			r.d.Submit(p.id, []zk.Request{{Xid: 1, Op: zk.OpCloseSession}}, nil)
		}()
		synctest.Wait()
		t.Log("it goes on")
		r.stop()
	})
}
