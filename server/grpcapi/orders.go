package grpcapi

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/jute"
	"paddock/internal/zk"
	"paddock/server/request"
)

// entrance is the server's handler, once there is one.
func (a *adminServer) entrance() (request.Handler, error) {
	if a.handler != nil {
		if h := a.handler(); h != nil {
			return h, nil
		}
	}
	return nil, fault(codes.Unavailable, reasonOf(zk.ConnectionLoss), "the server is still starting; ask again", retrySoon)
}

// origin is how the server sees a caller. Who opened the socket in the data directory may do what the superuser may.
func (c *caller) origin() request.Origin {
	o := request.Origin{Addr: c.addr, IP: c.ip, Secure: c.secure}
	for _, id := range c.ids {
		if id.Scheme != schemeIP {
			o.IDs = append(o.IDs, id)
		}
	}
	if c.operator {
		o.Addr, o.IP = SocketName, "127.0.0.1"
		o.IDs = append(o.IDs, zk.ID{Scheme: schemeSuper})
	}
	return o
}

// Reconfigure implements the service. The server judges it as it does ZooKeeper's reconfig.
func (a *adminServer) Reconfigure(ctx context.Context, in *paddockv1.ReconfigureRequest) (*paddockv1.ReconfigureResponse, error) {
	who, err := callerOf(ctx, a.authenticate)
	if err != nil {
		return nil, err
	}
	members, err := membersOf(in)
	if err != nil {
		return nil, err
	}
	h, err := a.entrance()
	if err != nil {
		return nil, err
	}
	r, err := errand(ctx, h, who.origin(), zk.ConnectRequest{}, &zk.Request{Op: zk.OpReconfig, Members: members})
	if err = judged(&r, err, zk.ConfigPath, nil); err != nil {
		return nil, err
	}
	out := &paddockv1.ReconfigureResponse{Text: string(r.Data), Version: uint64(r.Zxid)}
	if _, hex, ok := strings.Cut(out.GetText(), "\nversion="); ok {
		if version, err := strconv.ParseUint(hex, 16, 64); err == nil {
			out.Version = version
		}
	}
	return out, nil
}

// membersOf is what is asked for in the form of ZooKeeper's protocol.
func membersOf(in *paddockv1.ReconfigureRequest) (*zk.Members, error) {
	whole, parts := len(in.GetMembers()) > 0, len(in.GetJoining()) > 0 || len(in.GetLeaving()) > 0
	switch {
	case whole == parts:
		return nil, invalid("", "ask for members, or for joining and leaving: one of the two")
	case in.GetFromVersion() > 1<<63-1:
		return nil, invalid("", "from_version is not the version of a configuration")
	}
	for _, line := range slices.Concat(in.GetMembers(), in.GetJoining()) {
		if strings.ContainsAny(line, ",\n") || !strings.HasPrefix(line, "server.") {
			return nil, invalid("", "%.80q is not of the form server.N=host:port:port:role;clientAddress", line)
		}
	}
	m := &zk.Members{Joining: jute.Null(), Leaving: jute.Null(), Whole: jute.Null(), Version: int64(in.GetFromVersion())}
	if m.Version == 0 {
		m.Version = -1
	}
	if whole {
		m.Whole = strings.Join(in.GetMembers(), ",")
		return m, nil
	}
	if len(in.GetJoining()) > 0 {
		m.Joining = strings.Join(in.GetJoining(), ",")
	}
	var leaving []string
	for _, id := range in.GetLeaving() {
		leaving = append(leaving, strconv.FormatInt(id, 10))
	}
	if len(leaving) > 0 {
		m.Leaving = strings.Join(leaving, ",")
	}
	return m, nil
}

