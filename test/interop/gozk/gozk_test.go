package gozk

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"paddock/test/interop/target"
)

const (
	deadline = 30 * time.Second      // until a condition that a case waits for must hold
	poll     = 20 * time.Millisecond // between two looks at a condition
	lasting  = 20 * time.Second      // session timeout of a client that is not meant to expire
	fleeting = 2 * time.Second       // session timeout of a client that is meant to expire
)

// cases are the suite, in the order of play. Each works below a root of its own.
var cases = []struct {
	name string
	play func(w *world)
}{
	{"a node's stat counts versions, children and bytes", playStat},
	{"each misuse is answered by the error of its own", playErrors},
	{"sequential names count the creations below the parent", playSequences},
	{"data of every size comes back as it was sent", playSizes},
	{"hundreds of requests in flight are all answered", playPipelining},
	{"a transaction happens as a whole", playMulti},
	{"a refused transaction changes nothing and names the operation at fault", playMultiRefused},
	{"a digest identity opens what an ACL keeps closed to others", playDigest},
	{"a container goes once its last child has gone", playContainer},
	{"a node with a time to live goes when that has passed", playTTL},
	{"a lock is held by one and handed over in the order of waiting", playLock},
	{"a counter under a lock loses no increment", playExclusion},
	{"a watch fires once, for the first change", playWatches},
	{"an event comes before any answer that shows the change", playEventBeforeReply},
	{"a thousand watches of a node all fire", playManyWatchers},
	{"four-letter words count nodes and transactions and list the connection", playWords},
	{"closing a session takes its ephemerals along", playClose},
	{"a session outlives its connection", playConnectionLost},
	{"a session that expired is gone with its ephemerals, and its client told so", playExpiry},
	{"a session, its ephemerals and its watches outlive a restart of the server", playRestart},
	{"watches that missed a change during an outage fire when set again", playMissedChange},
	{"what was acknowledged before the server was killed is there afterwards", playCrash},
	{"credentials are given again after a restart", playAuthAgain},
	{"a session whose client went away while the server was down expires once it is back", playExpiryOverRestart},
}

func TestGoZooKeeper(t *testing.T) {
	target.Each(t, func(t *testing.T, s *target.Server) {
		for number, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				w := &world{T: t, server: s, root: fmt.Sprintf("/go-%d", number)}
				w.create(w.client(), "", zk.FlagPersistent)
				c.play(w)
			})
		}
	})
}

// world is what a case is given: clients, a root of its own, and power over the server.
type world struct {
	*testing.T
	server *target.Server
	root   string
}

// client is a connection together with what it told about its session and a gate in front of the server.
type client struct {
	*zk.Conn
	states chan zk.State // every change of the session's state, in order
	gate   *gate
}

// client returns a client with a session that lasts; it is closed when the case ends.
func (w *world) client() *client { return w.clientFor(lasting) }

// clientFor returns a connected client that asks for the given session timeout; it is closed when the case ends.
func (w *world) clientFor(timeout time.Duration) *client {
	w.Helper()
	c := &client{states: make(chan zk.State, 1000), gate: &gate{}}
	told := func(e zk.Event) {
		if e.Type == zk.EventSession {
			c.states <- e.State
		}
	}
	conn, _, err := zk.Connect([]string{w.server.Addr()}, timeout,
		zk.WithDialer(c.gate.dial), zk.WithEventCallback(told), zk.WithLogger(quiet{}))
	w.must(err)
	c.Conn = conn
	w.Cleanup(conn.Close)
	w.await(c, zk.StateHasSession)
	return c
}

// await reads the client's states until want comes.
func (w *world) await(c *client, want zk.State) {
	w.Helper()
	timeout := time.After(deadline)
	for {
		select {
		case state := <-c.states:
			if state == want {
				return
			}
		case <-timeout:
			w.Fatalf("the client never came to %v", want)
		}
	}
}

// event returns what a watch fired.
func (w *world) event(watch <-chan zk.Event) zk.Event {
	w.Helper()
	select {
	case e := <-watch:
		w.must(e.Err)
		return e
	case <-time.After(deadline):
		w.Fatal("the watch never fired")
		return zk.Event{}
	}
}

// eventually waits until condition holds; what says what was waited for.
func (w *world) eventually(what string, condition func() bool) {
	w.Helper()
	for end := time.Now().Add(deadline); !condition(); {
		if time.Now().After(end) {
			w.Fatalf("never happened: %s", what)
		}
		<-time.After(poll)
	}
}

// create creates a node below the root with a copy of its path as data, and returns the path it got.
func (w *world) create(c *client, path string, flags int32) string {
	w.Helper()
	got, err := c.Create(w.root+path, []byte(path), flags, zk.WorldACL(zk.PermAll))
	w.must(err)
	return got
}

// exists tells whether there is a node below the root.
func (w *world) exists(c *client, path string) bool {
	w.Helper()
	found, _, err := c.Exists(w.root + path)
	w.must(err)
	return found
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) is(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Fatalf("got error %v, want %v", err, want)
	}
}

func equal[V comparable](w *world, got, want V) {
	w.Helper()
	if got != want {
		w.Fatalf("got %v, want %v", got, want)
	}
}

// gate is a dialer whose connections can be cut and kept from being made again.
type gate struct {
	mu    sync.Mutex // guards shut and conns
	shut  bool
	conns []net.Conn
}

func (g *gate) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return nil, errors.New("the gate is shut")
	}
	conn, err := net.DialTimeout(network, address, timeout)
	if err == nil {
		g.conns = append(g.conns, conn)
	}
	return conn, err
}

// cut closes every connection; unless stay is set, new ones may be made at once.
func (g *gate) cut(stay bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = stay
	for _, conn := range g.conns {
		_ = conn.Close() // closed already, by the client: then it is cut
	}
	g.conns = nil
}

// open lets new connections be made.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
}

// quiet is a logger for the client that says nothing: what matters is told by states and errors.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
