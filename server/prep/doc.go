// Package prep is the leader's judgement: a request becomes a txn, or an error.
//
// server/replica owns a Prep and calls it for every write, in the order the writes arrive. A Prep reads the
// tree and keeps, beside it, what the txns in flight will have done to it, so that requests which depend on
// each other may be sent without waiting. It changes nothing in the tree.
//
// It guarantees that applying the txns in order has exactly the outcome that was judged, and says with each
// txn which digest the tree must have afterwards.
//
// It does not fire watches, order txns or know who is connected; the caller says whose request it is.
//
// Source: the request processor of ZooKeeper's leader; the order of the checks is visible to clients and kept.
package prep
