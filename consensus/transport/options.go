package transport

import (
	"context"
	"io"
	"time"

	"github.com/rs/zerolog"

	"paddock/consensus"
	"paddock/consensus/election"
	"paddock/consensus/quorum"
	"paddock/internal/zk"
	"paddock/storage/tree"
)

// Handler is told what happens on the ports. Its methods are called from the transport's goroutines: of one server's
// election connection, and of one link, one after the other, of different ones at once. They keep what they are given.
// They may take their time, but what they are called about waits for that long; PeerUp, PeerDown and Notified must not wait.
type Handler interface {
	// Notified brings a notification, between a PeerUp and the PeerDown that follows it: none that is older than one that came before, although
	// one connection may have taken the place of another.
	Notified(from quorum.ServerID, n *election.Notification)
	// PeerUp tells that there is an election connection to a server, a new one if there was one already.
	PeerUp(server quorum.ServerID)
	// PeerDown tells that a server could not be reached, after each dial that failed. The end of a connection alone is
	// not told: the server is dialled at once, and what comes of that is.
	PeerDown(server quorum.ServerID)

	// LinkUp tells of a link: the server was dialled, or it has introduced itself here (and its MsgFollowerInfo or
	// MsgObserverInfo is received next; consensus.NoServer if it gave no id).
	LinkUp(link consensus.LinkID, server quorum.ServerID, dialled bool)
	// DialFailed tells that Dial of a server came to nothing.
	DialFailed(server quorum.ServerID, err error)
	// Received brings messages of a link in order. Their memory is not used again unless Transport.Done gives it back. If it is held up it
	// may call pass, unless that is nil, once: then another goroutine reads on, and Received returns false in the end.
	Received(link consensus.LinkID, messages []consensus.Message, pass func()) (on bool)
	// ReceivedSnap brings a MsgSnap and the tree that came behind it. Only from a server that was dialled.
	ReceivedSnap(link consensus.LinkID, m *consensus.Message, t *tree.Tree)
	// LinkAlive tells that bytes of a snapshot or of the log have moved, at most every half second. Calls come from the
	// goroutine that moves them, which may be another than that of Received.
	LinkAlive(link consensus.LinkID)
	// ViewRead gives back a view that was passed to SendSnap, sent or not: nobody reads it any more.
	ViewRead(link consensus.LinkID, v *tree.View)
	// LinkDown is the last that is heard of a link. err is why it ended; io.EOF if the other side closed it.
	LinkDown(link consensus.LinkID, err error)
}

// Options are what a Transport needs. Durations of 0 stand for ZooKeeper's defaults where one is named.
type Options struct {
	Self    quorum.ServerID
	Handler Handler
	Log     zerolog.Logger

	// Committed and LastSeen are the configurations at the start; see SetConfig.
	Committed, LastSeen *quorum.Config

	TickTime             time.Duration // 2 s
	InitLimit, SyncLimit int           // ticks; 10 and 5
	ConnectLimit         int           // ticks that dialling a leader may take; 0: InitLimit
	ElectionDialTimeout  time.Duration // 5 s
	ElectionReadTimeout  time.Duration // of a handshake; 0 or negative: SyncLimit ticks
	ElectionBindRetries  int           // 0: for ever
	ListenOnAllIPs       bool
	MultiAddress         bool          // tell others all addresses of this server
	ReachabilityTimeout  time.Duration // 0: connections of servers with several addresses are not probed
	KeepAlive            bool          // TCP keep-alive
	ObserverMasterPort   int           // of every voter, for observers; 0: they come to the leader's quorum port
	DialRetryDelay       time.Duration // between tries to reach a leader; 100 ms
	PacketBytesMax       int           // of one message; 4 MiB
	LinkQueueBytesMax    int64         // unsent bytes at which a link is dropped; 256 MiB
	DropGrace            time.Duration // how long a dropped link may take to send what it has; 1 s
	AcceptedLinksMax     int           // links of learners at once; 1,024
	UnintroducedMax      int           // connections per port that have not said who they are; 256: the oldest goes

	// Unreached, if it is not nil, is told why a server's election port could not be reached, before PeerDown is. It must
	// not wait.
	Unreached func(server quorum.ServerID, err error)

	// WriteTree writes a view as the stream behind a MsgSnap, ReadTree reads one and nothing behind it: package
	// storage/snapshot. They run in the link's goroutines and end when writing or reading fails.
	WriteTree func(ctx context.Context, w io.Writer, v *tree.View) error
	ReadTree  func(r io.Reader, z zk.Zxid) (*tree.Tree, error)
	// ReadLog calls f for each txn in the log on disk that is newer than after and not newer than to, in order. It fails if
	// one is missing, and with f's error. f does not keep payload.
	ReadLog func(ctx context.Context, after, to zk.Zxid, f func(z zk.Zxid, payload []byte) error) error
}

// withDefaults fills in what is 0.
func (o Options) withDefaults() Options {
	set(&o.TickTime, 2*time.Second)
	set(&o.InitLimit, 10)
	set(&o.SyncLimit, 5)
	set(&o.ConnectLimit, o.InitLimit)
	set(&o.ElectionDialTimeout, 5*time.Second)
	if o.ElectionReadTimeout <= 0 {
		o.ElectionReadTimeout = o.syncTime()
	}
	set(&o.DialRetryDelay, 100*time.Millisecond)
	set(&o.PacketBytesMax, 4<<20)
	set(&o.LinkQueueBytesMax, 256<<20)
	set(&o.DropGrace, time.Second)
	set(&o.AcceptedLinksMax, 1024)
	set(&o.UnintroducedMax, 256)
	return o
}

func set[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

func (o *Options) initTime() time.Duration { return time.Duration(o.InitLimit) * o.TickTime }
func (o *Options) syncTime() time.Duration { return time.Duration(o.SyncLimit) * o.TickTime }
