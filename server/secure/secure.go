package secure

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"paddock/internal/keystore"
	"paddock/internal/quiet"
)

const (
	// HandshakesMaxDefault is how many handshakes may be under way if Options leave it open.
	HandshakesMaxDefault = 4096
	// HandshakeTimeout is how long a handshake may take, from the first byte wanted to the last one sent.
	HandshakeTimeout = 10 * time.Second
)

// Options are what TLS is made from.
type Options struct {
	Key   keystore.Store // the server's own
	Trust keystore.Store // authorities of clients; those of the system if its Path is ""

	MinVersion, MaxVersion uint16             // as in crypto/tls
	CipherSuites           []uint16           // of TLS 1.2 and before; nil for Go's choice
	ClientAuth             tls.ClientAuthType // NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert
	// ClientNames refuses a client whose certificate does not name the address that it comes from, or, with
	// ReverseLookup, a name that this address has in DNS.
	ClientNames, ReverseLookup bool

	HandshakesMax int // at a time; 0 or less for HandshakesMaxDefault
	Logger        zerolog.Logger
	Hooks         Hooks
	Clock         func() time.Time // nil for time.Now
}

// Hooks count. Each may be nil; they are called from many goroutines and must not block.
type Hooks struct {
	Failed   func() // a handshake failed
	Exceeded func() // a connection was closed because too many handshakes were under way
}

// ErrTooMany is the error of a handshake that was not begun.
var ErrTooMany = errors.New("too many TLS handshakes at a time")

// TLS is the server's side of TLS for all doors.
type TLS struct {
	opt     Options
	quiet   quiet.Lines
	start   time.Time
	turns   chan struct{} // one for each signature at a time
	current atomic.Pointer[material]
	pending atomic.Int64 // handshakes under way

	mu    sync.Mutex           // guards tried
	tried [2][sha256.Size]byte // sums of the stores that were last tried
}

// material is what was loaded together.
type material struct {
	keys  []tls.Certificate
	trust *x509.CertPool // nil for the system's
}

// New loads the stores. What is wrong with them is a *keystore.Error.
func New(o Options) (*TLS, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.HandshakesMax <= 0 {
		o.HandshakesMax = HandshakesMaxDefault
	}
	if o.Hooks.Failed == nil {
		o.Hooks.Failed = func() {}
	}
	if o.Hooks.Exceeded == nil {
		o.Hooks.Exceeded = func() {}
	}
	t := &TLS{opt: o, start: o.Clock(), turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	_, err := t.Reload()
	return t, err
}

// load reads both stores.
func (t *TLS) load() (*material, error) {
	keys, err := t.opt.Key.Keys(t.opt.Clock())
	if err != nil {
		return nil, err
	}
	m := &material{keys: keys}
	for i := range keys {
		keys[i].PrivateKey = signer{keys[i].PrivateKey.(crypto.Signer), t.turns}
	}
	if t.opt.Trust.Path == "" || t.opt.ClientAuth == tls.NoClientCert {
		return m, nil
	}
	trusted, err := t.opt.Trust.Trusted()
	if err != nil {
		return nil, err
	}
	m.trust = x509.NewCertPool()
	for _, c := range trusted {
		m.trust.AddCert(c)
	}
	return m, nil
}

// signer has signatures wait for their turn.
type signer struct {
	crypto.Signer
	turns chan struct{}
}

// Sign implements crypto.Signer.
func (s signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.turns <- struct{}{}
	defer func() { <-s.turns }()
	return s.Signer.Sign(rand, digest, opts)
}

// Config is for a door that speaks the application protocols, if any. It follows what is loaded later.
func (t *TLS) Config(protocols ...string) *tls.Config {
	type made struct {
		from *material
		cfg  *tls.Config
	}
	var last atomic.Pointer[made]
	out := t.config(t.current.Load(), protocols)
	out.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		m := t.current.Load()
		have := last.Load()
		if have == nil || have.from != m {
			have = &made{m, t.config(m, protocols)}
			last.Store(have)
		}
		if !t.opt.ClientNames {
			return have.cfg, nil
		}
		cfg := have.cfg.Clone()
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return t.verifyName(&s, hello.Conn.RemoteAddr()) }
		return cfg, nil
	}
	return out
}

