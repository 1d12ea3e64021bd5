// Package request is the one entrance to the server: what a door hands in, and what it is handed back.
//
// Doors (juteapi today) call a Handler and implement Sink; server/driver implements Handler and calls Sink.
// A request is its zk record, whatever door it came through: same checks, same errors, same order.
//
// The package holds types only. Who may call what from which goroutine is said at each type.
package request
