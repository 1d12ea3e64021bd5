//go:build doors

package suite

import (
	"slices"
	"testing"
	"time"

	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// holds tells what a session has for ephemerals at a server, once that answers it.
func (c *serviceCaller) holds(t *testing.T, want ...string) {
	t.Helper()
	var last answer
	until(t, "the session goes on there with its ephemerals", func() bool {
		a, err := c.ask(&step{op: "ephemerals", path: "/"})
		last = a
		if a.Reason == "SESSIONEXPIRED" {
			t.Fatalf("the session is over: %v", a)
		}
		return err == nil && a.Reason == "" && slices.Equal(a.Children, want)
	})
	if t.Failed() {
		t.Logf("the last answer: %v", last)
	}
}

// A session whose server dies goes on at another one, through whichever door, with what it owns.
func TestASessionOutlivesItsServer(t *testing.T) {
	servers := rig.Ensemble(t, 3)
	first := openSession(t, dialGRPC(t, servers[0]), 30*time.Second)
	must(t, first, step{op: "create", path: "/one", mode: zk.Ephemeral})
	servers[0].Kill()

	through := &serviceCaller{dialGRPC(t, servers[1]), first.ctx, first.session}
	through.holds(t, "/one")
	must(t, through, step{op: "create", path: "/two", mode: zk.Ephemeral})
	if a := must(t, through, step{op: "exists", path: "/one"}); a.Stat.EphemeralOwner != first.id() {
		t.Errorf("/one belongs to %#x, the session is %#x", a.Stat.EphemeralOwner, first.id())
	}

	// The same over ZooKeeper's protocol, at the third server.
	j := &juteCaller{resumeJute(t, servers[2], first)}
	if j.id() != first.id() {
		t.Fatalf("resumed as %#x, it was %#x", j.id(), first.id())
	}
	must(t, j, step{op: "create", path: "/three", mode: zk.Ephemeral})
	must(t, j, step{op: "sync", path: "/"})
	if a := must(t, j, step{op: "ephemerals", path: "/"}); !slices.Equal(sorted(a.Children), []string{"/one", "/three", "/two"}) {
		t.Errorf("through jute it has %q", a.Children)
	}
	j.Abandon() // its connection ends, as those of clients do that crash

	// And back, at the server that was gone, over REST.
	servers[0].Run(t)
	servers[0].Ready(t)
	back := &serviceCaller{dialREST(t, servers[0]), first.ctx, first.session}
	back.holds(t, "/one", "/three", "/two")
	back.close(t)
	for _, s := range servers {
		c := doors["gRPC"].open(t, s, 30*time.Second)
		must(t, c, step{op: "sync", path: "/"})
		for _, path := range []string{"/one", "/two", "/three"} {
			if a, err := c.ask(&step{op: "get", path: path}); err != nil || a.Reason != "NONODE" {
				t.Errorf("the session is closed, but %s answers %v, %v to a get of %s", s.GRPC, a, err, path)
			}
		}
	}
}

// sorted is a sorted copy.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
