package election

import (
	"fmt"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// EventKind is what happened.
type EventKind uint8

// The events.
const (
	// Start begins a new election, whatever the role so far. Zxid is the newest in this server's log, -1 if its history
	// is empty and may not count; Epoch is its current epoch; Heir is what the server will vote that leadership was handed to, nil
	// if it was not. Before the first Start or Join notifications are ignored.
	Start EventKind = iota + 1
	// Notified tells of a Notification that came From another server.
	Notified
	// Tick tells only the time. One is due every 50 ms at the latest.
	Tick
	// PeerUp tells that an election connection to From was established, anew too.
	PeerUp
	// PeerDown tells that From cannot be reached: its connection ended, or dialling it failed. It is not told of a peer
	// that is only not connected yet.
	PeerDown
	// SetConfig tells the configurations in force: Committed, and LastSeen, the newest proposed, nil if there is none.
	// If an election is under way and the members changed, it begins again in the next round.
	SetConfig
	// SetEpoch tells, once a leader serves or a learner is synchronised, the epoch which that is in. Notifications tell
	// it from then on. Without it members of one ensemble tell different epochs and a third cannot join them.
	SetEpoch
	// Join enters Role with Vote and without an election: a reconfiguration named the next leader, or the server is alone.
	Join
)

// Event is one input. NowMS is set in all of them.
type Event struct {
	Kind  EventKind
	NowMS int64 // monotonic, in milliseconds

	From         quorum.ServerID // Notified, PeerUp, PeerDown
	Notification Notification    // Notified
	// ConfigVersion is the version of the configuration in the notification; 0 if there is none, if it cannot be parsed,
	// or if it must not be adopted because reconfiguration is off. For Notified.
	ConfigVersion zk.Zxid

	Zxid  zk.Zxid // Start
	Epoch int64   // Start, SetEpoch
	Heir  *Vote   // Start

	Committed, LastSeen *quorum.Config // SetConfig

	Role Role // Join
	Vote Vote // Join
}

// String is the text that traces and logs print.
func (e Event) String() string {
	switch e.Kind {
	case Start:
		text := fmt.Sprintf("start %v e%d", e.Zxid, e.Epoch)
		if e.Heir != nil {
			text += fmt.Sprintf(", heir %v", *e.Heir)
		}
		return text
	case Notified:
		return fmt.Sprintf("notified %d: %v", e.From, e.Notification)
	case Tick:
		return "tick"
	case PeerUp:
		return fmt.Sprintf("peer up %d", e.From)
	case PeerDown:
		return fmt.Sprintf("peer down %d", e.From)
	case SetConfig:
		text := "config"
		if e.Committed != nil {
			text += " " + e.Committed.Version.String()
		}
		if e.LastSeen != nil && (e.Committed == nil || e.LastSeen.Version != e.Committed.Version) {
			text += " then " + e.LastSeen.Version.String()
		}
		return text
	case SetEpoch:
		return fmt.Sprintf("epoch %d", e.Epoch)
	case Join:
		return fmt.Sprintf("join %v %v", e.Role, e.Vote)
	default:
		return fmt.Sprintf("event(%d)", e.Kind)
	}
}

// Message is a notification for another server. Only the newest to one server matters.
type Message struct {
	To quorum.ServerID
	Notification
}

// Decision is how an election ended: what this server is now, and the vote that names its leader.
type Decision struct {
	Role Role // Leading, Following or Observing
	Vote Vote
}

// String is the text of a decision in traces: "following 3 0x10000001c e1 r2".
func (d Decision) String() string { return fmt.Sprintf("%v %v", d.Role, d.Vote) }

// Actions are the outputs of a step, added to what is there. The caller resets and reuses it.
type Actions struct {
	Send []Message // in this order, never to this server itself
	// ConnectAll asks for a connection to every server of the configurations that is not connected.
	ConnectAll bool
	// Decided is the end of the election, nil while it goes on. The role is held until the next Start or Join.
	Decided *Decision
	// AdoptConfig is the text of a configuration newer than the committed one, "" if none was seen. It should become the
	// committed one, and the very next event should be SetConfig with it; with any other event the election goes on as
	// before.
	AdoptConfig string
}

// Reset empties a for the next step and keeps its memory.
func (a *Actions) Reset() {
	clear(a.Send)
	*a = Actions{Send: a.Send[:0]}
}
