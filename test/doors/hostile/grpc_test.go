//go:build doors

package hostile

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/test/doors/rig"
)

// raw is a codec that sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), b...)
	return nil
}
func (raw) Name() string { return "proto" }

func TestMessagesThatAreNoneAreRefused(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	for name, message := range map[string]string{
		"a path that is not UTF-8":     "\x0a\x02/\xff",
		"a path that is a number":      "\x08\x01/",
		"a length that is not kept":    "\x0a\x7f/",
		"a field that never ends":      strings.Repeat("\xff", 20),
		"a group that never ends":      "\x0b",
		"a tag of zero":                "\x00\x00",
		"groups that are 100,000 deep": strings.Repeat("\x7b", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			in, out := []byte(message), []byte(nil)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := conn.Invoke(ctx, paddockv1.ZnodeService_Get_FullMethodName, &in, &out, grpc.ForceCodec(raw{}))
			if code := status.Code(err); code != codes.Internal && code != codes.InvalidArgument || status.Convert(err).Message() == "" {
				t.Errorf("answered with %v", err)
			}
		})
	}
	healthy(t, s, conn)
}

func TestForgedMetadataChangesNothing(t *testing.T) {
	s := start(t)
	conn := dial(t, s)
	for _, key := range []string{"paddock-peer", "x-forwarded-for", "paddock-peer-secure", "forwarded"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), key, "10.9.8.7:1")
		out, err := paddockv1.NewSessionServiceClient(conn).WhoAmI(ctx, &paddockv1.WhoAmIRequest{})
		if err != nil || len(out.GetIdentities()) != 1 || out.GetIdentities()[0].GetId() != "127.0.0.1" {
			t.Errorf("with %s a client is %v, %v", key, out, err)
		}
		if _, err := paddockv1.NewAdminServiceClient(conn).ResetStatistics(ctx, &paddockv1.ResetStatisticsRequest{}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("with %s a client does what operators may: %v", key, err)
		}
	}
}

