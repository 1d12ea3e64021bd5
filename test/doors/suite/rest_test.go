//go:build doors

package suite

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
	"paddock/internal/zk"
	"paddock/test/doors/rig"
)

// rest makes HTTP requests of calls, by Go's HTTP client. Its answers must be what the contract's messages are in JSON; a field that the contract does not have is an error.
type rest struct {
	base  string
	http  *http.Client
	login string // of the Authorization header
}

// dialREST is a client of a server's HTTP port.
func dialREST(t *testing.T, s *rig.Server) *rest {
	c := &http.Client{Transport: &http.Transport{}, Timeout: callTimeout}
	t.Cleanup(c.CloseIdleConnections)
	return &rest{base: "http://" + s.HTTP, http: c}
}

// at is the URL path of something about a znode.
func at(what, path string) string {
	return (&url.URL{Path: "/v1/" + what + path}).EscapedPath()
}

// do makes one request. The session of ctx's metadata is named in headers.
func (r *rest) do(ctx context.Context, method, target string, body []byte, out proto.Message, headers ...string) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	for _, key := range []string{"paddock-session", "paddock-session-password"} {
		for _, v := range md.Get(key) {
			req.Header.Set(key, v)
		}
	}
	if r.login != "" {
		req.Header.Set("Authorization", r.login)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, status.Error(codes.Unavailable, err.Error())
	case resp.StatusCode >= http.StatusBadRequest:
		return nil, refused(resp, text)
	case out != nil:
		err = protojson.Unmarshal(text, out)
	}
	return resp.Header, err
}

// refused is the error that a problem tells of.
func refused(resp *http.Response, text []byte) error {
	var p struct {
		Status                            int
		Title, Detail, Reason, Path, Zxid string
	}
	if err := json.Unmarshal(text, &p); err != nil || resp.Header.Get("Content-Type") != "application/problem+json" || p.Status != resp.StatusCode {
		return fmt.Errorf("%s with the body %.200q of type %q is no problem: %w", resp.Status, text, resp.Header.Get("Content-Type"), err)
	}
	code := codes.Unknown
	if resp.StatusCode == http.StatusServiceUnavailable {
		code = codes.Unavailable
	}
	st := status.New(code, fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail))
	if p.Reason == "" {
		return st.Err()
	}
	st, err := st.WithDetails(&errdetails.ErrorInfo{Reason: p.Reason, Domain: "paddock", Metadata: map[string]string{"path": p.Path, "zxid": p.Zxid}})
	if err != nil {
		return err
	}
	return st.Err()
}

// send posts a message as JSON.
func (r *rest) send(ctx context.Context, method, target string, in, out proto.Message) error {
	body, err := protojson.Marshal(in)
	if err != nil {
		return err
	}
	_, err = r.do(ctx, method, target, body, out, "Content-Type", "application/json")
	return err
}

func (r *rest) OpenSession(ctx context.Context, in *paddockv1.OpenSessionRequest, _ ...grpc.CallOption) (*paddockv1.OpenSessionResponse, error) {
	out := new(paddockv1.OpenSessionResponse)
	return out, r.send(ctx, http.MethodPost, "/v1/sessions", in, out)
}

func (r *rest) CloseSession(ctx context.Context, _ *paddockv1.CloseSessionRequest, _ ...grpc.CallOption) (*paddockv1.CloseSessionResponse, error) {
	out := new(paddockv1.CloseSessionResponse)
	_, err := r.do(ctx, http.MethodDelete, "/v1/session", nil, out)
	return out, err
}

// AddAuth is not what HTTP clients do: they send the credential with each request.
func (r *rest) AddAuth(_ context.Context, in *paddockv1.AddAuthRequest, _ ...grpc.CallOption) (*paddockv1.AddAuthResponse, error) {
	r.login = "Basic " + base64.StdEncoding.EncodeToString(in.GetCredential())
	return &paddockv1.AddAuthResponse{}, nil
}

