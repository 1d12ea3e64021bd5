// Package consensus decides the order of txns: ZooKeeper's atomic broadcast (ZAB) as a state machine.
//
// server/replica owns a Core and is the only one to call it: events go in, actions come out, and the caller
// carries the actions out in any order it likes. A server on its own is an ensemble of one voter on the same
// path as any other leader: propose, append, durable, commit.
//
// It guarantees that zxids are handed out without gaps, that a txn commits only once a quorum of the voters
// has it durably, and that txns commit in zxid order.
//
// It does not know what a txn means, reads no clock (ticks are events) and touches no disk: that something
// is durable is an event, and no action that promises it is given out earlier.
//
// So far it plays one role, the leader of an established epoch whose only voter is this server. Event and
// Actions already have the shape that peers need: messages arrive as events and leave as actions.
//
// Source: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems", 2011, and
// ZooKeeper's standalone server for the ensemble of one.
package consensus
