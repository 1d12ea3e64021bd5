// Package juteapi is the door for ZooKeeper's own clients: the client port, its framing, its handshake and its
// four-letter words, in front of a request.Handler.
//
// The server (package server) calls it: Listen binds the port, Serve runs it, Close ends it and waits for every
// goroutine. What four-letter words answer, and which are enabled, is a function handed in with the Options.
//
// Who owns what. Each connection has one goroutine, its reader, which owns the receive buffer, cuts all complete frames
// of one read, decodes them into one slice and submits that. The handler's owner calls the connection as
// its request.Sink and owns the buffer that replies are appended to; Flush hands that buffer over. A few writer
// goroutines, shared by all connections, send what was handed over with one system call that never blocks; a
// connection whose socket is full gets a goroutine of its own until it has caught up. What readers, owner and
// writers share sits under the connection's mutex, which is never held across a system call. A sweeper looks at
// all connections now and then and ends those that are idle, that trickle a frame in, or that do not read.
//
// A client that has too much unread or too many requests unanswered is not read from until it has caught up, so that it
// takes no more than its share of what the handler may hold for all.
//
// It guarantees that requests are submitted in the order they arrived and that what the sink was told is sent in
// that order; that nothing is allocated for a frame before its bytes have come; that every connection that the
// handler saw opened is closed to it once, after its last byte was sent; and that a connection costs at most
// Options.UnsentBytesMax and one reply of unsent bytes.
//
// It does not judge requests, answer any, or know sessions: an unknown opcode or an undecodable body is handed in
// like any other request.
//
// Source: ZooKeeper's client protocol as NIOServerCnxn and NIOServerCnxnFactory speak it.
package juteapi
