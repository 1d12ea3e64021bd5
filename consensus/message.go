package consensus

import (
	"fmt"
	"slices"

	"paddock/consensus/quorum"
	"paddock/internal/zk"
)

// LinkID names one connection between two servers on a quorum port, whichever side dialled it. The edge gives them
// out, from 1, and never twice. Messages of one link arrive in the order in which they were sent.
type LinkID uint64

// MessageKind is the type of a message on a link, by its number on the wire.
type MessageKind int32

// The messages. M is the leader (or an observer master), L a learner, O an observer.
const (
	MsgRequest           MessageKind = 1  // L to M: a client's request
	MsgProposal          MessageKind = 2  // M to L: log this txn
	MsgAck               MessageKind = 3  // L to M: durable, a txn or (counter 0) the NEWLEADER of an epoch
	MsgCommit            MessageKind = 4  // M to L: the proposal with this zxid is decided
	MsgPing              MessageKind = 5  // both: alive, and which sessions are
	MsgRevalidate        MessageKind = 6  // both: is this session alive?
	MsgSync              MessageKind = 7  // M to L: the oldest pending sync is done
	MsgInform            MessageKind = 8  // M to O: a decided txn
	MsgCommitAndActivate MessageKind = 9  // M to L: as MsgCommit, of a reconfiguration
	MsgNewLeader         MessageKind = 10 // M to L: history is complete, make it durable
	MsgFollowerInfo      MessageKind = 11 // L to M: the first message of a follower
	MsgUpToDate          MessageKind = 12 // M to L: serve
	MsgDiff              MessageKind = 13 // M to L: what is missing follows
	MsgTrunc             MessageKind = 14 // M to L: drop what is newer than this zxid
	MsgSnap              MessageKind = 15 // M to L: the whole tree follows, as a stream of its own
	MsgObserverInfo      MessageKind = 16 // L to M: the first message of an observer
	MsgLeaderInfo        MessageKind = 17 // M to L: the epoch that begins
	MsgAckEpoch          MessageKind = 18 // L to M: the epoch is promised; how far the history goes
	MsgInformAndActivate MessageKind = 19 // M to O: as MsgInform, of a reconfiguration
)

var messageNames = [...]string{MsgRequest: "request", MsgProposal: "proposal", MsgAck: "ack", MsgCommit: "commit", MsgPing: "ping",
	MsgRevalidate: "revalidate", MsgSync: "sync", MsgInform: "inform", MsgCommitAndActivate: "commit-and-activate",
	MsgNewLeader: "newleader", MsgFollowerInfo: "followerinfo", MsgUpToDate: "uptodate", MsgDiff: "diff", MsgTrunc: "trunc",
	MsgSnap: "snap", MsgObserverInfo: "observerinfo", MsgLeaderInfo: "leaderinfo", MsgAckEpoch: "ackepoch",
	MsgInformAndActivate: "inform-and-activate"}

// String is the kind's name in ZooKeeper, in lower case.
func (k MessageKind) String() string {
	if k >= MsgRequest && int(k) < len(messageNames) {
		return messageNames[k]
	}
	return fmt.Sprintf("message(%d)", int32(k))
}

// ProtocolVersion is the version of the learner protocol since ZooKeeper 3.4: epochs are agreed on.
const ProtocolVersion int32 = 0x10000

// NoEpoch in the ACKEPOCH of a server that had promised the epoch before: it does not count, but is synchronised.
const NoEpoch int64 = -1

// NoZxid is what REQUEST, REVALIDATE and UPTODATE carry.
const NoZxid zk.Zxid = -1

// NoServer is the sender of a FOLLOWERINFO or OBSERVERINFO that does not name one; versions before 3.4 did not.
const NoServer quorum.ServerID = -1