func (r *rest) WhoAmI(ctx context.Context, _ *paddockv1.WhoAmIRequest, _ ...grpc.CallOption) (*paddockv1.WhoAmIResponse, error) {
	out := new(paddockv1.WhoAmIResponse)
	_, err := r.do(ctx, http.MethodGet, "/v1/whoami", nil, out)
	return out, err
}

func (r *rest) ListEphemerals(ctx context.Context, in *paddockv1.ListEphemeralsRequest, _ ...grpc.CallOption) (*paddockv1.ListEphemeralsResponse, error) {
	out := new(paddockv1.ListEphemeralsResponse)
	_, err := r.do(ctx, http.MethodGet, "/v1/session/ephemerals?"+url.Values{"prefix": {in.GetPrefix()}}.Encode(), nil, out)
	return out, err
}

func (r *rest) Create(ctx context.Context, in *paddockv1.CreateRequest, _ ...grpc.CallOption) (*paddockv1.CreateResponse, error) {
	q := url.Values{"mode": {in.GetMode().String()}}
	if in.GetTtlMs() != 0 {
		q.Set("ttlMs", strconv.FormatInt(in.GetTtlMs(), 10))
	}
	if list := in.GetAcl(); len(list) > 0 {
		var text []string
		for _, a := range listOf(list) {
			text = append(text, a.ID.Scheme+":"+a.ID.ID+":"+letters(a.Perms))
		}
		q.Set("acl", strings.Join(text, ","))
	}
	out := new(paddockv1.CreateResponse)
	h, err := r.do(ctx, http.MethodPost, at("znodes", in.GetPath())+"?"+q.Encode(), in.GetData(), out)
	if err == nil && h.Get("Location") != at("znodes", out.GetPath()) {
		return nil, fmt.Errorf("Location is %q for %q", h.Get("Location"), out.GetPath())
	}
	return out, err
}

// letters are permissions as zkCli writes them.
func letters(p zk.Perms) (text string) {
	for _, l := range []struct {
		bit    zk.Perms
		letter string
	}{{zk.PermCreate, "c"}, {zk.PermDelete, "d"}, {zk.PermRead, "r"}, {zk.PermWrite, "w"}, {zk.PermAdmin, "a"}} {
		if p&l.bit != 0 {
			text += l.letter
		}
	}
	return text
}

// Get asks for the message, and checks what the headers say of it.
func (r *rest) Get(ctx context.Context, in *paddockv1.GetRequest, _ ...grpc.CallOption) (*paddockv1.GetResponse, error) {
	q := url.Values{}
	if in.GetRead().GetLevel() == paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE {
		q.Set("level", "linearizable")
	}
	out := new(paddockv1.GetResponse)
	h, err := r.do(ctx, http.MethodGet, at("znodes", in.GetPath())+"?"+q.Encode(), nil, out, "Accept", "application/json")
	if err != nil {
		return out, err
	}
	if want := fmt.Sprintf(`"%d-%d"`, out.GetStat().GetMzxid(), out.GetStat().GetVersion()); h.Get("ETag") != want || h.Get("Paddock-Zxid") != fmt.Sprint(out.GetZxid()) {
		return nil, fmt.Errorf("ETag %s and zxid %s of a znode that is %s at %d", h.Get("ETag"), h.Get("Paddock-Zxid"), want, out.GetZxid())
	}
	return out, nil
}

func (r *rest) Exists(ctx context.Context, in *paddockv1.ExistsRequest, _ ...grpc.CallOption) (*paddockv1.ExistsResponse, error) {
	out := new(paddockv1.ExistsResponse)
	_, err := r.do(ctx, http.MethodGet, at("znodes", in.GetPath())+"?stat", nil, out)
	return out, err
}

