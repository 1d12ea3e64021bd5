package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"paddock/client"
	paddockv1 "paddock/gen/paddock/v1"
)

// Pipeline does as a test tells it.
func (s *stub) Pipeline(stream grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) error {
	s.mu.Lock()
	f := s.pipeline
	s.mu.Unlock()
	if f == nil {
		return status.Error(codes.Unavailable, "not here")
	}
	return f(stream)
}

// echo answers an operation with its path as data.
func echo(op *paddockv1.PipelineOperation) *paddockv1.PipelineResult {
	if path := op.GetGet().GetPath(); path != "/none" {
		return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Get{Get: &paddockv1.GetResponse{Data: []byte(path), Stat: &paddockv1.Stat{}}}}
	}
	return &paddockv1.PipelineResult{Result: &paddockv1.PipelineResult_Error{Error: &paddockv1.PipelineError{
		Code: int32(codes.NotFound), Message: "/none: there is no such znode", Reason: "NONODE", Metadata: map[string]string{"path": "/none", "zxid": "7"},
	}}}
}

func TestAPipelineMatchesAnswersToRequests(t *testing.T) {
	s := serve(t, &stub{pipeline: func(stream grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) error {
		for {
			in, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if n := len(in.GetOperations()); n > 1000 {
				return status.Errorf(codes.InvalidArgument, "%d operations", n)
			}
			out := &paddockv1.PipelineResponse{}
			for i, op := range in.GetOperations() {
				out.Results = append(out.Results, echo(op))
				if i%3 == 0 { // in messages of its own choice
					if err := stream.Send(out); err != nil {
						return err
					}
					out.Results = nil
				}
			}
			if err := stream.Send(out); err != nil {
				return err
			}
		}
	}})
	p, err := dial(t, client.Options{}, s).Pipeline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const n = 10_000 // more than may be unanswered
	var asked []*client.Pending
	for i := range n {
		asked = append(asked, p.Get(fmt.Sprintf("/%d", i)))
	}
	none := p.Get("/none")
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for i, a := range asked {
		if z, err := a.Wait(t.Context()); err != nil || string(z.Data) != fmt.Sprintf("/%d", i) || z.Path != string(z.Data) {
			t.Fatalf("request %d is answered %v, %v", i, z, err)
		}
	}
	var e *client.Error
	if _, err := none.Wait(t.Context()); !errors.Is(err, client.ErrNoNode) || !errors.As(err, &e) || e.Path != "/none" || e.Zxid != 7 || e.Operation != -1 {
		t.Errorf("what is not there is answered %v", err)
	}
	if _, err := p.Get("/a").Wait(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Errorf("what is asked after Close is answered %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

// What is not answered when the server is lost is told so, and the next pipeline is on another server.
func TestAPipelineThatIsLostTellsWhatIsInDoubt(t *testing.T) {
	answered := make(chan struct{})
	lost := &stub{pipeline: func(stream grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := stream.Send(&paddockv1.PipelineResponse{Results: []*paddockv1.PipelineResult{
			echo(&paddockv1.PipelineOperation{Operation: &paddockv1.PipelineOperation_Get{Get: &paddockv1.GetRequest{Path: "/a"}}}),
		}}); err != nil {
			return err
		}
		<-answered
		return status.Error(codes.Unavailable, "no quorum")
	}}
	silent := &stub{pipeline: func(stream grpc.BidiStreamingServer[paddockv1.PipelineRequest, paddockv1.PipelineResponse]) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	}}
	c := dial(t, client.Options{}, serve(t, lost))
	p, err := c.Pipeline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := p.Get("/a")
	if z, err := first.Wait(t.Context()); err != nil || string(z.Data) != "/a" {
		t.Fatal(z, err)
	}
	second := p.Get("/b")
	close(answered)
	for what, a := range map[string]*client.Pending{"a request without an answer": second, "a later request": p.Get("/c")} {
		var e *client.Error
		if _, err := a.Wait(t.Context()); !errors.As(err, &e) || e.Code != codes.Unavailable {
			t.Errorf("%s is told %v", what, err)
		}
	}
	if err := p.Close(); status.Code(err) != codes.Unavailable {
		t.Errorf("Close tells %v", err)
	}

	// Requests beyond those that may be unanswered wait, and are let go when the pipeline ends.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p, err = dial(t, client.Options{}, serve(t, silent)).Pipeline(ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan *client.Pending, 1)
	go func() { // ends with the pipeline
		var last *client.Pending
		for range 5000 {
			last = p.Get("/a")
		}
		all <- last
	}()
	select {
	case <-all:
		t.Error("5000 requests are unanswered at a time")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	if _, err := (<-all).Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("what was not sent is told %v", err)
	}
}
