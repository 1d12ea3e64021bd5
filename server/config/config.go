package config

import (
	"path/filepath"
	"time"

	"paddock/consensus/quorum"
)

// Config is a whole server's configuration, checked and with every default filled in. Sizes are in
// bytes, times are durations; a limit of 0 means "none" unless its comment says otherwise.
type Config struct {
	File string // zoo.cfg as the user named it; "" when the server runs without one

	DataDir           string // snapshots, myid and epoch files; absolute when Source.Dir was known
	DataLogDir        string // transaction logs; DataDir unless set
	DataDirAutocreate bool   // create missing directories
	DBAutocreate      bool   // an empty database may vote at once

	ServerID int64 // content of myid; meaningful when HasServerID
	// HasServerID: a myid file exists, or the id was given and is to be written.
	HasServerID bool
	// WriteMyID: the file at MyIDPath does not exist and must be written with ServerID.
	WriteMyID bool

	TickTime          time.Duration
	MinSessionTimeout time.Duration // lower clamp of what clients ask for
	MaxSessionTimeout time.Duration // upper clamp

	Client   ClientDoor
	TLS      TLS
	GRPC     Door
	HTTP     HTTPDoor
	Metrics  Metrics
	Log      Log
	Snapshot Snapshot
	Purge    Purge
	History  History
	Requests Requests
	Connect  ConnectThrottle
	Auth     Auth
	Znodes   Znodes
	Sessions Sessions
	Members  Members

	settings map[string]Setting // by canonical key
}

// Door is a listening port.
type Door struct {
	Port    int    // 0: the door is closed
	Address string // host or IP without brackets; "" = all interfaces
}

// ClientDoor is the port of ZooKeeper's client protocol and four-letter words.
type ClientDoor struct {
	Door
	Secure             Door          // the same over TLS
	ListenBacklog      int           // accept queue length; -1 = the system's maximum
	MaxPerAddress      int           // connections per client address
	MaxTotal           int           // connections in all
	KeepAlive          bool          // TCP keep-alive
	SessionlessTimeout time.Duration // connections that never open a session are closed after this
	FrameBytesMax      int           // largest request; a larger one closes the connection
	TxnExtraBytes      int           // what the server may add to a request when it becomes a txn
	// FourLetterWords are the enabled commands, always with srvr; AllFourLetterWords enables every one.
	FourLetterWords    []string
	AllFourLetterWords bool
}

// TLS is how the doors that speak it do. It counts if TLSWanted.
type TLS struct {
	KeyStore, TrustStore   Store    // Path of TrustStore is "" for the system's authorities
	Unified                bool     // the client port speaks it as well
	GRPC, HTTP             bool     // these ports speak nothing else
	ClientAuth             string   // one of the constants below
	Protocol               string   // as written; see MinVersion
	Protocols, SuiteNames  []string // the same
	MinVersion, MaxVersion uint16   // as in crypto/tls
	Suites                 []uint16 // up to TLS 1.2; nil for Go's choice
	HostNames, ClientNames bool
	ReverseLookup          bool
	Reload                 bool // follow changes of the files
}

// Values of TLS.ClientAuth.
const (
	ClientAuthNeed = "need" // no client without a certificate
	ClientAuthWant = "want" // a certificate that is presented must be good
	ClientAuthNone = "none"
)

// Store is a key or trust store.
type Store struct {
	Path, Type             string // Type "" goes by the name of the file
	Password, PasswordPath string
}

// HTTPDoor is the port of REST, console, probes and ZooKeeper's AdminServer commands.
type HTTPDoor struct {
	Door
	Commands      bool          // answer AdminServer commands
	CommandPath   string        // at this path and below it; absolute, without a slash at its end
	Snapshots     bool          // the command snapshot among them
	SnapshotEvery time.Duration // at most
	IdleTimeout   time.Duration // of kept-alive connections
	CORSOrigins   []string      // whose web pages may call
	MaxPerAddress int           // connections; 0 for no limit, like the next
	MaxTotal      int
}

// Metrics is the extra Prometheus port of ZooKeeper's metrics provider. /metrics is on the HTTP door as well.
type Metrics struct {
	Door     // closed unless the Prometheus provider is configured
	Provider string
	Runtime  bool // with figures of the Go runtime and the process
}

// Log is the transaction log.
type Log struct {
	SnapCount          int           // txns before a snapshot, at least 2
	SnapLogPercent     int           // of the bytes of the next snapshot that their log has then; 0 = any
	SnapLogBytes       int64         // that it has in any case; 0 = any
	SnapSizeBytes      int64         // log bytes before a snapshot; 0 = off
	FileSizeBytes      int64         // roll the log at this size; 0 = off
	PreallocBytes      int64         // growth step of log files; 0 = off
	ForceSync          bool          // fsync before acknowledging
	FsyncWarning       time.Duration // warn when one fsync takes longer
	CommitLogCount     int           // committed txns kept in memory for learners
	SnapshotSizeFactor float64       // share of the snapshot's size a log replay to a learner may have; negative = never
}

