package client

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

const (
	retryMin     = 20 * time.Millisecond  // before the first repetition of a call
	retryMax     = time.Second            // between later ones
	pingEvery    = 15 * time.Second       // to a server that says nothing
	pingTimeout  = 5 * time.Second        // for its answer
	connectMin   = 3 * time.Second        // for a connection, or another server is asked
	connectAgain = 100 * time.Millisecond // after the first connection that failed; then later, up to retryMax
	messageBytes = 64 << 20               // largest answer; the server has bounds of its own
)

// Options are what a Client needs to know. The zero value is good for a server on a trusted network.
type Options struct {
	TLS      *tls.Config // nil for connections in the clear
	User     string      // identity of scheme digest; empty for none
	Password string
	// DialOptions are handed to gRPC, for interceptors and the like.
	DialOptions []grpc.DialOption
}

// servers is a connection to the first server that is of use. It implements grpc.ClientConnInterface.
type servers struct {
	login string // value of the authorization header; empty for none

	over chan struct{} // closed by close

	mu      sync.Mutex // guards all below
	conns   []*grpc.ClientConn
	current int
}

// dial prepares connections to all addresses, as host:port, in random order; none is made before it is needed.
func dial(addrs []string, o Options) (*servers, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address of a server is given; one is host:7181")
	}
	creds := insecure.NewCredentials()
	if o.TLS != nil {
		creds = credentials.NewTLS(o.TLS)
	}
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageBytes), grpc.MaxCallSendMsgSize(messageBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: connectAgain, Multiplier: backoff.DefaultConfig.Multiplier, Jitter: backoff.DefaultConfig.Jitter, MaxDelay: retryMax},
			MinConnectTimeout: connectMin,
		}),
	}, o.DialOptions...)
	s := &servers{over: make(chan struct{})}
	if o.User != "" {
		s.login = basic([]byte(o.User + ":" + o.Password))
	}
	for _, i := range rand.Perm(len(addrs)) {
		conn, err := grpc.NewClient(addrs[i], options...)
		if err != nil {
			s.close()
			return nil, err
		}
		s.conns = append(s.conns, conn)
	}
	return s, nil
}

// close ends all connections.
func (s *servers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return
	}
	close(s.over)
	for _, c := range s.conns {
		c.Close() // fails only if it is closed already
	}
}

// isClosed tells whether close was called.
func (s *servers) isClosed() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// told is a typed error, ErrClosed for what close has ended.
func (s *servers) told(err error) error {
	err = typed(err)
	var e *Error
	if errors.As(err, &e) && e.Code == codes.Canceled && s.isClosed() {
		return ErrClosed
	}
	return err
}

// pick is the connection to use, and its number for leave.
func (s *servers) pick() (*grpc.ClientConn, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return nil, 0, ErrClosed
	}
	return s.conns[s.current%len(s.conns)], s.current, nil
}

// leave goes on to the next server, unless somebody has done so since the pick.
func (s *servers) leave(picked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == picked {
		s.current++
	}
}

// repeatKey marks calls that may be done more than once.
type repeatKey struct{}

// repeatable marks a call that may be done more than once: a read, or a write with an idempotency key.
func repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatKey{}, true)
}

// Invoke makes one call, on another server if the first is of no use, as often as it may be made.
func (s *servers) Invoke(ctx context.Context, method string, in, out any, opts ...grpc.CallOption) error {
	again := ctx.Value(repeatKey{}) != nil
	ctx = s.signed(ctx)
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		conn, picked, err := s.pick()
		if err != nil {
			return err
		}
		err = s.told(conn.Invoke(ctx, method, in, out, opts...))
		if useless(err) {
			s.leave(picked)
		} else if reasonOf(err) != ErrSessionMoved { // asked again, the server takes the session up
			return err
		}
		if !again || !pause(ctx, wait) {
			return err
		}
	}
}

// NewStream opens a stream on the server that is of use; it is not taken up again here.
func (s *servers) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, picked, err := s.pick()
	if err != nil {
		return nil, err
	}
	stream, err := conn.NewStream(s.signed(ctx), d, method, opts...)
	if err != nil {
		if err = s.told(err); useless(err) {
			s.leave(picked)
		}
		return nil, err
	}
	return &streamOf{ClientStream: stream, s: s, picked: picked}, nil
}

// streamOf leaves its server when that turns out to be of no use.
type streamOf struct {
	grpc.ClientStream
	s      *servers
	picked int
}

// RecvMsg receives, or tells a typed error.
func (o *streamOf) RecvMsg(m any) error {
	err := o.s.told(o.ClientStream.RecvMsg(m))
	if useless(err) {
		o.s.leave(o.picked)
	}
	return err
}

// signed adds who calls.
func (s *servers) signed(ctx context.Context) context.Context {
	if s.login == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, metadataAuthorization, s.login)
}

// metadataAuthorization is where a call says in whose name it is.
const metadataAuthorization = "authorization"

// basic is the value of metadataAuthorization for a credential of scheme digest, user:password.
func basic(credential []byte) string {
	return "Basic " + base64.StdEncoding.EncodeToString(credential)
}

// useless tells whether another server may do better.
func useless(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == codes.Unavailable
}

// pause waits a time of about d; false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
