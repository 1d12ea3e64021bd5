package grpcapi

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"paddock/internal/zk"
	"paddock/server/request"
)

// door is what the services share: the sessions that are attached here, a session of its own, and the barriers.
type door struct {
	opt      *Options
	stopping atomic.Bool
	stopped  chan struct{}  // closed by stop
	wg       sync.WaitGroup // who runs barriers
	barriers barriers
	queues   *queues // of locks and elections
	cursors  cursors
	own      ownSession
	replies  *replies
	guarded  atomic.Bool // what records of idempotency keys are below is as it must be
	hub      *hub        // of watches

	mu       sync.Mutex // guards the fields below; taken when a connection names another session than before
	sessions map[zk.SessionID]*session
	sweepAt  int // sessions at which those that have ended are dropped
}

func newDoor(o *Options, r *replies) *door {
	d := &door{opt: o, replies: r, stopped: make(chan struct{}), sessions: map[zk.SessionID]*session{}, hub: newHub(o)}
	d.own.door, d.barriers.door, d.cursors.door = d, d, d
	d.queues = newQueues(d)
	return d
}

// handler is the server's entrance, or why there is none.
func (d *door) handler() (request.Handler, error) {
	if d.stopping.Load() {
		return nil, closedBy(request.CloseShutdown)
	}
	if d.opt.Handler != nil {
		if h := d.opt.Handler(); h != nil {
			return h, nil
		}
	}
	return nil, fault(codes.Unavailable, reasonOf(zk.ConnectionLoss), "the server is starting: ask again soon, or ask another", retrySoon)
}

// The timeout of the door's own session, and how often it is heard of.
const (
	ownTimeoutMS = 30_000
	ownPingEvery = ownTimeoutMS / 3 * time.Millisecond
)

// ownSession is the session by which those write who have none. It is opened by the first of them.
type ownSession struct {
	door *door
	line atomic.Pointer[line]
	mu   sync.Mutex // guards the opening of a line, and timer
	ping *time.Timer
}

// writer is the line of the door's own session, once that is open.
func (o *ownSession) writer(ctx context.Context, h request.Handler) (l *line, err error) {
	for range 2 { // the session of the line before may be over, and the next is then a new one
		if l = o.line.Load(); l == nil || l.gone() {
			if l, err = o.open(h); err != nil {
				return nil, err
			}
		}
		select {
		case <-l.connected:
		case <-ctx.Done():
			return nil, contextStatus(ctx)
		}
		if !l.gone() || l.why != request.CloseSessionRefused {
			break
		}
	}
	return l, nil
}

// open opens a line unless somebody has done so meanwhile.
func (o *ownSession) open(h request.Handler) (*line, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.line.Load()
	switch {
	case o.door.stopping.Load():
		return nil, closedBy(request.CloseShutdown)
	case before != nil && !before.gone():
		return before, nil
	}
	l := (&line{own: true}).open(h, request.Origin{}, o.hello(before))
	o.line.Store(l)
	if o.ping != nil {
		o.ping.Stop()
	}
	o.ping = time.AfterFunc(ownPingEvery, func() { o.keepAlive(l) })
	return l, nil
}

// hello asks for the session of the line before, if it may have lived on, else for a new one.
func (o *ownSession) hello(before *line) *zk.ConnectRequest {
	hello := &zk.ConnectRequest{TimeoutMS: ownTimeoutMS, Password: make([]byte, zk.PasswordBytes)}
	if before != nil && before.hello.Session != 0 && closeLeavesSession(before.why) {
		password := before.hello.Session.Password()
		hello.Session, hello.Password = before.hello.Session, password[:]
	}
	return hello
}

// closeLeavesSession tells whether a session may live on after its client was closed for a reason.
func closeLeavesSession(why request.CloseReason) bool {
	switch why {
	case request.CloseSessionRefused, request.CloseSessionClosed, request.CloseSessionExpired:
		return false
	default:
		return true
	}
}

// keepAlive pings as long as the line lasts.
func (o *ownSession) keepAlive(l *line) {
	if l.gone() || l.tell(&zk.Request{Op: zk.OpPing}) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line.Load() == l && !l.gone() {
		o.ping.Reset(ownPingEvery)
	}
}

// close ends the session.
func (o *ownSession) close(ctx context.Context) {
	o.mu.Lock()
	l := o.line.Load()
	if o.ping != nil {
		o.ping.Stop()
	}
	o.mu.Unlock()
	if l == nil {
		return
	}
	if _, err := l.session(ctx); err == nil {
		_, _ = l.ask(ctx, &zk.Request{Op: zk.OpCloseSession}) // if it is not done the session expires
	}
	l.close(request.CloseShutdown)
}

// stop refuses what is asked from now on, ends the door's own session, and fails what is not answered when ctx ends. The server's
// entrance may be closed once it returns.
func (d *door) stop(ctx context.Context) {
	if d.stopping.Swap(true) {
		return
	}
	close(d.stopped)
	d.queues.close()
	d.hub.stop()
	d.own.close(ctx)
	d.barriers.close()
	d.cursors.close()
	d.mu.Lock()
	for _, s := range d.sessions {
		s.line.close(request.CloseShutdown)
	}
	d.mu.Unlock()
	d.wg.Wait()
}
