package grpcapi

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/txn"
	"paddock/internal/zk"
	"paddock/server/replica"
)

// lines is a log that is read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A panic ends its call, over the socket, within the process and of a stream, and nothing else.
func TestADefectEndsOneCall(t *testing.T) {
	log := &lines{}
	r := newRig(t, func(o *Options, _ *replica.Config) {
		o.Logger = zerolog.New(log).Level(zerolog.InfoLevel)
		o.TxnAt = func(context.Context, zk.Zxid) (*txn.Record, error) { panic("no such thing") }
	})
	r.create("/a", "x")
	ctx, _ := r.open(30_000)
	set := &paddockv1.SetRequest{Path: "/a", Data: []byte("y"), Options: &paddockv1.WriteOptions{IdempotencyKey: 7}}
	if _, err := r.znodes.Set(ctx, set); err != nil {
		t.Fatal(err)
	}
	inside := paddockv1.NewZnodeServiceClient(r.server.Inside(r.dial()))
	for name, call := range map[string]func() error{
		"over the socket":    func() error { _, err := r.znodes.Set(ctx, set); return err },
		"within the process": func() error { _, err := inside.Set(ctx, set); return err },
		"a stream": func() error {
			return r.server.containedStream("/x/Y", func(any, grpc.ServerStream) error { panic("nothing to follow") })(nil, nil)
		},
	} {
		expect(t, call(), codes.Internal, "RUNTIMEINCONSISTENCY")
		if rep, err := r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/a"}); err != nil || string(rep.GetData()) != "y" {
			t.Errorf("after %s: %v %v", name, rep, err)
		}
	}
	if got := log.String(); strings.Count(got, "a defect in the server ended a call") != 3 || !strings.Contains(got, "no such thing") || !strings.Contains(got, "once.go") {
		t.Errorf("logged %s", got)
	}
}