// Message is what two servers exchange on a link, one struct for all kinds. Besides Kind and Zxid, which all have,
// a kind uses the fields that name it; the others are zero. A message is not modified once it was sent or received.
type Message struct {
	Kind MessageKind
	// Zxid is the txn of a proposal, ack, commit or inform; epoch<<32 in leaderinfo, newleader and its ack, and (the
	// epoch accepted) in followerinfo and observerinfo; the newest zxid logged in ackepoch; the newest proposed in a
	// ping, which its answer repeats; the learner's new last zxid in trunc; the tree's in snap; NoZxid where none is meant.
	Zxid zk.Zxid

	Server        quorum.ServerID // followerinfo, observerinfo: the sender; …-and-activate: the designated leader
	Epoch         int64           // ackepoch: the epoch last joined, or NoEpoch
	Protocol      int32           // followerinfo, observerinfo, leaderinfo: ProtocolVersion; 1 where it was left out
	ConfigVersion zk.Zxid         // followerinfo, observerinfo: of the committed configuration
	Config        string          // newleader: the text of the leader's last configuration; "" if there was none
	Payload       []byte          // proposal, inform, inform-and-activate: the txn record exactly as it is logged; unknown kinds: their data

	Session   zk.SessionID // revalidate
	TimeoutMS int32        // revalidate, from a learner
	Answer    bool         // revalidate: this is the leader's answer
	Valid     bool         // revalidate, the answer: the session is alive

	// Touched are the sessions that a learner heard of since the last ping. In the leader's ping it is nil; in a
	// learner's answer it is not nil, even when it is empty.
	Touched []Touch
	Request *ForwardedRequest // request
}

// Touch is a session that is alive, and its timeout.
type Touch struct {
	Session   zk.SessionID
	TimeoutMS int32
}

// ForwardedRequest is a client's request on its way to the leader.
type ForwardedRequest struct {
	Session  zk.SessionID
	Cxid     int32
	Op       zk.OpCode
	Body     []byte  // the request record without its header; createSession: int timeout; closeSession: empty
	AuthInfo []zk.ID // whom the client has proven to be; nil (null on the wire) for createSession
}

// Clone is a copy for who keeps a message longer than it is lent. The two share what is never written again once it is made: payload, texts,
// sessions and identities.
func (m *Message) Clone() *Message {
	c := *m
	if m.Request != nil {
		q := *m.Request
		q.Body = slices.Clone(q.Body)
		c.Request = &q
	}
	return &c
}

// String is the text that traces and logs print.
func (m *Message) String() string {
	switch m.Kind {
	case MsgRequest:
		if r := m.Request; r != nil {
			return fmt.Sprintf("request %v session=%v cxid=%d (%d bytes)", r.Op, r.Session, r.Cxid, len(r.Body))
		}
		return "request"
	case MsgProposal, MsgInform:
		return fmt.Sprintf("%v %v (%d bytes)", m.Kind, m.Zxid, len(m.Payload))
	case MsgInformAndActivate:
		return fmt.Sprintf("%v %v leader=%d (%d bytes)", m.Kind, m.Zxid, m.Server, len(m.Payload))
	case MsgCommitAndActivate:
		return fmt.Sprintf("%v %v leader=%d", m.Kind, m.Zxid, m.Server)
	case MsgPing:
		if m.Touched == nil {
			return fmt.Sprintf("ping %v", m.Zxid)
		}
		return fmt.Sprintf("ping %v touched=%d", m.Zxid, len(m.Touched))
	case MsgRevalidate:
		if m.Answer {
			return fmt.Sprintf("revalidate session=%v valid=%t", m.Session, m.Valid)
		}
		return fmt.Sprintf("revalidate session=%v timeout=%d", m.Session, m.TimeoutMS)
	case MsgFollowerInfo, MsgObserverInfo:
		return fmt.Sprintf("%v from %d accepted=%d config=%v", m.Kind, m.Server, m.Zxid.Epoch(), m.ConfigVersion)
	case MsgLeaderInfo, MsgNewLeader:
		return fmt.Sprintf("%v epoch=%d", m.Kind, m.Zxid.Epoch())
	case MsgAckEpoch:
		return fmt.Sprintf("ackepoch current=%d last=%v", m.Epoch, m.Zxid)
	case MsgSync, MsgUpToDate:
		return m.Kind.String()
	case MsgAck, MsgCommit, MsgDiff, MsgTrunc, MsgSnap:
		return fmt.Sprintf("%v %v", m.Kind, m.Zxid)
	default:
		return fmt.Sprintf("%v %v (%d bytes)", m.Kind, m.Zxid, len(m.Payload))
	}
}
