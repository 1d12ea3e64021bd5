// Package election is ZooKeeper's fast leader election: how servers that look for a leader agree on the one among
// them whose history is newest, and how one that comes later finds the leader that the others have.
//
// consensus owns an Election and is the only one to call it, from its own goroutine: events go in, notifications for
// other servers and at most one decision per election come out.
//
// It guarantees that a decision rests on a quorum: either of votes of the same round for the same leader, each given by
// a server whose own history is not newer than that leader's, in every configuration in force; or, to follow, of servers
// of the committed configuration that say they follow a leader that says itself that it leads. It answers whoever looks for a leader, in every role, and
// what it sends is bounded by what it receives and by the clock. It does not guarantee that no two servers decide
// differently, since votes travel while others decide: discovery in consensus lets at most one of them lead.
//
// It reads no clock, opens no connections and keeps nothing on disk: rounds begin at 0 in every process. It does not
// parse configurations; it sees that a notification carries a newer one and asks its owner to adopt it.
//
// Source: ZooKeeper 3.8, FastLeaderElection. Where its servers can answer each other without end, or wait where nothing
// can come, the code says what is different here.
package election
