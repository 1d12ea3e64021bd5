package zk

import "paddock/internal/jute"

// Reply is the answer to any request, one struct for all opcodes. Which fields an opcode uses is written in body.
// Slices and strings of a reply that the server hands out are only valid until its next step.
type Reply struct {
	Xid     int32
	Op      OpCode
	Err     Code
	Zxid    Zxid
	Stat    Stat
	Number  int32 // getAllChildrenNumber; addWatch: always 0
	Path    string
	Data    []byte
	Names   []string // getChildren, getChildren2, getEphemerals
	ACL     []ACL
	IDs     []ID    // whoAmI
	Branch  Branch  // transact; never on the wire
	Results []Reply // multi, multiRead, transact: Op is OpError where Err alone counts

	// PartialBody keeps Results in the body although Err is set: a multi or multiRead that ZooKeeper stumbles over.
	PartialBody bool
}

// ReplyHeaderBytes is the size of a reply's header: xid, zxid and error.
const ReplyHeaderBytes = 16

// Special xids.
const (
	XidNotification int32 = -1
	XidPing         int32 = -2
	XidAuth         int32 = -4
	XidSetWatches   int32 = -8
)

// Jute codes header and body. A reader sets Op first, since the wire does not tell it.
func (r *Reply) Jute(c *jute.Coder) {
	c.Int32(&r.Xid)
	r.Zxid.Jute(c)
	c.Int32((*int32)(&r.Err))
	if c.Err() != nil {
		return
	}
	switch {
	case r.Err == OK:
		r.body(c)
	case r.PartialBody && !c.Reading():
		r.results(c)
	}
}

// body names the fields of each opcode's response.
func (r *Reply) body(c *jute.Coder) {
	switch r.Op {
	case OpError: // inside a multi only
		c.Int32((*int32)(&r.Err))
	case OpCreate, OpSync:
		c.String(&r.Path)
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		c.String(&r.Path)
		r.Stat.Jute(c)
	case OpExists, OpSetData, OpSetACL:
		r.Stat.Jute(c)
	case OpGetData, OpReconfig:
		c.Buffer(&r.Data)
		r.Stat.Jute(c)
	case OpGetACL:
		CodeACL(c, &r.ACL)
		r.Stat.Jute(c)
	case OpGetChildren, OpGetEphemerals:
		c.Strings(&r.Names)
	case OpGetChildren2:
		c.Strings(&r.Names)
		r.Stat.Jute(c)
	case OpGetAllChildrenNumber, OpAddWatch:
		c.Int32(&r.Number)
	case OpWhoAmI:
		const idBytesMin = 8
		jute.Vector(c, &r.IDs, idBytesMin, func(c *jute.Coder, i *ID) { i.Jute(c) })
	case OpMulti, OpMultiRead:
		r.results(c)
	case OpSASL:
		c.Buffer(&r.Data)
	default: // delete, check, ping, auth, closeSession, setWatches, checkWatches, removeWatches: none
	}
}

// ConnectResponse answers a ConnectRequest. A refused session has zeros in every field.
type ConnectResponse struct {
	ProtocolVersion int32
	TimeoutMS       int32
	Session         SessionID
	Password        [PasswordBytes]byte
	ReadOnly        bool
	Old             bool // leave ReadOnly out
}

// Jute codes the record.
func (r *ConnectResponse) Jute(c *jute.Coder) {
	c.Int32(&r.ProtocolVersion)
	c.Int32(&r.TimeoutMS)
	r.Session.Jute(c)
	p := r.Password[:]
	c.Buffer(&p)
	if c.Reading() {
		copy(r.Password[:], p)
		r.Old = c.Err() == nil && c.Left() == 0
	}
	if !r.Old {
		c.Bool(&r.ReadOnly)
	}
}

// EventType is what happened to a znode.
type EventType int32

// The events a server sends.
const (
	NodeCreated         EventType = 1
	NodeDeleted         EventType = 2
	NodeDataChanged     EventType = 3
	NodeChildrenChanged EventType = 4
)

// NodeACLChanged is what no ZooKeeper tells, and is never sent as an event: a znode has got another access list.
const NodeACLChanged EventType = -2

// String is ZooKeeper's name of the event.
func (t EventType) String() string {
	switch t {
	case NodeCreated:
		return "NodeCreated"
	case NodeDeleted:
		return "NodeDeleted"
	case NodeDataChanged:
		return "NodeDataChanged"
	case NodeChildrenChanged:
		return "NodeChildrenChanged"
	case NodeACLChanged:
		return "NodeACLChanged"
	default:
		return "EventType(" + itoa(int64(t)) + ")"
	}
}

// syncConnected is the only state a server ever puts into an event.
const syncConnected int32 = 3

// Event is a watch that fired, with the zxid of the change (-1 for what setWatches catches up on).
type Event struct {
	Zxid  Zxid
	Type  EventType
	State int32 // set when read; written as SyncConnected
	Path  string
}

// Jute codes the whole packet: a reply header with xid -1, then type, state and path.
func (e *Event) Jute(c *jute.Coder) {
	xid, code := XidNotification, int32(OK)
	if !c.Reading() {
		e.State = syncConnected
	}
	c.Int32(&xid)
	e.Zxid.Jute(c)
	c.Int32(&code)
	c.Int32((*int32)(&e.Type))
	c.Int32(&e.State)
	c.String(&e.Path)
}