func (r *rest) Set(ctx context.Context, in *paddockv1.SetRequest, _ ...grpc.CallOption) (*paddockv1.SetResponse, error) {
	out := new(paddockv1.PutResponse)
	var err error
	if in.Version == nil {
		_, err = r.do(ctx, http.MethodPut, at("znodes", in.GetPath()), in.GetData(), out, "If-Match", "*")
	} else {
		_, err = r.do(ctx, http.MethodPut, at("znodes", in.GetPath())+"?version="+strconv.Itoa(int(in.GetVersion())), in.GetData(), out)
	}
	return &paddockv1.SetResponse{Stat: out.GetStat(), Zxid: out.GetZxid()}, err
}

func (r *rest) Delete(ctx context.Context, in *paddockv1.DeleteRequest, _ ...grpc.CallOption) (*paddockv1.DeleteResponse, error) {
	target := at("znodes", in.GetPath())
	if in.Version != nil {
		target += "?version=" + strconv.Itoa(int(in.GetVersion()))
	}
	out := new(paddockv1.DeleteResponse)
	_, err := r.do(ctx, http.MethodDelete, target, nil, out)
	return out, err
}

// ListChildren follows the link to the next page.
func (r *rest) ListChildren(ctx context.Context, in *paddockv1.ListChildrenRequest, _ ...grpc.CallOption) (*paddockv1.ListChildrenResponse, error) {
	target := in.GetPageToken() // of the page before: its link
	if target == "" {
		target = at("children", in.GetPath()) + "?pageSize=" + strconv.Itoa(int(in.GetPageSize()))
	}
	out := new(paddockv1.ListChildrenResponse)
	h, err := r.do(ctx, http.MethodGet, target, nil, out)
	if err != nil {
		return out, err
	}
	link, _, found := strings.Cut(strings.TrimPrefix(h.Get("Link"), "<"), ">")
	if found != (out.GetNextPageToken() != "") {
		return out, fmt.Errorf("Link is %q, the token %q", h.Get("Link"), out.GetNextPageToken())
	}
	out.NextPageToken = link
	return out, nil
}

func (r *rest) GetAcl(ctx context.Context, in *paddockv1.GetAclRequest, _ ...grpc.CallOption) (*paddockv1.GetAclResponse, error) {
	out := new(paddockv1.GetAclResponse)
	_, err := r.do(ctx, http.MethodGet, at("acls", in.GetPath()), nil, out)
	return out, err
}

func (r *rest) SetAcl(ctx context.Context, in *paddockv1.SetAclRequest, _ ...grpc.CallOption) (*paddockv1.SetAclResponse, error) {
	out := new(paddockv1.SetAclResponse)
	return out, r.send(ctx, http.MethodPut, at("acls", in.GetPath()), &paddockv1.SetAclRequest{Acl: in.GetAcl(), Version: in.Version}, out)
}

func (r *rest) Transact(ctx context.Context, in *paddockv1.TransactRequest, _ ...grpc.CallOption) (*paddockv1.TransactResponse, error) {
	out := new(paddockv1.TransactResponse)
	return out, r.send(ctx, http.MethodPost, "/v1/transactions", in, out)
}

func (r *rest) BatchRead(ctx context.Context, in *paddockv1.BatchReadRequest, _ ...grpc.CallOption) (*paddockv1.BatchReadResponse, error) {
	out := new(paddockv1.BatchReadResponse)
	return out, r.send(ctx, http.MethodPost, "/v1/reads", in, out)
}

func (r *rest) Sync(ctx context.Context, in *paddockv1.SyncRequest, _ ...grpc.CallOption) (*paddockv1.SyncResponse, error) {
	out := new(paddockv1.SyncResponse)
	return out, r.send(ctx, http.MethodPost, "/v1/sync", in, out)
}

// eventsOf are the changes of a server-sent event, as "type path".
func eventsOf(t *testing.T, data string) []string {
	t.Helper()
	var e struct {
		Changes []struct{ Type, Path string }
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	var out []string
	for _, c := range e.Changes {
		out = append(out, c.Type+" "+c.Path)
	}
	return out
}
