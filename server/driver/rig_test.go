package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog notes what it is asked to do. While it holds, every Sync waits for the test to say how it ends.
type fakeLog struct {
	hold chan error
	fail map[string]error // by "write", "sync", "roll"

	mu     sync.Mutex // guards the fields below
	ops    []string
	failed bool
	late   []string // what was asked after an error
}

func (l *fakeLog) note(op, format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	l.ops = append(l.ops, text)
	if l.failed {
		l.late = append(l.late, text)
	}
	if err := l.fail[op]; err != nil {
		l.failed = true
		return err
	}
	return nil
}

func (l *fakeLog) Frame(dst, payload []byte) []byte { return append(append(dst, '<'), payload...) }

func (l *fakeLog) Write(framed []byte, first, last zk.Zxid) error {
	if n := bytes.Count(framed, []byte{'<'}); n == 0 {
		return errors.New("an empty write")
	}
	return l.note("write", "write %d-%d", first, last)
}

func (l *fakeLog) Sync() error {
	if l.hold != nil {
		if err := <-l.hold; err != nil {
			l.mu.Lock()
			l.failed = true
			l.mu.Unlock()
			return err
		}
	}
	return l.note("sync", "sync")
}

func (l *fakeLog) Roll() error { return l.note("roll", "roll") }

// asked is what the log was asked since the last call.
func (l *fakeLog) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ops := l.ops
	l.ops = nil
	return ops
}

// sink is a client's door. What is handed over counts as sent once it is flushed.
type sink struct {
	backlog atomic.Int64
	each    int64 // what every reply adds to the backlog

	mu      sync.Mutex // guards the fields below
	waiting []string
	sent    []string
	session zk.ConnectResponse
}

func (s *sink) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, fmt.Sprintf(format, args...))
}

func (s *sink) Connected(r *zk.ConnectResponse) { s.say("connected"); s.session = *r }
func (s *sink) Reply(r *zk.Reply)               { s.say("%d %v", r.Xid, r.Err); s.backlog.Add(s.each) }
func (s *sink) Event(e *zk.Event)               { s.say("%v %s", e.Type, e.Path) }
func (s *sink) Close(why request.CloseReason)   { s.say("closed: %v", why) }
func (s *sink) Backlog() int                    { return int(s.backlog.Load()) }

func (s *sink) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent, s.waiting = append(s.sent, s.waiting...), nil
}

// rig is a driver that runs over a fake log, in a synctest bubble.
type rig struct {
	t      *testing.T
	d      *Driver
	log    *fakeLog
	lines  bytes.Buffer // of the logger, read once Run has ended
	cancel context.CancelFunc
	ended  chan error
	over   bool
}

// newRig makes a driver that does not run yet.
func newRig(t *testing.T, log *fakeLog, change ...func(*Options, *replica.Config)) *rig {
	t.Helper()
	a, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: log, ended: make(chan error, 1)}
	cfg := replica.Config{ServerID: 1, Auth: a, TickMS: 1000, MinSessionMS: 1000, MaxSessionMS: 1 << 30, SnapshotTxns: 1 << 30, Seed: 1}
	opt := Options{
		Logger: zerolog.New(&r.lines), Log: log, TickEvery: 1000 * time.Hour,
		Snapshot: func(context.Context, *tree.View) error { return nil },
	}
	for _, f := range change {
		f(&opt, &cfg)
	}
	if opt.Replica, err = replica.New(cfg, tree.New(1), 0, 1_700_000_000_000); err != nil {
		t.Fatal(err)
	}
	r.d = New(opt)
	return r
}

func (r *rig) run() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.d.Run(ctx) }()
	synctest.Wait()
	return r
}

// result is what Run returned; it must have.
func (r *rig) result() error {
	r.t.Helper()
	synctest.Wait()
	select {
	case err := <-r.ended:
		r.over = true
		return err
	default:
		r.t.Fatal("Run goes on")
		return nil
	}
}

// runs tells whether Run has not returned yet.
func (r *rig) runs() bool {
	synctest.Wait()
	return len(r.ended) == 0 && !r.over
}

// stop ends Run in good order.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.result(); err != nil {
		r.t.Error(err)
	}
	if len(r.log.late) > 0 {
		r.t.Errorf("after an error the log was asked to %q", r.log.late)
	}
	if r.d.box.weight != 0 {
		r.t.Errorf("%d bytes of requests are unaccounted for", r.d.box.weight)
	}
}

// let ends the Sync that waits, and waits until everything that follows has been done.
func (r *rig) let(err error) {
	r.t.Helper()
	synctest.Wait()
	select {
	case r.log.hold <- err:
	default:
		r.t.Fatal("no Sync waits")
	}
	synctest.Wait()
}

// peer is a client of the driver.
type peer struct {
	*sink
	id  request.ClientID
	rig *rig
}

// open makes a connection that asks for a session.
func (r *rig) open() *peer {
	p := &peer{sink: &sink{}, rig: r}
	p.id = r.d.Open(p.sink, request.Origin{IP: "127.0.0.1"})
	r.d.Connect(p.id, &zk.ConnectRequest{TimeoutMS: 10_000})
	synctest.Wait()
	return p
}

func (p *peer) send(reqs ...zk.Request) {
	p.rig.d.Submit(p.id, reqs, nil)
	synctest.Wait()
}

// expect compares what the client was sent since the last call.
func (p *peer) expect(want ...string) {
	p.rig.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.sent, want) {
		p.rig.t.Errorf("client %d was sent\n%q, want\n%q", p.id, p.sent, want)
	}
	p.sent = nil
}

func create(xid int32, path string) zk.Request {
	return zk.Request{Xid: xid, Op: zk.OpCreate, Path: path, ACL: zk.OpenACL, TTLMS: -1}
}

func ping() zk.Request { return zk.Request{Xid: zk.XidPing, Op: zk.OpPing} }

func exists(xid int32, path string) zk.Request {
	return zk.Request{Xid: xid, Op: zk.OpExists, Path: path}
}
