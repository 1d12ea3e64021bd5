package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// tlsFlags are those of commands that connect to a port, with TLS or without.
type tlsFlags struct {
	on            bool
	ca, cert, key string
}

func (f *tlsFlags) flags(c *cobra.Command) {
	c.Flags().BoolVar(&f.on, "tls", false, "connect with TLS; the other flags of TLS imply it")
	c.Flags().StringVar(&f.ca, "cacert", "", "PEM file of the authorities that the server's certificate may be signed by (default: those of the system)")
	c.Flags().StringVar(&f.cert, "cert", "", "PEM file of the own certificate and its chain, and of the key unless --key names another")
	c.Flags().StringVar(&f.key, "key", "", "PEM file of the own private key, not encrypted")
}

// config is what to connect with; nil without TLS.
func (f *tlsFlags) config() (*tls.Config, error) {
	if !f.on && f.ca == "" && f.cert == "" && f.key == "" {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--cacert: %s holds no certificate in PEM form", f.ca)
		}
	}
	switch {
	case f.key != "" && f.cert == "":
		return nil, usageError{errors.New("--key without --cert; pass the certificate of that key")}
	case f.cert != "":
		key := f.key
		if key == "" {
			key = f.cert
		}
		pair, err := tls.LoadX509KeyPair(f.cert, key)
		if err != nil {
			return nil, fmt.Errorf("--cert %s: %w", f.cert, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
