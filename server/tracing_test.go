package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/freeport"
	"paddock/server/config"
	"paddock/server/grpcapi"
)

// spanStore is a collector that keeps what it is sent.
type spanStore struct {
	collector.UnimplementedTraceServiceServer
	mu       sync.Mutex // guards the fields below
	spans    []*otlp.Span
	services []string
}

func (c *spanStore) Export(_ context.Context, in *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range in.GetResourceSpans() {
		for _, a := range r.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.services = append(c.services, a.GetValue().GetStringValue())
			}
		}
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// below are the spans with a parent, in the order in which they began and ended.
func (c *spanStore) below(parent []byte) (list []*otlp.Span) {
	for _, s := range c.spans {
		if string(s.GetParentSpanId()) == string(parent) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *otlp.Span) int {
		if a.GetStartTimeUnixNano() != b.GetStartTimeUnixNano() {
			return int(int64(a.GetStartTimeUnixNano() - b.GetStartTimeUnixNano()))
		}
		return int(int64(a.GetEndTimeUnixNano() - b.GetEndTimeUnixNano()))
	})
	return list
}

// tree tells of a span and those below it by their names, and checks that each has ended after it began, and each phase began where the one
// before it had ended.
func (c *spanStore) tree(t *testing.T, s *otlp.Span) string {
	t.Helper()
	if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
		t.Errorf("%s ends before it begins", s.GetName())
	}
	below := c.below(s.GetSpanId())
	if len(below) == 0 {
		return s.GetName()
	}
	var names []string
	for i, b := range below {
		if i > 0 && b.GetStartTimeUnixNano() < below[i-1].GetEndTimeUnixNano() {
			t.Errorf("%s begins before %s has ended", b.GetName(), below[i-1].GetName())
		}
		names = append(names, c.tree(t, b))
	}
	return s.GetName() + "(" + strings.Join(names, " ") + ")"
}

// ofTrace tells of the spans that a caller's own span has below it.
func (c *spanStore) ofTrace(t *testing.T, parent string) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if fmt.Sprintf("%x", s.GetParentSpanId()) == parent {
			if got := fmt.Sprintf("%x", s.GetTraceId()); got != someTrace {
				t.Errorf("%s belongs to trace %s, the caller's is %s", s.GetName(), got, someTrace)
			}
			if s.GetKind() != otlp.Span_SPAN_KIND_SERVER {
				t.Errorf("%s is of kind %v", s.GetName(), s.GetKind())
			}
			return c.tree(t, s)
		}
	}
	return ""
}

const someTrace = "0af7651916cd43dd8448eb211c80319c"

// traceparent is the header of a call that a span makes.
func traceparent(span string) string { return "00-" + someTrace + "-" + span + "-01" }

func TestACollectorIsToldOfEachPartOfACall(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	store, g := &spanStore{}, grpc.NewServer()
	collector.RegisterTraceServiceServer(g, store)
	var served sync.WaitGroup
	served.Go(func() { g.Serve(l) }) // ends with Stop
	defer served.Wait()
	defer g.Stop()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())

	port, httpPort := freeport.Take(t), freeport.Take(t)
	r := start(t, t.TempDir(), fmt.Sprint("grpcPort=", port), fmt.Sprint("httpPort=", httpPort))
	conn, err := grpcapi.Dial(fmt.Sprint("127.0.0.1:", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	znodes := paddockv1.NewZnodeServiceClient(conn)
	from := func(span string) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "traceparent", traceparent(span))
	}
	// The first write opens the door's own session, which is no part of the call.
	if _, err := znodes.Create(from("00f067aa0ba902b7"), &paddockv1.CreateRequest{Path: "/a", Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := znodes.Get(from("00f067aa0ba902b8"), &paddockv1.GetRequest{Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := znodes.Create(from("00f067aa0ba902b9"), &paddockv1.CreateRequest{Path: "/a"}); err == nil {
		t.Fatal("/a was created twice")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, fmt.Sprintf("http://127.0.0.1:%d/v1/znodes/b", httpPort), strings.NewReader("y"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Traceparent", traceparent("00f067aa0ba902ba"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode/100 != 2 {
		t.Fatalf("PUT of /b: %s", res.Status)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	const phases = "(queue propose fsync commit apply reply)"
	for span, want := range map[string]string{
		"00f067aa0ba902b7": "paddock.v1.ZnodeService/Create(create2" + phases + ")",
		"00f067aa0ba902b8": "paddock.v1.ZnodeService/Get(getData(queue read reply))",
		"00f067aa0ba902b9": "paddock.v1.ZnodeService/Create(create2" + phases + ")",
		"00f067aa0ba902ba": "paddock.v1.ZnodeService/Put",
	} {
		if got := store.ofTrace(t, span); !strings.HasPrefix(got, want) {
			t.Errorf("of the call by span %s the collector knows %q, want %q", span, got, want)
		}
	}
	if !strings.Contains(store.ofTrace(t, "00f067aa0ba902ba"), phases) {
		t.Errorf("of the PUT the collector knows %q, which is no whole write", store.ofTrace(t, "00f067aa0ba902ba"))
	}
	if len(store.services) == 0 || slices.ContainsFunc(store.services, func(s string) bool { return s != "paddock" }) {
		t.Errorf("the spans are of services %q", store.services)
	}
}

// A collector that takes nothing must not keep a server from ending, or from serving.
func TestACollectorThatIsNotThereHoldsUpNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts nothing
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	port := freeport.Take(t)
	r := start(t, t.TempDir(), fmt.Sprint("grpcPort=", port))
	conn, err := grpcapi.Dial(fmt.Sprint("127.0.0.1:", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := paddockv1.NewZnodeServiceClient(conn).Create(ctx, &paddockv1.CreateRequest{Path: "/a"}); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.await("the last spans are not sent")
}

func TestAnEnvironmentThatCannotBeHonouredStopsTheStart(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	cfg, _ := load(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := Run(ctx, Options{Config: cfg})
	var problem config.Problem
	if !errors.As(err, &problem) || problem.ExitCode() != config.ExitConfig || !strings.Contains(problem.Problem, "OTEL_EXPORTER_OTLP_PROTOCOL") {
		t.Errorf("the server ended with %v", err)
	}
}
