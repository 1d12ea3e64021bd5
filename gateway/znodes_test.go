package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	paddockv1 "paddock/gen/paddock/v1"
)

// recorder is a server that remembers the last request and answers with what it was given.
type recorder struct {
	paddockv1.UnimplementedZnodeServiceServer
	paddockv1.UnimplementedWatchServiceServer
	got  proto.Message
	meta metadata.MD
	err  error
	data []byte

	transact *paddockv1.TransactResponse
	page     string
	watch    func(*paddockv1.CreateWatch, grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error
}

var stat = &paddockv1.Stat{Mzxid: 77, Version: 3}

func (s *recorder) took(ctx context.Context, m proto.Message) error {
	s.got = m
	s.meta, _ = metadata.FromIncomingContext(ctx)
	return s.err
}

func (s *recorder) Get(ctx context.Context, in *paddockv1.GetRequest) (*paddockv1.GetResponse, error) {
	return &paddockv1.GetResponse{Data: s.data, Stat: stat, Zxid: 80}, s.took(ctx, in)
}
func (s *recorder) Exists(ctx context.Context, in *paddockv1.ExistsRequest) (*paddockv1.ExistsResponse, error) {
	return &paddockv1.ExistsResponse{Exists: true, Stat: stat, Zxid: 80}, s.took(ctx, in)
}
func (s *recorder) Put(ctx context.Context, in *paddockv1.PutRequest) (*paddockv1.PutResponse, error) {
	return &paddockv1.PutResponse{Stat: stat, Zxid: 81, Created: true}, s.took(ctx, in)
}
func (s *recorder) Set(ctx context.Context, in *paddockv1.SetRequest) (*paddockv1.SetResponse, error) {
	return &paddockv1.SetResponse{Stat: stat, Zxid: 81}, s.took(ctx, in)
}
func (s *recorder) Create(ctx context.Context, in *paddockv1.CreateRequest) (*paddockv1.CreateResponse, error) {
	return &paddockv1.CreateResponse{Path: in.GetPath() + "0000000001", Stat: stat, Zxid: 81, Created: true}, s.took(ctx, in)
}
func (s *recorder) Delete(ctx context.Context, in *paddockv1.DeleteRequest) (*paddockv1.DeleteResponse, error) {
	return &paddockv1.DeleteResponse{Zxid: 81, Deleted: 1}, s.took(ctx, in)
}
func (s *recorder) Transact(ctx context.Context, in *paddockv1.TransactRequest) (*paddockv1.TransactResponse, error) {
	return s.transact, s.took(ctx, in)
}
func (s *recorder) ListChildren(ctx context.Context, in *paddockv1.ListChildrenRequest) (*paddockv1.ListChildrenResponse, error) {
	return &paddockv1.ListChildrenResponse{NextPageToken: s.page, Zxid: 80}, s.took(ctx, in)
}
func (s *recorder) Watch(stream grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	return s.watch(m.GetCreate(), stream)
}

// gate is a gateway in front of s.
func gate(t testing.TB, s *recorder, o Options) http.Handler {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	paddockv1.RegisterZnodeServiceServer(server, s)
	paddockv1.RegisterWatchServiceServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }() // ends with Stop below
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		<-served
	})
	h, err := New(conn, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// headers of a request, in pairs.
func send(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func ptr[T any](v T) *T { return &v }

// The contract's names of kinds of znodes, and shorter ones, in each spelling.
func TestModes(t *testing.T) {
	names := map[paddockv1.CreateMode][]string{
		paddockv1.CreateMode_CREATE_MODE_PERSISTENT:                     {"", "Persistent", "PERSISTENT"},
		paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL:          {"sequential", "persistent-sequential"},
		paddockv1.CreateMode_CREATE_MODE_EPHEMERAL:                      {"ephemeral", "CREATE_MODE_ephemeral"},
		paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL:           {"ephemeral-sequential", "EPHEMERAL_SEQUENTIAL"},
		paddockv1.CreateMode_CREATE_MODE_CONTAINER:                      {"container"},
		paddockv1.CreateMode_CREATE_MODE_PERSISTENT_WITH_TTL:            {"ttl", "persistent_with_ttl", "PERSISTENT_WITH_TTL"},
		paddockv1.CreateMode_CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL: {"ttl-sequential", "persistent-sequential-with-ttl"},
	}
	for n, name := range paddockv1.CreateMode_name {
		names[paddockv1.CreateMode(n)] = append(names[paddockv1.CreateMode(n)], name, strings.ToLower(name))
	}
	for want, list := range names {
		for _, name := range list {
			got, err := query{url.Values{"mode": {name}}}.mode()
			if got != want && (name != "" || got != 0) || err != nil {
				t.Errorf("%q is %v, %v, want %v", name, got, err, want)
			}
		}
	}
}

func TestWhatARequestAsksOfTheServer(t *testing.T) {
	guarded := &paddockv1.TransactRequest{
		Guards:  []*paddockv1.Guard{{Path: "/a", Condition: &paddockv1.Guard_Mzxid{Mzxid: 77}}},
		Options: &paddockv1.WriteOptions{},
		Then: []*paddockv1.Operation{{Operation: &paddockv1.Operation_Set{
			Set: &paddockv1.SetRequest{Path: "/a", Data: []byte("x"), Version: ptr[int32](3)}}}},
	}
	plain, local := &paddockv1.WriteOptions{}, &paddockv1.ReadOptions{}
	for _, row := range []struct {
		name, method, target, body string
		headers                    []string
		code                       int
		want                       proto.Message
	}{
		{"a path is the znode's", "GET", "/v1/znodes/app/config", "", nil, 200, &paddockv1.GetRequest{Path: "/app/config", Read: local}},
		{"nothing behind the prefix is the root", "GET", "/v1/znodes", "", nil, 200, &paddockv1.GetRequest{Path: "/", Read: local}},
		{"escapes are undone, colons and dots left alone", "GET", "/v1/znodes/a%20b:c/%C3%A4/.x", "", nil, 200, &paddockv1.GetRequest{Path: "/a b:c/ä/.x", Read: local}},
		{"a path is not cleaned", "GET", "/v1/znodes/a//b", "", nil, 200, &paddockv1.GetRequest{Path: "/a//b", Read: local}},
		{"freshness is in the query", "GET", "/v1/znodes/a?level=linearizable&minZxid=0x10", "", nil, 200,
			&paddockv1.GetRequest{Path: "/a", Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_LINEARIZABLE, MinZxid: 16}}},
		{"freshness has the contract's names too", "GET", "/v1/znodes/a?read.level=READ_LEVEL_SYNCED&read.min_zxid=7", "", nil, 200,
			&paddockv1.GetRequest{Path: "/a", Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED, MinZxid: 7}}},
		{"so have the options of a write", "POST", "/v1/znodes/a?options.idempotencyKey=9&options.minZxid=7&if_absent", "x", nil, 201,
			&paddockv1.CreateRequest{Path: "/a", Data: []byte("x"), Mode: paddockv1.CreateMode_CREATE_MODE_PERSISTENT, IfAbsent: true,
				Options: &paddockv1.WriteOptions{IdempotencyKey: 9, MinZxid: 7}}},
		{"freshness of a list is said as of a znode", "GET", "/v1/children/a?level=synced&minZxid=7&page_size=3", "", nil, 200, &paddockv1.ListChildrenRequest{
			Path: "/a", PageSize: 3, Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED, MinZxid: 7}}},
		{"kinds of a list can be several", "GET", "/v1/children/a?filter.kinds=1&filter.kinds=2", "", nil, 200, &paddockv1.ListChildrenRequest{
			Path: "/a", Filter: &paddockv1.ListFilter{Kinds: []paddockv1.ZnodeKind{1, 2}}}},
		{"kinds have short names, and a switch that is there is on", "GET", "/v1/children/a?filter.kinds=ttl&filter.kinds=Container&withStat&with_data=False&level=SYNCED", "", nil, 200, &paddockv1.ListChildrenRequest{
			Path: "/a", Filter: &paddockv1.ListFilter{Kinds: []paddockv1.ZnodeKind{4, 3}}, WithStat: true, Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED}}},
		{"a stat alone is asked for without data", "GET", "/v1/znodes/a?stat", "", nil, 200, &paddockv1.ExistsRequest{Path: "/a", Read: local}},
		{"a body is data, whatever its type is said to be", "PUT", "/v1/znodes/a?parents", `{"x":`, []string{"Content-Type", "application/json"}, 201,
			&paddockv1.PutRequest{Path: "/a", Data: []byte(`{"x":`), Parents: true, Options: plain}},
		{"a version makes it a set", "PUT", "/v1/znodes/a?version=0", "x", nil, 200,
			&paddockv1.SetRequest{Path: "/a", Data: []byte("x"), Version: ptr[int32](0), Options: plain}},
		{"any version that is there", "PUT", "/v1/znodes/a", "x", []string{"If-Match", "*"}, 200, &paddockv1.SetRequest{Path: "/a", Data: []byte("x"), Options: plain}},
		{"only if it is not there", "PUT", "/v1/znodes/a", "x", []string{"If-None-Match", "*"}, 201,
			&paddockv1.CreateRequest{Path: "/a", Data: []byte("x"), Options: plain}},
		{"a tag guards the very state that was read", "PUT", "/v1/znodes/a", "x", []string{"If-Match", `"77-3"`}, 200, guarded},
		{"a post creates", "POST", "/v1/znodes/q/n-?mode=ephemeral_sequential&acl=digest:u:h=:cd,world:anyone:r", "x", []string{"Idempotency-Key", "9"}, 201,
			&paddockv1.CreateRequest{Path: "/q/n-", Data: []byte("x"), Mode: paddockv1.CreateMode_CREATE_MODE_EPHEMERAL_SEQUENTIAL,
				Options: &paddockv1.WriteOptions{IdempotencyKey: 9}, Acl: []*paddockv1.Acl{
					{Scheme: "digest", Id: "u:h=", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_CREATE, paddockv1.Permission_PERMISSION_DELETE}},
					{Scheme: "world", Id: "anyone", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}}}}},
		{"a subtree goes with a limit", "DELETE", "/v1/znodes/a?recursive&limit=5", "", nil, 200,
			&paddockv1.DeleteRequest{Path: "/a", Recursive: true, Limit: 5, Options: plain}},
		{"other collections have absolute paths too", "GET", "/v1/children/app%2Fx/y?pageSize=3&read.level=READ_LEVEL_SYNCED&filter.prefix=p", "", nil, 200,
			&paddockv1.ListChildrenRequest{Path: "/app/x/y", PageSize: 3, Filter: &paddockv1.ListFilter{Prefix: "p"},
				Read: &paddockv1.ReadOptions{Level: paddockv1.ReadLevel_READ_LEVEL_SYNCED}}},
		{"what looks like an escape once escapes are undone is none", "GET", "/v1/children/50%2525/%25zz", "", nil, 200, &paddockv1.ListChildrenRequest{Path: "/50%25/%zz"}},
		{"a path of a list is not cleaned", "GET", "/v1/children/a/../b", "", nil, 200, &paddockv1.ListChildrenRequest{Path: "/a/../b"}},
		{"nothing behind a list is the root", "GET", "/v1/children", "", nil, 200, &paddockv1.ListChildrenRequest{Path: "/"}},
		{"a list is asked for without being wanted", "HEAD", "/v1/children/a", "", nil, 200, &paddockv1.ListChildrenRequest{Path: "/a"}},
		{"a tag among several is the one that holds", "PUT", "/v1/znodes/a", "x", []string{"If-Match", `"99-1", "77-3", W/"5-1"`}, 200, guarded},
		{"transactions are JSON", "POST", "/v1/transactions", `{"guards":[{"path":"/a","mzxid":"18446744073709551615"}]}`, nil, 200,
			&paddockv1.TransactRequest{Guards: []*paddockv1.Guard{{Path: "/a", Condition: &paddockv1.Guard_Mzxid{Mzxid: 1<<64 - 1}}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &recorder{data: []byte("hello"), transact: &paddockv1.TransactResponse{Held: true, Results: []*paddockv1.OperationResult{{Stat: stat}}}}
			w := send(t, gate(t, s, Options{}), row.method, row.target, row.body, row.headers...)
			if w.Code != row.code {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if !proto.Equal(s.got, row.want) {
				t.Fatalf("asked for %T %v,\nwant %T %v", s.got, s.got, row.want, row.want)
			}
		})
	}
}

