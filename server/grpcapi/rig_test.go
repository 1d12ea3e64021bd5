package grpcapi

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/auth"
	"paddock/server/driver"
	"paddock/server/replica"
	"paddock/server/request"
	"paddock/storage/tree"
)

// memoryLog is a log that forgets.
type memoryLog struct{}

func (memoryLog) Frame(dst, payload []byte) []byte     { return append(dst, payload...) }
func (memoryLog) Write([]byte, zk.Zxid, zk.Zxid) error { return nil }
func (memoryLog) Sync() error                          { return nil }
func (memoryLog) Roll() error                          { return nil }

// rig is a server on its own behind a gRPC door, in this process.
type rig struct {
	t      testing.TB
	driver *driver.Driver
	server *Server
	addr   string
	conn   *grpc.ClientConn
	znodes paddockv1.ZnodeServiceClient
	sess   paddockv1.SessionServiceClient
	stop   func()
}

// newRig starts it. The changes are made to its options before it starts.
func newRig(t testing.TB, change ...func(*Options, *replica.Config)) *rig {
	t.Helper()
	authority, err := auth.New(auth.Config{SuperDigest: "super:" + "D/InIHSb7yEEbrWz8b9l71RjZJU="})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	cfg := replica.Config{ServerID: 1, Auth: authority, TickMS: 100, MinSessionMS: 200, MaxSessionMS: 60_000, SnapshotTxns: 1 << 30, Seed: 1}
	opt := Options{
		Status:       func() Status { return Status{State: StateServing} },
		Handler:      func() request.Handler { return r.driver },
		Feed:         func() Feed { return r.driver.Feed() },
		Authenticate: authority.Authenticate, SyncConfirmed: func() bool { return true },
		View: func(ctx context.Context, paths ...string) (*driver.View, []tree.Ref, error) {
			return r.driver.View(ctx, paths...)
		},
		TxnAt: func(ctx context.Context, z zk.Zxid) (*txn.Record, error) { return r.driver.TxnAt(ctx, z) }, Allowed: authority.Check,
		SessionTimeout: func(ctx context.Context, id zk.SessionID) (ms int32, ok bool) {
			r.driver.Inspect(ctx, func(rep *replica.Replica, _ *driver.Stats) { ms, ok = rep.TimeoutOf(id) })
			return ms, ok
		},
	}
	for _, f := range change {
		f(&opt, &cfg)
	}
	rep, err := replica.New(cfg, tree.New(1), 0, time.Now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	r.driver = driver.New(driver.Options{
		Replica: rep, Log: memoryLog{}, TickEvery: 20 * time.Millisecond, Snapshot: func(context.Context, *tree.View) error { return nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.driver.Run(ctx) }() // ends with stop
	for serves := false; !serves; {            // as a server hands out its handler once it does
		if !r.driver.Inspect(t.Context(), func(rep *replica.Replica, _ *driver.Stats) { serves = rep.Answers() }) {
			t.Fatal("the driver has ended")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	r.server = New(opt)
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(l) }() // ends with stop
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			settle, done := context.WithTimeout(context.Background(), 5*time.Second)
			defer done()
			r.server.Settle(settle)
			r.server.Stop()
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("driver: %v", err)
			}
		})
	}
	t.Cleanup(r.stop)
	r.conn = r.dial()
	r.znodes, r.sess = paddockv1.NewZnodeServiceClient(r.conn), paddockv1.NewSessionServiceClient(r.conn)
	return r
}

// dial makes another connection.
func (r *rig) dial() *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+r.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// open opens a session and returns a context whose calls name it.
func (r *rig) open(timeoutMS int32) (context.Context, *paddockv1.OpenSessionResponse) {
	r.t.Helper()
	s, err := r.sess.OpenSession(r.t.Context(), &paddockv1.OpenSessionRequest{TimeoutMs: timeoutMS})
	if err != nil {
		r.t.Fatal(err)
	}
	return naming(r.t.Context(), s), s
}

// naming makes the calls of a context name a session.
func naming(ctx context.Context, s *paddockv1.OpenSessionResponse) context.Context {
	return metadata.AppendToOutgoingContext(ctx, metadataSession, fmt.Sprint(s.GetSessionId()), metadataPassword, s.GetPassword())
}

// create makes a persistent znode that must not be there.
func (r *rig) create(path, data string) *paddockv1.CreateResponse {
	r.t.Helper()
	out, err := r.znodes.Create(r.t.Context(), &paddockv1.CreateRequest{Path: path, Data: []byte(data), Parents: true})
	if err != nil {
		r.t.Fatalf("create %s: %v", path, err)
	}
	return out
}

// expect checks the code and the reason of an error; OK and "" for none.
func expect(t testing.TB, err error, code codes.Code, reason string) *errdetails.ErrorInfo {
	t.Helper()
	s := status.Convert(err)
	var info *errdetails.ErrorInfo
	for _, d := range s.Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok {
			info = i
		}
	}
	if s.Code() != code || info.GetReason() != reason {
		t.Errorf("got %v %q (%v), want %v %q", s.Code(), info.GetReason(), err, code, reason)
	}
	return info
}
