package grpcapi

import (
	"context"
	"net/netip"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/admission"
	"paddock/server/driver"
	"paddock/server/request"
	"paddock/storage/tree"
)

// Bounds of what one gRPC client may use.
const (
	streamsMax        = 256              // concurrent calls per connection; further ones wait at the client
	messageBytesMax   = 4 << 20          // of one request; larger ones fail with RESOURCE_EXHAUSTED
	handshakeTimeout  = 5 * time.Second  // for a new connection to speak HTTP/2
	messageExtraBytes = 64 << 10         // of a message beyond the request in it
	pingEvery         = 30 * time.Second // to clients that say nothing, so that dead ones are noticed
	pingTimeout       = 10 * time.Second // for the answer, before the connection is closed
	clientPingMin     = 10 * time.Second // clients that ping more often are disconnected
	streamWindow      = 256 << 10        // of a call's requests that have come and are not read; it does not grow
	connectionWindow  = 1 << 20          // of a connection's that are under way
	workers           = 128              // goroutines that take calls in turn, so that not each call has to grow a stack; further calls get their own
)

// Options are what the door needs from the server.
type Options struct {
	Status   StatusSource // required
	Operator Operator     // carries out orders; nil if there is nobody to
	Insight  Insight      // tells more than the status; nil if there is nothing
	// Handler is the server's one entrance; it returns nil until the state is recovered. nil if there is none.
	Handler func() request.Handler
	// Feed is what the server has applied; it returns nil until the state is recovered. nil if there are no watches.
	Feed func() Feed
	// Authenticate judges the credentials of callers; nil refuses them all.
	Authenticate Authenticate
	// SessionTimeout is the timeout of a session that this server knows, in milliseconds. If it is nil all have 30 seconds.
	SessionTimeout func(context.Context, zk.SessionID) (ms int32, ok bool)
	// SyncConfirmed tells whether a sync is confirmed by a quorum, as a Paddock leader has it, and a server on its own. It may be
	// nil, for never.
	SyncConfirmed func() bool
	// View holds the tree at one moment; see driver.View. Lists need it.
	View func(ctx context.Context, paths ...string) (*driver.View, []tree.Ref, error)
	// Allowed judges an access list, for what is read in a view and for who is told of a change; without it nobody is.
	Allowed func(acl []zk.ACL, perm zk.Perms, ids []zk.ID) bool
	// TxnAt is the txn of a zxid, as the log has it; the error tells that it is not known any more.
	TxnAt func(ctx context.Context, z zk.Zxid) (*txn.Record, error)
	// RequestBytesMax is jute.maxbuffer; 0 for its default.
	RequestBytesMax int
	// MaxClientCnxns limits the connections of one IP address through listeners of Limit, MaxCnxns those of all; 0 for no limit.
	MaxClientCnxns, MaxCnxns int
	// Rejected is told of connections that are closed at once: max_client_cnxns, max_cnxns. Refused of calls that are for want of room:
	// replies, connection_replies. They are called from many goroutines and must not block; nil for nobody.
	Rejected func(reason string, from netip.Addr)
	Refused  func(reason string)
	// Credentials are the transport security of all listeners; nil for none.
	Credentials credentials.TransportCredentials
	// Tracer records a span for each call, and spans for what is done for it. nil costs nothing.
	Tracer trace.Tracer
	Logger zerolog.Logger // one debug line per call; the zero value logs nothing
}

// Server is the gRPC door. It is served on as many listeners as the caller likes, and ended with Settle and then GracefulStop or
// Stop.
type Server struct {
	*grpc.Server
	door        *door
	gate        *admission.Gate
	replies     *replies
	methods     map[string]method // by full name; see Inside
	messageMax  int               // bytes of one request
	interceptor grpc.UnaryServerInterceptor
	idle        func() bool // the interceptor would do nothing at the moment
	log         zerolog.Logger
}

