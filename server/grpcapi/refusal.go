package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"paddock/internal/zk"
	"paddock/server/request"
)

// errorDomain is the domain of every google.rpc.ErrorInfo of this door.
const errorDomain = "paddock"

// When a client is told to ask again.
const (
	retryNow  = 10 * time.Millisecond
	retrySoon = 250 * time.Millisecond // elections take about as long
)

// detail is what a status says beside its code and text: a time.Duration (RetryInfo), or about (of the ErrorInfo).
type detail any

// about is the metadata of an ErrorInfo.
type about struct {
	path string
	zxid zk.Zxid // 0 if it is of no use
	more map[string]string
}

// fault makes a status with its ErrorInfo. reason is ZooKeeper's name of the error, in capitals, or one of this door.
func fault(code codes.Code, reason, text string, details ...detail) error {
	info := &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain}
	all := []protoadapt.MessageV1{protoadapt.MessageV1Of(info)}
	for _, d := range details {
		switch d := d.(type) {
		case time.Duration:
			all = append(all, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)}))
		case about:
			info.Metadata = map[string]string{}
			for k, v := range d.more {
				info.Metadata[k] = v
			}
			if d.path != "" {
				info.Metadata["path"] = d.path
			}
			if d.zxid > 0 {
				info.Metadata["zxid"] = strconv.FormatUint(uint64(d.zxid), 10)
			}
		}
	}
	s := status.New(code, text)
	if with, err := s.WithDetails(all...); err == nil {
		s = with
	}
	return s.Err()
}

// verdict is how a ZooKeeper error is told.
type verdict struct {
	code codes.Code
	text string
	wait time.Duration // after which to ask again; 0 if that is of no use
}

// verdicts are all codes that a server sends; the text follows the path, if there is one.
var verdicts = map[zk.Code]verdict{
	zk.SystemError:             {codes.Internal, "the server could not do it", 0},
	zk.RuntimeInconsistency:    {codes.Internal, "an operation before it in the transaction failed", 0},
	zk.DataInconsistency:       {codes.Internal, "the data is inconsistent", 0},
	zk.ConnectionLoss:          {codes.Unavailable, "the server has no quorum", retrySoon},
	zk.MarshallingError:        {codes.InvalidArgument, "the request is malformed", 0},
	zk.Unimplemented:           {codes.Unimplemented, "the server cannot do that, or its configuration does not allow it", 0},
	zk.OperationTimeout:        {codes.Unavailable, "it took too long", retrySoon},
	zk.BadArguments:            {codes.InvalidArgument, "an argument is not allowed", 0},
	zk.UnknownSession:          {codes.FailedPrecondition, "it needs a session: name one in the metadata", 0},
	zk.NewConfigNoQuorum:       {codes.FailedPrecondition, "the new configuration would have no quorum", 0},
	zk.ReconfigInProgress:      {codes.FailedPrecondition, "another reconfiguration is under way", retrySoon},
	zk.NoNode:                  {codes.NotFound, "there is no such znode", 0},
	zk.NoAuth:                  {codes.PermissionDenied, "its access list does not allow that", 0},
	zk.BadVersion:              {codes.FailedPrecondition, "it has another version than the one expected", 0},
	zk.NoChildrenForEphemerals: {codes.FailedPrecondition, "ephemerals have no children", 0},
	zk.NodeExists:              {codes.AlreadyExists, "the znode is there already", 0},
	zk.NotEmpty:                {codes.FailedPrecondition, "it has children", 0},
	zk.SessionExpired:          {codes.Unauthenticated, "the session is over: open another", 0},
	zk.InvalidCallback:         {codes.InvalidArgument, "the callback is invalid", 0},
	zk.NoWatcher:               {codes.NotFound, "there is no such watch", 0},
	zk.InvalidACL:              {codes.InvalidArgument, "the access list is not valid, or names nobody", 0},
	zk.AuthFailed:              {codes.Unauthenticated, "the credential is refused", 0},
	zk.SessionMoved:            {codes.Aborted, "the session was taken up elsewhere", retryNow},
	zk.NotReadOnly:             {codes.Unavailable, "the server has no quorum and serves reads only", retrySoon},
	zk.EphemeralOnLocalSession: {codes.FailedPrecondition, "a local session owns no ephemerals", 0},
	zk.RequestTimeout:          {codes.Unavailable, "it took too long", retrySoon},
	zk.ReconfigDisabled:        {codes.Unimplemented, "reconfiguration is switched off (reconfigEnabled)", 0},
	zk.SessionClosedRequireSaslAuth: {codes.Unauthenticated,
		"the server wants an identity of a scheme it enforces (enforce.auth.schemes)", 0},
	zk.QuotaExceeded: {codes.ResourceExhausted, "a quota is used up", 0},
	codeTooLarge:     {codes.ResourceExhausted, "the answer is too large: ask for less at once", 0},
	zk.ThrottledOp:   {codes.ResourceExhausted, "the server has too much to do", retrySoon},
}

