package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"paddock/internal/zk"
)

// Errors of a Session, beside ErrExpired and ErrClosed.
var (
	// ErrLost is what a request gets whose connection ended before the answer, or for which no server was found. A write may
	// have been done all the same.
	ErrLost = errors.New("connection loss")
	// ErrAuth is what requests get after credentials were refused: the session is of no use any more.
	ErrAuth = errors.New("authentication failed")
)

const (
	// SessionTimeoutDefault is the session timeout asked for by default.
	SessionTimeoutDefault = 30 * time.Second
	// silenceMost is how long a server may be silent before another is tried, in percent of the session timeout.
	silenceMost = 67
	// pauseFirst and pauseMost are how long a Session waits before it goes round the servers again.
	pauseFirst = 50 * time.Millisecond
	pauseMost  = time.Second
	// connectLeast is the least time that connecting to one server is given.
	connectLeast = time.Second
	// closeMost is how long Close waits for the server.
	closeMost = 5 * time.Second
)

// State is how a Session is.
type State int

// The states of a Session.
const (
	Connecting State = iota
	Connected
	ConnectedReadOnly
	Expired
	AuthFailed
	Closed
)

// String is ZooKeeper's word for the state.
func (s State) String() string {
	return [...]string{"CONNECTING", "CONNECTED", "CONNECTEDREADONLY", "CLOSED", "AUTH_FAILED", "CLOSED"}[s]
}

// Alive tells whether requests can still be answered, now or after connecting.
func (s State) Alive() bool { return s <= ConnectedReadOnly }

// Keeper is the state of the connection that comes with each Notice.
type Keeper int32

// The states that ZooKeeper's clients tell of, as numbered there.
const (
	KeeperDisconnected      Keeper = 0
	KeeperSyncConnected     Keeper = 3
	KeeperAuthFailed        Keeper = 4
	KeeperConnectedReadOnly Keeper = 5
	KeeperClosed            Keeper = 7
	KeeperExpired           Keeper = -112
)

// String is ZooKeeper's name of the state.
func (k Keeper) String() string {
	names := map[Keeper]string{KeeperDisconnected: "Disconnected", KeeperSyncConnected: "SyncConnected", KeeperAuthFailed: "AuthFailed",
		KeeperConnectedReadOnly: "ConnectedReadOnly", KeeperClosed: "Closed", KeeperExpired: "Expired"}
	if s, ok := names[k]; ok {
		return s
	}
	return fmt.Sprintf("Keeper(%d)", int32(k))
}

// The event types that clients make up themselves, as numbered by ZooKeeper.
const (
	EventNone              zk.EventType = -1 // the state has changed
	DataWatchRemoved       zk.EventType = 5
	ChildWatchRemoved      zk.EventType = 6
	PersistentWatchRemoved zk.EventType = 7
)

// Notice tells of a watch that fired or was removed, or, without a path, of a change of the state.
type Notice struct {
	Keeper Keeper
	Type   zk.EventType
	Path   string
	Zxid   zk.Zxid // of the change; -1 if unknown
}

// TypeName is ZooKeeper's name of the notice's type.
func (n Notice) TypeName() string {
	switch n.Type {
	case EventNone:
		return "None"
	case DataWatchRemoved:
		return "DataWatchRemoved"
	case ChildWatchRemoved:
		return "ChildWatchRemoved"
	case PersistentWatchRemoved:
		return "PersistentWatchRemoved"
	default:
		return n.Type.String()
	}
}

// SessionOptions of NewSession.
type SessionOptions struct {
	Servers  []string      // host:port of each, tried in order
	Timeout  time.Duration // session timeout to ask for; 0 for SessionTimeoutDefault
	ReadOnly bool          // accept a read-only server
	TLS      *tls.Config   // how to secure connections; nil for plain ones
	// Notify is told of events and changes of state, one at a time, in order, and of an event before the answer to any
	// request that could show its change is given. It must not block for long, and must not call the Session. May be nil.
	Notify func(Notice)
}

// Session is a session that outlives its connections: it connects again to one of its servers, gives its credentials and sets
// its watches again, until it is closed or expires. All methods may be called from any goroutine.
type Session struct {
	opt    SessionOptions
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	loop   sync.WaitGroup

	telling sync.Mutex // held while Notify is called, so that it is called by one goroutine at a time; taken before mu

	mu       sync.Mutex // guards all below
	state    State
	closing  bool          // Close was called: the end of the connection is no loss
	conn     *Conn         // nil while connecting
	changed  chan struct{} // closed when one of the fields here changes, and then replaced
	rounds   int           // how often every server was tried in vain
	problem  error         // why the last server could not be reached
	id       zk.SessionID
	password []byte
	granted  time.Duration
	zxid     zk.Zxid
	server   string // the one connected to, or the last
	auths    []zk.Request
	watches  registry
}

