package zk

import "strconv"

// OpCode is what a request asks for and, for writes, what a txn did.
type OpCode int32

// The opcodes of requests and txns.
const (
	OpError                OpCode = -1
	OpCreateSession        OpCode = -10
	OpCloseSession         OpCode = -11
	OpNotification         OpCode = 0
	OpCreate               OpCode = 1
	OpDelete               OpCode = 2
	OpExists               OpCode = 3
	OpGetData              OpCode = 4
	OpSetData              OpCode = 5
	OpGetACL               OpCode = 6
	OpSetACL               OpCode = 7
	OpGetChildren          OpCode = 8
	OpSync                 OpCode = 9
	OpPing                 OpCode = 11
	OpGetChildren2         OpCode = 12
	OpCheck                OpCode = 13
	OpMulti                OpCode = 14
	OpCreate2              OpCode = 15
	OpReconfig             OpCode = 16
	OpCheckWatches         OpCode = 17
	OpRemoveWatches        OpCode = 18
	OpCreateContainer      OpCode = 19
	OpDeleteContainer      OpCode = 20
	OpCreateTTL            OpCode = 21
	OpMultiRead            OpCode = 22
	OpAuth                 OpCode = 100
	OpSetWatches           OpCode = 101
	OpSASL                 OpCode = 102
	OpGetEphemerals        OpCode = 103
	OpGetAllChildrenNumber OpCode = 104
	OpSetWatches2          OpCode = 105
	OpAddWatch             OpCode = 106
	OpWhoAmI               OpCode = 107
	// OpTransact is Paddock's own: a multi with guards and two branches. Servers forward it to each other; no client of ZooKeeper's
	// protocol can ask for it, and what is logged is a multi.
	OpTransact OpCode = -20
)

// opInfo is what the server needs to know of an opcode before it looks at the body.
type opInfo struct {
	name   string
	client bool // accepted from clients at top level
}

// ZooKeeper compatibility: createSession and deleteContainer are accepted from clients by Java, although no
// client sends them; here they are unknown opcodes (docs/compatibility.md).
var opInfos = map[OpCode]opInfo{
	OpError: {"error", false}, OpCreateSession: {"createSession", false},
	OpCloseSession: {"closeSession", true}, OpNotification: {"notification", false},
	OpCreate: {"create", true}, OpDelete: {"delete", true}, OpExists: {"exists", true},
	OpGetData: {"getData", true}, OpSetData: {"setData", true}, OpGetACL: {"getACL", true},
	OpSetACL: {"setACL", true}, OpGetChildren: {"getChildren", true}, OpSync: {"sync", true},
	OpPing: {"ping", true}, OpGetChildren2: {"getChildren2", true}, OpCheck: {"check", false},
	OpMulti: {"multi", true}, OpCreate2: {"create2", true}, OpReconfig: {"reconfig", true},
	OpCheckWatches: {"checkWatches", true}, OpRemoveWatches: {"removeWatches", true},
	OpCreateContainer: {"createContainer", true}, OpDeleteContainer: {"deleteContainer", false},
	OpCreateTTL: {"createTTL", true}, OpMultiRead: {"multiRead", true}, OpAuth: {"auth", true},
	OpSetWatches: {"setWatches", true}, OpSASL: {"sasl", true},
	OpGetEphemerals: {"getEphemerals", true}, OpGetAllChildrenNumber: {"getAllChildrenNumber", true},
	OpSetWatches2: {"setWatches2", true}, OpAddWatch: {"addWatch", true}, OpWhoAmI: {"whoAmI", true},
	OpTransact: {"transact", false},
}

// String is ZooKeeper's name of the operation.
func (o OpCode) String() string {
	if i, ok := opInfos[o]; ok {
		return i.name
	}
	return "op(" + itoa(int64(o)) + ")"
}

// fromClient is opInfos' client column, for opcodes from 0.
var fromClient = func() (t [128]bool) {
	for o, i := range opInfos {
		if o >= 0 {
			t[o] = i.client
		}
	}
	return t
}()

// FromClient tells whether a client may send the opcode at top level, auth and SASL included.
func (o OpCode) FromClient() bool {
	return o >= 0 && int(o) < len(fromClient) && fromClient[o] || o == OpCloseSession
}

// IsWrite tells whether the operation becomes a txn.
func (o OpCode) IsWrite() bool {
	switch o {
	case OpCreate, OpDelete, OpSetData, OpSetACL, OpMulti, OpCreate2, OpReconfig, OpCreateContainer, OpDeleteContainer,
		OpCreateTTL, OpCreateSession, OpCloseSession, OpCheck, OpTransact:
		return true
	default:
		return false
	}
}

// ClientWrites tells whether a client, by whatever door, may ask for the operation and it becomes a txn.
func (o OpCode) ClientWrites() bool { return o.IsWrite() && o.FromClient() || o == OpTransact }

// IsCreate tells the five operations that make a znode.
func (o OpCode) IsCreate() bool {
	return o == OpCreate || o == OpCreate2 || o == OpCreateContainer || o == OpCreateTTL
}

// CreateMode is the flags field of a create request.
type CreateMode int32

// The create modes.
const (
	Persistent              CreateMode = 0
	Ephemeral               CreateMode = 1
	PersistentSequential    CreateMode = 2
	EphemeralSequential     CreateMode = 3
	Container               CreateMode = 4
	PersistentTTL           CreateMode = 5
	PersistentSequentialTTL CreateMode = 6
)

// Valid tells whether m is one of the seven modes.
func (m CreateMode) Valid() bool { return m >= Persistent && m <= PersistentSequentialTTL }

// IsEphemeral tells whether the znode dies with its session.
func (m CreateMode) IsEphemeral() bool { return m == Ephemeral || m == EphemeralSequential }

// IsSequential tells whether a counter is appended to the path.
func (m CreateMode) IsSequential() bool {
	return m == PersistentSequential || m == EphemeralSequential || m == PersistentSequentialTTL
}

// IsTTL tells whether the znode has a time to live.
func (m CreateMode) IsTTL() bool { return m == PersistentTTL || m == PersistentSequentialTTL }

func itoa(v int64) string { return strconv.FormatInt(v, 10) }
