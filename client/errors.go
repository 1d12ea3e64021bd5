package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason is why the server did not do something: ZooKeeper's name of the error, or one of Paddock's. It is an error itself, to compare with
// by errors.Is.
type Reason string

// Error is the reason's name.
func (r Reason) Error() string { return string(r) }

// The reasons that programs ask for most.
const (
	ErrNoNode         Reason = "NONODE"
	ErrNodeExists     Reason = "NODEEXISTS"
	ErrBadVersion     Reason = "BADVERSION"
	ErrNotEmpty       Reason = "NOTEMPTY"
	ErrNoAuth         Reason = "NOAUTH"
	ErrAuthFailed     Reason = "AUTHFAILED"
	ErrInvalidACL     Reason = "INVALIDACL"
	ErrBadArguments   Reason = "BADARGUMENTS"
	ErrSessionExpired Reason = "SESSIONEXPIRED"
	ErrSessionMoved   Reason = "SESSIONMOVED"
	ErrQuotaExceeded  Reason = "QUOTAEXCEEDED"
	ErrHistoryGone    Reason = "HISTORY_GONE"  // a watch cannot start there any more: list again
	ErrZxidAhead      Reason = "ZXID_AHEAD"    // the ensemble has not come so far
	ErrPageGone       Reason = "PAGE_GONE"     // a list took too long, or its server is gone: list again
	ErrTooMany        Reason = "TOO_MANY"      // a recursive deletion would remove more than its limit
	ErrKeyReused      Reason = "KEY_REUSED"    // an idempotency key stands for another write
	ErrAnswerGone     Reason = "ANSWER_GONE"   // a write was done before; what it was answered is not known any more
	ErrLeaderCannot   Reason = "LEADER_CANNOT" // a Java leader cannot judge this guard
	ErrNotServing     Reason = "NOT_SERVING"   // the server has no quorum
)

// ErrClosed is what calls of a closed Client or Session fail with.
var ErrClosed = errors.New("closed")

// Error is a failure that the server told.
type Error struct {
	Code    codes.Code
	Reason  Reason // empty if it has none
	Message string
	Path    string // of the znode that it is about; empty if there is none
	Zxid    uint64 // that it is true at; 0 if it depends on none
	Retry   bool   // trying again helps
	// Operation is which operation of a transaction has failed, from 0; -1 if it is about none.
	Operation int
	after     time.Duration
}

// Error is the message with the reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Message)
}

// Is tells whether the error has the reason, or is a context's.
func (e *Error) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.Code == codes.DeadlineExceeded
	case context.Canceled:
		return e.Code == codes.Canceled
	}
	r, ok := target.(Reason)
	return ok && e.Reason == r
}

// GRPCStatus lets status.FromError and status.Code understand the error.
func (e *Error) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// typed makes an *Error of what a call returned.
func typed(err error) error {
	if err == nil {
		return nil
	}
	var already *Error
	if errors.As(err, &already) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	e := &Error{Code: st.Code(), Message: st.Message(), Operation: -1}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.about(d.GetReason(), d.GetMetadata())
		case *errdetails.RetryInfo:
			e.Retry, e.after = true, d.GetRetryDelay().AsDuration()
		}
	}
	return e
}

// about takes what is told beside code and message.
func (e *Error) about(reason string, metadata map[string]string) {
	e.Reason, e.Path = Reason(reason), metadata["path"]
	e.Zxid, _ = strconv.ParseUint(metadata["zxid"], 0, 64) // absent where there is none
	if n, err := strconv.Atoi(metadata["operation"]); err == nil {
		e.Operation = n
	}
}

// reasonOf is the reason of an error; empty if it has none.
func reasonOf(err error) Reason {
	var e *Error
	if errors.As(typed(err), &e) {
		return e.Reason
	}
	return ""
}