// NewSession starts a session and returns at once; it connects in the background. Close or Abandon end it.
func NewSession(opt SessionOptions) *Session {
	if opt.Timeout <= 0 {
		opt.Timeout = SessionTimeoutDefault
	}
	if opt.Notify == nil {
		opt.Notify = func(Notice) {}
	}
	s := &Session{opt: opt, changed: make(chan struct{}), granted: opt.Timeout, watches: newRegistry()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.loop.Go(s.run) // ends with ctx; Close and Abandon wait for it
	return s
}

// run keeps the session connected until it ends.
func (s *Session) run() {
	for {
		conn, err := s.reach()
		if err != nil {
			if errors.Is(err, ErrExpired) {
				s.become(Expired, KeeperExpired)
			}
			return
		}
		if s.serve(conn) {
			return
		}
	}
}

// serve uses a connection until it ends; over tells whether the session has ended too.
func (s *Session) serve(conn *Conn) (over bool) {
	defer func() {
		conn.Abandon() // nothing is told any more after this
		s.mu.Lock()
		s.zxid = max(s.zxid, conn.LastZxid())
		s.mu.Unlock()
	}()
	state, keeper := Connected, KeeperSyncConnected
	if conn.ReadOnly() {
		state, keeper = ConnectedReadOnly, KeeperConnectedReadOnly
	}
	s.tell(Notice{Keeper: keeper, Type: EventNone, Zxid: -1})
	s.restore(conn)
	s.mu.Lock()
	s.id, s.password, s.granted = conn.Session(), conn.Password(), conn.Timeout()
	if s.state.Alive() { // credentials may just have been refused
		s.state, s.conn = state, conn
		s.change()
	}
	over = !s.state.Alive()
	s.mu.Unlock()
	if over {
		return true
	}
	select {
	case <-conn.Done():
	case <-s.ctx.Done():
	}
	conn.Abandon()
	s.mu.Lock()
	s.conn = nil
	if over = !s.state.Alive() || s.closing || s.ctx.Err() != nil; !over {
		s.state = Connecting
	}
	s.change()
	s.mu.Unlock()
	if !over {
		s.tell(Notice{Keeper: KeeperDisconnected, Type: EventNone, Zxid: -1})
	}
	return over
}

// restore gives credentials and watches to a new connection, before any other request.
func (s *Session) restore(conn *Conn) {
	s.mu.Lock()
	auths := s.auths
	watches := s.watches.restored(max(s.zxid, conn.LastZxid()))
	s.mu.Unlock()
	for i := range auths {
		req := auths[i]
		conn.Send(&req, func(r *zk.Reply, err error) { s.judged(r, err) })
	}
	for i := range watches {
		conn.Send(&watches[i], func(*zk.Reply, error) {})
	}
}

// judged looks at the reply to credentials.
func (s *Session) judged(r *zk.Reply, err error) {
	if err != nil || r.Err == zk.OK {
		return
	}
	s.mu.Lock()
	was := s.state
	s.state = AuthFailed
	s.change()
	s.mu.Unlock()
	s.cancel() // the loop ends the connection; here that would wait for itself
	if was.Alive() {
		s.tell(Notice{Keeper: KeeperAuthFailed, Type: EventNone, Zxid: -1})
	}
}

// reach connects to one of the servers, however long it takes.
func (s *Session) reach() (*Conn, error) {
	for pause := pauseFirst; ; pause = min(2*pause, pauseMost) {
		for _, addr := range s.opt.Servers {
			conn, err := s.dial(addr)
			if err == nil || errors.Is(err, ErrExpired) || s.ctx.Err() != nil {
				return conn, err
			}
			s.mu.Lock()
			s.problem = err
			s.mu.Unlock()
		}
		s.mu.Lock()
		s.rounds++
		s.change()
		s.mu.Unlock()
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		}
	}
}

// dial connects to one server.
func (s *Session) dial(addr string) (*Conn, error) {
	s.mu.Lock()
	opt := Options{Timeout: s.opt.Timeout, Session: s.id, Password: s.password, LastZxid: s.zxid, ReadOnly: s.opt.ReadOnly,
		TLS: s.opt.TLS, Silence: silenceMost, OnEvent: s.fired}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, max(s.opt.Timeout/time.Duration(len(s.opt.Servers)), connectLeast))
	defer cancel()
	conn, err := Dial(ctx, addr, opt)
	if err == nil {
		s.mu.Lock()
		s.server = addr
		s.mu.Unlock()
	}
	return conn, err
}

// fired is told of each event by the connection.
func (s *Session) fired(e zk.Event) {
	s.mu.Lock()
	s.watches.fired(e)
	s.mu.Unlock()
	s.tell(Notice{Keeper: Keeper(e.State), Type: e.Type, Path: e.Path, Zxid: e.Zxid})
}

// tell calls Notify.
func (s *Session) tell(n Notice) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.opt.Notify(n)
}

