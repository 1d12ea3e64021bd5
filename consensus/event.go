package consensus

import (
	"fmt"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// EventKind is what happened.
type EventKind uint8

// The events, with the fields each uses beyond NowMS.
const (
	// Propose asks the leader to have Payload, which carries Zxid, decided. Zxid must be what NextZxid gave, and
	// CanPropose must be true. A Payload for which Config.ConfigIn finds a configuration is a reconfiguration;
	// CheckReconfig must have been asked about it.
	Propose EventKind = iota + 1
	// Durable tells that everything appended up to and including Zxid is durable.
	Durable
	// Start is the first event of a server in an ensemble: it looks for a leader. For a server on its own it is
	// answered by Lead and otherwise not needed.
	Start
	// Tick tells the time. One comes at least every 50 ms.
	Tick

	// Notified brings a Notification of Server, from the election port.
	Notified
	// PeerUp and PeerDown tell whether there is an election connection to Server. PeerDown also follows each dial that failed.
	PeerUp
	PeerDown

	// LinkUp tells of a new connection on a quorum port: Link. With Dialled it answers Dial of Server; otherwise
	// somebody connected here.
	LinkUp
	// LinkDown tells that Link has ended, whoever ended it, or (Dialled, Link 0) that the dial of Server failed. It is
	// the last event of a link.
	LinkDown
	// LinkAlive tells that bytes of a long transfer, a snapshot or the log, have moved on Link in either direction since
	// the last such event. One comes at least every second while they do.
	LinkAlive
	// Received brings Message, which came on Link. MsgSnap is received once the stream behind it has arrived whole; the
	// caller keeps the tree that came with it until the step has said Install, or not, and sets the message's Config to
	// what that tree has in /zookeeper/config.
	Received

	// AcceptedEpochDurable and CurrentEpochDurable answer SetAcceptedEpoch and SetCurrentEpoch of Epoch.
	AcceptedEpochDurable
	CurrentEpochDurable
	// Truncated answers Truncate: log and tree end at Zxid.
	Truncated
	// Untruncated answers Truncate instead: the disk cannot go back to Zxid and holds what it held. The tree is empty now.
	Untruncated
	// Installed answers Install: the snapshot of Zxid is durable.
	Installed
	// LogFound answers FindInLog: with OK the log on disk holds Zxid, the newest txn not newer than the one asked about,
	// and all that follow it, and reading them costs less than a snapshot.
	LogFound

	// SyncAsked tells that the learner on Link has asked for SYNC. The answer goes out behind everything proposed so far, and
	// not before a quorum has confirmed that no other server has taken the leader's place.
	SyncAsked
	// TransferTo asks the leader to hand leadership to Server, or to the voter that is furthest if Server is 0. Payload
	// is a txn without effect that carries NextZxid.
	TransferTo
	// ConfirmAsked asks the leader to make sure that no other has taken its place, for a read that must not be stale.
	// Confirmed answers with the same Token, unless the role is lost before.
	ConfirmAsked
	// Resync tells that this server's tree is not what its log makes of it. If it learns it leaves its leader, and is
	// given a snapshot when it comes back.
	Resync
)

var eventNames = [...]string{Propose: "propose", Durable: "durable", Start: "start", Tick: "tick", Notified: "notified", PeerUp: "peer-up",
	PeerDown: "peer-down", LinkUp: "link-up", LinkDown: "link-down", LinkAlive: "link-alive", Received: "received",
	AcceptedEpochDurable: "accepted-epoch-durable", CurrentEpochDurable: "current-epoch-durable", Truncated: "truncated", Untruncated: "untruncated",
	Installed: "installed", LogFound: "log-found", SyncAsked: "sync-asked", TransferTo: "transfer-to",
	ConfirmAsked: "confirm-asked", Resync: "resync"}

// String is the kind's name in traces.
func (k EventKind) String() string {
	if k >= Propose && int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is one input.
type Event struct {
	Kind         EventKind
	Dialled, OK  bool
	NowMS        int64 // monotonic milliseconds; never goes back
	Zxid         zk.Zxid
	Epoch        int64
	Link         LinkID
	Server       quorum.ServerID
	Token        uint64
	Payload      []byte   // kept until it is committed and no longer in the history
	Message      *Message // lent for the step; who keeps it keeps a Clone
	Notification *election.Notification
}

// String is the text that traces and logs print.
func (e Event) String() string {
	switch e.Kind {
	case Propose:
		return fmt.Sprintf("propose %v (%d bytes)", e.Zxid, len(e.Payload))
	case Durable, Truncated, Untruncated, Installed:
		return fmt.Sprintf("%v %v", e.Kind, e.Zxid)
	case Notified:
		return fmt.Sprintf("notified by %d: %v", e.Server, e.Notification)
	case PeerUp, PeerDown, TransferTo:
		return fmt.Sprintf("%v %d", e.Kind, e.Server)
	case LinkUp, LinkDown:
		if e.Dialled {
			return fmt.Sprintf("%v %d to %d", e.Kind, e.Link, e.Server)
		}
		return fmt.Sprintf("%v %d", e.Kind, e.Link)
	case LinkAlive, SyncAsked:
		return fmt.Sprintf("%v %d", e.Kind, e.Link)
	case Received:
		return fmt.Sprintf("received on %d: %v", e.Link, e.Message)
	case AcceptedEpochDurable, CurrentEpochDurable:
		return fmt.Sprintf("%v %d", e.Kind, e.Epoch)
	case LogFound:
		return fmt.Sprintf("log-found for %d: %v %t", e.Link, e.Zxid, e.OK)
	default:
		return e.Kind.String()
	}
}
