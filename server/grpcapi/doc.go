// Package grpcapi is the gRPC door: it implements the services of paddock.v1, answers the standard health
// service and offers reflection.
//
// The server wires it: New makes a Server that is then served on grpcPort and on a unix socket in the
// data directory (ListenLocal), where `paddock status` finds it whatever the state of the ensemble
// (DialLocal, FetchStatus), and is ended by Settle and Stop. The gateway is a client of it.
//
// What is read and written goes as zk.Requests through the server's request.Handler, like what comes by any other door, and is
// judged there by the identities that go with each request. A line is one client of the handler, shared by concurrent calls: it
// matches replies to them. Each connection has one for reads (a guest), each session that is named by calls has one for all that is asked
// for it, and the door has a session of its own by which those write who name none. Lists, counts and recursive deletions look
// at a view of one moment (driver.View).
//
// It owns no state of the server; what it keeps is bounded by the constants beside it: attached sessions, unanswered requests of a
// line, lists that have more pages. Goroutines are grpc's, one for each KeepAlive stream, and one while barriers are asked for; all have
// ended when Settle and Stop have returned. Its types may be used from any goroutine, but for what says otherwise.
//
// An error is a gRPC status with google.rpc.ErrorInfo (refusal.go). A write is done at most once for each time it is asked for, and
// once in all with an idempotency key (once.go).
//
// Protobuf messages stop here: nothing further inside knows them. It does not decide what a status or a request means.
package grpcapi