// become ends the session in a state.
func (s *Session) become(state State, keeper Keeper) {
	s.mu.Lock()
	s.state = state
	s.change()
	s.mu.Unlock()
	s.tell(Notice{Keeper: keeper, Type: EventNone, Zxid: -1})
}

// change wakes who waits for a change. mu is held.
func (s *Session) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// State is how the session is now.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// ID is the session's id; 0 before the first connection.
func (s *Session) ID() zk.SessionID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Timeout is the session timeout that was granted, or asked for as long as there was no connection.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted
}

// Server is the host:port of the server connected to, or last connected to; "" if there was none.
func (s *Session) Server() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

// Problem is why a server could last not be reached; nil if each could.
func (s *Session) Problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// Await waits until the session is connected. It fails when the session ends, or ctx does.
func (s *Session) Await(ctx context.Context) error {
	_, err := s.connected(ctx, false)
	return err
}

// connected waits for a connection. If hasty, it fails once every server has been tried in vain.
func (s *Session) connected(ctx context.Context, hasty bool) (*Conn, error) {
	since := -1
	for {
		s.mu.Lock()
		conn, state, rounds, changed, problem := s.conn, s.state, s.rounds, s.changed, s.problem
		s.mu.Unlock()
		if since < 0 {
			since = rounds
		}
		switch {
		case !state.Alive():
			return nil, state.why()
		case conn != nil:
			return conn, nil
		case hasty && rounds > since:
			return nil, fmt.Errorf("%w: %w", ErrLost, problem)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// why is what requests get in a state that is the end.
func (s State) why() error {
	switch s {
	case Expired:
		return ErrExpired
	case AuthFailed:
		return ErrAuth
	default:
		return ErrClosed
	}
}

// Do sends a request and waits for its reply, which the caller may keep. While the session is connecting it waits, until
// every server has been tried once more. Errors are ErrLost, ErrExpired, ErrAuth, ErrClosed and those of ctx; a reply
// with an error code is not an error. Watches that the request sets, and credentials, are kept for further connections.
func (s *Session) Do(ctx context.Context, req *zk.Request) (*zk.Reply, error) {
	if req.Op == zk.OpAuth {
		req.Xid = zk.XidAuth
	}
	conn, err := s.connected(ctx, true)
	if err != nil {
		return nil, err
	}
	type outcome struct {
		reply *zk.Reply
		err   error
	}
	ch := make(chan outcome, 1)
	conn.Send(req, func(r *zk.Reply, err error) {
		if err == nil {
			s.answered(req, r)
		}
		ch <- outcome{r, err}
	})
	select {
	case o := <-ch:
		if o.err != nil {
			if state := s.State(); !state.Alive() {
				return nil, state.why()
			}
			return nil, fmt.Errorf("%w: %w", ErrLost, o.err)
		}
		return o.reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answered keeps what a reply means for further connections. The goroutine that reads calls it, before it takes further
// events.
func (s *Session) answered(req *zk.Request, r *zk.Reply) {
	switch req.Op {
	case zk.OpAuth:
		if r.Err == zk.OK {
			s.mu.Lock()
			s.auths = append(s.auths[:len(s.auths):len(s.auths)], *req)
			s.mu.Unlock()
		}
		s.judged(r, nil)
	case zk.OpRemoveWatches:
		if r.Err != zk.OK {
			return
		}
		s.mu.Lock()
		removed := s.watches.remove(req.Path, zk.WatcherType(req.Arg))
		s.mu.Unlock()
		for _, t := range removed {
			s.tell(Notice{Keeper: KeeperSyncConnected, Type: t, Path: req.Path, Zxid: -1})
		}
	default:
		s.mu.Lock()
		s.watches.asked(req, r)
		s.mu.Unlock()
	}
}

// Close closes the session at the server, waiting a little for that, and ends it. The error tells that the session may
// live on until it expires.
func (s *Session) Close() error {
	s.mu.Lock()
	conn, alive := s.conn, s.state.Alive()
	s.closing = true
	s.mu.Unlock()
	err := ErrLost
	if !alive {
		err = nil
	}
	if conn != nil && alive {
		done := make(chan error, 1)
		conn.Send(&zk.Request{Op: zk.OpCloseSession}, func(_ *zk.Reply, err error) { done <- err })
		select {
		case err = <-done:
		case <-time.After(closeMost):
		}
	}
	s.end(Closed)
	if alive {
		s.tell(Notice{Keeper: KeeperClosed, Type: EventNone, Zxid: -1})
	}
	return err
}

// Abandon ends the connection and leaves the session to expire.
func (s *Session) Abandon() { s.end(Closed) }

// end stops what runs.
func (s *Session) end(state State) {
	s.mu.Lock()
	if s.state.Alive() {
		s.state = state
		s.change()
	}
	s.mu.Unlock()
	s.cancel()
	s.loop.Wait()
}
