package grpcapi

import (
	"errors"
	"io"
	"slices"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/replica"
)

// allocations is the least that f was seen to allocate: what goes on beside it comes on top.
func allocations(f func()) float64 {
	least := testing.AllocsPerRun(500, f)
	for range 4 {
		least = min(least, testing.AllocsPerRun(500, f))
	}
	return least
}

func TestARequestThatNobodyTracesAllocatesNothingForIt(t *testing.T) {
	r := newRig(t)
	a := asker{door: r.server.door, conn: &connection{}, handler: r.driver, caller: &caller{}, ids: []zk.ID{}}
	defer a.conn.close()
	ask := func(through func(*zk.Request) (zk.Reply, error)) func() {
		return func() {
			if rep, err := through(&zk.Request{Op: zk.OpExists, Path: "/"}); err != nil || rep.Err != zk.OK {
				t.Fatal(rep.Err, err)
			}
		}
	}
	ctx := t.Context()
	plain := allocations(ask(func(req *zk.Request) (zk.Reply, error) { req.IDs = a.ids; return a.pass(ctx, req) }))
	looked := allocations(ask(func(req *zk.Request) (zk.Reply, error) { return a.do(ctx, req) }))
	if looked > plain {
		t.Errorf("%v allocations, without tracing %v", looked, plain)
	}
}

// Each request of a pipeline has a span below that of the stream, and what its time went by with below that.
func TestRequestsOfAPipelineAreTraced(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	r := newRig(t, func(o *Options, _ *replica.Config) { o.Tracer = provider.Tracer("test") })
	r.create("/a", "x")
	stream, err := r.znodes.Pipeline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ops := []*paddockv1.PipelineOperation{opSet("/a", "y"), opSet("/none", "y"), opGet("/a")}
	if err := stream.Send(&paddockv1.PipelineRequest{Operations: ops}); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	r.stop()
	names := map[trace.SpanID]string{}
	for _, s := range recorder.Ended() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var got []string
	for _, s := range recorder.Ended() {
		above := names[s.Parent().SpanID()]
		switch {
		case above == "paddock.v1.ZnodeService/Pipeline":
			for _, a := range s.Attributes() {
				got = append(got, s.Name()+" "+string(a.Key))
			}
		case names[s.Parent().SpanID()] == "getData":
			got = append(got, above+" > "+s.Name())
		}
	}
	slices.Sort(got)
	want := []string{
		"getData > queue", "getData > read", "getData > reply", "getData paddock.path", "getData paddock.zxid",
		"setData paddock.error", "setData paddock.path", "setData paddock.path", "setData paddock.zxid", "setData paddock.zxid",
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans %q, want %q, of %v", got, want, names)
	}
}
