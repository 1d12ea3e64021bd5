package cli

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

// loadTLS reads a client configuration: properties as ZooKeeper's, of which those about TLS count. Stores are PEM files.
// It is nil, for plain connections, unless zookeeper.client.secure is true.
func loadTLS(path string) (*tls.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read client configuration: %w", err)
	}
	props := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && line[0] != '#' {
			props[strings.TrimPrefix(strings.TrimSpace(key), "zookeeper.")] = strings.TrimSpace(value)
		}
	}
	if props["client.secure"] != "true" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust := props["ssl.trustStore.location"]; trust != "" {
		pem, err := os.ReadFile(trust)
		if err != nil {
			return nil, fmt.Errorf("read ssl.trustStore.location: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ssl.trustStore.location %s has no certificate in PEM form; convert it with keytool and openssl", trust)
		}
	}
	if key := props["ssl.keyStore.location"]; key != "" {
		pair, err := tls.LoadX509KeyPair(key, key)
		if err != nil {
			return nil, fmt.Errorf("ssl.keyStore.location %s is not a PEM file with certificate and key: %w", key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if props["ssl.hostnameVerification"] == "false" {
		c.InsecureSkipVerify = true // asked for; the chain is verified all the same
		c.VerifyConnection = verifyChain(c.RootCAs)
	}
	return c, nil
}

// verifyChain verifies a server's certificate, whatever its name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}
