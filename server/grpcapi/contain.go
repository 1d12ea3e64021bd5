package grpcapi

import (
	"context"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"paddock/internal/zk"
)

// A defect in a service ends the call that meets it, and not the server: a client that goes on to the next server with the same
// call would end one after the other. What a call shares with others is the owner's, whose panics end the server all the same.

// contained is handle, whose panics are refusals.
func (s *Server) contained(name string, handle grpc.MethodHandler) grpc.MethodHandler {
	return func(service any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (out any, err error) {
		defer s.contain(name, &err)
		return handle(service, ctx, decode, interceptor)
	}
}

// containedStream is the same for a stream.
func (s *Server) containedStream(name string, handle grpc.StreamHandler) grpc.StreamHandler {
	return func(service any, stream grpc.ServerStream) (err error) {
		defer s.contain(name, &err)
		return handle(service, stream)
	}
}

// contain makes a panic the error of the call. It is to be deferred.
func (s *Server) contain(name string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	s.log.Error().Str("call", name).Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("a defect in the server ended a call, please report it")
	*err = fault(codes.Internal, reasonOf(zk.RuntimeInconsistency), "a defect in the server ended this call; whether it has changed anything is not known; the server's log has what happened, please report it")
}
