package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"paddock/internal/keystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stores are made by openssl and keytool; see make.sh there.
const stores = "../../internal/keystore/testdata/"

// options are those of a server with the key in the file and the authority of all tests.
func options(key string) Options {
	return Options{
		Key: keystore.Store{Name: "ssl.keyStore", Path: key}, Trust: keystore.Store{Name: "ssl.trustStore", Path: stores + "ca.pem"},
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
	}
}

func newTLS(t *testing.T, o Options) *TLS {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// client trusts the authority, and presents the certificate in the file if one is named.
func client(t *testing.T, certificate string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(stores + "ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	c.RootCAs.AppendCertsFromPEM(text)
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(stores+certificate, stores+certificate)
		if err != nil {
			t.Fatal(err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil } // whomever the server asks for
	}
	return c
}

// listen opens a port with TLS.
func listen(t *testing.T, s *TLS, protocols ...string) *Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := s.Listen(inner, protocols...)
	t.Cleanup(func() { l.Close() })
	return l
}

// greet has the listener say hello to whoever comes, and tells whether this client was greeted.
func greet(t *testing.T, l *Listener, cfg *tls.Config) error {
	t.Helper()
	served := make(chan struct{})
	go func() { // ends with one connection, or the listener
		defer close(served)
		if c, err := l.Accept(); err == nil {
			c.Write([]byte("hello"))
			c.Close()
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), cfg)
	if err == nil {
		var got []byte
		if got, err = io.ReadAll(c); err == nil && string(got) != "hello" {
			err = errors.New("not greeted")
		}
		c.Close()
	}
	if err != nil {
		l.Close()
	}
	<-served
	return err
}

func TestWhoIsLetIn(t *testing.T) {
	for _, row := range []struct {
		name        string
		auth        tls.ClientAuthType
		names       bool
		certificate string
		in          bool
	}{
		{"nobody is asked for a certificate", tls.NoClientCert, false, "", true},
		{"a certificate is needed and presented", tls.RequireAndVerifyClientCert, false, "client.pem", true},
		{"a certificate is needed and missing", tls.RequireAndVerifyClientCert, false, "", false},
		{"a certificate is needed, and that of a stranger is presented", tls.RequireAndVerifyClientCert, false, "expired.pem", false},
		{"a certificate is wanted and missing", tls.VerifyClientCertIfGiven, false, "", true},
		{"a certificate is wanted, and that of a stranger is presented", tls.VerifyClientCertIfGiven, false, "expired.pem", false},
		{"the certificate names the client's address", tls.RequireAndVerifyClientCert, true, "client.pem", true},
		{"the certificate names another address", tls.RequireAndVerifyClientCert, true, "elsewhere.pem", false},
		{"names count only if asked for", tls.RequireAndVerifyClientCert, false, "elsewhere.pem", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := options(stores + "server.pem")
			o.ClientAuth, o.ClientNames = row.auth, row.names
			var failed atomic.Int32
			o.Hooks.Failed = func() { failed.Add(1) }
			err := greet(t, listen(t, newTLS(t, o)), client(t, row.certificate))
			if (err == nil) != row.in || (failed.Load() == 0) != row.in {
				t.Errorf("%v, %d failures counted", err, failed.Load())
			}
		})
	}
}

func TestVersionsAndProtocolsOfTheDoor(t *testing.T) {
	o := options(stores + "curve.pem")
	o.MaxVersion = tls.VersionTLS12
	l := listen(t, newTLS(t, o), "h2", "http/1.1")
	cfg := client(t, "")
	cfg.NextProtos = []string{"http/1.1"}
	if err := greet(t, l, cfg); err != nil {
		t.Error(err)
	}
	cfg.MinVersion = tls.VersionTLS13
	if err := greet(t, l, cfg); err == nil {
		t.Error("a client of another version was let in")
	}
}