func (t *TLS) config(m *material, protocols []string) *tls.Config {
	return &tls.Config{
		Certificates: m.keys, ClientCAs: m.trust, ClientAuth: t.opt.ClientAuth, NextProtos: protocols,
		MinVersion: t.opt.MinVersion, MaxVersion: t.opt.MaxVersion, CipherSuites: t.opt.CipherSuites,
		DynamicRecordSizingDisabled: true, Time: t.opt.Clock,
	}
}

// Handshake shakes hands, within the bounds of time and number. addr is the client, ip what it is counted by. An error
// has been counted and logged; the caller closes the connection.
func (t *TLS) Handshake(c *tls.Conn, addr, ip string) error {
	if t.pending.Add(1) > int64(t.opt.HandshakesMax) {
		t.pending.Add(-1)
		t.opt.Hooks.Exceeded()
		if times, ok := t.quiet.Allow("exceeded", t.now()); ok {
			t.opt.Logger.Warn().Int("limit", t.opt.HandshakesMax).Uint64("times", times).
				Str("remedy", "find who connects so often, or raise netty.server.outstandingHandshake.limit").Msg(ErrTooMany.Error())
		}
		return ErrTooMany
	}
	defer t.pending.Add(-1)
	err := c.SetDeadline(time.Now().Add(HandshakeTimeout))
	if err == nil {
		err = c.Handshake()
	}
	if err != nil {
		t.failed(addr, ip, err)
		return err
	}
	return c.SetDeadline(time.Time{})
}

// errPlain is what Refuse logs.
var errPlain = errors.New("the first bytes are not those of TLS")

// Refuse counts and logs a client that does not speak TLS; the caller closes the connection.
func (t *TLS) Refuse(addr, ip string) { t.failed(addr, ip, errPlain) }

func (t *TLS) failed(addr, ip string, err error) {
	t.opt.Hooks.Failed()
	if times, ok := t.quiet.Allow("failed "+ip, t.now()); ok {
		t.opt.Logger.Warn().Str("addr", addr).AnErr("err", err).Uint64("times", times).Str("remedy", t.remedy(err)).
			Msg("TLS handshake failed, connection closed")
	}
}

// Pending is how many handshakes are under way.
func (t *TLS) Pending() int64 { return t.pending.Load() }

func (t *TLS) now() int64 { return int64(t.opt.Clock().Sub(t.start)) }

// remedy is what to do about a handshake that failed.
func (t *TLS) remedy(err error) string {
	var (
		plain   tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		alert   tls.AlertError
	)
	switch {
	case err == errPlain, errors.As(err, &plain):
		return "this client does not speak TLS: have it do so, or use a port without"
	case errors.As(err, &unknown):
		return "add the authority that signed the client's certificate to " + t.opt.Trust.Name
	case errors.As(err, &invalid):
		return "give the client a certificate that is valid for authenticating clients"
	case errors.As(err, &alert):
		return "the client refused: it must trust the authority of this server's certificate, and know a version and suite in common"
	case t.opt.ClientAuth == tls.RequireAndVerifyClientCert:
		return "the client must present a certificate, or set ssl.clientAuth=want"
	default:
		return "look at the log of the client"
	}
}

// verifyName holds the client's certificate, if there is one, against where it comes from.
func (t *TLS) verifyName(s *tls.ConnectionState, from net.Addr) error {
	if len(s.PeerCertificates) == 0 {
		return nil // ClientAuth lets it pass
	}
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return fmt.Errorf("address of the client: %w", err)
	}
	err = s.PeerCertificates[0].VerifyHostname(host)
	if err == nil || !t.opt.ReverseLookup {
		return err
	}
	names, lookup := net.LookupAddr(host)
	if lookup != nil {
		return errors.Join(err, lookup)
	}
	for _, name := range names {
		if s.PeerCertificates[0].VerifyHostname(name) == nil {
			return nil
		}
	}
	return err
}
