package sim

// Exhibit is a mistake that a run of several servers plants: one that ZooKeeper, ClickHouse Keeper or etcd once had, or
// that a rule of the protocol is there to prevent. Those in the server itself need the build tag museum.
type Exhibit uint8

// The exhibits that are planted around the real code.
const (
	NoExhibit Exhibit = iota
	exhibitSnapshotNotStored
	exhibitTruncateKeepsSnapshots
	exhibitTruncateKeepsTree
	exhibitNoFsync
	exhibitDirectoryNotSynced
	exhibitEpochNotWritten
	exhibitCurrentEpochNotWritten
	exhibitSuffixKept
	exhibitSnapAhead
	exhibitHoleInDiff
	exhibitNewLeaderFirst
	exhibitProposalsSwapped
	exhibitSessionsByWallClock
	exhibitTouchesLost
	exhibitCloseNotLogged
	exhibitRequestTwice
	exhibitRepliesSwapped
	exhibitEventAfterReply
	exhibitEventLost
	exhibitEventOfTheWatchedPath
	exhibitAnotherSession
	exhibitReadOnlyForAll
	exhibitReadOnlyKeepsClients
	exhibitReadOnlyWrites
	exhibitReadOnlyNotLoaded
	exhibitLearnerClockFast
	exhibitNeverUpgrades
	exhibitUpgradeLost
	exhibitCountsHeads
	// And those in it.
	exhibitJoinsBeforeDurable
	exhibitEpochBeforeHistory
	exhibitVotesForCommitted
	exhibitHistoryWithHoles
	exhibitServesBeforeQuorum
	exhibitCountsItselfAtOnce
	exhibitAcksBeforeDurable
	exhibitPromisesBeforeDurable
	exhibitLeaderInfoBeforeDurable
	exhibitForgetsInFlight
	exhibitLiveBeforeHistory
	exhibitOldQuorumAlone
	exhibitConfirmsAtOnce
	exhibitKeepsHistoryOverSnap
	exhibitKeepsHistoryOverTrunc
	exhibitNewcomersUnheard
	exhibitLocalsOutliveRelay
	exhibitLocalsComeToMaster
	exhibitHeldUnheard
	exhibits
)

// label says what an exhibit is.
type label struct {
	exhibit  Exhibit
	from     string // whose tracker tells of it, or of its family; "" for a rule that nobody is known to have broken just so
	what     string
	inside   string // its name in replica, consensus or election; "" for those planted around them
	always   string // the settings that its worlds have, as EnsembleOptions.Always; "" for none of these
	seedsMax int    // within so many seeds it is found
}

