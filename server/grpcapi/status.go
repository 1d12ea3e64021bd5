package grpcapi

import (
	"time"

	"paddock/internal/zk"
)

// StatusSource tells the state of this server. It is called from any goroutine, also while the server serves
// nobody; it must not wait for other servers or for the disk.
type StatusSource func() Status

// State is what a server does at the moment.
type State uint8

// The states. The zero value is not a state and is shown as unspecified.
const (
	StateStarting State = iota + 1 // reading the data directory
	StateLooking                   // part of an ensemble without a leader
	StateServing                   // serves clients
	StateReadOnly                  // serves clients that accept stale reads
	StateRefusing                  // alive, serves nobody; Status.Refusal says why
	StateStopping                  // finishing what it has begun
)

// Mode is the part a server has in its ensemble.
type Mode uint8

// The modes; the zero value means none at the moment.
const (
	ModeStandalone Mode = iota + 1 // the only server
	ModeLeader                     // leads
	ModeFollower                   // follows and votes
	ModeObserver                   // follows and does not vote
)

// Status is the state of one server: what GetStatus answers. Counts of events are since the start of the process or
// the last reset of the statistics.
type Status struct {
	State           State         // what the server does
	Mode            Mode          // its part in the ensemble
	Version         string        // of Paddock
	ServerID        int64         // myid; 0 when standalone without one
	Zxid            zk.Zxid       // last applied
	Uptime          time.Duration // since the process started
	PID             int           // of the process
	DataDir         string        // absolute path
	ClientAddresses []string      // host:port of the open client ports
	Connections     int64         // open client connections
	Sessions        int64         // alive
	Outstanding     int64         // requests received and not answered
	PacketsReceived int64         // frames from clients
	PacketsSent     int64         // frames to clients
	Watches         int64         // registered, all kinds
	Znodes          int64         // in the tree, ZooKeeper's own included
	Ephemerals      int64         // in the tree
	DataBytes       int64         // approximate bytes of paths and data in the tree
	Latency         Latency       // of requests
	Storage         Storage       // on disk
	Refusal         string        // why clients are not served, with the remedy; "" when serving
	Warnings        []string      // what an operator should change, one sentence each
	Ensemble        *Ensemble     // nil for a server on its own
}

// Ensemble is what one server knows of the ensemble it is a member of.
type Ensemble struct {
	Epoch         int64
	Leader        int64 // meaningful if HasLeader
	HasLeader     bool
	Stage         string    // "election", "discovery", "synchronization" or "broadcast"
	Since         time.Time // of serving, or not
	Round         int64     // of elections
	ConfigVersion zk.Zxid
	QuorumReached bool // whether the voters that are reached are enough
	Committed     zk.Zxid
	Members       []Member // by id, this server included
}

// MemberRole is what a member last said that it is.
type MemberRole uint8

// The roles; the zero value is unknown.
const (
	MemberLooking MemberRole = iota + 1
	MemberFollower
	MemberLeader
	MemberObserver
)

// BehindUnknown is Member.Behind where it is not known.
const BehindUnknown = -1

// Member is one server of an ensemble as another, or itself, sees it.
type Member struct {
	ServerID      int64
	Voter, Self   bool
	Addresses     []string // host:quorumPort:electionPort
	ClientAddress string   // "" if the configuration does not say
	Role          MemberRole
	Connected     bool
	Since         time.Time // of being connected, or not
	Problem       string    // why it is not
	Synced        bool
	Behind        int64 // txns; BehindUnknown
}

// Latency is how long requests took from frame to reply.
type Latency struct {
	Min, Mean, Max time.Duration // all 0 before the first request
}

// Storage is what the data takes on disk. Sizes are in bytes.
type Storage struct {
	Snapshots      int64     // files
	SnapshotBytes  int64     // of all snapshot files
	Logs           int64     // files
	LogBytes       int64     // of all log files, space written ahead included
	NewestSnapshot zk.Zxid   // 0 when there is none
	DiskFreeBytes  int64     // what an unprivileged process may still write
	DiskTotalBytes int64     // size of the file system
	LastPurge      time.Time // end of the last purge; zero when there was none
}

// Serving tells whether clients get answers, if only stale ones: what health checks and /readyz report.
func (s *Status) Serving() bool { return s.State == StateServing || s.State == StateReadOnly }
