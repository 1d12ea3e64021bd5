package secure

import (
	"context"
	"crypto/sha256"
	"time"
)

// reloadEvery is how often files are looked at.
const reloadEvery = 10 * time.Second

// Reload loads the stores if one of their files has changed since they were last tried. What cannot be used is a
// *keystore.Error, and changes nothing.
func (t *TLS) Reload() (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sums := [2][sha256.Size]byte{t.opt.Key.Sum(), t.opt.Trust.Sum()}
	if t.current.Load() != nil && sums == t.tried {
		return false, nil
	}
	t.tried = sums
	m, err := t.load()
	if err != nil {
		return false, err
	}
	t.current.Store(m)
	return true, nil
}

// Watch follows changes of the files until ctx ends.
func (t *TLS) Watch(ctx context.Context) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		switch changed, err := t.Reload(); {
		case err != nil:
			t.opt.Logger.Error().Err(err).Msg("changed key or trust store cannot be used, the one before stays")
		case changed:
			t.opt.Logger.Info().Time("expires", t.expires()).Msg("key and trust store loaded anew")
		}
	}
}

// expires is when the first certificate of the server does.
func (t *TLS) expires() (at time.Time) {
	for _, k := range t.current.Load().keys {
		if at.IsZero() || k.Leaf.NotAfter.Before(at) {
			at = k.Leaf.NotAfter
		}
	}
	return at
}
