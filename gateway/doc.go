// Package gateway is the HTTP face of the gRPC door: REST under /v1, the OpenAPI document, and the two probes
// that service managers ask.
//
// The server wires it: New takes a connection to a gRPC server of package grpcapi and returns a handler, which
// the caller mounts on the HTTP port. It may be called from any goroutine and has no state but the connection,
// which stays the caller's.
//
// REST is generated from the annotations in proto/: a call here is the gRPC call, with the same checks and the
// same errors. 64-bit integers are decimal strings in JSON, and fields with a zero value are present.
//
// It does not decide anything, does not retry, and leaves every path but its own to the caller.
package gateway