// ExpireSession implements the service: the session's end is asked for in its own name, which any leader understands.
func (a *adminServer) ExpireSession(ctx context.Context, in *paddockv1.ExpireSessionRequest) (*paddockv1.ExpireSessionResponse, error) {
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	if in.GetSessionId() == 0 {
		return nil, invalid("", "session_id is 0, which is no session")
	}
	h, err := a.entrance()
	if err != nil {
		return nil, err
	}
	id := zk.SessionID(in.GetSessionId())
	password := id.Password()
	operator := caller{operator: true}
	r, err := errand(ctx, h, operator.origin(), zk.ConnectRequest{Session: id, Password: password[:], ReadOnly: true}, &zk.Request{Op: zk.OpCloseSession})
	if err = judged(&r, err, "", nil); err != nil {
		return nil, err
	}
	return &paddockv1.ExpireSessionResponse{}, nil
}

// TakeSnapshot implements the service.
func (a *adminServer) TakeSnapshot(ctx context.Context, _ *paddockv1.TakeSnapshotRequest) (*paddockv1.TakeSnapshotResponse, error) {
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	zxid, err := a.operator.TakeSnapshot(ctx)
	if err != nil {
		return nil, refused(err)
	}
	return &paddockv1.TakeSnapshotResponse{Zxid: uint64(zxid), TookMs: time.Since(began).Milliseconds()}, nil
}

// Bounds of a snapshot that is sent.
const (
	chunkBytes = 256 << 10   // of a piece
	stallMax   = time.Minute // for a piece to be taken; whoever is slower is cut, since what it reads is held for it
)

// errStalled ends a snapshot whose reader does not read.
var errStalled = errors.New("the client has not read for too long")

// chunks hands a snapshot over in pieces.
type chunks struct {
	ctx    context.Context
	pieces chan *paddockv1.StreamSnapshotResponse
	zxid   zk.Zxid // in the first piece
}

// Write implements io.Writer.
func (c *chunks) Write(b []byte) (n int, err error) {
	for piece := range slices.Chunk(b, chunkBytes) {
		select {
		case c.pieces <- &paddockv1.StreamSnapshotResponse{Zxid: uint64(c.zxid), Chunk: slices.Clone(piece)}:
		case <-c.ctx.Done():
			return n, c.ctx.Err()
		case <-time.After(stallMax):
			return n, errStalled
		}
		n, c.zxid = n+len(piece), 0
	}
	return n, nil
}

// StreamSnapshot implements the service. A goroutine of its own writes the snapshot, so that a client that does not read does not
// keep the server's memory.
func (a *adminServer) StreamSnapshot(_ *paddockv1.StreamSnapshotRequest, stream grpc.ServerStreamingServer[paddockv1.StreamSnapshotResponse]) error {
	if err := a.allowed(stream.Context()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	out := &chunks{ctx: ctx, pieces: make(chan *paddockv1.StreamSnapshotResponse)}
	ended := make(chan error, 1)
	go func() { // ends before this call does
		err := a.operator.StreamSnapshot(ctx, func(z zk.Zxid) io.Writer {
			out.zxid = z
			return out
		})
		close(out.pieces)
		ended <- err
	}()
	defer func() {
		cancel()
		for range out.pieces {
		}
	}()
	for piece := range out.pieces {
		if err := stream.Send(piece); err != nil {
			return err
		}
	}
	switch err := <-ended; {
	case errors.Is(err, errStalled):
		return fault(codes.ResourceExhausted, "SLOW_READER", err.Error())
	case err != nil:
		return refused(err)
	default:
		return nil
	}
}

// SetLogLevel implements the service.
func (a *adminServer) SetLogLevel(ctx context.Context, in *paddockv1.SetLogLevelRequest) (*paddockv1.SetLogLevelResponse, error) {
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, in.GetLevel()) {
		return nil, invalid("", "level %.20q: write trace, debug, info, warn or error", in.GetLevel())
	}
	previous, err := a.operator.SetLogLevel(in.GetLevel())
	if err != nil {
		return nil, refused(err)
	}
	return &paddockv1.SetLogLevelResponse{Previous: previous}, nil
}

// ResetStatistics implements the service.
func (a *adminServer) ResetStatistics(ctx context.Context, _ *paddockv1.ResetStatisticsRequest) (*paddockv1.ResetStatisticsResponse, error) {
	if err := a.allowed(ctx); err != nil {
		return nil, err
	}
	a.operator.ResetStatistics()
	return &paddockv1.ResetStatisticsResponse{}, nil
}
