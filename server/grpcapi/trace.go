package grpcapi

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"paddock/internal/zk"
)

// carrier reads what a caller says of the trace that its call belongs to, in the form of the W3C: traceparent and tracestate.
type carrier metadata.MD

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string { return strings.Join(metadata.MD(c).Get(key), ",") }

// Set implements propagation.TextMapCarrier. Nothing is ever sent.
func (c carrier) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string { return nil }

// beginCall begins the span of a call.
func beginCall(ctx context.Context, t trace.Tracer, method string) (context.Context, trace.Span) {
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = propagation.TraceContext{}.Extract(ctx, carrier(md))
	}
	name := strings.TrimPrefix(method, "/")
	service, call, _ := strings.Cut(name, "/")
	return t.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("rpc.system", "grpc"), attribute.String("rpc.service", service), attribute.String("rpc.method", call)))
}

// endCall ends it. Only what is the server's fault is an error of the span, as OpenTelemetry has it for servers.
func endCall(span trace.Span, err error) {
	s := status.Convert(err)
	span.SetAttributes(attribute.Int64("rpc.grpc.status_code", int64(s.Code())))
	switch s.Code() {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		span.SetStatus(otelcodes.Error, s.Message())
	}
	span.End()
}

// traceCalls records a span for each call.
func traceCalls(t trace.Tracer) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, in any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		ctx, span := beginCall(ctx, t, call.FullMethod)
		out, err := handle(ctx, in)
		endCall(span, err)
		return out, err
	}
}

// tracedStream is a stream whose context has its span.
type tracedStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *tracedStream) Context() context.Context { return s.ctx }

// traceStreams records a span for each stream, from its first message to its last.
func traceStreams(t trace.Tracer) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, call *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		ctx, span := beginCall(stream.Context(), t, call.FullMethod)
		err := handle(srv, &tracedStream{stream, ctx})
		endCall(span, err)
		return err
	}
}

// requestSpan is the span of a request; nil if its call has none that is recorded.
type requestSpan struct {
	tracer trace.Tracer
	ctx    context.Context
	span   trace.Span
	op     zk.OpCode
	times  *zk.Trace
}

// follow begins the span of a request.
func (a *asker) follow(ctx context.Context, req *zk.Request) *requestSpan {
	req.Trace = nil
	if a.door.opt.Tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return nil
	}
	s := &requestSpan{tracer: a.door.opt.Tracer, op: req.Op, times: &zk.Trace{}}
	req.Trace = s.times
	s.ctx, s.span = s.tracer.Start(ctx, req.Op.String())
	if req.Path != "" {
		s.span.SetAttributes(attribute.String("paddock.path", req.Path))
	}
	return s
}

// end ends it with the reply, or why there is none.
func (s *requestSpan) end(rep *zk.Reply, err error) {
	if s == nil {
		return
	}
	defer s.span.End()
	if err != nil {
		s.span.SetAttributes(attribute.String("paddock.error", status.Code(err).String()))
		return // the times may still be written
	}
	s.span.SetAttributes(attribute.String("paddock.zxid", rep.Zxid.String()))
	if rep.Err != zk.OK {
		s.span.SetAttributes(attribute.String("paddock.error", reasonOf(rep.Err)))
	}
	recordPhases(s.ctx, s.tracer, s.op, s.times, time.Now())
}

// traced is pass, with a span for the request if the call has one that is recorded.
func (a *asker) traced(ctx context.Context, req *zk.Request) (zk.Reply, error) {
	span := a.follow(ctx, req)
	rep, err := a.pass(ctx, req)
	span.end(&rep, err)
	return rep, err
}

// recordPhases records what a request has spent its time on: queue until the server has taken it up; propose until its txn is in this
// server's log, fsync until that is durable, commit until enough servers have it, and apply until it is in the tree; or read, and judge
// for a write that became no txn; and reply until the call goes on. An fsync that was not needed for the commit may last longer, and is left out if it has not ended.
func recordPhases(ctx context.Context, tracer trace.Tracer, op zk.OpCode, t *zk.Trace, woken time.Time) {
	if t.Replied == 0 {
		return // too much was traced at once
	}
	phase := func(name string, from, to int64) {
		if from == 0 || to == 0 {
			return
		}
		_, span := tracer.Start(ctx, name, trace.WithTimestamp(time.Unix(0, from)))
		span.End(trace.WithTimestamp(time.Unix(0, max(from, to))))
	}
	phase("queue", t.Queued, t.Taken)
	switch {
	case t.Applied == 0 && op.IsWrite():
		phase("judge", t.Taken, t.Replied)
	case t.Applied == 0:
		phase("read", t.Taken, t.Replied)
	default:
		phase("propose", t.Taken, t.Appended)
		phase("fsync", t.Appended, t.Durable)
		phase("commit", commitBegan(t), t.Decided)
		phase("apply", t.Decided, t.Applied)
	}
	phase("reply", t.Replied, woken.UnixNano())
}

// commitBegan is from when on the txn only waited for other servers.
func commitBegan(t *zk.Trace) int64 {
	if t.Durable != 0 && t.Durable <= t.Decided {
		return t.Durable
	}
	return t.Appended
}
