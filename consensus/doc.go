// Package consensus decides the order of txns: ZooKeeper's atomic broadcast (ZAB) as a state machine, for a server that
// leads, follows or observes.
//
// server/replica owns a Core and is the only one to call it: events go in, actions come out, and the caller carries the
// actions out: Append, Commit, then Do, each in order. Connections, the disk and the clock are the caller's; what
// they bring are events.
//
// The parts, by file: looking (elections, connections that wait), leader, discovery (the epochs on the leader's
// side), sync (how a learner is brought up to date), broadcast (proposals, acknowledgements, commits), learner and
// follower (the same on the other side), reconfig, transfer, history (the log's end in memory), step (the door,
// and what waits for the disk).
//
// It guarantees that zxids are handed out without gaps; that a txn commits, in zxid order, only once a quorum of the
// voters has it durably, and during a reconfiguration a quorum of the old and one of the new; that at most one server
// leads an epoch, and that its history holds everything committed before. No message promises what has not been
// reported durable.
//
// It does not know what a txn means, but for the configuration that a reconfiguration sets, which a function of its
// Config tells it. An ensemble of one voter that is not Distributed has no epochs and no election: it leads at once.
//
// Source: Junqueira, Reed, Serafini, "Zab: High-performance broadcast for primary-backup systems", 2011; the
// protocol of ZooKeeper 3.5 to 3.9; and the corrections to the order of its durable steps in ZOOKEEPER-2845, 3104, 3642,
// 3911, 4643, 4646, 4685 and 4925.
package consensus
