package grpcapi

import (
	"context"
	"time"

	"paddock/internal/zk"
)

// Insight is what an operator can learn of a server beside its Status. Its methods may be called from any goroutine and do
// not wait for other servers; those that return false cannot tell now, as the server is starting, going down or too busy.
type Insight interface {
	// Info is what the server is.
	Info() ServerInfo
	// Settings are the keys in force, by name, secrets without their values.
	Settings() []Setting
	// Membership is the configuration of the ensemble and its version; "" for a server on its own.
	Membership() (text string, version zk.Zxid, ok bool)
	// Connections are the client connections of all doors but this one, in no order.
	Connections() []Connection
	// Sessions are those the server knows, in no order; Address is left to the caller.
	Sessions(ctx context.Context) ([]Session, bool)
	// Watches are the paths with watches of ZooKeeper's protocol, at path and below it, in no order.
	Watches(ctx context.Context, path string) ([]WatchedPath, bool)
	// Figures are those of /metrics.
	Figures() ([]Figure, bool)
}

// ServerInfo is what a server is and can do.
type ServerInfo struct {
	Version          string
	ServerID         int64
	ZooKeeperVersion string   // whose behaviour it has
	Features         []string // what its configuration allows, in short words
	RequestBytesMax  int64
	SessionMin       time.Duration
	SessionMax       time.Duration
	HistoryAfter     zk.Zxid // the oldest zxid a watch can start after
}

// Setting is one key of the configuration.
type Setting struct {
	Key    string
	Value  string // in the syntax of zoo.cfg; meaningless if Secret
	Secret bool
	Source string // "default", "flag", or file and line
}

// Connection is one connection of a client.
type Connection struct {
	Door           string // "jute", "jute-tls" or "grpc"
	Address        string // host:port
	Session        zk.SessionID
	Since          time.Time
	Received, Sent int64
	Outstanding    int64
}

// Session is one session.
type Session struct {
	ID         zk.SessionID
	TimeoutMS  int32
	Ephemerals []string // paths
	Local      bool     // known to this server alone
}

// WatchedPath is a path and the sessions that watch it, each as often as it has watches there.
type WatchedPath struct {
	Path     string
	Sessions []zk.SessionID
}

// Figure is one statistic, by its name in /metrics.
type Figure struct {
	Name  string
	Value float64
}
