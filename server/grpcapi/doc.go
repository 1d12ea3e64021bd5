// Package grpcapi is the gRPC door: it implements the services of paddock.v1, answers the standard health
// service and offers reflection.
//
// The server wires it: New makes a *grpc.Server that is then served on grpcPort and on a unix socket in the
// data directory (ListenLocal), where `paddock status` finds it whatever the state of the ensemble
// (DialLocal, FetchStatus). The gateway is a client of it.
//
// It owns no state of the server. It asks a StatusSource, from any goroutine, and turns the answer into
// protobuf messages, which stop here: nothing further inside knows them.
//
// It does not decide what a status means, and does not retry or cache.
package grpcapi
