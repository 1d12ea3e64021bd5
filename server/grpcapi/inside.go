package grpcapi

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Inside is a connection to the server from its own process: calls reach the services without a socket. Callers are trusted as those are
// who open the socket in the data directory. Streams go through that socket. Its methods may be used concurrently.
type Inside struct {
	server  *Server
	streams grpc.ClientConnInterface
	peer    peer.Peer
	conn    *connection

	mu     sync.RWMutex // guards closed, and that calls are not counted once it is set
	closed bool
	calls  sync.WaitGroup
}

// method is a call that is answered with one message.
type method struct {
	service any
	handle  grpc.MethodHandler
}

// RegisterService implements grpc.ServiceRegistrar; Inside calls what is registered.
func (s *Server) RegisterService(d *grpc.ServiceDesc, service any) {
	own := *d
	own.Methods, own.Streams = slices.Clone(d.Methods), slices.Clone(d.Streams)
	for i := range own.Methods {
		m := &own.Methods[i]
		name := "/" + d.ServiceName + "/" + m.MethodName
		handle := s.contained(name, s.quiet(m.Handler))
		s.methods[name] = method{service, handle}
		m.Handler = s.replies.bounded(handle)
	}
	for i := range own.Streams {
		m := &own.Streams[i]
		m.Handler = s.containedStream("/"+d.ServiceName+"/"+m.StreamName, m.Handler)
	}
	s.Server.RegisterService(&own, service)
}

// Inside makes a connection; streams is one through the socket in the data directory.
func (s *Server) Inside(streams grpc.ClientConnInterface) *Inside {
	c := &connection{}
	return &Inside{server: s, streams: streams, conn: c,
		peer: peer.Peer{Addr: &net.UnixAddr{Name: "inside", Net: "unix"}, LocalAddr: &net.UnixAddr{Name: SocketName, Net: "unix"}, AuthInfo: c}}
}

// NewStream implements grpc.ClientConnInterface.
func (c *Inside) NewStream(ctx context.Context, d *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.streams.NewStream(ctx, d, method, opts...)
}

// Invoke implements grpc.ClientConnInterface. Nothing that is handed over is shared: the request is encoded and decoded, which also
// finds what cannot be, and the answer copied. Options are ignored; no service sends metadata.
func (c *Inside) Invoke(ctx context.Context, name string, in, out any, _ ...grpc.CallOption) error {
	m, known := c.server.methods[name]
	request, ok1 := in.(proto.Message)
	answer, ok2 := out.(proto.Message)
	switch {
	case !known:
		return status.Errorf(codes.Unimplemented, "unknown method %s", name)
	case !ok1 || !ok2:
		return status.Errorf(codes.Internal, "%s takes messages, not %T and %T", name, in, out)
	case ctx.Err() != nil:
		return contextStatus(ctx)
	case !c.begin():
		return status.Error(codes.Unavailable, "the server is stopping")
	}
	defer c.calls.Done()
	encoded, err := proto.Marshal(request)
	switch {
	case err != nil:
		return status.Errorf(codes.Internal, "the request cannot be encoded: %v", err)
	case len(encoded) > c.server.messageMax:
		return fault(codes.ResourceExhausted, reasonOf(codeTooLarge),
			fmt.Sprintf("the request has %d bytes, the server takes %d", len(encoded), c.server.messageMax))
	}
	decode := func(v any) error {
		if err := proto.Unmarshal(encoded, v.(proto.Message)); err != nil {
			return status.Errorf(codes.Internal, "the request cannot be decoded: %v", err)
		}
		return nil
	}
	got, err := m.handle(m.service, c.incoming(ctx), decode, c.server.interceptor)
	if err != nil {
		return asStatus(err)
	}
	proto.Reset(answer)
	proto.Merge(answer, got.(proto.Message))
	return nil
}

// incoming is the context of a call as the services expect it.
func (c *Inside) incoming(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	return withHeaders(metadata.NewIncomingContext(peer.NewContext(ctx, &c.peer), md), md)
}

// asStatus is err as it would have come through a socket.
func asStatus(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	if s := status.FromContextError(err); s.Code() != codes.Unknown {
		return s.Err()
	}
	return status.Error(codes.Unknown, err.Error())
}

// begin counts a call, unless it is too late for one.
func (c *Inside) begin() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return false
	}
	c.calls.Add(1)
	return true
}

// Close refuses further calls, and waits for those that have begun: they end when their contexts do.
func (c *Inside) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.conn.close()
	c.calls.Wait()
	return nil
}
