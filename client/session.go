package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	paddockv1 "paddock/gen/paddock/v1"
)

// resumeTimeout is taken for the timeout of a session that is taken up, until a server has told it.
const resumeTimeout = 30 * time.Second

// closeTimeout bounds how long Close waits for a server to hear of it.
const closeTimeout = 5 * time.Second

// Session is a session, kept alive until it is closed or expires. It reads and writes znodes as a Client does, in order, and owns
// ephemerals, locks and leaderships.
type Session struct {
	Znodes
	ID       int64
	Password string // who has both has the session; see Client.ResumeSession

	servers *servers
	rpc     paddockv1.SessionServiceClient
	key     atomic.Uint64
	life    context.Context // of what the session does by itself
	cancel  context.CancelFunc
	ended   chan struct{} // closed when keep has returned
	givers  sync.WaitGroup
	resumed bool // it may hold what it got elsewhere

	mu          sync.Mutex // guards all below
	credentials []string   // metadata of each call; never modified in place
	timeout     time.Duration
	heardAt     time.Time // when the newest message that was answered had been sent
	doubt       chan struct{}
	doubted     bool // doubt is closed
	timer       *time.Timer
	claimed     map[string]*claims // by path
	left        bool               // closed or abandoned
	err         error
}

// OpenSession opens a session that may be silent for timeout, which the server moves into its bounds; 0 for 30 seconds.
func (c *Client) OpenSession(ctx context.Context, timeout time.Duration) (*Session, error) {
	began := time.Now()
	// A session that was opened although its answer was lost owns nothing, and expires.
	out, err := paddockv1.NewSessionServiceClient(c.servers).OpenSession(repeatable(ctx), &paddockv1.OpenSessionRequest{TimeoutMs: int32Of(timeout.Milliseconds())})
	if err != nil {
		return nil, err
	}
	return c.session(out.GetSessionId(), out.GetPassword(), time.Duration(out.GetTimeoutMs())*time.Millisecond, began), nil
}

// ResumeSession takes up a session of another Client, or of this program before it was started again. Two must not use it at once.
// Errors: ErrSessionExpired, also for a wrong password.
func (c *Client) ResumeSession(ctx context.Context, id int64, password string) (*Session, error) {
	began := time.Now()
	s := c.session(id, password, resumeTimeout, began)
	s.resumed = true
	out, err := s.rpc.Touch(s.named(repeatable(ctx)), &paddockv1.TouchRequest{})
	if err != nil {
		s.stop(err)
		return nil, err
	}
	s.heard(began, time.Duration(out.GetTimeoutMs())*time.Millisecond)
	return s, nil
}

// session makes a Session of one that is open, and keeps it alive.
func (c *Client) session(id int64, password string, timeout time.Duration, heardAt time.Time) *Session {
	s := &Session{
		ID: id, Password: password, servers: c.servers, rpc: paddockv1.NewSessionServiceClient(c.servers),
		credentials: []string{"paddock-session", strconv.FormatInt(id, 10), "paddock-session-password", password},
		ended:       make(chan struct{}), doubt: make(chan struct{}),
		claimed: map[string]*claims{},
	}
	s.heard(heardAt, timeout)
	s.Znodes = znodesOn(sessionConn{c.servers, s}, s)
	s.key.Store(uint64(time.Now().UnixMicro())) // past the keys of a program that had the session before
	s.life, s.cancel = context.WithCancel(context.Background())
	go s.keep(s.life) // ends with stop, or with the session
	return s
}

// nextKey is an idempotency key that this session has not used.
func (s *Session) nextKey() uint64 { return s.key.Add(1) }

// Timeout is how long the session may be silent.
func (s *Session) Timeout() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeout
}

// Done is closed when the session is over: closed, or expired. Err tells why then.
func (s *Session) Done() <-chan struct{} { return s.ended }

// Err is nil while the session is not over, ErrSessionExpired or ErrClosed afterwards.
func (s *Session) Err() error {
	select {
	case <-s.ended:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.err
	default:
		return nil
	}
}

// InDoubt is closed when the session is over, or may be: no server has been heard of for its timeout. What it locks may belong to somebody else
// from then on. If it turns out to be alive after all, later calls return another channel. A program that was asleep is told by the next call of
// InDoubt, before what it has waited for meanwhile.
func (s *Session) InDoubt() <-chan struct{} {
	s.suspect()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubt
}

// Close ends the session and deletes its ephemerals. If no server can be told, it expires. Once it is closed or abandoned, Close does nothing.
func (s *Session) Close(ctx context.Context) error {
	if s.leave() {
		<-s.ended
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	_, err := s.rpc.CloseSession(s.named(repeatable(ctx)), &paddockv1.CloseSessionRequest{})
	s.stop(ErrClosed)
	if errors.Is(err, ErrSessionExpired) {
		return nil
	}
	return err
}

// Abandon ends the Session here and leaves it to expire at the servers, or to be taken up by ResumeSession.
func (s *Session) Abandon() {
	s.leave()
	s.stop(ErrClosed)
}

// leave notes that the session was closed or abandoned here, and tells whether it was before.
func (s *Session) leave() (before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.left = s.left, true
	return before
}

// isClosed tells whether the session is closed or abandoned, or its Client closed.
func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Is(s.err, ErrClosed)
}

