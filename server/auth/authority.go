package auth

import (
	"strings"

	"paddock/internal/zk"
)

// The schemes an Authority knows.
const (
	SchemeWorld    = "world"
	SchemeAuth     = "auth"
	SchemeIP       = "ip"
	SchemeDigest   = "digest"
	SchemeSuper    = "super"
	SchemeEnsemble = "ensemble"
)

// Config is what of the configuration decides about access. The zero value is ZooKeeper's default: digest with
// SHA1, nobody is super, access lists count.
type Config struct {
	// SuperDigest is the digest id, user:hash, whose user passes every check; "" for nobody.
	SuperDigest string
	// DigestAlg is the hash of digest ids by its Java name, such as SHA-256; "" for SHA1.
	DigestAlg string
	// NoDigest switches the scheme digest off, in credentials and in lists.
	NoDigest bool
	// Ensemble accepts credentials of the scheme ensemble. No names are configured, so any name will do.
	Ensemble bool
	// SkipACL makes every check pass.
	SkipACL bool
}

// Authority judges credentials and access lists. It never changes.
type Authority struct {
	cfg    Config
	digest digestHash
}

// New returns an Authority; the only error is a DigestAlg that is unknown.
func New(cfg Config) (*Authority, error) {
	h, err := digestByName(cfg.DigestAlg)
	if err != nil {
		return nil, err
	}
	return &Authority{cfg: cfg, digest: h}, nil
}

// Authenticate judges a credential that a connection from the given remote IP presents. It returns the
// identities to add to those the connection has, which may be none; ok is false if the credential is refused.
func (a *Authority) Authenticate(scheme string, credential []byte, ip string) (ids []zk.ID, ok bool) {
	switch scheme {
	case SchemeIP:
		return []zk.ID{{Scheme: SchemeIP, ID: ip}}, true
	case SchemeDigest:
		if a.cfg.NoDigest || credential == nil {
			return nil, false
		}
		id := a.DigestID(credential)
		ids = []zk.ID{{Scheme: SchemeDigest, ID: id}}
		if id == a.cfg.SuperDigest {
			ids = append(ids, zk.ID{Scheme: SchemeSuper})
		}
		return ids, true
	case SchemeEnsemble:
		return nil, a.cfg.Ensemble
	default:
		return nil, false
	}
}

// provides tells whether a list may have entries of the scheme that are stored as they are, world apart.
func (a *Authority) provides(scheme string) bool {
	switch scheme {
	case SchemeIP:
		return true
	case SchemeDigest:
		return !a.cfg.NoDigest
	default:
		return false
	}
}

// authenticates tells whether an identity of the scheme stands for auth in a list.
func (a *Authority) authenticates(scheme string) bool {
	return scheme == SchemeDigest && !a.cfg.NoDigest
}

// UserName is how whoAmI shows an identity: the user of a digest, nothing of super, else the whole id.
func UserName(id zk.ID) string {
	switch id.Scheme {
	case SchemeDigest:
		user, _, _ := strings.Cut(id.ID, ":")
		return user
	case SchemeSuper:
		return ""
	default:
		return id.ID
	}
}
