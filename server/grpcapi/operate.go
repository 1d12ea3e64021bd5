package grpcapi

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// Operator carries out what an operator asks of a server. Its errors are a *Refusal where there is something to tell.
type Operator interface {
	// TransferLeadership has a server lead, or the one that is furthest if it is 0, and returns who leads.
	TransferLeadership(ctx context.Context, to int64) (leader int64, err error)
	// Stop has the server end, after moving leadership away if drain is set. It returns before the end.
	Stop(ctx context.Context, drain bool) error
	// TakeSnapshot has a snapshot written that has everything applied so far, and returns its zxid once it is durable.
	TakeSnapshot(ctx context.Context) (zk.Zxid, error)
	// StreamSnapshot writes a snapshot of this moment to what open returns for its zxid, as ZooKeeper's files have it.
	StreamSnapshot(ctx context.Context, open func(zk.Zxid) io.Writer) error
	// SetLogLevel has the server log from a level on (trace, debug, info, warn or error) and returns the one before.
	SetLogLevel(level string) (previous string, err error)
	// ResetStatistics sets counts and latencies back, of the server and of its connections.
	ResetStatistics()
}

// Refusal is why something was not done.
type Refusal struct {
	Reason  string
	Aborted bool // it was begun, and has not come to its end
}

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

// TransferLeadership implements the service.
func (a *adminServer) TransferLeadership(ctx context.Context, in *paddockv1.TransferLeadershipRequest) (*paddockv1.TransferLeadershipResponse, error) {
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	leader, err := a.operator.TransferLeadership(ctx, in.GetServerId())
	if err != nil {
		return nil, refused(err)
	}
	return &paddockv1.TransferLeadershipResponse{ServerId: leader}, nil
}

// Stop implements the service.
func (a *adminServer) Stop(ctx context.Context, in *paddockv1.StopRequest) (*paddockv1.StopResponse, error) {
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	if err := a.operator.Stop(ctx, in.GetDrain()); err != nil {
		return nil, refused(err)
	}
	return &paddockv1.StopResponse{}, nil
}

// allowed lets in operators: who has opened the socket in the data directory, which its owner alone may, and whose credentials
// are those of the superuser.
func (a *adminServer) allowed(ctx context.Context) error {
	c, err := callerOf(ctx, a.authenticate)
	if err != nil {
		return err
	}
	if !c.mayOperate() {
		return fault(codes.PermissionDenied, reasonOf(zk.NoAuth), "this is for operators: ask through the socket "+SocketName+
			" in the data directory, or with the credentials of the superuser")
	}
	if a.operator == nil {
		return fault(codes.Unimplemented, reasonOf(zk.Unimplemented), "this server takes no orders")
	}
	return nil
}

// refused is the status of what an operator has asked and was not done.
func refused(err error) error {
	var r *Refusal
	switch {
	case errors.As(err, &r) && r.Aborted:
		return fault(codes.Aborted, "NOT_COMPLETED", r.Reason)
	case errors.As(err, &r):
		return fault(codes.FailedPrecondition, "NOT_POSSIBLE", r.Reason)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	default:
		return fault(codes.Unavailable, reasonOf(zk.ConnectionLoss), err.Error(), retrySoon)
	}
}

// TransferLeadership asks the server at the other end of the connection. Errors are gRPC statuses.
func TransferLeadership(ctx context.Context, conn grpc.ClientConnInterface, to int64) (leader int64, err error) {
	out, err := paddockv1.NewAdminServiceClient(conn).TransferLeadership(ctx, &paddockv1.TransferLeadershipRequest{ServerId: to})
	return out.GetServerId(), err
}

// Stop asks the server at the other end of the connection. Errors are gRPC statuses.
func Stop(ctx context.Context, conn grpc.ClientConnInterface, drain bool) error {
	_, err := paddockv1.NewAdminServiceClient(conn).Stop(ctx, &paddockv1.StopRequest{Drain: drain})
	return err
}
