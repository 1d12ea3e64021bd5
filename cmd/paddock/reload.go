package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"paddock/server/config"
)

// reloadOnHangup reads the configuration anew at each SIGHUP. One that makes no sense is told of and changes nothing.
func reloadOnHangup(ctx context.Context, source config.Source, log zerolog.Logger) (_ <-chan *config.Config, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	out := make(chan *config.Config)
	done := make(chan struct{})
	go func() { // ends with stop
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
			}
			cfg, _, err := config.Load(source)
			if err != nil {
				log.Error().Err(err).Msg("configuration not taken, the one before stays in force")
				continue
			}
			select {
			case out <- cfg:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, func() { signal.Stop(hangups); cancel(); <-done }
}
