package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	api "paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/client"
	"paddock/internal/zk"
)

const (
	// openMost is how long opening a session may take on each server before a command fails.
	openMost = 2 * time.Second
	// readsMost is how often a read is asked for that servers are of no use to.
	readsMost  = 5
	readsPause = 50 * time.Millisecond
	// closeMost is how long closing a session may take.
	closeMost = 5 * time.Second
)

// remote is a Backend on the gRPC services of Paddock servers. A goroutine opens the session and waits for its end; Close and
// Abandon end it.
type remote struct {
	servers int
	asked   time.Duration // session timeout
	notify  func(client.Notice)
	api     *api.Client
	refused error // why there is no api
	ctx     context.Context
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	znodes  paddockv1.ZnodeServiceClient
	rpc     paddockv1.SessionServiceClient
	admin   paddockv1.AdminServiceClient
	watch   *watcher

	telling sync.Mutex // held while notify is called

	mu      sync.Mutex // guards all below
	state   client.State
	session *api.Session  // nil until it is open
	changed chan struct{} // closed when one of the fields here changes, and then replaced
	rounds  int           // how often every server was tried in vain
	problem error         // why, the last time
	server  string        // that the last call went to
	logins  [][]byte      // credentials of scheme digest
}

// newRemote opens a session in the background. notify is told of events; it may be nil.
func newRemote(servers []string, o connectOptions, notify func(client.Notice)) *remote {
	if notify == nil {
		notify = func(client.Notice) {}
	}
	r := &remote{servers: len(servers), asked: o.timeout, notify: notify, changed: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.api, r.refused = api.Dial(servers, api.Options{TLS: o.secure, DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(r.intercept)}})
	if r.refused != nil {
		r.state = client.Closed
		return r
	}
	conn := r.api.Conn()
	r.znodes, r.rpc, r.admin = paddockv1.NewZnodeServiceClient(conn), paddockv1.NewSessionServiceClient(conn), paddockv1.NewAdminServiceClient(conn)
	r.watch = newWatcher(r, paddockv1.NewWatchServiceClient(conn))
	r.loops.Go(r.run) // ends with ctx or the session
	return r
}

// run opens the session and waits for its end.
func (r *remote) run() {
	for wait := readsPause; ; wait = min(2*wait, time.Second) {
		ctx, cancel := context.WithTimeout(r.ctx, time.Duration(r.servers)*openMost)
		session, err := r.api.OpenSession(ctx, r.asked)
		cancel()
		if err == nil {
			r.opened(session)
			return
		}
		r.mu.Lock()
		r.rounds, r.problem = r.rounds+1, err
		r.change()
		r.mu.Unlock()
		if !sleep(r.ctx, wait) {
			return
		}
	}
}

// opened has the session, and waits for its end.
func (r *remote) opened(session *api.Session) {
	r.mu.Lock()
	if r.state == client.Connecting {
		r.session, r.state = session, client.Connected
	}
	r.change()
	over := r.state != client.Connected
	r.mu.Unlock()
	if over {
		session.Abandon()
		return
	}
	r.tell(client.Notice{Keeper: client.KeeperSyncConnected, Type: client.EventNone, Zxid: -1})
	select {
	case <-r.ctx.Done():
	case <-session.Done():
		r.expired()
	}
}

// expired is the end of a session that the servers have ended.
func (r *remote) expired() {
	if r.become(client.Expired) {
		r.tell(client.Notice{Keeper: client.KeeperExpired, Type: client.EventNone, Zxid: -1})
	}
}

// become ends the session in a state; false if it has ended before.
func (r *remote) become(state client.State) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.state.Alive() {
		return false
	}
	r.state = state
	r.change()
	return true
}

// change wakes who waits for a change. mu is held.
func (r *remote) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// tell tells of an event.
func (r *remote) tell(n client.Notice) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.notify(n)
}

