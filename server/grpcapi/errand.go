package grpcapi

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"paddock/internal/zk"
	"paddock/server/request"
)

// errand is a client of the server for as long as one request lasts.
type errand struct {
	connected chan zk.ConnectResponse
	replied   chan zk.Reply
	closed    chan request.CloseReason
}

// errandTimeoutMS is what an errand asks as the timeout of a session of its own; the server has a least one.
const errandTimeoutMS = 10000

// run attaches to a session, or opens one if hello names none, asks, and returns a copy of the answer. A session of its own ends
// with it. Errors are gRPC statuses.
func run(ctx context.Context, h request.Handler, from request.Origin, hello zk.ConnectRequest, req zk.Request) (*zk.Reply, error) {
	e := &errand{make(chan zk.ConnectResponse, 1), make(chan zk.Reply, 2), make(chan request.CloseReason, 1)}
	id := h.Open(e, from)
	defer h.Close(id)
	hello.TimeoutMS = errandTimeoutMS
	h.Connect(id, &hello)
	select {
	case r := <-e.connected:
		if r.Session == 0 {
			return nil, status.Error(codes.NotFound, "there is no such session: it has expired or was closed")
		}
	case why := <-e.closed:
		return nil, errandClosed(why)
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	reqs := []zk.Request{req}
	if hello.Session == 0 {
		reqs = append(reqs, zk.Request{Xid: req.Xid + 1, Op: zk.OpCloseSession})
	}
	h.Submit(id, reqs)
	select {
	case r := <-e.replied:
		return &r, nil
	case why := <-e.closed:
		select {
		case r := <-e.replied: // both had come
			return &r, nil
		default:
			return nil, errandClosed(why)
		}
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// errandClosed tells why the server would not go on.
func errandClosed(why request.CloseReason) error {
	if why == request.CloseSessionRefused {
		return status.Error(codes.NotFound, "there is no such session: it has expired or was closed")
	}
	return status.Error(codes.Unavailable, "the server ended it: "+why.String()+"; ask again, or ask another server")
}

// Connected implements request.Sink.
func (e *errand) Connected(r *zk.ConnectResponse) { e.connected <- *r }

// Reply implements request.Sink.
func (e *errand) Reply(r *zk.Reply) {
	c := *r // of which a reconfiguration and the end of a session use nothing that is only lent, but for Data
	c.Data = append([]byte(nil), r.Data...)
	select {
	case e.replied <- c:
	default:
	}
}

// Event implements request.Sink: an errand watches nothing.
func (e *errand) Event(*zk.Event) {}

// Flush implements request.Sink.
func (e *errand) Flush() {}

// Close implements request.Sink.
func (e *errand) Close(why request.CloseReason) {
	select {
	case e.closed <- why:
	default:
	}
}

// Backlog implements request.Sink.
func (e *errand) Backlog() int { return 0 }
