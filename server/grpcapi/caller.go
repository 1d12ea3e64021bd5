package grpcapi

import (
	"context"
	"encoding/base64"
	"net"
	"net/netip"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"paddock/internal/zk"
)

// Metadata that says who calls. Those of the gateway are read from the socket in the data directory alone, which its owner
// alone may open: whoever calls through a port cannot claim to be another.
const (
	metadataAuthorization = "authorization"       // Basic base64(user:password), an identity of the scheme digest
	metadataPeer          = "paddock-peer"        // from the gateway: host:port of its client
	metadataPeerSecure    = "paddock-peer-secure" // from the gateway: 1 if its client came through TLS
)

// The schemes that a door itself speaks of.
const (
	schemeIP     = "ip"
	schemeDigest = "digest"
	schemeSuper  = "super"
)

// Authenticate judges a credential that a client at an address presents: the identities it proves, or false.
type Authenticate func(scheme string, credential []byte, ip string) (ids []zk.ID, ok bool)

// caller is who makes a call.
type caller struct {
	addr     string  // host:port; "" for who calls through the socket itself
	ip       string  // the host of addr
	secure   bool    // came through TLS
	operator bool    // opened the socket in the data directory, and is not the gateway
	ids      []zk.ID // ip, and what its credentials prove
}

// callerOf tells who makes the call that ctx belongs to. It fails with UNAUTHENTICATED if a credential is refused.
func callerOf(ctx context.Context, authenticate Authenticate) (caller, error) {
	said := headersOf(ctx)
	c := whence(ctx, said)
	if c.ip != "" {
		c.ids = []zk.ID{{Scheme: schemeIP, ID: c.ip}}
	}
	for _, header := range said[metadataAuthorization] {
		credential, ok := basic(header)
		if !ok {
			return caller{}, fault(codes.Unauthenticated, reasonOf(zk.AuthFailed), "authorization must be of the form: Basic base64(user:password)")
		}
		var ids []zk.ID
		if authenticate != nil {
			ids, ok = authenticate(schemeDigest, credential, c.ip)
		}
		if !ok || authenticate == nil {
			return caller{}, fault(codes.Unauthenticated, reasonOf(zk.AuthFailed), "the credential is refused: the scheme digest is switched off")
		}
		c.ids = append(c.ids, ids...)
	}
	return c, nil
}

// whence tells where a call comes from.
func whence(ctx context.Context, said headers) caller {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return caller{}
	}
	if p.Addr.Network() != "unix" {
		_, secure := security(p).(credentials.TLSInfo)
		return caller{addr: p.Addr.String(), ip: hostOf(p.Addr.String()), secure: secure}
	}
	claimed := said[metadataPeer]
	if len(claimed) == 0 {
		return caller{operator: true}
	}
	secure := said[metadataPeerSecure]
	return caller{addr: claimed[0], ip: hostOf(claimed[0]), secure: len(secure) == 1 && secure[0] == "1"}
}

// hostOf is the IP address of host:port as identities have it: without a zone, IPv4 as such.
func hostOf(addr string) string {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().Unmap().WithZone("").String()
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// basic decodes the value of an authorization header.
func basic(header string) (credential []byte, ok bool) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "basic") {
		return nil, false
	}
	credential, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	return credential, err == nil && strings.Contains(string(credential), ":")
}

// mayOperate tells whether a caller may do what is for operators.
func (c *caller) mayOperate() bool {
	if c.operator {
		return true
	}
	for _, id := range c.ids {
		if id.Scheme == schemeSuper {
			return true
		}
	}
	return false
}
