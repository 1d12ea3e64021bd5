package server

import (
	"crypto/tls"
	"errors"

	"paddock/internal/keystore"
	"paddock/server/config"
	"paddock/server/secure"
)

// newTLS loads the stores, if any door speaks TLS. What is wrong with them is a config.Problem.
func (s *server) newTLS() (*secure.TLS, error) {
	c := &s.cfg.TLS
	if !s.cfg.TLSWanted() {
		return nil, nil
	}
	t, err := secure.New(secure.Options{
		Key: store("ssl.keyStore", &c.KeyStore), Trust: store("ssl.trustStore", &c.TrustStore),
		MinVersion: c.MinVersion, MaxVersion: c.MaxVersion, CipherSuites: c.Suites, ClientAuth: clientAuth[c.ClientAuth],
		ClientNames: c.ClientNames, ReverseLookup: c.ReverseLookup,
		HandshakesMax: s.cfg.Connect.HandshakesMax, Logger: s.log,
		Hooks: secure.Hooks{Failed: s.metrics.badHandshake.Inc, Exceeded: s.metrics.handshakesExceeded.Inc},
	})
	if fault, ok := errors.AsType[*keystore.Error](err); ok {
		return nil, config.StoreUnusable(s.cfg, fault.Setting, fault.Problem, fault.Fix)
	}
	return t, err
}

var clientAuth = map[string]tls.ClientAuthType{
	config.ClientAuthNeed: tls.RequireAndVerifyClientCert,
	config.ClientAuthWant: tls.VerifyClientCertIfGiven,
	config.ClientAuthNone: tls.NoClientCert,
}

func store(name string, s *config.Store) keystore.Store {
	return keystore.Store{Name: name, Path: s.Path, Type: s.Type, Password: s.Password, PasswordPath: s.PasswordPath}
}
