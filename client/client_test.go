package client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub is a server that does as a test tells it.
type stub struct {
	paddockv1.UnimplementedZnodeServiceServer
	paddockv1.UnimplementedSessionServiceServer
	paddockv1.UnimplementedWatchServiceServer
	paddockv1.UnimplementedLockServiceServer
	paddockv1.UnimplementedElectionServiceServer

	addr string

	mu        sync.Mutex // guards all below
	calls     []string
	get       func(context.Context) (*paddockv1.GetResponse, error)
	put       func(*paddockv1.CreateRequest) (*paddockv1.CreateResponse, error)
	list      func(*paddockv1.ListChildrenRequest) (*paddockv1.ListChildrenResponse, error)
	tree      func(*paddockv1.ListTreeRequest) (*paddockv1.ListTreeResponse, error)
	lock      func(*paddockv1.LockRequest) (*paddockv1.LockResponse, error)
	observe   func(*paddockv1.ObserveRequest, grpc.ServerStreamingServer[paddockv1.ObserveResponse]) error
	free      func()            // called by Unlock; nil for nothing
	alive     func(n int) error // of the n-th message that keeps a session alive
	mute      func(n int) bool  // does not answer it; nil for never
	beats     int
	timeoutMS int32 // of sessions; 0 for 300
	asked     int32 // timeout
	pipeline  func(grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) error
	watch     func(*paddockv1.CreateWatch, grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error
}

// serve runs the stub on an address of its own.
func serve(t *testing.T, s *stub) *stub {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	g := grpc.NewServer()
	paddockv1.RegisterZnodeServiceServer(g, s)
	paddockv1.RegisterSessionServiceServer(g, s)
	paddockv1.RegisterWatchServiceServer(g, s)
	paddockv1.RegisterLockServiceServer(g, s)
	paddockv1.RegisterElectionServiceServer(g, s)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }() // ends with Stop below
	t.Cleanup(func() {
		g.Stop()
		<-served
	})
	return s
}

func dial(t *testing.T, o client.Options, stubs ...*stub) *client.Client {
	t.Helper()
	var addrs []string
	for _, s := range stubs {
		addrs = append(addrs, s.addr)
	}
	c, err := client.Dial(addrs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (s *stub) called(ctx context.Context, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	s.calls = append(s.calls, fmt.Sprintf("%s%v%v%v", what, md.Get("paddock-session"), md.Get("paddock-session-password"), md.Get("authorization")))
}

func (s *stub) Get(ctx context.Context, in *paddockv1.GetRequest) (*paddockv1.GetResponse, error) {
	s.called(ctx, "get "+in.GetPath()+" "+in.GetRead().GetLevel().String())
	return s.get(ctx)
}
func (s *stub) Create(ctx context.Context, in *paddockv1.CreateRequest) (*paddockv1.CreateResponse, error) {
	s.called(ctx, fmt.Sprint("create ", in.GetMode(), " ", in.GetOptions().GetIdempotencyKey() != 0))
	return s.put(in)
}
func (s *stub) SetAcl(ctx context.Context, in *paddockv1.SetAclRequest) (*paddockv1.SetAclResponse, error) {
	s.called(ctx, fmt.Sprint("acl ", in.GetOptions().GetIdempotencyKey() != 0))
	return &paddockv1.SetAclResponse{}, nil
}
func (s *stub) AddAuth(context.Context, *paddockv1.AddAuthRequest) (*paddockv1.AddAuthResponse, error) {
	return &paddockv1.AddAuthResponse{}, nil
}
func (s *stub) Lock(_ context.Context, in *paddockv1.LockRequest) (*paddockv1.LockResponse, error) {
	return s.lock(in)
}
func (s *stub) Unlock(ctx context.Context, in *paddockv1.UnlockRequest) (*paddockv1.UnlockResponse, error) {
	s.called(ctx, "unlock "+in.GetPath())
	if s.free != nil {
		s.free()
	}
	return &paddockv1.UnlockResponse{}, nil
}
func (s *stub) Observe(in *paddockv1.ObserveRequest, out grpc.ServerStreamingServer[paddockv1.ObserveResponse]) error {
	return s.observe(in, out)
}
func (s *stub) ListChildren(_ context.Context, in *paddockv1.ListChildrenRequest) (*paddockv1.ListChildrenResponse, error) {
	return s.list(in)
}
func (s *stub) ListTree(_ context.Context, in *paddockv1.ListTreeRequest) (*paddockv1.ListTreeResponse, error) {
	return s.tree(in)
}
func (s *stub) OpenSession(_ context.Context, in *paddockv1.OpenSessionRequest) (*paddockv1.OpenSessionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = in.GetTimeoutMs()
	return &paddockv1.OpenSessionResponse{SessionId: 7, Password: "0f", TimeoutMs: cmp.Or(s.timeoutMS, 300)}, nil
}
func (s *stub) CloseSession(ctx context.Context, _ *paddockv1.CloseSessionRequest) (*paddockv1.CloseSessionResponse, error) {
	s.called(ctx, "close")
	return &paddockv1.CloseSessionResponse{}, nil
}
func (s *stub) KeepAlive(stream grpc.BidiStreamingServer[paddockv1.KeepAliveRequest, paddockv1.KeepAliveResponse]) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		s.mu.Lock()
		s.beats++
		err := error(nil)
		if s.alive != nil {
			err = s.alive(s.beats)
		}
		mute := s.mute != nil && s.mute(s.beats)
		s.mu.Unlock()
		if err == nil && !mute {
			err = stream.Send(&paddockv1.KeepAliveResponse{TimeoutMs: cmp.Or(s.timeoutMS, 300)})
		}
		if err != nil {
			return err
		}
	}
}
func (s *stub) Watch(stream grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	return s.watch(m.GetCreate(), stream)
}