// Snapshot is how snapshots are written and trusted.
type Snapshot struct {
	Compression            string // "", "gz" or "snappy"
	TrustEmpty             bool   // allow logs without any snapshot
	SerializeLastProcessed bool   // append the last zxid
}

// Purge removes old snapshots and logs.
type Purge struct {
	RetainCount  int           // snapshots kept, at least 3
	EachSnapshot bool          // after each snapshot
	Interval     time.Duration // 0 = off
}

// On tells whether anything is ever purged.
func (p Purge) On() bool { return p.EachSnapshot || p.Interval > 0 }

// History is what is kept of past changes for watches that resume.
type History struct {
	Bytes    int64         // in memory
	Time     time.Duration // in memory
	LogBytes int64         // of log files that purging leaves alone, though no snapshot needs them; 0 = none
}

// Requests are limits on requests in flight.
type Requests struct {
	ShutdownTimeout time.Duration // drain time at shutdown
}

// ConnectThrottle is the token bucket for new sessions.
type ConnectThrottle struct {
	Tokens             int // bucket size; 0 = no throttle
	FillTime           time.Duration
	FillCount          int
	FreezeTime         time.Duration // negative = off
	DropIncrease       float64
	DropDecrease       float64
	DecreaseRatio      float64
	WeightEnabled      bool
	GlobalWeight       int
	LocalWeight        int
	RenewWeight        int
	HandshakesMax      int // concurrent TLS handshakes; -1 = no limit
	EarlyDropHandshake bool
}

// Auth is who may do what.
type Auth struct {
	SkipACL        bool
	DigestEnabled  bool
	DigestAlg      string // Java's name, normalised: "SHA1", "SHA-256", …
	SuperDigest    string // "super:<base64>"; "" = no superuser
	Enforce        bool   // sessions must authenticate with one of EnforceSchemes
	EnforceSchemes []string
	EagerACLCheck  bool
}

// Znodes are rules of the tree.
type Znodes struct {
	EnforceQuota       bool
	ExtendedTypes      bool          // TTL znodes
	ContainerInterval  time.Duration // container and TTL sweep
	ContainerPerMinute int
	ContainerNeverUsed time.Duration // delete containers that never had a child after this; 0 = never
	DigestEnabled      bool          // running digest of the tree
	CloseSessionTxn    bool          // closeSession txns list the ephemerals
}

// Sessions are the kinds of session.
type Sessions struct {
	Local          bool
	LocalUpgrading bool
	ReadOnlyMode   bool
}

// Members is what a member of an ensemble needs. Membership is nil without server lines.
type Members struct {
	Membership        *quorum.Config
	Origins           map[quorum.ServerID]Origin // where each server of Membership is listed
	Standalone        bool                       // true: run alone, whatever Membership says
	StandaloneEnabled bool
	ReconfigEnabled   bool
	DynamicFile       string
	dynamicText       string // of DynamicFile
	Observer          bool   // this server's role
	InitLimit         int    // ticks
	SyncLimit         int    // ticks
	ConnectLimit      int    // ticks; 0 = InitLimit

	ListenOnAllIPs         bool
	MultiAddress           bool
	ReachabilityCheck      bool
	ReachabilityTimeout    time.Duration
	ElectionConnectTimeout time.Duration
	ElectionReadTimeout    time.Duration // negative = SyncLimit ticks
	ElectionBindRetries    int           // 0 = for ever
	KeepAlive              bool
	LeaderServes           bool
	ForceSnapshotSync      bool
	ObserverMasterPort     int
	ObserverQueueBytes     int64
	ObserverSync           bool
	ObserverReconnectDelay time.Duration
	ObserverElectionDelay  time.Duration
	NotificationMin        time.Duration
	NotificationMax        time.Duration
	EpochWaitMax           time.Duration // negative = no limit of its own
	SnapSyncsMax           int
	DiffSyncsMax           int
	LeaderConnectDelay     time.Duration
	OraclePath             string
	MessageTracker         bool
	MessageTrackerSize     int
}

// Distributed reports whether this configuration needs an ensemble rather than a standalone server.
func (c *Config) Distributed() bool { return !c.Members.Standalone }

// MyIDPath is where the server's id is kept.
func (c *Config) MyIDPath() string { return filepath.Join(c.DataDir, "myid") }

// Setting is the effective text of one key and where it came from.
type Setting struct {
	Value  string // in the syntax of zoo.cfg, after defaults, floors and derivations
	Origin Origin
}

// Setting returns the effective setting of a key by its canonical name.
func (c *Config) Setting(name string) (Setting, bool) {
	s, ok := c.settings[name]
	return s, ok
}
