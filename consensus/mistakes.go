package consensus

// bug is a mistake that a test plants, to see that the simulation finds it. Servers have none.
type bug uint8

const (
	bugNone                    bug = iota
	bugCountsOldPromise            // a leader counts a learner that has promised the epoch before, perhaps to another leader
	bugLeadsWithOlderHistory       // a leader takes no notice of a learner with a newer history
	bugCountsEmpty                 // a leader counts a server that lost its history
	bugForgetsInFlight             // a learner is not sent what is in flight when it joins
	bugCountsItselfAtOnce          // a leader counts itself before its own log is durable
	bugOldQuorumAlone              // a reconfiguration is decided by the old voters alone
	bugPromisesBeforeDurable       // ACKEPOCH leaves before the accepted epoch is durable
	bugJoinsBeforeDurable          // NEWLEADER is acknowledged before history and epoch are durable (ZOOKEEPER-3911, 4646)
	bugJoinsWithProposedConfig     // whoever joins takes a configuration into force that is in flight
	bugEpochBeforeHistory          // the current epoch is written before the history is (ZOOKEEPER-4643)
	bugVotesForCommitted           // back in an election a server's vote is what it has committed (ZOOKEEPER-2845)
	bugHistoryWithHoles            // a learner does not keep what it was sent while it joined in memory (ZOOKEEPER-4925)
	bugServesBeforeQuorum          // a leader serves before a quorum has joined
	bugAcksBeforeDurable           // a follower acknowledges what it has only appended
	bugLeaderInfoBeforeDurable     // LEADERINFO leaves before the leader's promise is durable
	bugSyncAtOnce                  // SYNC is answered at once, whatever is in flight
	bugDurableOfWhatWasCut         // reports about a part of the log that was cut off since are believed
	bugResumesAfterHandover        // a leader whose transfer comes to nothing proposes other txns under the zxid it gave away
	bugKeepsHistoryOverSnap        // memory still holds what was logged before a snapshot was taken (ZOOKEEPER-3642)
	bugKeepsHistoryOverTrunc       // memory still holds what was truncated
	bugLiveBeforeHistory           // proposals are sent to a learner whose history is still being searched for
	bugConfirmsAtOnce              // a leader is sure to lead without asking anybody
	bugNewcomersAhead              // who votes from a reconfiguration on is sent proposals behind it before it is committed
	bugCount
)
