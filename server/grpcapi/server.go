package grpcapi

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/request"
)

// Bounds of what one gRPC client may use.
const (
	streamsMax       = 256              // concurrent calls per connection; further ones wait at the client
	messageBytesMax  = 4 << 20          // of one request; larger ones fail with RESOURCE_EXHAUSTED
	handshakeTimeout = 5 * time.Second  // for a new connection to speak HTTP/2
	pingEvery        = 30 * time.Second // to clients that say nothing, so that dead ones are noticed
	pingTimeout      = 10 * time.Second // for the answer, before the connection is closed
	clientPingMin    = 10 * time.Second // clients that ping more often are disconnected
)

// Options are what the door needs from the server.
type Options struct {
	Status   StatusSource // required
	Operator Operator     // carries out orders; nil if there is nobody to
	Insight  Insight      // tells more than the status; nil if there is nothing
	// Authenticate judges the credentials of callers; nil refuses them all.
	Authenticate Authenticate
	// Handler is the server's one entrance; it returns nil until the state is recovered. nil if there is none.
	Handler func() request.Handler
	Logger  zerolog.Logger // one debug line per call; the zero value logs nothing
}

// New makes a gRPC server with all services registered. The caller serves it on as many listeners as it likes and
// ends it with GracefulStop or Stop. Extra options are for TLS credentials.
func New(o Options, extra ...grpc.ServerOption) *grpc.Server {
	options := append([]grpc.ServerOption{
		grpc.MaxConcurrentStreams(streamsMax),
		grpc.MaxRecvMsgSize(messageBytesMax),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: clientPingMin, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(logCalls(o.Logger)),
	}, extra...)
	s := grpc.NewServer(options...)
	paddockv1.RegisterAdminServiceServer(s, &adminServer{
		source: o.Status, operator: o.Operator, insight: o.Insight, authenticate: o.Authenticate, handler: o.Handler,
	})
	healthpb.RegisterHealthServer(s, &healthServer{source: o.Status})
	reflection.Register(s)
	return s
}

// adminServer implements AdminService.
type adminServer struct {
	paddockv1.UnimplementedAdminServiceServer
	source       StatusSource
	operator     Operator
	insight      Insight
	authenticate Authenticate
	handler      func() request.Handler
}

// GetStatus answers with the state of this server.
func (a *adminServer) GetStatus(context.Context, *paddockv1.GetStatusRequest) (*paddockv1.GetStatusResponse, error) {
	s := a.source()
	return &paddockv1.GetStatusResponse{Status: s.proto()}, nil
}

// logCalls logs each call at debug, with its outcome and duration.
func logCalls(log zerolog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, in any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		began := time.Now()
		out, err := handle(ctx, in)
		log.Debug().Str("op", call.FullMethod).Stringer("code", status.Code(err)).Dur("dur_ms", time.Since(began)).Msg("grpc call")
		return out, err
	}
}
