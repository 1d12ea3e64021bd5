package sim

// Exhibit is a mistake that a run of several servers plants: one that ZooKeeper, ClickHouse Keeper or etcd once had, or
// that a rule of the protocol is there to prevent. Those in consensus itself need the build tag museum.
type Exhibit uint8

// The exhibits that are planted around the real code.
const (
	NoExhibit Exhibit = iota
	exhibitSnapshotNotStored
	exhibitOldLogKept
	exhibitTruncateKeepsSnapshots
	exhibitTruncateKeepsTree
	exhibitNoFsync
	exhibitFsyncErrorIgnored
	exhibitDirectoryNotSynced
	exhibitEpochNotWritten
	exhibitCurrentEpochNotWritten
	exhibitSuffixKept
	exhibitSnapAhead
	exhibitHoleInDiff
	exhibitCommitLost
	exhibitNewLeaderFirst
	exhibitProposalsSwapped
	exhibitSessionsByWallClock
	exhibitTouchesLost
	exhibitCloseNotLogged
	exhibitRequestTwice
	exhibitRepliesSwapped
	exhibitEventAfterReply
	exhibitEventLost
	// And those in consensus.
	exhibitJoinsBeforeDurable
	exhibitEpochBeforeHistory
	exhibitVotesForCommitted
	exhibitHistoryWithHoles
	exhibitKeepsHistoryOverSnap
	exhibitKeepsHistoryOverTrunc
	exhibitServesBeforeQuorum
	exhibitCountsItselfAtOnce
	exhibitAcksBeforeDurable
	exhibitPromisesBeforeDurable
	exhibitLeaderInfoBeforeDurable
	exhibitForgetsInFlight
	exhibitLiveBeforeHistory
	exhibitDurableOfWhatWasCut
	exhibitCountsEmpty
	exhibitOldQuorumAlone
	exhibits
)

// label says what an exhibit is.
type label struct {
	exhibit  Exhibit
	from     string // whose tracker tells of it, or of its family; "" for a rule that nobody is known to have broken just so
	what     string
	core     string // its name in consensus; "" for those planted around it
	seedsMax int    // within so many seeds it is found
}

var labels = []label{
	{exhibitSnapshotNotStored, "ZOOKEEPER-2872", "a leader's snapshot is acknowledged and not on disk", "", 20},
	{exhibitOldLogKept, "ZOOKEEPER-3642", "the log from before a leader's snapshot is replayed over it", "", 200},
	{exhibitTruncateKeepsSnapshots, "ZOOKEEPER-1549", "a snapshot with txns that were never decided survives TRUNC", "", 200},
	{exhibitTruncateKeepsTree, "ZOOKEEPER-2845", "the tree keeps txns that TRUNC took out of the log", "", 200},
	{exhibitNoFsync, "etcd 14370", "what is written counts as durable", "", 20},
	{exhibitFsyncErrorIgnored, "PostgreSQL, 2018", "a failed fsync counts as a good one", "", 300},
	{exhibitDirectoryNotSynced, "", "directories are not synced", "", 20},
	{exhibitEpochNotWritten, "ZOOKEEPER-335, 2307", "a promised epoch is not written", "", 20},
	{exhibitCurrentEpochNotWritten, "ZOOKEEPER-1282, 1653", "a joined epoch is not written", "", 20},
	{exhibitSuffixKept, "ZOOKEEPER-1653", "a server does not start with history of an epoch that it has not joined", "", 200},
	{exhibitSnapAhead, "etcd 13766", "a snapshot says that it is newer than it is", "", 20},
	{exhibitHoleInDiff, "ZOOKEEPER-4925", "a leader leaves a txn out of a DIFF", "", 20},
	{exhibitCommitLost, "ZOOKEEPER-4394", "a COMMIT between NEWLEADER and UPTODATE gets lost", "", 50},
	{exhibitNewLeaderFirst, "ZOOKEEPER-3104", "NEWLEADER overtakes the history", "", 50},
	{exhibitProposalsSwapped, "", "two proposals swap places", "", 20},
	{exhibitSessionsByWallClock, "ZOOKEEPER-1366", "sessions expire by the clock on the wall", "", 20},
	{exhibitTouchesLost, "", "a leader does not hear which sessions are alive elsewhere", "", 20},
	{exhibitCloseNotLogged, "ZOOKEEPER-2355", "a learner's log lacks what a closed session takes with it", "", 50},
	{exhibitRequestTwice, "", "a request is carried out twice", "", 20},
	{exhibitRepliesSwapped, "", "a reply overtakes the one before", "", 20},
	{exhibitEventAfterReply, "", "an event follows the reply that shows its change", "", 20},
	{exhibitEventLost, "", "an event gets lost", "", 20},
	{exhibitJoinsBeforeDurable, "ZOOKEEPER-3911, 4646, 4785", "NEWLEADER is acknowledged before its history is durable", "joins before durable", 20},
	{exhibitEpochBeforeHistory, "ZOOKEEPER-4643", "the current epoch is written before the history is", "epoch before history", 100},
	{exhibitVotesForCommitted, "ZOOKEEPER-2845", "a vote is for what is committed, not for what is logged", "votes for committed", 200},
	{exhibitHistoryWithHoles, "ZOOKEEPER-4925", "a learner does not remember what it was sent while it joined", "history with holes", 200},
	{exhibitKeepsHistoryOverSnap, "ZOOKEEPER-3642", "memory still holds what was logged before a snapshot came", "keeps history over snap", 200},
	{exhibitKeepsHistoryOverTrunc, "", "memory still holds what was truncated", "keeps history over trunc", 200},
	{exhibitServesBeforeQuorum, "ZOOKEEPER-790", "a leader serves before a quorum has joined", "serves before quorum", 20},
	{exhibitCountsItselfAtOnce, "etcd 14370", "a leader counts itself before its log is durable", "counts itself at once", 20},
	{exhibitAcksBeforeDurable, "", "a follower acknowledges what it has only appended", "acks before durable", 20},
	{exhibitPromisesBeforeDurable, "ZOOKEEPER-335", "ACKEPOCH leaves before the promise is durable", "promises before durable", 50},
	{exhibitLeaderInfoBeforeDurable, "", "LEADERINFO leaves before the leader's own promise is durable", "leaderinfo before durable", 20},
	{exhibitForgetsInFlight, "", "a joining learner is not sent what is in flight", "forgets in flight", 50},
	{exhibitLiveBeforeHistory, "ZOOKEEPER-3104", "live proposals come before the history", "live before history", 200},
	{exhibitDurableOfWhatWasCut, "", "reports about a part of the log that was cut off are believed", "durable of what was cut", 200},
	{exhibitCountsEmpty, "ZOOKEEPER-261", "a server that has lost its data helps outvote those who have not", "counts empty", 300},
	{exhibitOldQuorumAlone, "", "a reconfiguration is decided by the old voters alone", "old quorum alone", 100},
}

// String is what is wrong.
func (x Exhibit) String() string {
	for _, l := range labels {
		if l.exhibit == x {
			return l.what
		}
	}
	return "nothing"
}
