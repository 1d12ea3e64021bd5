package juteapi

import (
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"paddock/server/request"
	"paddock/server/secure"
)

// Defaults of Options, which are ZooKeeper's.
const (
	JuteMaxBufferDefault      = 0xfffff
	SessionlessTimeoutDefault = 10 * time.Second
	UnsentBytesMaxDefault     = 64 << 20
)

// Options say how a client port behaves. Handler is required.
type Options struct {
	Handler request.Handler
	Logger  zerolog.Logger
	// Name is what errors and logs call the port; "client port" if empty.
	Name string
	// FourLetter answers a four-letter word ("srvr"; "telnet close" for telnet's interrupt), whether it is enabled
	// or not; the text is sent as it is. A nil text closes the connection without one. arg reads the eight bytes that
	// follow stmk, and is false if they do not come. It is called by the connection's goroutine. Without the function
	// the words are frame lengths like any other.
	FourLetter func(word string, arg func() (int64, bool)) []byte
	// JuteMaxBuffer is the longest frame accepted, in bytes; 0 for the default.
	JuteMaxBuffer int
	// MaxClientCnxns limits the connections of one IP address, MaxCnxns those of all; 0 for no limit.
	MaxClientCnxns, MaxCnxns int
	// SessionlessTimeout is how long a connection without a session may be idle, and what the idle limit of one with
	// a session is rounded up to; 0 for the default.
	SessionlessTimeout time.Duration
	// Backlog is the length of the queue of connections not yet accepted; 0 or less for the most the system allows.
	Backlog int
	// KeepAlive asks for TCP keep-alive probes.
	KeepAlive bool
	// UnsentBytesMax is the number of unsent bytes above which a client that is told more is cut off as slow; 0 for
	// the default.
	UnsentBytesMax int
	// TLS has every connection shake hands first; nil for a port without. With Unified those that do not begin a
	// handshake are let in as well.
	TLS     *secure.TLS
	Unified bool
	// DropEarly, if set, is asked before a handshake: true closes the connection, and saves the work.
	DropEarly func() bool
	// Hooks are told what happens, for metrics.
	Hooks Hooks
	// Clock is the time; nil for time.Now.
	Clock func() time.Time
}

// Hooks count. Each may be nil; they are called from many goroutines and must not block.
type Hooks struct {
	Connects func()                               // a client asks for a session
	Closed   func(reason string)                  // a connection is gone
	Rejected func(reason string, from netip.Addr) // a connection was closed at once: max_client_cnxns, max_cnxns, descriptors
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "client port"
	}
	if o.JuteMaxBuffer == 0 {
		o.JuteMaxBuffer = JuteMaxBufferDefault
	}
	if o.SessionlessTimeout <= 0 {
		o.SessionlessTimeout = SessionlessTimeoutDefault
	}
	if o.UnsentBytesMax <= 0 {
		o.UnsentBytesMax = UnsentBytesMaxDefault
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Hooks.Connects == nil {
		o.Hooks.Connects = func() {}
	}
	if o.Hooks.Closed == nil {
		o.Hooks.Closed = func(string) {}
	}
	if o.Hooks.Rejected == nil {
		o.Hooks.Rejected = func(string, netip.Addr) {}
	}
	return o
}
