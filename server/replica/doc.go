// Package replica is one server as a deterministic state machine: events in, effects out.
//
// server/driver owns a Replica in production and internal/sim owns one in simulation; whoever owns it calls Step
// from one goroutine and carries out the effects. The Replica owns the tree, the sessions, the watches, the
// requests that wait, and the consensus core.
//
// It guarantees that the requests of one client are answered in the order they came, each after every earlier
// write of that client is applied; that an event is told before any reply that shows the change; and that a
// write is answered only once consensus has committed it.
//
// It has no goroutine, clock, lock, I/O or log line. Time is a field of events. What the log must hold, what
// clients are told and what an operator should know leave through Effects, in the order in which they happened.
//
// Source: the order and wording of every answer are ZooKeeper's; see docs/compatibility.md for the differences.
package replica
