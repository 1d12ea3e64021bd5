package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/freeport"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen. It is no measure of anything.
const patience = 20 * time.Second

// eventually polls until ok, or the test fails.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to pass that %s", what)
		}
	}
}

// recorder is a Handler that remembers.
type recorder struct {
	mu       sync.Mutex
	got      map[quorum.ServerID]election.Notification // the newest of each server
	count    map[quorum.ServerID]int
	up       map[quorum.ServerID]int // PeerUp minus nothing: how often
	down     map[quorum.ServerID]int
	links    map[consensus.LinkID]*linkRecord
	failures []error
	latest   consensus.LinkID
	block    chan struct{}                  // Received waits until it is closed; nil: not
	hold     func([]consensus.Message) bool // tells what Received passes on, and is held up with until gate is closed; nil: nothing
	gate     chan struct{}
	// done takes back what Received has brought, of which only what messages refer to themselves is kept; nil: it is not given back.
	done func(consensus.LinkID, []consensus.Message)
}

type linkRecord struct {
	server   quorum.ServerID
	dialled  bool
	messages []consensus.Message
	trees    []*tree.Tree
	alive    int
	views    int
	down     error
}

func newRecorder() *recorder {
	return &recorder{got: map[quorum.ServerID]election.Notification{}, count: map[quorum.ServerID]int{}, up: map[quorum.ServerID]int{},
		down: map[quorum.ServerID]int{}, links: map[consensus.LinkID]*linkRecord{}}
}

func (r *recorder) with(f func()) { r.mu.Lock(); defer r.mu.Unlock(); f() }

func (r *recorder) Notified(from quorum.ServerID, n *election.Notification) {
	r.with(func() { r.got[from] = *n; r.count[from]++ })
}
func (r *recorder) PeerUp(s quorum.ServerID)   { r.with(func() { r.up[s]++ }) }
func (r *recorder) PeerDown(s quorum.ServerID) { r.with(func() { r.down[s]++ }) }
func (r *recorder) LinkUp(l consensus.LinkID, s quorum.ServerID, dialled bool) {
	r.with(func() {
		if r.links[l] != nil {
			panic("a link came up twice")
		}
		r.links[l] = &linkRecord{server: s, dialled: dialled}
		r.latest = l
	})
}
func (r *recorder) DialFailed(s quorum.ServerID, err error) {
	r.with(func() { r.failures = append(r.failures, err) })
}
func (r *recorder) Received(l consensus.LinkID, m []consensus.Message, pass func()) (on bool) {
	held := r.hold != nil && r.hold(m)
	if r.block != nil {
		<-r.block
	}
	r.with(func() { r.living(l).messages = append(r.living(l).messages, m...) })
	if r.done != nil {
		r.done(l, m)
	}
	if held {
		pass()
		<-r.gate
	}
	return !held
}
func (r *recorder) ReceivedSnap(l consensus.LinkID, m *consensus.Message, t *tree.Tree) {
	r.with(func() { x := r.living(l); x.messages = append(x.messages, *m); x.trees = append(x.trees, t) })
}
func (r *recorder) LinkAlive(l consensus.LinkID) { r.with(func() { r.living(l).alive++ }) }
func (r *recorder) ViewRead(l consensus.LinkID, v *tree.View) {
	r.with(func() { r.living(l).views++ })
}
func (r *recorder) LinkDown(l consensus.LinkID, err error) { r.with(func() { r.living(l).down = err }) }

// living is the record of a link that has not ended.
func (r *recorder) living(l consensus.LinkID) *linkRecord {
	x := r.links[l]
	if x == nil || x.down != nil {
		panic(fmt.Sprintf("link %d is told of outside its life", l))
	}
	return x
}

// link is what is known of one, or of the newest for id 0; empty if there is none.
func (r *recorder) link(id consensus.LinkID) (consensus.LinkID, linkRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == 0 {
		id = r.latest
	}
	if r.links[id] == nil {
		return 0, linkRecord{}
	}
	x := *r.links[id]
	x.messages = append([]consensus.Message(nil), x.messages...)
	return id, x
}

// node is a running Transport.
type node struct {
	*Transport
	*recorder
	id   quorum.ServerID
	stop func() error // ends it; the error of Run
}

// Send has a message sent at once.
func (n *node) Send(link consensus.LinkID, m *consensus.Message) {
	n.Transport.Send(link, m)
	n.Flush()
}

// ensemble is a configuration of n servers on loopback.
func ensemble(t *testing.T, n int) *quorum.Config {
	t.Helper()
	var lines []string
	p := freeport.TakeSeveral(t, 2*n)
	for i := range n {
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, p[2*i], p[2*i+1]))
	}
	c, err := quorum.ParseConfig(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// options are good for a test: short ticks, and a tree that is written as a length and as many zero bytes.
func options(id quorum.ServerID, c *quorum.Config) Options {
	return Options{
		Self: id, Committed: c, Log: zerolog.Nop(), TickTime: time.Second, InitLimit: 20, SyncLimit: 20, ElectionBindRetries: 5,
		DialRetryDelay: 10 * time.Millisecond,
		WriteTree: func(ctx context.Context, w io.Writer, v *tree.View) error {
			b := binary.BigEndian.AppendUint64(nil, treeBytes)
			if _, err := w.Write(b); err != nil {
				return err
			}
			for range treeBytes / 1000 {
				if _, err := w.Write(make([]byte, 1000)); err != nil {
					return err
				}
			}
			return nil
		},
		ReadTree: func(r io.Reader, z zk.Zxid) (*tree.Tree, error) {
			var b [8]byte
			if _, err := io.ReadFull(r, b[:]); err != nil {
				return nil, err
			}
			if n := binary.BigEndian.Uint64(b[:]); n != treeBytes {
				return nil, fmt.Errorf("a tree of %d bytes", n)
			}
			_, err := io.CopyN(io.Discard, r, treeBytes)
			return tree.New(1), err
		},
		ReadLog: func(ctx context.Context, after, to zk.Zxid, f func(zk.Zxid, []byte) error) error {
			for z := after + 1; z <= to; z++ {
				if err := f(z, []byte(z.String())); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

const treeBytes = 3_000_000

// start runs a transport until the test ends, or stop is called.
func start(t *testing.T, id quorum.ServerID, c *quorum.Config, change ...func(*Options)) *node {
	t.Helper()
	n := &node{recorder: newRecorder(), id: id}
	opt := options(id, c)
	opt.Handler = n.recorder
	for _, f := range change {
		f(&opt)
	}
	var err error
	if n.Transport, err = New(opt); err != nil {
		t.Fatal(err)
	}
	n.done = n.Transport.Done
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- n.Run(ctx) }()
	var once sync.Once
	var ended error
	n.stop = func() error {
		once.Do(func() {
			cancel()
			select {
			case ended = <-result:
			case <-time.After(patience):
				ended = errors.New("Run does not return")
			}
		})
		return ended
	}
	t.Cleanup(func() {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// tell sends a notification whose round is told.
func (n *node) tell(to quorum.ServerID, round int64) {
	n.Notify(to, &election.Notification{Role: election.Looking, Version: election.Version, Vote: election.Vote{Leader: n.id, Round: round}})
}

// heard is the newest round that came from a server; 0 before the first.
func (n *node) heard(from quorum.ServerID) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.got[from].Vote.Round
}

func (n *node) ups(of quorum.ServerID) (c int)   { n.with(func() { c = n.up[of] }); return c }
func (n *node) downs(of quorum.ServerID) (c int) { n.with(func() { c = n.down[of] }); return c }
