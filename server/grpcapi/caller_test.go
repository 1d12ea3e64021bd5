package grpcapi

import (
	"context"
	"encoding/base64"
	"net"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"paddock/internal/zk"
)

// guard takes any digest, and one as the superuser's.
func guard(scheme string, credential []byte, _ string) ([]zk.ID, bool) {
	ids := []zk.ID{{Scheme: scheme, ID: string(credential)}}
	if string(credential) == "super:secret" {
		ids = append(ids, zk.ID{Scheme: schemeSuper})
	}
	return ids, true
}

func basicAuth(credential string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(credential))
}

func TestWhoCalls(t *testing.T) {
	socket := &net.UnixAddr{Name: "@", Net: "unix"}
	port := &net.TCPAddr{IP: net.ParseIP("10.0.0.7"), Port: 4000}
	for name, c := range map[string]struct {
		from     net.Addr
		metadata []string
		ip       string
		ids      int // beyond ip
		operates bool
		code     codes.Code
	}{
		"who opens the socket operates":                                 {from: socket, operates: true},
		"the gateway's clients do not":                                  {from: socket, metadata: []string{metadataPeer, "192.168.1.2:999"}, ip: "192.168.1.2"},
		"a client of the gateway may be the superuser":                  {from: socket, metadata: []string{metadataPeer, "[::ffff:1.2.3.4]:9", metadataAuthorization, basicAuth("super:secret")}, ip: "1.2.3.4", ids: 2, operates: true},
		"a client of a port does not operate":                           {from: port, ip: "10.0.0.7"},
		"a client of a port cannot claim another address":               {from: port, metadata: []string{metadataPeer, "127.0.0.1:1"}, ip: "10.0.0.7"},
		"a client of a port cannot claim an empty one":                  {from: port, metadata: []string{metadataPeer, ""}, ip: "10.0.0.7"},
		"what the gateway says of its client's address is not empty":    {from: socket, metadata: []string{metadataPeer, ""}, ip: ""},
		"the superuser may come through a port":                         {from: port, metadata: []string{metadataAuthorization, basicAuth("super:secret")}, ip: "10.0.0.7", ids: 2, operates: true},
		"a user is a user":                                              {from: port, metadata: []string{metadataAuthorization, basicAuth("anne:secret")}, ip: "10.0.0.7", ids: 1},
		"more than one credential counts":                               {from: port, metadata: []string{metadataAuthorization, basicAuth("a:b"), metadataAuthorization, "basic " + basicAuth("c:d")[6:]}, ip: "10.0.0.7", ids: 2},
		"another scheme is refused":                                     {from: port, metadata: []string{metadataAuthorization, "Bearer abc"}, code: codes.Unauthenticated},
		"what is no base64 is refused":                                  {from: port, metadata: []string{metadataAuthorization, "Basic !!!"}, code: codes.Unauthenticated},
		"a credential without a password is refused, also of operators": {from: socket, metadata: []string{metadataAuthorization, basicAuth("anne")}, code: codes.Unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: c.from})
			ctx = withHeaders(ctx, metadata.Pairs(c.metadata...))
			got, err := callerOf(ctx, guard)
			if status.Code(err) != c.code {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			ids := slices.DeleteFunc(slices.Clone(got.ids), func(id zk.ID) bool { return id.Scheme == schemeIP })
			if got.ip != c.ip || len(ids) != c.ids || got.mayOperate() != c.operates {
				t.Errorf("%+v, may operate: %v", got, got.mayOperate())
			}
			if c.ip != "" && !slices.Contains(got.ids, zk.ID{Scheme: schemeIP, ID: c.ip}) {
				t.Errorf("identities %v", got.ids)
			}
		})
	}
	if _, err := callerOf(withHeaders(context.Background(), metadata.Pairs(metadataAuthorization, basicAuth("a:b"))), nil); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a credential that nobody judges: %v", err)
	}
}
