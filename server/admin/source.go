package admin

import (
	"time"

	"paddock/internal/zk"
)

// Source is what the words tell of. Its methods are called by many goroutines at once and may wait, but not for ever:
// false, where there is a second result, means that the server cannot tell now, and is answered like StateNotServing.
// Lists belong to the caller; Words sorts them.
type Source interface {
	// State is asked before anything else by all words that need a serving server. It does not wait.
	State() State
	// Server is for srvr, stat and mntr.
	Server() (Server, bool)
	// Connections are all open client connections, for stat, cons and dump. It does not wait.
	Connections() []Connection
	// Sessions is for dump.
	Sessions() (Sessions, bool)
	// WatchCounts is for wchs, Watches for wchc and wchp. Both are about data watches alone, as in ZooKeeper, with
	// watches of addWatch among them, not about child watches.
	WatchCounts() (WatchCounts, bool)
	Watches() ([]PathWatches, bool)
	// Conf is for conf and dirs.
	Conf() (Conf, bool)
	// TreeDigests are the digests of the tree that the server remembers, oldest first, for hash.
	TreeDigests() ([]TreeDigest, bool)
	// ResetConnections forgets the figures of the connections, for crst.
	ResetConnections()
	// ResetObservers forgets what was sent to and came from observers, for the command observer_connection_stat_reset.
	ResetObservers()
	// ResetServer forgets the packets and latencies of the server, for srst. Options.Metrics are reset by Words.
	ResetServer()
}

// State is whether the server serves.
type State uint8

// The states.
const (
	StateNotServing State = iota // starts, stops, or has no quorum
	StateServing
	StateReadOnly // serves clients that accept stale reads
	StateApart    // leads, and takes no clients meanwhile: words are answered as by StateNotServing, commands over HTTP as by StateServing
)

// Server is the figures of one server. Counts of events are since the start or ResetServer.
type Server struct {
	Mode string  // "standalone", "leader", "follower", "observer" or "read-only"
	Zxid zk.Zxid // last applied

	Connections   int64 // open
	Outstanding   int64 // requests received and not answered
	Received      int64 // frames, four-letter words among them
	Sent          int64 // frames
	MinLatencyMS  int64 // of requests; 0 before the first, like the two below
	MaxLatencyMS  int64
	MeanLatencyMS float64

	Znodes        int64 // ZooKeeper's own included
	Ephemerals    int64 // znodes
	Watches       int64 // data and child watches
	Sessions      int64 // global
	LocalSessions int64
	DataBytes     int64 // approximately, of paths and data
	Uptime        time.Duration

	LastReplyBytes int64 // of a body; -1 before the first, like the two below
	MinReplyBytes  int64
	MaxReplyBytes  int64

	Handshakes      int64   // of TLS, under way
	DropProbability float64 // of the connection throttle, 0 to 1
	AuthFailed      int64   // attempts to authenticate that failed

	Refused []Refused // clients that were turned away, as far as it is remembered

	Member  *Member  // nil for a server on its own
	Leading *Leading // nil for one that does not lead
}

// Refused is how often clients of one address were turned away for one reason.
type Refused struct {
	Address, Reason string
	Times           int64
}

// Member is what a member of an ensemble has to tell.
type Member struct {
	PeerState  string // "leading - broadcast", "following - broadcast" or "observing - broadcast"
	Voters     int64
	MasterID   int64 // of an observer: the server it learns from
	IsObserver bool
	// IsMaster: it follows and serves observers, of which SyncedObservers are up to date.
	IsMaster        bool
	SyncedObservers int64
	Observers       []Observer // that it serves as a master

	ElectionListening bool   // every election port of it accepts connections
	Peers             []Peer // the members that it keeps an election connection to, by id
}

// Peer is another member.
type Peer struct {
	ID int64
	Up bool // there is an election connection
}

// Leading is what a leader has to tell. Sizes are in bytes, -1 before the first.
type Leading struct {
	Learners        []int64 // ids of all that are connected, ascending
	SyncedFollowers int64   // that vote
	SyncedOthers    int64   // that follow and do not vote
	SyncedObservers int64
	Observers       []Observer // that are connected
	PendingSyncs    int64
	Uptime          time.Duration // of the leadership

	LastProposalBytes, MinProposalBytes, MaxProposalBytes int64
}

// Observer is a connected observer. Counts are of packets since it connected.
type Observer struct {
	Addr          string // remote, host:port, IPv6 hosts in brackets
	ID            int64
	EstablishedMS int64 // since 1970

	Queued, QueuedBytes      int64 // that wait to be sent
	Received, Sent, Requests int64

	LastZxid zk.Zxid // that it was sent
}

// Connection is one connection of a client. Counts are since it was opened or ResetConnections.
type Connection struct {
	Addr    string       // remote, host:port, IPv6 hosts in brackets
	Session zk.SessionID // 0 without one
	Secure  bool         // came through TLS

	Received, Sent int64 // frames
	Outstanding    int64 // requests not yet answered
	Unsent         int64 // bytes waiting to be sent

	TimeoutMS     int32  // of the session
	EstablishedMS int64  // since 1970, like the other time
	LastOp        string // four letters, "NA" before the first reply
	LastCxid      int64  // xid of the last reply to what is no ping, auth or setWatches packet, negative for none
	LastZxid      zk.Zxid
	LastReplyMS   int64 // 0 before the first

	LastLatencyMS, MinLatencyMS, MeanLatencyMS, MaxLatencyMS int64

	// IdleUntil is when the connection is closed if nothing comes; zero if it is not known. dump leaves such
	// connections out.
	IdleUntil time.Time
}

// Sessions are the sessions of a server and what they own. Times are printed in their own location.
type Sessions struct {
	// A server that follows or observes does not know when sessions expire: it has Known, the others have Buckets.
	Learner    bool
	Known      []Session
	Buckets    []Bucket
	Ephemerals []Ephemerals
}

// Session is one session and its timeout.
type Session struct {
	ID        zk.SessionID
	TimeoutMS int32
}

// Bucket is the sessions that expire at one time.
type Bucket struct {
	Expires  time.Time
	Sessions []zk.SessionID
}

// Ephemerals are the ephemeral znodes of one session.
type Ephemerals struct {
	Session zk.SessionID
	Paths   []string
}

// WatchCounts are the figures of wchs.
type WatchCounts struct {
	Connections, Paths, Watches int // a watch is a pair of the others
}

// PathWatches is a path and the sessions that watch it.
type PathWatches struct {
	Path     string
	Sessions []zk.SessionID
}

// Conf is what the server runs with, and the size of its directories. Ports are -1 for none.
type Conf struct {
	ClientPort       int
	SecureClientPort int
	DataDir          string // absolute, with version-2
	DataLogDir       string
	DataDirBytes     int64 // of all files in DataDir
	DataLogBytes     int64 // of all files in DataLogDir, which may be the same
	TickMS           int64
	MaxClientCnxns   int
	MinSessionMS     int64
	MaxSessionMS     int64
	ListenBacklog    int // -1 for the system's limit
	ServerID         int64
	Member           *MemberConf // nil for a server on its own
}

// MemberConf is what a member of an ensemble runs with.
type MemberConf struct {
	InitLimit, SyncLimit     int // ticks
	ElectionPort, QuorumPort int
	Observer                 bool
	Membership               string // the configuration in force, a line per server and its version
}

// TreeDigest is the digest of the tree after a txn.
type TreeDigest struct {
	Zxid   zk.Zxid
	Digest uint64
}
