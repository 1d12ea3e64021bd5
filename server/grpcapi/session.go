package grpcapi

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
)

// sessionTimeoutMS is the timeout of a session whose client names none.
const sessionTimeoutMS = 30_000

// sessionServer implements SessionService.
type sessionServer struct {
	paddockv1.UnimplementedSessionServiceServer
	door *door
}

// OpenSession opens a session.
func (s *sessionServer) OpenSession(ctx context.Context, in *paddockv1.OpenSessionRequest) (*paddockv1.OpenSessionResponse, error) {
	h, err := s.door.handler()
	if err != nil {
		return nil, err
	}
	who, err := connectionOf(ctx).caller(ctx, headersOf(ctx), s.door.opt.Authenticate)
	if err != nil {
		return nil, err
	}
	hello := zk.ConnectRequest{TimeoutMS: in.GetTimeoutMs(), Password: make([]byte, zk.PasswordBytes)}
	if hello.TimeoutMS < 0 {
		return nil, invalid("", "timeout_ms is %d; it must not be negative", hello.TimeoutMS)
	}
	if hello.TimeoutMS == 0 {
		hello.TimeoutMS = sessionTimeoutMS
	}
	l := openLine(h, origin(who), &hello)
	opened, err := l.session(ctx)
	if err != nil {
		l.close(0)
		return nil, err
	}
	session, err := s.door.adopt(l, &opened, who.addr)
	if err == nil {
		var rep zk.Reply
		if rep, err = l.ask(ctx, &zk.Request{Op: zk.OpPing}); err == nil {
			return &paddockv1.OpenSessionResponse{
				SessionId: int64(opened.Session), Password: session.password, TimeoutMs: opened.TimeoutMS, Zxid: uint64(rep.Zxid),
			}, nil
		}
	}
	_ = l.tell(&zk.Request{Op: zk.OpCloseSession}) // nobody will ever know it
	return nil, err
}

// mine is the session that a call names.
func (s *sessionServer) mine(ctx context.Context) (asker, error) {
	a, err := s.door.asker(ctx)
	if err == nil && a.session == nil {
		err = invalid("", "the call must name a session: %s and %s in its metadata", metadataSession, metadataPassword)
	}
	return a, err
}

// touch keeps a session alive and tells its timeout.
func (a *asker) touch(ctx context.Context) (timeoutMS int32, zxid zk.Zxid, err error) {
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpPing})
	if err = judged(&rep, err, "", nil); err != nil {
		return 0, 0, err
	}
	opened, err := a.session.line.session(ctx)
	return opened.TimeoutMS, rep.Zxid, err
}

// Touch keeps a session alive once.
func (s *sessionServer) Touch(ctx context.Context, _ *paddockv1.TouchRequest) (*paddockv1.TouchResponse, error) {
	a, err := s.mine(ctx)
	if err != nil {
		return nil, err
	}
	timeout, zxid, err := a.touch(ctx)
	if err != nil {
		return nil, err
	}
	return &paddockv1.TouchResponse{TimeoutMs: timeout, Zxid: uint64(zxid)}, nil
}

// KeepAlive keeps a session alive with each message. It ends with the session, and when that is taken up elsewhere.
func (s *sessionServer) KeepAlive(stream grpc.BidiStreamingServer[paddockv1.KeepAliveRequest, paddockv1.KeepAliveResponse]) error {
	ctx := stream.Context()
	a, err := s.mine(ctx)
	if err != nil {
		return err
	}
	came, gone := make(chan error), make(chan struct{})
	defer close(gone)
	go func() { // ends with the stream, which ends with this call
		for {
			_, err := stream.Recv()
			select {
			case came <- err:
			case <-gone:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case err := <-came:
			if err != nil {
				return streamEnd(err)
			}
		case <-a.session.line.over:
			return closedBy(a.session.line.why)
		case <-ctx.Done():
			return contextStatus(ctx)
		}
		timeout, zxid, err := a.touch(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(&paddockv1.KeepAliveResponse{TimeoutMs: timeout, Zxid: uint64(zxid)}); err != nil {
			return err
		}
	}
}

// streamEnd is how a stream ends that its client has ended: well, if it said so.
func streamEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// CloseSession ends a session.
func (s *sessionServer) CloseSession(ctx context.Context, _ *paddockv1.CloseSessionRequest) (*paddockv1.CloseSessionResponse, error) {
	a, err := s.mine(ctx)
	if err != nil {
		return nil, err
	}
	rep, err := a.do(ctx, &zk.Request{Op: zk.OpCloseSession})
	if err = judged(&rep, err, "", nil); err != nil {
		return nil, err
	}
	return &paddockv1.CloseSessionResponse{Zxid: uint64(rep.Zxid)}, nil
}

// AddAuth adds an identity to a session, while it is attached here.
func (s *sessionServer) AddAuth(ctx context.Context, in *paddockv1.AddAuthRequest) (*paddockv1.AddAuthResponse, error) {
	a, err := s.mine(ctx)
	if err != nil {
		return nil, err
	}
	if s.door.opt.Authenticate == nil {
		return nil, refusal(zk.AuthFailed, "", 0)
	}
	ids, ok := s.door.opt.Authenticate(in.GetScheme(), dataOf(in.GetCredential()), a.ip)
	if !ok {
		return nil, refusal(zk.AuthFailed, "", 0)
	}
	if err := a.session.add(ids); err != nil {
		return nil, err
	}
	_, _, err = a.touch(ctx)
	return &paddockv1.AddAuthResponse{}, err
}

// WhoAmI tells the identities of a call.
func (s *sessionServer) WhoAmI(ctx context.Context, _ *paddockv1.WhoAmIRequest) (*paddockv1.WhoAmIResponse, error) {
	a, err := s.door.asker(ctx)
	if err != nil {
		return nil, err
	}
	rep, err := a.read(ctx, &zk.Request{Op: zk.OpWhoAmI}, nil)
	if err != nil {
		return nil, err
	}
	out := &paddockv1.WhoAmIResponse{}
	for _, id := range rep.IDs {
		out.Identities = append(out.Identities, &paddockv1.Identity{Scheme: id.Scheme, Id: id.ID})
	}
	return out, nil
}

// ListEphemerals lists those of a session, but for the records of its idempotency keys.
func (s *sessionServer) ListEphemerals(ctx context.Context, in *paddockv1.ListEphemeralsRequest) (*paddockv1.ListEphemeralsResponse, error) {
	a, err := s.mine(ctx)
	if err != nil {
		return nil, err
	}
	if len(in.GetPrefix()) > pathBytesMax {
		return nil, invalid("", "the prefix has %d bytes; there may be %d", len(in.GetPrefix()), pathBytesMax)
	}
	rep, err := a.read(ctx, &zk.Request{Op: zk.OpGetEphemerals, Path: in.GetPrefix()}, in.GetRead())
	if err != nil {
		return nil, err
	}
	paths := slices.DeleteFunc(rep.Names, func(p string) bool {
		return strings.HasPrefix(p, oncePath+"/") || !strings.HasPrefix(p, in.GetPrefix())
	})
	slices.Sort(paths)
	return &paddockv1.ListEphemeralsResponse{Paths: paths, Zxid: uint64(rep.Zxid)}, nil
}
