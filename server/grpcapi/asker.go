package grpcapi

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/request"
)

// asker is who makes a call, and the way by which what it asks reaches the server.
type asker struct {
	door    *door
	conn    *connection
	handler request.Handler
	*caller
	session *session // nil if the call names none
	ids     []zk.ID  // by which access is judged; never nil
}

// asker tells who makes the call that ctx belongs to, and attaches the session that it names. Errors are gRPC statuses.
func (d *door) asker(ctx context.Context) (asker, error) {
	h, err := d.handler()
	if err != nil {
		return asker{}, err
	}
	a := asker{door: d, handler: h, conn: connectionOf(ctx)}
	if a.conn == nil {
		return asker{}, fault(codes.Internal, reasonOf(zk.SystemError), "the call has come by no connection of this door")
	}
	said := headersOf(ctx)
	if a.caller, err = a.conn.caller(ctx, said, d.opt.Authenticate); err != nil {
		return asker{}, err
	}
	a.ids = a.caller.ids
	if a.session, err = d.named(ctx, said, a.conn, h, a.caller); err != nil {
		return asker{}, err
	}
	if a.session != nil {
		if added := a.session.identities(); len(added) > 0 {
			a.ids = merge(a.ids, added)
		}
	}
	return a, nil
}

// caller is who makes a call by this connection. What does not change from call to call is remembered.
func (c *connection) caller(ctx context.Context, h headers, authenticate Authenticate) (*caller, error) {
	authorization, peer, secure := h.all(metadataAuthorization), h.all(metadataPeer), h.all(metadataPeerSecure)
	if known := c.told.Load(); known != nil && known.authorization == authorization && known.peer == peer && known.secure == secure {
		return &known.caller, nil
	}
	who, err := callerOf(ctx, authenticate)
	if err != nil {
		return nil, err
	}
	if who.ids == nil {
		who.ids = []zk.ID{} // of nobody, which is not the same as not to say
	}
	known := &identified{authorization: authorization, peer: peer, secure: secure, caller: who}
	c.told.Store(known)
	return &known.caller, nil
}

// do runs one request: on the line of the call's session, else reads on the connection's guest and writes on the door's own session.
// The request is judged by the call's identities. The reply is the caller's to keep, and its Err the caller's to judge; an error is
// a gRPC status.
func (a *asker) do(ctx context.Context, req *zk.Request) (zk.Reply, error) {
	req.IDs = a.ids
	if a.door.opt.Tracer == nil {
		return a.pass(ctx, req)
	}
	return a.traced(ctx, req)
}

// pass is do without a look at what it is asked.
func (a *asker) pass(ctx context.Context, req *zk.Request) (zk.Reply, error) {
	if a.session != nil {
		return a.session.line.ask(ctx, req)
	}
	if req.Op == zk.OpSync { // it may take as long as the leader does, and reads must not wait for it
		l, err := a.door.barriers.reader(a.handler)
		if err != nil {
			return zk.Reply{}, err
		}
		return l.ask(ctx, req)
	}
	if !req.Op.IsWrite() {
		return a.conn.reader(a.handler, a.caller).ask(ctx, req)
	}
	l, err := a.door.own.writer(ctx, a.handler)
	if err != nil {
		return zk.Reply{}, err
	}
	return l.ask(ctx, req)
}

// read runs a request that changes nothing, as fresh as the options ask. The reply's Err is OK or one of allowed.
func (a *asker) read(ctx context.Context, req *zk.Request, opt *paddockv1.ReadOptions, allowed ...zk.Code) (zk.Reply, error) {
	if opt != nil {
		if err := a.freshen(ctx, opt); err != nil {
			return zk.Reply{}, err
		}
	}
	rep, err := a.do(ctx, req)
	if least := leastOf(opt.GetMinZxid()); err == nil && least > rep.Zxid {
		if err = a.catchUp(ctx, least); err != nil {
			return zk.Reply{}, err
		}
		rep, err = a.do(ctx, req)
	}
	return rep, judged(&rep, err, req.Path, allowed)
}

// judged is err, or the refusal of a request that was answered with an error that is not allowed.
func judged(rep *zk.Reply, err error, path string, allowed []zk.Code) error {
	if err != nil || rep.Err == zk.OK {
		return err
	}
	for _, c := range allowed {
		if rep.Err == c {
			return nil
		}
	}
	return refusal(rep.Err, path, rep.Zxid)
}

// freshen waits until this server has what the options' level asks for.
func (a *asker) freshen(ctx context.Context, opt *paddockv1.ReadOptions) error {
	var at level
	switch opt.GetLevel() {
	case paddockv1.ReadLevel_READ_LEVEL_UNSPECIFIED, paddockv1.ReadLevel_READ_LEVEL_LOCAL:
		return nil
	case paddockv1.ReadLevel_READ_LEVEL_SYNCED:
		at = levelSynced
	case paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE:
		at = levelLinearizable
	default:
		return invalid("", "read.level %d is none", opt.GetLevel())
	}
	_, err := a.door.barriers.pass(ctx, at)
	return err
}

// leastOf is min_zxid as a zxid. What is larger than any is ahead of every ensemble.
func leastOf(minZxid uint64) zk.Zxid { return zk.Zxid(min(minZxid, uint64(maxZxid))) }

// catchUp waits until this server is at a zxid, as far as the ensemble is.
func (a *asker) catchUp(ctx context.Context, least zk.Zxid) error {
	at, err := a.door.barriers.pass(ctx, levelSynced)
	if err == nil && at < least {
		err = fault(codes.FailedPrecondition, "ZXID_AHEAD",
			fmt.Sprintf("min_zxid %v is ahead of the ensemble, which is at %v: it is from another one, or was lost with its disks", least, at),
			about{zxid: at})
	}
	return err
}

// reach makes sure that this server is at a zxid, before a write.
func (a *asker) reach(ctx context.Context, minZxid uint64) error {
	least := leastOf(minZxid)
	if least == 0 {
		return nil
	}
	l := a.conn.reader(a.handler, a.caller)
	if a.session != nil {
		l = a.session.line
	}
	if zk.Zxid(l.zxid.Load()) >= least {
		return nil
	}
	return a.catchUp(ctx, least)
}