var labels = []label{
	{exhibitSnapshotNotStored, "ZOOKEEPER-2872", "a leader's snapshot is acknowledged and not on disk", "", "", 40},
	{exhibitTruncateKeepsSnapshots, "", "a snapshot with txns that were never decided survives TRUNC", "", "", 200},
	{exhibitTruncateKeepsTree, "ZOOKEEPER-2845", "the tree keeps txns that TRUNC took out of the log", "", "", 200},
	{exhibitNoFsync, "etcd 14143", "what is written counts as durable", "", "", 40},
	{exhibitDirectoryNotSynced, "", "directories are not synced", "", "", 40},
	{exhibitEpochNotWritten, "ZOOKEEPER-2307", "a promised epoch is not written", "", "", 40},
	{exhibitCurrentEpochNotWritten, "ZOOKEEPER-1653, 2354", "a joined epoch is not written", "", "", 40},
	{exhibitSuffixKept, "ZOOKEEPER-1653", "a server does not start with history of an epoch that it has not joined", "", "", 200},
	{exhibitSnapAhead, "etcd 13766", "a snapshot says that it is newer than it is", "", "", 40},
	{exhibitHoleInDiff, "ZOOKEEPER-4925", "a leader leaves a txn out of a DIFF", "", "", 40},
	{exhibitNewLeaderFirst, "ZOOKEEPER-3104", "NEWLEADER overtakes the history", "", "", 60},
	{exhibitProposalsSwapped, "", "two proposals swap places", "", "", 40},
	{exhibitSessionsByWallClock, "ZOOKEEPER-1366", "sessions expire by the clock on the wall", "", "", 40},
	{exhibitTouchesLost, "ClickHouse 111102", "a leader does not hear which sessions are alive elsewhere", "", "", 40},
	{exhibitCloseNotLogged, "ZOOKEEPER-2355", "a learner's log lacks what a closed session takes with it", "", "", 60},
	{exhibitRequestTwice, "", "a request is carried out twice", "", "", 40},
	{exhibitRepliesSwapped, "", "a reply overtakes the one before", "", "", 40},
	{exhibitEventAfterReply, "", "an event follows the reply that shows its change", "", "", 40},
	{exhibitEventLost, "", "an event gets lost", "", "", 40},
	{exhibitEventOfTheWatchedPath, "ClickHouse 115475", "an event names the path that is watched recursively, not the one that has changed", "", "", 40},
	{exhibitAnotherSession, "ClickHouse 116690", "a client that asks for its session is given another", "", "", 40},
	{exhibitReadOnlyForAll, "", "a server without a quorum takes clients that want to write", "", worldReadOnly, 40},
	{exhibitReadOnlyKeepsClients, "", "the clients of a server without a quorum stay once it has one", "", worldReadOnly, 40},
	{exhibitReadOnlyWrites, "", "a server without a quorum answers writes as if they were done", "", worldReadOnly, 40},
	{exhibitReadOnlyNotLoaded, "ZOOKEEPER-3713", "a server without a quorum shows a tree that it has not loaded", "", worldReadOnly, 40},
	{exhibitLearnerClockFast, "", "a learner's clock runs three times as fast", "", worldLocal, 40},
	{exhibitNeverUpgrades, "", "a local session is not made a global one, though it may be", "", worldLocal, 40},
	{exhibitUpgradeLost, "", "a leader does not hear that a local session is to be a global one", "", worldLocal, 40},
	{exhibitCountsHeads, "", "servers count heads where groups and weights decide", "", worldGroups, 40},
	{exhibitJoinsBeforeDurable, "ZOOKEEPER-3911, 4646, 4785", "NEWLEADER is acknowledged before its history is durable", "joins before durable", "", 40},
	{exhibitEpochBeforeHistory, "ZOOKEEPER-4643", "the current epoch is written before the history is", "epoch before history", "", 600},
	{exhibitVotesForCommitted, "ZOOKEEPER-2845", "a vote is for what is committed, not for what is logged", "votes for committed", "", 200},
	{exhibitHistoryWithHoles, "ZOOKEEPER-4925", "a learner does not remember what it was sent while it joined", "history with holes", "", 200},
	{exhibitServesBeforeQuorum, "ZOOKEEPER-790", "a leader serves before a quorum has joined", "serves before quorum", "", 40},
	{exhibitCountsItselfAtOnce, "etcd 14370", "a leader counts itself before its log is durable", "counts itself at once", "", 40},
	{exhibitAcksBeforeDurable, "", "a follower acknowledges what it has only appended", "acks before durable", "", 40},
	{exhibitPromisesBeforeDurable, "ZOOKEEPER-2307", "ACKEPOCH leaves before the promise is durable", "promises before durable", "", 60},
	{exhibitLeaderInfoBeforeDurable, "", "LEADERINFO leaves before the leader's own promise is durable", "leaderinfo before durable", "", 40},
	{exhibitForgetsInFlight, "", "a joining learner is not sent what is in flight", "forgets in flight", "", 60},
	{exhibitLiveBeforeHistory, "ZOOKEEPER-3104", "live proposals come before the history", "live before history", "", 200},
	{exhibitOldQuorumAlone, "etcd 7280", "a change of the voters is decided by the old ones alone", "old quorum alone", "", 200},
	{exhibitConfirmsAtOnce, "", "a leader answers a sync without asking whether it still leads", "confirms at once", worldReads, 600},
	{exhibitKeepsHistoryOverSnap, "ZOOKEEPER-3642", "memory still holds what was logged before a snapshot was taken", "keeps history over snap", "", 60},
	{exhibitKeepsHistoryOverTrunc, "", "memory still holds what was truncated", "keeps history over trunc", "", 60},
	{exhibitNewcomersUnheard, "", "voters take no notice of who is to vote, has not heard of it, and is a round ahead", "newcomers unheard", worldReconfig, 60},
	{exhibitLocalsOutliveRelay, "", "the local sessions of an observer outlive its observer master", "locals outlive relay", worldLocalMasters, 200},
	{exhibitLocalsComeToMaster, "", "local sessions live on when their server gets an observer master", "locals come to master", worldLocalMasters, 200},
	{exhibitHeldUnheard, "", "what waits for a leader that may not propose is no word of its session", "held unheard", worldLocalTransfers, 200},
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
