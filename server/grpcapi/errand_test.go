package grpcapi

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/server/replica"
)

func TestAReconfigurationIsRefusedWithZooKeepersReason(t *testing.T) {
	ask := &paddockv1.ReconfigureRequest{Leaving: []int64{7}}
	for name, c := range map[string]struct {
		enabled bool
		ask     *paddockv1.ReconfigureRequest
		super   bool
		code    codes.Code
		reason  string
	}{
		"it is switched off":              {false, ask, true, codes.Unimplemented, "RECONFIGDISABLED"},
		"a server on its own has none":    {true, ask, true, codes.Unimplemented, "UNIMPLEMENTED"},
		"nothing is asked for":            {true, &paddockv1.ReconfigureRequest{}, true, codes.InvalidArgument, "BADARGUMENTS"},
		"a version is not one":            {true, &paddockv1.ReconfigureRequest{Leaving: []int64{7}, FromVersion: 1 << 63}, true, codes.InvalidArgument, "BADARGUMENTS"},
		"a member is not of the form":     {true, &paddockv1.ReconfigureRequest{Joining: []string{"a:1"}}, true, codes.InvalidArgument, "BADARGUMENTS"},
		"a credential is not of a scheme": {true, ask, true, codes.Unauthenticated, "AUTHFAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(_ *Options, cfg *replica.Config) { cfg.Prep.Reconfig = c.enabled })
			ctx := t.Context()
			if c.super {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Basic c3VwZXI6dGVzdA==") // super:test
			}
			if c.reason == "AUTHFAILED" {
				ctx = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x")
			}
			_, err := paddockv1.NewAdminServiceClient(r.conn).Reconfigure(ctx, c.ask)
			expect(t, err, c.code, c.reason)
		})
	}
}

func TestASessionThatIsNotThereCannotBeExpired(t *testing.T) {
	r := newRig(t, func(o *Options, _ *replica.Config) { o.Operator = &orders{} })
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic c3VwZXI6dGVzdA==")
	admin := paddockv1.NewAdminServiceClient(r.conn)
	_, err := admin.ExpireSession(ctx, &paddockv1.ExpireSessionRequest{SessionId: 77})
	expect(t, err, codes.NotFound, "SESSIONEXPIRED")
	who, s := r.open(30_000)
	if _, err := admin.ExpireSession(ctx, &paddockv1.ExpireSessionRequest{SessionId: s.GetSessionId()}); err != nil {
		t.Fatal(err)
	}
	_, err = r.sess.Touch(who, &paddockv1.TouchRequest{})
	expect(t, err, codes.Unauthenticated, "SESSIONEXPIRED")
}
