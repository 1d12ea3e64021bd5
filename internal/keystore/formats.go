package keystore

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// openPEM takes the private key, if there is one, and all certificates of a PEM file. A file without a key is a trust store.
func (s *Store) openPEM(data []byte, password string) (*content, error) {
	var key any
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return nil, s.fault("location", "leave one of them", "%s holds several private keys", s.Path)
			}
			var err error
			if key, err = s.pemKey(block, password); err != nil {
				return nil, err
			}
		case strings.HasSuffix(block.Type, "CERTIFICATE"):
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, s.damaged(err)
			}
			certificates = append(certificates, c)
		}
	}
	if key == nil {
		return &content{trusted: certificates}, nil
	}
	k, err := s.entry(key, certificates)
	if err != nil {
		return nil, err
	}
	return &content{keys: []tls.Certificate{k}, trusted: certificates}, nil
}

// pemKey decodes one block.
func (s *Store) pemKey(block *pem.Block, password string) (key any, err error) {
	switch {
	case block.Headers["DEK-Info"] != "":
		return nil, s.fault("location", "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc", "the private key in %s is encrypted in a way older than PKCS#8", s.Path)
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return s.encryptedKey(block.Bytes, password)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, s.damaged(err)
	}
	return key, nil
}

// encryptedKey decrypts a key of PKCS#8: of PBES1, as Java reads them, or of PBES2, as openssl writes them.
func (s *Store) encryptedKey(der []byte, password string) (any, error) {
	if password == "" {
		return nil, s.wrongPassword(password)
	}
	key, err := openPBES1(der, password)
	switch {
	case err == nil:
		return key, nil
	case errors.Is(err, errLocked):
		return nil, s.wrongPassword(password)
	case !errors.Is(err, errScheme):
		return nil, s.damaged(err)
	}
	key, _, err = pkcs8.ParsePrivateKey(der, []byte(password))
	if err != nil && (strings.Contains(err.Error(), "unsupported") || strings.Contains(err.Error(), "only PBES2")) {
		return nil, s.fault("location", "encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc", "the private key in %s is encrypted by a scheme that cannot be read", s.Path)
	}
	if err != nil {
		return nil, s.wrongPassword(password)
	}
	return key, nil
}

// openPKCS12 takes the one key of a PKCS12 file, or its trusted certificates.
func (s *Store) openPKCS12(data []byte, password string) (*content, error) {
	trusted, err := pkcs12.DecodeTrustStore(data, password)
	if err == nil {
		return &content{trusted: trusted}, nil
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, s.wrongPassword(password)
	case err != nil && strings.Contains(err.Error(), "private key missing"):
		return &content{}, nil
	case err != nil:
		return nil, s.damaged(err)
	}
	k, err := s.entry(key, append([]*x509.Certificate{leaf}, chain...))
	if err != nil {
		return nil, err
	}
	return &content{keys: []tls.Certificate{k}, trusted: []*x509.Certificate{k.Leaf}}, nil
}

// openJKS takes all keys and trusted certificates of a JKS file. As in Java, the certificate of a key is trusted as well.
func (s *Store) openJKS(data []byte, password string) (*content, error) {
	ks := keystore.New(keystore.WithOrderedAliases())
	if err := ks.Load(bytes.NewReader(data), []byte(password)); err != nil {
		if strings.Contains(err.Error(), "digest") {
			return nil, s.wrongPassword(password)
		}
		return nil, s.damaged(err)
	}
	out := new(content)
	for _, alias := range ks.Aliases() {
		if ks.IsTrustedCertificateEntry(alias) {
			e, err := ks.GetTrustedCertificateEntry(alias)
			if err != nil {
				return nil, s.damaged(err)
			}
			c, err := x509.ParseCertificate(e.Certificate.Content)
			if err != nil {
				return nil, s.damaged(fmt.Errorf("entry %s: %w", alias, err))
			}
			out.trusted = append(out.trusted, c)
			continue
		}
		k, err := s.jksKey(ks, alias, password)
		if err != nil {
			return nil, err
		}
		out.keys, out.trusted = append(out.keys, k), append(out.trusted, k.Leaf)
	}
	return out, nil
}

// jksKey decodes the key named alias.
func (s *Store) jksKey(ks keystore.KeyStore, alias, password string) (tls.Certificate, error) {
	e, err := ks.GetPrivateKeyEntry(alias, []byte(password))
	if err != nil {
		return tls.Certificate{}, s.fault("password", "give the key the password of the store: keytool -keypasswd",
			"the key %s in %s has another password than the store", alias, s.Path)
	}
	key, err := x509.ParsePKCS8PrivateKey(e.PrivateKey)
	if err != nil {
		return tls.Certificate{}, s.damaged(fmt.Errorf("entry %s: %w", alias, err))
	}
	var chain []*x509.Certificate
	for _, c := range e.CertificateChain {
		parsed, err := x509.ParseCertificate(c.Content)
		if err != nil {
			return tls.Certificate{}, s.damaged(fmt.Errorf("entry %s: %w", alias, err))
		}
		chain = append(chain, parsed)
	}
	return s.entry(key, chain)
}

// rsaBitsMin is the length below which RSA keys can sign no handshake of TLS 1.3.
const rsaBitsMin = 1024

// entry joins a key and its chain, the key's own certificate first.
func (s *Store) entry(key any, chain []*x509.Certificate) (tls.Certificate, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, s.fault("location", "use RSA, ECDSA or Ed25519", "the private key in %s is of no kind that TLS knows", s.Path)
	}
	if r, ok := key.(*rsa.PrivateKey); ok && r.N.BitLen() < rsaBitsMin {
		return tls.Certificate{}, s.fault("location", "make a key of 2048 bits or more", "the RSA key in %s has %d bits", s.Path, r.N.BitLen())
	}
	if len(chain) == 0 {
		return tls.Certificate{}, s.fault("location", "add the certificate and those that signed it", "%s holds a private key without a certificate", s.Path)
	}
	own := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return matches(signer, c) })
	if own > 0 { // some tools write the authorities first
		chain = append([]*x509.Certificate{chain[own]}, slices.Delete(slices.Clone(chain), own, own+1)...)
	}
	out := tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, c := range chain {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out, nil
}

// belongs tells whether the key is that of the certificate.
func (s *Store) belongs(k *tls.Certificate) error {
	if matches(k.PrivateKey.(crypto.Signer), k.Leaf) {
		return nil
	}
	return s.fault("location", "put the key and its own certificate into one store",
		"the private key in %s does not belong to its certificate, that of %s", s.Path, k.Leaf.Subject)
}

func matches(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}
