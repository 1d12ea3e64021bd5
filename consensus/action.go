package consensus

import (
	"fmt"

	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// Entry is a txn for the log.
type Entry struct {
	Zxid    zk.Zxid
	Payload []byte
}

// ActionKind is what is to be done.
type ActionKind uint8

// The actions besides Append and Commit, with the fields each uses.
//
// The disk is one queue: what Append, SetAcceptedEpoch, SetCurrentEpoch, Truncate and Install ask for is done in the order
// in which it was asked for, and each is reported exactly once, when it and all before it are durable. The first that
// fails ends the server. The messages of a link are one queue too: Send, SendSnap and SendLog leave in their order.
const (
	// Send puts Message on Link.
	Send ActionKind = iota + 1
	// SendSnap sends on Link the whole tree as it is now, frozen: MsgSnap with the zxid of the tree, and the stream.
	SendSnap
	// SendLog sends on Link, from the log on disk, MsgProposal and MsgCommit of each txn newer than Zxid and not newer than To.
	SendLog
	// FindInLog asks whether the log on disk reaches back to Zxid; LogFound answers, with the same Link.
	FindInLog
	// Drop closes Link once what was sent before has left or a moment has passed, because of Reason. LinkDown follows.
	Drop
	// Dial connects to the quorum port of Server, or with Master to its port for observers; LinkUp or LinkDown answers, with
	// Dialled.
	Dial

	// Notify sends Notification to Server's election port, connecting if need be.
	Notify
	// ConnectAll tries to reach every member to which there is no election connection.
	ConnectAll

	// SetAcceptedEpoch and SetCurrentEpoch write Epoch into the file of that name.
	SetAcceptedEpoch
	SetCurrentEpoch
	// Truncate drops from the log what is newer than Zxid, and snapshots that are. If the tree has such a txn it is loaded
	// anew from disk; otherwise what waits to be applied and is newer is forgotten. Until Truncated or Untruncated answers
	// nothing is appended and no current epoch is set.
	Truncate
	// Install replaces the tree by the one that came with the MsgSnap just received, at once, and makes it the durable
	// state: what the log holds does not follow from it and is dropped when the current epoch is next written.
	Install

	// Deliver hands Message, which came on Link from Server, to the replica: requests, revalidations and pings from
	// learners; pings, syncs and revalidations from the leader.
	Deliver
	// Left tells that the learner Server on Link, whose messages may have been delivered, is gone.
	Left

	// Lead, Follow and Observe tell that the role is established in Epoch with Server leading: everything of the epochs
	// before is committed here. Serve. Link is the leader's, for Follow and Observe.
	Lead
	Follow
	Observe
	// Lose tells that the role is lost for Reason: stop serving, clients are closed. What is appended and not committed
	// stays until a Commit or a Truncate says what becomes of it.
	Lose
	// Configured tells that Config is committed and active. SeenConfig tells that Config was proposed and may become so.
	Configured
	SeenConfig
	// Confirmed tells that this server still led when ConfirmAsked came with Token: what is committed now is no older
	// than anything that was acknowledged to anybody before.
	Confirmed
)

var actionNames = [...]string{Send: "send", SendSnap: "send-snap", SendLog: "send-log", FindInLog: "find-in-log", Drop: "drop", Dial: "dial",
	Notify: "notify", ConnectAll: "connect-all", SetAcceptedEpoch: "set-accepted-epoch", SetCurrentEpoch: "set-current-epoch",
	Truncate: "truncate", Install: "install", Deliver: "deliver", Left: "left", Lead: "lead", Follow: "follow", Observe: "observe",
	Lose: "lose", Configured: "configured", SeenConfig: "seen-config", Confirmed: "confirmed"}

// String is the kind's name in traces.
func (k ActionKind) String() string {
	if k >= Send && int(k) < len(actionNames) {
		return actionNames[k]
	}
	return fmt.Sprintf("action(%d)", uint8(k))
}

// Action is one output.
type Action struct {
	Kind         ActionKind
	Link         LinkID
	Server       quorum.ServerID
	Zxid, To     zk.Zxid
	Epoch        int64
	Token        uint64
	Message      *Message // shared between actions; not to be modified
	Notification *election.Notification
	Config       *quorum.Config
	Reason       string
	Master       bool // Dial: the port for observers
}

// String is the text that traces and logs print.
func (a Action) String() string {
	switch a.Kind {
	case Send:
		return fmt.Sprintf("send on %d: %v", a.Link, a.Message)
	case SendSnap:
		return fmt.Sprintf("send-snap on %d", a.Link)
	case SendLog:
		return fmt.Sprintf("send-log on %d: after %v to %v", a.Link, a.Zxid, a.To)
	case FindInLog:
		return fmt.Sprintf("find-in-log for %d: %v", a.Link, a.Zxid)
	case Drop:
		return fmt.Sprintf("drop %d: %s", a.Link, a.Reason)
	case Dial:
		if a.Master {
			return fmt.Sprintf("dial %d as an observer master", a.Server)
		}
		return fmt.Sprintf("dial %d", a.Server)
	case Notify:
		return fmt.Sprintf("notify %d: %v", a.Server, a.Notification)
	case SetAcceptedEpoch, SetCurrentEpoch:
		return fmt.Sprintf("%v %d", a.Kind, a.Epoch)
	case Truncate, Install:
		return fmt.Sprintf("%v %v", a.Kind, a.Zxid)
	case Deliver:
		return fmt.Sprintf("deliver from %d on %d: %v", a.Server, a.Link, a.Message)
	case Left:
		return fmt.Sprintf("left %d on %d", a.Server, a.Link)
	case Lead:
		return fmt.Sprintf("lead epoch %d", a.Epoch)
	case Follow, Observe:
		return fmt.Sprintf("%v %d epoch %d", a.Kind, a.Server, a.Epoch)
	case Lose:
		return "lose: " + a.Reason
	case Confirmed:
		return fmt.Sprintf("confirmed %d", a.Token)
	case Configured, SeenConfig:
		return fmt.Sprintf("%v %v: %s", a.Kind, a.Config.Version, a.Config.IDs())
	default:
		return a.Kind.String()
	}
}

// Actions are the outputs of a step. The caller carries them out in the order Append, Commit, Do, then resets and reuses it.
type Actions struct {
	// Append lists txns for this server's log, in order. Once they are fsynced the caller reports Durable. The caller
	// keeps them until they are committed.
	Append []Entry
	// Commit is the zxid up to which everything is decided; 0 if nothing new is. What was appended up to there is
	// applied to the tree; a tree that came from a snapshot may have some of it already.
	Commit zk.Zxid
	// Do is everything else, in order.
	Do []Action
}

// send adds a Send, of which there are many: filled in where it is, it need not be copied there.
func (a *Actions) send(link LinkID, m *Message) {
	a.Do = append(a.Do, Action{})
	do := &a.Do[len(a.Do)-1]
	do.Kind, do.Link, do.Message = Send, link, m
}

// Reset empties a for the next step and keeps its memory.
func (a *Actions) Reset() {
	clear(a.Append)
	clear(a.Do)
	*a = Actions{Append: a.Append[:0], Do: a.Do[:0]}
}