// hole is an address at which connections are taken, and nobody answers.
func hole(t *testing.T) *stub {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &stub{addr: l.Addr().String()}
}

// A host that is switched off, or behind a firewall, refuses nothing.
func TestAServerThatDoesNotAnswerIsLeft(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{get: func(context.Context) (*paddockv1.GetResponse, error) { return &paddockv1.GetResponse{}, nil }})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if _, err := dial(t, client.Options{}, hole(t), s, hole(t), hole(t)).Get(ctx, "/a"); err != nil {
		t.Error(err)
	}
}

func TestASessionOutlivesAServerThatFallsSilentBesideOneThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{timeoutMS: 3000})
	s.mute = func(n int) bool { return n == 2 }
	session, err := dial(t, client.Options{}, s, hole(t)).OpenSession(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	beats := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.beats
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for beats() < 1 { // it may have taken as long as the timeout to open the session
		<-poll.C
	}
	for doubt := session.InDoubt(); beats() < 4; {
		select {
		case <-doubt:
			t.Fatalf("in doubt after %d messages", beats())
		case <-poll.C:
		}
	}
}

func TestNothingIsDoneOnceItIsClosed(t *testing.T) {
	s := serve(t, &stub{get: func(context.Context) (*paddockv1.GetResponse, error) { return &paddockv1.GetResponse{}, nil }})
	waits := make(chan struct{}, 10)
	s.lock = func(*paddockv1.LockRequest) (*paddockv1.LockResponse, error) {
		waits <- struct{}{}
		return nil, failure(codes.Unavailable, "NOT_SERVING", true)
	}
	s.watch = func(_ *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		err := tellAll(out, created(10))
		<-out.Context().Done()
		return err
	}
	c := dial(t, client.Options{}, s)
	open := func() *client.Session {
		t.Helper()
		session, err := c.OpenSession(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	closed := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, client.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	left, abandoned, forgotten := open(), open(), open()
	for range 2 {
		if err := left.Close(t.Context()); err != nil {
			t.Error(err)
		}
		abandoned.Abandon()
		if err := abandoned.Close(t.Context()); err != nil { // as a deferred one
			t.Error(err)
		}
	}
	if n := len(s.calls); n != 1 {
		t.Errorf("the servers are told %q, not of the end of one session", s.calls)
	}
	for _, session := range []*client.Session{left, abandoned} {
		_, err := session.Get(t.Context(), "/a")
		closed("a read", err)
		_, err = session.Lock(t.Context(), "/l", nil)
		closed("a lock", err)
		_, err = session.Watch(t.Context(), "/a", client.WatchOptions{})
		closed("a watch", err)
		_, err = session.Ephemerals(t.Context(), "/")
		closed("ephemerals", err)
		closed("a credential", session.AddAuth(t.Context(), "digest", []byte("a:b")))
	}
	w, err := forgotten.Watch(t.Context(), "/a", client.WatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { // ends with the Client
		_, err := forgotten.Lock(t.Context(), "/l", nil)
		waited <- err
	}()
	<-waits
	c.Close()
	c.Close()
	closed("a lock that is waited for", <-waited)
	<-forgotten.Done()
	<-forgotten.InDoubt()
	closed("the session of a closed Client", forgotten.Err())
	closed("to close it", forgotten.Close(t.Context()))
	for range w.C {
		t.Error("an event")
	}
	closed("a watch that is there", w.Err())
	_, err = c.Get(t.Context(), "/a")
	closed("a read without a session", err)
}

// What does not fit the contract's numbers is no other number.
func TestLongTimeoutsStayLong(t *testing.T) {
	s := serve(t, &stub{})
	session, err := dial(t, client.Options{}, s).OpenSession(t.Context(), 1000*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	if s.asked != math.MaxInt32 {
		t.Errorf("asked for %d ms", s.asked)
	}
}

func failure(code codes.Code, reason string, retry bool) error {
	st, _ := status.New(code, "as told").WithDetails(&errdetails.ErrorInfo{Reason: reason, Metadata: map[string]string{"path": "/a", "zxid": "9"}})
	if retry {
		st, _ = st.WithDetails(&errdetails.RetryInfo{})
	}
	return st.Err()
}

func TestErrorsAreTyped(t *testing.T) {
	s := serve(t, &stub{get: func(context.Context) (*paddockv1.GetResponse, error) {
		return nil, failure(codes.NotFound, "NONODE", false)
	}})
	c := dial(t, client.Options{User: "u", Password: "p"}, s)
	_, err := c.At(client.Linearizable, 0).Get(t.Context(), "/a")
	var e *client.Error
	if !errors.Is(err, client.ErrNoNode) || errors.Is(err, client.ErrNoAuth) || !errors.As(err, &e) || e.Path != "/a" || e.Zxid != 9 || e.Code != codes.NotFound {
		t.Fatalf("%#v", err)
	}
	if want := "get /a READ_LEVEL_LINEARIZABLE[][][Basic dTpw]"; s.calls[0] != want {
		t.Fatalf("asked %q, want %q", s.calls[0], want)
	}
	s.get = func(ctx context.Context) (*paddockv1.GetResponse, error) { <-ctx.Done(); return nil, ctx.Err() }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, "/a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestAReadGoesToAServerThatAnswers(t *testing.T) {
	down := func(context.Context) (*paddockv1.GetResponse, error) {
		return nil, failure(codes.Unavailable, "NOT_SERVING", true)
	}
	up := func(context.Context) (*paddockv1.GetResponse, error) {
		return &paddockv1.GetResponse{Data: []byte("x")}, nil
	}
	a, b := serve(t, &stub{get: down}), serve(t, &stub{get: up})
	gone := serve(t, &stub{get: down})
	gone.addr = "127.0.0.1:1" // where nobody listens
	c := dial(t, client.Options{}, a, gone, b)
	for range 3 {
		if n, err := c.Get(t.Context(), "/a"); err != nil || string(n.Data) != "x" {
			t.Fatal(n, err)
		}
	}
	if len(a.calls) > 1 || len(b.calls) != 3 {
		t.Fatalf("%d calls of a server that does not serve, %d of the one that does", len(a.calls), len(b.calls))
	}
}

func TestOnlyWritesOfASessionAreRepeatedAndWithTheSameKey(t *testing.T) {
	var keys []uint64
	s := serve(t, &stub{})
	s.put = func(in *paddockv1.CreateRequest) (*paddockv1.CreateResponse, error) {
		keys = append(keys, in.GetOptions().GetIdempotencyKey())
		if len(keys)%2 == 1 {
			return nil, failure(codes.Unavailable, "", true)
		}
		return &paddockv1.CreateResponse{Path: in.GetPath() + "1"}, nil
	}
	c := dial(t, client.Options{}, s)
	if _, err := c.Create(t.Context(), "/a", nil, client.CreateOptions{}); err == nil || len(keys) != 1 || keys[0] != 0 {
		t.Fatalf("without a session: %v after %d calls", err, len(keys))
	}
	keys = nil
	session, err := c.OpenSession(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	for i := range 2 {
		n, err := session.Create(t.Context(), "/a", nil, client.CreateOptions{Mode: client.EphemeralSequential})
		if err != nil || n.Path != "/a1" {
			t.Fatal(n, err)
		}
		if len(keys) != 2*(i+1) || keys[2*i] != keys[2*i+1] || keys[2*i] == 0 {
			t.Fatalf("keys %d", keys)
		}
	}
	if keys[0] == keys[2] {
		t.Fatal("two writes have one key")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := "create CREATE_MODE_EPHEMERAL_SEQUENTIAL true[7][0f][]"; s.calls[len(s.calls)-1] != want {
		t.Fatalf("asked %q, want %q", s.calls[len(s.calls)-1], want)
	}
}

// Servers refuse an access list that comes with a key.
func TestAnAccessListIsSetWithoutAKey(t *testing.T) {
	s := serve(t, &stub{})
	session, err := dial(t, client.Options{}, s).OpenSession(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	if _, err := session.SetACL(t.Context(), "/a", nil, client.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if want := []string{"acl false[7][0f][]"}; !slices.Equal(s.calls, want) {
		t.Fatalf("asked %q, want %q", s.calls, want)
	}
}

// A server that takes the session up does not know what another was told.
func TestWhatIdentitiesASessionHasEachCallSays(t *testing.T) {
	s := serve(t, &stub{get: func(context.Context) (*paddockv1.GetResponse, error) { return &paddockv1.GetResponse{}, nil }})
	session, err := dial(t, client.Options{User: "u", Password: "p"}, s).OpenSession(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	for _, credential := range []string{"ann:secret", "ann:secret", "bob:x", "nobody"} {
		if err := session.AddAuth(t.Context(), "digest", []byte(credential)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := session.Get(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"get /a READ_LEVEL_UNSPECIFIED[7][0f][Basic YW5uOnNlY3JldA== Basic Ym9iOng= Basic dTpw]"}; !slices.Equal(s.calls, want) {
		t.Fatalf("asked %q, want %q", s.calls, want)
	}
}

// A session that was in doubt while a call waited for a lock, and is not any more, has the lock.
// The answer to who gives up may be on its way: nobody would give that lock back.
func TestWhoGivesUpHoldsNoLock(t *testing.T) {
	s := serve(t, &stub{})
	s.alive = func(int) error { return nil }
	asked, unlocked := make(chan struct{}, 10), make(chan struct{})
	s.lock = func(*paddockv1.LockRequest) (*paddockv1.LockResponse, error) {
		asked <- struct{}{}
		<-unlocked // it was got, and the answer comes after the client has left
		return &paddockv1.LockResponse{FencingToken: 5}, nil
	}
	s.free = sync.OnceFunc(func() { close(unlocked) })
	unlocks := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, call := range s.calls {
			if strings.HasPrefix(call, "unlock /lock") {
				n++
			}
		}
		return n
	}
	session, err := dial(t, client.Options{}, s).OpenSession(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := session.Lock(ctx, "/lock", nil); !errors.Is(err, context.Canceled) && status.Code(err) != codes.Canceled {
		t.Fatalf("who gives up gets %v", err)
	}
	held, err := session.Lock(t.Context(), "/lock", nil) // waits until it is given back, or would lose it to that
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-unlocked:
	default:
		t.Error("the lock was asked for again before it was given back")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := session.Lock(gone, "/lock", nil); err == nil {
		t.Error("who has given up gets the lock")
	}
	if err := held.Unlock(t.Context()); err != nil || unlocks() != 2 {
		t.Errorf("the lock was given back %d times, %v; want once for who gave up, and once by its holder", unlocks(), err)
	}
}

func TestALockIsNotLostByADoubtFromBeforeItWasHeld(t *testing.T) {
	var deaf bool
	s := serve(t, &stub{})
	s.alive = func(int) error {
		if deaf {
			return failure(codes.Unavailable, "NOT_SERVING", true)
		}
		return nil
	}
	tell := func(to bool) {
		s.mu.Lock()
		deaf = to
		s.mu.Unlock()
	}
	session, err := dial(t, client.Options{}, s).OpenSession(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	s.lock = func(*paddockv1.LockRequest) (*paddockv1.LockResponse, error) {
		tell(true)
		<-session.InDoubt()
		tell(false)
		for poll := time.NewTicker(time.Millisecond); ; <-poll.C {
			select {
			case <-session.InDoubt():
				continue
			default:
			}
			poll.Stop()
			break
		}
		return &paddockv1.LockResponse{FencingToken: 5}, nil
	}
	const attempts = 10 // a session may be in doubt anew, where nothing runs for a while
	for range attempts {
		lock, err := session.Lock(t.Context(), "/l", nil)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-lock.Lost():
		default:
			return
		}
	}
	t.Fatal("the lock counts as lost")
}

// TestLeadersDoNotGoBackInTime has an observer that loses its server go on at one that lags, and at one whose queue changes too fast to be read.
func TestLeadersDoNotGoBackInTime(t *testing.T) {
	var reads []string
	steps := []func(tell func(leader, zxid uint64)) error{
		func(tell func(uint64, uint64)) error {
			tell(0, 4)
			tell(5, 5)
			tell(7, 9)
			return failure(codes.Unavailable, "NOT_SERVING", true)
		},
		func(func(uint64, uint64)) error { return failure(codes.FailedPrecondition, "ZXID_AHEAD", false) },
		func(func(uint64, uint64)) error { return failure(codes.Aborted, "RACED", true) },
		func(tell func(uint64, uint64)) error {
			tell(7, 10)
			tell(12, 12)
			return failure(codes.PermissionDenied, "NOAUTH", false)
		},
	}
	s := serve(t, &stub{observe: func(in *paddockv1.ObserveRequest, out grpc.ServerStreamingServer[paddockv1.ObserveResponse]) error {
		reads = append(reads, fmt.Sprint(in.GetRead().GetLevel(), " ", in.GetRead().GetMinZxid()))
		return steps[len(reads)-1](func(leader, zxid uint64) {
			m := &paddockv1.ObserveResponse{Zxid: zxid}
			if leader != 0 {
				m.Leader = &paddockv1.ElectionLeader{FencingToken: leader}
			}
			if err := out.Send(m); err != nil {
				t.Error(err)
			}
		})
	}})
	var told []uint64
	var end error
	for l, err := range dial(t, client.Options{}, s).At(client.Synced, 3).Leaders(t.Context(), "/e") {
		switch {
		case err != nil:
			end = err
		case l == nil:
			told = append(told, 0)
		default:
			told = append(told, l.Token)
		}
	}
	if want := []uint64{0, 5, 7, 12}; !slices.Equal(told, want) || !errors.Is(end, client.ErrNoAuth) {
		t.Errorf("told of %v, then %v; want %v and NOAUTH", told, end, want)
	}
	const synced = "READ_LEVEL_SYNCED "
	if want := []string{synced + "3", synced + "9", synced + "9", synced + "9"}; !slices.Equal(reads, want) {
		t.Errorf("read %v, want %v", reads, want)
	}
}

func TestASessionIsInDoubtWhileNobodyAnswersAndEndsWhenItIsTold(t *testing.T) {
	var deaf, over bool
	s := serve(t, &stub{})
	s.alive = func(int) error {
		switch {
		case over:
			return failure(codes.Unauthenticated, "SESSIONEXPIRED", false)
		case deaf:
			return failure(codes.Unavailable, "NOT_SERVING", true)
		}
		return nil
	}
	tell := func(flag *bool, to bool) {
		s.mu.Lock()
		*flag = to
		s.mu.Unlock()
	}
	session, err := dial(t, client.Options{}, s).OpenSession(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	tell(&deaf, true)
	<-session.InDoubt()
	if session.Err() != nil {
		t.Fatal("a session in doubt is not over", session.Err())
	}
	tell(&deaf, false)
	for again := false; !again; {
		select {
		case <-session.InDoubt():
		case <-session.Done():
			t.Fatal(session.Err())
		default:
			again = true
		}
	}
	tell(&over, true)
	<-session.Done()
	<-session.InDoubt()
	if !errors.Is(session.Err(), client.ErrSessionExpired) {
		t.Fatal(session.Err())
	}
}

func TestAListFollowsItsPages(t *testing.T) {
	s := serve(t, &stub{list: func(in *paddockv1.ListChildrenRequest) (*paddockv1.ListChildrenResponse, error) {
		switch in.GetPageToken() {
		case "":
			return &paddockv1.ListChildrenResponse{Children: []*paddockv1.Znode{{Path: "a"}, {Path: "b"}}, NextPageToken: "p", Zxid: 5}, nil
		case "p":
			return &paddockv1.ListChildrenResponse{Children: []*paddockv1.Znode{{Path: "c"}}, NextPageToken: "q", Zxid: 5}, nil
		}
		return nil, failure(codes.Aborted, "PAGE_GONE", true)
	}})
	var names []string
	var end error
	for n, err := range dial(t, client.Options{}, s).Children(t.Context(), "/", client.ListOptions{}) {
		if end = err; err == nil {
			names = append(names, n.Path)
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) || !errors.Is(end, client.ErrPageGone) {
		t.Fatal(names, end)
	}
}

// tellAll sends messages in order.
func tellAll(out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse], ms ...*paddockv1.WatchResponse) error {
	for _, m := range ms {
		if err := out.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func created(z uint64) *paddockv1.WatchResponse {
	return &paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Created{Created: &paddockv1.WatchCreated{AfterZxid: z}}}
}

func changed(more bool, zxids ...uint64) *paddockv1.WatchResponse {
	e := &paddockv1.WatchEvents{More: more}
	for _, z := range zxids {
		e.Changes = append(e.Changes, &paddockv1.Change{Type: paddockv1.ChangeType_CHANGE_TYPE_CREATED, Path: fmt.Sprint("/a/", z), Zxid: z, Data: []byte{}})
	}
	return &paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Events{Events: e}}
}

func gone(z uint64) *paddockv1.WatchResponse {
	return &paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Cancelled{Cancelled: &paddockv1.WatchCancelled{
		Reason: paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE, Zxid: z, Message: "gone"}}}
}

func TestAWatchTellsAccessListsIfAskedTo(t *testing.T) {
	s := serve(t, &stub{})
	s.watch = func(c *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		e := &paddockv1.WatchEvents{}
		if c.GetWithAcl() {
			read := []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}
			e.Changes = append(e.Changes, &paddockv1.Change{Type: paddockv1.ChangeType_CHANGE_TYPE_ACL_CHANGED, Path: "/a", Zxid: 11,
				Acl:         &paddockv1.AccessList{Acl: []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: read}}},
				PreviousAcl: &paddockv1.AccessList{}})
		}
		e.Changes = append(e.Changes, &paddockv1.Change{Type: paddockv1.ChangeType_CHANGE_TYPE_DELETED, Path: "/a", Zxid: 11})
		if err := tellAll(out, created(10), &paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Events{Events: e}}); err != nil {
			return err
		}
		<-out.Context().Done()
		return nil
	}
	deleted := client.Change{Type: client.Deleted, Path: "/a", Zxid: 11}
	listed := client.Change{Type: client.ACLChanged, Path: "/a", Zxid: 11, ACL: []client.ACL{{Scheme: "world", ID: "anyone", Perms: client.PermRead}}, PreviousACL: []client.ACL{}}
	for asks, want := range map[bool][]client.Change{false: {deleted}, true: {listed, deleted}} {
		w, err := dial(t, client.Options{}, s).Watch(t.Context(), "/a", client.WatchOptions{ACL: asks})
		if err != nil {
			t.Fatal(err)
		}
		if got := <-w.C; !reflect.DeepEqual(got.Changes, want) {
			t.Errorf("told %+v, want %+v", got.Changes, want)
		}
		w.Close()
	}
}

func TestAWatchGoesOnWhereItWas(t *testing.T) {
	var starts []uint64
	s := serve(t, &stub{})
	s.watch = func(c *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		starts = append(starts, c.GetStartAfterZxid())
		if first := len(starts) == 1; c.GetFromStart() == first {
			t.Errorf("stream %d starts from now: %v", len(starts), !c.GetFromStart()) // 0 is a zxid that a server may tell
		}
		switch len(starts) {
		case 1: // cut in the middle of a transaction: its first half must come again, and not twice
			return first(tellAll(out, created(10), changed(false, 11, 12), changed(true, 13)), failure(codes.Unavailable, "", true))
		case 2:
			return failure(codes.ResourceExhausted, "SLOW_READER", true)
		case 3:
			return first(tellAll(out, created(12), changed(true, 13), changed(false, 13), &paddockv1.WatchResponse{
				Response: &paddockv1.WatchResponse_Progress{Progress: &paddockv1.WatchProgress{Zxid: 40}}}), failure(codes.Aborted, "SESSIONMOVED", true))
		}
		return tellAll(out, gone(90))
	}
	w, err := dial(t, client.Options{}, s).Watch(t.Context(), "/a", client.WatchOptions{Scope: client.Recursive, Data: true})
	if err != nil {
		t.Fatal(err)
	}
	var told []uint64
	for e := range w.C {
		for _, c := range e.Changes {
			if told = append(told, c.Zxid); c.Data == nil {
				t.Error("empty data is data")
			}
		}
	}
	var e *client.Error
	if err := w.Err(); !errors.Is(err, client.ErrHistoryGone) || !errors.As(err, &e) || e.Zxid != 90 {
		t.Fatal(err)
	}
	if !slices.Equal(told, []uint64{11, 12, 13, 13}) || !slices.Equal(starts, []uint64{0, 12, 12, 40}) || w.After != 10 {
		t.Fatalf("told %d, started at %d", told, starts)
	}
}

// A zxid that no server has told is the caller's mistake; one that was told may be ahead of the next server. A stream that is refused is left.
func TestAWatchAheadOfAServer(t *testing.T) {
	streams, left := 0, make(chan struct{}, 3)
	s := serve(t, &stub{})
	s.watch = func(_ *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		if streams++; streams == 2 {
			return first(tellAll(out, created(10)), failure(codes.Unavailable, "", true))
		}
		if streams == 4 {
			return first(tellAll(out, created(10), changed(false, 11), gone(90)))
		}
		err := tellAll(out, &paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Cancelled{Cancelled: &paddockv1.WatchCancelled{
			Reason: paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ZXID_AHEAD}}})
		<-out.Context().Done()
		left <- struct{}{}
		return err
	}
	c := dial(t, client.Options{}, s)
	if _, err := c.Watch(t.Context(), "/a", client.WatchOptions{After: 10}); !errors.Is(err, client.ErrZxidAhead) {
		t.Fatal(err)
	}
	<-left
	w, err := c.Watch(t.Context(), "/a", client.WatchOptions{After: 10})
	if err != nil {
		t.Fatal(err)
	}
	if e := <-w.C; e.Zxid != 11 {
		t.Fatal(e)
	}
	<-left
}

func TestACacheFollowsAndBeginsAnewWhenItMust(t *testing.T) {
	t.Run("history is gone", func(t *testing.T) { cacheBeginsAnew(t, gone(50), 12) })
	untold := changed(false, 13)
	untold.GetEvents().GetChanges()[0].Data = nil
	t.Run("data is not told", func(t *testing.T) { cacheBeginsAnew(t, untold, 13) })
	listed := changed(false, 13)
	listed.GetEvents().GetChanges()[0].Type, listed.GetEvents().GetChanges()[0].Data = paddockv1.ChangeType_CHANGE_TYPE_ACL_CHANGED, nil
	t.Run("who may read it is another", func(t *testing.T) { cacheBeginsAnew(t, listed, 13) })
}

// cacheBeginsAnew has a cache told what makes it list again, with what is true at least or later.
func cacheBeginsAnew(t *testing.T, end *paddockv1.WatchResponse, least uint64) {
	var lists int
	s := serve(t, &stub{})
	s.tree = func(in *paddockv1.ListTreeRequest) (*paddockv1.ListTreeResponse, error) {
		if want := uint64(lists) * least; in.GetRead().GetMinZxid() != want {
			t.Errorf("list %d may be as old as %d, want %d", lists, in.GetRead().GetMinZxid(), want)
		}
		if lists++; lists == 1 {
			return &paddockv1.ListTreeResponse{Zxid: 10, Znodes: []*paddockv1.Znode{{Path: "/a", Stat: &paddockv1.Stat{Mzxid: 3}}, {Path: "/a/old"}}}, nil
		}
		return &paddockv1.ListTreeResponse{Zxid: 100, Znodes: []*paddockv1.Znode{{Path: "/a"}, {Path: "/a/new", Data: []byte("n")}}}, nil
	}
	next := make(chan struct{})
	s.watch = func(c *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		if !c.GetWithAcl() {
			t.Error("it is not told of access lists")
		}
		if c.GetStartAfterZxid() == 100 {
			err := tellAll(out, created(100))
			<-out.Context().Done()
			return err
		}
		deleted := changed(false, 12)
		deleted.GetEvents().Changes = append(deleted.GetEvents().Changes, &paddockv1.Change{Type: paddockv1.ChangeType_CHANGE_TYPE_DELETED, Path: "/a/old", Zxid: 12})
		err := tellAll(out, created(10), changed(false, 11), deleted)
		<-next
		return first(err, tellAll(out, end))
	}
	cache, err := dial(t, client.Options{}, s).Cache(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	if err := cache.Wait(t.Context(), 12); err != nil {
		t.Fatal(err)
	}
	if got := cache.Children("/a"); !slices.Equal(got, []string{"11", "12"}) {
		t.Fatal(got)
	}
	close(next)
	if err := cache.Wait(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	n, ok := cache.Get("/a/new")
	if got := cache.Children("/a"); !ok || string(n.Data) != "n" || !slices.Equal(got, []string{"new"}) {
		t.Fatal(n, ok, got)
	}
}

// first is the first error of several, as it is: a joined one would lose its status.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
