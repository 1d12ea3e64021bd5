package secure

import (
	"crypto/tls"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Credentials are for a gRPC server that serves a Listener, and listeners without TLS beside it: calls that came through
// TLS have credentials.TLSInfo as their peer's AuthInfo.
func Credentials() credentials.TransportCredentials {
	return transport{insecure.NewCredentials()}
}

// transport is credentials for connections of both kinds.
type transport struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials. The handshake is over.
func (t transport) ServerHandshake(nc net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, ok := nc.(*tls.Conn)
	if !ok {
		return t.TransportCredentials.ServerHandshake(nc)
	}
	return nc, credentials.TLSInfo{
		State: c.ConnectionState(), CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// Clone implements credentials.TransportCredentials.
func (t transport) Clone() credentials.TransportCredentials { return t }
