// Package session decides how long sessions live: the leader's (or the standalone server's) side of liveness.
//
// Called by server/replica, which owns the Tracker; only the goroutine that owns the replica may touch it. Time
// is whatever milliseconds the caller passes in, from any origin, as long as it never goes back.
//
// What it guarantees: a session expires at the end of a tick, between its timeout and its timeout plus one tick
// after it was last touched; it expires once; sessions that expire together come in the order of their ids.
// Touch neither allocates nor moves anything in the usual case.
//
// What it does not do: it keeps no durable state (which sessions exist is part of storage/tree), and it closes
// nothing: whoever asks for the expired ids proposes their end.
//
// Source: sections 4.1 to 4.5 of ZooKeeper's client protocol as its servers of 3.5 to 3.10 play it: expiry in
// buckets of tickTime, timeouts clamped up to the minimum and then down to the maximum, one owner per session.
package session
