package grpcapi

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/replica"
)

// within is a connection within the process, in front of a rig.
func (r *rig) within() *Inside {
	c := r.server.Inside(r.conn)
	r.t.Cleanup(func() { c.Close() })
	return c
}

func TestInsideIsTrustedAsTheSocketIs(t *testing.T) {
	r := newRig(t, func(o *Options, _ *replica.Config) { o.Operator, o.Authenticate = &orders{}, guard })
	c := paddockv1.NewAdminServiceClient(r.within())
	for name, test := range map[string]struct {
		metadata []string
		code     codes.Code
	}{
		"the process itself operates":           {},
		"whom the gateway calls for does not":   {metadata: []string{metadataPeer, "127.0.0.1:4000"}, code: codes.PermissionDenied},
		"nor does who has no address":           {metadata: []string{metadataPeer, ""}, code: codes.PermissionDenied},
		"a credential that is none is refused":  {metadata: []string{metadataPeer, "127.0.0.1:4000", metadataAuthorization, "Bearer x"}, code: codes.Unauthenticated},
		"the superuser of the gateway operates": {metadata: []string{metadataPeer, "127.0.0.1:4000", metadataAuthorization, basicAuth("super:secret")}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.SetLogLevel(metadata.AppendToOutgoingContext(t.Context(), test.metadata...), &paddockv1.SetLogLevelRequest{Level: "debug"})
			if status.Code(err) != test.code {
				t.Errorf("%v, want %v", err, test.code)
			}
		})
	}
}

func TestInsideAnswersAsAPortDoes(t *testing.T) {
	r := newRig(t)
	c := paddockv1.NewZnodeServiceClient(r.within())
	data := []byte("of one")
	if _, err := c.Create(t.Context(), &paddockv1.CreateRequest{Path: "/a", Data: data}); err != nil {
		t.Fatal(err)
	}
	clear(data) // is the caller's again
	got, err := c.Get(t.Context(), &paddockv1.GetRequest{Path: "/a"})
	if err != nil || string(got.GetData()) != "of one" || got.GetStat().GetDataLength() != 6 {
		t.Errorf("%v %v", got, err)
	}
	_, err = c.Get(t.Context(), &paddockv1.GetRequest{Path: "/b"})
	expect(t, err, codes.NotFound, "NONODE")
	_, err = c.Get(t.Context(), &paddockv1.GetRequest{Path: "/\xff"})
	expect(t, err, codes.Internal, "") // as grpc says of what is no text
	_, err = c.Set(t.Context(), &paddockv1.SetRequest{Path: "/a", Data: make([]byte, r.server.messageMax)})
	expect(t, err, codes.ResourceExhausted, "TOO_LARGE")
	if err := r.within().Invoke(t.Context(), "/paddock.v1.ZnodeService/None", &paddockv1.GetRequest{}, &paddockv1.GetResponse{}); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}

func TestInsideEndsWithItsCalls(t *testing.T) {
	r := newRig(t)
	conn := r.within()
	c := paddockv1.NewZnodeServiceClient(conn)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Get(ended, &paddockv1.GetRequest{Path: "/"})
	expect(t, err, codes.Canceled, "")
	late, done := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer done()
	_, err = c.Get(late, &paddockv1.GetRequest{Path: "/"})
	expect(t, err, codes.DeadlineExceeded, "")
	conn.Close()
	_, err = c.Get(t.Context(), &paddockv1.GetRequest{Path: "/"})
	expect(t, err, codes.Unavailable, "")
}
