// Package quorum says who is enough: whether the servers that have done something form a quorum.
//
// consensus asks it for acks and followers, election for votes. It is pure: sets of server ids in, a yes or
// no out, no state of its own.
//
// Source: ZooKeeper's majority quorums.
package quorum
