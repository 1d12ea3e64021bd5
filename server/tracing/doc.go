// Package tracing sends spans to an OpenTelemetry collector, if the environment names one.
//
// package server makes one Provider for each server and hands its Tracer to the gRPC door. The environment is OpenTelemetry's own:
// OTEL_EXPORTER_OTLP_ENDPOINT and what goes with it, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME. Without an endpoint there is no
// Provider, and nothing is recorded.
//
// A Provider has goroutines of its own, which end with Stop. Spans wait in a queue of bounded length; what a collector does not take
// in time is dropped, and never holds up a request.
//
// Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and .../protocol/exporter/.
package tracing