// reasonOf is a code's name in Java's KeeperException.Code.
func reasonOf(c zk.Code) string {
	if c == codeTooLarge {
		return "TOO_LARGE"
	}
	return strings.ToUpper(c.String())
}

// refusal is the status of a request that was answered with an error.
func refusal(c zk.Code, path string, z zk.Zxid) error { return refusalOf(c, path, z, nil) }

// refusalOf is refusal with more metadata.
func refusalOf(c zk.Code, path string, z zk.Zxid, more map[string]string) error {
	v, known := verdicts[c]
	if !known {
		v = verdict{codes.Unknown, "unexpected error " + c.String(), 0}
	}
	text := v.text
	if path != "" {
		text = path + ": " + text
	}
	details := []detail{about{path: path, zxid: z, more: more}}
	if v.wait != 0 {
		details = append(details, v.wait)
	}
	return fault(v.code, reasonOf(c), text, details...)
}

// invalid is the status of a request that is refused for its own sake.
func invalid(path, format string, args ...any) error {
	return fault(codes.InvalidArgument, "BADARGUMENTS", fmt.Sprintf(format, args...), about{path: path})
}

// closedBy is the status of what was asked of a client that the server has closed.
func closedBy(why request.CloseReason) error {
	switch why {
	case request.CloseSessionRefused, request.CloseSessionExpired, request.CloseSessionClosed:
		return refusal(zk.SessionExpired, "", 0)
	case request.CloseSessionMoved, request.CloseSessionReattached:
		return refusal(zk.SessionMoved, "", 0)
	case request.CloseAuthRequired:
		return refusal(zk.SessionClosedRequireSaslAuth, "", 0)
	case request.CloseUnknownOp:
		return refusal(zk.Unimplemented, "", 0)
	case request.CloseMalformed:
		return refusal(zk.MarshallingError, "", 0)
	case request.CloseThrottled, request.CloseStale:
		return refusal(zk.ThrottledOp, "", 0)
	case request.CloseNotReadOnly:
		return refusal(zk.NotReadOnly, "", 0)
	case request.CloseShutdown:
		return fault(codes.Unavailable, reasonOf(zk.ConnectionLoss), "the server is stopping: ask another", retrySoon)
	default:
		return refusal(zk.ConnectionLoss, "", 0)
	}
}

// contextStatus is the status of a call that has waited as long as it may, and changed nothing by what it waited for.
func contextStatus(ctx context.Context) error { return contextEnd(ctx, "") }

// doubtStatus is contextStatus of a call that has asked for a write whose answer did not come.
func doubtStatus(ctx context.Context) error { return contextEnd(ctx, "; the write may have been done") }

// contextEnd tells how ctx ended.
func contextEnd(ctx context.Context, more string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return status.Error(codes.DeadlineExceeded, "the deadline has passed"+more)
	}
	return status.Error(codes.Canceled, "the call was given up"+more)
}