// sleep waits; false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connected waits for the session. hasty gives up once every server was tried in vain.
func (r *remote) connected(ctx context.Context, hasty bool) (*api.Session, error) {
	since := -1
	for {
		r.mu.Lock()
		session, state, rounds, changed, problem := r.session, r.state, r.rounds, r.changed, r.problem
		r.mu.Unlock()
		if since < 0 {
			since = rounds
		}
		switch {
		case r.refused != nil:
			return nil, fmt.Errorf("%w: %w", client.ErrLost, r.refused)
		case state == client.Expired:
			return nil, client.ErrExpired
		case state == client.AuthFailed:
			return nil, client.ErrAuth
		case !state.Alive():
			return nil, client.ErrClosed
		case session != nil:
			return session, nil
		case hasty && rounds > since:
			return nil, fmt.Errorf("%w: %w", client.ErrLost, problem)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Await implements Backend.
func (r *remote) Await(ctx context.Context) error {
	_, err := r.connected(ctx, false)
	return err
}

// State implements Backend. A session of which no server was heard for its timeout counts as not connected.
func (r *remote) State() client.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == client.Connected {
		select {
		case <-r.session.InDoubt():
			return client.Connecting
		default:
		}
	}
	return r.state
}

// ID implements Backend.
func (r *remote) ID() zk.SessionID {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session == nil {
		return 0
	}
	return zk.SessionID(r.session.ID)
}

// Timeout implements Backend.
func (r *remote) Timeout() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session == nil {
		return r.asked
	}
	return r.session.Timeout()
}

// Server implements Backend.
func (r *remote) Server() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server
}

// Close implements Backend.
func (r *remote) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeMost)
	defer cancel()
	r.mu.Lock()
	session := r.session
	r.mu.Unlock()
	alive := r.become(client.Closed)
	r.cancel()
	r.loops.Wait()
	var err error
	if session != nil && alive {
		err = session.Close(ctx)
		r.tell(client.Notice{Keeper: client.KeeperClosed, Type: client.EventNone, Zxid: -1})
	}
	r.release()
	return err
}

// Abandon implements Backend.
func (r *remote) Abandon() {
	r.become(client.Closed)
	r.cancel()
	r.loops.Wait()
	r.mu.Lock()
	session := r.session
	r.mu.Unlock()
	if session != nil {
		session.Abandon()
	}
	r.release()
}

// release ends the connections.
func (r *remote) release() {
	if r.api != nil {
		r.api.Close()
	}
}

// named is the context of calls of the session. They say all identities themselves: servers know those alone that they were told of.
func (r *remote) named(ctx context.Context, s *api.Session) context.Context {
	return metadata.AppendToOutgoingContext(r.login(ctx), "paddock-session", strconv.FormatInt(s.ID, 10), "paddock-session-password", s.Password)
}

// login adds the identities that calls can say.
func (r *remote) login(ctx context.Context) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, credential := range r.logins {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString(credential))
	}
	return ctx
}

// intercept takes note of the server that a call goes to.
func (r *remote) intercept(ctx context.Context, method string, in, out any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	r.mu.Lock()
	r.server = cc.Target()
	r.mu.Unlock()
	return invoke(ctx, method, in, out, cc, opts...)
}

// addAuth adds an identity.
func (r *remote) addAuth(ctx context.Context, session *api.Session, req *zk.Request) (*zk.Reply, error) {
	in := &paddockv1.AddAuthRequest{Scheme: req.Path, Credential: req.Data}
	_, err := r.rpc.AddAuth(r.named(ctx, session), in)
	if err == nil {
		if in.GetScheme() == "digest" && bytes.IndexByte(in.GetCredential(), ':') >= 0 {
			r.mu.Lock()
			r.logins = append(r.logins, in.GetCredential())
			r.mu.Unlock()
		}
		return &zk.Reply{Op: zk.OpAuth}, nil
	}
	reply, err := r.judge(req, err)
	if err == nil && r.become(client.AuthFailed) {
		r.tell(client.Notice{Keeper: client.KeeperAuthFailed, Type: client.EventNone, Zxid: -1})
	}
	return reply, err
}

// codeOf has the codes by the names that gRPC errors carry.
var codeOf = func() map[string]zk.Code {
	all := map[string]zk.Code{}
	for c := zk.Code(0); c > -200; c-- {
		all[reasonOf(c)] = c
	}
	return all
}()

// judge makes the reply of a call that has failed, if a server has refused it; else the error of Do.
func (r *remote) judge(req *zk.Request, err error) (*zk.Reply, error) {
	var e *api.Error
	switch {
	case !errors.As(err, &e):
		return nil, fmt.Errorf("%w: %w", client.ErrLost, err)
	case e.Code == codes.Canceled:
		return nil, context.Canceled
	case e.Reason == api.ErrSessionExpired:
		r.expired()
		return nil, client.ErrExpired
	case e.Code == codes.Unavailable, e.Code == codes.DeadlineExceeded, e.Reason == api.ErrSessionMoved:
		return nil, fmt.Errorf("%w: %w", client.ErrLost, err)
	}
	reason := string(e.Reason)
	if reason == "" {
		reason = upper(e.Message) // as AdminService does
	}
	code, known := codeOf[reason]
	if !known {
		return nil, failf("%s", e.Message)
	}
	return &zk.Reply{Op: req.Op, Err: code, Zxid: zk.Zxid(e.Zxid)}, nil
}