func TestHandshakesAreBoundedInNumberAndSilentOnesCostNobody(t *testing.T) {
	o := options(stores + "server.pem")
	o.HandshakesMax = 2
	var log strings.Builder
	o.Logger = zerolog.New(zerolog.SyncWriter(&log))
	exceeded := make(chan struct{}, 10)
	o.Hooks.Exceeded = func() { exceeded <- struct{}{} }
	s := newTLS(t, o)
	l := listen(t, s)
	for range 3 { // say nothing
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	select {
	case <-exceeded:
	case <-time.After(20 * time.Second):
		t.Fatal("a third handshake was begun")
	}
	if n := s.Pending(); n != 2 {
		t.Errorf("%d handshakes are under way", n)
	}
	if err := l.Close(); err != nil { // must not wait for them
		t.Error(err)
	}
	if n := s.Pending(); n != 0 {
		t.Errorf("%d handshakes outlived the port", n)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if !strings.Contains(log.String(), "netty.server.outstandingHandshake.limit") {
		t.Errorf("logged: %s", log.String())
	}
}

func TestFailuresAreLoggedOnceForEachAddress(t *testing.T) {
	o := options(stores + "server.pem")
	var log strings.Builder
	o.Logger = zerolog.New(zerolog.SyncWriter(&log))
	failed := make(chan struct{}, 10)
	o.Hooks.Failed = func() { failed <- struct{}{} }
	l := listen(t, newTLS(t, o))
	for range 5 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		io.Copy(io.Discard, c)
		c.Close()
		<-failed
	}
	l.Close()
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "does not speak TLS") {
		t.Errorf("%d lines: %s", n, log.String())
	}
}

func TestChangedFilesAreUsedIfTheyAreGood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.pem")
	put := func(from string) {
		t.Helper()
		data, err := os.ReadFile(stores + from)
		if err == nil {
			err = os.WriteFile(file+".new", data, 0o600)
		}
		if err == nil {
			err = os.Rename(file+".new", file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("server.pem")
	s := newTLS(t, options(file))
	l := listen(t, s)
	owner := func() string {
		t.Helper()
		cfg := client(t, "")
		var name string
		cfg.VerifyConnection = func(c tls.ConnectionState) error { name = c.PeerCertificates[0].Subject.CommonName; return nil }
		if err := greet(t, l, cfg); err != nil {
			t.Fatal(err)
		}
		return name
	}
	step := func(from string, changed bool, says, want string) {
		t.Helper()
		put(from)
		got, err := s.Reload()
		if got != changed || (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v", from, got, err)
		}
		if name := owner(); name != want {
			t.Errorf("after %s the server is %s, want %s", from, name, want)
		}
	}
	step("server.pem", false, "", "server")
	step("curve.pem", true, "", "curve")
	step("expired.pem", false, "expired", "curve")
	step("expired.pem", false, "", "curve") // said once
	step("mismatched.pem", false, "does not belong", "curve")
	step("server.pem", true, "", "server")
}

func TestWhatIsWrongStopsTheStart(t *testing.T) {
	_, err := New(options(stores + "expired.pem"))
	if _, ok := errors.AsType[*keystore.Error](err); !ok {
		t.Errorf("the key: %v", err)
	}
	o := options(stores + "server.pem")
	o.ClientAuth, o.Trust.Path = tls.RequireAndVerifyClientCert, "nowhere.pem"
	_, err = New(o)
	if fault, ok := errors.AsType[*keystore.Error](err); !ok || fault.Setting != "ssl.trustStore.location" {
		t.Errorf("the authorities: %v", err)
	}
}

func TestFirstBytesTell(t *testing.T) {
	for _, row := range []struct {
		name, first  string
		isTLS, known bool
	}{
		{"nothing", "", false, false},
		{"a handshake of TLS 1.0 and later", "\x16\x03\x01\x02\x00\x01", true, true},
		{"half a word of it", "\x16", false, false},
		{"a connect request", "\x00\x00\x00\x2d", false, true},
		{"a four-letter word", "ruok", false, true},
		{"telnet's interrupt", "\xff\xf4\xff\xfd", false, true},
		{"HTTP/2", "PRI * HTTP/2.0", false, true},
		{"a long frame", "\x16\x00\x00\x00", false, true},
	} {
		if isTLS, known := Detect([]byte(row.first)); isTLS != row.isTLS || known != row.known {
			t.Errorf("%s: %v %v", row.name, isTLS, known)
		}
	}
}

// FuzzDetect: what is known of the first bytes holds whatever comes after them.
func FuzzDetect(f *testing.F) {
	f.Add([]byte("\x16\x03\x01"), 1)
	f.Add([]byte("ruok"), 2)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		if at < 0 || at > len(b) {
			return
		}
		early, known := Detect(b[:at])
		late, still := Detect(b)
		if known && (!still || early != late) || early && !known {
			t.Fatalf("%x is %v (%v), %x is %v (%v)", b[:at], early, known, b, late, still)
		}
	})
}
