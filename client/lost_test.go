package client_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/test/bufconn"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
)

// TestWhatTheEnsembleHasLostIsTold: it began anew, so that nobody will have for a long time what was told.
func TestWhatTheEnsembleHasLostIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const last = 9
		s := &stub{
			tree: func(*paddockv1.ListTreeRequest) (*paddockv1.ListTreeResponse, error) {
				return &paddockv1.ListTreeResponse{Zxid: last}, nil
			},
		}
		watches, observers := 0, 0
		s.watch = func(_ *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
			if watches++; watches == 1 {
				return first(tellAll(out, created(last)), failure(codes.Unavailable, "", true))
			}
			return tellAll(out, &paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Cancelled{Cancelled: &paddockv1.WatchCancelled{
				Reason: paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ZXID_AHEAD}}})
		}
		s.observe = func(_ *paddockv1.ObserveRequest, out grpc.ServerStreamingServer[paddockv1.ObserveResponse]) error {
			if observers++; observers == 1 {
				return first(out.Send(&paddockv1.ObserveResponse{Zxid: last}), failure(codes.Unavailable, "", true))
			}
			return failure(codes.FailedPrecondition, "ZXID_AHEAD", false)
		}
		c := within(t, s)
		began := time.Now()
		cache, err := c.Cache(t.Context(), "/a")
		if err != nil {
			t.Fatal(err)
		}
		if err := cache.Wait(t.Context(), last+1); !errors.Is(err, client.ErrZxidAhead) {
			t.Errorf("the cache ends with %v", err)
		}
		if took := time.Since(began); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("the cache ends after %v", took)
		}
		began = time.Now()
		var end error
		for _, err := range c.Leaders(t.Context(), "/e") {
			end = err
		}
		if took := time.Since(began); !errors.Is(end, client.ErrZxidAhead) || took < 30*time.Second || took > 40*time.Second {
			t.Errorf("the observer ends with %v after %v", end, took)
		}
	})
}

// within serves a stub to a client, without the network and for as long as the test lasts.
func within(t *testing.T, s *stub) *client.Client {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	g := grpc.NewServer()
	paddockv1.RegisterZnodeServiceServer(g, s)
	paddockv1.RegisterWatchServiceServer(g, s)
	paddockv1.RegisterElectionServiceServer(g, s)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }() // ends with Stop below
	c, err := client.Dial([]string{"passthrough:///stub"}, client.Options{DialOptions: []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		g.Stop()
		<-served
	})
	return c
}
