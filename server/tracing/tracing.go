package tracing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"paddock/internal/quiet"
)

// The variables that are looked at here; OpenTelemetry's libraries read the others.
const (
	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	envExporter       = "OTEL_TRACES_EXPORTER"
	envDisabled       = "OTEL_SDK_DISABLED"
	envSampler        = "OTEL_TRACES_SAMPLER"
)

// samplers are those that OTEL_TRACES_SAMPLER may name.
var samplers = []string{"", "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}

// Options are what spans say of the server.
type Options struct {
	Version  string // of Paddock
	ServerID int64  // myid; 0 for none
	Logger   zerolog.Logger
}

// Provider records spans and sends them.
type Provider struct {
	sdk      *sdktrace.TracerProvider
	exporter exporter
}

// exporter tells when the queue of spans is done with it.
type exporter struct {
	sdktrace.SpanExporter
	done chan struct{} // closed by Shutdown, which the queue calls once, last
}

// Shutdown implements sdktrace.SpanExporter.
func (e exporter) Shutdown(ctx context.Context) error {
	defer close(e.done)
	return e.SpanExporter.Shutdown(ctx)
}

// New makes a Provider as the environment has it: nil if that names no collector. Its error tells which variable is wrong.
func New(ctx context.Context, o Options) (*Provider, error) {
	on, err := wanted(os.Getenv)
	if err != nil || !on {
		return nil, err
	}
	otlp, err := otlptracegrpc.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envEndpoint, err)
	}
	about, err := resource.Merge(
		resource.NewSchemaless(attribute.String("service.name", "paddock"), attribute.String("service.version", o.Version),
			attribute.Int64("paddock.server_id", o.ServerID)),
		resource.Environment())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err), otlp.Shutdown(ctx))
	}
	var lines quiet.Lines
	began := time.Now()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if times, ok := lines.Allow("", int64(time.Since(began))); ok {
			o.Logger.Warn().Err(err).Uint64("times", times).Msg("spans not sent; see to the collector, or unset " + envEndpoint)
		}
	}))
	out := exporter{otlp, make(chan struct{})}
	return &Provider{sdktrace.NewTracerProvider(sdktrace.WithBatcher(out), sdktrace.WithResource(about)), out}, nil
}

// wanted tells whether the environment asks for spans.
func wanted(env func(string) string) (bool, error) {
	switch {
	case first(env, envTracesEndpoint, envEndpoint) == "", env(envExporter) == "none", strings.EqualFold(env(envDisabled), "true"):
		return false, nil
	}
	if e := env(envExporter); e != "" && e != "otlp" {
		return false, fmt.Errorf("%s is %q: spans go to otlp only, or none", envExporter, e)
	}
	if p := first(env, envTracesProtocol, envProtocol); p != "" && p != "grpc" {
		return false, fmt.Errorf("%s is %q: spans are sent by grpc only; write grpc, and the collector's gRPC port in %s", envProtocol, p, envEndpoint)
	}
	if s := strings.ToLower(strings.TrimSpace(env(envSampler))); !slices.Contains(samplers, s) {
		return false, fmt.Errorf("%s is %q: write one of %s", envSampler, s, strings.Join(samplers[1:], ", "))
	}
	return true, nil
}

// first is the first of some variables that is set.
func first(env func(string) string, names ...string) string {
	for _, name := range names {
		if v := env(name); v != "" {
			return v
		}
	}
	return ""
}

// Tracer is who records the server's spans; nil if p is.
func (p *Provider) Tracer() trace.Tracer {
	if p == nil {
		return nil
	}
	return p.sdk.Tracer("paddock")
}

// Stop sends what is recorded, until ctx ends at the latest, and ends the Provider's goroutines. It may be called on nil.
func (p *Provider) Stop(ctx context.Context) error {
	if p == nil {
		return nil
	}
	err := p.sdk.Shutdown(ctx)
	if ctx.Err() != nil {
		err = errors.Join(err, p.exporter.SpanExporter.Shutdown(ctx)) // gives up what is being sent, and takes no more
	}
	<-p.exporter.done
	return err
}