func TestWhatARequestIsAnswered(t *testing.T) {
	failure := func(code codes.Code, reason string) error {
		st, _ := status.New(code, "so it is").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "paddock", Metadata: map[string]string{"path": "/a", "zxid": "80"}})
		return st.Err()
	}
	for _, row := range []struct {
		name, method, target, body string
		headers                    []string
		server                     recorder
		code                       int
		want                       map[string]string // headers; "" for the body
	}{
		{"text comes as text", "GET", "/v1/znodes/a", "", nil, recorder{data: []byte("hi <b>")}, 200,
			map[string]string{"": "hi <b>", "Content-Type": "text/plain; charset=utf-8", "ETag": `"77-3"`, "Paddock-Zxid": "80", "X-Content-Type-Options": "nosniff"}},
		{"bytes come as bytes", "GET", "/v1/znodes/a", "", nil, recorder{data: []byte("\xff\x00")}, 200, map[string]string{"": "\xff\x00", "Content-Type": "application/octet-stream"}},
		{"nothing has changed since the tag", "GET", "/v1/znodes/a", "", []string{"If-None-Match", `"1-1", "77-3"`}, recorder{}, 304, map[string]string{"": ""}},
		{"a missing znode", "GET", "/v1/znodes/a", "", nil, recorder{err: failure(codes.NotFound, "NONODE")}, 404,
			map[string]string{"Content-Type": "application/problem+json", "": `{"type":"about:blank","title":"Not Found","status":404,"detail":"so it is","reason":"NONODE","path":"/a","zxid":"80"}` + "\n"}},
		{"another version is a conflict", "PUT", "/v1/znodes/a?version=1", "", nil, recorder{err: failure(codes.FailedPrecondition, "BADVERSION")}, 409, nil},
		{"more than a request allows is a conflict", "DELETE", "/v1/znodes/a?recursive", "", nil, recorder{err: failure(codes.FailedPrecondition, "TOO_MANY")}, 409, nil},
		{"more than the server has room for", "GET", "/v1/znodes/a", "", nil, recorder{err: failure(codes.ResourceExhausted, "TOO_MANY")}, 429, nil},
		{"another state is a failed precondition", "PUT", "/v1/znodes/a", "", []string{"If-Match", `"1-1"`}, recorder{transact: &paddockv1.TransactResponse{}}, 412, nil},
		{"a tag of somebody else is a failed precondition", "DELETE", "/v1/znodes/a", "", []string{"If-Match", `"abc"`}, recorder{}, 412, nil},
		{"one that is there already is a failed precondition", "PUT", "/v1/znodes/a", "", []string{"If-None-Match", "*"}, recorder{err: failure(codes.AlreadyExists, "NODEEXISTS")}, 412, nil},
		{"too many versions", "PUT", "/v1/znodes/a?version=x", "", nil, recorder{}, 400, nil},
		{"a method that nobody knows", "PATCH", "/v1/znodes/a", "", nil, recorder{}, 405, map[string]string{"Allow": "GET, HEAD, PUT, POST, DELETE, OPTIONS"}},
		{"a method that a list does not have", "PUT", "/v1/children/a", "", nil, recorder{}, 405, map[string]string{"Allow": "GET, HEAD, OPTIONS"}},
		{"what there is for a znode", "OPTIONS", "/v1/znodes/a", "", nil, recorder{}, 204, map[string]string{"Allow": "GET, HEAD, PUT, POST, DELETE, OPTIONS"}},
		{"what there is for a collection", "OPTIONS", "/v1/sessions", "", nil, recorder{}, 204, map[string]string{"Allow": "GET, HEAD, OPTIONS, POST"}},
		{"what there is for nothing", "OPTIONS", "/v1/nothing", "", nil, recorder{}, 404, nil},
		{"a read of another state than the one wanted", "GET", "/v1/znodes/a", "", []string{"If-Match", `"77-2", W/"77-3"`}, recorder{}, 412, nil},
		{"a read of one of the states wanted", "GET", "/v1/znodes/a", "", []string{"If-Match", `"77-2", "77-3"`}, recorder{}, 200, nil},
		{"a tag and a version at once", "PUT", "/v1/znodes/a?version=3", "x", []string{"If-Match", `"77-3"`}, recorder{}, 400, nil},
		{"a tag and a version of what is deleted", "DELETE", "/v1/znodes/a?version=3", "", []string{"If-Match", `"77-3"`}, recorder{}, 400, nil},
		{"an access list for what is not created", "PUT", "/v1/znodes/a?version=3&acl=world:anyone:r", "x", nil, recorder{}, 400, nil},
		{"a tag of what is created", "POST", "/v1/znodes/a", "x", []string{"If-Match", `"77-3"`}, recorder{}, 400, nil},
		{"a tag of what must not be there to be deleted", "DELETE", "/v1/znodes/a", "", []string{"If-None-Match", "*"}, recorder{}, 400, nil},
		{"a place of what was put there first", "PUT", "/v1/znodes/n%20", "x", []string{"If-None-Match", "*"}, recorder{}, 201, map[string]string{"Location": "/v1/znodes/n%20"}},
		{"a parameter that nobody knows", "GET", "/v1/znodes/a?lvel=synced", "", nil, recorder{}, 400, map[string]string{"": `{"type":"about:blank","title":"Bad Request","status":400,"detail":"\"lvel\" is no parameter of this request, did you mean level? It takes level, minZxid, stat, watch","reason":"BADARGUMENTS"}` + "\n"}},
		{"a parameter of another method", "PUT", "/v1/znodes/a?recursive", "x", nil, recorder{}, 400, nil},
		{"a parameter of events without any", "GET", "/v1/znodes/a?after=3", "", nil, recorder{}, 400, nil},
		{"a parameter that is there twice", "DELETE", "/v1/znodes/a?version=1&version=2", "", nil, recorder{}, 400, nil},
		{"a parameter of events that nobody knows", "GET", "/v1/znodes/a?watch&previus", "", nil, recorder{}, 400, map[string]string{"": `{"type":"about:blank","title":"Bad Request","status":400,"detail":"\"previus\" is no parameter of this request, did you mean previous? It takes watch, data, previous, acl, after","reason":"BADARGUMENTS"}` + "\n"}},
		{"a parameter of a list that nobody knows", "GET", "/v1/children/a?prefix=x", "", nil, recorder{}, 400, map[string]string{"": `{"type":"about:blank","title":"Bad Request","status":400,"detail":"\"prefix\" is no parameter of this request, did you mean filter.prefix? ` +
			`It takes filter.prefix, filter.glob, filter.kinds, withStat, withData, pageSize, pageToken, read.level, read.minZxid","reason":"BADARGUMENTS"}` + "\n"}},
		{"a path is no parameter of a list", "GET", "/v1/children/a?path=/b", "", nil, recorder{}, 400, nil},
		{"a level that nobody knows", "GET", "/v1/znodes/a?level=best", "", nil, recorder{}, 400, nil},
		{"a mode that nobody knows", "POST", "/v1/znodes/a?mode=permanent", "", nil, recorder{}, 400, map[string]string{"": `{"type":"about:blank","title":"Bad Request","status":400,"detail":"mode must be persistent, ` +
			`sequential (persistent-sequential), ephemeral, ephemeral-sequential, container, ttl (persistent-with-ttl) or ttl-sequential (persistent-sequential-with-ttl)","reason":"BADARGUMENTS"}` + "\n"}},
		{"a kind that nobody knows", "GET", "/v1/children/a?filter.kinds=sequential", "", nil, recorder{}, 400, map[string]string{"": `{"type":"about:blank","title":"Bad Request","status":400,"detail":"filter.kinds must be ` +
			`one of persistent, ephemeral, container, ttl","reason":"BADARGUMENTS"}` + "\n"}},
		{"a switch that is neither on nor off", "GET", "/v1/children/a?withStat=maybe", "", nil, recorder{}, 400, map[string]string{"": `{"type":"about:blank","title":"Bad Request","status":400,"detail":"withStat must be ` +
			`true or false","reason":"BADARGUMENTS"}` + "\n"}},
		{"an unknown field in JSON", "POST", "/v1/transactions", `{"gards":[]}`, nil, recorder{}, 400, nil},
		{"JSON that is too deep", "POST", "/v1/transactions", strings.Repeat(`{"a":[`, 5000), nil, recorder{}, 400, nil},
		{"two bodies in one", "POST", "/v1/transactions", `{} {}`, nil, recorder{}, 400, nil},
		{"a path that is not text", "GET", "/v1/znodes/%ff", "", nil, recorder{}, 400, nil},
		{"a path of a list that is not text", "GET", "/v1/children/%ff", "", nil, recorder{}, 400, nil},
		{"a query that is not text", "GET", "/v1/children/a?filter.prefix=%ff", "", nil, recorder{}, 400, nil},
		{"an access list that is not text", "POST", "/v1/znodes/a?acl=world:%ff:r", "", nil, recorder{}, 400, nil},
		{"a body that is too long", "PUT", "/v1/znodes/a", strings.Repeat("x", requestBytesMax+1), nil, recorder{}, 413, nil},
		{"a page of another site may not write", "POST", "/v1/znodes/a", "x", []string{"Sec-Fetch-Site", "cross-site"}, recorder{}, 403, nil},
		{"a created znode has a place", "POST", "/v1/znodes/n%20-?mode=sequential", "x", nil, recorder{}, 201, map[string]string{"Location": "/v1/znodes/n%20-0000000001"}},
		{"a page links to the next", "GET", "/v1/children/a?pageSize=2&pageToken=x", "", nil, recorder{page: "t&1"}, 200,
			map[string]string{"Link": `</v1/children/a?pageSize=2&pageToken=t%261>; rel="next"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := send(t, gate(t, &row.server, Options{}), row.method, row.target, row.body, row.headers...)
			if w.Code != row.code {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, row.code)
			}
			if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("an error as %s", w.Header().Get("Content-Type"))
			}
			for k, want := range row.want {
				if got := w.Header().Get(k); k != "" && got != want {
					t.Errorf("%s: %q, want %q", k, got, want)
				} else if k == "" && w.Body.String() != want {
					t.Errorf("body %q, want %q", w.Body, want)
				}
			}
		})
	}
}

func TestOnlyWhatAClientMaySayOfItselfIsPassedOn(t *testing.T) {
	for _, target := range []string{"/v1/znodes/a", "/v1/children/a"} {
		s := &recorder{}
		w := send(t, gate(t, s, Options{}), "GET", target, "", "Authorization", "Basic dTpw", "Paddock-Session", "7", "Paddock-Session-Password", "00",
			"Paddock-Peer", "10.0.0.1:1", "Grpc-Metadata-Paddock-Peer", "10.0.0.1:1", "Paddock-Peer-Secure", "1", "X-Forwarded-For", "10.0.0.1", "Forwarded", "for=10.0.0.1")
		if w.Code != 200 {
			t.Fatal(w.Code, w.Body)
		}
		for key, want := range map[string]string{"authorization": "Basic dTpw", "paddock-session": "7", "paddock-session-password": "00", "paddock-peer": "192.0.2.1:1234"} {
			if got := s.meta.Get(key); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", target, key, got, want)
			}
		}
		for _, key := range []string{"paddock-peer-secure", "forwarded", "grpcgateway-forwarded"} {
			if got := s.meta.Get(key); len(got) != 0 {
				t.Errorf("%s: %s is passed on: %q", target, key, got)
			}
		}
	}
}

func TestBodiesOfManyClientsAreBounded(t *testing.T) {
	l := &limits{budget: 10, next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	if w := send(t, l, "PUT", "/", "12345678901"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Fatal(w.Code)
	}
	for range 3 {
		if w := send(t, l, "PUT", "/", "1234567890"); w.Code != 200 {
			t.Fatal(w.Code, "the memory of an earlier body was not given back")
		}
	}
}

func TestEventsAreWholeTransactionsWithTheirZxid(t *testing.T) {
	s := &recorder{watch: func(c *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		if c.GetPath() != "/a" || c.GetKind() != paddockv1.WatchKind_WATCH_KIND_RECURSIVE || c.GetStartAfterZxid() != 12 || !c.GetWithData() || !c.GetWithAcl() {
			return status.Errorf(codes.Internal, "asked for %v", c)
		}
		created, listed := paddockv1.ChangeType_CHANGE_TYPE_CREATED, paddockv1.ChangeType_CHANGE_TYPE_ACL_CHANGED
		everyone := &paddockv1.AccessList{Acl: []*paddockv1.Acl{{Scheme: "world", Id: "anyone", Permissions: []paddockv1.Permission{paddockv1.Permission_PERMISSION_READ}}}}
		nobody := &paddockv1.AccessList{Acl: []*paddockv1.Acl{{Scheme: "world", Id: "anyone"}}}
		for _, m := range []*paddockv1.WatchResponse{
			{Response: &paddockv1.WatchResponse_Created{Created: &paddockv1.WatchCreated{AfterZxid: 12}}},
			{Response: &paddockv1.WatchResponse_Events{Events: &paddockv1.WatchEvents{More: true, Changes: []*paddockv1.Change{{Type: created, Path: "/a/b", Zxid: 20, Data: []byte("x\ny")}}}}},
			{Response: &paddockv1.WatchResponse_Events{Events: &paddockv1.WatchEvents{Changes: []*paddockv1.Change{{Type: created, Path: "/a/c", Zxid: 20, Data: []byte{0xff}, Acl: everyone}}}}},
			{Response: &paddockv1.WatchResponse_Events{Events: &paddockv1.WatchEvents{Changes: []*paddockv1.Change{{Type: listed, Path: "/a/c", Zxid: 21, Acl: nobody, PreviousAcl: everyone}}}}},
			{Response: &paddockv1.WatchResponse_Cancelled{Cancelled: &paddockv1.WatchCancelled{Reason: paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_ASKED, Zxid: 20}}},
		} {
			if err := out.Send(m); err != nil {
				return err
			}
		}
		return nil
	}}
	w := send(t, gate(t, s, Options{}), "GET", "/v1/znodes/a?watch=recursive&data&acl&after=3", "", "Last-Event-ID", "12")
	readable := `[{"scheme":"world","id":"anyone","permissions":["PERMISSION_READ"]}]` // as GetAcl's in JSON
	want := "event: created\nid: 12\ndata: {\"zxid\":\"12\"}\n\n" +
		"event: changes\nid: 20\ndata: {\"changes\":[{\"type\":\"created\",\"path\":\"/a/b\",\"zxid\":\"20\",\"text\":\"x\\ny\"},{\"type\":\"created\",\"path\":\"/a/c\",\"zxid\":\"20\",\"data\":\"/w==\",\"acl\":" + readable + "}]}\n\n" +
		"event: changes\nid: 21\ndata: {\"changes\":[{\"type\":\"acl_changed\",\"path\":\"/a/c\",\"zxid\":\"21\"," +
		`"acl":[{"scheme":"world","id":"anyone","permissions":[]}],"previousAcl":` + readable + "}]}\n\n" +
		"event: cancelled\ndata: {\"detail\":\"\",\"reason\":\"ASKED\",\"zxid\":\"20\"}\n\n"
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream" || w.Body.String() != want {
		t.Fatalf("%d %s\n%s\nwant\n%s", w.Code, w.Header(), w.Body, want)
	}
}

func TestAWatchThatCannotBeginIsAProblem(t *testing.T) {
	s := &recorder{watch: func(_ *paddockv1.CreateWatch, out grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
		return out.Send(&paddockv1.WatchResponse{Response: &paddockv1.WatchResponse_Cancelled{Cancelled: &paddockv1.WatchCancelled{
			Reason: paddockv1.WatchCancelReason_WATCH_CANCEL_REASON_HISTORY_GONE, Zxid: 99, Message: "gone"}}})
	}}
	w := send(t, gate(t, s, Options{}), "GET", "/v1/znodes/a?watch&after=1", "")
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusGone || p.Reason != "HISTORY_GONE" || p.Zxid != "99" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestCORS(t *testing.T) {
	off, on := gate(t, &recorder{}, Options{}), gate(t, &recorder{}, Options{CORSOrigins: []string{"https://a.example"}})
	preflight := []string{"Access-Control-Request-Method", "PUT", "Origin", "https://a.example", "Sec-Fetch-Site", "cross-site"}
	if w := send(t, off, "OPTIONS", "/v1/znodes/a", "", preflight...); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("off, and yet a page may call")
	}
	if w := send(t, on, "OPTIONS", "/v1/znodes/a", "", preflight...); w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "https://a.example" {
		t.Error(w.Code, w.Header())
	}
	if w := send(t, on, "PUT", "/v1/znodes/a", "x", preflight...); w.Code != 201 {
		t.Error(w.Code, w.Body)
	}
	if w := send(t, on, "PUT", "/v1/znodes/a", "x", "Origin", "https://b.example", "Sec-Fetch-Site", "cross-site"); w.Code != 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error(w.Code, w.Header())
	}
	if _, err := New(&fakeServer{}, Options{CORSOrigins: []string{"a.example"}}); err == nil {
		t.Error("an origin without a scheme was accepted")
	}
}

func FuzzREST(f *testing.F) {
	f.Add("GET", "/v1/znodes/a?watch=1&after=x", "", "")
	f.Add("PUT", "/v1/znodes/a%00?version=1", `"1-1"`, "x")
	f.Add("POST", "/v1/transactions", "*", `{"then":[{"create":{"path":"/a"}}]}`)
	f.Add("DELETE", "/v1/znodes//?recursive", "", "")
	f.Add("GET", "/v1/tree/%2e%2e/:x?filter.kinds=9", "", "")
	s := &recorder{transact: &paddockv1.TransactResponse{Held: true, Results: []*paddockv1.OperationResult{{Stat: stat}}},
		watch: func(*paddockv1.CreateWatch, grpc.BidiStreamingServer[paddockv1.WatchRequest, paddockv1.WatchResponse]) error {
			return status.Error(codes.Unavailable, "no")
		}}
	h := gate(f, s, Options{})
	f.Fuzz(func(t *testing.T, method, target, match, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://host"+target, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			return // no client can send that
		}
		r.RequestURI = target
		r.Header.Set("If-Match", match)
		w := httptest.NewRecorder()
		s.got = nil
		h.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError || w.Code < 200 || w.Code > 599 {
			t.Fatalf("%s %q: %d %s", method, target, w.Code, w.Body)
		}
		if g, ok := s.got.(*paddockv1.GetRequest); ok && (!utf8.ValidString(g.GetPath()) || !strings.HasPrefix(g.GetPath(), "/")) {
			t.Fatalf("%q asks for %q", target, g.GetPath())
		}
		_, _ = io.Copy(io.Discard, w.Result().Body)
	})
}
