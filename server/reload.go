package server

import (
	"context"

	"paddock/server/config"
)

// reloads takes configurations that were read anew until ctx ends.
func (s *server) reloads(ctx context.Context, l *live) {
	inForce := s.cfg
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-s.opt.Reload:
			s.reload(inForce, next, l)
			inForce = next
		}
	}
}

// reload brings into force what can change while the server runs, and says what cannot.
func (s *server) reload(inForce, next *config.Config, l *live) {
	applied := 0
	for _, key := range config.Changed(inForce, next) {
		if config.AtRunTime(key) {
			applied++
			was, _ := inForce.Setting(key)
			now, _ := next.Setting(key)
			s.log.Info().Str("key", key).Str("before", was.Value).Str("after", now.Value).Msg("setting changed")
		}
	}
	for _, p := range l.ports() {
		p.SetMaxClientCnxns(next.Client.MaxPerAddress)
	}
	if l.grpc != nil {
		l.grpc.SetMaxClientCnxns(next.Client.MaxPerAddress)
	}
	var later []string
	for _, key := range config.Changed(s.cfg, next) {
		if !config.AtRunTime(key) {
			later = append(later, key)
		}
	}
	if len(later) > 0 {
		s.log.Warn().Strs("keys", later).Str("remedy", "restart the server").Msg("settings that take effect with the next start")
	}
	s.log.Info().Int("changed", applied).Int("waiting", len(later)).Msg("configuration read anew")
}
