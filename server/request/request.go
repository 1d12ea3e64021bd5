package request

import "paddock/internal/zk"

// ClientID names one connection of a client for as long as the process runs; it is never reused. A session
// may be served by several clients one after the other, never by two at once. 0 is the server itself.
type ClientID uint64

// Origin is what a door knows of a connection before it is let in.
type Origin struct {
	Addr   string  // remote address as host:port, for logs and cons
	IP     string  // remote IP without zone or port: the id of scheme ip, and what connections are counted by
	Secure bool    // came through TLS
	IDs    []zk.ID // identities beyond ip that the transport proved (x509)
	// Guest is a connection that needs no session: it is open at once, with session 0, and never expires. It reads and watches; its
	// writes are refused with UnknownSession. Connect is not for it. A server that serves nobody closes it at once.
	Guest bool
}

// Handler is the server as a door sees it. Its methods may be called from any goroutine; calls for one client must
// come one after the other, save Drained. None of them waits for the outcome: that arrives at the client's Sink.
type Handler interface {
	// Open announces a connection. It must be followed by one Close.
	Open(Sink, Origin) ClientID
	// Connect asks for a session; it comes once, before the first Submit. A guest has none.
	Connect(ClientID, *zk.ConnectRequest)
	// Submit hands over requests in the order they arrived. The handler keeps the slice and all it refers to. It
	// blocks while the server has more unanswered requests than it may hold. It may tell sinks something before it
	// returns, also of other clients: the caller holds no lock that they take.
	//
	// pass, if it is not nil, allows it to have the disk write and sync in this goroutine. If that takes long it calls pass, once and from
	// another, which has somebody else go on with the caller's work; then it returns false in the end, and the caller has nothing left to do.
	Submit(id ClientID, list []zk.Request, pass func()) (on bool)
	// Drained tells that the sink's Backlog has fallen below half of request.BacklogBytesMax after it had been above it.
	Drained(ClientID)
	// Close tells that the connection is gone. The session lives on until it expires. Nothing reaches the sink
	// after the sink's Close has been called or this call's effect has been taken up.
	Close(ClientID)
}

// BacklogBytesMax is the number of bytes waiting to be sent to one client above which its further requests are left
// unprocessed. Replies to requests already taken and events may go beyond it.
const BacklogBytesMax = 256 << 10

// Sink takes what the server tells one client, in order. All methods are called by the server's owner, for all clients
// one after the other, in whichever goroutine it works: they must not block and must not keep their arguments.
type Sink interface {
	// Connected answers Connect: an open session, or a refusal (zeros), which a Close follows.
	Connected(*zk.ConnectResponse)
	// Reply answers one request.
	Reply(*zk.Reply)
	// Event tells that a watch fired.
	Event(*zk.Event)
	// Flush ends a batch: what was handed over since the last Flush may now be sent.
	Flush()
	// Close asks the door to end the connection once everything handed over before is sent.
	Close(CloseReason)
	// Backlog is how many bytes wait to be sent. Above a bound the server leaves the client's further requests
	// unprocessed until it has sunk (Handler.Drained tells), and above a higher one it closes the connection.
	Backlog() int
}

// CloseReason is why the server ends a connection.
type CloseReason uint8

// The reasons.
const (
	CloseUnknown           CloseReason = iota
	CloseClientZxidAhead               // the client has seen a zxid that this server has not
	CloseNotReadOnly                   // this server is read-only and the client did not ask for that
	CloseSessionRefused                // wrong password, expired or unknown session
	CloseSessionClosed                 // the client closed its session
	CloseSessionExpired                // the session expired or was closed elsewhere
	CloseSessionReattached             // the session was taken up on another connection
	CloseSessionMoved                  // the session was taken up on another server
	CloseUnknownOp                     // unknown opcode
	CloseAuthFailed                    // authentication failed
	CloseAuthRequired                  // an identity of an enforced scheme is missing
	CloseMalformed                     // a header or an auth packet that does not decode
	CloseSlow                          // the client does not read what it is sent
	CloseThrottled                     // the connection token bucket is empty
	CloseStale                         // a request of this connection was dropped as stale
	CloseShutdown                      // the server stops
	CloseNotServing                    // the server has no quorum, or has just lost it
)

var closeNames = [...]string{"unknown", "client_zxid_ahead", "not_read_only_client", "session_refused", "session_closed",
	"session_expired", "session_reattached", "session_moved", "unknown_op", "auth_failed", "auth_required", "malformed",
	"slow_client", "throttled", "stale_request", "shutdown", "not_serving"}

// String is the reason as logs and metrics name it.
func (r CloseReason) String() string {
	if int(r) < len(closeNames) {
		return closeNames[r]
	}
	return "unknown"
}
