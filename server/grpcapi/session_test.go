package grpcapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/server/request"
)

func TestSilentSessionExpires(t *testing.T) {
	r := newRig(t)
	ctx, s := r.open(300)
	stream, err := r.sess.KeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&paddockv1.KeepAliveRequest{}); err != nil {
		t.Fatal(err)
	}
	if in, err := stream.Recv(); err != nil || in.GetTimeoutMs() != s.GetTimeoutMs() || in.GetZxid() < s.GetZxid() {
		t.Fatalf("first answer: %v %v", in, err)
	}
	if _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/e", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL}); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv() // while nothing is sent
	expect(t, err, codes.Unauthenticated, "SESSIONEXPIRED")
	out, err := r.znodes.Exists(t.Context(), &paddockv1.ExistsRequest{Path: "/e"})
	if err != nil || out.GetExists() {
		t.Errorf("its ephemeral: %v %v", out, err)
	}
	_, err = r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/"})
	expect(t, err, codes.Unauthenticated, "SESSIONEXPIRED")
}

func TestKeepAliveEndsWellWhenItsClientEndsIt(t *testing.T) {
	r := newRig(t)
	ctx, _ := r.open(5000)
	stream, err := r.sess.KeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.Send(&paddockv1.KeepAliveRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestSessionIsNamedByIDAndPassword(t *testing.T) {
	r := newRig(t)
	_, s := r.open(5000)
	wrong := make([]byte, 2*zk.PasswordBytes)
	for i := range wrong {
		wrong[i] = '0'
	}
	for _, row := range []struct {
		name, id, password string
		code               codes.Code
		reason             string
	}{
		{"in decimal", fmt.Sprint(s.GetSessionId()), s.GetPassword(), codes.OK, ""},
		{"in hexadecimal", fmt.Sprintf("0x%x", uint64(s.GetSessionId())), s.GetPassword(), codes.OK, ""},
		{"with another password", fmt.Sprint(s.GetSessionId()), string(wrong), codes.Unauthenticated, "SESSIONEXPIRED"},
		{"with no password that could be one", fmt.Sprint(s.GetSessionId()), "xyz", codes.InvalidArgument, "BADARGUMENTS"},
		{"by no number", "mine", s.GetPassword(), codes.InvalidArgument, "BADARGUMENTS"},
		{"that never was", "77", fmt.Sprintf("%x", zk.SessionID(77).Password()), codes.Unauthenticated, "SESSIONEXPIRED"},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), metadataSession, row.id, metadataPassword, row.password)
		_, err := r.sess.Touch(ctx, &paddockv1.TouchRequest{})
		if t.Logf("a session named %s", row.name); status.Code(err) != row.code {
			t.Errorf("%v", err)
		}
		expect(t, err, row.code, row.reason)
	}
}

// juteClient is what a door of ZooKeeper's protocol would be: it takes a session up.
type juteClient struct {
	connected chan zk.SessionID
	replied   chan zk.Reply
}

func (c *juteClient) Connected(r *zk.ConnectResponse) { c.connected <- r.Session }
func (c *juteClient) Reply(r *zk.Reply)               { c.replied <- keep(r) }
func (c *juteClient) Event(*zk.Event)                 {}
func (c *juteClient) Flush()                          {}
func (c *juteClient) Close(request.CloseReason)       {}
func (c *juteClient) Backlog() int                    { return 0 }

