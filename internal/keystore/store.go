package keystore

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Types of store, as ZooKeeper's settings spell them.
const (
	PEM    = "PEM"
	PKCS12 = "PKCS12"
	JKS    = "JKS"
	BCFKS  = "BCFKS" // known, but not readable
)

// fileBytesMax is the longest store or password file that is read.
const fileBytesMax = 16 << 20

// Store is where a store is and how to open it.
type Store struct {
	Name         string // what its settings begin with, such as "ssl.keyStore"; for messages
	Path         string
	Type         string // PEM, PKCS12 or JKS, in any case; "" to go by the name of the file
	Password     string // also of the keys in it
	PasswordPath string // file that holds the password, which it wins over; "" for none
}

// Error is why a store cannot be used.
type Error struct {
	Setting string // the setting at fault, such as "ssl.keyStore.password"
	Problem string // names the file; without a final dot
	Fix     string // what to do about it
}

// Error is "<setting>: <problem>; <fix>".
func (e *Error) Error() string { return e.Setting + ": " + e.Problem + "; " + e.Fix }

// fault makes an Error about one of the store's settings.
func (s *Store) fault(setting, fix, format string, args ...any) *Error {
	return &Error{Setting: s.Name + "." + setting, Problem: fmt.Sprintf(format, args...), Fix: fix}
}

// Keys are the private keys of the store with their certificate chains, each with its Leaf. There is at least one, and
// all are valid at now. Errors are *Error.
func (s Store) Keys(now time.Time) ([]tls.Certificate, error) {
	content, err := s.open()
	if err != nil {
		return nil, err
	}
	if len(content.keys) == 0 {
		return nil, s.fault("location", "name a store that holds the server's private key and its certificate", "%s holds no private key", s.Path)
	}
	for i := range content.keys {
		k := &content.keys[i]
		if err := s.belongs(k); err != nil {
			return nil, err
		}
		switch {
		case now.After(k.Leaf.NotAfter):
			return nil, s.fault("location", "renew it", "the certificate of %s in %s expired at %s",
				k.Leaf.Subject, s.Path, k.Leaf.NotAfter.Format(time.RFC3339))
		case now.Before(k.Leaf.NotBefore):
			return nil, s.fault("location", "set the clock right, or wait", "the certificate of %s in %s is not valid before %s",
				k.Leaf.Subject, s.Path, k.Leaf.NotBefore.Format(time.RFC3339))
		}
	}
	return content.keys, nil
}

// Trusted are the certificates that the store trusts. There is at least one. Errors are *Error.
func (s Store) Trusted() ([]*x509.Certificate, error) {
	content, err := s.open()
	if err != nil {
		return nil, err
	}
	if len(content.trusted) == 0 {
		return nil, s.fault("location", "name a store of certificates; those of PKCS12 are trusted if keytool -importcert put them there",
			"%s holds no trusted certificate", s.Path)
	}
	return content.trusted, nil
}

// Sum is a digest of the files that the store is read from. It changes when one of them does; a file that cannot be read
// counts as one without content.
func (s Store) Sum() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range []string{s.Path, s.PasswordPath} {
		var content []byte
		if path != "" {
			content, _ = readFile(path)
		}
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(content)))
		h.Write(length[:])
		h.Write(content)
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// content is what a store holds.
type content struct {
	keys    []tls.Certificate
	trusted []*x509.Certificate
}

// open reads the file as what it is, if that is what it is said to be.
func (s *Store) open() (*content, error) {
	kind, err := s.kind()
	if err != nil {
		return nil, err
	}
	data, err := readFile(s.Path)
	if err != nil {
		return nil, s.fault("location", "correct the path, or let this user read it", "%s cannot be read: %s", s.Path, plain(err))
	}
	found := sniff(data)
	switch {
	case found == "":
		return nil, s.fault("location", "name a PEM, PKCS12 or JKS file", "%s is no key store", s.Path)
	case found == jceks:
		return nil, s.fault("location", "convert it: keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype PKCS12",
			"%s is a JCEKS store, which cannot be read", s.Path)
	case (found == PEM) != (kind == PEM):
		return nil, s.fault("type", "write "+s.Name+".type="+found, "%s is taken for %s, but is %s", s.Path, kind, found)
	}
	password, err := s.password()
	if err != nil {
		return nil, err
	}
	switch found {
	case PEM:
		return s.openPEM(data, password)
	case JKS:
		return s.openJKS(data, password)
	default:
		return s.openPKCS12(data, password)
	}
}

// suffixes are the file names that ZooKeeper knows a type by.
var suffixes = map[string]string{".pem": PEM, ".p12": PKCS12, ".jks": JKS, ".bcfks": BCFKS}

// kind is the type that the store is said to be of.
func (s *Store) kind() (string, error) {
	kind := strings.ToUpper(s.Type)
	for suffix, t := range suffixes {
		if kind == "" && strings.HasSuffix(s.Path, suffix) {
			kind = t
		}
	}
	switch kind {
	case PEM, PKCS12, JKS:
		return kind, nil
	case "":
		return "", s.fault("type", "write "+s.Name+".type=PEM, PKCS12 or JKS", "the name of %s does not tell its type", s.Path)
	case BCFKS:
		return "", s.fault("type", "convert it to PKCS12: keytool -importkeystore -deststoretype PKCS12", "BCFKS stores such as %s cannot be read", s.Path)
	default:
		return "", s.fault("type", "write PEM, PKCS12 or JKS", "%q is no type of store", s.Type)
	}
}

// jceks is what sniff finds in stores of that type.
const jceks = "JCEKS"

// sniff tells the type of a store by its first bytes; "" for none.
func sniff(data []byte) string {
	const (
		magicJKS   = "\xfe\xed\xfe\xed"
		magicJCEKS = "\xce\xce\xce\xce"
		sequence   = "\x30" // what every DER structure begins with
	)
	switch {
	case bytes.HasPrefix(data, []byte(magicJKS)):
		return JKS
	case bytes.HasPrefix(data, []byte(magicJCEKS)):
		return jceks
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return PEM
	case bytes.HasPrefix(data, []byte(sequence)):
		return PKCS12
	default:
		return ""
	}
}

// password is that of the file, if one is named, up to its first line end.
func (s *Store) password() (string, error) {
	if s.PasswordPath == "" {
		return s.Password, nil
	}
	data, err := readFile(s.PasswordPath)
	if err != nil {
		return "", s.fault("passwordPath", "correct the path, or let this user read it", "%s cannot be read: %s", s.PasswordPath, plain(err))
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return string(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// wrongPassword is the Error of a store that does not open.
func (s *Store) wrongPassword(password string) error {
	setting := "password"
	if s.PasswordPath != "" {
		setting = "passwordPath"
	}
	if password == "" {
		return s.fault(setting, "set "+s.Name+".password or "+s.Name+".passwordPath", "%s needs a password", s.Path)
	}
	return s.fault(setting, "correct "+s.Name+"."+setting, "%s does not open with this password", s.Path)
}

// damaged is the Error of a store that is not what its type says.
func (s *Store) damaged(err error) error {
	return s.fault("location", "make the store anew", "%s cannot be understood: %v", s.Path, err)
}

// readFile reads a file of reasonable size.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err == nil && len(data) > fileBytesMax {
		err = fmt.Errorf("longer than %d bytes", fileBytesMax)
	}
	return data, err
}

// plain is an error's reason without the operation and path that *fs.PathError adds.
func plain(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
