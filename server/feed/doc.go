// Package feed is what a server has lately applied, for those who tell others of it.
//
// server/driver owns a Ring and adds to it what its replica applies; the doors read it through Readers, each in its own
// goroutine. The owner never waits for a reader: what is written is never changed, and a mutex is held only to say how far it is
// written. A reader that falls behind by more than the ring holds is told so (ErrHistoryGone) and goes on from the log.
//
// It guarantees that a Reader is told every change after its zxid once, in order, whole transactions at a time; or that the
// history is gone. Nothing is told that is not committed. What no txn does is not told: the counters of quotas, and the configuration
// where a server takes it over from its leader.
//
// Changes are kept as bytes, without pointers, so that the garbage collector need not look through them. The package judges no
// permission: a change carries the access lists that were in force.
package feed
