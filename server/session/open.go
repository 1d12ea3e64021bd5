package session

import "paddock/internal/zk"

// Negotiate is the timeout a client gets, all in milliseconds: what it asked for, raised to minMS if it is less,
// then lowered to maxMS if it is more. So maxMS wins when the two contradict each other.
func Negotiate(requestedMS, minMS, maxMS int32) int32 {
	return min(max(requestedMS, minMS), maxMS)
}

// IDs gives out session ids, each once. The zero value is not ready; see NewIDs.
type IDs struct{ next zk.SessionID }

// NewIDs starts to count where a server with this id that starts at wallMS (milliseconds since 1970) may.
func NewIDs(serverID, wallMS int64) IDs {
	return IDs{next: zk.FirstSessionID(serverID, wallMS)}
}

// Next is the next id. Ids go up by one; the two that mean something else as the owner of a znode, 0 and the mark
// of containers, are left out.
func (n *IDs) Next() zk.SessionID {
	for n.next == 0 || zk.Owner(n.next) == zk.ContainerOwner {
		n.next++
	}
	id := n.next
	n.next++
	return id
}
