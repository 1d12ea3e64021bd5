package secure

import (
	"context"
	"crypto/sha256"
	"fmt"
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

// Watch follows changes of the files, if reload is set, and has the log warn of certificates that expire, until ctx ends.
func (t *TLS) Watch(ctx context.Context, reload bool) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	var told time.Time // when it was last warned
	var of string      // and of what
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if reload {
			t.follow()
		}
		text := t.Warning()
		if text != "" && (text != of || time.Since(told) >= warnEvery) {
			told = time.Now()
			t.opt.Logger.Warn().Msg(text)
		}
		of = text
	}
}

// follow loads what has changed.
func (t *TLS) follow() {
	switch changed, err := t.Reload(); {
	case err != nil:
		t.opt.Logger.Error().Err(err).Msg("changed key or trust store cannot be used, the one before stays")
	case changed:
		t.opt.Logger.Info().Time("expires", t.expires()).Msg("key and trust store loaded anew")
	}
}

// A certificate expires soon when less than a tenth of its time is left, and less than two weeks.
const (
	soonMax   = 14 * 24 * time.Hour
	soonShare = 10
	warnEvery = 24 * time.Hour // in the log
)

// Warning says that a certificate of the server expires soon, or has expired; "" if none does.
func (t *TLS) Warning() string {
	now := t.opt.Clock()
	for _, k := range t.current.Load().keys {
		what := fmt.Sprintf("the certificate of %s in %s", k.Leaf.Subject, t.opt.Key.Path)
		end := k.Leaf.NotAfter
		switch left := end.Sub(now); {
		case left < 0:
			return fmt.Sprintf("%s has expired at %s, and clients refuse it: renew it", what, end.Format(time.RFC3339))
		case left < min(soonMax, end.Sub(k.Leaf.NotBefore)/soonShare):
			return fmt.Sprintf("%s expires at %s: renew it", what, end.Format(time.RFC3339))
		}
	}
	return ""
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
