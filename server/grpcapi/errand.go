package grpcapi

import (
	"context"

	"google.golang.org/grpc/codes"

	"paddock/internal/zk"
	"paddock/server/request"
)

// errandTimeoutMS is what an errand asks as the timeout of a session of its own; the server has a least one.
const errandTimeoutMS = 10000

// errand asks one request in the session that hello names, or in one of its own, which ends with it. Errors are gRPC statuses; the
// reply's Err is the caller's to judge.
func errand(ctx context.Context, h request.Handler, from request.Origin, hello zk.ConnectRequest, req *zk.Request) (zk.Reply, error) {
	hello.TimeoutMS = errandTimeoutMS
	l := openLine(h, from, &hello)
	defer l.close(request.CloseUnknown)
	if _, err := l.session(ctx); err != nil {
		if hello.Session != 0 && l.gone() && l.why == request.CloseSessionRefused {
			err = fault(codes.NotFound, reasonOf(zk.SessionExpired), "there is no such session: it has expired or was closed")
		}
		return zk.Reply{}, err
	}
	rep, err := l.ask(ctx, req)
	if err == nil && hello.Session == 0 {
		_, _ = l.ask(ctx, &zk.Request{Op: zk.OpCloseSession}) // if it is not done the session expires
	}
	return rep, err
}
