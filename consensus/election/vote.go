package election

import (
	"fmt"
	"math"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// Role is what a server is in its ensemble, numbered as on the wire.
type Role int32

// The roles. Looking is a server without a leader.
const (
	Looking   Role = 0
	Following Role = 1
	Leading   Role = 2
	Observing Role = 3
)

// String is ZooKeeper's word for the role.
func (r Role) String() string {
	switch r {
	case Looking:
		return "looking"
	case Following:
		return "following"
	case Leading:
		return "leading"
	case Observing:
		return "observing"
	default:
		return fmt.Sprintf("role(%d)", int32(r))
	}
}

// None stands in the votes of those who do not vote: for the leader, and for an observer also for zxid and epoch.
const None = math.MinInt64

// uninitialized is the last zxid of a server whose empty history may not count.
const uninitialized zk.Zxid = -1

// Vote says who should lead, and why.
type Vote struct {
	Leader quorum.ServerID
	Zxid   zk.Zxid // the newest in Leader's log when this was first voted
	Round  int64   // the voter's logical clock
	Epoch  int64   // Leader's current epoch when this was first voted; once it leads, the epoch it leads
}

// String is the text of a vote in traces: "3 0x10000001c e1 r2".
func (v Vote) String() string {
	if v.Leader == None {
		return fmt.Sprintf("nobody r%d", v.Round)
	}
	zxid := v.Zxid.String()
	if v.Zxid == uninitialized {
		zxid = "-1"
	}
	return fmt.Sprintf("%d %s e%d r%d", v.Leader, zxid, v.Epoch, v.Round)
}

// Version is the version of the notifications that are sent: with a config.
const Version = 2

// Notification is what servers tell each other on the election port.
type Notification struct {
	Role    Role // of the sender; one that is none of the four is ignored
	Vote    Vote
	Version int32  // 0 from ZooKeeper before 3.5
	Config  string // text of the sender's committed configuration, "" from old versions
}

// String is the text of a notification in traces, without the configuration: "looking 3 0x10000001c e1 r2".
func (n Notification) String() string { return fmt.Sprintf("%v %v", n.Role, n.Vote) }
