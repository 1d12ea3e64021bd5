package zk

// Code is the outcome of a request, as numbered on the wire. It is data, never a Go error.
type Code int32

// The codes a server sends. Numbers that only clients make up are left out.
const (
	OK                           Code = 0
	SystemError                  Code = -1
	RuntimeInconsistency         Code = -2
	DataInconsistency            Code = -3
	ConnectionLoss               Code = -4
	MarshallingError             Code = -5
	Unimplemented                Code = -6
	OperationTimeout             Code = -7
	BadArguments                 Code = -8
	UnknownSession               Code = -12
	NewConfigNoQuorum            Code = -13
	ReconfigInProgress           Code = -14
	NoNode                       Code = -101
	NoAuth                       Code = -102
	BadVersion                   Code = -103
	NoChildrenForEphemerals      Code = -108
	NodeExists                   Code = -110
	NotEmpty                     Code = -111
	SessionExpired               Code = -112
	InvalidCallback              Code = -113
	InvalidACL                   Code = -114
	AuthFailed                   Code = -115
	SessionMoved                 Code = -118
	NotReadOnly                  Code = -119
	EphemeralOnLocalSession      Code = -120
	NoWatcher                    Code = -121
	RequestTimeout               Code = -122
	ReconfigDisabled             Code = -123
	SessionClosedRequireSaslAuth Code = -124
	QuotaExceeded                Code = -125
	ThrottledOp                  Code = -127
)

// codeNames are ZooKeeper's own names, which logs and gRPC errors use too.
var codeNames = map[Code]string{
	OK: "OK", SystemError: "SystemError", RuntimeInconsistency: "RuntimeInconsistency",
	DataInconsistency: "DataInconsistency", ConnectionLoss: "ConnectionLoss",
	MarshallingError: "MarshallingError", Unimplemented: "Unimplemented",
	OperationTimeout: "OperationTimeout", BadArguments: "BadArguments", UnknownSession: "UnknownSession",
	NewConfigNoQuorum: "NewConfigNoQuorum", ReconfigInProgress: "ReconfigInProgress", NoNode: "NoNode",
	NoAuth: "NoAuth", BadVersion: "BadVersion", NoChildrenForEphemerals: "NoChildrenForEphemerals",
	NodeExists: "NodeExists", NotEmpty: "NotEmpty", SessionExpired: "SessionExpired",
	InvalidCallback: "InvalidCallback", InvalidACL: "InvalidACL", AuthFailed: "AuthFailed",
	SessionMoved: "SessionMoved", NotReadOnly: "NotReadOnly",
	EphemeralOnLocalSession: "EphemeralOnLocalSession", NoWatcher: "NoWatcher",
	RequestTimeout: "RequestTimeout", ReconfigDisabled: "ReconfigDisabled",
	SessionClosedRequireSaslAuth: "SessionClosedRequireSaslAuth", QuotaExceeded: "QuotaExceeded",
	ThrottledOp: "ThrottledOp",
}

// String is ZooKeeper's name of the code.
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return "Code(" + itoa(int64(c)) + ")"
}