// New makes a gRPC server with all services registered.
func New(o Options) *Server {
	waiting := &replies{max: replyBytesMax, connMax: replyBytesConnMax, log: o.Logger, refused: o.Refused}
	s := &Server{
		door: newDoor(&o, waiting), gate: newGate(&o), replies: waiting,
		log: o.Logger, methods: map[string]method{}, messageMax: max(messageBytesMax, o.RequestBytesMax+messageExtraBytes),
	}
	if o.Logger.GetLevel() <= zerolog.DebugLevel {
		s.interceptor = logCalls(o.Logger)
		s.idle = func() bool { return o.Logger.Debug() == nil }
	}
	transport := newHandshake(o.Credentials)
	options := []grpc.ServerOption{
		grpc.Creds(transport),
		grpc.MaxConcurrentStreams(streamsMax),
		grpc.MaxRecvMsgSize(s.messageMax),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ForceServerCodecV2(newCodec(s.replies)),
		grpc.InTapHandle(tapHeaders),
		grpc.NumStreamWorkers(workers),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientPingMin, PermitWithoutStream: true}),
	}
	if o.Tracer != nil {
		s.interceptor, s.idle = within(s.interceptor, traceCalls(o.Tracer)), nil
		options = append(options, grpc.ChainStreamInterceptor(traceStreams(o.Tracer)))
	}
	if s.interceptor != nil {
		options = append(options, grpc.UnaryInterceptor(s.interceptor))
	}
	options = append(options, grpc.ChainStreamInterceptor(counted))
	s.Server = grpc.NewServer(options...)
	paddockv1.RegisterAdminServiceServer(s, &adminServer{
		source: o.Status, operator: o.Operator, insight: o.Insight, authenticate: o.Authenticate, handler: o.Handler, open: transport.open, attached: s.door.addresses,
	})
	paddockv1.RegisterZnodeServiceServer(s, &znodeServer{door: s.door})
	paddockv1.RegisterSessionServiceServer(s, &sessionServer{door: s.door})
	paddockv1.RegisterLockServiceServer(s, &lockServer{door: s.door})
	paddockv1.RegisterElectionServiceServer(s, &electionServer{door: s.door})
	paddockv1.RegisterWatchServiceServer(s, &watchServer{door: s.door})
	healthpb.RegisterHealthServer(s, &healthServer{source: o.Status})
	reflection.Register(s)
	return s
}

// Settle ends what the door itself has with the server behind Options.Handler, which may be closed after that: its own session, and
// the clients it keeps for callers, whose sessions live on. What is asked meanwhile or later is refused with UNAVAILABLE. It returns
// soon after ctx has ended at the latest.
func (s *Server) Settle(ctx context.Context) { s.door.stop(ctx) }

// adminServer implements AdminService.
type adminServer struct {
	paddockv1.UnimplementedAdminServiceServer
	source       StatusSource
	operator     Operator
	insight      Insight
	authenticate Authenticate
	handler      func() request.Handler
	open         *connections                   // of this door
	attached     func() map[zk.SessionID]string // sessions of this door, and who has them
}

// GetStatus answers with the state of this server.
func (a *adminServer) GetStatus(context.Context, *paddockv1.GetStatusRequest) (*paddockv1.GetStatusResponse, error) {
	s := a.source()
	return &paddockv1.GetStatusResponse{Status: s.proto()}, nil
}

// quiet leaves out the interceptor while it would do nothing: to call through it costs as much as other parts of a call. The log level
// may change at any time.
func (s *Server) quiet(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(service any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		if interceptor != nil && s.idle != nil && s.idle() {
			interceptor = nil
		}
		return handle(service, ctx, decode, interceptor)
	}
}

// within is what does inner within outer, which may be nil.
func within(outer, inner grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if outer == nil {
		return inner
	}
	return func(ctx context.Context, in any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		return outer(ctx, in, call, func(ctx context.Context, in any) (any, error) { return inner(ctx, in, call, handle) })
	}
}

// logCalls logs each call at debug, with its outcome and duration.
func logCalls(log zerolog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, in any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		began := time.Now()
		out, err := handle(ctx, in)
		if e := log.Debug(); e != nil {
			e.Str("op", call.FullMethod).Stringer("code", status.Code(err)).Dur("dur_ms", time.Since(began)).Msg("grpc call")
		}
		return out, err
	}
}