// floods are what one client does with a connection, as fast as it can, until ctx ends.
var floods = map[string]func(ctx context.Context, conn *grpc.ClientConn, i int){
	"calls": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		calls := paddockv1.NewZnodeServiceClient(conn)
		for ctx.Err() == nil {
			calls.Get(ctx, &paddockv1.GetRequest{Path: "/healthy"})
		}
	},
	"calls that are given up at once": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		calls := paddockv1.NewZnodeServiceClient(conn)
		for ctx.Err() == nil {
			one, cancel := context.WithTimeout(ctx, 200*time.Microsecond)
			calls.Set(one, &paddockv1.SetRequest{Path: "/healthy", Data: []byte("well")})
			cancel()
		}
	},
	"sessions that nobody closes": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		sessions := paddockv1.NewSessionServiceClient(conn)
		for n := 0; n < 200 && ctx.Err() == nil; n++ {
			sessions.OpenSession(ctx, &paddockv1.OpenSessionRequest{TimeoutMs: 4000})
		}
	},
	"streams of watches that nobody reads": func(ctx context.Context, conn *grpc.ClientConn, i int) {
		for n := 0; n < 100 && ctx.Err() == nil; n++ {
			stream, err := paddockv1.NewWatchServiceClient(conn).Watch(ctx)
			if err != nil {
				return
			}
			for id := int64(1); id <= 50; id++ {
				err := stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
					WatchId: id, Path: fmt.Sprintf("/flood/%d", i), Kind: paddockv1.WatchKind_WATCH_KIND_RECURSIVE, WithData: true,
				}}})
				if err != nil {
					break
				}
			}
		}
		<-ctx.Done()
	},
	"watches without end on one stream": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		stream, err := paddockv1.NewWatchServiceClient(conn).Watch(ctx)
		for id := int64(1); err == nil; id++ {
			err = stream.Send(&paddockv1.WatchRequest{Request: &paddockv1.WatchRequest_Create{Create: &paddockv1.CreateWatch{
				WatchId: id, Path: "/" + strings.Repeat("x", 1000), Kind: paddockv1.WatchKind_WATCH_KIND_PERSISTENT,
			}}})
		}
		<-ctx.Done()
	},
	"streams that say nothing": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		for n := 0; n < 200 && ctx.Err() == nil; n++ {
			paddockv1.NewSessionServiceClient(conn).KeepAlive(ctx)
			paddockv1.NewWatchServiceClient(conn).Watch(ctx)
		}
		<-ctx.Done()
	},
	"streams that are closed at once": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		for ctx.Err() == nil {
			if stream, err := paddockv1.NewWatchServiceClient(conn).Watch(ctx); err == nil {
				stream.CloseSend()
				one, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				paddockv1.NewZnodeServiceClient(conn).Sync(one, &paddockv1.SyncRequest{})
				cancel()
			}
		}
	},
	"pipelines that nobody reads": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		ask := &paddockv1.PipelineRequest{}
		for range 1000 {
			ask.Operations = append(ask.Operations, &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Get{Get: &paddockv1.GetRequest{Path: "/large"}}})
		}
		for n := 0; n < 200 && ctx.Err() == nil; n++ {
			if stream, err := paddockv1.NewZnodeServiceClient(conn).Pipeline(ctx); err == nil {
				stream.Send(ask)
				stream.Send(ask)
			}
		}
		<-ctx.Done()
	},
	"large writes by pipelines": func(ctx context.Context, conn *grpc.ClientConn, i int) {
		write := &paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Put{Put: &paddockv1.PutRequest{
			Path: fmt.Sprintf("/written/%d", i), Data: make([]byte, 900<<10), Parents: true,
		}}}
		ask := &paddockv1.PipelineRequest{Operations: []*paddockv1.PipelineOperation{write}}
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				stream, err := paddockv1.NewZnodeServiceClient(conn).Pipeline(ctx)
				for err == nil {
					err = stream.Send(ask)
				}
			})
		}
		all.Wait()
	},
	"large writes at a time": func(ctx context.Context, conn *grpc.ClientConn, i int) {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				for ctx.Err() == nil {
					paddockv1.NewZnodeServiceClient(conn).Put(ctx, &paddockv1.PutRequest{Path: fmt.Sprintf("/written/%d", i), Data: make([]byte, 900<<10), Parents: true})
				}
			})
		}
		all.Wait()
	},
	"pipelines of what cannot be done": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		ask := &paddockv1.PipelineRequest{Operations: make([]*paddockv1.PipelineOperation, 1000)}
		for i := range ask.Operations {
			ask.Operations[i] = &paddockv1.PipelineOperation{}
		}
		stream, err := paddockv1.NewZnodeServiceClient(conn).Pipeline(ctx)
		for err == nil {
			err = stream.Send(ask)
		}
	},
	"large writes": func(ctx context.Context, conn *grpc.ClientConn, _ int) {
		calls := paddockv1.NewZnodeServiceClient(conn)
		for ctx.Err() == nil {
			_, err := calls.Set(ctx, &paddockv1.SetRequest{Path: "/healthy", Data: make([]byte, 64<<20)})
			switch status.Code(err) {
			case codes.ResourceExhausted, codes.InvalidArgument:
			case codes.DeadlineExceeded, codes.Canceled: // the attack is over, which the server may know a moment before
				return
			default:
				panic(fmt.Sprint("64 MiB were answered with ", err))
			}
		}
	},
}

const (
	attackers = 10
	attack    = 4 * time.Second
)

func TestFloods(t *testing.T) {
	s := start(t)
	if resp, body := send(t, s, http.MethodPut, "/v1/znodes/large", strings.Repeat("x", 500<<10)); resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status, body)
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			under(t, s, func(t *testing.T) { attackWith(t, s, flood) })
		})
	}
}

// attackWith has attackers flood the server, each on a connection of its own, some of which just break off.
func attackWith(t *testing.T, s *rig.Server, flood func(context.Context, *grpc.ClientConn, int)) {
	ctx, cancel := context.WithTimeout(t.Context(), attack)
	defer cancel()
	var all sync.WaitGroup
	for i := range attackers {
		conn := dial(t, s)
		all.Go(func() {
			flood(ctx, conn, i)
			conn.Close()
		})
	}
	all.Wait()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) && ctx.Err() != nil {
		t.Error(ctx.Err())
	}
}