func TestSessionGoesToAnotherDoorAndBack(t *testing.T) {
	r := newRig(t)
	ctx, s := r.open(20_000)
	if _, err := r.znodes.Create(ctx, &paddockv1.CreateRequest{Path: "/e", Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL}); err != nil {
		t.Fatal(err)
	}
	stream, err := r.sess.KeepAlive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&paddockv1.KeepAliveRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	c := &juteClient{make(chan zk.SessionID, 1), make(chan zk.Reply, 1)}
	id := r.driver.Open(c, request.Origin{IP: "127.0.0.1"})
	defer r.driver.Close(id)
	password := zk.SessionID(s.GetSessionId()).Password()
	r.driver.Connect(id, &zk.ConnectRequest{TimeoutMS: 20_000, Session: zk.SessionID(s.GetSessionId()), Password: password[:]})
	if got := <-c.connected; got != zk.SessionID(s.GetSessionId()) {
		t.Fatalf("the session is not taken up: %v", got)
	}
	_, err = stream.Recv()
	expect(t, err, codes.Aborted, "SESSIONMOVED")
	r.driver.Submit(id, []zk.Request{{Xid: 1, Op: zk.OpGetEphemerals}}, nil)
	if rep := <-c.replied; len(rep.Names) != 1 || rep.Names[0] != "/e" {
		t.Errorf("its ephemerals there: %v", rep.Names)
	}
	list, err := r.sess.ListEphemerals(ctx, &paddockv1.ListEphemeralsRequest{}) // takes it back
	if err != nil || len(list.GetPaths()) != 1 {
		t.Errorf("its ephemerals here: %v %v", list, err)
	}
	touched, err := r.sess.Touch(ctx, &paddockv1.TouchRequest{})
	if err != nil || touched.GetTimeoutMs() != s.GetTimeoutMs() {
		t.Errorf("its timeout: %v %v, was %d", touched, err, s.GetTimeoutMs())
	}
}

func TestIdentitiesComeFromAddressHeaderAndSession(t *testing.T) {
	r := newRig(t)
	ctx, _ := r.open(5000)
	who := func(ids *paddockv1.WhoAmIResponse, err error) string {
		if err != nil {
			return err.Error()
		}
		text := ""
		for _, id := range ids.GetIdentities() {
			text += id.GetScheme() + ":" + id.GetId() + " "
		}
		return text
	}
	basic := metadata.AppendToOutgoingContext(t.Context(), metadataAuthorization, "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:pw")))
	if got := who(r.sess.WhoAmI(t.Context(), &paddockv1.WhoAmIRequest{})); got != "ip:127.0.0.1 " {
		t.Errorf("without a word: %s", got)
	}
	if got := who(r.sess.WhoAmI(basic, &paddockv1.WhoAmIRequest{})); got != "ip:127.0.0.1 digest:ann " {
		t.Errorf("with a header: %s", got)
	}
	if _, err := r.sess.AddAuth(ctx, &paddockv1.AddAuthRequest{Scheme: "digest", Credential: []byte("bob:pw")}); err != nil {
		t.Fatal(err)
	}
	_, err := r.sess.AddAuth(ctx, &paddockv1.AddAuthRequest{Scheme: "nonsense", Credential: []byte("x")})
	expect(t, err, codes.Unauthenticated, "AUTHFAILED")
	if got := who(r.sess.WhoAmI(ctx, &paddockv1.WhoAmIRequest{})); got != "ip:127.0.0.1 digest:bob " {
		t.Errorf("of a session: %s", got)
	}
	mine := []*paddockv1.Acl{{Scheme: "auth", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ, paddockv1.Permission_PERMISSION_ADMIN}}}
	if _, err := r.znodes.Create(basic, &paddockv1.CreateRequest{Path: "/ann", Acl: mine}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.znodes.Get(basic, &paddockv1.GetRequest{Path: "/ann"}); err != nil {
		t.Errorf("ann: %v", err)
	}
	_, err = r.znodes.Get(ctx, &paddockv1.GetRequest{Path: "/ann"})
	expect(t, err, codes.PermissionDenied, "NOAUTH")
	_, err = r.znodes.Set(basic, &paddockv1.SetRequest{Path: "/ann"})
	expect(t, err, codes.PermissionDenied, "NOAUTH")
}

func TestMetadataOfTheGatewayIsNotTakenFromAPort(t *testing.T) {
	r := newRig(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), metadataPeer, "192.0.2.1:99")
	out, err := r.sess.WhoAmI(ctx, &paddockv1.WhoAmIRequest{})
	if err != nil || len(out.GetIdentities()) != 1 || out.GetIdentities()[0].GetId() != "127.0.0.1" {
		t.Errorf("%v %v", out, err)
	}
}
