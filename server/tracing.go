package server

import (
	"context"
	"time"

	"paddock/server/config"
	"paddock/server/tracing"
)

// flushTimeout bounds how long a server that ends waits for the collector of its spans.
const flushTimeout = 2 * time.Second

// openTracing makes the tracer if the environment names a collector.
func (s *server) openTracing(ctx context.Context) (stop func(), err error) {
	p, err := tracing.New(context.WithoutCancel(ctx), tracing.Options{Version: s.opt.Version, ServerID: serverID(s.cfg), Logger: s.log})
	if err != nil {
		return nil, config.Problem{Problem: err.Error(), Fix: "correct the environment, or unset OTEL_EXPORTER_OTLP_ENDPOINT", Exit: config.ExitConfig}
	}
	if p == nil {
		return func() {}, nil
	}
	s.tracer = p.Tracer()
	s.log.Info().Msg("calls are traced")
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			s.log.Warn().Err(err).Msg("the last spans are not sent")
		}
	}, nil
}