// sessionConn is what a session's calls go through: none once it is closed.
type sessionConn struct {
	*servers
	s *Session
}

// Invoke makes one call.
func (c sessionConn) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	if c.s.isClosed() {
		return ErrClosed
	}
	return c.servers.Invoke(ctx, method, in, out, opts...)
}

// NewStream opens a stream.
func (c sessionConn) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if c.s.isClosed() {
		return nil, ErrClosed
	}
	return c.servers.NewStream(ctx, d, method, opts...)
}

// stop ends keep, for the reason given unless there is one already.
func (s *Session) stop(why error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = why
	}
	s.cancel() // and nobody gives anything up after that
	s.mu.Unlock()
	<-s.ended
	s.givers.Wait()
}

// keep keeps the session alive.
func (s *Session) keep(ctx context.Context) {
	defer close(s.ended)
	defer s.lapse()
	for wait := retryMin; ; wait = min(2*wait, s.every()) {
		began := time.Now()
		err := s.beat(ctx)
		if ctx.Err() != nil {
			return
		}
		reason := reasonOf(err)
		switch {
		case errors.Is(err, ErrClosed): // with its Client
			return
		case reason == ErrSessionExpired || reason == ErrAuthFailed:
			s.mu.Lock()
			s.err = ErrSessionExpired
			s.mu.Unlock()
			return
		}
		if time.Since(began) > s.every() {
			wait = retryMin
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// every is how often the session is kept alive.
func (s *Session) every() time.Duration {
	return max(s.Timeout()/3, 10*time.Millisecond)
}

// patience is how long a server may take to answer. One that takes longer, or cannot be reached, leaves time for others.
func (s *Session) patience() time.Duration {
	return max(s.every()/2, 50*time.Millisecond)
}

// beat keeps the session alive through one stream until that ends.
func (s *Session) beat(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, picked, err := s.servers.pick()
	if err != nil {
		return err
	}
	silent := time.AfterFunc(s.patience(), func() {
		s.servers.leave(picked)
		cancel()
	})
	defer silent.Stop()
	stream, err := s.rpc.KeepAlive(s.named(ctx))
	if err != nil {
		return err
	}
	for {
		sent := time.Now()
		if err := stream.Send(&paddockv1.KeepAliveRequest{}); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		out, err := stream.Recv()
		if err != nil {
			return err
		}
		silent.Stop()
		s.heard(sent, time.Duration(out.GetTimeoutMs())*time.Millisecond)
		t := time.NewTimer(s.every())
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-s.servers.over:
			t.Stop()
			return ErrClosed
		case <-t.C:
		}
		silent.Reset(s.patience())
	}
}

// heard tells that a message sent at that time was answered.
func (s *Session) heard(sent time.Time, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent.Before(s.heardAt) {
		return
	}
	s.heardAt, s.timeout = sent, timeout
	if s.doubted {
		s.doubt, s.doubted = make(chan struct{}), false
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(time.Until(sent.Add(timeout)), s.suspect)
}

// suspect tells those who wait for doubt, if there is reason for any. Where the program was asleep its timer may be late.
func (s *Session) suspect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.doubted && time.Since(s.heardAt) >= s.timeout {
		close(s.doubt)
		s.doubted = true
	}
}

// lapse is the end: there is no doubt any more.
func (s *Session) lapse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = ErrClosed
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.doubted {
		close(s.doubt)
		s.doubted = true
	}
}

// AddAuth adds an identity to the session, on whichever server it goes on: one of scheme digest, "user:password", which all further calls say
// too. Watches that are there already are judged without it until they are opened again. Errors: ErrAuthFailed.
func (s *Session) AddAuth(ctx context.Context, scheme string, credential []byte) error {
	_, err := paddockv1.NewSessionServiceClient(s.conn).AddAuth(s.named(repeatable(ctx)), &paddockv1.AddAuthRequest{Scheme: scheme, Credential: credential})
	if err == nil && scheme == "digest" && bytes.IndexByte(credential, ':') >= 0 {
		s.login(basic(credential))
	}
	return err
}

// login has each further call say an identity. A server knows those that it was told of while the session is there alone, and no call
// tells whether the session has been elsewhere since the last.
func (s *Session) login(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.credentials, value) {
		s.credentials = append(slices.Clip(s.credentials), metadataAuthorization, value)
	}
}

// named names the session, and its identities.
func (s *Session) named(ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return metadata.AppendToOutgoingContext(ctx, s.credentials...)
}

// Identity is who asks, as access lists see it.
type Identity struct{ Scheme, ID string }

// WhoAmI tells by which identities access lists are judged.
func (z *Znodes) WhoAmI(ctx context.Context) ([]Identity, error) {
	out, err := paddockv1.NewSessionServiceClient(z.conn).WhoAmI(z.reading(ctx), &paddockv1.WhoAmIRequest{})
	var list []Identity
	for _, id := range out.GetIdentities() {
		list = append(list, Identity{id.GetScheme(), id.GetId()})
	}
	return list, err
}

// Ephemerals are the paths of the session's ephemerals that begin with prefix.
func (s *Session) Ephemerals(ctx context.Context, prefix string) ([]string, error) {
	out, err := paddockv1.NewSessionServiceClient(s.conn).ListEphemerals(s.named(repeatable(ctx)), &paddockv1.ListEphemeralsRequest{Prefix: prefix})
	return out.GetPaths(), err
}
