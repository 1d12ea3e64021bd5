package zk

import "paddock/internal/jute"

// Request is any request of a client, one struct for all opcodes: what a door decodes is what is judged. Which
// fields an opcode uses is written in body. One struct, so that a batch of requests is one allocation.
type Request struct {
	Xid     int32
	Op      OpCode
	Watch   bool
	Mode    CreateMode // create family
	Version int32      // delete, setData, setACL, check: the version expected, -1 for any
	Arg     int32      // addWatch: AddWatchMode; checkWatches, removeWatches: WatcherType
	TTLMS   int64      // createTTL, milliseconds; -1 in every other create
	Path    string     // auth: the scheme
	Data    []byte     // auth, sasl: the credential
	ACL     []ACL
	Ops     []Request // multi, multiRead; transact: what is done if all Guards hold
	Guards  []Guard   // transact
	Else    []Request // transact: what is done otherwise
	Watches *Watches  // setWatches, setWatches2
	Members *Members  // reconfig

	// IDs are who asks, if it is not the client: access is judged by these identities and none of the client's. A watch that
	// the request sets is the client's all the same. Never on the wire between client and server.
	IDs []ID
	// Trace is filled in by the server as it works on the request; nil if nobody wants to know. Never on the wire.
	Trace *Trace

	// Near is where the server's tree probably has the znode at Path; 0 if that is not known. Never on the wire.
	Near uint32

	// Malformed tells that the body did not decode; the other fields mean nothing then, save Xid and Op.
	Malformed bool
}

// Watches are the lists of a setWatches request: what a client watched on the connection it lost.
type Watches struct {
	RelativeZxid                              Zxid // the client has seen everything up to here
	Data, Exist, Child, Persistent, Recursive []string
}

// Members are what a reconfig request wants of the ensemble: some servers to join and others to leave, or a whole new
// configuration. What is not asked for is null, which IsNull of jute tells from empty.
type Members struct {
	Joining string // server.N=… of each server to add or to change, separated by commas
	Leaving string // ids, separated by commas
	Whole   string // the text of a configuration; commas stand for newlines
	Version int64  // of the configuration that is to be replaced; -1 for any
}

// AddWatchMode is the mode of an addWatch request.
type AddWatchMode int32

// The modes of addWatch.
const (
	AddPersistent          AddWatchMode = 0
	AddPersistentRecursive AddWatchMode = 1
)

// WatcherType is what checkWatches and removeWatches are about.
type WatcherType int32

// The watcher types.
const (
	WatcherChildren            WatcherType = 1
	WatcherData                WatcherType = 2
	WatcherAny                 WatcherType = 3
	WatcherPersistent          WatcherType = 4
	WatcherPersistentRecursive WatcherType = 5
)

// HeaderBytes is the size of a request's header: xid and opcode.
const HeaderBytes = 8

// Jute codes header and body. Reading never fails for the sake of the body: a body that does not decode sets
// Malformed. A header that does not decode is the Coder's error. Surplus bytes are left unread. A client's transact is read as OpError, an
// opcode that nobody knows.
func (r *Request) Jute(c *jute.Coder) {
	c.Int32(&r.Xid)
	c.Int32((*int32)(&r.Op))
	if c.Err() != nil {
		return
	}
	if r.Op == OpTransact && c.Reading() {
		r.Op = OpError
	}
	r.Body(c)
}

// Body codes the record without its header, of which Op must be set; see Jute.
func (r *Request) Body(c *jute.Coder) {
	r.body(c)
	if c.Err() != nil {
		r.Malformed = true
	}
}

// body names the fields of each opcode's record.
func (r *Request) body(c *jute.Coder) {
	switch r.Op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		c.String(&r.Path)
		c.Buffer(&r.Data)
		CodeACL(c, &r.ACL)
		c.Int32((*int32)(&r.Mode))
		if r.Op == OpCreateTTL {
			c.Int64(&r.TTLMS)
		} else if c.Reading() {
			r.TTLMS = -1
		}
	case OpDelete, OpCheck:
		c.String(&r.Path)
		c.Int32(&r.Version)
	case OpExists, OpGetData, OpGetChildren, OpGetChildren2:
		c.String(&r.Path)
		c.Bool(&r.Watch)
	case OpSetData:
		c.String(&r.Path)
		c.Buffer(&r.Data)
		c.Int32(&r.Version)
	case OpSetACL:
		c.String(&r.Path)
		CodeACL(c, &r.ACL)
		c.Int32(&r.Version)
	case OpGetACL, OpSync, OpGetEphemerals, OpGetAllChildrenNumber, OpDeleteContainer:
		c.String(&r.Path)
	case OpCheckWatches, OpRemoveWatches, OpAddWatch:
		c.String(&r.Path)
		c.Int32(&r.Arg)
	case OpSetWatches, OpSetWatches2:
		if r.Watches == nil {
			r.Watches = new(Watches)
		}
		r.Watches.code(c, r.Op == OpSetWatches2)
	case OpMulti, OpMultiRead:
		r.multi(c)
	case OpTransact:
		r.transact(c)
	case OpAuth:
		c.Int32(&r.Arg)
		c.String(&r.Path)
		c.Buffer(&r.Data)
	case OpSASL:
		c.Buffer(&r.Data)
	case OpReconfig:
		if r.Members == nil {
			r.Members = new(Members)
		}
		c.String(&r.Members.Joining)
		c.String(&r.Members.Leaving)
		c.String(&r.Members.Whole)
		c.Int64(&r.Members.Version)
	default: // ping, whoAmI, closeSession: no body; unknown opcodes: none that we know
	}
}

// code names the lists; the last two exist in setWatches2 only.
func (w *Watches) code(c *jute.Coder, two bool) {
	w.RelativeZxid.Jute(c)
	c.Strings(&w.Data)
	c.Strings(&w.Exist)
	c.Strings(&w.Child)
	if two {
		c.Strings(&w.Persistent)
		c.Strings(&w.Recursive)
	}
}

// ConnectRequest opens a session, or takes one up again.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    Zxid
	TimeoutMS       int32
	Session         SessionID // 0 for a new one
	Password        []byte
	ReadOnly        bool
	// Old tells a client up to 3.3, which sends no ReadOnly and wants none back.
	Old bool
}

// Jute codes the record; ReadOnly is optional.
func (r *ConnectRequest) Jute(c *jute.Coder) {
	c.Int32(&r.ProtocolVersion)
	r.LastZxidSeen.Jute(c)
	c.Int32(&r.TimeoutMS)
	r.Session.Jute(c)
	c.Buffer(&r.Password)
	if c.Reading() {
		r.Old = c.Err() == nil && c.Left() == 0
	}
	if !r.Old {
		c.Bool(&r.ReadOnly)
	}
}
