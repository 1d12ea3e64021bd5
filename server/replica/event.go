package replica

import (
	"fmt"

	"paddock/consensus"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/server/request"
	"paddock/storage/tree"
)

// EventKind is what happened.
type EventKind uint8

// The events, with the fields each uses beyond Now and WallMS.
const (
	Opened       EventKind = iota + 1 // Client, Origin: a connection was accepted
	Connect                           // Client, Connect: it asks for a session
	Request                           // Client, Request, At: one request of it
	Disconnected                      // Client: the connection is gone
	Durable                           // Zxid: the log is durable up to there
	SnapshotDone                      // View: the snapshot of it is written, or failed
	SnapSent                          // View: it was sent to a learner, or that failed
	Tick                              // time has passed
	SnapshotNow                       // an operator wants a snapshot
	ExpireNow                         // Session: an operator ends it
	Transfer                          // Server: an operator wants it to lead; 0 for any that can
	Consensus                         // Core, Tree, View: something that only consensus is told: see Event
)

var eventNames = [...]string{"", "opened", "connect", "request", "disconnected", "durable", "snapshot-done", "snap-sent", "tick", "snapshot-now", "expire-now", "transfer", "consensus"}

// Event is one input. The Replica keeps what its pointers refer to until the request is answered.
type Event struct {
	Kind    EventKind
	NowMS   int64 // monotonic clock, milliseconds; never goes back
	WallMS  int64 // wall clock, milliseconds since 1970
	Client  request.ClientID
	Origin  request.Origin
	Connect *zk.ConnectRequest
	Request *zk.Request
	At      int64 // when the request arrived, in whatever unit the driver measures latency; handed back with the reply
	Zxid    zk.Zxid
	Session zk.SessionID
	Server  quorum.ServerID
	View    *tree.View
	// Core is what consensus is told by Consensus, all that is neither Propose, Durable nor Tick. With a Received MsgSnap
	// comes the Tree that was sent; with Truncated the Tree, if it was loaded anew; with Untruncated an empty Tree; with Installed the View of it.
	Core *consensus.Event
	Tree *tree.Tree
}

// String is the text that traces print; times are left out so that traces of one seed are equal.
func (e *Event) String() string {
	name := "event"
	if int(e.Kind) < len(eventNames) {
		name = eventNames[e.Kind]
	}
	switch e.Kind {
	case Request:
		return fmt.Sprintf("%s client=%d xid=%d %v %s", name, e.Client, e.Request.Xid, e.Request.Op, e.Request.Path)
	case Connect:
		return fmt.Sprintf("%s client=%d session=%v", name, e.Client, e.Connect.Session)
	case Opened, Disconnected:
		return fmt.Sprintf("%s client=%d", name, e.Client)
	case Durable:
		return fmt.Sprintf("%s %v", name, e.Zxid)
	case Transfer:
		return fmt.Sprintf("%s %d", name, e.Server)
	case ExpireNow:
		return fmt.Sprintf("%s %v", name, e.Session)
	case Consensus:
		return e.Core.String()
	default:
		return name
	}
}

// Effects takes what a step wants done, in order. Arguments are only valid during the call, except the payload of
// Append, which never changes.
type Effects interface {
	// Connected, Reply, Event and Close go to a client's door, in this order. at is the At of the request's event.
	Connected(request.ClientID, *zk.ConnectResponse)
	Reply(client request.ClientID, at int64, r *zk.Reply)
	Event(request.ClientID, *zk.Event)
	Close(request.ClientID, request.CloseReason)
	// Append adds a txn to the log. Once it is fsynced, and not before, Durable is reported.
	Append(z zk.Zxid, payload []byte)
	// Roll starts a new log file with the next Append.
	Roll()
	// Snapshot has the view written to disk; SnapshotDone is reported when that has ended either way.
	Snapshot(*tree.View)
	// Peer is an action of consensus for the edges: sending, dialling, notifying, epochs, what is said of configurations. It is
	// valid during the call, and so is its Message, but for the Payload; who keeps a Message keeps a Clone.
	Peer(*consensus.Action)
	// SendSnap sends the view on a link; SnapSent is reported when that has ended either way.
	SendSnap(consensus.LinkID, *tree.View)
	// Truncate drops from the disk what is newer than z; with reload Truncated brings the tree as the disk has it then. If the
	// disk cannot go back to z Untruncated is reported, and nothing is appended before Install.
	Truncate(z zk.Zxid, reload bool)
	// Install makes the view, of a tree that the leader sent, the durable state.
	Install(*tree.View)
	// Applied tells that a committed txn is in the tree, before anybody is told of it.
	Applied(*Applied)
	// Note tells something that an operator or a metric wants to know.
	Note(Note)
}

// Applied is a txn that has been applied, and what it has changed.
type Applied struct {
	After, Zxid zk.Zxid // the tree was at After before
	Session     zk.SessionID
	TimeMS      int64 // wall clock of the leader that proposed it, milliseconds since 1970
	Changes     []tree.Change
	// Partial: the tree may have held effects of the txn already, so that Changes may not be all. That is so for a while after a
	// snapshot of a leader that went on while it wrote it.
	Partial bool
}

// NoteKind is what a Note is about.
type NoteKind uint8

// The notes, with the fields each uses.
const (
	SessionOpened     NoteKind = iota + 1 // Session, TimeoutMS, Client: established
	SessionRenewed                        // Session, TimeoutMS, Client
	SessionRefused                        // Session, Client: wrong password, expired or unknown
	SessionExpired                        // Session, TimeoutMS
	SessionEnded                          // Session: its closeSession txn is applied
	ClientAhead                           // Client, Text: its IP, Session, Zxid: it has seen a zxid that is not here
	ClientThrottled                       // Client: no token left for a new connection
	DigestMismatch                        // Zxid: the tree is not what the txn said it would be
	OrphansFound                          // Session, Count: ephemerals whose session does not exist are deleted
	ContainersExpired                     // Count: containers and TTL znodes found to delete
	SnapshotSkipped                       // Zxid: one was due but another is still being written
	AuthRefused                           // Client, Text: the scheme
	RoleTaken                             // Role, Zxid: epoch and 0, Server: the leader: it is established
	RoleLost                              // Text: the reason
	LeaderElected                         // Role, Server: the leader; what follows is discovery and synchronisation
	ReadOnlyBegun                         // no quorum for a while: reads are served
	ReadOnlyEnded                         // a leader is found
)

// Note is a fact for logs and metrics; what it means is in the kind.
type Note struct {
	Kind      NoteKind
	Client    request.ClientID
	Session   zk.SessionID
	Zxid      zk.Zxid
	Role      consensus.Role
	Server    quorum.ServerID
	TimeoutMS int32
	Count     int
	Text      string
}
